"""The quota of one app inside one process: the same rules as the shared one, without Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adlab.core.quota import (
    ACTIVE_SECONDS,
    COUNT_SECONDS,
    FRESH_SECONDS,
    KEPT_SECONDS,
    SCORE_DECAY_SECONDS,
    SLOWEST_PAUSE,
    STOP_SECONDS,
    STOPS,
    Caller,
    Grant,
    Meter,
    Standing,
    pause_at,
    score_limit,
)

_HOUR = 3600.0


@dataclass
class _Scope:
    """What is known of one scope; times are seconds on the budget's clock."""

    percent: float | None = None
    seen_at: float = 0.0
    hold_until: float = 0.0
    tier: str | None = None
    score: float = 0.0
    score_at: float = 0.0
    last: dict[str, float] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    used_at: float = 0.0

    def score_now(self, now: float) -> float:
        passed = max(0.0, now - self.score_at)
        return max(0.0, self.score - passed * score_limit(self.tier) / SCORE_DECAY_SECONDS)


class LocalBudget:
    """A `core.quota.Budget` for the threads of one process.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._scopes: dict[str, _Scope] = {}
        self._clients: dict[int, float] = {}
        self._swept_at = clock()

    def ask(self, caller: Caller, *, points: int = 1, calls: int = 1) -> Grant:
        """See `Budget.ask`."""
        with self._lock:
            now = self._clock()
            self._sweep(now)
            self._clients[caller.client_id or 0] = now
            names = caller.scopes(is_write=points > calls)
            waits = [(self._wait(n, caller, points, now), n) for n in names]
            longest, scope = max(waits)
            if longest > 0:
                return Grant(False, longest, scope)
            slots = [(self._slot(n, caller, now), n) for n in names]
            at, scope = max(slots)
            for name in names:
                self._count(name, caller, points, calls, now, at)
            return Grant(True, max(0.0, at - now), scope if at > now else "")

    def note(self, meters: Sequence[Meter]) -> None:
        """See `Budget.note`."""
        with self._lock:
            now = self._clock()
            for meter in meters:
                scope = self._scope(meter.scope, now)
                scope.percent, scope.seen_at = meter.percent, now
                scope.tier = meter.tier or scope.tier
                if meter.is_score:
                    told = meter.percent * score_limit(scope.tier) / 100
                    scope.score, scope.score_at = max(scope.score_now(now), told), now
                if meter.wait_seconds:
                    scope.hold_until = max(scope.hold_until, now + meter.wait_seconds)

    def hold(self, scope: str, seconds: float) -> None:
        """See `Budget.hold`."""
        with self._lock:
            now = self._clock()
            known = self._scope(scope, now)
            known.hold_until = max(known.hold_until, now + seconds)

    def standing(self, scopes: Sequence[str]) -> list[Standing]:
        """See `Budget.standing`."""
        with self._lock:
            now = self._clock()
            return [self._standing(n, self._scopes.get(n) or _Scope(), now) for n in scopes]

    def _scope(self, name: str, now: float) -> _Scope:
        scope = self._scopes.setdefault(name, _Scope())
        scope.used_at = now
        return scope

    def _wait(self, name: str, caller: Caller, points: int, now: float) -> float:
        """Seconds until a scope can let a call through."""
        scope = self._scopes.get(name)
        if scope is None:
            return 0.0
        if scope.hold_until > now:
            return scope.hold_until - now
        if scope.hold_until:
            # Reason: the wait Meta asked for is over, so the reading before it says nothing more.
            scope.hold_until, scope.percent = 0.0, None
        stop, wait = STOPS[caller.priority], 0.0
        if scope.percent is not None and scope.percent >= stop:
            wait = max(0.0, scope.seen_at + STOP_SECONDS - now)
        if name == caller.account_scope:
            top = score_limit(scope.tier)
            over = scope.score_now(now) + points - top * stop / 100
            # Reason: a batch may cost more points than fit; it goes when nothing else is counted.
            if scope.score_now(now) > 0:
                wait = max(wait, min(over, scope.score_now(now)) * SCORE_DECAY_SECONDS / top)
        return wait

    def _slot(self, name: str, caller: Caller, now: float) -> float:
        """When the next call in a scope is due, by the pace its percentage asks for."""
        scope = self._scopes.get(name)
        if scope is None or scope.percent is None or now - scope.seen_at > FRESH_SECONDS:
            return now
        stopped = scope.percent >= STOPS[caller.priority]
        pause = SLOWEST_PAUSE if stopped else pause_at(scope.percent)
        if not pause:
            return now
        # Reason: each client has its own lane in the app's scope, so a client that asks much
        # waits for its own calls and not others for them.
        share = len(self._clients) if name.startswith("app") else 1
        last = scope.last.get(_lane(name, caller), float("-inf"))
        return max(now, last + pause * share, scope.seen_at + pause)

    def _count(
        self, name: str, caller: Caller, points: int, calls: int, now: float, at: float
    ) -> None:
        scope = self._scope(name, now)
        scope.last[_lane(name, caller)] = at
        place = int(now // COUNT_SECONDS)
        scope.counts[place] = scope.counts.get(place, 0) + calls
        if name == caller.account_scope:
            scope.score, scope.score_at = scope.score_now(now) + points, now

    def _standing(self, name: str, scope: _Scope, now: float) -> Standing:
        known = scope.percent is not None and now - scope.seen_at <= _HOUR
        oldest = int((now - _HOUR) // COUNT_SECONDS)
        score = scope.score_now(now) / score_limit(scope.tier) * 100 if scope.score_at else None
        return Standing(
            name,
            scope.percent if known else None,
            now - scope.seen_at if known else None,
            max(0.0, scope.hold_until - now),
            scope.tier,
            sum(n for place, n in scope.counts.items() if place > oldest),
            score,
        )

    def _sweep(self, now: float) -> None:
        """Forget clients that are quiet and scopes nobody uses."""
        self._clients = {c: t for c, t in self._clients.items() if now - t <= ACTIVE_SECONDS}
        if now - self._swept_at < COUNT_SECONDS:
            return
        self._swept_at = now
        self._scopes = {
            n: s for n, s in self._scopes.items()
            if now - s.used_at <= KEPT_SECONDS or s.hold_until > now
        }  # fmt: skip
        oldest = int((now - _HOUR) // COUNT_SECONDS)
        for scope in self._scopes.values():
            scope.counts = {p: n for p, n in scope.counts.items() if p >= oldest}


def _lane(name: str, caller: Caller) -> str:
    client = caller.client_id or 0 if name.startswith("app") else 0
    return f"{client}:{caller.priority}"
