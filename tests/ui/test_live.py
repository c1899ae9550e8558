"""The feed: bursts become one refresh, foreign clients none, lost rights clear the page."""

from __future__ import annotations

import asyncio
import time

from adlab.ui.live import REDRAW, Feed
from adlab.ui.shared import Shared


class Page:
    """An open page that only counts."""

    def __init__(self, *client_ids: int, lost: str = "") -> None:
        self.drawn_at = 1e12
        self.client_ids = frozenset(client_ids)
        self.viewer = "v_aaaaaaaaaaaa"
        self.lost = lost
        self.refreshed = 0
        self.ended = ""

    def refresh(self) -> None:
        self.refreshed += 1

    def check(self) -> str:
        if self.lost == "error":
            raise OSError("database away")
        return self.lost

    def changed_at(self) -> dict[int, int]:
        return dict.fromkeys(self.client_ids, 0)

    def end(self, why: str) -> None:
        self.ended = why


def test_a_burst_becomes_one_refresh_of_the_right_pages() -> None:
    async def scene() -> tuple[int, int]:
        feed, mine, other = Feed(Shared()), Page(1), Page(2)
        feed.join(mine)
        feed.join(other)
        for _ in range(20):
            feed.announce([1])
        await asyncio.sleep(0.5)
        return mine.refreshed, other.refreshed

    assert asyncio.run(scene()) == (1, 0)


def test_after_a_lost_connection_every_page_looks_again() -> None:
    async def scene() -> list[int]:
        feed = Feed(Shared())
        pages = [Page(1), Page(2), Page(2)]
        for page in pages:
            feed.join(page)
        feed.announce_all()
        await asyncio.sleep(0.5)
        return [p.refreshed for p in pages]

    assert asyncio.run(scene()) == [1, 1, 1]


def test_pages_are_cleared_when_rights_end_and_kept_when_nobody_can_tell() -> None:
    async def scene() -> list[tuple[str, bool]]:
        feed = Feed(Shared())
        pages = [Page(1), Page(1, lost="Your access has ended."), Page(1, lost="error")]
        for page in pages:
            feed.join(page)
        task = asyncio.create_task(feed.watch_rights(0.05))
        await asyncio.sleep(0.3)
        task.cancel()
        return [(p.ended, p in feed.pages) for p in pages]

    assert asyncio.run(scene()) == [("", True), ("Your access has ended.", False), ("", True)]


def test_a_page_of_many_clients_hears_of_each_and_is_drawn_again_when_one_is_lost() -> None:
    async def scene() -> tuple[int, int, str]:
        feed, overview = Feed(Shared()), Page(1, 2, 3)
        overview.drawn_at = time.monotonic() - 60
        feed.join(overview)
        feed.announce([3])
        feed.announce([9])
        await asyncio.sleep(0.5)
        heard = overview.refreshed
        overview.lost = REDRAW
        task = asyncio.create_task(feed.watch_rights(0.05))
        await asyncio.sleep(0.12)
        task.cancel()
        return heard, overview.refreshed - heard, overview.ended

    heard, drawn_again, ended = asyncio.run(scene())
    assert heard == 1
    assert drawn_again >= 1
    assert ended == ""


def test_a_page_of_many_clients_is_drawn_again_once_in_a_while() -> None:
    async def scene() -> tuple[int, int]:
        feed, overview = Feed(Shared(), calm=0.8), Page(1, 2)
        overview.drawn_at = time.monotonic()
        feed.join(overview)
        for client_id in (1, 2, 1):
            feed.announce([client_id])
            await asyncio.sleep(0.15)
        early = overview.refreshed
        await asyncio.sleep(1.2)
        return early, overview.refreshed

    assert asyncio.run(scene()) == (0, 1)
