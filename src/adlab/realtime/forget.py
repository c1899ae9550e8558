"""Forgetting a client in Redis: the standing of its accounts' quota; nothing else is kept there."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from adlab.realtime.quota import PREFIX

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0


def forget_accounts(redis_url: str | None, accounts: Sequence[int]) -> int:
    """Delete what Redis holds of accounts, of whatever app.

    Args:
        redis_url: Where; None where there is no Redis.
        accounts: Ad accounts.

    Returns:
        How many keys went; 0 as well when Redis does not answer, where they end by themselves.
    """
    if redis_url is None or not accounts:
        return 0
    import redis

    wanted = {f"act:{a}" for a in accounts}
    gone = 0
    client = redis.Redis.from_url(
        redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    try:
        for key in client.scan_iter(match=f"{PREFIX}*", count=500):
            scope = bytes(key).decode(errors="replace").partition("}:")[2]
            if ":".join(scope.split(":")[:2]) in wanted:
                gone += int(client.delete(key))
    except (redis.RedisError, OSError) as error:
        log.warning("redis_not_cleared error=%s", type(error).__name__)
    finally:
        client.close()
    return gone
