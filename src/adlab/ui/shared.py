"""A short-lived cache shared by the sessions of a process, one load at a time per key.

Keys begin with the viewer's role and the client, so that nothing loaded with one person's rights
is ever shown with another's. Loads run in a few threads; whoever asks may wait or look again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from typing import Any, TypeVar

from adlab.core.errors import TenantError

T = TypeVar("T")

TTL_SECONDS = 60.0
MOST_ENTRIES = 300
# Reason: frames of ten thousand campaigns take megabytes; what nobody looks at is not kept.
FORGET_SECONDS = 600.0


class StillLoadingError(Exception):
    """The value is on its way; look again later. Never leaves the boards."""


@dataclass(frozen=True)
class Key:
    """What is cached.

    Attributes:
        viewer: Database role it was loaded with.
        client_id: Client it belongs to; 0 for what spans clients.
        what: Everything else that tells it apart.
    """

    viewer: str
    client_id: int
    what: tuple[Hashable, ...]

    def __post_init__(self) -> None:
        if not self.viewer:
            raise TenantError("Nothing may be cached as nobody.", "Log in again.")


@dataclass
class _Entry:
    future: Future[Any]
    generation: int
    at: float


class Shared:
    """The cache.

    Args:
        threads: Loads at the same time.
        ttl: Seconds a value is good for when nobody says that it changed.
        clock: Seconds; tests move it.
    """

    def __init__(
        self, threads: int = 4, ttl: float = TTL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="board-load")
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Key, _Entry] = {}
        self._good: dict[Key, _Entry] = {}
        self._generations: dict[int, int] = {}

    def get(self, key: Key, load: Callable[[], T], wait: float, ttl: float | None = None) -> T:
        """The value of a key, loaded when absent or out of date.

        Args:
            key: Whose and which.
            load: How to get it; runs in a thread, once for all who ask at the same time.
            wait: Seconds to wait.
            ttl: Seconds it is good for; shorter for what depends on rights.

        Raises:
            StillLoadingError: If it is not there after `wait` seconds; the load goes on.
        """
        future = self._future(key, load, self._ttl if ttl is None else ttl)
        try:
            value: T = future.result(timeout=wait)
        except LateError:
            if future.done():
                raise
            raise StillLoadingError from None
        return value

    def last(self, key: Key) -> tuple[Any, float] | None:
        """What was last loaded well and how many seconds ago, or None."""
        with self._lock:
            for entry in (self._entries.get(key), self._good.get(key)):
                if entry is not None and _is_good(entry.future):
                    return entry.future.result(), self._clock() - entry.at
        return None

    def forget(self, client_id: int) -> None:
        """Values of a client changed: load them anew when next asked."""
        with self._lock:
            self._generations[client_id] = self._generations.get(client_id, 0) + 1
            self._generations[0] = self._generations.get(0, 0) + 1

    def forget_viewer(self, viewer: str) -> None:
        """Drop everything loaded with a person's rights."""
        with self._lock:
            for found in (self._entries, self._good):
                for key in [k for k in found if k.viewer == viewer]:
                    del found[key]

    def _future(self, key: Key, load: Callable[[], T], ttl: float) -> Future[T]:
        with self._lock:
            now, generation = self._clock(), self._generations.get(key.client_id, 0)
            entry = self._entries.get(key)
            if entry is not None and entry.generation == generation:
                running = not entry.future.done()
                fresh = now - entry.at < ttl and (running or not entry.future.exception())
                if running or fresh:
                    return entry.future
            future = self._pool.submit(load)
            if entry is not None and _is_good(entry.future):
                self._good[key] = entry
            # Reason: the generation from before the load; a change meanwhile makes it stale.
            self._entries[key] = _Entry(future, generation, now)
            self._drop_old(now)
            return future

    def _drop_old(self, now: float) -> None:
        oldest = sorted(self._entries, key=lambda k: self._entries[k].at)
        for key in oldest[: max(0, len(oldest) - MOST_ENTRIES)]:
            del self._entries[key]
        for found in (self._entries, self._good):
            for key in [k for k, e in found.items() if now - e.at > FORGET_SECONDS]:
                del found[key]


def _is_good(future: Future[Any]) -> bool:
    return future.done() and future.exception() is None
