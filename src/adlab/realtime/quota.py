"""The quota of one app shared by every process, in Redis: each step is one atomic script.

Keys are `adlab:quota:{<app>}:<scope>` (a hash a scope) and `adlab:quota:{<app>}:clients`; each
expires two hours after its last use. Without an answer from Redis a budget of this process alone
takes over, and Redis is tried again every few seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from adlab.core import quota as rules
from adlab.core.quota import Budget, Caller, Grant, Meter, Standing
from adlab.realtime.events import QUIET_SECONDS, TIMEOUT_SECONDS

log = logging.getLogger(__name__)

PREFIX = "adlab:quota:"
_HOUR = 3600.0

_COMMON = f"""
local now = tonumber(ARGV[1])
if now < 0 then
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1000000
end
local function text(x) return string.format('%.6f', x) end
local function top(tier)
  if tier == '{rules.LIMITED}' then return {rules.SCORE[rules.LIMITED]} end
  return {rules.SCORE[rules.FULL]}
end
local function score_now(score, at, tier)
  if not score then return 0 end
  local passed = math.max(0, now - tonumber(at))
  return math.max(0, tonumber(score) - passed * top(tier) / {rules.SCORE_DECAY_SECONDS})
end
"""

# KEYS: clients, then one hash a scope. ARGV: now, stop percent, points, calls, client, lane of
# scopes of the app, lane of others, then for each scope its role: app, score or use.
_ASK = f"""{_COMMON}
local stop, points, calls = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZADD', KEYS[1], text(now), ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - {rules.ACTIVE_SECONDS}))
redis.call('EXPIRE', KEYS[1], {rules.KEPT_SECONDS})
local active = redis.call('ZCARD', KEYS[1])
local longest, blame, at, late = 0, 0, now, 0
for i = 2, #KEYS do
  local role = ARGV[6 + i]
  local lane = role == 'app' and ARGV[6] or ARGV[7]
  local v = redis.call('HMGET', KEYS[i], 'pct', 'seen', 'hold', 'tier', 'score', 'score_at', lane)
  local pct, seen, hold = tonumber(v[1] or ''), tonumber(v[2] or '0'), tonumber(v[3] or '0')
  local wait = 0
  if hold > now then
    wait = hold - now
  else
    if hold > 0 then
      redis.call('HDEL', KEYS[i], 'hold', 'pct')
      pct = nil
    end
    if pct and pct >= stop then wait = math.max(0, seen + {rules.STOP_SECONDS} - now) end
    if role == 'score' then
      local have, most = score_now(v[5], v[6], v[4]), top(v[4])
      local over = have + points - most * stop / 100
      if have > 0 then
        wait = math.max(wait, math.min(over, have) * {rules.SCORE_DECAY_SECONDS} / most)
      end
    end
  end
  if wait > longest then longest, blame = wait, i - 1 end
  if pct and now - seen <= {rules.FRESH_SECONDS} then
    local pause = 0
    if pct >= stop then
      pause = {rules.SLOWEST_PAUSE}
    elseif pct >= {rules.SLOW_FROM_PERCENT} then
      local share = (pct - {rules.SLOW_FROM_PERCENT})
        / ({rules.STOP_FROM_PERCENT} - {rules.SLOW_FROM_PERCENT})
      pause = math.min({rules.SLOWEST_PAUSE}, {rules.FASTEST_PAUSE}
        + ({rules.SLOWEST_PAUSE} - {rules.FASTEST_PAUSE}) * share)
    end
    if pause > 0 then
      local slot = seen + pause
      local share = role == 'app' and active or 1
      if v[7] then slot = math.max(slot, tonumber(v[7]) + pause * share) end
      if slot > at then at, late = slot, i - 1 end
    end
  end
end
if longest > 0 then return {{0, text(longest), blame}} end
local place = math.floor(now / {rules.COUNT_SECONDS})
for i = 2, #KEYS do
  local role = ARGV[6 + i]
  redis.call('HSET', KEYS[i], role == 'app' and ARGV[6] or ARGV[7], text(at))
  if redis.call('HINCRBY', KEYS[i], 'c:' .. place, calls) == calls then
    for old = place - 14, place - 13 do redis.call('HDEL', KEYS[i], 'c:' .. old) end
  end
  if role == 'score' then
    local v = redis.call('HMGET', KEYS[i], 'score', 'score_at', 'tier')
    redis.call('HSET', KEYS[i], 'score', text(score_now(v[1], v[2], v[3]) + points),
      'score_at', text(now))
  end
  redis.call('EXPIRE', KEYS[i], {rules.KEPT_SECONDS})
end
return {{1, text(at - now), late}}
"""

# KEYS: one hash a meter. ARGV: now, then for each meter percent, wait, tier, whether it is a score.
_NOTE = f"""{_COMMON}
for i = 1, #KEYS do
  local base = 4 * i - 2
  local pct, wait, tier = ARGV[base], tonumber(ARGV[base + 1]), ARGV[base + 2]
  redis.call('HSET', KEYS[i], 'pct', pct, 'seen', text(now))
  if tier ~= '' then redis.call('HSET', KEYS[i], 'tier', tier) end
  if ARGV[base + 3] == '1' then
    local v = redis.call('HMGET', KEYS[i], 'score', 'score_at', 'tier')
    local told = tonumber(pct) * top(v[3]) / 100
    redis.call('HSET', KEYS[i], 'score', text(math.max(score_now(v[1], v[2], v[3]), told)),
      'score_at', text(now))
  end
  if wait > 0 then
    local hold = tonumber(redis.call('HGET', KEYS[i], 'hold') or '0')
    redis.call('HSET', KEYS[i], 'hold', text(math.max(hold, now + wait)))
  end
  redis.call('EXPIRE', KEYS[i], math.max({rules.KEPT_SECONDS}, math.ceil(wait) + 60))
end
"""

# KEYS: the scope. ARGV: now, seconds.
_HOLD = f"""{_COMMON}
local hold = tonumber(redis.call('HGET', KEYS[1], 'hold') or '0')
redis.call('HSET', KEYS[1], 'hold', text(math.max(hold, now + tonumber(ARGV[2]))))
redis.call('EXPIRE', KEYS[1], math.max({rules.KEPT_SECONDS}, math.ceil(tonumber(ARGV[2])) + 60))
"""

# KEYS: scopes. Gives the time, then each hash as a list.
_STATE = f"""{_COMMON}
local out = {{text(now)}}
for i = 1, #KEYS do out[i + 1] = redis.call('HGETALL', KEYS[i]) end
return out
"""


class RedisBudget:
    """A `core.quota.Budget` that several processes share.

    Args:
        redis_url: `redis://`, `rediss://` or `unix://`.
        app: Names the app whose quota it is.
        fallback: Takes over while Redis does not answer.
        clock: Unix seconds, for tests; Redis's own time when omitted, the same for every process.
        monotonic: Seconds, for the pause before Redis is tried again.
    """

    def __init__(
        self,
        redis_url: str,
        app: str,
        fallback: Budget,
        *,
        clock: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = redis_url
        self._prefix = f"{PREFIX}{{{app}}}:"
        self._fallback = fallback
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._redis: Any = None
        self._scripts: dict[str, Any] = {}
        self._silent_until = 0.0
        self._is_down = False

    def ask(self, caller: Caller, *, points: int = 1, calls: int = 1) -> Grant:
        """See `Budget.ask`."""
        names = caller.scopes(is_write=points > calls)
        roles = [
            "app" if n.startswith("app") else "score" if n == caller.account_scope else "use"
            for n in names
        ]
        client, priority = caller.client_id or 0, caller.priority
        found = self._run(
            _ASK, ["clients", *names],
            [rules.STOPS[priority], points, calls, client, f"last:{client}:{priority}",
             f"last:0:{priority}", *roles],
        )  # fmt: skip
        if found is None:
            return self._fallback.ask(caller, points=points, calls=calls)
        granted, wait, blame = int(found[0]), float(found[1]), int(found[2])
        return Grant(granted == 1, max(0.0, wait), names[blame - 1] if blame else "")

    def note(self, meters: Sequence[Meter]) -> None:
        """See `Budget.note`."""
        if not meters:
            return
        values: list[Any] = []
        for m in meters:
            values += [m.percent, m.wait_seconds, m.tier or "", int(m.is_score)]
        if self._run(_NOTE, [m.scope for m in meters], values, default=True) is None:
            self._fallback.note(meters)

    def hold(self, scope: str, seconds: float) -> None:
        """See `Budget.hold`."""
        if self._run(_HOLD, [scope], [seconds], default=True) is None:
            self._fallback.hold(scope, seconds)

    def standing(self, scopes: Sequence[str]) -> list[Standing]:
        """See `Budget.standing`."""
        found = self._run(_STATE, list(scopes), [])
        if found is None:
            return self._fallback.standing(scopes)
        now = float(found[0])
        return [_standing(n, _fields(h), now) for n, h in zip(scopes, found[1:], strict=True)]

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()

    def _run(
        self, script: str, names: list[str], values: list[Any], default: Any = None
    ) -> Any | None:
        """Run a script; None when Redis does not answer, `default` when the script gives nothing.

        Never raises: a quota that cannot be shared is kept alone.
        """
        if self._monotonic() < self._silent_until:
            return None
        now = -1.0 if self._clock is None else self._clock()
        try:
            found = self._script(script)(
                keys=[f"{self._prefix}{n}" for n in names], args=[now, *values]
            )
        except Exception as error:
            # Reason: whatever goes wrong with Redis, ingestion goes on with a budget of its own.
            self._silent_until = self._monotonic() + QUIET_SECONDS
            if not self._is_down:
                log.warning("quota_not_shared error=%s", type(error).__name__)
            self._is_down = True
            return None
        if self._is_down:
            log.info("quota_shared_again")
            self._is_down = False
        return default if found is None else found

    def _script(self, text: str) -> Any:
        with self._lock:
            if self._redis is None:
                self._redis = _connect(self._url)
            if text not in self._scripts:
                self._scripts[text] = self._redis.register_script(text)
            return self._scripts[text]


def _connect(url: str) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0), decode_responses=True,
    )  # fmt: skip


def _fields(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _standing(name: str, values: dict[str, str], now: float) -> Standing:
    seen = float(values.get("seen", 0))
    known = "pct" in values and now - seen <= _HOUR
    tier = values.get("tier")
    score = None
    if "score" in values:
        top = rules.score_limit(tier)
        passed = max(0.0, now - float(values["score_at"]))
        left = float(values["score"]) - passed * top / rules.SCORE_DECAY_SECONDS
        score = max(0.0, left) / top * 100
    oldest = int((now - _HOUR) // rules.COUNT_SECONDS)
    calls = sum(
        int(n) for k, n in values.items() if k.startswith("c:") and int(k[2:]) > oldest
    )  # fmt: skip
    return Standing(
        name,
        float(values["pct"]) if known else None,
        now - seen if known else None,
        max(0.0, float(values.get("hold", 0)) - now),
        tier,
        calls,
        score,
    )
