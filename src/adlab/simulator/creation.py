"""New campaigns, ad sets, ads and creatives; they are complete but never deliver."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlab.simulator import periods
from adlab.simulator.budgets import BUDGETS, BudgetRules, has_budget, refused
from adlab.simulator.changes import Actor, Changes
from adlab.simulator.entities import Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.hashing import key_of
from adlab.simulator.library import Library
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import (
    ACTIVE,
    ARCHIVED,
    DELETED,
    NEVER,
    OBJECTIVES,
    PAUSED,
    Level,
)
from adlab.simulator.writes import ObjectWrites

Row = dict[str, Any]
_MOST_ADS = 50
_PREFIX = {"campaign": 120, "adset": 121, "ad": 122, "creative": 123}
_CLOSED_TYPES = frozenset({"AUTOMATED_SHOPPING_ADS", "SMART_APP_PROMOTION"})
_CREATIVE_FIELDS = (
    "title",
    "body",
    "image_hash",
    "image_url",
    "video_id",
    "object_story_id",
    "object_type",
    "call_to_action_type",
    "url_tags",
    "template_url",
    "product_set_id",
    "link_url",
    "object_url",
    "instagram_user_id",
)
_CREATIVE_JSON = (
    "object_story_spec",
    "asset_feed_spec",
    "degrees_of_freedom_spec",
    "adlabels",
    "contextual_multi_ads",
)
_CONTENT = ("object_story_spec", "asset_feed_spec", "object_story_id", "image_hash", "video_id")


class Creation:
    """Makes objects.

    Args:
        changes: Writes the history and begins reviews.
        rules: Checks budgets and bids.
        writes: Reads creatives of ads.
        library: Gives new ids.
    """

    def __init__(
        self, changes: Changes, rules: BudgetRules, writes: ObjectWrites, library: Library
    ) -> None:
        self._changes, self._rules = changes, rules
        self._writes, self._library = writes, library

    def plan(self, request: GraphRequest, moment: Moment, level: str) -> Row:
        """Check a creation; gives the fields to store.

        Raises:
            GraphError: If anything is missing or wrong.
        """
        makers = {
            "campaign": self._campaign,
            "adset": self._ad_set,
            "ad": self._ad,
            "creative": self._creative,
        }
        if level != "creative" and not request.params.get("name", "").strip():
            raise refused("The name is missing.", "name")
        return makers[level](request, moment)

    def make(self, moment: Moment, level: Level, fields: Row, actor: Actor) -> str:
        """Store a checked object; gives its id."""
        account, now, edits = moment.account, moment.now, moment.account.edits
        number = self._new_id(level)
        fields = dict(fields)
        code = fields.pop("_status")
        values: Row = {
            "id": number,
            "key": key_of(account.key, number) >> 1,
            "start": moment.today,
            "end": moment.today - 1,
            "archived_on": NEVER,
            "deleted_on": NEVER,
            **fields.pop("_arrays"),
        }
        inline = fields.pop("_creative", None)
        if inline is not None:
            values["creative_id"] = int(self.make_creative(moment, inline))
        index = account.add(level, values)
        edits.statuses[level][index] = code
        edits.made[level][index] = int(now)
        edits.put(level, index, fields, now)
        if level == "ad":
            edits.creative_of[index] = int(values["creative_id"])
        if level == "adset":
            edits.resets[index] = int(now)
        kind = {"campaign": "create_campaign_group", "adset": "create_ad_set", "ad": "create_ad"}
        category = {"campaign": "CAMPAIGN", "adset": "AD_SET", "ad": "AD"}[level]
        extra = {"new_value": fields["name"]}
        self._changes.log(account, level, index, now, category, kind[level], extra, actor)
        state = "PENDING_REVIEW" if level == "ad" else "IN_PROCESS"
        self._changes.begin(account, level, index, state, now)
        return str(number)

    def _new_id(self, level: str) -> int:
        return _PREFIX[level] * 10**13 + self._library.next_id() % 10**12

    def make_creative(self, moment: Moment, fields: Row) -> str:
        """Store a checked creative; gives its id."""
        number = str(self._new_id("creative"))
        made = {"id": number, "account_id": str(moment.account.profile.number), **fields}
        made.setdefault("thumbnail_url", f"https://images.example/t/{number}.jpg")
        moment.account.edits.creatives.append(made)
        moment.account.edits.touch("creative", moment.account.built_ads, None)
        return number

    @staticmethod
    def _own_status(request: GraphRequest) -> int:
        text = request.params.get("status", "ACTIVE")
        if text not in {"ACTIVE", "PAUSED"}:
            raise invalid_parameter(
                f"Status option {text} is not valid at creation; use ACTIVE or PAUSED", 1487561
            )
        return ACTIVE if text == "ACTIVE" else PAUSED

    def _campaign(self, request: GraphRequest, moment: Moment) -> Row:
        params = request.params
        objective = params.get("objective", "")
        if objective not in {*OBJECTIVES, "OUTCOME_APP_PROMOTION"}:
            raise refused(f"Objective {objective or 'is missing'} is invalid.", "objective")
        categories = request.json("special_ad_categories")
        if not isinstance(categories, list):
            raise refused(
                "special_ad_categories is required; send an empty list for none.",
                "special_ad_categories",
            )
        if params.get("smart_promotion_type") in _CLOSED_TYPES:
            raise refused("This kind of campaign can no longer be made.", "smart_promotion_type")
        found = self._rules.budgets(
            request, moment, "campaign", parent=None, index=None, end=params.get("stop_time")
        )
        sharing = params.get("is_adset_budget_sharing_enabled")
        if not found and sharing not in {"true", "false", "True", "False", "0", "1"}:
            raise refused(
                "Without a campaign budget, is_adset_budget_sharing_enabled must be true or false.",
                "is_adset_budget_sharing_enabled",
            )
        found = {"daily_budget": None, "budget_remaining": "0", **found}
        found |= self._rules.bids(request, moment, "campaign", None, 0)
        return {
            **found,
            "name": params["name"],
            "objective": objective,
            "special_ad_categories": categories,
            "is_adset_budget_sharing_enabled": request.flag("is_adset_budget_sharing_enabled"),
            "buying_type": params.get("buying_type", "AUCTION"),
            "start_time": params.get("start_time") or self._now_text(moment),
            "stop_time": params.get("stop_time"),
            "adlabels": request.json("adlabels"),
            "_status": self._own_status(request),
            "_arrays": {
                "created_on": moment.today,
                "objective": OBJECTIVES.index(objective) if objective in OBJECTIVES else 0,
                "exponent": 0.7,
            },
        }

    @staticmethod
    def _now_text(moment: Moment) -> str:
        return periods.local_text(moment.account.zone, int(moment.now))

    def _parent(self, request: GraphRequest, moment: Moment, field: str, level: str) -> int:
        text = request.params.get(field, "")
        found = moment.account.index_of_id.get(int(text)) if text.isdigit() else None
        if found is None or found[0] != level:
            raise refused(f"There is no {level} {text or '(none given)'}.", field)
        if int(moment.column("effective", level)[found[1]]) in {ARCHIVED, DELETED}:
            raise refused(f"The {level} is archived or deleted.", field, 1487566)
        return found[1]

    def _ad_set(self, request: GraphRequest, moment: Moment) -> Row:
        params = request.params
        parent = self._parent(request, moment, "campaign_id", "campaign")
        for name in ("optimization_goal", "billing_event"):
            if not params.get(name):
                raise refused(f"{name} is required.", name)
        targeting = request.json("targeting")
        if not isinstance(targeting, dict):
            raise refused("targeting is required.", "targeting")
        found = self._rules.budgets(
            request, moment, "adset", parent=parent, index=None, end=params.get("end_time")
        )
        if not found and not has_budget(moment, "campaign", parent):
            raise refused("The campaign has no budget, so the ad set needs one.", "daily_budget")
        found = {**dict.fromkeys((*BUDGETS, "budget_remaining"), "0"), **found}
        bids = self._rules.bids(request, moment, "adset", None, parent)
        setting = {"setting": 0, "campaign": parent}
        return {
            **found,
            "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
            **bids,
            "name": params["name"],
            "campaign_id": str(moment.account.campaigns.id[parent]),
            "optimization_goal": params["optimization_goal"],
            "billing_event": params["billing_event"],
            "targeting": targeting,
            "destination_type": params.get("destination_type", "WEBSITE"),
            "promoted_object": request.json("promoted_object"),
            "start_time": params.get("start_time") or self._now_text(moment),
            "end_time": params.get("end_time"),
            "adlabels": request.json("adlabels"),
            **(
                {"attribution_spec": request.json("attribution_spec")}
                if "attribution_spec" in params
                else {}
            ),
            "_status": self._own_status(request),
            "_arrays": setting,
        }

    def _ad(self, request: GraphRequest, moment: Moment) -> Row:
        account = moment.account
        parent = self._parent(request, moment, "adset_id", "adset")
        states = moment.column("effective", "ad")[account.ads.ad_set == parent]
        if int(np.sum(~np.isin(states, [ARCHIVED, DELETED]))) >= _MOST_ADS:
            raise refused(f"An ad set can have {_MOST_ADS} ads.", "adset_id")
        given = request.json("creative")
        if not isinstance(given, dict):
            raise refused("creative is required.", "creative")
        arrays: Row = {"ad_set": parent, "campaign": int(account.ad_sets.campaign[parent])}
        fields: Row = {"name": request.params["name"], "adlabels": request.json("adlabels")}
        if any(name in given for name in _CONTENT):
            fields["_creative"] = {"name": request.params["name"], "status": "ACTIVE", **given}
        else:
            arrays["creative_id"] = self._writes.creative_id(request, moment)
        return {**fields, "_status": self._own_status(request), "_arrays": arrays}

    def _creative(self, request: GraphRequest, moment: Moment) -> Row:
        params = request.params
        if not any(params.get(name) for name in _CONTENT):
            raise refused(f"A creative needs one of {', '.join(_CONTENT)}.", "object_story_spec")
        found: Row = {"name": params.get("name", "Creative"), "status": "ACTIVE"}
        found |= {name: params[name] for name in _CREATIVE_FIELDS if params.get(name)}
        found |= {name: request.json(name) for name in _CREATIVE_JSON if params.get(name)}
        return found
