"""Meters and learned sizes: the newest stands, the old is forgotten, nothing unknown is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.quota import FULL, Standing
from adlab.storage import objects, quota
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture
def client_id(owner_engine: Engine) -> int:
    with transaction(owner_engine) as c:
        number = store_client(c, "Acme", "acme", "EUR").client_id
        objects.store_account(c, AccountInfo(AccountId(1001), "A", "EUR", "UTC", 1), number)
    return int(number)


def store(engine: Engine, client_id: int, *standings: Standing, at: datetime = NOW) -> int:
    with transaction(engine) as c:
        return quota.store_standings(
            c, client_id=client_id, account_id=1001, standings=standings, as_of=at
        )


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with transaction(engine) as c:
        return [tuple(r) for r in c.execute(text(query))]


def test_a_later_standing_replaces_and_a_tier_once_told_stays(
    owner_engine: Engine, client_id: int
) -> None:
    store(owner_engine, client_id, Standing("act:1001", 10.0, 0.0, 0.0, FULL, 3))
    store(owner_engine, client_id, Standing("act:1001", None, None, 90.0, None, 4),
          at=NOW + timedelta(hours=1))  # fmt: skip
    assert rows(
        owner_engine, "SELECT meter, percent, tier, calls_last_hour, regain_at FROM app.quota_meter"
    ) == [("score", None, FULL, 4, NOW + timedelta(hours=1, seconds=90))]


def test_what_is_not_known_is_not_stored(owner_engine: Engine, client_id: int) -> None:
    nothing = [Standing("app", calls_last_hour=9), Standing("act:1001"), Standing("act:1001:x")]
    assert store(owner_engine, client_id, *nothing) == 0
    assert rows(owner_engine, "SELECT count(*) FROM app.quota_meter") == [(0,)]


def test_learned_sizes_are_forgotten_after_a_month(owner_engine: Engine, client_id: int) -> None:
    size = {"days": 7, "ids": None, "fields": None, "report_from_days": 30}
    with transaction(owner_engine) as c:
        quota.store_sizes(c, client_id=client_id, account_id=1001, sizes={"ad": size}, now=NOW)
        quota.store_sizes(
            c, client_id=client_id, account_id=1001, sizes={"ad": {**size, "days": 3}}, now=NOW
        )
        assert quota.load_sizes(c, 1001, NOW + timedelta(days=30)) == [
            {"kind": "ad", **size, "days": 3}
        ]
        assert quota.load_sizes(c, 1001, NOW + timedelta(days=31)) == []
        assert quota.load_sizes(c, 1002, NOW) == []
