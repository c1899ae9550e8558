"""Today grows with the clock; conversions arrive until day 28 and then never change."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from adlab.simulator import periods
from adlab.simulator.restatement import arrived_share, delivered_share, hour_shares

from .conftest import WINDOWS, Caller

DAY = "2026-11-19"


def counts(tiny: Caller, day: str = DAY, account: str = "1002") -> dict[str, int]:
    return tiny.truth(account=account, level="account", since=day, until=day, group="total")[
        "rows"
    ][0]


def test_conversions_grow_until_day_28_and_delivery_stands_still(tiny: Caller) -> None:
    names = [
        f"{what}_{window}"
        for what in ("purchases", "revenue_minor", "content_views")
        for window in WINDOWS
    ]
    seen = [counts(tiny)]
    for _ in range(35):
        tiny.clock(advance_seconds=86_400)
        seen.append(counts(tiny))
    for before, after in pairwise(seen):
        assert before["spend_minor"] == after["spend_minor"]
        assert before["impressions"] == after["impressions"]
        assert all(before[name] <= after[name] for name in names)
    # The clock started at 19:07 in Tokyo on the 21st, so step 26 is day 28 after the 19th.
    assert seen[26] == seen[35]
    assert seen[25]["content_views_28d_click"] <= seen[26]["content_views_28d_click"]
    assert seen[0]["content_views_28d_click"] < seen[26]["content_views_28d_click"]


def test_short_windows_fill_before_long_ones(tiny: Caller) -> None:
    early = counts(tiny, "2026-11-20")
    tiny.clock(advance_seconds=40 * 86_400)
    late = counts(tiny, "2026-11-20")

    def share(window: str, part: str | None = None) -> float:
        name = "content_views_"
        done, end = early[name + window], late[name + window]
        if part:
            done, end = done - early[name + part], end - late[name + part]
        return done / end

    assert share("1d_click") > share("7d_click", "1d_click") > share("28d_click", "7d_click")


def test_today_grows_with_every_refresh_and_not_between(tiny: Caller) -> None:
    query = {"date_preset": "today", "fields": "impressions,spend"}
    first = tiny.get("act_1001/insights", **query)
    tiny.clock(advance_seconds=60)
    assert tiny.get("act_1001/insights", **query)["data"] == first["data"]
    same = counts(tiny, "2026-11-21", "1001")
    tiny.clock(advance_seconds=900)
    later = counts(tiny, "2026-11-21", "1001")
    assert later["impressions"] > same["impressions"]
    assert later["spend_minor"] > same["spend_minor"]


def test_today_is_the_accounts_own_day(launch: Any) -> None:
    tiny = launch(now="2026-11-21T16:00:00Z")
    berlin = tiny.get("act_1001/insights", date_preset="today", fields="spend")["data"][0]
    tokyo = tiny.get("act_1002/insights", date_preset="today", fields="spend")["data"][0]
    assert berlin["date_start"] == "2026-11-21"
    assert tokyo["date_start"] == "2026-11-22"


def test_a_finished_report_keeps_the_numbers_of_its_creation(tiny: Caller) -> None:
    made = tiny.post("act_1001/insights", date_preset="today", fields="impressions").json()
    before = tiny.get(f"{made['report_run_id']}/insights")["data"]
    tiny.clock(advance_seconds=7200)
    assert tiny.get(f"{made['report_run_id']}/insights")["data"] == before


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-20", 24)]
)
def test_days_have_23_24_or_25_hours(day: str, hours: int) -> None:
    zone, number = ZoneInfo("Europe/Berlin"), date.fromisoformat(day).toordinal()
    assert len(periods.hours_of_day(zone, number)) == hours
    assert sum(hour_shares(zone, number)) == pytest.approx(1)
    start = periods.day_start(zone, number)
    moments = np.linspace(start - 3600, start + 26 * 3600, 200)
    shares = [delivered_share(zone, number, moment) for moment in moments]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(a <= b for a, b in pairwise(shares))
    assert arrived_share(zone, number, start + 28 * 86_400 + 7200, "c28") == 1
