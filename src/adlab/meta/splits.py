"""Make a question about insights smaller: fewer days, then fewer objects, then fewer fields.

Every part keeps all filters of the whole. Days come first because they cost nothing; objects need
their ids; fields come last, because the parts' rows must be put together again by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import orjson

from adlab.core.entities import Level
from adlab.core.periods import DateRange

ID_LEVELS = (Level.CAMPAIGN, Level.AD_SET, Level.AD)
_KEYS = frozenset({
    "account_id", "campaign_id", "adset_id", "ad_id", "campaign_name", "adset_name", "ad_name",
    "account_name", "account_currency", "attribution_setting", "date_start", "date_stop",
})  # fmt: skip


@dataclass(frozen=True)
class SafeSize:
    """What worked for one kind of question of one account, after more had failed.

    Attributes:
        days: Days a report, or None while no report was too large.
        ids: Objects a report of one day.
        fields: Fields a report of one day and object.
        report_from_days: From so many days on, reading page by page fails.
    """

    days: int | None = None
    ids: int | None = None
    fields: int | None = None
    report_from_days: int | None = None


@dataclass
class Learned:
    """What one account taught us, by kind of question; stored between runs.

    Attributes:
        sizes: By level and breakdowns, such as `ad` or `ad|age,gender`.
        changed: Kinds learned in this run.
    """

    sizes: dict[str, SafeSize] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def of(self, kind: str) -> SafeSize:
        """What is known of a kind of question."""
        return self.sizes.get(kind, SafeSize())

    def learn(self, kind: str, **found: int) -> None:
        """Keep the smaller of what was known and what was found."""
        known = self.of(kind)
        smaller = {
            name: value
            for name, value in found.items()
            if (old := getattr(known, name)) is None or value < old
        }
        if smaller:
            self.sizes[kind] = replace(known, **smaller)
            self.changed.add(kind)


def kind_of(params: Mapping[str, Any]) -> str:
    """The kind of a question: its level and breakdowns."""
    breakdowns = params.get("breakdowns") or ()
    names = breakdowns.split(",") if isinstance(breakdowns, str) else sorted(breakdowns)
    return "|".join([str(params.get("level", "")), *([",".join(names)] if names else [])])


def period_of(params: Mapping[str, Any]) -> DateRange | None:
    """Days asked for, or None when they were asked for by another name than a range."""
    span = params.get("time_range")
    if not isinstance(span, Mapping):
        return None
    return DateRange(date.fromisoformat(span["since"]), date.fromisoformat(span["until"]))


def by_days(params: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """Parts of at most so many days, newest first; one part where days may not be cut.

    A row of several days (`time_increment` other than 1) must come from one report.
    """
    period = period_of(params)
    if period is None or period.days <= most or str(params.get("time_increment")) != "1":
        return [dict(params)]
    return [{**params, "time_range": span(p)} for p in period.slices(most)]


def span(period: DateRange) -> dict[str, str]:
    """A range as `time_range` wants it, both ends included."""
    return {"since": period.since.isoformat(), "until": period.until.isoformat()}


def for_ids(params: Mapping[str, Any], level: Level, ids: Iterable[str]) -> dict[str, Any]:
    """The same question for some objects only; its own filters stay, whatever they are."""
    condition = {"field": f"{level.word}.id", "operator": "IN", "value": list(ids)}
    return {**params, "filtering": [*(params.get("filtering") or ()), condition]}


def ids_question(params: Mapping[str, Any], level: Level) -> dict[str, Any]:
    """Which objects a question is about: the same days and filters, no metrics, no breakdowns."""
    kept = {k: v for k, v in params.items() if k in ("time_range", "filtering")}
    return {**kept, "level": level.word, "fields": f"{level.word}_id", "time_increment": "all_days"}


def chunks(ids: list[str], most: int) -> Iterator[list[str]]:
    """Ids, so many at a time."""
    for start in range(0, len(ids), most):
        yield ids[start : start + most]


def field_names(params: Mapping[str, Any]) -> list[str]:
    """Metrics asked for, without the names that make a row's key."""
    return [n for n in str(params.get("fields", "")).split(",") if n and n not in _KEYS]


def by_fields(params: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """Parts of at most so many metrics, each with every key."""
    every = [n for n in str(params.get("fields", "")).split(",") if n]
    keys = [n for n in every if n in _KEYS]
    return [
        {**params, "fields": ",".join([*keys, *part])}
        for part in chunks(field_names(params), most)
    ]  # fmt: skip


def merged(
    parts: Iterable[Iterable[dict[str, Any]]], params: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of parts that differ in their fields, put together by object, day and breakdowns."""
    breakdowns = params.get("breakdowns") or ()
    names = breakdowns.split(",") if isinstance(breakdowns, str) else list(breakdowns)
    keys = ["account_id", "campaign_id", "adset_id", "ad_id", "date_start", "date_stop", *names]
    rows: dict[bytes, dict[str, Any]] = {}
    for part in parts:
        for row in part:
            key = orjson.dumps([_identity(row.get(k)) for k in keys], option=orjson.OPT_SORT_KEYS)
            rows.setdefault(key, {}).update(row)
    return list(rows.values())


def _identity(value: Any) -> Any:
    # Reason: an asset is an object whose texts and signed addresses change; its id does not.
    return value["id"] if isinstance(value, dict) and "id" in value else value
