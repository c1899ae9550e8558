"""Reads the parameters of an insights call into one value, refusing what the API refuses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

from adlab.simulator import periods
from adlab.simulator.breakdowns import check_breakdowns
from adlab.simulator.catalog import FIELDS, WINDOWS
from adlab.simulator.errors import GraphError, invalid_parameter, not_imitated
from adlab.simulator.filters import Filter, parse_filters
from adlab.simulator.periods import DayRange
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import LEVELS, AccountWorld, Level

DEFAULT_LIMIT = 25
LARGEST_LIMIT = 5000
SORTABLE = frozenset(
    {
        "date_start",
        "date_stop",
        "campaign_id",
        "adset_id",
        "ad_id",
        "impressions",
        "spend",
        "clicks",
        "reach",
        "inline_link_clicks",
    }
)
_DEFAULT_FIELDS = ("account_id", "campaign_id", "adset_id", "ad_id", "impressions", "spend")


@dataclass(frozen=True)
class InsightsQuery:
    """What is asked of one account, paging aside.

    `node` is the object the call was made on, `index` its index among the account's objects.
    """

    account_id: int
    node: Level
    index: int
    level: Level
    fields: tuple[str, ...]
    days: tuple[DayRange, ...]
    increment: int | str
    breakdowns: tuple[str, ...]
    windows: tuple[str, ...]
    filters: tuple[Filter, ...]
    sort: tuple[str, bool] | None
    summary: tuple[str, ...] | None
    action_types: tuple[str, ...] | None

    @property
    def digest(self) -> str:
        """A short name of this query for caches and cursors."""
        return hashlib.blake2b(repr(self).encode(), digest_size=9).hexdigest()

    @property
    def buckets(self) -> list[DayRange]:
        """The time pieces of the result, in order."""
        return [piece for days in self.days for piece in periods.buckets_of(days, self.increment)]


def parse_query(
    request: GraphRequest, account: AccountWorld, node: Level, index: int, today: int
) -> InsightsQuery:
    """Read an insights call.

    Raises:
        GraphError: If a parameter is not valid.
    """
    if "date_format" in request.params:
        raise invalid_parameter("Param date_format is no longer supported")
    level = request.params.get("level") or node
    if level not in LEVELS:
        raise invalid_parameter(
            "level must be one of the following values: ad, adset, campaign, account"
        )
    if LEVELS.index(level) < LEVELS.index(node):
        raise GraphError(1, "An unknown error occurred", subcode=99, status=500)
    fields = _fields(request.words("fields"))
    breakdowns = tuple(request.words("breakdowns"))
    action_breakdowns = request.words("action_breakdowns")
    named = tuple(request.words("fields"))
    check_breakdowns(breakdowns, action_breakdowns, named, level)
    filters, action_types = parse_filters(request.json("filtering"))
    summary = (
        tuple(_fields(request.words("summary")))
        if request.params.get("summary") not in (None, "", "true", "false")
        else None
    )
    if request.flag("default_summary"):
        summary = fields
    return InsightsQuery(
        account.profile.number,
        node,
        index,
        level,
        fields,
        _days(request, today),
        _increment(request.params.get("time_increment")),
        breakdowns,
        _windows(request.words("action_attribution_windows")),
        filters,
        _sort(request.words("sort")),
        summary,
        action_types,
    )


def _fields(names: list[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names)) or _DEFAULT_FIELDS
    wrong = [name for name in wanted if name not in FIELDS]
    if wrong:
        raise invalid_parameter(
            f"{', '.join(wrong)} is not valid for fields param. please check "
            "https://developers.facebook.com/docs/marketing-api/reference/ads-insights/ "
            "for all valid values"
        )
    return wanted


def _windows(names: list[str]) -> tuple[str, ...]:
    wrong = [name for name in names if name not in WINDOWS]
    if wrong:
        raise invalid_parameter(
            f"action_attribution_windows[0] must be one of the following values: "
            f"{', '.join(WINDOWS)}"
        )
    return tuple(dict.fromkeys(names))


def _increment(text: str | None) -> int | str:
    if text is None or text in {"", "all_days"}:
        return "all_days"
    if text == "monthly":
        return text
    if text.isdigit() and 1 <= int(text) <= 90:
        return int(text)
    raise invalid_parameter(
        "time_increment must be an integer between 1 and 90, monthly or all_days"
    )


def _sort(names: list[str]) -> tuple[str, bool] | None:
    if not names:
        return None
    name = names[0]
    for ending, descending in (("_ascending", False), ("_descending", True)):
        field = name.removesuffix(ending)
        if field != name and field in SORTABLE:
            return field, descending
        if field != name and field in FIELDS:
            raise not_imitated(f"sorting by {field}")
    raise invalid_parameter(f"Invalid sort value {name}")


def _days(request: GraphRequest, today: int) -> tuple[DayRange, ...]:
    several = request.json("time_ranges")
    if several is not None:
        if not isinstance(several, list) or not several:
            raise invalid_parameter("Param time_ranges must be a non-empty array")
        return tuple(_range(item, today) for item in several)
    since = request.params.get("time_range[since]")
    one = (
        {"since": since, "until": request.params.get("time_range[until]")}
        if since
        else request.json("time_range")
    )
    if one is not None:
        return (_range(one, today),)
    preset = request.params.get("date_preset") or "last_30d"
    days = periods.preset_range(preset, today)
    if days is None:
        raise invalid_parameter(f"date_preset must be a known preset, not {preset}")
    return (DayRange(max(days.since, periods.oldest_day(today)), days.until),)


def _range(value: Any, today: int) -> DayRange:
    try:
        since = date.fromisoformat(value["since"]).toordinal()
        until = date.fromisoformat(value["until"]).toordinal()
    except (TypeError, KeyError, ValueError):
        raise invalid_parameter(
            "Must be a date representation in the format YYYY-MM-DD for since and until"
        ) from None
    if since > until:
        raise invalid_parameter("since must be before or equal to until")
    if since < periods.oldest_day(today):
        raise GraphError(
            3018,
            "(#3018) The start date of the time range cannot be beyond 37 months from the "
            "current date",
        )
    return DayRange(since, until)
