"""What was known when: a re-read keeps what it changes, and thinning forgets nothing it should keep."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from adlab.core.entities import Level
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.storage.engine import transaction
from adlab.storage.insights import store_insights
from adlab.storage.metrics_sql import INSIGHT_COLUMNS
from adlab.storage.versions import thin_versions
from adlab.storage.versions_sql import VERSIONED, bit, known_rows

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def row(object_id: int, actions: dict[str, Any] | None = None, **hot: object) -> tuple[object, ...]:
    cells = [hot.get(name, 0) for name in STORED_NAMES]
    document = None if actions is None else orjson.dumps(actions)
    return (DAY.isoformat(), object_id, *cells, "7d_click", None, None, None, document)


def store(connection: Connection, at: datetime, *rows: tuple[object, ...]) -> int:
    return store_insights(
        connection, client_id=1, account_id=1001, level=Level.CAMPAIGN,
        period=DateRange(DAY, DAY), rows=rows, fetched_at=at, today=at.date(),
    ).changed  # fmt: skip


@pytest.fixture
def engine(any_engine: Engine) -> Engine:
    with transaction(any_engine) as c:
        c.execute(text("INSERT INTO app.client (slug, name) VALUES ('acme', 'Acme')"))
        c.execute(
            text(
                "INSERT INTO app.account (account_id, client_id, name, currency, timezone, source) "
                "VALUES (1001, 1, 'Acme', 'EUR', 'UTC', 'meta')"
            )
        )
    return any_engine


def versions(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(text("SELECT * FROM app.insights_version ORDER BY seen_at"))
    return [dict(r) for r in rows.mappings()]


def known(connection: Connection, as_of: datetime) -> dict[int, tuple[Any, ...]]:
    """Spend, impressions and purchases per object as of a moment."""
    found = connection.execute(
        text(
            f"WITH known AS ({known_rows(['spend_micro', 'impressions', 'purchases'])}) SELECT * FROM known"
        ),
        {"client_ids": [1], "since": DAY, "until": DAY, "as_of": as_of},
    )
    return {r.object_id: (r.spend_micro, r.impressions, r.purchases) for r in found}


def hours(*steps: float) -> list[datetime]:
    return [NOON + timedelta(hours=s) for s in steps]


def test_every_stored_column_has_a_bit_and_no_two_share_one() -> None:
    assert list(VERSIONED) == [
        c for c in INSIGHT_COLUMNS[5:] if c not in ("import_id", "fetched_at")
    ]
    assert len({bit(c) for c in VERSIONED}) == len(VERSIONED)
    # Reason: the bits of stored rows outlive this code; a reordered list would misread them.
    assert (bit("spend_micro"), bit("thruplays"), bit("actions")) == (1, 1 << 16, 1 << 21)


def test_a_changed_value_is_kept_with_the_time_it_was_seen_and_nothing_else(engine: Engine) -> None:
    first, second = hours(0, 26)
    with transaction(engine) as c:
        store(c, first, row(1, spend_micro=5, impressions=9), row(2, spend_micro=3))
        assert store(c, second, row(1, spend_micro=6, impressions=9), row(2, spend_micro=3)) == 1
        (kept,) = versions(c)
    assert (kept["object_id"], kept["seen_at"], kept["replaced_at"]) == (1, first, second)
    assert (kept["spend_micro"], kept["impressions"], kept["changed"]) == (
        5,
        None,
        bit("spend_micro"),
    )


def test_what_was_known_then_is_exact_at_every_moment(engine: Engine) -> None:
    a, b, d = hours(0, 1, 30)
    with transaction(engine) as c:
        store(c, a, row(1, spend_micro=1, impressions=10, purchases=None))
        store(c, b, row(1, spend_micro=2, impressions=10, purchases="1"), row(2, spend_micro=8))
        store(c, d, row(1, spend_micro=2, impressions=11, purchases="4"), row(2, spend_micro=8))
        assert known(c, a - timedelta(seconds=1)) == {}
        assert known(c, a) == {1: (1, 10, None)}
        assert known(c, b) == {1: (2, 10, 1.0), 2: (8, 0, 0.0)}
        assert known(c, d - timedelta(seconds=1)) == {1: (2, 10, 1.0), 2: (8, 0, 0.0)}
        assert known(c, d) == {1: (2, 11, 4.0), 2: (8, 0, 0.0)}


def test_three_values_in_one_instant_lose_none_before_it(engine: Engine) -> None:
    a, b = hours(0, 1)
    with transaction(engine) as c:
        store(c, a, row(1, spend_micro=1, impressions=1))
        store(c, b, row(1, spend_micro=2, impressions=1))
        store(c, b, row(1, spend_micro=2, impressions=2))
        assert known(c, a) == {1: (1, 1, 0.0)}
        assert known(c, b) == {1: (2, 2, 0.0)}


def test_action_lists_are_kept_by_entry_once_the_day_is_over(engine: Engine) -> None:
    def lists(purchases: str, *more: str) -> dict[str, Any]:
        entries = [{"action_type": "purchase", "value": purchases, "7d_click": "1"}]
        entries += [{"action_type": kind, "value": "1"} for kind in more]
        return {
            "actions": entries,
            "outbound_clicks": [{"action_type": "outbound_click", "value": "7"}],
        }

    a, b, d = hours(0, 1, 24)
    with transaction(engine) as c:
        store(c, a, row(1, lists("1")))
        store(c, b, row(1, lists("2")))
        store(c, d, row(1, lists("3", "lead")))
        during, after = versions(c)
    assert (during["actions"], during["changed"]) == (None, 0)
    assert after["actions"] == {"actions": {"purchase": {"value": "2"}, "lead": None}}
    assert after["changed"] == bit("actions")


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        (None, {"actions": []}, None),
        ({"actions": [{"action_type": "a", "value": "1"}]}, None, {"actions": {"a": {"value": "1"}}}),
        ({}, {"actions": [{"action_type": "a", "value": "1"}]}, {"actions": None}),
        (
            {"x": [{"action_type": "a", "value": "1"}], "y": [{"action_type": "b", "value": "2"}]},
            {"x": [{"action_type": "a", "value": "1"}], "y": []},
            {"y": {"b": {"value": "2"}}},
        ),
    ],
)  # fmt: skip
def test_the_difference_of_two_action_documents_names_what_was_there(
    owner_engine: Engine, old: Any, new: Any, delta: Any
) -> None:
    with transaction(owner_engine) as c:
        found = c.execute(
            text("SELECT app.actions_delta(CAST(:old AS jsonb), CAST(:new AS jsonb)) AS d"),
            {
                k: None if v is None else orjson.dumps(v).decode()
                for k, v in (("old", old), ("new", new))
            },
        ).one()
    assert found.d == delta


def before(newer: Any, delta: Any) -> Any:
    """The older document again, as anybody who reads the history would make it."""
    if delta is None or delta == {}:
        return newer if delta == {} else None
    found = {
        name: {e["action_type"]: e for e in entries} for name, entries in (newer or {}).items()
    }
    for name, kinds in delta.items():
        if kinds is None:
            del found[name]
            continue
        entries = found.setdefault(name, {})
        for joined, cells in kinds.items():
            for kind in joined.split(" "):
                if cells is None:
                    del entries[kind]
                    continue
                entry = dict(entries.get(kind, {"action_type": kind}))
                if "value" in cells and "default" not in cells and "default" in entry:
                    entry["default"] = cells["value"]
                entry |= {k: v for k, v in cells.items() if v is not None}
                gone = {k for k, v in cells.items() if v is None}
                entries[kind] = {k: v for k, v in entry.items() if k not in gone and v is not None}
    return {name: list(entries.values()) for name, entries in found.items()}


CELL = st.sampled_from(["1", "2", "3"])
ENTRY = st.dictionaries(st.sampled_from(["value", "7d_click", "1d_view"]), CELL, min_size=1)
LIST = st.dictionaries(st.sampled_from(["purchase", "omni_purchase", "lead"]), ENTRY)
DOCUMENT = st.dictionaries(st.sampled_from(["actions", "action_values"]), LIST)


def document(drawn: dict[str, dict[str, dict[str, str]]], with_default: bool) -> dict[str, Any]:
    def entry(kind: str, cells: dict[str, str]) -> dict[str, str]:
        default = {"default": cells["value"]} if with_default and "value" in cells else {}
        return {"action_type": kind, **cells, **default}

    return {n: [entry(k, c) for k, c in kinds.items()] for n, kinds in drawn.items()}


@given(old=DOCUMENT, new=DOCUMENT, with_default=st.booleans())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_of_an_action_document_is_lost(
    owner_engine: Engine, old: Any, new: Any, with_default: bool
) -> None:
    older, newer = document(old, with_default), document(new, with_default)
    with transaction(owner_engine) as c:
        delta = c.execute(
            text("SELECT app.actions_delta(CAST(:old AS jsonb), CAST(:new AS jsonb)) AS d"),
            {"old": orjson.dumps(older).decode(), "new": orjson.dumps(newer).decode()},
        ).scalar()

    def plain(d: Any) -> Any:
        return {n: sorted(sorted(e.items()) for e in entries) for n, entries in d.items()}

    assert plain(before(newer, delta or {})) == plain(older)


def test_aliases_of_one_action_share_their_difference(owner_engine: Engine) -> None:
    def lists(n: str) -> str:
        kinds = ("omni_purchase", "purchase", "onsite_web_purchase")
        return orjson.dumps({"actions": [
            {"action_type": k, "value": n, "default": n, "1d_click": "1"} for k in kinds
        ]}).decode()  # fmt: skip

    with transaction(owner_engine) as c:
        delta = c.execute(
            text("SELECT app.actions_delta(CAST(:old AS jsonb), CAST(:new AS jsonb)) AS d"),
            {"old": lists("4"), "new": lists("5")},
        ).scalar()
    ((kinds, cells),) = delta["actions"].items()
    assert sorted(kinds.split()) == ["omni_purchase", "onsite_web_purchase", "purchase"]
    assert cells == {"value": "4"}


def poll(connection: Connection, moments: list[datetime]) -> None:
    for n, at in enumerate(moments, start=1):
        store(connection, at, row(1, spend_micro=n, impressions=n * 10))


def quarter_hours(first: datetime, last: datetime) -> list[datetime]:
    return [
        first + timedelta(minutes=15 * n)
        for n in range(int((last - first) / timedelta(minutes=15)) + 1)
    ]


def test_versions_of_a_day_are_exact_then_hourly_then_one_and_later_changes_stay(
    engine: Engine,
) -> None:
    start = datetime(2026, 11, 3, 0, 5, tzinfo=UTC)
    within = quarter_hours(start, start + timedelta(hours=23, minutes=45))
    later = [start + timedelta(days=1, hours=h) for h in (6, 8)] + [start + timedelta(days=9)]
    moments = within + later
    with transaction(engine) as c:
        poll(c, moments)
        assert len(versions(c)) == len(moments) - 1
        last = within[-1]

        def thin(now: datetime) -> int:
            return thin_versions(c, 1001, "UTC", now, force=True)

        assert thin(last + timedelta(hours=1)) == 0
        assert known(c, within[5]) == {1: (6, 60, 0.0)}

        assert thin(last + timedelta(hours=48)) == 72
        assert [v["seen_at"] for v in versions(c)] == [
            *(m for m in within if m.minute == 50), *later[:2]
        ]  # fmt: skip
        assert known(c, within[3]) == {1: (4, 40, 0.0)}
        assert known(c, within[5]) == {1: (4, 40, 0.0)}
        assert known(c, within[-2]) == {1: (92, 920, 0.0)}

        thin(last + timedelta(days=10))
        assert [v["seen_at"] for v in versions(c)] == [within[-1], *later[:2]]
        assert known(c, within[5]) == {}
        assert known(c, within[-1]) == {1: (96, 960, 0.0)}
        assert known(c, later[0]) == {1: (97, 970, 0.0)}
        assert known(c, later[1]) == {1: (98, 980, 0.0)}
        assert known(c, later[2]) == {1: (99, 990, 0.0)}


def test_thinning_twice_or_too_soon_changes_nothing(engine: Engine) -> None:
    start = datetime(2026, 11, 3, 0, 5, tzinfo=UTC)
    with transaction(engine) as c:
        poll(c, quarter_hours(start, start + timedelta(hours=3)))
        now = start + timedelta(days=4)
        assert thin_versions(c, 1001, "UTC", now) > 0
        left = versions(c)
        assert thin_versions(c, 1001, "UTC", now + timedelta(hours=1)) == 0
        assert thin_versions(c, 1001, "UTC", now, force=True) == 0
        assert versions(c) == left


def test_the_end_of_a_day_is_that_of_the_account(engine: Engine) -> None:
    # 3 November ends in Los Angeles at 08:00 UTC of the 4th.
    moments = [datetime(2026, 11, 4, 7, 30, tzinfo=UTC), datetime(2026, 11, 4, 7, 59, tzinfo=UTC),
               datetime(2026, 11, 4, 8, 1, tzinfo=UTC)]  # fmt: skip
    with transaction(engine) as c:
        poll(c, moments)
        assert thin_versions(c, 1001, "America/Los_Angeles", moments[-1] + timedelta(days=20)) == 1
        assert [v["seen_at"] for v in versions(c)] == [moments[1]]
        assert known(c, moments[1]) == {1: (2, 20, 0.0)}
