"""What a webhook says: a body of up to a thousand updates → one record each, known by a digest.

Meta gives updates no id, repeats some, keeps no order, and adds fields without notice. An update is
known by (object, entry's id, field, value, entry's time). `entry.time` is the time of sending, and
whether a retry keeps it is not documented, so some topics are also recognised by their value:

- `exact`: creative fatigue and everything we do not know. The same level may come, go and come
  back, so another time is another happening.
- `waiting`: changes, issues and processing name an object that is read anew. The same value may be
  a new happening; but while the earlier one waits to be processed, one reading answers both.
- `once`: a recommendation or an asynchronous creation carries an id of its own; the same value is
  the same happening for the 36 hours in which Meta retries.

A repeat that is taken for a new happening costs one more reading and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NoReturn

import orjson

from adlab.core.errors import DataError

Collapse = Literal["exact", "waiting", "once"]

OBJECT = "ad_account"
# Reason: Meta retries for 36 hours with, perhaps, the time of the first try; older ones were
# dropped by Meta, so somebody else sends them.
MOST_AGE = timedelta(hours=37)
# Reason: a clock of ours that is behind must lose nothing; this catches milliseconds and nonsense.
MOST_AHEAD = timedelta(days=1)
_LONGEST_FIELD = 100
_ARRIVES_AS = {"field_changed": "effective_status"}
_COLLAPSE: dict[str, Collapse] = {
    "effective_status": "waiting",
    "with_issues_ad_objects": "waiting",
    "in_process_ad_objects": "waiting",
    "subscriptions": "waiting",
    "ad_recommendations": "once",
    "ads_async_creation_request": "once",
    "creative_fatigue": "exact",
    "product_set_issue": "exact",
}
TOPICS = tuple(_COLLAPSE)
"""What the app subscribes to: every topic of `ad_account` that says something of ads."""
_SUBJECT = {
    "effective_status": "object_id",
    "with_issues_ad_objects": "id",
    "in_process_ad_objects": "id",
    "creative_fatigue": "adgroup_id",
    "subscriptions": "object_id",
}
_NUL = re.compile("[\x00\ud800-\udfff]")


class PayloadError(DataError):
    """A body that is none of Meta's messages.

    Attributes:
        reason: What counts it: `malformed` or `unknown_object`.
    """

    def __init__(self, reason: Literal["malformed", "unknown_object"], what: str) -> None:
        super().__init__(f"This webhook was refused: {what}.")
        self.reason = reason


@dataclass(frozen=True)
class Payload:
    """A body, read.

    Attributes:
        events: What to keep; the records of `sec.take_webhooks`.
        refused: What of it was not believed, by reason: `stale`, `future`, `malformed`.
    """

    events: list[dict[str, Any]]
    refused: Mapping[str, int]


def read_payload(body: bytes, now: datetime) -> Payload:
    """Read a body whose signature holds.

    An entry that is stale, from the future or malformed is left out and counted; the others count.

    Args:
        body: Raw bytes.
        now: Current aware time.

    Raises:
        PayloadError: If it is no message about ad accounts, or nothing in it can be read.
    """
    found = _parse(body)
    if not isinstance(found, dict):
        raise PayloadError("malformed", "it is no JSON object")
    if found.get("object") != OBJECT:
        raise PayloadError("unknown_object", "it is not about ad accounts")
    entries = found.get("entry")
    if not isinstance(entries, list) or not entries:
        raise PayloadError("malformed", "it has no entries")
    events: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    for entry in entries:
        _read_entry(entry, now, events, refused)
    if not events and set(refused) <= {"malformed"}:
        raise PayloadError("malformed", "none of its entries can be read")
    return Payload(events, refused)


def _read_entry(
    entry: Any, now: datetime, events: list[dict[str, Any]], refused: Counter[str]
) -> None:
    account = _number(str(entry.get("id")).removeprefix("act_")) if _is_object(entry) else None
    sent_at = _number(entry.get("time")) if account else None
    changes = entry.get("changes") if sent_at else None
    if account is None or sent_at is None or not isinstance(changes, list) or not changes:
        refused["malformed"] += 1
        return
    if sent_at < (now - MOST_AGE).timestamp():
        refused["stale"] += len(changes)
        return
    if sent_at > (now + MOST_AHEAD).timestamp():
        refused["future"] += len(changes)
        return
    for change in changes:
        field = change.get("field") if _is_object(change) else None
        if not isinstance(field, str) or not 0 < len(field) <= _LONGEST_FIELD:
            refused["malformed"] += 1
            continue
        events.append(_event(account, field, change.get("value"), sent_at))


def _event(account: int, field: str, value: Any, sent_at: int) -> dict[str, Any]:
    topic: str | None = _ARRIVES_AS.get(field, field)
    collapse = _COLLAPSE.get(topic or "", "exact")
    topic = topic if topic in _COLLAPSE else None
    key = b"\x1f".join([OBJECT.encode(), str(account).encode(), field.encode(), canonical(value)])
    subject = value.get(_SUBJECT.get(topic or "", "")) if isinstance(value, dict) else None
    return {
        "account": account,
        "field": field,
        "topic": topic,
        "object": _number(subject),
        "value": value,
        "sent_at": sent_at,
        "digest": hashlib.sha256(key + b"\x1f" + str(sent_at).encode()).hexdigest(),
        "value_digest": hashlib.sha256(key).hexdigest(),
        "collapse": collapse,
    }


def canonical(value: Any) -> bytes:
    """The same bytes for the same value, however its keys are ordered."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Reason: whole numbers of more than 64 bits.
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _parse(body: bytes) -> Any:
    try:
        found = orjson.loads(body)
        # Reason: PostgreSQL keeps no NUL inside text.
        return _clean(found) if b"\\u0000" in body else found
    except orjson.JSONDecodeError:
        pass
    except RecursionError:
        raise PayloadError("malformed", "it is nested too deeply") from None
    try:
        # Reason: a text that was cut inside an emoji has half of it, which orjson refuses; one
        # such text must not lose a thousand updates.
        return _clean(json.loads(body, parse_constant=_no_constant, parse_float=_float))
    except (ValueError, RecursionError):
        raise PayloadError("malformed", "it is no JSON") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _NUL.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(v) for v in value]
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    return value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _number(value: Any) -> int | None:
    """A whole positive number from a JSON number or its digits; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    digits = str(value)
    if not re.fullmatch(r"[0-9]{1,18}", digits) or int(digits) == 0:
        return None
    return int(digits)
