"""Turns by how alive an account is, in its own timezone, whatever its clocks do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adlab.core.entities import Level
from adlab.jobs.clock import last_turn, trigger
from adlab.services.schedule import (
    Schedule,
    account_schedules,
    levels_that_fit,
    temperature,
)
from adlab.storage.jobs import ScheduledAccount

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ACCOUNT = ScheduledAccount(1001, 1, "acme", "Europe/Berlin", date(2026, 11, 21), True, True)


@pytest.mark.parametrize(
    ("spent_on", "active", "loaded", "heat"),
    [
        (None, False, False, "hot"),
        (date(2026, 11, 21), True, True, "hot"),
        (date(2026, 11, 20), False, True, "hot"),
        (date(2026, 11, 19), True, True, "warm"),
        (date(2026, 11, 14), False, True, "warm"),
        (date(2026, 11, 13), False, True, "cold"),
        (date(2026, 1, 1), True, True, "warm"),
        (None, False, True, "cold"),
    ],
)
def test_what_spends_is_hot_and_what_sleeps_is_cold(
    spent_on: date | None, active: bool, loaded: bool, heat: str
) -> None:
    account = replace(ACCOUNT, spent_on=spent_on, active=active, loaded=loaded)
    assert temperature(account, NOW) == heat


def kinds(account: ScheduledAccount) -> dict[str, Schedule]:
    return {s.kind: s for s in account_schedules(account, NOW)}


def fires(schedule: Schedule, since: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    times, before = trigger(schedule), since
    while True:
        following = times.get_next_fire_time(found[-1] if found else None, before)
        if following is None or following > until:
            return found
        found.append(following)
        before = following


def test_a_hot_account_is_read_every_quarter_of_an_hour_and_a_warm_one_every_hour() -> None:
    hour = (NOW, NOW + timedelta(hours=1, seconds=-1))
    assert len(fires(kinds(ACCOUNT)["today"], *hour)) == 4
    warm = replace(ACCOUNT, spent_on=date(2026, 11, 17))
    assert len(fires(kinds(warm)["today"], *hour)) == 1
    cold = replace(ACCOUNT, spent_on=None, active=False)
    assert set(kinds(cold)) == {"night"}


def test_turns_of_many_accounts_are_spread_over_the_hour() -> None:
    minutes = {kinds(replace(ACCOUNT, account_id=1000 + n))["today"].minute for n in range(60)}
    assert len(minutes) == 15


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Europe/Berlin", date(2027, 3, 28)),
        ("America/Los_Angeles", date(2026, 11, 1)),
        ("America/Los_Angeles", date(2027, 3, 14)),
        ("America/Havana", date(2027, 3, 14)),
        ("Australia/Lord_Howe", date(2027, 4, 4)),
    ],
)
def test_a_night_turn_comes_once_a_day_also_when_clocks_change(zone: str, change: date) -> None:
    for number in (1001, 1067, 2099):
        account = replace(ACCOUNT, timezone=zone, account_id=number)
        start = datetime.combine(change - timedelta(days=2), datetime.min.time(), ZoneInfo(zone))
        for kind in ("night", "catalogue", "breakdowns"):
            found = fires(kinds(account)[kind], start, start + timedelta(days=5))
            days = [f.astimezone(ZoneInfo(zone)).date() for f in found]
            assert len(days) == len(set(days)) == 5
            assert all(4 <= f.astimezone(ZoneInfo(zone)).hour <= 6 for f in found)


def test_the_last_turn_is_the_newest_that_is_not_ahead() -> None:
    night = kinds(ACCOUNT)["night"]
    # Account 1001: 04:41 in Berlin, 03:41 UTC.
    assert last_turn(night, NOW) == datetime(2026, 11, 21, 3, 41, tzinfo=UTC)
    assert last_turn(night, datetime(2026, 11, 21, 3, 41, tzinfo=UTC)) == datetime(
        2026, 11, 21, 3, 41, tzinfo=UTC
    )
    assert last_turn(night, datetime(2026, 11, 21, 3, 40, tzinfo=UTC)) == datetime(
        2026, 11, 20, 3, 41, tzinfo=UTC
    )


def test_levels_are_read_from_the_top_as_far_as_the_points_go() -> None:
    rows = {Level.CAMPAIGN: 10_000, Level.AD_SET: 20_000, Level.AD: 60_000}
    assert levels_that_fit(rows, 1000, 45) == (("account", "campaign", "adset"), ("ad",))
    assert levels_that_fit(rows, 1000, float("inf")) == (("account", "campaign", "adset", "ad"), ())
    assert levels_that_fit(rows, 1000, 5) == (("account",), ("campaign", "adset", "ad"))
    assert levels_that_fit({}, 1000, 45)[1] == ()
