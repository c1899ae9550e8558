"""Wire JSON → entities and rows. The only place that knows Meta's names and number formats.

Metrics are strings; a missing key of a row that delivered is zero, except reach (withheld when too
old) and actions of rows that mix attribution settings (withheld by Meta), which are unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from msgspec import Raw

from adlab.core.entities import AccountInfo, AdObject, Level, parse_account_id
from adlab.core.errors import DataError, MetaUnavailableError
from adlab.core.insights import ACTION_LISTS, STORED
from adlab.core.money import check_currency, round_to_micro, to_micro
from adlab.meta import fields
from adlab.meta.rows import InsightsRow, document_of, entries_of

_MIXED = {"mixed", "multiple", "mixed_attribution"}
_ID_FIELD = {
    Level.ACCOUNT: "account_id", Level.CAMPAIGN: "campaign_id", Level.AD_SET: "adset_id",
    Level.AD: "ad_id",
}  # fmt: skip

# (source list, action types, is money) of each action column, in the store's order.
_ACTIONS = [
    (*column.actions, column.unit == "micro") for column in STORED if column.actions is not None
]
_SCALARS = [(c.field, c.unit == "micro", c.additive) for c in STORED if c.field is not None]
assert [c.name for c in STORED if c.field is not None] == [c.name for c in STORED[: len(_SCALARS)]]


def insight_tuple(row: Mapping[str, Any] | InsightsRow, level: Level) -> tuple[Any, ...]:
    """One row of insights in the store's order; see `storage.insights.InsightTuple`.

    Args:
        row: As any JSON reader gives it, or as `rows.decode_page` does.
        level: Its level.

    Raises:
        MetaUnavailableError: If an id, the date or a number is missing or malformed: such an
            answer is cut or broken, and believing it would store a wrong number.
    """
    try:
        cells: list[Any] = [row["date_start"], int(row[_ID_FIELD[level]])]
        for name, money, additive in _SCALARS:
            value = row.get(name)
            if value is None:
                cells.append(0 if additive else None)
            else:
                cells.append(to_micro(value) if money else _whole(value))
        setting = row.get("attribution_setting")
        withheld = setting in _MIXED and "actions" not in row
        absent = None if withheld else 0
        by_type: dict[str, Mapping[str, Any]] = {}
        for source, types, money in _ACTIONS:
            found = by_type.get(source)
            if found is None:
                found = by_type[source] = _values(row.get(source))
            for kind in types:
                value = found.get(kind)
                if value is not None:
                    text = str(value)
                    cells.append(round_to_micro(text) if money else _count(text))
                    break
            else:
                cells.append(absent)
        cells.append(setting)
        cells.append(row.get("quality_ranking"))
        cells.append(row.get("engagement_rate_ranking"))
        cells.append(row.get("conversion_rate_ranking"))
        if isinstance(row, Mapping):
            lists = {key: row[key] for key in ACTION_LISTS if key in row}
            cells.append(orjson.dumps(lists) if lists else None)
        else:
            cells.append(document_of(row))
        return tuple(cells)
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise MetaUnavailableError(
            f"A row of insights cannot be read ({type(error).__name__}: {error}).",
            "Nothing of this slice was kept; try again later.",
        ) from None


def _values(entries: Any) -> Mapping[str, Any]:
    """Values of an action list by type."""
    if isinstance(entries, Raw):
        return entries_of(entries)
    return {e["action_type"]: e["value"] for e in entries or () if "value" in e}


def _count(text: str) -> str:
    if text.isascii() and text.isdigit():
        return text
    if "_" in text or not text.isascii() or not math.isfinite(float(text)):
        raise ValueError(f"{text!r} is no count")
    return text


def _whole(value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{value!r} is no whole number")
    return int(text)


def named_object(row: Mapping[str, Any] | InsightsRow, level: Level) -> AdObject:
    """What an insights row tells of its object: id, name and parents."""
    own = int(row[_ID_FIELD[level]])
    return AdObject(
        level=level,
        object_id=own,
        name=str(row.get(f"{level.word}_name") or own),
        campaign_id=_id(row, "campaign_id") if level > Level.CAMPAIGN else None,
        ad_set_id=_id(row, "adset_id") if level is Level.AD else None,
    )


def account(row: Mapping[str, Any]) -> AccountInfo:
    """An ad account.

    Raises:
        MetaUnavailableError: If currency, timezone or id is missing.
    """
    try:
        return AccountInfo(
            account_id=parse_account_id(row.get("account_id") or row["id"]),
            name=str(row.get("name") or row["id"]),
            currency=check_currency(row["currency"]),
            timezone=str(row["timezone_name"]),
            account_status=int(row.get("account_status", 1)),
            disable_reason=int(row.get("disable_reason", 0)),
            extra={
                k: row[k]
                for k in ("amount_spent", "balance", "spend_cap", "created_time")
                if k in row
            },
        )
    except (KeyError, ValueError) as error:
        raise MetaUnavailableError(f"An ad account cannot be read: {error}.") from None


def ad_object(row: Mapping[str, Any], level: Level) -> AdObject:
    """A campaign, ad set or ad."""
    creative = row.get("creative")
    extra = {k: v for k, v in row.items() if k not in fields.KNOWN}
    return AdObject(
        level=level,
        object_id=int(row["id"]),
        name=str(row.get("name") or row["id"]),
        campaign_id=_id(row, "campaign_id"),
        ad_set_id=_id(row, "adset_id"),
        creative_id=int(creative["id"])
        if isinstance(creative, dict) and "id" in creative
        else None,
        status=row.get("status"),
        effective_status=row.get("effective_status"),
        objective=row.get("objective"),
        optimization_goal=row.get("optimization_goal"),
        bid_strategy=row.get("bid_strategy"),
        daily_budget_minor=_budget(row.get("daily_budget")),
        lifetime_budget_minor=_budget(row.get("lifetime_budget")),
        created_at=_time(row.get("created_time")),
        updated_at=_time(row.get("updated_time")),
        start_at=_time(row.get("start_time")),
        stop_at=_time(row.get("stop_time") or row.get("end_time")),
        extra=extra or None,
    )


def creative_of(row: Mapping[str, Any]) -> AdObject | None:
    """The creative inside an ad's row, when it came along."""
    inner = row.get("creative")
    if not isinstance(inner, dict) or "id" not in inner:
        return None
    return AdObject(
        level=Level.CREATIVE,
        object_id=int(inner["id"]),
        name=str(inner.get("name") or inner["id"]),
        status=inner.get("status"),
        effective_status=inner.get("status"),
        extra={k: v for k, v in inner.items() if k not in ("id", "name", "status")} or None,
    )


def _id(row: Mapping[str, Any] | InsightsRow, key: str) -> int | None:
    value = row.get(key)
    return int(value) if value else None


def _budget(value: Any) -> int | None:
    # Reason: the budget that is not in use comes as "0" or not at all.
    return int(value) if value not in (None, "", "0", 0) else None


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
