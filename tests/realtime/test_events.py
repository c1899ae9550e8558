"""Events: told at once, never in the way, heard again after a break."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from adlab.realtime.events import (
    ClientEvent,
    Connected,
    Disconnected,
    Publisher,
    subscribe,
)


@pytest.fixture
def redis(redis_url: str | None) -> str:
    if redis_url is None:
        pytest.skip("no Redis-compatible server for this platform")
    return redis_url


def test_an_event_arrives_with_its_client(redis: str) -> None:
    async def scene() -> tuple[ClientEvent, float]:
        publisher = Publisher(redis)
        events = subscribe(redis)
        assert isinstance(await anext(events), Connected)
        started = time.perf_counter()
        assert await asyncio.to_thread(publisher.publish, 7, {"kind": "insights"})
        event = await asyncio.wait_for(anext(events), 2)
        await events.aclose()  # type: ignore[attr-defined]
        publisher.close()
        assert isinstance(event, ClientEvent)
        return event, time.perf_counter() - started

    event, seconds = asyncio.run(scene())
    assert event == ClientEvent(7, {"kind": "insights"})
    assert seconds < 1


def test_rubbish_on_the_channel_is_passed_over(redis: str) -> None:
    import redis as library

    async def scene() -> object:
        events = subscribe(redis)
        await anext(events)
        raw = library.Redis.from_url(redis)
        for channel, text in (
            ("adlab:client:x", "{}"), ("adlab:client:1", "not json"), ("adlab:client:3", "[]"),
        ):  # fmt: skip
            raw.publish(channel, text)
        event = await asyncio.wait_for(anext(events), 2)
        await events.aclose()  # type: ignore[attr-defined]
        return event

    assert asyncio.run(scene()) == ClientEvent(3, {})


def test_publishing_without_a_server_costs_nothing() -> None:
    assert Publisher(None).publish(1, {}) is False


def test_publishing_to_a_dead_server_neither_raises_nor_waits_twice() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        # Reason: it accepts and never answers, the worst a server can do to its caller.
        publisher = Publisher(f"redis://127.0.0.1:{listening.getsockname()[1]}")
        started = time.perf_counter()
        assert publisher.publish(1, {}) is False
        first = time.perf_counter() - started
        assert publisher.publish(1, {}) is False
        assert first < 1.5
        assert time.perf_counter() - started - first < 0.05


def test_a_broken_connection_is_told_and_mended(redis: str) -> None:
    import redis as library

    async def scene() -> list[str]:
        events = subscribe(redis, longest_pause=0.2)
        seen = [type(await anext(events)).__name__]
        library.Redis.from_url(redis).client_kill_filter(_type="pubsub", skipme=True)
        for _ in range(2):
            seen.append(type(await asyncio.wait_for(anext(events), 5)).__name__)
        await events.aclose()  # type: ignore[attr-defined]
        return seen

    assert asyncio.run(scene()) == [Connected.__name__, Disconnected.__name__, Connected.__name__]
