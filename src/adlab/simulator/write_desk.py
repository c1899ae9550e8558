"""Which write is done by what: the way of every POST and DELETE once it was let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adlab.simulator.budgets import BudgetRules
from adlab.simulator.changes import Actor, Changes
from adlab.simulator.copies import Copies
from adlab.simulator.creation import Creation
from adlab.simulator.entities import Moment
from adlab.simulator.errors import GraphError, invalid_parameter, not_imitated
from adlab.simulator.library import Library
from adlab.simulator.shelf_writes import ShelfWrites
from adlab.simulator.state import Settings
from adlab.simulator.tokens import APP_ID, Grant
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import Level
from adlab.simulator.writes import ObjectWrites, is_dry_run

if TYPE_CHECKING:
    from adlab.simulator.routes import Target

Row = dict[str, Any]
_MADE: dict[str, Level] = {"campaigns": "campaign", "adsets": "adset", "ads": "ad"}
_CLOSED_STATES = frozenset({2, 3, 7, 100, 101})
_SCHEDULED = frozenset({"campaign", "adset"})


class WriteDesk:
    """Answers writes.

    Args:
        changes: Applies what was decided.
        library: Rows beside ads.
        settings: Limits.
    """

    def __init__(self, changes: Changes, library: Library, settings: Settings) -> None:
        self.rules = BudgetRules(settings)
        self._changes = changes
        self._objects = ObjectWrites(changes, self.rules)
        self._creation = Creation(changes, self.rules, self._objects, library)
        self._copies = Copies(self._creation, settings)
        self._shelf = ShelfWrites(library)

    def answer(
        self, request: GraphRequest, target: Target, edge: str, moment: Moment, grant: Grant
    ) -> Row:
        """Carry out a write.

        Raises:
            GraphError: If it is refused; then nothing was changed.
        """
        self._check_account(moment)
        actor = Actor(
            grant.user_id,
            "adlab system user" if grant.kind == "SYSTEM_USER" else "Demo Buyer",
            APP_ID,
        )
        if request.method == "DELETE":
            return self._delete(request, target, edge, moment, actor)
        if request.method != "POST":
            raise invalid_parameter(f"Unsupported {request.method.lower()} request")
        if target.thing is not None:
            if edge:
                raise not_imitated(f"POST on {edge} of {target.thing.kind}")
            return self._shelf.update(request, moment, target.thing)
        if target.level == "account":
            return self._account(request, edge, moment, actor)
        level, index = target.level, target.index
        if edge == "copies" and level != "creative":
            with self._changes.watched(moment.account, moment.now):
                return self._copies.copy(request, moment, _level(level), index, actor)
        if edge == "adlabels":
            return self._shelf.put_labels(request, moment, level, index)
        if edge == "budget_schedules" and level in _SCHEDULED:
            return self._shelf.add_schedule(request, moment, level, index)
        if edge:
            raise not_imitated(f"POST on {edge} of {level}")
        if level == "creative":
            self._objects.update_creative(request, moment, index)
        else:
            self._objects.update(request, moment, level, index, actor)
        return {"success": True}

    def _check_account(self, moment: Moment) -> None:
        status = (moment.account.edits.of("account", 0) or {}).get("account_status", 1)
        if status in _CLOSED_STATES:
            raise GraphError(
                200,
                "(#200) The ad account is disabled or closed and cannot be changed.",
                status=403,
                title="Ad account disabled",
            )

    def _account(self, request: GraphRequest, edge: str, moment: Moment, actor: Actor) -> Row:
        if not edge:
            self._objects.update_account(request, moment, actor)
            return {"success": True}
        if edge == "adlabels":
            return self._shelf.add_label(request, moment)
        if edge == "adrules_library":
            return self._shelf.add_rule(request, moment, actor.id)
        if edge == "adcreatives":
            fields = self._creation.plan(request, moment, "creative")
            if is_dry_run(request):
                return {"success": True}
            return {"id": self._creation.make_creative(moment, fields)}
        level = _MADE.get(edge)
        if level is None:
            raise not_imitated(f"POST on {edge}")
        fields = self._creation.plan(request, moment, level)
        if is_dry_run(request):
            return {"success": True}
        return {"id": self._creation.make(moment, level, fields, actor)}

    def _delete(
        self, request: GraphRequest, target: Target, edge: str, moment: Moment, actor: Actor
    ) -> Row:
        if edge:
            raise not_imitated(f"DELETE on {edge}")
        if target.thing is not None:
            return self._shelf.remove(moment, target.thing)
        if target.level == "account":
            raise invalid_parameter("Ad accounts cannot be deleted")
        if is_dry_run(request):
            return {"success": True}
        if target.level == "creative":
            gone = GraphRequest("POST", "", {"status": "DELETED"}, "", "")
            self._objects.update_creative(gone, moment, target.index)
        else:
            self._objects.delete(moment, target.level, target.index, actor)
        return {"success": True}


def _level(name: str) -> Level:
    levels: dict[str, Level] = {"campaign": "campaign", "adset": "adset", "ad": "ad"}
    return levels[name]
