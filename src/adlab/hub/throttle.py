"""How often one address may be wrong: many names tried from one place are slowed down.

Beside the lock of a name after repeated failures, which one person's typing meets. In the memory
of the hub's process: a restart forgives, and restarts are not the guesser's to make.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

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
