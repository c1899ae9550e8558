"""Daily insights: pages for small questions, reports for large ones, and how both go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from adlab.core.entities import AccountId, Level
from adlab.core.errors import (
    MetaUnavailableError,
    RejectedRequestError,
    ReportNotReadyError,
    TooMuchDataError,
)
from adlab.core.periods import DateRange
from adlab.meta.insights import ASYNC_FROM_ROWS, InsightsReader

from .wire import Answer, FakeTime, Wire, failure, graph, page

WEEK = DateRange(date(2026, 11, 2), date(2026, 11, 8))
DAY = DateRange(date(2026, 11, 2), date(2026, 11, 2))
DONE = {"async_status": "Job Completed", "async_percent_completion": 100}
EARLY = failure(2601, 1815107, is_transient=True)
LARGE = {"async_status": "Job Failed", "error_code": -3, "error_subcode": 1504045,
         "error_user_msg": "Please ask for less data."}  # fmt: skip


def row(ad: int, day: str = "2026-11-02", **more: Any) -> dict[str, Any]:
    return {"ad_id": str(ad), "ad_name": f"Ad {ad}", "adset_id": "1301", "campaign_id": "1201",
            "date_start": day, "impressions": "10", "spend": "1.50", **more}  # fmt: skip


@dataclass
class Reports:
    """A Graph API that makes reports; polls, failures and rows are scripted per report."""

    polls: list[list[Answer]]
    rows: Callable[[dict[str, Any]], Answer] = lambda span: page(row(1, span["since"]))
    sync: Answer | None = None
    made: list[dict[str, Any]] = field(default_factory=list)
    reads: list[Answer] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> Answer:
        last = request.url.path.split("/")[-1]
        if request.method == "POST":
            body = dict(httpx.QueryParams(request.content.decode()))
            self.made.append(json.loads(body["time_range"]))
            return {"report_run_id": str(7000 + len(self.made) - 1)}
        if last == "insights" and "act_" in request.url.path:
            assert self.sync is not None
            return self.sync
        run = int(request.url.path.split("/")[2]) - 7000
        if last == "insights":
            if self.reads:
                return self.reads.pop(0)
            return self.rows(self.made[run])
        script = self.polls[min(run, len(self.polls) - 1)]
        return script.pop(0) if len(script) > 1 else script[0]


def reader(
    *answers: Answer, reports: Reports | None = None
) -> tuple[InsightsReader, Wire, FakeTime]:
    client, wire, time = graph(*answers, script=reports)
    return InsightsReader(client, AccountId(1001), time.sleep, time.clock), wire, time


def fetch(
    it: InsightsReader, period: DateRange = WEEK, rows: int = 0, level: Level = Level.AD
) -> list[tuple[str, int]]:
    return [(c[0], c[1]) for c in it.fetch(level, period, rows)]


def test_a_small_question_is_read_page_by_page() -> None:
    it, wire, _ = reader(page(row(1), after="c", more=True), page(row(2)))
    assert fetch(it) == [("2026-11-02", 1), ("2026-11-02", 2)]
    first = wire.asked[0]
    assert wire.requests[0].url.path == "/v26.0/act_1001/insights"
    assert (first["level"], first["time_increment"]) == ("ad", "1")
    assert json.loads(first["time_range"]) == {"since": "2026-11-02", "until": "2026-11-08"}
    assert json.loads(first["action_breakdowns"]) == ["action_type"]
    assert "7d_view" not in first["action_attribution_windows"]


def test_archived_and_deleted_objects_are_asked_for_by_name() -> None:
    it, wire, _ = reader(page(row(1)))
    fetch(it)
    (condition,) = json.loads(wire.asked[0]["filtering"])
    assert (condition["field"], condition["operator"]) == ("ad.effective_status", "IN")
    assert {"ARCHIVED", "DELETED", "ADSET_PAUSED"} <= set(condition["value"])


def test_accounts_are_not_filtered_by_status() -> None:
    it, wire, _ = reader(page({"account_id": "1001", "date_start": "2026-11-02"}))
    assert fetch(it, level=Level.ACCOUNT) == [("2026-11-02", 1001)]
    assert "filtering" not in wire.asked[0]
    assert it.named == {}


def test_objects_named_in_rows_are_remembered_once() -> None:
    it, _, _ = reader(page(row(1), row(1, "2026-11-03", ad_name="Renamed"), row(2)))
    fetch(it)
    assert {k: o.name for k, o in it.named.items()} == {
        (Level.AD, 1): "Ad 1",
        (Level.AD, 2): "Ad 2",
    }


@pytest.mark.parametrize("expected", [ASYNC_FROM_ROWS, ASYNC_FROM_ROWS + 1, 10**7])
def test_a_large_question_is_a_report_at_once(expected: int) -> None:
    reports = Reports([[DONE]])
    it, wire, _ = reader(reports=reports)
    assert fetch(it, rows=expected) == [("2026-11-02", 1)]
    assert [r.method for r in wire.requests] == ["POST", "GET", "GET"]


def test_just_below_it_is_still_pages() -> None:
    it, wire, _ = reader(page(row(1)))
    fetch(it, rows=ASYNC_FROM_ROWS - 1)
    assert [r.method for r in wire.requests] == ["GET"]


@pytest.mark.parametrize(
    "too_much", [failure(100, 1487534), failure(100, 1504018), failure(2, 1504038, status=500)]
)
def test_too_many_rows_and_sync_time_outs_become_a_report(too_much: httpx.Response) -> None:
    reports = Reports([[DONE]], sync=too_much)
    it, _, _ = reader(reports=reports)
    assert fetch(it) == [("2026-11-02", 1)]
    assert reports.made == [{"since": "2026-11-02", "until": "2026-11-08"}]


def test_too_much_after_the_first_page_is_for_the_caller_to_start_over() -> None:
    it, _, _ = reader(page(row(1), after="c", more=True), failure(100, 1487534))
    with pytest.raises(TooMuchDataError):
        fetch(it)


def test_every_page_of_a_report_is_read() -> None:
    reads: list[Answer] = [page(row(1), after="c", more=True), page(row(2))]
    it, _, _ = reader(reports=Reports([[DONE]], reads=reads))
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1), ("2026-11-02", 2)]


def test_a_report_is_complete_only_with_both_the_word_and_the_hundred() -> None:
    polls: list[Answer] = [
        {"async_status": "Job Not Started", "async_percent_completion": 0},
        {"async_status": "Job Running", "async_percent_completion": 42},
        {"async_status": "Job Running", "async_percent_completion": 100},
        {"async_status": "Job Completed", "async_percent_completion": 99},
        {"async_status": "Job Completed", "async_percent_completion": None},
        {"async_status": "Some New Word"},
        DONE,
    ]
    it, _, time = reader(reports=Reports([polls]))
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert len(time.slept) == 6
    assert time.slept == sorted(time.slept)


def test_polling_slows_down_to_a_quarter_of_a_minute() -> None:
    running: Answer = {"async_status": "Job Running", "async_percent_completion": 5}
    it, _, time = reader(reports=Reports([[*[running] * 30, DONE]]))
    fetch(it, rows=ASYNC_FROM_ROWS)
    assert (time.slept[0], time.slept[-1]) == (pytest.approx(0.1), pytest.approx(15.0))


def test_a_run_just_created_may_not_be_found_for_a_moment() -> None:
    polls: list[Answer] = [failure(100, 33), failure(100, 33), DONE]
    it, _, _ = reader(reports=Reports([polls]))
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]


def test_a_run_that_is_never_found_is_an_error_after_half_a_minute() -> None:
    it, _, time = reader(reports=Reports([[failure(100, 33)]]))
    with pytest.raises(RejectedRequestError):
        fetch(it, rows=ASYNC_FROM_ROWS, level=Level.ACCOUNT)
    assert 30 <= sum(time.slept) < 60


def test_another_refusal_of_a_run_is_not_waited_for() -> None:
    it, _, time = reader(reports=Reports([[failure(100)]]))
    with pytest.raises(RejectedRequestError):
        fetch(it, rows=ASYNC_FROM_ROWS, level=Level.ACCOUNT)
    assert time.slept == []


def test_a_result_read_too_early_is_read_again() -> None:
    it, _, time = reader(reports=Reports([[DONE]], reads=[EARLY, EARLY, page(row(1))]))
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert time.slept == [0.5, 1.0]


def test_a_result_that_is_never_ready_is_told() -> None:
    it, _, time = reader(reports=Reports([[DONE]], reads=[EARLY] * 20))
    with pytest.raises(ReportNotReadyError):
        fetch(it, rows=ASYNC_FROM_ROWS)
    assert sum(time.slept) == 15.5


STUCK: Answer = {"async_status": "Job Running", "async_percent_completion": 100}


def test_a_report_that_never_starts_is_asked_for_again_after_five_minutes() -> None:
    reports = Reports([[{"async_status": "Job Not Started"}], [DONE]])
    it, _, time = reader(reports=reports)
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert len(reports.made) == 2
    assert 300 <= sum(time.slept) < 330


def test_a_stuck_report_is_asked_for_again_after_half_an_hour() -> None:
    reports = Reports([[STUCK], [DONE]])
    it, _, time = reader(reports=reports)
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert len(reports.made) == 2
    assert 1800 <= sum(time.slept) < 1830


def test_a_report_stuck_twice_is_asked_for_in_halves() -> None:
    reports = Reports([[STUCK], [STUCK], [DONE]])
    it, _, time = reader(reports=reports)
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-05", 1), ("2026-11-02", 1)]
    assert 3600 <= sum(time.slept) < 3660


def test_what_is_stuck_however_small_ends_within_hours() -> None:
    it, _, time = reader(reports=Reports([[STUCK]]))
    with pytest.raises(MetaUnavailableError, match="longer than three hours"):
        fetch(it, rows=ASYNC_FROM_ROWS)
    assert sum(time.slept) < 5 * 3600


@pytest.mark.parametrize(
    "trouble",
    [
        {"async_status": "Job Skipped"},
        {"async_status": "Job Failed", "error_code": -2, "error_subcode": 2490547},
        {"async_status": "Job Failed"},
    ],
    ids=["skipped", "failed, try later", "failed, no reason"],
)
def test_a_skipped_or_failed_report_is_asked_for_again(trouble: dict[str, Any]) -> None:
    reports = Reports([[trouble], [DONE]])
    it, _, _ = reader(reports=reports)
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert len(reports.made) == 2


def test_three_reports_in_vain_are_an_outage_with_metas_reason() -> None:
    failed: Answer = {"async_status": "Job Failed", "error_code": -2, "error_user_msg": "Later."}
    reports = Reports([[failed]])
    it, _, _ = reader(reports=reports)
    with pytest.raises(MetaUnavailableError, match=r"three times: it failed\. Later\."):
        fetch(it, rows=ASYNC_FROM_ROWS)
    assert len(reports.made) == 3


def test_a_report_too_large_is_split_into_halves_newest_first() -> None:
    reports = Reports([[LARGE], [DONE], [DONE]])
    it, _, _ = reader(reports=reports)
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-05", 1), ("2026-11-02", 1)]
    assert reports.made == [
        {"since": "2026-11-02", "until": "2026-11-08"},
        {"since": "2026-11-05", "until": "2026-11-08"},
        {"since": "2026-11-02", "until": "2026-11-04"},
    ]


def test_halves_are_split_again_down_to_single_days() -> None:
    def each_day(span: dict[str, Any]) -> Answer:
        return page(row(1, span["since"]))

    class OneDayOnly(Reports):
        def __call__(self, request: httpx.Request) -> Answer:
            answer = super().__call__(request)
            if answer is DONE:
                run = int(request.url.path.split("/")[2]) - 7000
                return DONE if self.made[run]["since"] == self.made[run]["until"] else LARGE
            return answer

    it, _, _ = reader(reports=OneDayOnly([[DONE]], each_day))
    days = [(WEEK.until - timedelta(days=i)).isoformat() for i in range(7)]
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [(d, 1) for d in days]


def test_a_single_day_too_large_is_told() -> None:
    it, _, _ = reader(reports=Reports([[LARGE]]))
    with pytest.raises(TooMuchDataError, match="Please ask for less data"):
        fetch(it, DAY, ASYNC_FROM_ROWS)


def test_split_reports_keep_their_filter() -> None:
    reports = Reports([[LARGE], [DONE], [DONE]])
    it, wire, _ = reader(reports=reports)
    fetch(it, rows=ASYNC_FROM_ROWS)
    filters = {a["filtering"] for a in wire.asked if "filtering" in a}
    assert len(filters) == 1
    assert "ARCHIVED" in filters.pop()


def test_a_report_without_an_id_is_an_outage() -> None:
    it, _, _ = reader({})
    with pytest.raises(MetaUnavailableError, match="without an id"):
        fetch(it, rows=ASYNC_FROM_ROWS)


def test_run_ids_may_come_as_numbers() -> None:
    it, wire, _ = reader({"report_run_id": 6100200300}, DONE, page(row(1)))
    assert fetch(it, rows=ASYNC_FROM_ROWS) == [("2026-11-02", 1)]
    assert wire.requests[1].url.path == "/v26.0/6100200300"


def test_where_deleted_is_refused_reading_goes_on_without_it() -> None:
    it, wire, _ = reader(failure(100, 1487561), page(row(1)), page(row(2)))
    assert fetch(it) == [("2026-11-02", 1)]
    assert not it.with_deleted
    assert ["DELETED" in a["filtering"] for a in wire.asked] == [True, False]
    assert fetch(it) == [("2026-11-02", 2)]
    assert ["DELETED" in a["filtering"] for a in wire.asked] == [True, False, False]


def test_a_refusal_for_another_reason_is_told_after_the_second_try() -> None:
    it, wire, _ = reader(failure(100))
    with pytest.raises(RejectedRequestError):
        fetch(it)
    assert len(wire.requests) == 2


def test_a_refusal_after_the_first_rows_never_gives_rows_twice() -> None:
    it, wire, _ = reader(page(row(1), after="c", more=True), failure(100), page(row(1)))
    walk = it.fetch(Level.AD, WEEK)
    assert next(walk)[1] == 1
    with pytest.raises(RejectedRequestError):
        next(walk)
    assert len(wire.requests) == 2


def test_an_account_has_no_filter_to_drop() -> None:
    it, wire, _ = reader(failure(100))
    with pytest.raises(RejectedRequestError):
        fetch(it, level=Level.ACCOUNT)
    assert len(wire.requests) == 1


def test_a_vanished_object_is_read_by_its_own_id_without_a_filter() -> None:
    it, wire, _ = reader(page(row(1405), after="c", more=True), page(row(1405, "2026-11-03")))
    rows = it.fetch_object(Level.AD, 1405, WEEK)
    assert [(r[0], r[1]) for r in rows] == [("2026-11-02", 1405), ("2026-11-03", 1405)]
    assert wire.requests[0].url.path == "/v26.0/1405/insights"
    assert "filtering" not in wire.asked[0]


def test_an_object_that_meta_shows_to_nobody_gives_no_rows() -> None:
    it, _, _ = reader(failure(100, 33))
    assert it.fetch_object(Level.AD, 1405, WEEK) == []


def test_another_refusal_of_an_object_is_told() -> None:
    it, _, _ = reader(failure(100))
    with pytest.raises(RejectedRequestError):
        it.fetch_object(Level.AD, 1405, WEEK)
