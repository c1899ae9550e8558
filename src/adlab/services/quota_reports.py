"""Have Meta make the reports of coming slices while earlier ones are read and stored."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from adlab.core.entities import Level
from adlab.core.periods import DateRange
from adlab.meta.insights import InsightsReader

# Slices looked ahead, and with it reports of one run that are being made side by side.
SLICES_AHEAD = 12
_ASKERS = 4


class ReadAhead:
    """Readers of one account's slices, those of large slices with their reports on the way.

    Args:
        first: The account's reader; the others share what it learned.
    """

    def __init__(self, first: InsightsReader) -> None:
        self._first = first
        self._asked: dict[tuple[Level, DateRange], tuple[InsightsReader, Future[bool]]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def ask(self, level: Level, period: DateRange, expected_rows: int) -> None:
        """Ask for a slice's reports if it is large; once, and without waiting for the answer."""
        key = (level, period)
        if key in self._asked or not self._first.wants_report(level, period, expected_rows):
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_ASKERS, thread_name_prefix="ahead")
        reader = self._first.another()
        asked = self._pool.submit(reader.ask_ahead, level, period, expected_rows)
        self._asked[key] = (reader, asked)

    def reader(self, level: Level, period: DateRange) -> InsightsReader:
        """The reader for a slice; only the first time the one whose reports were asked for."""
        found = self._asked.get((level, period))
        if found is None:
            return self._first.another()
        reader, asked = found
        self._asked[(level, period)] = (self._first.another(), asked)
        asked.result()
        return reader

    def close(self) -> None:
        """Ask for nothing more."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
