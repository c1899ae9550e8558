"""Hearing of changes: Redis when it is there, the store's own clock otherwise and besides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable

from adlab.realtime.events import ClientEvent, Connected, subscribe
from adlab.ui.live import Feed

log = logging.getLogger(__name__)

# Reason: a publisher may have failed without anybody noticing; looking rarely costs nothing.
SLOWLY = 4


async def run(
    feed: Feed, redis_url: str | None, *, poll_seconds: float, recheck_seconds: float
) -> None:
    """Keep the feed of this process informed, until the process ends."""
    heard = Heard()
    async with asyncio.TaskGroup() as tasks:
        if redis_url:
            tasks.create_task(listen(feed, redis_url, heard))
        tasks.create_task(poll(feed, heard, poll_seconds))
        tasks.create_task(feed.watch_rights(recheck_seconds))


class Heard:
    """Whether Redis is being heard right now."""

    def __init__(self) -> None:
        self.connected = False


async def listen(feed: Feed, redis_url: str, heard: Heard) -> None:
    """One subscriber for the whole process."""
    first = True
    async for event in subscribe(redis_url):
        if isinstance(event, ClientEvent):
            feed.announce([event.client_id])
        else:
            heard.connected = isinstance(event, Connected)
            if heard.connected and not first:
                feed.announce_all()
            first = False


async def poll(feed: Feed, heard: Heard, every: float) -> None:
    """Look at the store's own record of changes: always without Redis, rarely with it."""
    seen: dict[int, Hashable] = {}
    turn = 0
    while True:
        await asyncio.sleep(every)
        turn += 1
        if heard.connected and turn % SLOWLY:
            continue
        loop = asyncio.get_running_loop()
        for page in {p.client_ids: p for p in feed.pages if p.client_ids}.values():
            try:
                found = await loop.run_in_executor(feed.threads, page.changed_at)
            except Exception as error:
                log.warning("poll_failed error=%s", type(error).__name__)
                continue
            feed.announce([i for i, state in found.items() if seen.get(i, state) != state])
            seen |= found
