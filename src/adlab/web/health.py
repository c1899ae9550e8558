"""Are the parts reachable? Words only: no addresses, no errors, no secrets."""

from __future__ import annotations

from typing import Any
from urllib.request import urlopen

from adlab.ui.places import places
from adlab.web.config import WebConfig
from adlab.web.viewers import Viewers

SECONDS = 2.0


def check(viewers: Viewers, config: WebConfig) -> dict[str, Any]:
    """`ok` or `down` per part; the cache may be missing, the others may not."""
    parts = {"database": _try(viewers.ping)}
    if config.redis_url:
        parts["redis"] = _try(lambda: _ping_redis(config.redis_url or ""))
    if config.boards_url:
        parts["boards"] = _try(lambda: _ping_boards(config.boards_url or ""))
    must = [state for name, state in parts.items() if name != "redis"]
    return {"status": "ok" if all(s == "ok" for s in must) else "down", "parts": parts}


def _try(ask: Any) -> str:
    try:
        ask()
    except Exception:
        # Reason: whatever is wrong, a health check says so and lives on.
        return "down"
    return "ok"


def _ping_redis(url: str) -> None:
    import redis

    with redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as r:
        r.ping()


def _ping_boards(url: str) -> None:
    with urlopen(f"{url.rstrip('/')}{places().boards}alive", timeout=SECONDS) as answer:  # noqa: S310
        answer.read(64)
