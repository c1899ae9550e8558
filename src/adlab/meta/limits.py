"""Usage headers → meters of the quota, and waiting until the next call is allowed.

Meta meters per app and account. Every entry of every header counts, not only the first; waiting
times come in minutes in one header and seconds in another.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from adlab.core.errors import RateLimitedError
from adlab.core.quota import BLOCK_SECONDS, FULL, Budget, Caller, Meter
from adlab.meta.quota import LocalBudget

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 900.0
_SHARES = ("call_count", "total_cputime", "total_time")
_APP_CODES = {4, 32, 341}
_USES = {80000: "ads_insights", 80004: "ads_management"}


@dataclass(frozen=True)
class Usage:
    """How much is used, in percent of the tightest meter, and seconds until it frees up.

    Attributes:
        percent: Of the tightest meter.
        wait_seconds: The longest wait any meter asks for.
        meters: Each of them; scopes of accounts are those of the caller.
    """

    percent: float = 0.0
    wait_seconds: float = 0.0
    meters: tuple[Meter, ...] = field(default=(), compare=False)


def read_usage(headers: Mapping[str, str], caller: Caller | None = None) -> Usage:
    """All meters of all usage headers of an answer; none when there are none.

    Args:
        headers: By lower-case name.
        caller: Whose account the meters are of that name none.
    """
    caller = caller or Caller()
    account = caller.account_scope
    meters: list[Meter] = []
    app = _json(headers.get("x-app-usage"))
    if isinstance(app, dict):
        meters.append(Meter("app", max(_float(app.get(k)) for k in _SHARES)))
    throttle = _json(headers.get("x-fb-ads-insights-throttle"))
    if isinstance(throttle, dict):
        tier = _tier(throttle)
        meters.append(Meter("app:ads_insights", _float(throttle.get("app_id_util_pct")), tier=tier))
        share = _float(throttle.get("acc_id_util_pct"))
        meters.append(Meter(f"{account}:ads_insights", share, tier=tier))
    own = _json(headers.get("x-ad-account-usage"))
    if isinstance(own, dict):
        share = _float(own.get("acc_id_util_pct"))
        # Reason: below the limit the reset time says when the meter starts anew, not to wait.
        wait = _float(own.get("reset_time_duration")) if share >= 100 else 0.0
        meters.append(Meter(account, share, wait, _tier(own), is_score=True))
    buckets = _json(headers.get("x-business-use-case-usage"))
    if isinstance(buckets, dict):
        for number, entries in buckets.items():
            scope = f"act:{number}" if caller.account_id is not None else account
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict):
                    meters.append(_business_meter(scope, entry))
    return Usage(
        max((m.percent for m in meters), default=0.0),
        max((m.wait_seconds for m in meters), default=0.0),
        _tightest(meters),
    )


def _business_meter(scope: str, entry: Mapping[str, Any]) -> Meter:
    return Meter(
        f"{scope}:{entry.get('type') or 'ads_management'}",
        max(_float(entry.get(k)) for k in _SHARES),
        # Reason: this one is in minutes, unlike reset_time_duration.
        60 * _float(entry.get("estimated_time_to_regain_access")),
        _tier(entry),
    )


def _tightest(meters: list[Meter]) -> tuple[Meter, ...]:
    """One meter a scope: the fullest, with the longest wait of any."""
    found: dict[str, Meter] = {}
    for m in meters:
        known = found.get(m.scope)
        if known is not None:
            m = replace(
                m, percent=max(m.percent, known.percent), tier=m.tier or known.tier,
                wait_seconds=max(m.wait_seconds, known.wait_seconds),
                is_score=m.is_score or known.is_score,
            )  # fmt: skip
        found[m.scope] = m
    return tuple(found.values())


class Pace:
    """Keeps one client's calls inside the quota; shared by threads.

    Slows down from 75 % of the tightest meter, stops at 95 % (reports and back-fill earlier) until
    the meter frees up.

    Args:
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
        budget: The app's quota; one of this client alone when omitted.
        caller: For whom calls are made.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        budget: Budget | None = None,
        caller: Caller | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self.budget = budget or LocalBudget(clock)
        self.caller = caller or Caller()
        self.peak_percent = 0.0

    def wait(self, points: int = 1, calls: int = 1) -> None:
        """Block until the next call is allowed, and count it.

        Args:
            points: What it costs: a read 1, a write 3.
            calls: How many calls it is; a batch is several.

        Raises:
            RateLimitedError: If that is more than a quarter of an hour away; nobody should sit
                before a command that long without knowing why.
        """
        waited = 0.0
        while True:
            grant = self.budget.ask(self.caller, points=points, calls=calls)
            delay = grant.wait_seconds
            # Reason: time the next asker needs anyway must not turn into a failure of this one.
            if delay > LONGEST_WAIT_SECONDS or (not grant.granted and waited + delay > 2 * 900):
                raise RateLimitedError(
                    f"Meta's quota is used up for another {delay / 60:.0f} minutes.",
                    "Run the same command again then; what was committed is not read twice.",
                    retry_after=delay,
                )
            if delay > 0:
                if delay >= 10:
                    log.warning("meta_quota_wait seconds=%.0f scope=%s priority=%s", delay,
                                grant.scope, self.caller.priority)  # fmt: skip
                self._sleep(delay)
                waited += delay
            if grant.granted:
                return

    def note(self, usage: Usage) -> None:
        """Learn from an answer's headers."""
        with self._lock:
            self.peak_percent = max(self.peak_percent, usage.percent)
        meters = usage.meters
        if not meters and (usage.percent or usage.wait_seconds):
            meters = (Meter(self.caller.account_scope, usage.percent, usage.wait_seconds),)
        if meters:
            self.budget.note(meters)

    def hold(self, seconds: float, code: int | None = None) -> None:
        """Let nobody call for some seconds, after a limit was hit.

        Args:
            seconds: How long.
            code: Meta's code, which says whether app, account or one use of it is limited.
        """
        scope = self.caller.account_scope
        if code in _APP_CODES:
            scope = "app"
        elif code in _USES:
            scope = f"{scope}:{_USES[code]}"
        self.budget.hold(scope, seconds)

    def block_seconds(self) -> float:
        """How long a used-up score blocks an account: by its tier.

        Meta names the tier with nearly every answer; until then the shorter block is tried.
        """
        (standing,) = self.budget.standing([self.caller.account_scope])
        return BLOCK_SECONDS[standing.tier if standing.tier in BLOCK_SECONDS else FULL]


def _tier(values: Mapping[str, Any]) -> str | None:
    tier = values.get("ads_api_access_tier")
    return tier if isinstance(tier, str) and tier in BLOCK_SECONDS else None


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
