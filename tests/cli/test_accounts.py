"""`adlab account`: a token is checked before it is kept, and never shown."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from tests.conftest import TOKEN, Simulator

from adlab.storage.engine import transaction
from adlab.vault import Vault

from .conftest import Adlab, Done


def connect(adlab: Adlab, account: str = "act_1001", *more: str, slug: str = "acme",
            variable: str = "TEST_TOKEN") -> Done:  # fmt: skip
    return adlab("account", "connect", account, "--client", slug, "--token-env", variable, *more)


def connections(engine: Engine) -> int:
    with transaction(engine) as c:
        found: int = c.scalar(text("SELECT count(*) FROM sec.connection")) or 0
        return found


def test_connecting_shows_what_the_token_may_read(adlab: Adlab, meta: Simulator, acme: str) -> None:
    done = connect(adlab)
    assert done.code == 0
    head, *lines = done.out.splitlines()
    assert head.split() == ["account", "name", "currency", "timezone", "connected"]
    assert [(line.split()[0], line.split()[-1]) for line in lines] == [
        ("act_1001", "yes"), ("act_1002", "no"),
    ]  # fmt: skip
    assert "scopes ads_read, ads_management" in done.err
    assert "Next: adlab sync --client acme" in done.err
    assert TOKEN not in done.out + done.err


def test_json_of_a_connection(adlab: Adlab, meta: Simulator, acme: str) -> None:
    found = connect(adlab, "1001", "--json").json
    assert found["account_id"] == "act_1001"
    assert found["readable"] == ["act_1001", "act_1002"]
    assert "ads_read" in found["scopes"]
    assert found["expires_at"].startswith("2027-01-")


def test_the_token_rests_sealed(adlab: Adlab, connected: Simulator, owner_engine: Engine) -> None:
    with transaction(owner_engine) as c:
        sealed = bytes(c.scalar(text("SELECT token_sealed FROM sec.connection")) or b"")
        audit = str(c.execute(text("SELECT * FROM sec.audit_log")).all()) if c.scalar(
            text("SELECT to_regclass('sec.audit_log')")
        ) else ""  # fmt: skip
    assert sealed.startswith(b"adlab3")
    assert TOKEN.encode() not in sealed
    assert TOKEN not in audit


def test_connecting_again_replaces_the_token(
    adlab: Adlab, connected: Simulator, owner_engine: Engine
) -> None:
    assert connect(adlab).code == 0
    assert connections(owner_engine) == 1


def test_the_list_tells_client_and_health(adlab: Adlab, connected: Simulator) -> None:
    (found,) = adlab("account", "list", "--json").json
    assert (found["account"], found["client"], found["connection"]) == ("act_1001", "acme", "ok")
    assert adlab("account", "list", "--client", "acme").cells()[:2] == ["act_1001", "acme"]
    other = adlab("account", "list", "--client", "nobody")
    assert other.code == 1
    assert "There is no client 'nobody'. Clients: acme" in other.err


@pytest.mark.parametrize("value", ["", "   ", None])
def test_an_empty_variable_is_named(
    adlab: Adlab, acme: str, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("MY_TOKEN", value)
    done = connect(adlab, variable="MY_TOKEN")
    assert (done.code, done.out) == (1, "")
    assert "The variable MY_TOKEN is empty or not set." in done.err


def test_a_token_given_in_place_of_its_variable_is_not_repeated(adlab: Adlab, acme: str) -> None:
    token = "EAA" + "BsbCS1iHgBO7ZAZCtoken0123456789"
    done = connect(adlab, variable=token)
    assert done.code == 1
    assert token not in done.err


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("nonsense", "it is invalid"),
        ("sim-expired-1", "it has expired"),
        ("sim-revoked-1", "the app was removed by its user"),
        ("sim-noscope-1", "reading ads needs ads_read"),
        ("sim-token-acct-1002", "act_1001 cannot be read with this token"),
    ],
)
def test_a_token_that_cannot_read_the_account_is_code_1_and_not_kept(
    adlab: Adlab, meta: Simulator, acme: str, owner_engine: Engine,
    monkeypatch: pytest.MonkeyPatch, token: str, told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("MY_TOKEN", token)
    done = connect(adlab, variable="MY_TOKEN")
    assert (done.code, done.out) == (1, "")
    assert told in done.err
    assert token not in done.err
    assert connections(owner_engine) == 0


def test_a_token_of_another_app_is_refused(
    adlab: Adlab, meta: Simulator, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_META__APP_ID", "777")
    done = connect(adlab)
    assert done.code == 1
    assert "belongs to app 555, not to ADLAB_META__APP_ID 777" in done.err


@pytest.mark.parametrize("account", ["act_", "1001x", "Acme", "act_0", "٣"])
def test_a_malformed_account_is_code_2_before_anything_is_asked(
    adlab: Adlab, acme: str, account: str
) -> None:
    done = connect(adlab, account)
    assert (done.code, done.out) == (2, "")
    assert "is not an ad account id" in done.err


def test_an_account_that_does_not_exist_is_code_1(adlab: Adlab, meta: Simulator, acme: str) -> None:
    done = connect(adlab, "act_999")
    assert done.code == 1
    assert "act_999 cannot be read with this token" in done.err


def test_an_unknown_client_is_code_1(adlab: Adlab, meta: Simulator) -> None:
    done = connect(adlab, slug="nobody")
    assert done.code == 1
    assert "There is no client 'nobody'. Clients: none yet." in done.err


def test_an_account_of_another_client_stays_where_it_is(
    adlab: Adlab, connected: Simulator, owner_engine: Engine
) -> None:
    adlab("client", "add", "Beta", "--slug", "beta")
    done = connect(adlab, slug="beta")
    assert done.code == 1
    assert "Account act_1001 belongs to client 'acme' already" in done.err
    assert connections(owner_engine) == 1
    assert adlab("account", "list", "--json").json[0]["client"] == "acme"


def test_without_a_secret_key_an_external_database_is_refused(
    adlab: Adlab, meta: Simulator, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADLAB_SECRET_KEY")
    done = connect(adlab)
    assert done.code == 1
    assert "ADLAB_SECRET_KEY is not set, and the database is external" in done.err
    assert adlab("client", "list").code == 1


def test_an_account_is_disconnected_and_its_data_stays(
    adlab: Adlab, connected: Simulator, owner_engine: Engine
) -> None:
    done = adlab("account", "disconnect", "act_1001", "--json")
    assert done.code == 0, done.err
    assert (done.json["accounts"], done.json["token_deleted"]) == (["act_1001"], True)
    assert connections(owner_engine) == 0
    (found,) = adlab("account", "list", "--json").json
    assert (found["account"], found["connection"]) == ("act_1001", None)
    again = adlab("account", "disconnect", "act_1001")
    assert (again.code, "act_1001 is not connected" in again.err) == (1, True)


@pytest.mark.parametrize("given", [(), ("act_1001", "--connection", "1")])
def test_disconnecting_needs_an_account_or_a_connection(
    adlab: Adlab, given: tuple[str, ...]
) -> None:
    assert adlab("account", "disconnect", *given).code == 2


def test_an_invitation_is_a_link_that_can_be_revoked(
    adlab: Adlab, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = adlab("account", "invite", "--client", acme)
    assert (lacking.code, "ADLAB_META__APP_ID" in lacking.err) == (1, True)
    monkeypatch.setenv("ADLAB_META__APP_ID", "555")
    monkeypatch.setenv("ADLAB_META__APP_SECRET", "not-a-real-app-secret")
    monkeypatch.setenv("ADLAB_WEB__PUBLIC_URL", "https://reports.example")
    made = adlab("account", "invite", "--client", acme, "--hours", "48", "--json")
    assert made.json["url"].startswith("https://reports.example/")
    assert "/invite/" in made.json["url"]
    number = str(made.json["invite_id"])
    assert f"Invitation {number} for acme is open" in adlab("connection", "list").err
    assert adlab("account", "uninvite", number).code == 0
    assert adlab("account", "uninvite", number).code == 1
    assert adlab("account", "invite", "--client", acme, "--hours", "9999").code == 2


def test_connections_tell_whose_login_and_a_dead_one_fails_the_check(
    adlab: Adlab, connected: Simulator, owner_engine: Engine
) -> None:
    (found,) = adlab("connection", "list", "--json").json
    assert (found["client"], found["accounts"], found["login"], found["status"]) == (
        "acme", ["act_1001"], "Demo Buyer", "ok",
    )  # fmt: skip
    assert adlab("connection", "check", "--json").json == []
    with transaction(owner_engine) as c:
        client = c.scalar(text("SELECT client_id FROM sec.connection"))
        dead = Vault(bytes.fromhex("0f" * 32)).seal("sim-revoked-1", client)
        c.execute(text("UPDATE sec.connection SET facts_at = NULL, token_sealed = :t"), {"t": dead})
    done = adlab("connection", "check", "--json")
    assert done.code == 1
    assert done.json[0]["outcome"] == "reauth_required"
    assert (
        "Demo Buyer (Meta user 9001), connected by local owner, must log in"
        in (done.json[0]["detail"])
    )
    (row,) = adlab("account", "list", "--json").json
    assert (row["connection"], row["reason"]) == ("reauth_required", done.json[0]["detail"])


def test_a_connection_that_ends_soon_stands_in_the_list(
    adlab: Adlab, connected: Simulator, owner_engine: Engine
) -> None:
    with transaction(owner_engine) as c:
        c.execute(text("UPDATE sec.connection SET warning = 'It ends soon.'"))
    (row,) = adlab("account", "list", "--json").json
    assert (row["connection"], row["reason"]) == ("expiring", "It ends soon.")
    (found,) = adlab("connection", "list", "--json").json
    assert (found["status"], found["why"]) == ("expiring", "It ends soon.")


def test_keys_are_listed_and_rotated_and_never_shown(
    adlab: Adlab, connected: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "0f" * 32, "ab" * 32
    (only,) = adlab("key", "list", "--json").json
    assert (only["tokens"], only["state"]) == (1, "newest")
    alone = adlab("key", "rotate")
    assert (alone.code, "holds one key only" in alone.err) == (1, True)
    monkeypatch.setenv("ADLAB_SECRET_KEY", f"{new},{old}")
    assert [k["state"] for k in adlab("key", "list", "--json").json] == ["newest", "in use"]
    done = adlab("key", "rotate", "--json")
    assert (done.json["tokens"], done.json["retirable"]) == (1, [only["key"]])
    assert "may go from ADLAB_SECRET_KEY" in done.err
    assert old not in done.out + done.err
    assert adlab("key", "retire").code == 1
    monkeypatch.setenv("ADLAB_SECRET_KEY", new)
    assert [k["state"] for k in adlab("key", "list", "--json").json] == ["newest"]
    monkeypatch.setenv("ADLAB_SECRET_KEY", old)
    lost = adlab("key", "list", "--json")
    assert (lost.code, [k["state"] for k in lost.json]) == (1, ["newest", "missing"])
