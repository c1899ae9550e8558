"""Storing slices: exact, repeatable, never losing what vanished, summary always right."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, Engine, text

from adlab.core.entities import Level
from adlab.core.errors import StorageError
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.storage.engine import transaction
from adlab.storage.insights import StoreResult, store_insights

DAY = date(2026, 11, 3)


def row(
    day: date, object_id: int, actions: bytes | None = None, **hot: object
) -> tuple[object, ...]:
    cells = [hot.get(name, 0) for name in STORED_NAMES]
    return (day.isoformat(), object_id, *cells, "7d_click", None, None, None, actions)


def store(
    connection: Connection, *rows: tuple[object, ...], level: Level = Level.CAMPAIGN
) -> StoreResult:
    return store_insights(
        connection, client_id=1, account_id=1001, level=level,
        period=DateRange(DAY, DAY + timedelta(days=6)), rows=rows,
    )  # fmt: skip


@pytest.fixture
def engine(any_engine: Engine) -> Engine:
    with transaction(any_engine) as c:
        c.execute(text("INSERT INTO app.client (slug, name) VALUES ('acme', 'Acme')"))
    return any_engine


def summary(connection: Connection) -> list[tuple[object, ...]]:
    return [
        tuple(r)
        for r in connection.execute(
            text("SELECT date, objects, spend_micro, impressions, purchases, unknown FROM app.account_daily ORDER BY date")
        )
    ]  # fmt: skip


def test_a_first_slice_is_stored_exactly_and_summed(engine: Engine) -> None:
    with transaction(engine) as c:
        first = row(DAY, 1, spend_micro=57_310_000, impressions=100, purchases="2")
        second = row(DAY, 2, spend_micro=1, impressions=50, purchases="1.5")
        assert store(c, first, second) == StoreResult(2, 2)
        assert summary(c) == [(DAY, 2, Decimal(57_310_001), 150, 3.5, [])]


def test_storing_the_same_again_changes_nothing(engine: Engine) -> None:
    with transaction(engine) as c:
        store(c, row(DAY, 1, spend_micro=5))
        stamp = c.scalar(text("SELECT fetched_at FROM app.insights_daily"))
    with transaction(engine) as c:
        assert store(c, row(DAY, 1, spend_micro=5)) == StoreResult(1, 0)
        assert c.scalar(text("SELECT fetched_at FROM app.insights_daily")) == stamp


def test_a_restated_day_replaces_the_old_value_everywhere(engine: Engine) -> None:
    with transaction(engine) as c:
        store(c, row(DAY, 1, purchases="1"), row(DAY, 2, purchases="1"))
        assert store(c, row(DAY, 1, purchases="4"), row(DAY, 2, purchases="1")) == StoreResult(2, 1)
        assert [r[4] for r in summary(c)] == [5.0]


def test_an_object_that_is_no_longer_listed_keeps_its_delivery(engine: Engine) -> None:
    with transaction(engine) as c:
        store(c, row(DAY, 1, spend_micro=5), row(DAY, 2, spend_micro=7))
        store(c, row(DAY, 1, spend_micro=6))
        assert [r[2] for r in summary(c)] == [13]


def test_an_unknown_cell_is_null_and_named_in_the_summary(engine: Engine) -> None:
    with transaction(engine) as c:
        store(c, row(DAY, 1, impressions=None, spend_micro=5), row(DAY, 2, impressions=9))
        assert summary(c) == [(DAY, 2, 5, 9, 0.0, ["impressions"])]


def test_text_inside_actions_survives_copy(engine: Engine) -> None:
    document = (
        rb'{"actions":[{"action_type":"a\\b\t\"\u00e4\n","value":"1","7d_click":"1"}]}'.replace(
            b"\t", b"\\t"
        ).replace(b"\n", b"\\n")
    )
    with transaction(engine) as c:
        store(c, row(DAY, 1, actions=document))
        found = c.execute(
            text("SELECT action_type, attribution_window, value FROM api.actions ORDER BY 2")
        ).all()
    name = 'a\\b\t"ä\n'
    assert [tuple(r) for r in found] == [(name, "7d_click", 1), (name, "default", 1)]


def test_a_row_that_breaks_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(StorageError), transaction(engine) as c:
        store(c, row(DAY, 1, spend_micro=5), row(DAY, 2, spend_micro="not a number"))
    with transaction(engine) as c:
        assert c.scalar(text("SELECT count(*) FROM app.insights_daily")) == 0
        assert summary(c) == []
