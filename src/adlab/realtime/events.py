"""Publish and subscribe: who stores data tells the boards that a client's numbers changed.

A message is a hint, never the data: `{"kind": "insights", …}` on channel `adlab:client:<id>`.
Messages are lost while nobody listens or the connection is down, so a listener reads again after
each reconnect, which `Connected` announces.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

PREFIX = "adlab:client:"
TIMEOUT_SECONDS = 0.5
QUIET_SECONDS = 5.0
PING_SECONDS = 15.0


@dataclass(frozen=True)
class ClientEvent:
    """Something of a client changed."""

    client_id: int
    event: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Connected:
    """The connection stands (again); what was published before may have been missed."""


@dataclass(frozen=True)
class Disconnected:
    """The connection is gone; it is tried again by itself."""


class Publisher:
    """Tells the boards. Never raises and never holds its caller up for long.

    Args:
        redis_url: `redis://`, `rediss://` or `unix://`; None publishes nothing.
    """

    def __init__(self, redis_url: str | None) -> None:
        self._url = redis_url
        self._connection: Any = None
        self._lock = threading.Lock()
        self._silent_until = 0.0

    def publish(self, client_id: int, event: Mapping[str, Any]) -> bool:
        """Tell that a client changed; call it after the commit.

        Args:
            client_id: The client.
            event: Small and without personal data, such as `{"kind": "insights"}`.

        Returns:
            Whether the message was handed over. False costs nothing but time: boards look by
            themselves, only later.
        """
        # Reason: after a failure the next callers must not wait again, one after the other.
        if self._url is None or time.monotonic() < self._silent_until:
            return False
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = _connect(self._url)
                self._connection.publish(f"{PREFIX}{int(client_id)}", json.dumps(dict(event)))
        except Exception as error:
            self._silent_until = time.monotonic() + QUIET_SECONDS
            name = type(error).__name__
            log.warning("event_not_published client_id=%s error=%s", client_id, name)
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def _connect(url: str) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )  # fmt: skip


async def subscribe(
    redis_url: str, longest_pause: float = 5.0
) -> AsyncIterator[ClientEvent | Connected | Disconnected]:
    """Events of every client, for as long as the caller listens.

    Args:
        redis_url: Where to listen.
        longest_pause: Seconds between attempts to reconnect, at most.

    Yields:
        `Connected` after each (re)connect, `Disconnected` when it is lost, and the events.
    """
    import redis.asyncio as aioredis
    from redis.exceptions import RedisError

    pause, standing = 0.2, False
    while True:
        client = aioredis.Redis.from_url(
            redis_url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=PING_SECONDS * 2
        )
        try:
            async with client, client.pubsub() as listener:
                await listener.psubscribe(f"{PREFIX}*")
                pause, standing = 0.2, True
                yield Connected()
                asked = time.monotonic()
                while True:
                    message = await listener.get_message(
                        ignore_subscribe_messages=True, timeout=PING_SECONDS
                    )
                    if time.monotonic() - asked > PING_SECONDS:
                        # Reason: a dead peer is silent; only a write finds out.
                        await listener.ping()
                        asked = time.monotonic()
                    event = _read(message)
                    if event is not None:
                        yield event
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("events_lost error=%s", type(error).__name__)
        if standing:
            standing = False
            yield Disconnected()
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest_pause)


def _read(message: Mapping[str, Any] | None) -> ClientEvent | None:
    if message is None or message.get("type") != "pmessage":
        return None
    channel = bytes(message["channel"]).decode("utf-8", "replace")
    try:
        body = json.loads(message["data"])
        client_id = int(channel.removeprefix(PREFIX))
    except (ValueError, TypeError):
        log.warning("event_not_understood channel=%s", channel)
        return None
    return ClientEvent(client_id, body if isinstance(body, dict) else {})
