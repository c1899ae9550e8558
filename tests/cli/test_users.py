"""`adlab user`: people, grants that end, and logins that are shown once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from adlab.core.roles import Role
from adlab.storage.access import store_person
from adlab.storage.engine import transaction
from adlab.storage.passwords import check_password

from .conftest import Adlab, Done


@pytest.fixture
def ann(owner_engine: Engine) -> str:
    """An analyst."""
    with transaction(owner_engine) as connection:
        store_person(connection, "ann", Role.ANALYST)
    return "ann"


def grant(adlab: Adlab, *more: str, name: str = "ann", client: str = "acme",
          role: str = "analyst") -> Done:  # fmt: skip
    return adlab("user", "grant", name, "--client", client, "--role", role, *more)


def people(adlab: Adlab) -> list[dict[str, Any]]:
    """Everybody but the operator, who is there from the first command on."""
    return [p for p in adlab("user", "list", "--json").json if p["name"] != "local owner"]


def test_a_person_is_added_and_listed(adlab: Adlab) -> None:
    done = adlab("user", "add", "Ann O'Neil 🎯", "--role", "Account Manager")
    assert (done.code, done.out) == (0, "Ann O'Neil 🎯\n")
    assert "as account_manager" in done.err
    (found,) = people(adlab)
    assert (found["name"], found["role"], found["client"]) == (
        "Ann O'Neil 🎯", "account_manager", None,
    )  # fmt: skip


def test_json_of_a_person(adlab: Adlab) -> None:
    done = adlab("user", "add", "bob", "--role", "client-viewer", "--json")
    assert done.json == {"name": "bob", "role": "client_viewer", "username": "bob"}


def test_a_username_can_be_chosen_and_must_be_fit(adlab: Adlab) -> None:
    done = adlab("user", "add", "Ann Lee", "--role", "analyst", "--username", "ann")
    assert "they log in as ann" in done.err
    taken = adlab("user", "add", "Ann Other", "--role", "analyst", "--username", "ann")
    assert (taken.code, taken.out) == (1, "")
    assert "username 'ann' is taken" in taken.err
    unfit = adlab("user", "add", "Bob", "--role", "analyst", "--username", "Bob Root/../x")
    assert (unfit.code, unfit.out) == (2, "")
    assert "is no username" in unfit.err


def test_a_password_is_made_and_shown_once(adlab: Adlab, ann: str, owner_engine: Engine) -> None:
    done = adlab("user", "password", ann)
    (password,) = done.out.split()
    assert len(password) >= 20
    assert password not in done.err
    with transaction(owner_engine) as connection:
        assert check_password(connection, "ann", password) is not None
    again = adlab("user", "password", ann, "--json").json
    assert (again["username"], again["password"] != password) == ("ann", True)
    with transaction(owner_engine) as connection:
        assert check_password(connection, "ann", password) is None


def test_a_password_comes_from_a_variable_and_is_not_repeated(
    adlab: Adlab, ann: str, owner_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_PASSWORD", "chosen by an admin")
    done = adlab("user", "password", ann, "--env", "NEW_PASSWORD")
    assert (done.code, done.out) == (0, "")
    assert "chosen by" not in done.err
    with transaction(owner_engine) as connection:
        assert check_password(connection, "ann", "chosen by an admin") is not None
    monkeypatch.setenv("NEW_PASSWORD", "short")
    weak = adlab("user", "password", ann, "--env", "NEW_PASSWORD")
    assert weak.code == 2
    assert "10 to 200 characters" in weak.err
    missing = adlab("user", "password", ann, "--env", "NOT_THERE")
    assert missing.code == 2
    assert "NOT_THERE is empty or not set" in missing.err


def test_a_password_of_nobody_is_code_1(adlab: Adlab) -> None:
    done = adlab("user", "password", "nobody")
    assert (done.code, done.out) == (1, "")
    assert "There is no person 'nobody'" in done.err


def test_an_invitation_adds_the_person_with_a_grant_and_prints_a_link(
    adlab: Adlab, acme: str
) -> None:
    done = adlab("user", "invite", "Carla Rossi", "--client", acme)
    assert re.fullmatch(r"http://127\.0\.0\.1:8600/hub/welcome/\S+\n", done.out)
    (found,) = people(adlab)
    assert (found["username"], found["role"], found["client"], found["client_role"]) == (
        "carla-rossi", "client_viewer", acme, "client_viewer",
    )  # fmt: skip
    again = adlab("user", "invite", "carla-rossi", "--client", acme, "--json").json
    assert again["username"] == "carla-rossi"
    assert again["url"] != done.out.strip()
    assert len(people(adlab)) == 1


def test_an_invitation_leads_to_the_house_that_runs_now(adlab: Adlab, acme: str) -> None:
    from adlab.local import single_instance
    from adlab.settings import load_settings

    with single_instance(load_settings().home, "demo") as demo:
        demo.announce("http://127.0.0.1:8671")
        done = adlab("user", "invite", "Carla Rossi", "--client", acme)
    assert done.out.startswith("http://127.0.0.1:8671/hub/welcome/")


def test_an_invitation_to_an_unknown_client_adds_nobody(adlab: Adlab) -> None:
    done = adlab("user", "invite", "Carla Rossi", "--client", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "There is no client 'nowhere'" in done.err
    assert people(adlab) == []


def test_an_invitation_uses_the_public_address(
    adlab: Adlab, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_WEB__PUBLIC_URL", "https://reports.example.com/")
    done = adlab("user", "password", "local owner", "--link")
    assert done.out.startswith("https://reports.example.com/hub/welcome/")


def test_a_name_that_is_taken_is_code_1(adlab: Adlab, ann: str) -> None:
    done = adlab("user", "add", ann, "--role", "admin")
    assert (done.code, done.out) == (1, "")
    assert "There is a person 'ann' already" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bob", "--role", "root"], "roles are owner, admin"),
        (["", "--role", "analyst"], "1 to 100 characters"),
        (["x" * 101, "--role", "analyst"], "1 to 100 characters"),
    ],
)
def test_malformed_people_are_code_2(adlab: Adlab, arguments: list[str], told: str) -> None:
    done = adlab("user", "add", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_grant_is_told_and_listed(adlab: Adlab, acme: str, ann: str) -> None:
    done = grant(adlab, "--until", "2099-12-31", "--reason", "Q4 [audit]")
    assert done.code == 0
    assert "Q4 [audit]" in done.out
    (found,) = people(adlab)
    assert found["client"] == "acme"
    assert found["client_role"] == "analyst"
    assert found["reason"] == "Q4 [audit]"
    assert found["expires_at"] == "2100-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2099-12-31", "2100-01-01T00:00:00+00:00"),
        ("20991231", "2100-01-01T00:00:00+00:00"),
        ("2099-12-31T12:00", "2099-12-31T12:00:00+00:00"),
        ("2099-12-31 12:00+01:00", "2099-12-31T12:00:00+01:00"),
    ],
)
def test_a_day_is_included_to_its_end_however_it_is_spelt(
    adlab: Adlab, acme: str, ann: str, until: str, end: str
) -> None:
    assert grant(adlab, "--until", until, "--json").json["until"] == end


def test_a_number_of_days_counts_from_now(adlab: Adlab, acme: str, ann: str) -> None:
    end = datetime.fromisoformat(grant(adlab, "--until", "60d", "--json").json["until"])
    assert abs(end - datetime.now(UTC) - timedelta(days=60)) < timedelta(minutes=1)


def test_a_second_grant_replaces_the_first(adlab: Adlab, acme: str, ann: str) -> None:
    grant(adlab, "--until", "60d")
    assert grant(adlab, role="client_viewer").code == 0
    (found,) = people(adlab)
    assert (found["client_role"], found["expires_at"]) == ("client_viewer", None)


@pytest.mark.parametrize(
    "until",
    ["", "tomorrow", "31.12.2099", "2026-13-01", "-5d", "60", "99999999999d", "9999-12-31"],
)
def test_what_is_no_end_is_code_2(adlab: Adlab, acme: str, ann: str, until: str) -> None:
    done = grant(adlab, "--until", until)
    assert (done.code, done.out) == (2, "")
    assert "is no date; write 2026-12-31 or 60d" in done.err


@pytest.mark.parametrize("until", ["2020-01-01", "0d"])
def test_an_end_in_the_past_is_code_2(adlab: Adlab, acme: str, ann: str, until: str) -> None:
    done = grant(adlab, "--until", until)
    assert done.code == 2
    assert "is in the past" in done.err


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"name": "zoe"}, 1, "There is no person 'zoe'"),
        ({"client": "nobody"}, 1, "There is no client 'nobody'"),
        ({"role": "root"}, 2, "there is no role 'root'"),
    ],
)
def test_a_grant_of_what_does_not_exist(
    adlab: Adlab, acme: str, ann: str, changed: dict[str, str], code: int, told: str
) -> None:
    done = grant(adlab, **changed)
    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_a_credential_is_the_only_thing_on_stdout_and_works(
    adlab: Adlab, acme: str, ann: str
) -> None:
    grant(adlab)
    done = adlab("user", "credential", ann, "--hours", "1.5")
    assert done.code == 0
    assert re.fullmatch(r"postgresql://nb_[0-9a-f]{12}:[\w-]{32}@\S+\n", done.out)
    assert done.err == "A login of ann, for 1.5 hours. It is shown once.\n"
    with psycopg.connect(done.out.strip()) as link:
        rows = link.execute("SELECT slug FROM api.clients").fetchall()
    assert rows == [("acme",)]


def test_the_password_stands_nowhere_but_on_stdout(adlab: Adlab, acme: str, ann: str) -> None:
    done = adlab("user", "credential", ann)
    password = done.out.split(":")[2].split("@")[0]
    assert password not in done.err
    assert password not in adlab("user", "list", "--json").out


def test_json_of_a_credential(adlab: Adlab, ann: str) -> None:
    found = adlab("user", "credential", ann, "--json").json
    assert (found["name"], found["hours"]) == ("ann", 12)
    assert found["url"].startswith("postgresql://nb_")


def test_a_credential_of_nobody_is_code_1(adlab: Adlab) -> None:
    done = adlab("user", "credential", "zoe")
    assert (done.code, done.out) == (1, "")
    assert "There is no person 'zoe'" in done.err


def test_the_list_is_a_table(adlab: Adlab, acme: str, ann: str) -> None:
    done = adlab("user", "list")
    assert done.out.splitlines()[0].split() == [
        "name", "username", "role", "client", "client", "role", "expires", "at", "reason",
    ]  # fmt: skip
    assert ["ann", "ann", "analyst"] in [line.split()[:3] for line in done.out.splitlines()]
