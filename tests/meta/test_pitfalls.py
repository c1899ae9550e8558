"""Twenty-two things real clients of this API trip over; each is shown not to happen here."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.conftest import TOKEN, Simulator
from tests.services.test_ingest import REQUEST, Agency

from adlab.core.breakdowns import BREAKDOWNS
from adlab.core.entities import AccountId, Level
from adlab.core.errors import MetaUnavailableError, RateLimitedError
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import RESTATEMENT_DAYS, DateRange
from adlab.meta import fields
from adlab.meta.breakdowns import BreakdownReader, question
from adlab.meta.client import GraphClient
from adlab.meta.insights import ASYNC_FROM_ROWS, InsightsReader
from adlab.meta.objects import fetch_account
from adlab.meta.paging import pages
from adlab.services.ingest import SyncRequest, refresh

from .wire import Answer, FakeTime, failure, graph, page

WEEK = DateRange(date(2026, 11, 9), date(2026, 11, 15))
FINE = {"id": "1"}
HEAVY = failure(1, status=500, message="Please reduce the amount of data you're asking for")
LARGE = {"async_status": "Job Failed", "error_code": -3, "error_subcode": 1504045}
DONE = {"async_status": "Job Completed", "async_percent_completion": 100}
LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_SET, Level.AD)


def live(simulator: Simulator, **options: Any) -> InsightsReader:
    time = FakeTime()
    client = GraphClient(simulator.url, "v26.0", TOKEN, sleep=time.sleep, clock=time.clock,
                         **options)  # fmt: skip
    return InsightsReader(client, AccountId(1001))


def scripted(
    *answers: Answer, script: Any = None
) -> tuple[InsightsReader, list[httpx.Request], FakeTime]:
    client, wire, time = graph(*answers, script=script)
    return InsightsReader(client, AccountId(1001), time.sleep, time.clock), wire.requests, time


def form(request: httpx.Request) -> dict[str, str]:
    return dict(httpx.QueryParams(request.content.decode() or request.url.query.decode()))


def row(ad: int = 1, day: str = "2026-11-09", **more: Any) -> dict[str, Any]:
    return {"ad_id": str(ad), "ad_name": "Ad", "adset_id": "21", "campaign_id": "11",
            "date_start": day, "date_stop": day, "impressions": "10", **more}  # fmt: skip


class ReportsOf:
    """Reports that are too large unless `fits` says so; the forms asked for are kept."""

    def __init__(self, fits: Any, ids: dict[str, list[str]] | None = None) -> None:
        self.fits, self.ids, self.made = fits, ids or {}, []  # type: ignore[var-annotated]

    def __call__(self, request: httpx.Request) -> Answer:
        steps = request.url.path.split("/")
        if request.method == "POST":
            self.made.append(form(request))
            return {"report_run_id": str(7000 + len(self.made) - 1)}
        asked = self.made[int(steps[2]) - 7000]
        if asked.get("time_increment") == "all_days":
            if len(steps) == 3:
                return DONE
            name = f"{asked['level']}_id"
            return page(*({name: i} for i in self.ids.get(asked["level"], [])))
        if len(steps) == 3:
            return DONE if self.fits(asked) else LARGE
        named = [f for f in json.loads(asked.get("filtering", "[]")) if f["field"].endswith(".id")]
        ids = named[-1]["value"] if named else ["1"]
        since = json.loads(asked["time_range"])["since"]
        metrics = {n: "1" for n in asked["fields"].split(",") if n in ("spend", "clicks", "reach")}
        return page(*(row(int(i), since, **metrics) for i in ids))


def one_day(asked: dict[str, str]) -> bool:
    span = json.loads(asked["time_range"])
    return bool(span["since"] == span["until"])


@pytest.mark.parametrize(
    ("code", "least", "most"), [(80000, 0.5, 1), (80004, 0.5, 1), (17, 60, 60)]
)
def test_pitfall_01_throttles_that_look_like_bad_requests_are_waited_for(
    code: int, least: float, most: float
) -> None:
    client, wire, time = graph(failure(code, 2446079, status=400), FINE)
    assert client.get("act_1001/ads") == FINE
    assert len(wire.requests) == 2
    assert least <= sum(time.slept) <= most


def test_pitfall_02_a_throttle_never_makes_pages_smaller() -> None:
    client, wire, _ = graph(failure(80000, 2446079), failure(17, 2446079), page(row()))
    assert list(pages(client, "act_1001/insights", {}, 500))
    assert [a["limit"] for a in wire.asked] == ["500", "500", "500"]


def test_pitfall_03_a_page_too_heavy_is_halved_and_the_size_comes_back() -> None:
    client, wire, _ = graph(HEAVY, page(row(), after="c", more=True), page(row(2)))
    assert len(list(pages(client, "act_1001/ads", {}, 500))) == 2
    assert [a["limit"] for a in wire.asked] == ["500", "250", "500"]


def test_pitfall_04_too_many_rows_becomes_reports_that_stay_inside_the_asked_days() -> None:
    reports = ReportsOf(one_day)

    def script(request: httpx.Request) -> Answer:
        if request.method == "GET" and "act_" in request.url.path:
            return failure(100, 1487534)
        return reports(request)

    it, _, _ = scripted(script=script)
    assert len(list(it.fetch(Level.AD, WEEK))) == 7
    spans = [json.loads(a["time_range"]) for a in reports.made]
    assert min(s["since"] for s in spans) == "2026-11-09"
    assert max(s["until"] for s in spans) == "2026-11-15"


def test_pitfall_04_the_helper_that_finds_ids_is_a_report_of_the_same_days() -> None:
    reports = ReportsOf(lambda a: "campaign.id" in a["filtering"], {"campaign": ["11", "12"]})
    it, _, _ = scripted(script=reports)
    day = DateRange(WEEK.since, WEEK.since)
    assert len(list(it.fetch(Level.AD, day, ASYNC_FROM_ROWS))) == 2
    helper = next(a for a in reports.made if a.get("time_increment") == "all_days")
    assert json.loads(helper["time_range"]) == {"since": "2026-11-09", "until": "2026-11-09"}


def test_pitfall_05_no_child_question_with_breakdowns_is_asked_synchronously() -> None:
    reports = ReportsOf(lambda a: "campaign.id" in a["filtering"], {"campaign": ["11", "12"]})
    it, requests, _ = scripted(script=reports)
    params = it._params(Level.AD, DateRange(WEEK.since, WEEK.since), breakdowns=["age", "gender"])
    assert list(it.fetch_rows(params, parse=dict, expected_rows=ASYNC_FROM_ROWS))
    assert [r.url.path for r in requests if r.method == "GET" and "act_" in r.url.path] == []
    helper = next(a for a in reports.made if a.get("time_increment") == "all_days")
    assert "breakdowns" not in helper
    assert all("age" in a["breakdowns"] for a in reports.made if a is not helper)


def test_pitfall_06_every_part_of_a_split_question_keeps_every_filter() -> None:
    def fits(asked: dict[str, str]) -> bool:
        return one_day(asked) and "campaign.id" in asked["filtering"]

    reports = ReportsOf(fits, {"campaign": ["11", "12", "13"]})
    it, _, _ = scripted(script=reports)
    mine = {"field": "ad.impressions", "operator": "GREATER_THAN", "value": 0}
    params = it._params(Level.AD, WEEK)
    params["filtering"] = [*params["filtering"], mine]
    assert list(it.fetch_rows(params, parse=dict, expected_rows=ASYNC_FROM_ROWS))
    assert len(reports.made) > 15
    for asked in reports.made:
        conditions = json.loads(asked["filtering"])
        assert mine in conditions
        assert any("ARCHIVED" in c["value"] for c in conditions if isinstance(c["value"], list))


def test_pitfall_07_archived_and_deleted_ads_are_in_the_sums(any_engine: Engine,
                                                              simulator: Simulator) -> None:  # fmt: skip
    agency = Agency(any_engine, simulator)
    assert agency.sync(replace(REQUEST, levels=("account", "ad"))).complete
    gone = agency.rows(
        "SELECT count(DISTINCT object_id) FROM app.insights_daily i JOIN app.object o"
        " USING (account_id, level, object_id) WHERE level = 4 AND (o.status IS NULL"
        " OR o.effective_status = 'ARCHIVED')"
    )
    assert gone[0][0] > 0
    sums = agency.rows(
        "SELECT account_id, date, sum(spend_micro) FILTER (WHERE level = 1),"
        " sum(spend_micro) FILTER (WHERE level = 4) FROM app.insights_daily GROUP BY 1, 2"
    )
    assert len(sums) > 50
    assert [s for s in sums if s[2] != s[3]] == []


def test_pitfall_08_only_action_type_breaks_actions_down() -> None:
    it, requests, _ = scripted(page(row()))
    list(it.fetch(Level.AD, WEEK))
    assert json.loads(form(requests[0])["action_breakdowns"]) == ["action_type"]
    for kind in BREAKDOWNS.values():
        level = kind.levels[-1]
        asked = question(kind, level, WEEK, WEEK.until, True)
        assert list(asked["action_breakdowns"]) == ["action_type"]


@pytest.mark.parametrize("level", LEVELS)
def test_pitfall_09_every_level_has_its_own_key(simulator: Simulator, level: Level) -> None:
    found = list(live(simulator).fetch(level, WEEK))
    keys = [(r[0], r[1]) for r in found]
    truth = simulator.truth(account=1001, level=level.word, since=WEEK.since, until=WEEK.until)
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(t["date"], int(t["id"])) for t in truth}


def test_pitfall_10_purchases_of_a_campaign_are_those_of_its_ads_or_unknown_never_zero(
    simulator: Simulator,
) -> None:
    place = 2 + STORED_NAMES.index("purchases")
    reader = live(simulator)
    ads: defaultdict[str, int] = defaultdict(int)
    for r in reader.fetch(Level.AD, WEEK):
        ads[r[0]] += int(r[place] or 0)
    assert sum(ads.values()) > 0
    for level in (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_SET):
        held: defaultdict[str, int] = defaultdict(int)
        unknown = set()
        for r in reader.fetch(level, WEEK):
            held[r[0]] += int(r[place] or 0)
            unknown |= {r[0]} if r[place] is None else set()
        assert {d for d in ads if held[d] != ads[d]} <= unknown


def test_pitfall_11_a_report_is_read_when_it_is_complete_and_not_before() -> None:
    polls: list[Answer] = [
        failure(100, 33),
        {"async_status": "Job Running", "async_percent_completion": 100},
        {"async_status": "Job Completed", "async_percent_completion": 99},
        DONE,
    ]
    reads: list[Answer] = [failure(2601, 1815107, is_transient=True), page(row())]

    def script(request: httpx.Request) -> Answer:
        if request.method == "POST":
            return {"report_run_id": 7000}
        return reads.pop(0) if request.url.path.endswith("insights") else polls.pop(0)

    it, _, _ = scripted(script=script)
    assert len(list(it.fetch(Level.AD, WEEK, ASYNC_FROM_ROWS))) == 1
    assert (polls, reads) == ([], [])


def test_pitfall_11_a_report_stuck_in_running_is_asked_for_again() -> None:
    made: list[int] = []

    def script(request: httpx.Request) -> Answer:
        if request.method == "POST":
            made.append(1)
            return {"report_run_id": str(6999 + len(made))}
        if request.url.path.endswith("insights"):
            return page(row())
        stuck = {"async_status": "Job Running", "async_percent_completion": 100}
        return stuck if len(made) == 1 else DONE

    it, _, time = scripted(script=script)
    assert len(list(it.fetch(Level.AD, WEEK, ASYNC_FROM_ROWS))) == 1
    assert 1800 <= sum(time.slept) < 1830


def test_pitfall_12_all_pages_of_a_report_are_read(simulator: Simulator) -> None:
    small = live(simulator, page_size=25)
    assert len(list(small.fetch(Level.AD, WEEK, ASYNC_FROM_ROWS))) == len(
        simulator.truth(account=1001, level="ad", since=WEEK.since, until=WEEK.until)
    )
    assert small.client.calls > 5


@pytest.mark.parametrize(
    "content", [b"<html>Sorry</html>", b'"text"', b"", b"[]", b"null", b'{"data":[{"a":',
                b'{"success":false}', b'{"data":[null]}', b'{"data":"x"}'],
)  # fmt: skip
def test_pitfall_13_what_is_no_answer_is_transient(content: bytes) -> None:
    client, wire, _ = graph(httpx.Response(200, content=content), page(row()))
    assert client.get_page("act_1001/insights", {}) == page(row())
    assert len(wire.requests) == 2


def test_pitfall_14_insights_are_asked_by_day_and_28_days_again(
    any_engine: Engine, simulator: Simulator
) -> None:
    agency = Agency(any_engine, simulator)
    once = SyncRequest(levels=("campaign",))
    assert agency.sync(once).complete
    simulator.control("DELETE", "/__calls")
    assert agency.sync(once).complete
    asked = [c["params"] for c in simulator.control("GET", "/__calls")["calls"]
             if c["path"].endswith("act_1001/insights")]  # fmt: skip
    assert asked
    assert all("updated_time" not in json.dumps(a) for a in asked)
    since = min(json.loads(a["time_range"])["since"] for a in asked)
    assert date.fromisoformat(since) <= date(2026, 11, 21) - timedelta(days=RESTATEMENT_DAYS)


def test_pitfall_15_an_hour_without_its_key_is_no_row_without_a_key() -> None:
    (hourly,) = (b for b in BREAKDOWNS.values() if "hourly" in json.dumps(b.names))
    day = DateRange(WEEK.since, WEEK.since)
    name = "hourly_stats_aggregated_by_advertiser_time_zone"
    rows = [row(**{name: "05:00:00 - 05:59:59"}), row(impressions="0")]
    it, _, _ = scripted(page(*rows))
    found = BreakdownReader(it).fetch(hourly, Level.AD, day, day.until, 10)
    assert [(r.object_id, r.value[:5]) for r in found] == [(1, "05:00"), (1, "unkno")]


def test_pitfall_16_reach_is_not_asked_of_breakdowns_older_than_meta_serves() -> None:
    today = date(2026, 11, 21)
    old = DateRange(date(2025, 6, 1), date(2025, 6, 7))
    kind = next(b for b in BREAKDOWNS.values() if "country" in json.dumps(b.names))
    fresh = question(kind, kind.levels[-1], WEEK, today, True)["fields"].split(",")
    stale = question(kind, kind.levels[-1], old, today, True)["fields"].split(",")
    assert "reach" in fresh
    assert "reach" not in stale
    assert "dma" not in json.dumps([b.names for b in BREAKDOWNS.values()])


def test_pitfall_17_each_edge_is_asked_for_its_own_statuses_only(simulator: Simulator) -> None:
    client = live(simulator).client
    for level, edge in ((Level.CAMPAIGN, "campaigns"), (Level.AD_SET, "adsets"), (Level.AD, "ads")):
        statuses = list(fields.EDGE_STATUSES[level])
        assert "DELETED" not in statuses
        found = client.get(f"act_1001/{edge}", {"fields": "id", "effective_status": statuses})
        assert found["data"]
    assert "ADSET_PAUSED" not in fields.EDGE_STATUSES[Level.CAMPAIGN]


def test_pitfall_18_many_objects_are_read_in_a_batch_and_never_by_ids(simulator: Simulator) -> None:
    reader = live(simulator)
    ids = sorted({r[1] for r in reader.fetch(Level.AD, WEEK)})[:7]
    simulator.control("DELETE", "/__calls")
    found = list(reader.fetch_objects(Level.AD, ids, WEEK))
    assert {r[1] for r in found} == set(ids)
    calls = simulator.control("GET", "/__calls")["calls"]
    assert [c["method"] for c in calls if c["path"].strip("/") == "v26.0"] == ["POST"]
    assert all("ids" not in c["params"] for c in calls)


def test_pitfall_19_today_is_each_accounts_own_day(
    any_engine: Engine, simulator: Simulator
) -> None:
    agency = Agency(any_engine, simulator)
    evening = "2026-11-21T20:00:00Z"
    simulator.control("POST", "/__clock", {"now": evening})
    simulator.control("DELETE", "/__calls")
    parts = replace(agency.parts(), now=lambda: datetime(2026, 11, 21, 20, 0, tzinfo=UTC))
    request = SyncRequest(levels=("account",), since=date(2026, 11, 20), with_objects=False)
    assert refresh(parts, request).complete
    until = {
        c["path"].split("/")[2]: json.loads(c["params"]["time_range"])["until"]
        for c in simulator.control("GET", "/__calls")["calls"]
        if c["path"].endswith("/insights")
    }
    zones = dict(agency.rows("SELECT account_id, timezone FROM app.account"))
    assert (zones[1001], zones[1002]) == ("Europe/Berlin", "Asia/Tokyo")
    assert until == {"act_1001": "2026-11-21", "act_1002": "2026-11-22"}


def test_pitfall_20_the_summary_param_error_that_goes_away_is_tried_again() -> None:
    quirk = failure(100, message="(#100) Cannot include impressions in summary param because …")
    client, wire, _ = graph(quirk, page(row()))
    assert client.get_page("act_1001/insights", {}) == page(row())
    assert len(wire.requests) == 2
    client, wire, _ = graph(quirk)
    with pytest.raises(MetaUnavailableError):
        client.get("act_1001/insights")
    assert len(wire.requests) == 3


def test_pitfall_21_an_account_is_read_directly(simulator: Simulator) -> None:
    simulator.control("DELETE", "/__calls")
    assert fetch_account(live(simulator).client, AccountId(1001)).account_id == 1001
    calls = simulator.control("GET", "/__calls")["calls"]
    assert [c["path"] for c in calls] == ["/v26.0/act_1001"]


def test_pitfall_22_every_entry_of_the_usage_header_counts() -> None:
    entries = {"1001": [{"type": "ads_management", "call_count": 1},
                        {"type": "ads_insights", "call_count": 97,
                         "estimated_time_to_regain_access": 3}]}  # fmt: skip
    headers = {"x-business-use-case-usage": json.dumps(entries)}
    client, _, time = graph(httpx.Response(200, content=b"{}", headers=headers), FINE)
    client.get("act_1001/ads")
    assert client.pace.peak_percent == 97
    client.get("act_1001/ads")
    assert time.slept == [180.0]


def test_waiting_too_long_for_a_quota_is_told_and_nothing_is_shrunk_for_it() -> None:
    it, requests, _ = scripted(failure(613, 1996))
    with pytest.raises(RateLimitedError):
        list(it.fetch(Level.AD, WEEK))
    assert len(requests) == 1
