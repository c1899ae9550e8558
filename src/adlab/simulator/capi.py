"""The Conversions API: events are validated all or nothing, kept, and counted once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from adlab.simulator.errors import GraphError, invalid_parameter, trace_id
from adlab.simulator.expansion import Wanted, parse_fields
from adlab.simulator.wire import GraphRequest

Row = dict[str, Any]
MOST_EVENTS = 1000
_DAY = 86_400
_OLDEST_DAYS = {"physical_store": 62}
# Reason: clocks of senders differ a little; only a real lead is a time in the future.
_CLOCK_SLACK = 60
DEDUPE_SECONDS = 48 * 3600
_SOURCES = frozenset(
    {
        "website",
        "app",
        "email",
        "phone_call",
        "chat",
        "physical_store",
        "system_generated",
        "business_messaging",
        "other",
    }
)
_HASHED = frozenset({"em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"})
_IDENTIFYING = frozenset(
    {
        "em",
        "ph",
        "external_id",
        "fbc",
        "fbp",
        "lead_id",
        "madid",
        "anon_id",
        "subscription_id",
        "fb_login_id",
        "ctwa_clid",
    }
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_WEIGHTS = {"em": 3.0, "ph": 2.0, "external_id": 1.5, "fbc": 1.5, "fbp": 1.0}
_LABELS = {
    "em": "email",
    "ph": "phone",
    "external_id": "external_id",
    "fbc": "fbc",
    "fbp": "fbp",
    "client_ip_address": "ip_address",
    "client_user_agent": "user_agent",
}


@dataclass(frozen=True)
class Event:
    """A kept event; `source` is `server` or `browser`, `is_duplicate` one that does not count."""

    dataset: str
    event_name: str
    event_id: str | None
    event_time: int
    received_at: int
    action_source: str
    source: str
    is_duplicate: bool
    test_event_code: str | None
    value: float | None
    currency: str | None
    keys: tuple[str, ...]


def _refused(place: int, text: str, subcode: int | None = None, title: str = "") -> GraphError:
    return GraphError(
        100,
        "Invalid parameter",
        subcode=subcode,
        title=title or "Invalid event",
        user_message=f"Event {place}: {text}",
    )


class EventsOffice:
    """Receives events of every dataset."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._first: dict[tuple[str, str, str], int] = {}
        self.rejected = 0

    def clear(self) -> None:
        """Forget every event."""
        self._events.clear()
        self._first.clear()
        self.rejected = 0

    def receive(self, request: GraphRequest, dataset: str, now: float) -> Row:
        """Answer `POST /{dataset}/events`.

        Raises:
            GraphError: If any event is wrong; then none is kept.
        """
        if request.method != "POST":
            raise invalid_parameter(f"Unsupported {request.method.lower()} request")
        try:
            events = self._checked(request, now)
        except GraphError:
            self.rejected += 1
            raise
        code = request.params.get("test_event_code") or None
        for item in events:
            self._keep(dataset, item, now, "server", code)
        return {"events_received": len(events), "messages": [], "fbtrace_id": trace_id()}

    def _checked(self, request: GraphRequest, now: float) -> list[Row]:
        data = request.json("data")
        if not isinstance(data, list) or not data:
            raise invalid_parameter("The parameter data is required")
        if len(data) > MOST_EVENTS:
            raise invalid_parameter(f"data may hold at most {MOST_EVENTS} events")
        for place, item in enumerate(data):
            if not isinstance(item, dict):
                raise _refused(place, "must be an object.")
            _check_event(item, place, now)
        return data

    def seen_in_browser(self, dataset: str, name: str, event_id: str, now: float) -> None:
        """Keep an event that the pixel in a browser reported."""
        item = {
            "event_name": name,
            "event_id": event_id,
            "event_time": int(now),
            "action_source": "website",
            "user_data": {},
        }
        self._keep(dataset, item, now, "browser", None)

    def _keep(self, dataset: str, item: Row, now: float, source: str, code: str | None) -> None:
        event_id = item.get("event_id")
        is_duplicate = False
        if event_id is not None:
            name = (dataset, str(item["event_name"]), str(event_id))
            first = self._first.get(name)
            is_duplicate = first is not None and now - first <= DEDUPE_SECONDS
            if not is_duplicate:
                self._first[name] = int(now)
        custom = item.get("custom_data") or {}
        self._events.append(
            Event(
                dataset,
                str(item["event_name"]),
                None if event_id is None else str(event_id),
                int(item["event_time"]),
                int(now),
                str(item["action_source"]),
                source,
                is_duplicate,
                code,
                None if custom.get("value") is None else float(custom["value"]),
                custom.get("currency"),
                tuple(sorted(item["user_data"])),
            )
        )

    def counted(self, dataset: str) -> Iterable[tuple[int, str]]:
        """Give Unix time and name of a dataset's events, each counted once."""
        return [
            (event.event_time, event.event_name)
            for event in self._events
            if event.dataset == dataset and not event.is_duplicate
        ]

    def listed(self, dataset: str | None, limit: int) -> Row:
        """Describe what was received, for the control plane."""
        chosen = [event for event in self._events if dataset in {None, event.dataset}]
        counted = [event for event in chosen if not event.is_duplicate]
        return {
            "received": len(chosen),
            "counted": len(counted),
            "deduplicated": len(chosen) - len(counted),
            "rejected_requests": self.rejected,
            "by_name": dict(Counter(event.event_name for event in counted)),
            "events": [asdict(event) for event in chosen[-limit:]] if limit else [],
        }

    def quality(self, request: GraphRequest, now: float) -> Row:
        """Answer `/dataset_quality`: scores of the last seven days' server events of websites.

        Raises:
            GraphError: If `dataset_id` or `fields` are missing or name something unknown.
        """
        dataset = request.params.get("dataset_id")
        wanted = parse_fields(request.params.get("fields", ""))
        if not dataset or not wanted:
            raise invalid_parameter("The parameters dataset_id and fields are required")
        web = next((item for item in wanted if item.name == "web"), None)
        if web is None:
            raise invalid_parameter("Tried accessing nonexisting field; only web is known")
        recent = [
            event
            for event in self._events
            if event.dataset == dataset
            and event.action_source == "website"
            and event.received_at > now - 7 * _DAY
        ]
        names = sorted({event.event_name for event in recent})
        return {
            "web": [
                _quality(name, [e for e in recent if e.event_name == name], web.children)
                for name in names
            ]
        }


def _check_event(item: Row, place: int, now: float) -> None:
    for name in ("event_name", "event_time", "action_source", "user_data"):
        if item.get(name) in (None, ""):
            raise _refused(place, f"{name} is required.")
    source, moment = item["action_source"], item["event_time"]
    if source not in _SOURCES:
        raise _refused(place, f"action_source {source} is not known.")
    if isinstance(moment, bool) or not str(moment).isdigit():
        raise _refused(place, "event_time must be Unix seconds.", 2804003, "Invalid event time")
    days = _OLDEST_DAYS.get(source, 7)
    if int(moment) < now - days * _DAY:
        raise _refused(place, f"event_time is more than {days} days ago.", 2804003, "Event too old")
    if int(moment) > now + _CLOCK_SLACK:
        raise _refused(place, "event_time is in the future.", 2804003, "Event in the future")
    user = item["user_data"]
    if not isinstance(user, dict):
        raise _refused(place, "user_data must be an object.")
    _check_user(user, place)
    if source == "website":
        if not item.get("event_source_url"):
            raise _refused(place, "event_source_url is required for website events.")
        if not user.get("client_user_agent"):
            raise _refused(place, "client_user_agent is required for website events.")
    _check_custom(item, place)


def _check_user(user: Row, place: int) -> None:
    for name in sorted(_HASHED & set(user)):
        values = user[name] if isinstance(user[name], list) else [user[name]]
        if not values or not all(isinstance(v, str) and _SHA256.fullmatch(v) for v in values):
            raise _refused(
                place, f"user_data.{name} must be SHA-256 in lower-case hexadecimal digits."
            )
    present = {name for name, value in user.items() if value}
    has_browser = {"client_ip_address", "client_user_agent"} <= present
    if not present & _IDENTIFYING and not has_browser:
        raise _refused(
            place,
            "there is not enough customer information to match a person.",
            2804050,
            "Not enough customer information",
        )


def _check_custom(item: Row, place: int) -> None:
    custom = item.get("custom_data")
    if custom is not None and not isinstance(custom, dict):
        raise _refused(place, "custom_data must be an object.")
    custom = custom or {}
    if item["event_name"] == "Purchase" and not {"value", "currency"} <= set(custom):
        raise _refused(place, "Purchase needs custom_data.value and custom_data.currency.")
    value, currency = custom.get("value"), custom.get("currency")
    if value is not None:
        try:
            float(value)
        except (TypeError, ValueError):
            raise _refused(place, "custom_data.value must be a number.") from None
    if currency is not None and not _CURRENCY.fullmatch(str(currency)):
        raise _refused(place, "custom_data.currency must be a code of three letters.")
    options = item.get("data_processing_options")
    if options is not None and options not in ([], ["LDU"]):
        raise _refused(place, 'data_processing_options must be [] or ["LDU"].')


def _quality(name: str, events: list[Event], wanted: tuple[Wanted, ...]) -> Row:
    server = [event for event in events if event.source == "server"]
    browser = [event for event in events if event.source == "browser"]
    shares = {
        key: sum(key in event.keys for event in server) / len(server) if server else 0.0
        for key in _LABELS
    }
    score = sum(_WEIGHTS[key] * shares[key] for key in _WEIGHTS)
    score += min(shares["client_ip_address"], shares["client_user_agent"])
    found: Row = {
        "event_name": name,
        "event_match_quality": {
            "composite_score": round(score, 1),
            "match_key_feedback": [
                {"identifier": label, "coverage": {"percentage": round(100 * shares[key])}}
                for key, label in _LABELS.items()
                if shares[key] > 0
            ],
        },
        "dedupe_key_feedback": [
            {
                "dedupe_key": "event_id",
                "server_events_with_dedupe_key": {"percentage": _with_id(server)},
                "browser_events_with_dedupe_key": {"percentage": _with_id(browser)},
            }
        ],
        "event_coverage": {
            "percentage": round(100 * len(server) / len(browser)) if browser else 100
        },
        "data_freshness": {"upload_frequency": _frequency(server)},
    }
    names = {item.name for item in wanted} or {"event_name"}
    return {key: value for key, value in found.items() if key in names}


def _with_id(events: list[Event]) -> int:
    return round(100 * sum(e.event_id is not None for e in events) / len(events)) if events else 0


def _frequency(events: list[Event]) -> str:
    late = [event.received_at - event.event_time for event in events]
    average = sum(late) / len(late) if late else 0.0
    return "real_time" if average < 3600 else "hourly" if average < _DAY else "daily"
