"""Forecasts by hand-made sums, and what ingestion remembers and shares of the quota."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import MOMENT, REQUEST, Agency, _expected, _stored

from adlab.core.entities import AccountId, Level
from adlab.core.periods import DateRange
from adlab.core.quota import LIMITED, Caller, Meter
from adlab.meta.quota import LocalBudget
from adlab.services.ingest import IngestParts, SyncRequest, refresh
from adlab.services.quota import COLD, HOT, WARM, Wanted, forecast
from adlab.services.quota_memory import open_reader, recall

SMALL = Wanted(campaigns=5, ad_sets=20, ads=80, active_ads=40)


def test_a_small_account_by_hand() -> None:
    # Hot: 4 levels, one page each, and the account: 5 calls, 4 times an hour.
    # Warm: 4 levels, the account and 3 lists of objects: 8 calls an hour. Cold: the same, but 28
    # days of 40 ads are two pages: 9 calls a day.
    plan = forecast(SMALL)
    assert plan.calls_per_hour == round(5 * 4 + 8 + 9 / 24, 1)
    assert plan.points_per_5_minutes == round((5 * 4 + 8 + 9 / 24) / 12, 1)
    assert plan.busiest_points == 5 + 8 + 9
    assert (plan.fits_limited, plan.fits_full, plan.dropped) == (True, True, ())
    assert (plan.backfill_calls, plan.eta) == (0, timedelta())


def test_pages_and_reports_are_calls() -> None:
    # 400 ads for 28 days are 11,200 rows: twelve pages, and ten calls around the report.
    only = replace(SMALL, ads=400, active_ads=400, levels=("ad",), cadences=(COLD,))
    assert forecast(only).busiest_points == 12 + 10 + 4


def test_a_backfill_of_a_year_by_hand() -> None:
    # 365 days: 12 slices of 30 days and one of 5. Ads: 40 x 30 = 1,200 rows, two pages; the other
    # levels and the last slice one page each.
    plan = forecast(replace(SMALL, backfill_months=12))
    assert plan.backfill_calls == 12 * (1 + 1 + 1 + 2) + 4
    room = 60 * 12 * 0.8 - (5 * 4 + 8 + 9 / 24)
    assert plan.eta is not None
    assert plan.eta.total_seconds() == pytest.approx(plan.backfill_calls / room * 3600, rel=0.01)


def test_what_is_too_much_for_the_limited_tier_says_what_to_drop() -> None:
    eager = replace(
        SMALL, ads=3000, active_ads=3000, ad_sets=600, campaigns=150,
        breakdowns=("age_gender", "region", "hourly"), cadences=(replace(HOT, minutes=1), WARM, COLD),
    )  # fmt: skip
    plan = forecast(eager)
    assert not plan.fits_limited
    assert plan.fits_full
    assert not plan.fits
    assert plan.dropped[0].startswith("breakdown ")
    assert plan.fits_after_dropping
    assert forecast(eager, "full").dropped == ()
    slower = replace(
        eager, breakdowns=(), cadences=(replace(HOT, minutes=30), replace(WARM, minutes=180), COLD)
    )
    assert forecast(slower).fits_limited


def test_nothing_may_be_left_to_drop_and_then_no_backfill_ends() -> None:
    wall = replace(SMALL, cadences=(replace(WARM, minutes=0.1), replace(COLD, minutes=0.1)),
                   backfill_months=1)  # fmt: skip
    plan = forecast(wall)
    assert (plan.fits, plan.eta) == (False, None)
    mad = replace(SMALL, cadences=(replace(COLD, minutes=0.01),))
    assert not forecast(mad).fits_after_dropping


def test_the_three_quarters_are_the_edge() -> None:
    # The account level alone: 2 calls a reading; 45 points in five minutes are 540 calls an hour.
    one = Wanted(1, 1, 1, levels=("account",))
    at = replace(one, cadences=(replace(HOT, minutes=120 / 540),))
    over = replace(one, cadences=(replace(HOT, minutes=120 / 541),))
    assert forecast(at).points_per_5_minutes == 45.0
    # One active ad gives 340 calls an hour for reading the account itself.
    assert forecast(replace(at, active_ads=20)).fits_limited
    assert not forecast(replace(over, active_ads=20)).fits_limited
    assert not forecast(at).fits_limited


@pytest.mark.parametrize(
    ("bad", "tier"),
    [({"ads": -1}, "full"), ({"levels": ("adgroup",)}, "full"), ({"levels": ()}, "full"),
     ({"backfill_months": -1}, "full"), ({"page_size": 0}, "full"), ({}, "gold"),
     ({"cadences": (replace(HOT, minutes=-1),)}, "full")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(bad: dict[str, Any], tier: Any) -> None:
    with pytest.raises(ValueError, match=r"there is no|levels|level|negative"):
        forecast(replace(SMALL, **bad), tier)


@pytest.fixture
def agency(owner_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(owner_engine, simulator)


def shared(agency: Agency, budget: LocalBudget, **more: Any) -> IngestParts:
    """Parts whose clients share one budget, on real time."""
    plain = agency.parts(more.pop("concurrency", 4))
    meta = replace(agency.meta, budget=budget)

    def open_client(sealed: bytes, client_id: int) -> Any:
        from tests.services.test_ingest import VAULT

        return meta.client(VAULT.open(sealed, client_id))

    return replace(plain, open_client=open_client, **more)


def test_a_run_leaves_the_meters_for_people_without_redis(agency: Agency) -> None:
    assert refresh(shared(agency, LocalBudget()), replace(REQUEST, levels=("ad",))).complete
    rows = agency.rows(
        "SELECT account_id, meter, percent IS NOT NULL, tier, calls_last_hour, client_id"
        " FROM app.quota_meter ORDER BY 1, 2"
    )
    meters = {(r[0], r[1]): r for r in rows}
    assert {m for a, m in meters if a == 1001} == {
        "app", "app:ads_insights", "score", "ads_insights", "ads_management"
    }  # fmt: skip
    assert all(r[2] for r in rows)
    assert {r[3] for r in rows if r[1] == "score"} == {"standard_access"}
    assert meters[(1001, "app")][4] is None
    assert meters[(1001, "score")][4] > 5
    assert {r[5] for r in rows if r[0] == 1002} != {r[5] for r in rows if r[0] == 1001}


def test_a_backfill_stops_where_live_numbers_still_come(agency: Agency) -> None:
    budget = LocalBudget()
    request = replace(REQUEST, levels=("account",), since=date(2026, 11, 20))
    assert refresh(shared(agency, budget), request).complete
    budget.hold("act:1001", 4000)
    report = refresh(shared(agency, budget, priority="backfill"), request)
    assert [a for a, _ in report.failures] == ["act_1001"]
    assert "quota is used up" in report.failures[0][1]
    assert agency.rows(
        "SELECT regain_at > :now FROM app.quota_meter WHERE account_id = 1001 AND meter = 'score'",
        now=MOMENT,
    ) == [(True,)]


def test_each_account_calls_in_its_own_name(agency: Agency) -> None:
    client = shared(agency, LocalBudget()).open_client
    with_token = agency.rows("SELECT token_sealed, client_id FROM sec.connection LIMIT 1")[0]
    graph = client(*with_token)
    reader = open_reader(agency.engine, graph, AccountId(1001), 1, "report", MOMENT)
    assert graph.pace.caller == Caller(1001, 1, "report")
    assert reader.learned.sizes == {}
    graph.close()


def test_the_limited_tiers_sixty_points_are_never_overrun(
    simulator: Simulator, owner_engine: Engine
) -> None:
    agency = Agency(owner_engine, simulator)
    simulator.control("POST", "/__config", {"quota": "limited"})
    try:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            simulator.control("POST", "/__clock", {"advance_seconds": seconds})
            now[0] += seconds

        now = [1000.0]
        budget = LocalBudget(lambda: now[0])
        budget.note([Meter("act:1001", 0, tier=LIMITED, is_score=True)])
        from tests.conftest import TOKEN

        from adlab.meta.client import GraphClient

        graph = GraphClient(simulator.url, "v26.0", TOKEN, budget=budget, sleep=sleep,
                            clock=lambda: now[0])  # fmt: skip
        graph.serve(Caller(1001, 1))
        for _ in range(90):
            graph.get("act_1001", {"fields": "id"})
        graph.close()
        calls = simulator.control("GET", "/__calls")
        assert {int(s) for s in calls["by_status"]} == {200}
        assert sum(slept) > 30
        assert agency.told == []
    finally:
        simulator.control("POST", "/__config", {"quota": "off"})


def test_what_was_too_large_is_remembered_and_the_next_run_splits_at_once(
    agency: Agency, simulator: Simulator
) -> None:
    request = replace(REQUEST, levels=("ad",), account="1001")
    instant = {"async_start_seconds": 0.0, "async_run_seconds": 0.0, "async_full_seconds": 0.0}
    before = simulator.control("GET", "/__config")
    simulator.control("POST", "/__config", {**instant, "sync_row_limit": 60, "async_row_limit": 60})
    try:
        assert agency.sync(request).complete
        learned = recall(agency.engine, 1001, MOMENT).of("ad")
        assert learned.report_from_days is not None
        assert learned.days is not None
        simulator.control("DELETE", "/__calls")
        assert agency.sync(request).complete
        calls = simulator.control("GET", "/__calls")["calls"]
        spans = [
            c for c in calls if c["method"] == "POST" and c["path"].endswith("act_1001/insights")
        ]
        assert spans
        failed = [c for c in calls if c["status"] >= 400 and "insights" in c["path"]]
        assert failed == []
    finally:
        simulator.control("POST", "/__config", before)
    truth = {k: v for k, v in _expected(simulator).items() if k[0] == 1001 and k[1] == 4}
    assert {k: v for k, v in _stored(agency).items() if k[1] == 4} == truth
    assert recall(agency.engine, 1001, datetime(2027, 1, 1, tzinfo=UTC)).sizes == {}


def test_twelve_reports_take_no_longer_than_three(simulator: Simulator) -> None:
    from tests.conftest import TOKEN

    from adlab.meta.client import GraphClient
    from adlab.meta.insights import ASYNC_FROM_ROWS, InsightsReader
    from adlab.meta.splits import Learned, SafeSize

    before = simulator.control("GET", "/__config")
    simulator.control("POST", "/__config", {"async_run_seconds": 1.5, "async_start_seconds": 0.0,
                                            "async_full_seconds": 0.0})  # fmt: skip
    graph = GraphClient(simulator.url, "v26.0", TOKEN)
    try:
        took = []
        for days in (1, 12):
            reader = InsightsReader(
                graph, AccountId(1001), learned=Learned({"ad": SafeSize(days=1)})
            )
            period = DateRange(date(2026, 11, 1), date(2026, 11, days))
            began = time.monotonic()
            rows = list(reader.fetch(Level.AD, period, ASYNC_FROM_ROWS))
            took.append(time.monotonic() - began)
            assert len({r[0] for r in rows}) == days
        assert took[1] <= 2 * took[0]
    finally:
        graph.close()
        simulator.control("POST", "/__config", before)


def test_slices_have_their_reports_made_side_by_side(agency: Agency, simulator: Simulator) -> None:
    before = simulator.control("GET", "/__config")
    request = SyncRequest(levels=("ad",), account="1001", since=date(2026, 6, 1),
                          until=date(2026, 11, 20))  # fmt: skip
    from adlab.meta.splits import SafeSize
    from adlab.storage.engine import transaction
    from adlab.storage.quota import store_sizes

    with transaction(agency.engine) as c:
        size = {"days": None, "ids": None, "fields": None, "report_from_days": 1}
        assert SafeSize(**size)
        store_sizes(c, client_id=1, account_id=1001, sizes={"ad": size}, now=MOMENT)
    simulator.control("POST", "/__config", {"async_run_seconds": 2.0, "async_start_seconds": 0.0,
                                            "async_full_seconds": 0.0})  # fmt: skip
    try:
        report = refresh(shared(agency, LocalBudget(), concurrency=1), request)
        calls = simulator.control("GET", "/__calls?match=/insights$&limit=1000")["calls"]
    finally:
        simulator.control("POST", "/__config", before)
    assert report.complete
    assert report.slices >= 3
    asked = [c["number"] for c in calls if c["method"] == "POST"]
    read = [c["number"] for c in calls if c["method"] == "GET"]
    assert len(asked) == report.slices
    assert max(asked) < min(read), "all are asked for before the first has been made"
