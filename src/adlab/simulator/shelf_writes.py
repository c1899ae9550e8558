"""Writes of labels, rules, studies' neighbours and budget schedules: rows that are only kept."""

from __future__ import annotations

from typing import Any

from adlab.simulator import periods
from adlab.simulator.budgets import current, refused
from adlab.simulator.entities import Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.library import Library, Thing
from adlab.simulator.wire import GraphRequest
from adlab.simulator.writes import is_dry_run

Row = dict[str, Any]
_RULE_JSON = ("evaluation_spec", "execution_spec", "schedule_spec")
_RULE_STATUSES = frozenset({"ENABLED", "DISABLED", "DELETED"})
_EXECUTIONS = frozenset(
    {
        "NOTIFICATION",
        "PAUSE",
        "UNPAUSE",
        "CHANGE_BUDGET",
        "CHANGE_CAMPAIGN_BUDGET",
        "CHANGE_BID",
        "ROTATE",
        "REBALANCE_BUDGET",
        "PING_ENDPOINT",
    }
)
_MOST_SCHEDULES = 50
_SHORTEST_SECONDS = 3 * 3600
_LARGEST_MULTIPLE = 8


class ShelfWrites:
    """Makes, edits and removes rows.

    Args:
        library: Where they are kept.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def add_label(self, request: GraphRequest, moment: Moment) -> Row:
        """Make a label."""
        name = request.params.get("name", "").strip()
        if not name:
            raise refused("The name is missing.", "name")
        if is_dry_run(request):
            return {"success": True}
        now = periods.local_text(moment.account.zone, int(moment.now))
        row = {"name": name, "created_time": now, "updated_time": now}
        return {"id": self._library.add(moment.account, "label", row, moment.now)["id"]}

    def put_labels(self, request: GraphRequest, moment: Moment, level: str, index: int) -> Row:
        """Put labels on an object, beside those it has.

        Raises:
            GraphError: If a label does not exist.
        """
        known = {row["id"]: row for row in self._library.rows(moment.account, "label", moment.now)}
        found = list(current(moment, level, index, "adlabels") or [])
        for item in request.json("adlabels") or []:
            number = str(item.get("id"))
            if number not in known:
                raise refused(f"There is no label {number}.", "adlabels")
            if all(label["id"] != number for label in found):
                found.append({"id": number, "name": known[number]["name"]})
        if not is_dry_run(request):
            moment.account.edits.put(level, index, {"adlabels": found}, moment.now)
        return {"success": True}

    def add_rule(self, request: GraphRequest, moment: Moment, grant_user: str) -> Row:
        """Store a rule; it is never carried out.

        Raises:
            GraphError: If a part is missing or contradicts itself.
        """
        row = self._rule(request)
        if not row.get("name"):
            raise refused("The name is missing.", "name")
        for name in _RULE_JSON[:2]:
            if name not in row:
                raise refused(f"{name} is required.", name)
        if is_dry_run(request):
            return {"success": True}
        now = periods.local_text(moment.account.zone, int(moment.now))
        row = {
            "account_id": str(moment.account.profile.number),
            "status": "ENABLED",
            "created_by": {"id": grant_user, "name": "Demo Buyer"},
            "created_time": now,
            "updated_time": now,
            **row,
        }
        return {"id": self._library.add(moment.account, "rule", row, moment.now)["id"]}

    def _rule(self, request: GraphRequest) -> Row:
        row: Row = {name: request.json(name) for name in _RULE_JSON if name in request.params}
        if "name" in request.params:
            row["name"] = request.params["name"]
        if "status" in request.params:
            if request.params["status"] not in _RULE_STATUSES:
                raise invalid_parameter("status must be ENABLED, DISABLED or DELETED")
            row["status"] = request.params["status"]
        evaluation = row.get("evaluation_spec")
        if evaluation is not None:
            kind = evaluation.get("evaluation_type")
            if kind not in {"SCHEDULE", "TRIGGER"}:
                raise refused("evaluation_type must be SCHEDULE or TRIGGER.", "evaluation_spec")
            if kind == "TRIGGER" and not evaluation.get("trigger"):
                raise refused("A TRIGGER rule needs a trigger.", "evaluation_spec")
            fields = {item.get("field") for item in evaluation.get("filters", [])}
            if not fields & {"entity_type", "id"}:
                raise refused("filters must name entity_type or id.", "evaluation_spec")
        execution = row.get("execution_spec")
        if execution is not None and execution.get("execution_type") not in _EXECUTIONS:
            raise refused("execution_type is not valid.", "execution_spec")
        return row

    def update(self, request: GraphRequest, moment: Moment, thing: Thing) -> Row:
        """Edit a rule or a label.

        Raises:
            GraphError: If this kind of row cannot be edited.
        """
        if thing.kind == "rule":
            changed = self._rule(request)
        elif thing.kind == "label" and request.params.get("name"):
            changed = {"name": request.params["name"]}
        else:
            raise invalid_parameter("This object cannot be changed")
        if is_dry_run(request):
            return {"success": True}
        now = periods.local_text(moment.account.zone, int(moment.now))
        thing.row.update({**changed, "updated_time": now})
        if changed.get("status") == "DELETED":
            self._library.remove(thing, moment.now)
        return {"success": True}

    def remove(self, moment: Moment, thing: Thing) -> Row:
        """Remove a rule, a label or a budget schedule.

        Raises:
            GraphError: If this kind of row cannot be removed.
        """
        if thing.kind not in {"rule", "label", "schedule"}:
            raise invalid_parameter("This object cannot be deleted")
        self._library.remove(thing, moment.now)
        return {"success": True}

    def add_schedule(self, request: GraphRequest, moment: Moment, level: str, index: int) -> Row:
        """Store a budget schedule; it does not change what is delivered.

        Raises:
            GraphError: If it breaks one of the limits of schedules.
        """
        daily = int(current(moment, level, index, "daily_budget") or 0)
        if daily == 0:
            raise refused("Budget schedules need a daily budget.", "budget_value")
        if "CAN_USE_BUDGET_SCHEDULING_API" not in current(moment, "account", 0, "capabilities"):
            raise refused("This account cannot use budget schedules.", "budget_value")
        kind = request.params.get("budget_value_type", "")
        if kind not in {"ABSOLUTE", "MULTIPLIER"}:
            raise invalid_parameter("budget_value_type must be ABSOLUTE or MULTIPLIER")
        value = request.integer("budget_value", 0)
        start, end = request.integer("time_start", 0), request.integer("time_end", 0)
        if value <= 0 or start <= 0 or end - start < _SHORTEST_SECONDS:
            raise refused("A schedule needs a value and at least three hours.", "time_end")
        total = daily + value if kind == "ABSOLUTE" else daily * value
        if total > _LARGEST_MULTIPLE * daily:
            raise refused("The budget may grow to eight times the daily one.", "budget_value")
        number = str(moment.account.objects(level).id[index])
        rows = self._library.rows(moment.account, "schedule", moment.now)
        own = [row for row in rows if row["ad_object_id"] == number]
        if len(own) >= _MOST_SCHEDULES:
            raise refused(f"An object can have {_MOST_SCHEDULES} schedules.", "budget_value")
        if any(row["_start"] < end and start < row["_end"] for row in own):
            raise refused("Schedules must not overlap.", "time_start")
        if is_dry_run(request):
            return {"success": True}
        zone = moment.account.zone
        row = {
            "ad_object_id": number,
            "budget_value": value,
            "budget_value_type": kind,
            "recurrence_type": "ONE_TIME",
            "time_start": periods.local_text(zone, start),
            "time_end": periods.local_text(zone, end),
            "_start": start,
            "_end": end,
        }
        moment.account.edits.put(level, index, {"is_budget_schedule_enabled": True}, moment.now)
        return {"id": self._library.add(moment.account, "schedule", row, moment.now)["id"]}
