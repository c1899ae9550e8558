"""Open pages, kept current: one feed a process tells every page which of its clients changed.

The feed knows pages, not Redis: whoever hears of a change calls `announce`. Bursts become one
refresh. Rendering runs in threads; only the finished regions enter a page's document.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from adlab.ui.shared import Shared

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.3
RECHECK_SECONDS = 30.0
# Reason: something always changes in a large agency; a page of all clients need not follow each.
CALM_SECONDS = 5.0
# Reason: "checked 2 h ago" must turn amber, and days end, also when nothing is ever announced.
REDRAW_SECONDS = 600.0
# What `check` answers when a visit lasts, but shows more than the person may see by now.
REDRAW = "redraw"


class LivePage(Protocol):
    """What the feed needs of an open page."""

    client_ids: frozenset[int]
    viewer: str
    drawn_at: float

    def refresh(self) -> None:
        """Draw again what changed; called on the event loop."""

    def check(self) -> str:
        """Why the visit has ended, `REDRAW`, or ""; called in a thread."""

    def changed_at(self) -> Mapping[int, Hashable]:
        """For each client, what tells one state of its data from the next; called in a thread."""

    def end(self, why: str) -> None:
        """Clear the page; called on the event loop."""


class Feed:
    """The open pages of this process.

    Args:
        shared: Cache to invalidate before pages look again.
        calm: Seconds between two refreshes of a page of several clients.
    """

    def __init__(self, shared: Shared, calm: float = CALM_SECONDS) -> None:
        self.shared = shared
        self._calm = calm
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="board-draw")
        self._pages: set[LivePage] = set()
        self._due: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._calmed: set[LivePage] = set()

    def join(self, page: LivePage) -> None:
        """A page opened."""
        self._pages.add(page)

    def leave(self, page: LivePage) -> None:
        """A page closed."""
        self._pages.discard(page)

    @property
    def pages(self) -> frozenset[LivePage]:
        """The pages open now."""
        return frozenset(self._pages)

    def announce(self, client_ids: Iterable[int]) -> None:
        """Data of these clients changed; call it on the event loop."""
        for client_id in client_ids:
            self.shared.forget(client_id)
            self._due.add(client_id)
        if self._timer is None and self._due:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(COALESCE_SECONDS, self._send)

    def announce_all(self) -> None:
        """Anything may have changed, as after a lost connection."""
        self.announce({i for p in self._pages for i in p.client_ids})

    def _send(self) -> None:
        due, self._due, self._timer = self._due, set(), None
        for page in [p for p in self._pages if p.client_ids & due]:
            wait = self._calm - (time.monotonic() - page.drawn_at)
            if len(page.client_ids) == 1 or wait <= 0:
                page.refresh()
            elif page not in self._calmed:
                self._calmed.add(page)
                asyncio.get_running_loop().call_later(min(wait, self._calm), self._wake, page)

    def _wake(self, page: LivePage) -> None:
        self._calmed.discard(page)
        if page in self._pages:
            page.refresh()

    async def watch_rights(self, every: float = RECHECK_SECONDS) -> None:
        """Ask again and again whether each visit still lasts; clear the pages of those that ended.

        Never returns.
        """
        while True:
            await asyncio.sleep(every)
            started = time.monotonic()
            for page in list(self._pages):
                await self._check(page)
                if page in self._pages and time.monotonic() - page.drawn_at > REDRAW_SECONDS:
                    page.refresh()
            log.debug("rights_checked seconds=%.2f", time.monotonic() - started)

    async def _check(self, page: LivePage) -> None:
        loop = asyncio.get_running_loop()
        try:
            why = await loop.run_in_executor(self.threads, page.check)
        except Exception:
            # Reason: an unreachable database proves nothing about rights, and a page that cannot
            # read shows nothing new; the next look decides.
            # And a page that closed meanwhile has lost its board's names; that is no news.
            if page in self._pages:
                log.warning("rights_not_checked viewer=%s", page.viewer, exc_info=True)
            return
        if why:
            self.shared.forget_viewer(page.viewer)
        if why == REDRAW:
            page.refresh()
        elif why:
            self.leave(page)
            page.end(why)


FEED = Feed(Shared())
