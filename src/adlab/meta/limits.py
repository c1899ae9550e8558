"""Usage headers → how much of the quota is used, and how long to wait.

Meta meters per app and account. Every entry of every header counts, not only the first; waiting
times come in minutes in one header and seconds in another.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adlab.core.errors import RateLimitedError

log = logging.getLogger(__name__)

SLOW_FROM_PERCENT = 75.0
STOP_FROM_PERCENT = 95.0
LONGEST_WAIT_SECONDS = 900.0


@dataclass(frozen=True)
class Usage:
    """How much is used, in percent of the tightest meter, and seconds until it frees up."""

    percent: float = 0.0
    wait_seconds: float = 0.0


def read_usage(headers: Mapping[str, str]) -> Usage:
    """The tightest meter of all usage headers of an answer; zero when there are none."""
    percent, wait = 0.0, 0.0
    for name in ("x-app-usage", "x-ad-account-usage", "x-fb-ads-insights-throttle"):
        values = _json(headers.get(name))
        if isinstance(values, dict):
            for key in ("call_count", "total_cputime", "total_time", "acc_id_util_pct",
                        "app_id_util_pct"):  # fmt: skip
                percent = max(percent, _float(values.get(key)))
            if _float(values.get("acc_id_util_pct")) >= 100:
                wait = max(wait, _float(values.get("reset_time_duration")))
    buckets = _json(headers.get("x-business-use-case-usage"))
    if isinstance(buckets, dict):
        for entries in buckets.values():
            for entry in entries if isinstance(entries, list) else []:
                if not isinstance(entry, dict):
                    continue
                for key in ("call_count", "total_cputime", "total_time"):
                    percent = max(percent, _float(entry.get(key)))
                # Reason: this one is in minutes, unlike reset_time_duration.
                wait = max(wait, 60 * _float(entry.get("estimated_time_to_regain_access")))
    return Usage(percent, wait)


class Pace:
    """Keeps one token's calls inside the quota; shared by threads.

    Slows down from 75 % of the tightest meter, stops at 95 % until the meter frees up.

    Args:
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._percent = 0.0
        self.peak_percent = 0.0

    def wait(self) -> None:
        """Block until the next call is allowed.

        Raises:
            RateLimitedError: If that is more than a quarter of an hour away; nobody should sit
                before a command that long without knowing why.
        """
        with self._lock:
            delay = self._not_before - self._clock()
        if delay > LONGEST_WAIT_SECONDS:
            raise RateLimitedError(
                f"Meta's quota is used up for another {delay / 60:.0f} minutes.",
                "Run the same command again then; what was committed is not read twice.",
                retry_after=delay,
            )
        if delay > 0:
            if delay >= 10:
                log.warning("meta_quota_wait seconds=%.0f used_percent=%.0f", delay, self._percent)
            self._sleep(delay)

    def note(self, usage: Usage) -> None:
        """Learn from an answer's headers."""
        with self._lock:
            self._percent = usage.percent
            self.peak_percent = max(self.peak_percent, usage.percent)
            delay = usage.wait_seconds
            if not delay and usage.percent >= STOP_FROM_PERCENT:
                delay = 60.0
            elif not delay and usage.percent >= SLOW_FROM_PERCENT:
                share = (usage.percent - SLOW_FROM_PERCENT) / (
                    STOP_FROM_PERCENT - SLOW_FROM_PERCENT
                )
                delay = 0.5 + 9.5 * share
            if delay:
                self._not_before = max(self._not_before, self._clock() + delay)

    def hold(self, seconds: float) -> None:
        """Let nobody call for some seconds, after a limit was hit."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock() + seconds)


def _json(text: str | None) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _float(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) else 0.0
