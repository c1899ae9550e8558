"""The simulator's clock: real by default, frozen or moved when a test says so.

Insights are computed as of the *refresh tick*, the last quarter of an hour. Durations that a
client really waits for (asynchronous jobs, latency) do not use this clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

REFRESH_SECONDS = 900


class SimulatorClock:
    """Tells the simulated time as Unix seconds.

    Args:
        start: Aware start time; given, the clock stands still there until it is moved.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._shift = 0.0
        self._frozen: float | None = None if start is None else start.timestamp()

    def now(self) -> float:
        """Give the simulated time in Unix seconds."""
        return time.time() + self._shift if self._frozen is None else self._frozen

    def tick(self) -> int:
        """Give the time of the newest data refresh in Unix seconds."""
        return int(self.now()) // REFRESH_SECONDS * REFRESH_SECONDS

    @property
    def is_frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen is not None

    def freeze_at(self, moment: datetime) -> None:
        """Set the time and stop there."""
        self._frozen = moment.timestamp()

    def advance(self, seconds: float) -> None:
        """Move the time; a running clock keeps running, a frozen one stays frozen."""
        if self._frozen is None:
            self._shift += seconds
        else:
            self._frozen += seconds

    def run(self) -> None:
        """Let the clock run on from where it is."""
        if self._frozen is not None:
            self._shift = self._frozen - time.time()
            self._frozen = None

    def follow_real_time(self) -> None:
        """Return to the machine's time."""
        self._frozen = None
        self._shift = 0.0


def parse_moment(text: str) -> datetime:
    """Read an ISO time; without an offset it is taken as UTC.

    Raises:
        ValueError: If the text is no ISO date or time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso_utc(seconds: float) -> str:
    """Write Unix seconds as an ISO time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
