"""What Meta's users may ask for: the app removed, their data deleted; told twice, done once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.services.access import attach
from adlab.services.deletion import (
    deauthorize,
    deletion_status,
    perform_deletions,
    request_deletion,
)
from adlab.storage.clients import store_client
from adlab.storage.connections import Known
from adlab.storage.engine import transaction
from adlab.vault import Vault

from .login_at_meta import APP_ID, NOW

VAULT = Vault(b"v" * 32)


class House:
    """Two connections of user 9001 for two clients, one of user 9002."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as c:
            self.clients = [store_client(c, s, s).client_id for s in ("acme", "beta")]
        for slot, user, account in ((0, "9001", 1001), (1, "9001", 2001), (1, "9002", 2002)):
            self.connect(slot, user, account)

    def connect(self, slot: int, user: str, account: int) -> None:
        client = self.clients[slot]
        known = Known(APP_ID, user, f"Name of {user}", "USER", ("ads_read",), None, None)
        info = AccountInfo(AccountId(account), "A", "EUR", "Europe/Berlin", 1)
        with transaction(self.engine) as c:
            attach(c, client, VAULT.seal(f"tok-{user}", client), known, [info], actor="Ada",
                   now=NOW)  # fmt: skip

    def rows(self, sql: str) -> list[Any]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(sql)).all()]


@pytest.fixture
def house(owner_engine: Engine) -> Iterator[House]:
    yield House(owner_engine)


LOOK = (
    "SELECT meta_user_id, meta_user_name, status, token_sealed IS NULL FROM sec.connection"
    " ORDER BY connection_id"
)


def test_removing_the_app_ends_that_users_connections_and_no_others(house: House) -> None:
    assert deauthorize(house.engine, "9001") == 2
    assert house.rows(LOOK) == [
        ("9001", "Name of 9001", "revoked", True), ("9001", "Name of 9001", "revoked", True),
        ("9002", "Name of 9002", "ok", False),
    ]  # fmt: skip
    assert deauthorize(house.engine, "9001") == 0
    assert deauthorize(house.engine, "404") == 0
    audited = house.rows("SELECT actor, details::text FROM sec.audit WHERE action"
                         " = 'connection.deauthorized'")  # fmt: skip
    assert len(audited) == 2
    assert "9001" not in str(audited)
    assert house.rows("SELECT count(connection_id) FROM app.account") == [(3,)]


def test_a_deletion_takes_tokens_and_names_and_leaves_the_clients_data(house: House) -> None:
    code = request_deletion(house.engine, "9001", NOW)
    status = deletion_status(house.engine, code)
    assert status is not None
    assert (status.state, status.done_at) == ("pending", None)
    (done,) = perform_deletions(house.engine, NOW)
    assert (done.code, done.tokens, done.connections) == (code, 2, 2)
    assert house.rows(LOOK) == [
        (None, None, "revoked", True), (None, None, "revoked", True),
        ("9002", "Name of 9002", "ok", False),
    ]  # fmt: skip
    assert house.rows("SELECT count(*) FROM app.account") == [(3,)]
    status = deletion_status(house.engine, code)
    assert status is not None
    assert (status.state, status.done_at) == ("done", NOW)
    everything = house.rows("SELECT row_to_json(d)::text FROM sec.deletion_request d")
    everything += house.rows("SELECT row_to_json(a)::text FROM sec.audit a")
    everything += house.rows("SELECT row_to_json(n)::text FROM sec.connection n"
                             " WHERE status = 'revoked'")  # fmt: skip
    assert "9001" not in str(everything)


def test_the_same_request_gives_the_same_code_before_and_after(house: House) -> None:
    first = request_deletion(house.engine, "9001", NOW)
    assert request_deletion(house.engine, "9001", NOW) == first
    perform_deletions(house.engine, NOW)
    assert request_deletion(house.engine, "9001", NOW) == first
    assert perform_deletions(house.engine, NOW) == []
    assert request_deletion(house.engine, "9002", NOW) != first


def test_somebody_who_came_back_can_ask_again(house: House) -> None:
    first = request_deletion(house.engine, "9001", NOW)
    perform_deletions(house.engine, NOW)
    house.connect(0, "9001", 1001)
    second = request_deletion(house.engine, "9001", NOW)
    assert second != first
    assert perform_deletions(house.engine, NOW)[0].tokens == 1


def test_a_user_we_never_knew_gets_a_code_and_an_honest_end(house: House) -> None:
    code = request_deletion(house.engine, "123456", NOW)
    (done,) = perform_deletions(house.engine, NOW)
    assert (done.code, done.tokens, done.connections, done.logins) == (code, 0, 0, 0)


def test_the_author_of_recorded_changes_is_forgotten(house: House) -> None:
    with transaction(house.engine) as c:
        c.execute(
            text(
                "INSERT INTO app.activity (client_id, account_id, digest, happened_at, event_type,"
                " actor_id, actor_name, seen_at) VALUES"
                " (:c, 1001, 'a', now(), 'x', '9001', 'Name of 9001', now()),"
                " (:c, 1001, 'b', now(), 'x', '9002', 'Name of 9002', now())"
            ),
            {"c": house.clients[0]},
        )
    request_deletion(house.engine, "9001", NOW)
    (done,) = perform_deletions(house.engine, NOW)
    assert done.activities == 1
    assert house.rows("SELECT actor_id, actor_name FROM app.activity ORDER BY digest") == [
        (None, None), ("9002", "Name of 9002"),
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["", "x", "x" * 24, "x" * 500, "' OR 1=1 --"])
def test_an_unknown_code_has_no_status(house: House, code: str) -> None:
    assert deletion_status(house.engine, code) is None
