"""Fetch daily insights with a breakdown, asking only for what Meta allows under it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from adlab.core.breakdowns import NO_VALUE, Breakdown, BreakdownRow
from adlab.core.entities import AdObject, Level
from adlab.core.errors import DataError, MetaUnavailableError, RejectedRequestError
from adlab.core.insights import ACTION_LISTS, ATTRIBUTION_WINDOWS, STORED
from adlab.core.money import round_to_micro, to_micro
from adlab.core.periods import DateRange
from adlab.meta import fields, parsing
from adlab.meta.insights import InsightsReader
from adlab.meta.paging import pages

_IDS = {
    Level.ACCOUNT: ("account_id",),
    Level.CAMPAIGN: ("campaign_id", "campaign_name"),
    Level.AD_SET: ("campaign_id", "adset_id", "adset_name"),
    Level.AD: ("campaign_id", "adset_id", "ad_id", "ad_name"),
}
# Of an asset, the first of these that is there is what a person reads.
_READABLE = ("text", "name", "title", "hash", "video_id", "website_url", "url")


@dataclass
class BreakdownReader:
    """Reads breakdowns of one account.

    Attributes:
        insights: Asks the questions; knows what Meta refused before.
        named: Objects that rows named, by id.
    """

    insights: InsightsReader
    named: dict[int, AdObject] = field(default_factory=dict)

    def fetch(
        self, kind: Breakdown, level: Level, period: DateRange, today: date, expected_rows: int
    ) -> list[BreakdownRow]:
        """Rows of one kind, level and period; every key once.

        Args:
            kind: The breakdown.
            level: One of `kind.levels`.
            period: Days, account-local, none older than `kind.earliest(today)`.
            today: The account's current day.
            expected_rows: Rough size, to choose between pages and a report.

        Raises:
            ValueError: If Meta does not serve this breakdown at that level.
            MetaError: As the client raises; nothing of the slice should then be kept.
        """
        params = question(kind, level, period, today, self.insights.with_deleted)
        read = self._parser(kind, level)
        rows = self.insights.fetch_rows(params, parse=read, expected_rows=expected_rows)
        return unique(rows)

    def fetch_object(
        self, kind: Breakdown, level: Level, object_id: int, period: DateRange, today: date
    ) -> list[BreakdownRow]:
        """Rows of one object by its own id; the only way to a deleted one in some accounts."""
        params = question(kind, level, period, today, with_deleted=False)
        params.pop("filtering", None)
        read = self._parser(kind, level)
        try:
            found = pages(self.insights.client, f"{object_id}/insights", params)
            return unique(read(row) for page in found for row in page)
        except RejectedRequestError as error:
            if (error.code, error.subcode) != (100, 33):
                raise
            # Reason: Meta shows it to nobody any more; what is stored of it stays.
            return []

    def _parser(self, kind: Breakdown, level: Level) -> Callable[[Mapping[str, Any]], BreakdownRow]:
        def read(row: Mapping[str, Any]) -> BreakdownRow:
            cells = breakdown_cells(row, kind, level)
            if level is not Level.ACCOUNT and cells.object_id not in self.named:
                self.named[cells.object_id] = parsing.named_object(row, level)
            return cells

        return read


def question(
    kind: Breakdown, level: Level, period: DateRange, today: date, with_deleted: bool
) -> dict[str, Any]:
    """Parameters of the insights edge for one slice.

    Raises:
        ValueError: If Meta does not serve this breakdown at that level.
    """
    if level not in kind.levels:
        words = ", ".join(lv.word for lv in kind.levels)
        raise ValueError(f"Meta serves {kind.kind} at {words} only, not at {level.word}")
    names = (*_IDS[level], *kind.scalars(period, today), *kind.lists)
    params: dict[str, Any] = {
        "level": level.word,
        "fields": ",".join(names),
        "time_range": {"since": period.since.isoformat(), "until": period.until.isoformat()},
        "time_increment": "1",
        "breakdowns": list(kind.names),
        "action_attribution_windows": list(ATTRIBUTION_WINDOWS),
        "action_breakdowns": ["action_type"],
    }
    if level is not Level.ACCOUNT:
        params["filtering"] = fields.insights_filter(level, with_deleted)
    return params


def breakdown_cells(row: Mapping[str, Any], kind: Breakdown, level: Level) -> BreakdownRow:
    """One row of a breakdown.

    Raises:
        MetaUnavailableError: If an id, the date or a number is missing or malformed: believing
            such a row would store a wrong number.
    """
    try:
        setting = row.get("attribution_setting")
        lists = {key: row[key] for key in ACTION_LISTS if key in row}
        first, label = _value(row, kind.names[0], kind.is_asset)
        second = _value(row, kind.names[1], False)[0] if len(kind.names) > 1 else ""
        return BreakdownRow(
            date=str(row["date_start"]),
            object_id=int(row[_IDS[level][-2 if level > Level.ACCOUNT else 0]]),
            value=first,
            value2=second,
            label=label,
            hot=_hot(row, kind),
            attribution_setting=setting,
            actions=orjson.dumps(lists) if lists else None,
        )
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise MetaUnavailableError(
            f"A row of {kind.kind} cannot be read ({type(error).__name__}: {error}).",
            "Nothing of this slice was kept; try again later.",
        ) from None


def _value(row: Mapping[str, Any], name: str, asset: bool) -> tuple[str, str | None]:
    found = row.get(name)
    # Reason: Meta leaves the hour out of a row in which nothing was shown; a key must have one.
    if found is None or found == "":
        return NO_VALUE, None
    if not asset:
        return str(found), None
    if not isinstance(found, Mapping):
        return str(found), str(found)
    label = next((str(found[k]) for k in _READABLE if found.get(k)), None)
    number = found.get("id") or found.get("hash") or found.get("video_id")
    if number is None:
        if label is None:
            return NO_VALUE, None
        number = hashlib.sha256(label.encode()).hexdigest()[:16]
    return str(number), label


def _hot(row: Mapping[str, Any], kind: Breakdown) -> tuple[Any, ...]:
    mixed = row.get("attribution_setting") in ("mixed", "multiple", "mixed_attribution")
    withheld = mixed and "actions" not in row
    cells: list[Any] = []
    for column in STORED:
        money = column.unit == "micro"
        if column.name in kind.withheld:
            cells.append(None)
        elif column.field is not None:
            value = row.get(column.field)
            if value is None:
                cells.append(0 if column.additive else None)
            else:
                cells.append(to_micro(value) if money else int(value))
        elif column.actions is not None:
            source, types = column.actions
            found = {e["action_type"]: e["value"] for e in row.get(source, ()) if "value" in e}
            text = next((str(found[t]) for t in types if t in found), None)
            if text is None:
                cells.append(None if withheld else 0)
            else:
                cells.append(round_to_micro(text) if money else _count(text))
        else:
            cells.append(None)
    return tuple(cells)


def _count(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no count")
    return value


def unique(rows: Iterator[BreakdownRow] | Sequence[BreakdownRow]) -> list[BreakdownRow]:
    """Rows with every key once: rows that came without their value may come twice; they add up."""
    kept: dict[tuple[str, int, str, str], BreakdownRow] = {}
    for row in rows:
        other = kept.get(row.key)
        kept[row.key] = row if other is None else _added(other, row)
    return list(kept.values())


def _added(a: BreakdownRow, b: BreakdownRow) -> BreakdownRow:
    hot = tuple(
        None if x is None or y is None or not column.additive else x + y
        for column, x, y in zip(STORED, a.hot, b.hot, strict=True)
    )
    setting = a.attribution_setting if a.attribution_setting == b.attribution_setting else "mixed"
    return BreakdownRow(
        a.date, a.object_id, a.value, a.value2, a.label or b.label, hot, setting,
        _added_lists(a.actions, b.actions),
    )  # fmt: skip


def _added_lists(a: bytes | None, b: bytes | None) -> bytes | None:
    """Action lists of two rows as one: values and windows of each action type added up."""
    if a is None or b is None:
        return a or b
    merged: dict[str, dict[str, dict[str, Any]]] = {}
    for document in (orjson.loads(a), orjson.loads(b)):
        for name, entries in document.items():
            into = merged.setdefault(name, {})
            for entry in entries:
                old = into.setdefault(entry["action_type"], {"action_type": entry["action_type"]})
                for key, value in entry.items():
                    if key != "action_type" and isinstance(value, str):
                        old[key] = f"{float(old.get(key, 0)) + float(value):.10g}"
    return orjson.dumps({name: list(types.values()) for name, types in merged.items()})
