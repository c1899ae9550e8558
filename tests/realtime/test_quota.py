"""One budget for app and accounts: the same rules in one process and, through Redis, in several."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from adlab.core.quota import FULL, LIMITED, Budget, Caller, Meter, Priority
from adlab.meta.quota import LocalBudget
from adlab.realtime.quota import PREFIX, RedisBudget

ACME = Caller(1001, 1)
OTHER = Caller(1002, 2)


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["local", "redis"])
def budget(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Budget]:
    if request.param == "local":
        yield LocalBudget(clock)
        return
    url = request.getfixturevalue("redis_url")
    if url is None:
        pytest.skip("no embedded cache here")
    shared = RedisBudget(url, secrets.token_hex(4), _Unwanted(), clock=clock)
    yield shared
    shared.close()


class _Unwanted:
    """A fallback nothing should need."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the fallback was asked for {name}")


def asked(budget: Budget, caller: Caller, **cost: int) -> tuple[bool, float]:
    grant = budget.ask(caller, **cost)
    return grant.granted, round(grant.wait_seconds, 3)


def caller(priority: Priority, account: int = 1001, client: int = 1) -> Caller:
    return Caller(account, client, priority)


def test_nothing_known_holds_nothing_back(budget: Budget) -> None:
    assert [asked(budget, ACME) for _ in range(5)] == [(True, 0.0)] * 5


@pytest.mark.parametrize(
    ("percent", "answer"),
    [(74.9, (True, 0.0)), (75, (True, 0.5)), (85, (True, 5.25)), (94, (True, 9.525)),
     (95, (False, 60.0)), (118, (False, 60.0))],
)  # fmt: skip
@pytest.mark.parametrize("scope", ["app", "app:ads_insights", "act:1001", "act:1001:ads_insights"])
def test_every_meter_slows_down_and_stops(
    budget: Budget, scope: str, percent: float, answer: tuple[bool, float]
) -> None:
    budget.note([Meter(scope, percent)])
    assert asked(budget, ACME) == answer


def test_an_accounts_meter_is_nothing_to_other_accounts(budget: Budget) -> None:
    budget.note([Meter("act:1001", 99), Meter("act:1001:ads_insights", 99, 600)])
    assert asked(budget, OTHER) == (True, 0.0)
    assert not budget.ask(ACME).granted


def test_under_pressure_backfill_stops_first_then_reports_and_live_last(budget: Budget) -> None:
    def who_goes(percent: float) -> list[str]:
        budget.note([Meter("app", percent)])
        return [p for p in ("live", "report", "backfill") if budget.ask(caller(p)).granted]

    assert who_goes(79) == ["live", "report", "backfill"]
    assert who_goes(80) == ["live", "report"]
    assert who_goes(88) == ["live"]
    assert who_goes(95) == []


def test_after_a_stop_one_call_may_look_and_the_next_keep_their_distance(
    budget: Budget, clock: Clock
) -> None:
    budget.note([Meter("act:1001", 97)])
    clock.now += 59
    assert asked(budget, ACME) == (False, 1.0)
    clock.now += 1
    assert [asked(budget, ACME) for _ in range(3)] == [(True, 0.0), (True, 10.0), (True, 20.0)]


def test_a_wait_meta_told_is_kept_and_nothing_shortens_it(budget: Budget, clock: Clock) -> None:
    budget.note([Meter("act:1001:ads_insights", 100, 180)])
    budget.hold("act:1001:ads_insights", 30)
    budget.note([Meter("act:1001:ads_insights", 20)])
    assert asked(budget, ACME) == (False, 180.0)
    clock.now += 180
    assert asked(budget, ACME) == (True, 0.0)


def test_a_write_goes_where_reading_insights_is_used_up(budget: Budget) -> None:
    budget.note([Meter("act:1001:ads_insights", 100, 600), Meter("app:ads_insights", 100)])
    assert not budget.ask(ACME).granted
    assert budget.ask(ACME, points=3).granted
    budget.note([Meter("act:1001:ads_management", 100, 60)])
    assert not budget.ask(ACME, points=3).granted


def test_the_limited_tier_has_sixty_points_and_stops_before_them(
    budget: Budget, clock: Clock
) -> None:
    budget.note([Meter("act:1001", 0, tier=LIMITED, is_score=True)])
    granted = 0
    while budget.ask(ACME).granted:
        granted += 1
    assert granted == 57
    assert asked(budget, ACME) == (False, 5.0)
    clock.now += 5
    assert asked(budget, ACME) == (True, 0.0)


def test_a_write_costs_three_points(budget: Budget) -> None:
    budget.note([Meter("act:1001", 0, tier=LIMITED, is_score=True)])
    granted = 0
    while budget.ask(ACME, points=3).granted:
        granted += 1
    assert granted == 19


def test_the_full_tier_and_an_unknown_one_have_nine_thousand(budget: Budget) -> None:
    budget.note([Meter("act:1001", 0, tier=FULL, is_score=True)])
    assert budget.ask(ACME, points=8000, calls=8000).granted
    assert not budget.ask(ACME, points=600, calls=600).granted
    assert budget.ask(OTHER, points=8000, calls=8000).granted


def test_what_meta_tells_of_the_score_corrects_the_prediction_upwards_only(
    budget: Budget,
) -> None:
    budget.note([Meter("act:1001", 90, tier=LIMITED, is_score=True)])
    assert budget.standing(["act:1001"])[0].score_percent == pytest.approx(90)
    budget.note([Meter("act:1001", 10, tier=LIMITED, is_score=True)])
    assert budget.standing(["act:1001"])[0].score_percent == pytest.approx(90)


def test_one_clients_backfill_does_not_starve_another_where_the_app_is_tight(
    budget: Budget, clock: Clock
) -> None:
    greedy, modest = caller("backfill", 1001, 1), caller("backfill", 1002, 2)
    assert budget.ask(modest).granted
    budget.note([Meter("app", 79)])
    pause = 0.5 + 9.5 * 4 / 20
    waits = [asked(budget, greedy)[1] for _ in range(20)]
    assert waits[-1] == pytest.approx(pause + 19 * 2 * pause, abs=0.01)
    assert asked(budget, modest) == (True, pytest.approx(2 * pause, abs=0.01))


def test_a_live_call_does_not_queue_behind_backfill(budget: Budget) -> None:
    budget.note([Meter("act:1001", 78)])
    for _ in range(20):
        budget.ask(caller("backfill"))
    assert asked(budget, caller("live"))[1] == pytest.approx(1.925)


def test_the_standing_tells_meter_tier_wait_and_calls_of_the_hour(
    budget: Budget, clock: Clock
) -> None:
    budget.note([Meter("act:1001:ads_insights", 42.5, 0, FULL)])
    for _ in range(7):
        budget.ask(ACME)
    clock.now += 1800
    budget.ask(ACME, points=3, calls=3)
    told, other = budget.standing(["act:1001:ads_insights", "act:1"])
    assert (told.percent, told.tier, told.calls_last_hour, told.wait_seconds) == (42.5, FULL, 10, 0)
    assert told.age_seconds == pytest.approx(1800)
    assert (other.percent, other.age_seconds, other.calls_last_hour) == (None, None, 0)
    clock.now += 1900
    (later,) = budget.standing(["act:1001:ads_insights"])
    assert (later.percent, later.calls_last_hour) == (None, 3)


def test_two_processes_share_one_budget_and_apps_do_not(
    redis_url: str | None, clock: Clock
) -> None:
    if redis_url is None:
        pytest.skip("no embedded cache here")
    app = secrets.token_hex(4)
    one, two = (RedisBudget(redis_url, app, _Unwanted(), clock=clock) for _ in range(2))
    other = RedisBudget(redis_url, app + "x", _Unwanted(), clock=clock)
    one.note([Meter("act:1001", 0, tier=LIMITED, is_score=True)])
    granted: list[bool] = []

    def call(it: RedisBudget) -> None:
        granted.extend(it.ask(ACME).granted for _ in range(40))

    threads = [threading.Thread(target=call, args=(it,)) for it in (one, two, one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 57
    assert other.ask(ACME).granted
    keys = list(one._redis.scan_iter(f"{PREFIX}{{{app}}}:*"))
    assert keys
    assert all(0 < one._redis.ttl(k) <= 7260 for k in keys)


def test_without_a_clock_of_ours_redis_tells_the_time(redis_url: str | None) -> None:
    if redis_url is None:
        pytest.skip("no embedded cache here")
    shared = RedisBudget(redis_url, secrets.token_hex(4), _Unwanted())
    shared.hold("app", 100)
    grant = shared.ask(ACME)
    assert not grant.granted
    assert (grant.scope, 90 < grant.wait_seconds <= 100) == ("app", True)


def test_where_redis_is_gone_a_budget_of_its_own_takes_over_and_one_line_says_so(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fallback = LocalBudget(clock)
    alone = RedisBudget("redis://127.0.0.1:1/0", "x", fallback, clock=clock, monotonic=clock)
    alone.note([Meter("act:1001", 0, tier=LIMITED, is_score=True)])
    granted = 0
    while alone.ask(ACME).granted:
        granted += 1
        clock.now += 0.001
    assert granted == 57
    clock.now += 6
    alone.hold("app", 50)
    clock.now += 6
    assert asked(alone, ACME)[0] is False
    assert alone.standing(["app"])[0].wait_seconds == pytest.approx(44)
    warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == ["quota_not_shared error=ConnectionError"]


def test_when_redis_comes_back_it_is_used_again(
    redis_url: str | None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    if redis_url is None:
        pytest.skip("no embedded cache here")
    # Reason: by name, because another test of this process may have set the package's level.
    caplog.set_level(logging.INFO, logger="adlab.realtime.quota")
    shared = RedisBudget(
        "redis://127.0.0.1:1/0", secrets.token_hex(4), LocalBudget(clock), clock=clock,
        monotonic=clock,
    )  # fmt: skip
    assert shared.ask(ACME).granted
    shared.close()
    shared._url, shared._redis, shared._scripts = redis_url, None, {}
    clock.now += 6
    assert shared.ask(ACME).granted
    assert "quota_shared_again" in caplog.text
    assert shared.standing(["app"])[0].calls_last_hour == 1
