"""How often one address may be wrong: many names tried from one place are slowed down.

Beside the lock of a name after repeated failures, which one person's typing meets. In the memory
of the hub's process: a restart forgives, and restarts are not the guesser's to make.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adlab.storage.passwords import lock_minutes

BURST = 20.0
SECONDS_EACH = 6.0
MOST_ADDRESSES = 50_000


class Throttle:
    """A bucket an address; each attempt takes one out, a right password puts it back.

    Args:
        clock: Seconds; tests move it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, address: str) -> int:
        """Note an attempt; 0 when it may go on, else seconds to wait."""
        left = self._left(address)
        if left < 1:
            return math.ceil((1 - left) * SECONDS_EACH)
        self._buckets[address] = (left - 1, self._clock())
        return 0

    def give_back(self, address: str) -> None:
        """The attempt was right: people of one office do not slow each other down."""
        self._buckets[address] = (min(BURST, self._left(address) + 1), self._clock())

    def _left(self, address: str) -> float:
        now = self._clock()
        if len(self._buckets) > MOST_ADDRESSES:
            full = BURST * SECONDS_EACH
            self._buckets = {k: v for k, v in self._buckets.items() if now - v[1] < full}
        if len(self._buckets) > MOST_ADDRESSES:
            # Reason: memory is bounded even while the whole world guesses.
            self._buckets.clear()
        left, at = self._buckets.get(address, (BURST, now))
        return min(BURST, left + (now - at) / SECONDS_EACH)


class UnknownNames:
    """Locks names that nobody has, as those of people are locked.

    Reason: a lock that only real names meet tells which names are real. Kept as digests, because
    people type passwords there, and in memory, because there is no row to keep it in.

    Args:
        clock: Aware time; tests move it.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._failures: dict[bytes, tuple[int, datetime]] = {}

    def locked_until(self, name: str) -> datetime | None:
        """Until when a name is locked; None while it is not."""
        _, until = self._failures.get(_digest(name), (0, self._clock()))
        return until if until > self._clock() else None

    def failed(self, name: str) -> None:
        """Note a wrong password for a name that nobody has."""
        if len(self._failures) > MOST_ADDRESSES:
            # Reason: memory is bounded even while the whole world guesses.
            self._failures.clear()
        count = self._failures.get(_digest(name), (0, self._clock()))[0] + 1
        until = self._clock() + timedelta(minutes=lock_minutes(count))
        self._failures[_digest(name)] = (count, until)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.strip().encode("utf-8", "surrogatepass")).digest()
