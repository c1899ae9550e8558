"""The same client over a real wire: the simulator's troubles, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.conftest import TOKEN, Simulator

from adlab.core.entities import AccountId, Level
from adlab.core.errors import (
    MetaError,
    MetaUnavailableError,
    MissingPermissionError,
    RejectedRequestError,
    TokenExpiredError,
)
from adlab.core.periods import DateRange
from adlab.meta.auth import inspect_token, require_usable
from adlab.meta.client import GraphClient, Retry
from adlab.meta.insights import ASYNC_FROM_ROWS, InsightsReader
from adlab.meta.objects import fetch_account, fetch_accounts, fetch_objects

from .wire import FakeTime

Rows = list[tuple[Any, ...]]
ACCOUNT = AccountId(1001)
WEEK = DateRange(date(2026, 11, 9), date(2026, 11, 15))
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SECRET = "simulated-app-secret"
DEFAULTS = {
    "sync_row_limit": 50_000, "async_row_limit": 3_000_000, "deleted_filter_is_error": True,
    "async_race_polls": 0, "require_appsecret_proof": False, "repeat_cursor_count": 0,
    "async_start_seconds": 0.0, "async_run_seconds": 0.0, "async_full_seconds": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def instant_reports(simulator_process: Simulator) -> Iterator[None]:
    """Reports that finish at once, while this module runs."""
    before = simulator_process.control("GET", "/__config")
    simulator_process.control("POST", "/__config", DEFAULTS)
    yield
    simulator_process.control("POST", "/__config", before)


Switch = Callable[..., None]


@pytest.fixture
def switch(simulator: Simulator) -> Iterator[Switch]:
    """Turns switches of the simulator, and back after the test."""
    yield lambda **changes: simulator.control("POST", "/__config", changes)
    simulator.control("POST", "/__config", DEFAULTS)


@pytest.fixture(scope="module")
def week(simulator_process: Simulator) -> Rows:
    """What an undisturbed reading of the week's ads gives."""
    simulator_process.control("POST", "/__clock", {"now": "2026-11-21T10:00:00Z"})
    return read(client(simulator_process))


def client(simulator: Simulator, token: str = TOKEN, **options: Any) -> GraphClient:
    time = FakeTime()
    return GraphClient(simulator.url, "v26.0", token, sleep=time.sleep, clock=time.clock, **options)


def fault(simulator: Simulator, kind: str, **more: Any) -> None:
    simulator.control("POST", "/__faults", {"kind": kind, **more})


def read(
    graph: GraphClient, level: Level = Level.AD, rows: int = 0, period: DateRange = WEEK
) -> Rows:
    time = FakeTime()
    reader = InsightsReader(graph, ACCOUNT, time.sleep, time.clock)
    return sorted(reader.fetch(level, period, rows), key=lambda r: (r[0], r[1]))


def truth(simulator: Simulator, level: str) -> dict[tuple[str, int], tuple[int, int]]:
    rows = simulator.truth(account="1001", level=level, since="2026-11-09", until="2026-11-15")
    return {
        (r["date"], int(r["id"])): (r["spend_minor"] * 10_000, r["impressions"])
        for r in rows
        if r["impressions"]
    }


@pytest.mark.parametrize("level", ["account", "campaign", "adset", "ad"])
def test_every_row_is_exactly_the_truth(simulator: Simulator, level: str) -> None:
    rows = read(client(simulator), Level.parse(level))
    assert {(r[0], r[1]): (r[2], r[3]) for r in rows} == truth(simulator, level)


@pytest.mark.parametrize("level", [Level.ACCOUNT, Level.AD])
def test_a_report_gives_the_same_rows_as_pages(simulator: Simulator, level: Level) -> None:
    graph = client(simulator)
    assert read(graph, level, ASYNC_FROM_ROWS) == read(graph, level)


def test_small_pages_give_the_same_rows_as_one(simulator: Simulator, week: Rows) -> None:
    assert read(client(simulator, page_size=3)) == week


TROUBLE = ("html", "empty", "truncated", "null_items", "success_false", "reset", "transient",
           "unknown", "service_unavailable", "account_score", "throttle_insights",
           "app_insights_limit", "calls_from_account")  # fmt: skip


@pytest.mark.parametrize("kind", TROUBLE)
def test_trouble_that_passes_changes_no_row(simulator: Simulator, kind: str, week: Rows) -> None:
    fault(simulator, kind, match="insights", count=2)
    assert read(client(simulator, page_size=7)) == week


@pytest.mark.parametrize("kind", ["sync_timeout", "insights_timeout", "too_many_rows"])
def test_a_question_too_large_for_pages_becomes_a_report(
    simulator: Simulator, kind: str, week: Rows
) -> None:
    fault(simulator, kind, match="insights", method="GET", count=1)
    assert read(client(simulator)) == week


@pytest.mark.parametrize("kind", ["job_race", "job_early", "job_skip", "job_fail"])
def test_a_report_in_trouble_still_gives_every_row(
    simulator: Simulator, kind: str, week: Rows
) -> None:
    fault(simulator, kind, count=2)
    assert read(client(simulator), rows=ASYNC_FROM_ROWS) == week


def test_a_report_too_large_is_split_until_it_fits(
    simulator: Simulator, switch: Switch, week: Rows
) -> None:
    switch(async_row_limit=20, sync_row_limit=20)
    assert sorted(read(client(simulator)), key=repr) == sorted(week, key=repr)


def test_pages_too_heavy_are_halved(simulator: Simulator) -> None:
    expected = list(fetch_objects(client(simulator), ACCOUNT, Level.AD))
    fault(simulator, "reduce_data", match="ads", count=3)
    assert list(fetch_objects(client(simulator), ACCOUNT, Level.AD)) == expected


def test_a_circle_of_cursors_is_an_error_and_no_endless_loop(
    simulator: Simulator, switch: Switch
) -> None:
    switch(repeat_cursor_count=9)
    with pytest.raises(MetaUnavailableError, match="a cursor repeats"):
        read(client(simulator, page_size=3))


def test_deleted_and_archived_objects_have_rows_but_only_archived_are_listed(
    simulator: Simulator,
) -> None:
    rows = {r[1] for r in read(client(simulator), period=DateRange(date(2026, 9, 1), WEEK.until))}
    listed = {
        o.object_id: o.effective_status
        for page in fetch_objects(client(simulator), ACCOUNT, Level.AD)
        for o in page
        if o.level is Level.AD
    }
    assert "ARCHIVED" in listed.values()
    assert "DELETED" not in listed.values()
    assert rows - set(listed)


def test_a_vanished_object_is_read_by_its_id_where_the_filter_refuses_deleted(
    simulator: Simulator,
) -> None:
    period = DateRange(date(2026, 9, 1), WEEK.until)
    full = read(client(simulator), period=period)
    time = FakeTime()
    reader = InsightsReader(client(simulator), ACCOUNT, time.sleep, time.clock)
    fault(simulator, "error", match="insights", count=1, params={"code": 100, "message": "DELETED"})
    without = list(reader.fetch(Level.AD, period))
    assert not reader.with_deleted
    gone = {r[1] for r in full} - {r[1] for r in without}
    assert gone
    by_id = [r for i in gone for r in reader.fetch_object(Level.AD, i, period)]
    assert sorted([*without, *by_id], key=lambda r: (r[0], r[1])) == full


def test_accounts_are_those_of_the_token(simulator: Simulator) -> None:
    assert {a.account_id for a in fetch_accounts(client(simulator))} == {1001, 1002}
    narrow = client(simulator, "sim-token-acct-1001")
    assert [a.account_id for a in fetch_accounts(narrow)] == [1001]
    with pytest.raises((RejectedRequestError, MissingPermissionError)):
        fetch_account(narrow, AccountId(1002))


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("sim-expired-1", TokenExpiredError),
        ("sim-revoked-1", TokenExpiredError),
        ("sim-password-1", TokenExpiredError),
        ("nonsense", TokenExpiredError),
        ("sim-noscope-1", MissingPermissionError),
    ],
)
def test_tokens_that_cannot_read_are_named_for_what_they_are(
    simulator: Simulator, token: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        fetch_account(client(simulator, token), ACCOUNT)
    assert token not in str(caught.value)


def test_a_token_that_reads_only_reads_everything(simulator: Simulator) -> None:
    assert read(client(simulator, "sim-readonly-1")) == read(client(simulator))


def test_the_proof_of_the_app_secret_is_accepted_where_it_is_required(
    simulator: Simulator,
    switch: Switch,
) -> None:
    switch(require_appsecret_proof=True)
    assert fetch_account(client(simulator, app_secret=SECRET), ACCOUNT).account_id == 1001
    with pytest.raises(RejectedRequestError, match="appsecret_proof"):
        fetch_account(client(simulator), ACCOUNT)


@pytest.mark.parametrize(("app_id", "secret"), [(None, None), ("555", SECRET)])
def test_debug_token_of_each_kind(
    simulator: Simulator, app_id: str | None, secret: str | None
) -> None:
    def inspect(token: str) -> Any:
        return inspect_token(simulator.url, "v26.0", token, app_id=app_id, app_secret=secret)

    require_usable(inspect("sim-token-x"), app_id, NOW)
    require_usable(inspect("sim-readonly-x"), app_id, NOW)
    assert inspect("sim-system-x").expires_at is None
    with pytest.raises(MissingPermissionError, match="ads_read"):
        require_usable(inspect("sim-noscope-x"), app_id, NOW)
    with pytest.raises(MissingPermissionError, match="app 555"):
        require_usable(inspect("sim-token-x"), "777", NOW)


def test_the_app_learns_why_a_token_is_dead(simulator: Simulator) -> None:
    facts = inspect_token(simulator.url, "v26.0", "sim-expired-x", app_id="555", app_secret=SECRET)
    with pytest.raises(TokenExpiredError, match="expired"):
        require_usable(facts, "555", NOW)


def test_nothing_that_goes_wrong_writes_the_token_anywhere(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    transport = [kind for kind in TROUBLE if kind != "null_items"]
    for kind in (*transport, "expired_token", "no_permission", "too_many_rows", "policy_block"):
        simulator.control("DELETE", "/__faults")
        fault(simulator, kind, match="act_1001", count=None)
        with pytest.raises(MetaError) as caught:
            fetch_account(client(simulator, retry=Retry(attempts=2)), ACCOUNT)
        told.append(f"{caught.value} {caught.value!r}")
    assert TOKEN not in "".join(told)
    assert TOKEN not in caplog.text
    assert "meta_retry" in caplog.text
