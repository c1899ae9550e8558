"""Rate limits: the score bucket per account, hourly business-use-case meters, usage headers.

Times are simulated seconds, so a test that moves the clock also empties the buckets.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass
from math import ceil

from adlab.simulator.errors import GraphError
from adlab.simulator.state import Settings

_DECAY_SECONDS = 300.0
_HOUR = 3600.0
_SCORE = {"limited": (60.0, 300.0), "full": (9000.0, 60.0)}
_BUC = {
    "limited": {"ads_insights": (600, 400), "ads_management": (300, 40)},
    "full": {"ads_insights": (190_000, 400), "ads_management": (100_000, 40)},
}
_BUC_CODES = {"ads_insights": 80000, "ads_management": 80004}
_TIER_NAMES = {"limited": "development_access", "full": "standard_access", "off": "standard_access"}


@dataclass
class _Bucket:
    score: float = 0.0
    seen_at: float = 0.0
    blocked_until: float = 0.0


class QuotaOffice:
    """Counts calls per account and refuses those above the tier's limits.

    Args:
        settings: `quota` says which tier is enforced; `off` counts only.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._buckets: defaultdict[int, _Bucket] = defaultdict(_Bucket)
        self._calls: defaultdict[tuple[int, str], deque[float]] = defaultdict(deque)
        self._errors: defaultdict[int, deque[float]] = defaultdict(deque)
        self._writes: defaultdict[int, deque[float]] = defaultdict(deque)
        self._app: defaultdict[str, deque[float]] = defaultdict(deque)
        self._answers = 0

    def reset(self) -> None:
        """Forget every count and block."""
        self._buckets.clear()
        self._calls.clear()
        self._errors.clear()
        self._writes.clear()
        self._app.clear()

    def bill(self, account: int, use: str, now: float, active_ads: int, points: int = 1) -> None:
        """Count a call of an account.

        Args:
            account: Account number.
            use: `ads_insights` or `ads_management`.
            now: Simulated Unix time.
            active_ads: For the size of the hourly quota.
            points: 1 for a read, 3 for a write.

        Raises:
            GraphError: 17/2446079, 80000 or 80004 when a limit is enforced and reached.
        """
        self._bill_app(use, now)
        calls = self._calls[account, use]
        while calls and calls[0] <= now - _HOUR:
            calls.popleft()
        calls.append(now)
        bucket = self._buckets[account]
        top, block = _SCORE.get(self._settings.quota, _SCORE["full"])
        elapsed = max(now - bucket.seen_at, 0.0)
        bucket.score = max(bucket.score - elapsed * top / _DECAY_SECONDS, 0.0) + points
        bucket.seen_at = now
        if self._settings.quota == "off":
            return
        limit = self._limit(account, use, now, active_ads)
        cputime = len(calls) * self._settings.cputime_percent_per_call
        if len(calls) > limit or cputime > 100:
            raise self._hourly_error(account, use, now, limit)
        if now < bucket.blocked_until or bucket.score > top:
            bucket.blocked_until = max(bucket.blocked_until, now + block)
            raise GraphError(
                17,
                "(#17) User request limit reached",
                subcode=2446079,
                title="Ad account has too many API calls",
                user_message="There have been too many calls from this "
                "ad-account. Wait a bit and try again.",
                headers=self.headers(account, use, now, active_ads, always=True),
            )

    def _bill_app(self, use: str, now: float) -> None:
        """Count a call of the whole app.

        Raises:
            GraphError: 4, or 4/1504022 for insights, above the app's hourly calls.
        """
        most_calls = self._settings.app_calls_per_hour
        meters: list[tuple[str, int, int | None]] = [("all", most_calls, None)]
        if use == "ads_insights":
            meters.append(("insights", self._settings.app_insights_calls_per_hour, 1504022))
        for name, most, subcode in meters:
            made = self._app[name]
            while made and made[0] <= now - _HOUR:
                made.popleft()
            made.append(now)
            if most and len(made) > most:
                raise GraphError(
                    4,
                    "(#4) Application request limit reached",
                    subcode=subcode,
                    status=403,
                    is_transient=True,
                    headers={"x-app-usage": self._app_usage()},
                )

    def _app_usage(self) -> str:
        most = self._settings.app_calls_per_hour
        percent = int(100 * len(self._app["all"]) / most) if most else 1
        return json.dumps({"call_count": percent, "total_cputime": 0, "total_time": 1})

    def pace(self, account: int, seconds: float) -> None:
        """Count a write of an account.

        Args:
            account: Account number.
            seconds: Real monotonic seconds.

        Raises:
            GraphError: 613/5044001 above the writes allowed per second.
        """
        made, most = self._writes[account], self._settings.mutations_per_second
        while made and made[0] <= seconds - 1.0:
            made.popleft()
        if most and len(made) >= most:
            raise GraphError(
                613, "(#613) Calls to this api have exceeded the rate limit.", subcode=5044001
            )
        made.append(seconds)

    def note_error(self, account: int, now: float) -> None:
        """Count an answer of the 4xx kind; they shrink the insights quota a little."""
        errors = self._errors[account]
        errors.append(now)
        while errors and errors[0] <= now - _HOUR:
            errors.popleft()

    def _limit(self, account: int, use: str, now: float, active_ads: int) -> float:
        base, per_ad = _BUC.get(self._settings.quota, _BUC["full"])[use]
        limit = float(base + per_ad * active_ads)
        if use == "ads_insights":
            limit -= 0.001 * len(self._errors[account])
        return max(limit * self._settings.quota_scale, 1.0)

    def _hourly_error(self, account: int, use: str, now: float, limit: float) -> GraphError:
        code = _BUC_CODES[use]
        return GraphError(
            code,
            f"(#{code}) There have been too many calls to this ad-account. Wait a bit and "
            "try again.",
            subcode=2446079,
            title="Too many API calls",
            user_message="There have been too many calls to this ad-account.",
            headers=self.headers(account, use, now, 0, always=True, limit=limit),
        )

    def headers(
        self,
        account: int,
        use: str,
        now: float,
        active_ads: int,
        *,
        always: bool = False,
        limit: float | None = None,
    ) -> dict[str, str]:
        """Write the usage headers of an answer; every so many answers have none."""
        self._answers += 1
        every = self._settings.usage_header_every
        if not always and every and self._answers % every == 0:
            return {}
        tier = _TIER_NAMES[self._settings.quota]
        entries = []
        for kind in ("ads_management", "ads_insights"):
            size = limit if limit and kind == use else self._limit(account, kind, now, active_ads)
            calls = self._calls[account, kind]
            percent = int(100 * len(calls) / size)
            per_call = self._settings.cputime_percent_per_call
            cputime = int(len(calls) * per_call) if per_call else percent // 3
            wait = 0
            if max(percent, cputime) > 100 and calls and self._settings.quota != "off":
                place = min(max(int(len(calls) - size), 0), len(calls) - 1)
                wait = max(ceil((calls[place] + _HOUR - now) / 60), 1)
            entries.append(
                {
                    "type": kind,
                    "call_count": percent,
                    "total_cputime": cputime,
                    "total_time": percent // 3,
                    "estimated_time_to_regain_access": wait,
                    "ads_api_access_tier": tier,
                }
            )
        bucket, (top, _) = self._buckets[account], _SCORE.get(self._settings.quota, _SCORE["full"])
        share = round(100 * bucket.score / top, 2)
        regain = int(max(bucket.blocked_until - now, 0))
        made = {
            "x-business-use-case-usage": json.dumps({str(account): entries}),
            "x-ad-account-usage": json.dumps(
                {
                    "acc_id_util_pct": share,
                    "reset_time_duration": regain,
                    "ads_api_access_tier": tier,
                }
            ),
            "x-app-usage": self._app_usage(),
        }
        if use == "ads_insights":
            made["x-fb-ads-insights-throttle"] = json.dumps(
                {"app_id_util_pct": 1, "acc_id_util_pct": share, "ads_api_access_tier": tier}
            )
        return made
