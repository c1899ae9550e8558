"""Usage headers: every entry counts, minutes are not seconds, nonsense is no reason to stop."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adlab.meta.limits import Pace, Usage, read_usage

from .wire import FakeTime


def usage(**headers: Any) -> Usage:
    texts = {k.replace("_", "-"): v if isinstance(v, str) else json.dumps(v)
             for k, v in headers.items()}  # fmt: skip
    return read_usage(httpx.Headers(texts))


def test_no_header_means_nothing_is_known() -> None:
    assert usage() == Usage(0.0, 0.0)


def test_the_tightest_meter_of_the_app_counts() -> None:
    assert usage(x_app_usage={"call_count": 28, "total_cputime": 61, "total_time": 25}) == Usage(61)


def test_every_entry_of_every_account_counts_and_not_only_the_first() -> None:
    entries = {
        "1001": [
            {"type": "ads_management", "call_count": 3, "total_cputime": 1, "total_time": 2},
            {"type": "ads_insights", "call_count": 97, "total_cputime": 23, "total_time": 23},
        ],
        "1002": [{"type": "ads_insights", "call_count": 4, "estimated_time_to_regain_access": 7}],
    }
    assert usage(x_business_use_case_usage=entries) == Usage(97.0, 7 * 60.0)


def test_regain_comes_in_minutes_and_reset_in_seconds() -> None:
    regain = {"1": [{"call_count": 1, "estimated_time_to_regain_access": 2}]}
    assert usage(x_business_use_case_usage=regain).wait_seconds == 120.0
    reset = {"acc_id_util_pct": 100, "reset_time_duration": 45}
    assert usage(x_ad_account_usage=reset).wait_seconds == 45.0


def test_a_reset_time_below_the_limit_is_no_reason_to_wait() -> None:
    assert usage(x_ad_account_usage={"acc_id_util_pct": 9.67, "reset_time_duration": 100}) == Usage(
        9.67
    )


def test_the_insights_throttle_counts_app_and_account() -> None:
    throttle = {"app_id_util_pct": 100, "acc_id_util_pct": 10}
    assert usage(x_fb_ads_insights_throttle=throttle).percent == 100.0


def test_more_than_a_hundred_percent_is_possible() -> None:
    assert usage(x_app_usage={"call_count": 118}).percent == 118.0


@pytest.mark.parametrize(
    "value",
    ["", "nonsense", "[]", "null", "7", '{"1001":{}}', '{"1001":["x",null,3]}', '{"1001":null}',
     '{"1001":[{"call_count":"many","estimated_time_to_regain_access":null}]}',
     '{"1001":[{"call_count":"inf","estimated_time_to_regain_access":"inf"}]}',
     '{"1001":[{"call_count":"NaN"}]}', '{"call_count":{}}'],
)  # fmt: skip
@pytest.mark.parametrize(
    "header",
    ["x-app-usage", "x-ad-account-usage", "x-fb-ads-insights-throttle",
     "x-business-use-case-usage"],
)  # fmt: skip
def test_a_malformed_header_is_ignored(header: str, value: str) -> None:
    assert read_usage(httpx.Headers({header: value})) == Usage(0.0, 0.0)


@pytest.mark.parametrize(
    ("percent", "delay"),
    [(0, None), (74.9, None), (75, 0.5), (80, 2.875), (94, 9.525), (95, 60.0), (118, 60.0)],
)
def test_the_fuller_the_slower(percent: float, delay: float | None) -> None:
    time = FakeTime()
    pace = Pace(time.clock, time.sleep)
    pace.note(Usage(percent))
    pace.wait()
    assert time.slept == ([] if delay is None else [pytest.approx(delay)])


def test_a_known_wait_wins_over_the_percentage() -> None:
    time = FakeTime()
    pace = Pace(time.clock, time.sleep)
    pace.note(Usage(100, 240.0))
    pace.wait()
    assert time.slept == [240.0]


def test_a_later_answer_never_shortens_a_wait() -> None:
    time = FakeTime()
    pace = Pace(time.clock, time.sleep)
    pace.note(Usage(100, 240.0))
    pace.note(Usage(80))
    pace.note(Usage())
    pace.wait()
    pace.wait()
    assert time.slept == [240.0]
    assert pace.peak_percent == 100
