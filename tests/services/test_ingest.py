"""Ingestion over HTTP from the simulator: exact, resumable, and honest about what failed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.conftest import NOW, TOKEN, Simulator

from adlab.core.entities import Level
from adlab.core.errors import (
    ConflictError,
    DatabaseUnavailableError,
    DiskFullError,
    MissingPermissionError,
    RejectedRequestError,
    TokenExpiredError,
    UnknownObjectError,
)
from adlab.meta.client import GraphClient, Retry
from adlab.services.access import MetaAccess, connect_account
from adlab.services.ingest import IngestParts, SliceDone, SyncReport, SyncRequest, refresh
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import Vault

VAULT = Vault(b"\x07" * 32)
SINCE, UNTIL = date(2026, 10, 15), date(2026, 11, 20)
REQUEST = SyncRequest(since=SINCE, until=UNTIL)
MOMENT = datetime.fromisoformat(NOW.replace("Z", "+00:00"))


class Agency:
    """A store with two connected accounts, and what was told to open pages."""

    def __init__(self, engine: Engine, simulator: Simulator, token: str = TOKEN) -> None:
        self.engine, self.simulator = engine, simulator
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.meta = MetaAccess(simulator.url, "v26.0", None, None, page_size=200)
        with transaction(engine) as c:
            store_client(c, "Berlin", "berlin", "EUR")
            store_client(c, "Tokyo", "tokyo", "JPY")
        connect_account(engine, VAULT, self.meta, "act_1001", "berlin", token, lambda: MOMENT)
        connect_account(engine, VAULT, self.meta, "act_1002", "tokyo", token, lambda: MOMENT)

    def parts(self, concurrency: int = 2) -> IngestParts:
        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return GraphClient(
                self.simulator.url, "v26.0", VAULT.open(sealed, client_id), page_size=200,
                retry=Retry(attempts=3, first_wait=0.01), sleep=lambda _: None,
            )  # fmt: skip

        return IngestParts(
            self.engine, open_client, lambda c, e: self.told.append((c, e)),
            now=lambda: MOMENT, concurrency=concurrency,
        )  # fmt: skip

    def sync(self, request: SyncRequest = REQUEST, **kwargs: Any) -> SyncReport:
        return refresh(self.parts(**kwargs), request)

    def rows(self, query: str, **binds: Any) -> list[tuple[Any, ...]]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(query), binds)]


@pytest.fixture
def agency(any_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(any_engine, simulator)


def _expected(simulator: Simulator) -> dict[tuple[int, int, int, str], tuple[Any, ...]]:
    """The simulator's truth as the store should hold it."""
    out = {}
    for account, unit in ((1001, 10_000), (1002, 1_000_000)):
        for number, level in ((1, "account"), (2, "campaign"), (3, "adset"), (4, "ad")):
            for r in simulator.truth(account=account, level=level, since=SINCE, until=UNTIL):
                money = r["revenue_minor"]
                out[(account, number, int(r["id"]), r["date"])] = (
                    r["spend_minor"] * unit, r["impressions"], r["clicks"], r["link_clicks"],
                    r["purchases"], None if money is None else money * unit,
                )  # fmt: skip
    return out


def _stored(agency: Agency) -> dict[tuple[int, int, int, str], tuple[Any, ...]]:
    rows = agency.rows(
        "SELECT account_id, level, object_id, date, spend_micro, impressions, clicks, link_clicks,"
        " purchases, revenue_micro FROM app.insights_daily"
    )
    return {(r[0], r[1], r[2], r[3].isoformat()): r[4:] for r in rows}


def test_the_store_equals_the_truth_at_every_level_and_day(agency: Agency) -> None:
    report = agency.sync()
    assert report.complete
    truth = _expected(agency.simulator)
    assert len(truth) > 500
    assert _stored(agency) == truth
    # Archived and deleted ads are in the truth, and so in the store.
    assert agency.rows("SELECT count(*) FROM app.object WHERE level = 4 AND status IS NULL") != [
        (0,)
    ]


def test_where_deleted_can_not_be_asked_for_it_is_read_by_its_id(agency: Agency) -> None:
    agency.sync(SyncRequest(since=SINCE, until=UNTIL, levels=("ad",)))
    ids = {r[0] for r in agency.rows("SELECT DISTINCT object_id FROM app.insights_daily")}
    deleted = agency.rows("SELECT object_id FROM app.object WHERE level = 4 AND status IS NULL")
    assert deleted
    assert {d[0] for d in deleted} <= ids


def test_the_summary_equals_the_sum_of_the_rows(agency: Agency) -> None:
    agency.sync()
    assert (
        agency.rows(
            "SELECT 1 FROM app.account_daily d FULL JOIN (SELECT account_id, level, date,"
            " sum(spend_micro) spend, sum(purchases) purchases, count(*) n FROM app.insights_daily"
            " GROUP BY 1, 2, 3) f USING (account_id, level, date)"
            " WHERE (d.spend_micro, d.purchases, d.objects) IS DISTINCT FROM"
            " (f.spend, f.purchases, f.n)"
        )
        == []
    )


def test_reading_again_changes_nothing_and_tells_nobody(agency: Agency) -> None:
    first = agency.sync()
    assert first.changed == first.rows > 0
    assert {c for c, _ in agency.told} == {1, 2}
    agency.told.clear()
    again = agency.sync()
    assert (again.rows, again.changed) == (first.rows, 0)
    assert agency.told == []


def test_later_purchases_restate_earlier_days(agency: Agency) -> None:
    agency.sync()
    before = _stored(agency)
    agency.simulator.control("POST", "/__clock", {"advance_seconds": 3 * 86_400})
    agency.sync(replace(REQUEST, levels=("ad",)))
    after = _stored(agency)
    moved = [k for k in after if k[1] == 4 and before.get(k) != after[k]]
    assert moved
    truth = _expected(agency.simulator)
    assert {k: v for k, v in after.items() if k[1] == 4} == {
        k: v for k, v in truth.items() if k[1] == 4
    }


def test_newest_days_come_first(agency: Agency) -> None:
    seen: list[SliceDone] = []
    refresh(agency.parts(concurrency=1), REQUEST, seen.append)
    ends = [s.period.until for s in seen]
    assert ends == sorted(ends, reverse=True)
    assert (seen[0].period.until, seen[0].period.days) == (UNTIL, 7)


def test_what_an_interrupted_run_committed_is_not_read_again(agency: Agency) -> None:
    done: list[SliceDone] = []

    def stop_after_three(piece: SliceDone) -> None:
        done.append(piece)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh(agency.parts(concurrency=1), REQUEST, stop_after_three)
    agency.simulator.control("DELETE", "/__calls")
    second = agency.sync(concurrency=1)
    assert second.complete
    assert second.skipped >= 3
    assert _stored(agency) == _expected(agency.simulator)
    third = agency.sync(concurrency=1)
    assert third.skipped == 0
    assert second.calls < third.calls


def test_a_slice_that_fails_half_way_keeps_nothing_and_the_rest_goes_on(agency: Agency) -> None:
    agency.simulator.control(
        "POST", "/__faults",
        {"kind": "truncated", "match": "act_1001/insights", "count": 1000, "skip": 1},
    )  # fmt: skip
    report = agency.sync(replace(REQUEST, levels=("ad",)))
    assert not report.complete
    assert {a for a, _ in report.failures} == {"act_1001"}
    assert all("what a Graph API says" in why for _, why in report.failures)
    truth = _expected(agency.simulator)
    stored = _stored(agency)
    assert {k: v for k, v in stored.items() if k[0] == 1002} == {
        k: v for k, v in truth.items() if k[0] == 1002 and k[1] == 4
    }
    # No slice of the failing account is there in part.
    slices = agency.rows("SELECT since, until, rows FROM app.sync_slice WHERE account_id = 1001")
    held = agency.rows("SELECT count(*) FROM app.insights_daily WHERE account_id = 1001")
    assert sum(s[2] for s in slices) == held[0][0]
    assert agency.rows("SELECT status FROM app.sync_state WHERE account_id = 1001 AND level = 4"
                       " AND kind = 'insights'") == [("failed",)]  # fmt: skip


def test_a_stale_cursor_starts_the_slice_over(agency: Agency) -> None:
    agency.simulator.control(
        "POST", "/__faults", {"kind": "bad_cursor", "match": "insights", "count": 1, "skip": 2}
    )
    assert agency.sync(replace(REQUEST, levels=("ad",)), concurrency=1).complete
    truth = _expected(agency.simulator)
    assert _stored(agency) == {k: v for k, v in truth.items() if k[1] == 4}


@pytest.mark.parametrize("kind", ["html", "empty", "null_items", "success_false", "reset"])
def test_an_answer_that_is_none_is_tried_again(agency: Agency, kind: str) -> None:
    agency.simulator.control(
        "POST", "/__faults", {"kind": kind, "match": "insights", "count": 2, "skip": 1}
    )
    assert agency.sync(replace(REQUEST, levels=("campaign",))).complete


def test_a_dead_token_marks_its_connection_and_the_other_account_goes_on(agency: Agency) -> None:
    agency.simulator.control(
        "POST", "/__faults", {"kind": "expired_token", "match": "act_1001", "count": None}
    )
    report = agency.sync()
    assert [a for a, _ in report.failures] == ["act_1001"]
    assert agency.rows(
        "SELECT n.status FROM sec.connection n JOIN app.account a USING (connection_id)"
        " ORDER BY a.account_id"
    ) == [("reauth_required",), ("ok",)]
    assert agency.rows("SELECT DISTINCT account_id FROM app.insights_daily") == [(1002,)]
    agency.simulator.control("DELETE", "/__calls")
    again = agency.sync()
    assert "Connect again" in again.failures[0][1]
    calls = agency.simulator.control("GET", "/__calls")
    assert "act_1001" not in json.dumps(calls)


def test_a_full_disk_is_named_and_committed_slices_stay(agency: Agency) -> None:
    agency.sync(replace(REQUEST, levels=("account",)))
    before = _stored(agency)
    with transaction(agency.engine) as c:
        c.execute(
            text(
                "CREATE FUNCTION app.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'could not extend file: No space left on device'"
                " USING ERRCODE = '53100'; END $$"
            )
        )
        c.execute(
            text(
                "CREATE TRIGGER full_disk BEFORE INSERT ON app.account_daily"
                " FOR EACH ROW EXECUTE FUNCTION app.full_disk()"
            )
        )
    with pytest.raises(DiskFullError, match="disk is full"):
        agency.sync(replace(REQUEST, levels=("campaign",)))
    with transaction(agency.engine) as c:
        c.execute(text("DROP TRIGGER full_disk ON app.account_daily"))
    assert _stored(agency) == before


def test_a_database_that_goes_away_is_named(agency: Agency) -> None:
    def cut(piece: SliceDone) -> None:
        with agency.engine.connect() as c:
            c.execute(text("RESET ROLE"))
            c.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    slow = {"kind": "slow", "match": "insights", "count": None, "params": {"seconds": 0.4}}
    agency.simulator.control("POST", "/__faults", slow)
    with pytest.raises(DatabaseUnavailableError):
        refresh(agency.parts(concurrency=3), REQUEST, cut)
    agency.simulator.control("DELETE", "/__faults")
    assert agency.sync().complete
    assert _stored(agency) == _expected(agency.simulator)


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("sim-expired-x", TokenExpiredError),
        ("sim-noscope-x", MissingPermissionError),
        ("nonsense", TokenExpiredError),
        ("sim-token-acct-1002", RejectedRequestError),
    ],
)
def test_a_token_that_can_not_read_the_account_is_refused(
    owner_engine: Engine, simulator: Simulator, token: str, error: type[Exception]
) -> None:
    meta = MetaAccess(simulator.url, "v26.0", None, None)
    with transaction(owner_engine) as c:
        store_client(c, "Berlin", "berlin")
    with pytest.raises(error) as caught:
        connect_account(owner_engine, VAULT, meta, "act_1001", "berlin", token, lambda: MOMENT)
    assert token not in str(caught.value)
    with transaction(owner_engine) as c:
        assert c.scalar(text("SELECT count(*) FROM sec.connection")) == 0


def test_an_account_has_one_client(agency: Agency) -> None:
    with pytest.raises(ConflictError, match="tokyo"):
        connect_account(
            agency.engine, VAULT, agency.meta, "act_1002", "berlin", TOKEN, lambda: MOMENT
        )


def test_the_store_alone_gives_nobody_a_token(agency: Agency) -> None:
    for (sealed,) in agency.rows("SELECT token_sealed FROM sec.connection"):
        assert TOKEN.encode() not in bytes(sealed)


def test_nothing_connected_says_what_to_do(owner_engine: Engine, simulator: Simulator) -> None:
    parts = IngestParts(owner_engine, lambda s, c: pytest.fail("no client"), lambda c, e: None)
    with pytest.raises(UnknownObjectError, match="adlab account connect"):
        refresh(parts, SyncRequest())
    with pytest.raises(UnknownObjectError, match="client 'nope'"):
        refresh(parts, SyncRequest(client="nope"))


def test_without_dates_covered_days_are_read_again_28_days_back(agency: Agency) -> None:
    agency.sync(SyncRequest(since=date(2026, 9, 1), until=date(2026, 11, 10), levels=("account",)))
    seen: list[SliceDone] = []
    refresh(agency.parts(), SyncRequest(levels=("account",)), seen.append)
    berlin = [s.period for s in seen if s.account_id == 1001]
    assert min(p.since for p in berlin) == date(2026, 10, 13)
    assert max(p.until for p in berlin) == date(2026, 11, 21)


def test_days_older_than_37_months_are_not_asked_for(agency: Agency) -> None:
    report = agency.sync(
        SyncRequest(since=date(2020, 1, 1), until=date(2023, 11, 30), levels=("account",))
    )
    assert report.complete
    first = agency.rows("SELECT min(date) FROM app.insights_daily")[0][0]
    assert first >= date(2023, 10, 22)


def test_renamed_campaigns_leave_a_history(agency: Agency) -> None:
    agency.sync(replace(REQUEST, levels=("campaign",)))
    with transaction(agency.engine) as c:
        c.execute(
            text("UPDATE app.object SET name = 'Old name' WHERE level = 2 AND account_id = 1002")
        )
    agency.sync(replace(REQUEST, levels=("campaign",)))
    history = agency.rows(
        "SELECT state ->> 'name', valid_to IS NULL FROM app.object_history"
        " WHERE level = 2 AND account_id = 1002 ORDER BY object_id, valid_from"
    )
    assert [h[1] for h in history].count(True) == 2
    assert [h[0] for h in history].count("Old name") == 2


def test_many_accounts_side_by_side_give_the_same_as_one_by_one(agency: Agency) -> None:
    assert agency.sync(concurrency=8).complete
    assert _stored(agency) == _expected(agency.simulator)


def test_actions_withheld_from_a_mixed_account_come_from_its_ad_sets(agency: Agency) -> None:
    from adlab.core.metrics import metrics
    from adlab.core.periods import DateRange
    from adlab.services.insights import InsightsQuery, load_rows, values
    from adlab.storage.tenancy import Reader

    agency.sync()
    wanted = metrics(("spend", "purchases", "revenue", "roas"))
    query = InsightsQuery((1,), Level.ACCOUNT, DateRange(SINCE, UNTIL), wanted, "all_days")
    found = values(load_rows(Reader(agency.engine), query), wanted).iloc[0]
    truth = agency.simulator.truth
    account = truth(account=1001, level="account", since=SINCE, until=UNTIL)
    ad_sets = truth(account=1001, level="adset", since=SINCE, until=UNTIL)
    assert all(r["purchases"] is None for r in account)
    assert found["purchases"] == sum(r["purchases"] for r in ad_sets)
    assert round(found["spend"] * 100) == sum(r["spend_minor"] for r in account)
    assert round(found["revenue"] * 100) == sum(r["revenue_minor"] for r in ad_sets)
    assert found["roas"] == pytest.approx(found["revenue"] / found["spend"])
