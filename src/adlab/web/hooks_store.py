"""Stores what a receiver got, many calls in one commit, and counts what it refused.

While one commit is on its way, whatever arrives is collected for the next: a quiet receiver stores
at once, and a busy one spends no more commits than the disk has. Large messages have a lane of
their own, so that a thousand updates delay nobody's single one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adlab.core.errors import AdlabError, ConcurrentWriteError, DatabaseUnavailableError
from adlab.storage import inbox
from adlab.storage.engine import connect_engine, transaction

log = logging.getLogger(__name__)

Events = Sequence[Mapping[str, Any]]
MOST_A_COMMIT = 5_000
LARGE = 50
MOST_WAITING = 50_000
ANSWER_SECONDS = 15.0
COUNT_SECONDS = 1.0


class BusyError(Exception):
    """More is waiting than should be; Meta sends it again."""


class Store(Protocol):
    """Where updates and counters go; both block, and raise `AdlabError` when nothing was kept."""

    def take(self, events: Events, at: datetime) -> inbox.Taken:
        """Keep updates, all or none."""

    def count(self, reasons: Mapping[str, int], at: datetime) -> None:
        """Add to the counters of refusals."""

    def close(self) -> None:
        """Let go of connections."""


class EngineStore:
    """The database, through the receiver's own login.

    Args:
        url: That login's address. Never log it.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect_engine(url, pool_size=3, application="adlab webhooks")

    def take(self, events: Events, at: datetime) -> inbox.Taken:
        """Keep updates in one transaction.

        Raises:
            StorageError: If nothing was kept.
        """
        try:
            with transaction(self._engine) as connection:
                return inbox.take(connection, events, at)
        except ConcurrentWriteError:
            # Reason: another receiver kept the same updates just now; then they are known.
            with transaction(self._engine) as connection:
                return inbox.take(connection, events, at)

    def count(self, reasons: Mapping[str, int], at: datetime) -> None:
        """Add to the counters of refusals.

        Raises:
            StorageError: If they were not added.
        """
        with transaction(self._engine) as connection:
            inbox.count_refusals(connection, reasons, at)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


@dataclass
class _Call:
    events: Events
    kept: asyncio.Future[None]


class _Lane:
    def __init__(self) -> None:
        self.waiting: list[_Call] = []
        self.wake = asyncio.Event()

    def next(self) -> list[_Call]:
        """The calls of one commit: as many as fit, at least one."""
        calls: list[_Call] = []
        size = 0
        while self.waiting and (not calls or size + len(self.waiting[0].events) <= MOST_A_COMMIT):
            calls.append(self.waiting.pop(0))
            size += len(calls[-1].events)
        return calls


class GroupCommit:
    """Collects the updates of calls that arrive together. An async context manager.

    Args:
        store: Where they go.
        now: Current aware time.
    """

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._quick, self._large = _Lane(), _Lane()
        self._size = 0
        self._stop = asyncio.Event()
        self._refused: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> GroupCommit:
        self._tasks = [
            asyncio.create_task(self._commit(self._quick)),
            asyncio.create_task(self._commit(self._large)),
            asyncio.create_task(self._tell()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        for task in self._tasks[:2]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for call in self._quick.waiting + self._large.waiting:
            call.kept.cancel()
        await self._flush()
        await asyncio.to_thread(self._store.close)

    async def keep(self, events: Events) -> None:
        """Return when the updates are committed.

        Raises:
            BusyError: If too many wait.
            AdlabError: If they could not be kept.
            TimeoutError: If it took too long; they may be kept later, and are known then.
        """
        if self._size + len(events) > MOST_WAITING:
            raise BusyError
        call = _Call(events, asyncio.get_running_loop().create_future())
        lane = self._large if len(events) > LARGE else self._quick
        lane.waiting.append(call)
        self._size += len(events)
        lane.wake.set()
        async with asyncio.timeout(ANSWER_SECONDS):
            await call.kept

    def count(self, reasons: Mapping[str, int]) -> None:
        """Note what was refused; written down once a second, so that a flood costs no commits."""
        self._refused.update(reasons)

    async def _commit(self, lane: _Lane) -> None:
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            while lane.waiting:
                calls = lane.next()
                try:
                    await self._take(calls)
                finally:
                    self._size -= sum(len(c.events) for c in calls)

    async def _take(self, calls: Sequence[_Call]) -> None:
        events = [e for call in calls for e in call.events]
        try:
            taken = await asyncio.to_thread(self._store.take, events, self._now())
        except AdlabError as error:
            if len(calls) > 1 and not isinstance(error, DatabaseUnavailableError):
                # Reason: one message the store cannot hold must not fail those beside it.
                for call in calls:
                    await self._take([call])
                return
            log.error("webhooks_not_stored events=%d error=%s", len(events), type(error).__name__)
            _settle(calls, error)
            return
        except Exception as error:
            log.exception("webhooks_not_stored events=%d", len(events))
            _settle(calls, BusyError(type(error).__name__))
            return
        if taken.strangers:
            log.warning("webhooks_of_unknown_accounts events=%d", taken.strangers)
        _settle(calls, None)

    async def _tell(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), COUNT_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        if not self._refused:
            return
        counts, self._refused = self._refused, Counter()
        log.warning("webhooks_refused %s", " ".join(f"{k}={v}" for k, v in sorted(counts.items())))
        try:
            await asyncio.to_thread(self._store.count, counts, self._now())
        except AdlabError:
            self._refused.update(counts)


def _settle(calls: Sequence[_Call], error: Exception | None) -> None:
    for call in calls:
        if call.kept.done():
            continue
        if error is None:
            call.kept.set_result(None)
        else:
            call.kept.set_exception(error)
