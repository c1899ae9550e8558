"""The `filtering` parameter: which ads count, which objects are listed, which rows remain."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlab.simulator import naming, periods
from adlab.simulator.errors import invalid_parameter, not_imitated
from adlab.simulator.hashing import Bools, Ints
from adlab.simulator.world import OBJECTIVES, STATUS_NAMES, AccountWorld

ROW_METRICS = ("impressions", "spend", "clicks", "reach", "inline_link_clicks")
_STATUSES = {
    *STATUS_NAMES,
    "IN_PROCESS",
    "WITH_ISSUES",
    "DISAPPROVED",
    "PENDING_REVIEW",
    "PREAPPROVED",
    "PENDING_BILLING_INFO",
}
_NUMERIC: dict[str, Callable[[Any, Any], Any]] = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
}
_OPERATORS = {
    *_NUMERIC,
    "IN",
    "NOT_IN",
    "CONTAIN",
    "NOT_CONTAIN",
    "STARTS_WITH",
    "IN_RANGE",
    "NOT_IN_RANGE",
    "AFTER",
    "BEFORE",
    "ANY",
    "ALL",
    "NONE",
}
_LEVEL_NAMES = {
    "ad": "ad",
    "adset": "adset",
    "campaign": "campaign",
    "adgroup": "ad",
    "campaign_group": "campaign",
}


@dataclass(frozen=True)
class Filter:
    """One condition; `level` is empty for a metric of the row itself."""

    level: str
    field: str
    operator: str
    value: str

    @property
    def values(self) -> list[Any]:
        """The value as a list, whether one or several were given."""
        value = json.loads(self.value)
        return value if isinstance(value, list) else [value]


def parse_filters(given: Any) -> tuple[tuple[Filter, ...], tuple[str, ...] | None]:
    """Read `filtering`; gives the filters, and the action types wanted if that was asked.

    Raises:
        GraphError: If a field or an operator is not known.
    """
    if given is None:
        return (), None
    if not isinstance(given, list):
        raise invalid_parameter("Param filtering must be an array")
    filters: list[Filter] = []
    action_types: tuple[str, ...] | None = None
    for item in given:
        if not isinstance(item, dict) or "field" not in item or "operator" not in item:
            raise invalid_parameter("Param filtering must list objects with field and operator")
        if item["operator"] not in _OPERATORS:
            raise invalid_parameter(f"filtering operator {item['operator']} is not valid")
        found = Filter(*_split(str(item["field"])), item["operator"], json.dumps(item.get("value")))
        if found.field == "action_type":
            action_types = (action_types or ()) + tuple(str(v) for v in found.values)
            continue
        _check_status(found)
        filters.append(found)
    return tuple(filters), action_types


def _split(name: str) -> tuple[str, str]:
    if name == "action_type" or name in ROW_METRICS:
        return "", name
    level, dot, field = name.partition(".")
    if not dot and name in {
        "id",
        "name",
        "effective_status",
        "updated_time",
        "created_time",
        "objective",
    }:
        return "self", name
    if level not in _LEVEL_NAMES or not field:
        raise invalid_parameter(f"Filtering field {name} is invalid")
    if field in ROW_METRICS:
        return "", field
    if field not in {
        "id",
        "name",
        "effective_status",
        "configured_status",
        "status",
        "updated_time",
        "created_time",
        "objective",
    }:
        raise not_imitated(f"the filtering field {name}")
    return _LEVEL_NAMES[level], field


def _check_status(found: Filter) -> None:
    if found.field.endswith("status"):
        wrong = [value for value in found.values if value not in _STATUSES]
        if wrong:
            raise invalid_parameter(f"{wrong[0]} is not a valid effective_status", 1487561)


def named_statuses(filters: tuple[Filter, ...]) -> set[str]:
    """Give the statuses that filters ask for by name; they lift the hiding of archived objects."""
    return {
        value
        for item in filters
        if item.field.endswith("status") and item.operator in {"IN", "EQUAL"}
        for value in item.values
    }


def object_mask(account: AccountWorld, level: str, item: Filter, today: int, now: float) -> Bools:
    """Tell which objects of a level satisfy a filter.

    Raises:
        GraphError: If the operator does not fit the field.
    """
    things = account.objects(level)
    wanted = item.values
    if item.field == "id":
        numbers = [int(value) for value in wanted if str(value).isdigit()]
        return _membership(things.id, np.array(numbers, dtype=np.int64), item)
    if item.field.endswith("status"):
        states = (
            account.effective_status(level, today)
            if item.field == "effective_status"
            else account.configured_status(level, today)
        )
        codes = [STATUS_NAMES.index(value) for value in wanted if value in STATUS_NAMES]
        return _membership(states, np.array(codes, dtype=np.int64), item)
    if item.field == "objective":
        names = [OBJECTIVES.index(value) for value in wanted if value in OBJECTIVES]
        return _membership(account.campaigns.objective, np.array(names, dtype=np.int64), item)
    if item.field == "name":
        return _named(account, level, item)
    moments = (
        naming.updated_at(account, level, now)
        if item.field == "updated_time"
        else naming.created_at(account, level)
    )
    compare = {"AFTER": operator.gt, "BEFORE": operator.lt}.get(item.operator) or _NUMERIC.get(
        item.operator
    )
    if compare is None or not wanted:
        raise invalid_parameter(f"operator {item.operator} does not fit {item.field}")
    return np.asarray(compare(moments, _moment(wanted[0], account)), dtype=bool)


def _moment(value: Any, account: AccountWorld) -> float:
    if isinstance(value, int | float) or str(value).isdigit():
        return float(value)
    try:
        return float(periods.moment_of(account.zone, str(value)))
    except ValueError:
        raise invalid_parameter(f"{value} is neither a Unix time nor a date") from None


def _membership(values: Ints, wanted: Ints, item: Filter) -> Bools:
    inside = np.isin(values, wanted)
    if item.operator in {"IN", "EQUAL", "ANY"}:
        return inside
    if item.operator in {"NOT_IN", "NOT_EQUAL", "NONE"}:
        return ~inside
    raise invalid_parameter(f"operator {item.operator} does not fit {item.field}")


def _named(account: AccountWorld, level: str, item: Filter) -> Bools:
    words = [str(value).lower() for value in item.values]
    tests: dict[str, Callable[[str], bool]] = {
        "CONTAIN": lambda name: any(word in name for word in words),
        "NOT_CONTAIN": lambda name: not any(word in name for word in words),
        "STARTS_WITH": lambda name: any(name.startswith(word) for word in words),
        "EQUAL": lambda name: name in words,
        "IN": lambda name: name in words,
        "NOT_EQUAL": lambda name: name not in words,
        "NOT_IN": lambda name: name not in words,
    }
    test = tests.get(item.operator)
    if test is None:
        raise invalid_parameter(f"operator {item.operator} does not fit {item.field}")
    count = len(account.objects(level))
    return np.array(
        [test(naming.name_of(account, level, i).lower()) for i in range(count)], dtype=bool
    )


def row_mask(values: Ints, item: Filter) -> Bools:
    """Tell which rows satisfy a filter on one of their own metrics.

    Raises:
        GraphError: If the operator does not fit a number.
    """
    try:
        numbers = [float(value) for value in item.values]
    except (TypeError, ValueError):
        raise invalid_parameter(f"{item.field} is compared with numbers only") from None
    if item.operator in {"IN_RANGE", "NOT_IN_RANGE"} and len(numbers) == 2:
        inside = (values >= numbers[0]) & (values <= numbers[1])
        return inside if item.operator == "IN_RANGE" else ~inside
    compare = _NUMERIC.get(item.operator)
    if compare is None or not numbers:
        raise invalid_parameter(f"operator {item.operator} does not fit {item.field}")
    return np.asarray(compare(values, numbers[0]), dtype=bool)
