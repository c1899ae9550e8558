"""How often somebody may call in a minute: counted in Redis for all processes, or in this one.

A window is a minute of the clock. Keys are `adlab:calls:<who>:<window>` and expire with it; `who`
is a hash, so that Redis learns no token. Without an answer from Redis each process counts alone,
and Redis is tried again after a moment.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from adlab.realtime.events import QUIET_SECONDS, TIMEOUT_SECONDS

log = logging.getLogger(__name__)

PREFIX = "adlab:calls:"
WINDOW_SECONDS = 60
# Reason: a stranger's guesses must not fill the memory of a process that counts alone.
MOST_KNOWN = 20_000


@dataclass(frozen=True)
class Count:
    """Where somebody stands after a call.

    Attributes:
        limit: Calls a window.
        used: Calls in this window, this one included.
        reset_seconds: Until the next window, at least 1.
    """

    limit: int
    used: int
    reset_seconds: int

    @property
    def remaining(self) -> int:
        """Calls left."""
        return max(0, self.limit - self.used)

    @property
    def refused(self) -> bool:
        """Whether this call is one too many."""
        return self.used > self.limit


class CallCounter:
    """Counts calls by whom they come from.

    Args:
        redis_url: Where all processes count together; None counts in this process.
        clock: Epoch seconds; tests move it.
    """

    def __init__(self, redis_url: str | None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}
        self._redis: Any = None
        self._silent_until = 0.0
        if redis_url:
            import redis

            self._redis = redis.Redis.from_url(
                redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
            )

    def take(self, who: str, limit: int) -> Count:
        """Count one call.

        Args:
            who: Whose; any text, kept as a hash.
            limit: Calls a minute.
        """
        now = self._clock()
        window = int(now // WINDOW_SECONDS)
        left = max(1, math.ceil((window + 1) * WINDOW_SECONDS - now))
        name = sha256(who.encode()).hexdigest()[:32]
        used = self._shared(name, window, now)
        if used is None:
            used = self._alone(name, window)
        return Count(limit, used, left)

    def _shared(self, name: str, window: int, now: float) -> int | None:
        """The count in Redis; None where there is none, or no answer."""
        if self._redis is None or now < self._silent_until:
            return None
        import redis

        key = f"{PREFIX}{name}:{window}"
        try:
            with self._redis.pipeline(transaction=False) as steps:
                steps.incr(key)
                steps.expire(key, 2 * WINDOW_SECONDS)
                return int(steps.execute()[0])
        except redis.RedisError as error:
            log.warning("calls_counted_alone error=%s", type(error).__name__)
            self._silent_until = now + QUIET_SECONDS
            return None

    def _alone(self, name: str, window: int) -> int:
        with self._lock:
            if len(self._counts) > MOST_KNOWN:
                self._counts = {k: v for k, v in self._counts.items() if k[1] >= window}
            if len(self._counts) > MOST_KNOWN:
                # Reason: all of this minute; whoever floods us gains nothing by a fresh count
                # that the front door's own limits do not take back.
                self._counts.clear()
            used = self._counts.get((name, window), 0) + 1
            self._counts[(name, window)] = used
            return used
