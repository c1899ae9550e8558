"""Calls that showed data, written to the audit log: one entry a token, address and minute.

The first call of a minute is written at once, by a thread of its own, so that no caller waits; when
the minute is over and there were more, a second entry says how many. Entries are written in the
name of the person who called, by the database's own function.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from adlab.core.errors import AdlabError
from adlab.web.api.auth import Pass
from adlab.web.viewers import Viewer, Viewers

log = logging.getLogger(__name__)

MINUTE = 60
LOOK_EVERY = 5.0
MOST_WAITING = 10_000


@dataclass(frozen=True)
class _Kind:
    viewer: Viewer
    token: str
    call: str
    clients: tuple[str, ...]
    minute: int


class Notes:
    """Writes calls down.

    Args:
        viewers: Open connections as a person.
        clock: Epoch seconds; tests move it.
    """

    def __init__(self, viewers: Viewers, clock: Callable[[], float] = time.time) -> None:
        self._viewers, self._clock = viewers, clock
        self._counts: dict[_Kind, int] = {}
        self._waiting: queue.Queue[tuple[_Kind, int]] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, found: Pass, call: str, clients: Iterable[str]) -> None:
        """Note a call.

        Args:
            found: Whose call.
            call: Method and path, without ids: `GET /api/v1/accounts/{account_id}/summary`.
            clients: Slugs of the clients it was about.
        """
        minute = int(self._clock() // MINUTE)
        kind = _Kind(found.viewer, found.token, call, tuple(sorted(clients)), minute)
        with self._lock:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="api-notes")
                self._thread.start()
                atexit.register(self.flush)
        if count == 1:
            self._put(kind, 1)

    def flush(self) -> None:
        """Write all that is known, also of the minute that is not over."""
        self._settle(int(self._clock() // MINUTE) + 1)
        while True:
            try:
                self._write(*self._waiting.get_nowait())
            except queue.Empty:
                return

    def _run(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                self._write(*self._waiting.get(timeout=LOOK_EVERY))
            self._settle(int(self._clock() // MINUTE))

    def _settle(self, before: int) -> None:
        """Take what belongs to minutes that are over, and queue their counts."""
        with self._lock:
            over = [(k, n) for k, n in self._counts.items() if k.minute < before]
            for kind, _ in over:
                del self._counts[kind]
        for kind, count in over:
            if count > 1:
                self._put(kind, count)

    def _put(self, kind: _Kind, calls: int) -> None:
        try:
            self._waiting.put_nowait((kind, calls))
        except queue.Full:
            log.error("api_notes_lost token=%s call=%s calls=%s", kind.token, kind.call, calls)

    def _write(self, kind: _Kind, calls: int) -> None:
        details = {"token": kind.token, "call": kind.call}
        try:
            self._viewers.reader(kind.viewer).call(
                "call_note", action="api.call", clients=list(kind.clients),
                details=json.dumps(details if calls == 1 else {**details, "calls": calls}),
            )  # fmt: skip
        except AdlabError as error:
            log.error("api_note_failed token=%s error=%s", kind.token, type(error).__name__)
