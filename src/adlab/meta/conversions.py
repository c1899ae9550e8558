"""Conversion events: checked one by one, customer data normalised and hashed, then posted.

Meta refuses a whole call for one bad event, so each is checked here first. Normalising and hashing
are the SDK's (`facebook_business.adobjects.serverside`), whose rules are Meta's; what it lets
through and Meta does not want is caught before. Its texts repeat what they were given, so they are
never shown: a problem names the field and the remedy, not the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adlab.core.errors import AnswerLostError
from adlab.meta.client import GraphClient
from adlab.meta.conversions_person import Problem as Problem
from adlab.meta.conversions_person import person

MOST_EVENTS = 1000
OLDEST = timedelta(days=7)
OLDEST_IN_STORE = timedelta(days=62)
# Reason: clocks of senders differ a little; only a real lead is a time in the future.
SLACK = timedelta(seconds=60)
DEDUPE = timedelta(hours=48)
SOURCES = ("website", "app", "email", "phone_call", "chat", "physical_store", "system_generated",
           "business_messaging", "other")  # fmt: skip
_KEYS = frozenset({
    "event_name", "event_time", "action_source", "user_data", "event_id", "event_source_url",
    "custom_data", "opt_out", "referrer_url", "data_processing_options",
    "data_processing_options_country", "data_processing_options_state", "app_data",
    "messaging_channel",
})  # fmt: skip
_NUMBERS = ("value", "predicted_ltv", "net_revenue", "num_items")
_PLAIN = ("content_name", "content_category", "content_type", "order_id", "status",
          "search_string")  # fmt: skip
_APP = ("advertiser_tracking_enabled", "application_tracking_enabled", "extinfo")
_CONTENT = ("id", "quantity", "item_price", "title", "description", "brand", "category",
            "delivery_category")  # fmt: skip
_MAIL = re.compile(r"[^\s@]+(@|%40)[^\s@]+\.[^\s@]+", re.IGNORECASE)
_TEXT = 500


@dataclass(frozen=True)
class Event:
    """An event that is fit to be sent.

    Attributes:
        event_name: Standard or custom name.
        event_id: Tells it from every other, for ever.
        event_time: Aware UTC.
        expires_at: When Meta no longer takes it (aware UTC).
        payload: As it goes on the wire: customer data hashed.
    """

    event_name: str
    event_id: str
    event_time: datetime
    expires_at: datetime
    payload: dict[str, Any]


def build(raw: Any, now: datetime) -> Event | list[Problem]:
    """Check an event, and normalise and hash what it says of a person.

    Args:
        raw: With Meta's keys; `event_time` in Unix seconds or as a time with its offset.
            `user_data` in the clear, or hashed with SHA-256 already.
        now: Current aware time.

    Returns:
        The event, or everything that is wrong with it. No value of it is repeated.
    """
    problems: list[Problem] = []
    if not isinstance(raw, Mapping):
        return [Problem("event", "must be an object of keys and values")]
    for key in sorted(set(map(str, raw)) - _KEYS):
        named = key if re.fullmatch(r"\w{1,40}", key) else "a key"
        problems.append(Problem(named, "is not known; leave it out"))
    name = _text(raw, "event_name", problems)
    number = _text(raw, "event_id", problems)
    source = raw.get("action_source")
    if source not in SOURCES:
        problems.append(Problem("action_source", f"must be one of {', '.join(SOURCES)}"))
    at = event_time(raw.get("event_time"), str(source), now, problems)
    user = person(raw.get("user_data"), problems)
    _website(raw, source, user, problems)
    custom = _custom(raw.get("custom_data"), name, problems)
    extra = _extra(raw, source, problems)
    if problems or at is None or name is None or number is None:
        return problems
    return Event(
        name, number, at, at + oldest(str(source)),
        _payload(raw, name, number, at, str(source), user, custom, extra),
    )  # fmt: skip


def oldest(source: str) -> timedelta:
    """How old an event of a source may be."""
    return OLDEST_IN_STORE if source == "physical_store" else OLDEST


def event_time(value: Any, source: str, now: datetime, problems: list[Problem]) -> datetime | None:
    """Read the moment of an event; what is wrong with it goes to the problems."""
    try:
        at = _moment(value)
        if at > now + SLACK:
            raise ValueError("is in the future; check the clock and the timezone of its source")
        if at <= now - oldest(source):
            days = oldest(source).days
            raise ValueError(f"is more than {days} days ago; Meta takes it no more")
    except ValueError as error:
        problems.append(Problem("event_time", str(error)))
        return None
    return at


def _moment(value: Any) -> datetime:
    """A time in UTC, to the second.

    Raises:
        ValueError: With what to do, and without the value.
    """
    whole = str(value).strip()
    if isinstance(value, str) and not whole.isdigit():
        try:
            at = datetime.fromisoformat(whole)
        except ValueError:
            raise ValueError(
                "must be Unix seconds, or a time such as 2026-11-03T14:05:00+01:00"
            ) from None
        if at.tzinfo is None:
            raise ValueError("needs the offset of its timezone, or Unix seconds")
        return at.astimezone(UTC).replace(microsecond=0)
    if isinstance(value, bool) or not whole.isascii() or not whole.isdigit():
        raise ValueError("is required, in Unix seconds")
    if int(whole) >= 10**11:
        raise ValueError("is in milliseconds; divide by 1000")
    return datetime.fromtimestamp(int(whole), UTC)


def _text(raw: Mapping[str, Any], key: str, problems: list[Problem]) -> str | None:
    value = raw.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        why = "; derive it from the order or lead, so that a repetition is told" * (
            key == "event_id"
        )
        problems.append(Problem(key, f"is required{why}"))
        return None
    if len(value) > 200 or "\0" in value or _MAIL.search(value):
        problems.append(Problem(key, "must be a short name or number without personal data"))
        return None
    return value.strip()


def _website(
    raw: Mapping[str, Any], source: Any, user: Mapping[str, Any], problems: list[Problem]
) -> None:
    for key in ("event_source_url", "referrer_url"):
        address = raw.get(key)
        if address in (None, ""):
            continue
        if not isinstance(address, str) or not re.match(r"https?://[^\s]+$", address):
            problems.append(Problem(key, "must be an address that begins with https://"))
        elif _MAIL.search(address):
            problems.append(Problem(key, "holds an e-mail address; cut the query off"))
    if source == "website":
        if not raw.get("event_source_url"):
            problems.append(Problem("event_source_url", "is required for website events"))
        if not user.get("client_user_agent"):
            problems.append(
                Problem("user_data.client_user_agent", "is required for website events")
            )


def _custom(given: Any, name: str | None, problems: list[Problem]) -> dict[str, Any]:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        problems.append(Problem("custom_data", "must be an object"))
        return {}
    found: dict[str, Any] = {}
    for key, value in given.items():
        where = f"custom_data.{key}" if re.fullmatch(r"\w{1,40}", str(key)) else "custom_data"
        if value in (None, ""):
            continue
        if _MAIL.search(str(value)):
            problems.append(Problem(where, "holds an e-mail address; personal data is user_data"))
        elif key in _NUMBERS:
            number = _number(value)
            if number is None or (key == "value" and number < 0):
                problems.append(Problem(where, "must be a number, such as 49.90"))
            else:
                found[key] = int(number) if key == "num_items" else number
        elif key == "currency":
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{3}", value.strip()):
                problems.append(Problem(where, "must be three letters, such as EUR"))
            else:
                found[key] = value.strip()
        elif key in ("content_ids", "contents"):
            found[key] = _listed(str(key), value, problems)
        elif isinstance(value, str | int | float | bool) and len(str(value)) <= _TEXT:
            found[str(key)] = value if key not in _PLAIN else str(value)
        else:
            problems.append(Problem(where, "must be a short text or a number"))
    for key in ("value", "currency"):
        if name == "Purchase" and given.get(key) in (None, ""):
            problems.append(Problem(f"custom_data.{key}", "is required for Purchase"))
    if found.get("value") is not None and "currency" not in given and name != "Purchase":
        problems.append(Problem("custom_data.currency", "is required with a value"))
    return found


def _listed(key: str, value: Any, problems: list[Problem]) -> list[Any]:
    where = f"custom_data.{key}"
    items = value if isinstance(value, list) else [value]
    if key == "content_ids":
        if all(isinstance(v, str | int) for v in items):
            return [str(v) for v in items]
        problems.append(Problem(where, "must list identifiers of products"))
        return []
    for item in items:
        if not isinstance(item, Mapping) or not item.get("id") or set(item) - set(_CONTENT):
            problems.append(
                Problem(where, "must list objects with id, and perhaps quantity and item_price")
            )
            return []
    return items


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _extra(raw: Mapping[str, Any], source: Any, problems: list[Problem]) -> dict[str, Any]:
    """Keys that go through as they are."""
    found = {
        k: raw[k]
        for k in ("data_processing_options", "data_processing_options_country",
                  "data_processing_options_state", "app_data", "messaging_channel")
        if raw.get(k) is not None
    }  # fmt: skip
    if found.get("data_processing_options") not in (None, [], ["LDU"]):
        problems.append(Problem("data_processing_options", 'must be [] or ["LDU"]'))
    for key in ("data_processing_options_country", "data_processing_options_state"):
        if key in found and (isinstance(found[key], bool) or not isinstance(found[key], int)):
            problems.append(Problem(key, "must be a whole number"))
    app = found.get("app_data")
    if source == "app" and (not isinstance(app, Mapping) or any(k not in app for k in _APP)):
        problems.append(Problem("app_data", f"is required for app events: {', '.join(_APP)}"))
    elif app is not None and (not isinstance(app, Mapping) or _MAIL.search(str(app))):
        problems.append(Problem("app_data", "must be an object without personal data"))
    if "messaging_channel" in found and not re.fullmatch(
        r"\w{1,40}", str(found["messaging_channel"])
    ):
        problems.append(Problem("messaging_channel", "must be the name of a channel"))
    if not isinstance(raw.get("opt_out", False), bool):
        problems.append(Problem("opt_out", "must be true or false"))
    return found


def _payload(
    raw: Mapping[str, Any],
    name: str,
    number: str,
    at: datetime,
    source: str,
    user: dict[str, Any],
    custom: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """The event as the SDK writes it."""
    from facebook_business.adobjects.serverside.action_source import ActionSource
    from facebook_business.adobjects.serverside.content import Content
    from facebook_business.adobjects.serverside.custom_data import CustomData
    from facebook_business.adobjects.serverside.event import Event as Wire

    known = {*_NUMBERS, *_PLAIN, "currency", "content_ids"}
    contents = [
        Content(product_id=str(c["id"]), **{k: v for k, v in c.items() if k != "id"})
        for c in custom.get("contents", ())
        if "delivery_category" not in c
    ]
    data = CustomData(
        **{k: v for k, v in custom.items() if k in known},
        custom_properties={
            k: v for k, v in custom.items() if k not in known and k != "contents"
        },
    )  # fmt: skip
    wire: dict[str, Any] = Wire(
        event_name=name, event_id=number, event_time=int(at.timestamp()),
        action_source=ActionSource(source), event_source_url=raw.get("event_source_url") or None,
        referrer_url=raw.get("referrer_url") or None, opt_out=raw.get("opt_out"),
        custom_data=data if custom else None,
    ).normalize()  # fmt: skip
    if contents or custom.get("contents"):
        whole = [c for c in custom["contents"] if "delivery_category" in c]
        wire["custom_data"]["contents"] = [*(c.normalize() for c in contents), *whole]
    return {**wire, **extra, "user_data": user}


@dataclass(frozen=True)
class Receipt:
    """What Meta answered; `trace_id` is for a support case."""

    received: int
    messages: tuple[str, ...]
    trace_id: str | None


def post(
    client: GraphClient,
    dataset_id: int,
    payloads: Sequence[Mapping[str, Any]],
    test_code: str | None = None,
) -> Receipt:
    """Send up to 1,000 events; Meta takes all or none.

    Args:
        client: The signed client.
        dataset_id: Pixel or dataset.
        payloads: As `build` made them.
        test_code: Shows the events under Test Events; Meta counts them all the same.

    Raises:
        AnswerLostError: If Meta may have them or not, or says it received another number; the same
            again is deduplicated for 48 hours.
        MetaUnavailableError: If there was no connection; nothing was sent.
        RejectedRequestError: If one of them is refused, and so all.
        MetaError: As the client raises.
        ValueError: If there are none, or more than 1,000.
    """
    if not 1 <= len(payloads) <= MOST_EVENTS:
        raise ValueError(f"a call holds 1 to {MOST_EVENTS} events, not {len(payloads)}")
    form: dict[str, Any] = {"data": [dict(p) for p in payloads]}
    if test_code is not None:
        form["test_event_code"] = test_code
    # Reason: the outbox repeats by itself, and must know how often something may have arrived.
    answer = client.send(f"{dataset_id}/events", form, repeatable=False)
    received = answer.get("events_received")
    trace = answer.get("fbtrace_id")
    if received != len(payloads):
        raise AnswerLostError(
            f"Meta says it received {received!r} of {len(payloads)} events.",
            "They are sent again; Meta counts each once.",
            trace_id=None if trace is None else str(trace),
        )
    told = answer.get("messages")
    return Receipt(
        received, tuple(str(m) for m in told) if isinstance(told, list) else (),
        None if trace is None else str(trace),
    )  # fmt: skip
