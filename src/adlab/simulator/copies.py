"""Copies of campaigns, ad sets and ads, with or without what is under them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlab.simulator.budgets import current, refused
from adlab.simulator.changes import Actor
from adlab.simulator.creation import Creation
from adlab.simulator.entities import FIELDS, Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import ACTIVE, ARCHIVED, DELETED, PAUSED, Level
from adlab.simulator.writes import is_dry_run

Row = dict[str, Any]
_BELOW: dict[str, Level] = {"campaign": "adset", "adset": "ad"}
_WORDS = {"campaign": "campaign", "adset": "ad_set", "ad": "ad"}
_OWN = frozenset(
    {
        "id",
        "account_id",
        "status",
        "configured_status",
        "effective_status",
        "created_time",
        "updated_time",
        "learning_stage_info",
        "preview_shareable_link",
        "creative",
        "campaign_id",
        "adset_id",
    }
)
_OPTIONS = frozenset({"ACTIVE", "PAUSED", "INHERITED_FROM_SOURCE"})
_STRATEGIES = frozenset({"DEEP_RENAME", "ONLY_TOP_LEVEL_RENAME", "NO_RENAME"})


class Copies:
    """Copies ad objects.

    Args:
        creation: Stores the copies.
        settings: How many objects one call may copy.
    """

    def __init__(self, creation: Creation, settings: Settings) -> None:
        self._creation, self._settings = creation, settings

    def copy(
        self, request: GraphRequest, moment: Moment, level: Level, index: int, actor: Actor
    ) -> Row:
        """Copy an object; gives the answer with the new ids.

        Raises:
            GraphError: If an option is wrong, or the copy is too large for one call.
        """
        option = request.params.get("status_option", "PAUSED")
        if option not in _OPTIONS:
            raise invalid_parameter(
                f"status_option must be one of the following values: {', '.join(sorted(_OPTIONS))}"
            )
        rename = request.json("rename_options") or {}
        if rename.get("rename_strategy", "DEEP_RENAME") not in _STRATEGIES:
            raise invalid_parameter("rename_strategy is not valid")
        plan = self._plan(moment, level, index, deep=request.flag("deep_copy"))
        most = self._settings.copy_objects_limit
        if most and len(plan) > most:
            raise refused(
                f"One call copies at most {most} objects. Use an asynchronous batch.", "deep_copy"
            )
        parent = self._new_parent(request, moment, level, index)
        if is_dry_run(request):
            return {"success": True}
        made: dict[tuple[str, int], str] = {}
        for what, place in plan:
            is_top = (what, place) == (level, index)
            above = parent if is_top else _above(moment, what, place, made)
            fields = self._fields(request, moment, what, place, above)
            fields["name"] = _renamed(fields["name"], rename, is_top=is_top)
            fields["_status"] = _status(moment, what, place, option)
            made[what, place] = self._creation.make(moment, what, fields, actor)
        ids = [
            {
                "ad_object_type": _WORDS[what],
                "source_id": str(moment.account.objects(what).id[place]),
                "copied_id": number,
            }
            for (what, place), number in made.items()
        ]
        return {f"copied_{level}_id": made[level, index], "ad_object_ids": ids}

    def _plan(
        self, moment: Moment, level: Level, index: int, *, deep: bool
    ) -> list[tuple[Level, int]]:
        plan: list[tuple[Level, int]] = [(level, index)]
        if not deep or level == "ad":
            return plan
        below = _BELOW[level]
        account = moment.account
        parents = account.ad_sets.campaign if level == "campaign" else account.ads.ad_set
        states = moment.column("configured", below)
        gone = np.isin(states, [ARCHIVED, DELETED])
        for child in np.flatnonzero((parents == index) & ~gone).tolist():
            plan += self._plan(moment, below, child, deep=True)
        return plan

    def _new_parent(
        self, request: GraphRequest, moment: Moment, level: str, index: int
    ) -> int | None:
        account = moment.account
        if level == "campaign":
            return None
        name, what = ("campaign_id", "campaign") if level == "adset" else ("adset_id", "adset")
        text = request.params.get(name)
        if not text:
            own = account.ad_sets.campaign if level == "adset" else account.ads.ad_set
            return int(own[index])
        found = account.index_of_id.get(int(text)) if text.isdigit() else None
        if found is None or found[0] != what:
            raise refused(f"There is no {what} {text}.", name)
        return found[1]

    def _fields(
        self, request: GraphRequest, moment: Moment, level: str, index: int, above: int | None
    ) -> Row:
        account = moment.account
        fields: Row = {
            name: current(moment, level, index, name) for name in FIELDS[level] if name not in _OWN
        }
        edited = account.edits.of(level, index) or {}
        fields |= {n: v for n, v in edited.items() if n not in _OWN and n not in FIELDS[level]}
        for name in ("start_time", "end_time"):
            if request.params.get(name) and level == "adset":
                fields[name] = request.params[name]
        number = str(account.objects(level).id[index])
        arrays: Row = {}
        if level == "campaign":
            fields["source_campaign_id"] = number
            fields |= request.json("parameter_overrides") or {}
            arrays = {
                "created_on": moment.today,
                "objective": int(account.campaigns.objective[index]),
                "exponent": 0.7,
            }
        elif level == "adset":
            fields["source_adset_id"] = number
            fields["campaign_id"] = str(account.campaigns.id[above])
            arrays = {"campaign": above, "setting": int(account.ad_sets.setting[index])}
        else:
            fields["source_ad_id"] = number
            arrays = {
                "ad_set": above,
                "campaign": int(account.ad_sets.campaign[above]),
                "creative_id": int(current(moment, "ad", index, "creative")["id"]),
            }
        return {**fields, "_arrays": arrays}


def _above(moment: Moment, level: str, index: int, made: dict[tuple[str, int], str]) -> int:
    """Give the copied parent of an object below the top of a copy."""
    account = moment.account
    what = "campaign" if level == "adset" else "adset"
    parents = account.ad_sets.campaign if level == "adset" else account.ads.ad_set
    return account.index_of_id[int(made[what, int(parents[index])])][1]


def _renamed(name: str, rename: Row, *, is_top: bool) -> str:
    strategy = rename.get("rename_strategy")
    if strategy == "NO_RENAME" or (strategy == "ONLY_TOP_LEVEL_RENAME" and not is_top):
        return name
    suffix = rename.get("rename_suffix")
    if suffix is None and "rename_prefix" not in rename:
        suffix = " - Copy" if is_top else ""
    return f"{rename.get('rename_prefix') or ''}{name}{suffix or ''}"


def _status(moment: Moment, level: str, index: int, option: str) -> int:
    if option == "INHERITED_FROM_SOURCE":
        state = int(moment.column("configured", level)[index])
        return state if state in {ACTIVE, PAUSED} else PAUSED
    return ACTIVE if option == "ACTIVE" else PAUSED
