"""Threshold subscriptions of an account: kept and checked; the control plane lets them fire."""

from __future__ import annotations

from typing import Any

from adlab.simulator.errors import invalid_parameter
from adlab.simulator.library import KINDS, Library, Thing
from adlab.simulator.listing import page_of
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import AccountWorld

Row = dict[str, Any]
_OPERATORS = {
    "OBJECT_CREATED": frozenset[str](),
    "OBJECT_UPDATED": frozenset({"EQUAL", "NOT_EQUAL", "GREATER_THAN", "LESS_THAN", "IN"}),
    "INSIGHTS_UPDATED": frozenset({"GREATER_THAN", "LESS_THAN", "IN_RANGE", "NOT_IN_RANGE"}),
    "INSIGHTS_MILESTONE_REACHED": frozenset({"EQUAL"}),
}
_LEAST = {"impressions": 1000, "reach": 1000, "clicks": 10, "spent": 1000, "results": 5}
_LEAST_CONVERSIONS = 1
_MOST_FILTERS = 20
_STATUSES = frozenset({"ENABLED", "DISABLED"})


def account_edge(request: GraphRequest, account: AccountWorld, library: Library, now: float) -> Row:
    """Answer `act_X/subscriptions`.

    Raises:
        GraphError: If a subscription contradicts itself.
    """
    kind = KINDS["threshold"]
    if request.method == "GET":
        default = "id,event_type,field,value,operator,status,filters"
        rows = library.rows(account, "threshold", now)
        return page_of(rows, request, kind.fields, kind.node, default=default)
    if request.method != "POST":
        raise invalid_parameter(f"Unsupported {request.method.lower()} request")
    row = _checked(request)
    made = library.add(account, "threshold", row, now)
    made["subscription_id"] = made["id"]
    return {"subscription_id": made["id"]}


def _checked(request: GraphRequest) -> Row:
    params = request.params
    event = params.get("event_type", "")
    if event not in _OPERATORS:
        raise invalid_parameter(
            f"event_type must be one of the following values: {', '.join(_OPERATORS)}"
        )
    filters = request.json("filters") or []
    if not isinstance(filters, list) or len(filters) > _MOST_FILTERS:
        raise invalid_parameter(f"filters must be a list of at most {_MOST_FILTERS}")
    field, operator = params.get("field"), params.get("operator")
    value = _value(params.get("value"))
    needs_all = event.startswith("INSIGHTS_")
    if event == "OBJECT_CREATED" and (field or operator or value is not None):
        raise invalid_parameter("OBJECT_CREATED takes filters only")
    if event != "OBJECT_CREATED" and not field:
        raise invalid_parameter("The parameter field is required")
    if needs_all and (value is None or not operator):
        raise invalid_parameter("The parameters value and operator are required")
    if operator and operator not in _OPERATORS[event]:
        raise invalid_parameter(f"operator {operator} is not valid for {event}")
    if event == "INSIGHTS_MILESTONE_REACHED":
        least = _LEAST.get(str(field), _LEAST_CONVERSIONS)
        if not isinstance(value, int | float) or value < least:
            raise invalid_parameter(f"value must be at least {least} for {field}")
    row = {
        "event_type": event,
        "filters": filters,
        "field": field,
        "value": value,
        "operator": operator,
        "status": _status(params.get("status", "ENABLED")),
    }
    return {name: content for name, content in row.items() if content is not None}


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return text


def _status(text: str) -> str:
    if text not in _STATUSES:
        raise invalid_parameter("status must be ENABLED or DISABLED")
    return text


def change(request: GraphRequest, thing: Thing, library: Library, now: float) -> Row:
    """Answer PATCH (status) and DELETE on one subscription.

    Raises:
        GraphError: If anything else is asked.
    """
    if request.method == "DELETE":
        library.remove(thing, now)
    elif request.method == "PATCH":
        thing.row["status"] = _status(request.params.get("status", ""))
    else:
        raise invalid_parameter(f"Unsupported {request.method.lower()} request, use PATCH")
    return {"success": True}
