"""Many wrong attempts from one address are slowed; right ones are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adlab.hub.throttle import BURST, MOST_ADDRESSES, SECONDS_EACH, Throttle, UnknownNames
from adlab.storage.passwords import FAILURES_BEFORE_LOCK


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_address_runs_dry_and_another_does_not() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.take("a") for _ in range(int(BURST))] == [0] * int(BURST)
    assert throttle.take("a") == SECONDS_EACH
    assert throttle.take("b") == 0
    clock.now += SECONDS_EACH
    assert throttle.take("a") == 0
    assert throttle.take("a") > 0
    clock.now += 10_000
    assert [throttle.take("a") for _ in range(int(BURST))] == [0] * int(BURST)
    assert throttle.take("a") > 0


def test_an_office_that_logs_in_at_nine_is_not_slowed() -> None:
    throttle = Throttle(Clock())
    for _ in range(500):
        assert throttle.take("office") == 0
        throttle.give_back("office")


def test_memory_is_bounded_whoever_guesses() -> None:
    throttle = Throttle(Clock())
    for number in range(MOST_ADDRESSES + 10):
        throttle.take(str(number))
    assert len(throttle._buckets) <= MOST_ADDRESSES + 1


def test_a_name_nobody_has_is_locked_like_a_real_one() -> None:
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    names = UnknownNames(lambda: now[0])
    for _ in range(FAILURES_BEFORE_LOCK - 1):
        names.failed("nobody")
        assert names.locked_until("nobody") is None
    names.failed(" nobody ")
    assert names.locked_until("nobody") == now[0] + timedelta(minutes=1)
    assert names.locked_until("somebody") is None
    now[0] += timedelta(minutes=2)
    assert names.locked_until("nobody") is None
    names.failed("nobody")
    assert names.locked_until("nobody") == now[0] + timedelta(minutes=2)


def test_strangers_fill_no_memory() -> None:
    names = UnknownNames()
    for number in range(MOST_ADDRESSES + 10):
        names.failed(str(number))
    assert len(names._failures) <= MOST_ADDRESSES + 1
