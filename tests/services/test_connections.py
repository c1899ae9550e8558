"""Upkeep and ends of connections: asked hourly, renewed by day fifty, explained, disconnected."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.errors import UnknownObjectError
from adlab.services.access import MetaAccess, attach
from adlab.services.connections import ConnectionParts, upkeep
from adlab.services.connections_end import disconnect
from adlab.storage.clients import store_client
from adlab.storage.connections import Known, mark_connection
from adlab.storage.engine import transaction
from adlab.vault import Vault

from .login_at_meta import APP_ID, NOW, SECRET, FacebookDouble, Token

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class House:
    """A store with two clients, and Facebook beside it."""

    def __init__(self, engine: Engine) -> None:
        self.facebook = FacebookDouble()
        self.engine = engine
        self.vault = Vault(b"v" * 32)
        self.meta(app_id=APP_ID, app_secret=SECRET)
        with transaction(engine) as c:
            self.clients = {s: store_client(c, s.title(), s).client_id for s in ("acme", "beta")}

    def meta(self, app_id: str | None = None, app_secret: str | None = None) -> None:
        meta = MetaAccess(
            "https://graph.facebook.com",
            "v26.0",
            app_id,
            app_secret,
            transport=self.facebook.transport,
        )
        self.parts = ConnectionParts(self.engine, self.vault, meta)

    def connect(
        self, text_of: str, token: Token, *accounts: int, slug: str = "acme", name: str = "Dana"
    ) -> int:
        self.facebook.tokens[text_of] = token
        known = Known(APP_ID, token.user_id, name, token.kind, token.scopes, token.expires_at,
                      token.data_until)  # fmt: skip
        infos = [AccountInfo(AccountId(a), f"A{a}", "EUR", "Europe/Berlin", 1) for a in accounts]
        with transaction(self.engine) as c:
            return attach(c, self.clients[slug], self.vault.seal(text_of, self.clients[slug]),
                          known, infos, actor="Ada", now=NOW - DAY)  # fmt: skip

    def row(self, number: int) -> dict[str, Any]:
        with transaction(self.engine) as c:
            sql = text("SELECT * FROM sec.connection WHERE connection_id = :n")
            return dict(c.execute(sql, {"n": number}).mappings().one())

    def token(self, number: int) -> str:
        row = self.row(number)
        return self.vault.open(bytes(row["token_sealed"]), row["client_id"])

    def audited(self, action: str) -> int:
        with transaction(self.engine) as c:
            found: int = c.execute(
                text("SELECT count(*) FROM sec.audit WHERE action = :a"), {"a": action}
            ).scalar_one()
            return found

    def look(self, at: datetime = NOW) -> list[tuple[str, str]]:
        self.facebook.now = at
        return [(u.outcome, u.detail) for u in upkeep(self.parts, at)]

    def asked(self, path: str) -> int:
        return sum(r.url.path.endswith(path) for r in self.facebook.requests)


@pytest.fixture
def house(owner_engine: Engine) -> Iterator[House]:
    yield House(owner_engine)


def lasting(days: float, **more: Any) -> Token:
    return Token(expires_at=NOW + timedelta(days=days), **more)


def test_meta_is_asked_about_a_token_once_an_hour(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001)
    assert house.look() == [("ok", "")]
    assert house.look(NOW + HOUR - timedelta(seconds=1)) == []
    assert house.look(NOW + HOUR) == [("ok", "")]
    assert house.asked("debug_token") == 2
    row = house.row(number)
    assert (row["status"], row["warning"], row["data_expires_at"]) == ("ok", None, NOW + 90 * DAY)


def test_a_token_is_renewed_when_ten_days_are_left_and_not_before(house: House) -> None:
    number = house.connect("tok-a", lasting(10, data_until=NOW + 80 * DAY), 1001)
    assert house.look(NOW - timedelta(seconds=1)) == [("ok", "")]
    assert house.token(number) == "tok-a"
    ((outcome, detail),) = house.look(NOW + HOUR)
    assert (outcome, detail) == ("extended", "It works until 20 Jan 2027.")
    row = house.row(number)
    assert house.token(number) == "issued-token-number-1"
    assert row["expires_at"] == NOW + HOUR + 60 * DAY
    assert (row["exchanged_at"], row["warning"], row["status"]) == (NOW + HOUR, None, "ok")
    assert house.audited("connection.extended") == 1
    assert house.look(NOW + 2 * HOUR) == [("ok", "")]
    assert house.asked("oauth/access_token") == 1


def test_a_renewal_that_fails_warns_and_is_tried_again_each_day(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    number = house.connect("tok-a", lasting(5), 1001)
    house.facebook.fails["oauth/access_token"] = (190, 467)
    ((outcome, detail),) = house.look()
    assert outcome == "warning"
    assert detail == (
        "The access token ends on 26 Nov 2026. Dana (Meta user 9001), connected by Ada, must log "
        "in to Facebook through adlab again."
    )
    assert house.row(number)["warning"] == detail
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert [e.split()[0] for e in errors] == ["connection_not_renewed", "connection_ends"]
    house.look(NOW + HOUR)
    assert house.asked("oauth/access_token") == 1
    del house.facebook.fails["oauth/access_token"]
    assert [o for o, _ in house.look(NOW + DAY)] == ["extended"]
    assert house.row(number)["warning"] is None


def test_a_system_users_token_is_never_exchanged(house: House) -> None:
    number = house.connect(
        "tok-s", Token(kind="SYSTEM_USER", expires_at=None, data_until=None), 1001
    )
    assert house.look(NOW + 400 * DAY) == [("ok", "")]
    assert house.asked("oauth/access_token") == 0
    assert house.row(number)["expires_at"] is None


def test_a_system_users_token_that_ends_is_a_warning_for_an_admin(house: House) -> None:
    house.connect("tok-s", lasting(4, kind="SYSTEM_USER", data_until=None), 1001)
    ((outcome, detail),) = house.look()
    assert outcome == "warning"
    assert "admin of the business makes a new token for system user Dana" in detail
    assert house.asked("oauth/access_token") == 0


def test_without_the_apps_secret_a_token_cannot_be_renewed_and_warns(house: House) -> None:
    number = house.connect("tok-a", lasting(8), 1001)
    house.meta()
    ((outcome, detail),) = house.look()
    assert outcome == "warning"
    assert detail.startswith("The access token ends on 29 Nov 2026.")
    assert house.token(number) == "tok-a"
    assert house.asked("oauth/access_token") == 0


def test_data_access_that_ends_soon_is_a_warning_with_a_name(house: House) -> None:
    number = house.connect("tok-a", lasting(50, data_until=NOW + 14 * DAY), 1001)
    ((outcome, detail),) = house.look()
    assert outcome == "warning"
    assert detail.startswith("Access to the data ends on 05 Dec 2026. Dana (Meta user 9001)")
    assert house.row(number)["status"] == "ok"


def test_data_access_that_ended_stops_a_token_that_is_still_valid(house: House) -> None:
    number = house.connect("tok-a", lasting(50, data_until=NOW), 1001)
    assert [o for o, _ in house.look()] == ["reauth_required"]
    assert "Access to its user's data ended" in house.row(number)["status_reason"]


@pytest.mark.parametrize(
    ("dead", "told"),
    [((463, "Session has expired."), "Session has expired"),
     ((460, "The password was changed."), "password was changed")],
)  # fmt: skip
def test_a_dead_token_stops_its_connection_and_names_who_must_act(
    house: House, caplog: pytest.LogCaptureFixture, dead: tuple[int, str], told: str
) -> None:
    number = house.connect("tok-a", lasting(50, dead=dead), 1001)
    ((outcome, detail),) = house.look()
    assert outcome == "reauth_required"
    assert told in detail
    assert "Dana (Meta user 9001), connected by Ada, must log in" in detail
    row = house.row(number)
    assert (row["status"], row["status_reason"]) == ("reauth_required", detail)
    house.look(NOW + HOUR)
    assert house.audited("connection.reauth_required") == 1
    ended = [r for r in caplog.records if r.getMessage().startswith("connection_ended")]
    assert [r.levelno for r in ended] == [logging.ERROR]
    assert "tok-a" not in caplog.text


def test_a_token_without_a_scope_for_ads_stops(house: House) -> None:
    number = house.connect("tok-a", lasting(50, scopes=("public_profile",)), 1001)
    house.look()
    assert house.row(number)["status"] == "reauth_required"


def test_an_outage_says_nothing_about_a_token(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001)
    house.facebook.fails["debug_token"] = (4, None)
    ((outcome, _),) = house.look()
    assert outcome == "unknown"
    assert house.row(number)["status"] == "ok"


def test_a_connection_that_works_again_is_set_right(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001)
    with transaction(house.engine) as c:
        mark_connection(c, number, "reauth_required", "It was down.")
    assert house.look() == [("recovered", "")]
    row = house.row(number)
    assert (row["status"], row["status_reason"]) == ("ok", None)
    assert house.audited("connection.recovered") == 1


def test_a_valid_token_that_reads_no_account_is_not_called_recovered(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001, 1002)
    with transaction(house.engine) as c:
        mark_connection(c, number, "reauth_required", "No role on the account.")
    del house.facebook.accounts["1002"]
    ((outcome, detail),) = house.look()
    assert outcome == "reauth_required"
    assert detail.startswith("act_1002 cannot be read")
    assert house.audited("connection.recovered") == 0


def test_a_token_replaced_while_meta_was_asked_stays(house: House) -> None:
    number = house.connect("tok-a", lasting(50, dead=(463, "Session has expired.")), 1001)
    fresh = house.vault.seal("tok-b", house.clients["acme"])
    debug = house.facebook._debug

    def meanwhile(asker: str, token: str) -> Any:
        with transaction(house.engine) as c:
            c.execute(text("UPDATE sec.connection SET token_sealed = :t"), {"t": fresh})
        return debug(asker, token)

    house.facebook._debug = meanwhile  # type: ignore[method-assign]
    assert house.look() == [("ok", "It was connected again meanwhile.")]
    assert house.row(number)["status"] == "ok"
    assert house.token(number) == "tok-b"


def test_a_token_sealed_with_a_lost_key_is_reported_and_kept(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001)
    meta = house.parts.meta
    house.parts = ConnectionParts(house.engine, Vault(b"x" * 32), meta)
    ((outcome, detail),) = house.look()
    assert outcome == "unknown"
    assert "cannot be opened" in detail
    assert house.row(number)["token_sealed"] is not None


def test_two_processes_share_the_work(house: House) -> None:
    house.connect("tok-a", lasting(50), 1001)
    house.connect("tok-b", lasting(50), 2001, slug="beta")
    debug = house.facebook._debug
    inner: list[int] = []

    def meanwhile(asker: str, token: str) -> Any:
        if not inner:
            inner.append(0)
            inner.append(len(upkeep(house.parts, NOW)))
        return debug(asker, token)

    house.facebook._debug = meanwhile  # type: ignore[method-assign]
    assert len(house.look()) == 1
    assert inner[1] == 1
    assert house.asked("debug_token") == 2


# ---- the end ----------------------------------------------------------------------------------


def test_disconnecting_revokes_deletes_the_token_and_keeps_the_account(house: House) -> None:
    house.connect("tok-a", lasting(50), 1001, 1002)
    with transaction(house.engine) as c:
        (number,) = c.scalars(text("SELECT connection_id FROM sec.connection")).all()
    done = disconnect(house.parts, connection_id=number, actor="Ada")
    assert (done.client, done.accounts, done.token_deleted, done.revocation) == (
        "acme", (1001, 1002), True, "done",
    )  # fmt: skip
    assert house.facebook.revoked == ["9001"]
    with transaction(house.engine) as c:
        assert c.scalar(text("SELECT count(*) FROM sec.connection")) == 0
        assert c.scalars(text("SELECT connection_id FROM app.account")).all() == [None, None]
        details = c.scalar(text("SELECT details FROM sec.audit WHERE action"
                                " = 'account.disconnect'"))  # fmt: skip
    assert (details["revocation"], details["accounts"]) == ("done", [1001, 1002])


def test_one_of_two_accounts_leaves_the_token_to_the_other(house: House) -> None:
    number = house.connect("tok-a", lasting(50), 1001, 1002)
    done = disconnect(house.parts, account="act_1001")
    assert (done.accounts, done.token_deleted, done.revocation) == ((1001,), False, "not_needed")
    assert done.words == "The token stays, because another account uses it."
    assert house.facebook.revoked == []
    assert house.token(number) == "tok-a"
    assert disconnect(house.parts, account="1002").revocation == "done"


def test_when_meta_is_silent_the_token_goes_all_the_same_and_revocation_is_owed(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.connect("tok-a", lasting(50), 1001)
    house.facebook.fails["me/permissions"] = (200, None)
    done = disconnect(house.parts, account="act_1001")
    assert (done.token_deleted, done.revocation) == (True, "owed")
    assert "Business integrations" in done.words
    assert "revocation_owed" in caplog.text
    with transaction(house.engine) as c:
        assert c.scalar(text("SELECT count(*) FROM sec.connection")) == 0


def test_a_system_users_token_is_deleted_and_told_to_be_revoked_by_hand(house: House) -> None:
    house.connect("tok-s", Token(kind="SYSTEM_USER", expires_at=None), 1001)
    done = disconnect(house.parts, account="act_1001")
    assert (done.token_deleted, done.revocation) == (True, "not_possible")
    assert "cannot be revoked through the API" in done.words
    assert house.facebook.revoked == []


def test_a_person_who_serves_another_client_is_not_revoked_there(house: House) -> None:
    house.connect("tok-a", lasting(50), 1001)
    other = house.connect("tok-b", lasting(50), 2001, slug="beta")
    done = disconnect(house.parts, account="act_1001")
    assert (done.token_deleted, done.revocation) == (True, "kept")
    assert "beta" in done.words
    assert house.facebook.revoked == []
    assert house.token(other) == "tok-b"


def test_a_token_that_meta_has_ended_needs_no_revocation(house: House) -> None:
    house.connect("tok-a", lasting(50, dead=(458, "Not authorised.")), 1001)
    assert disconnect(house.parts, account="act_1001").revocation == "done"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"account": "act_999"}, UnknownObjectError), ({"connection_id": 999}, UnknownObjectError),
        ({"account": "act_1001", "client": "beta"}, UnknownObjectError),
        ({"connection_id": 1, "client": "beta"}, UnknownObjectError),
        ({"account": "nonsense"}, ValueError), ({}, ValueError),
        ({"account": "act_1001", "connection_id": 1}, ValueError),
    ],
)  # fmt: skip
def test_what_is_not_connected_or_not_yours_is_not_disconnected(
    house: House, given: dict[str, Any], error: type[Exception]
) -> None:
    number = house.connect("tok-a", lasting(50), 1001)
    if given.get("connection_id") == 1:
        given = {**given, "connection_id": number}
    with pytest.raises(error):
        disconnect(house.parts, **given)
    assert house.token(number) == "tok-a"
