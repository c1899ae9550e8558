"""Edits and deletions of accounts, campaigns, ad sets, ads and creatives."""

from __future__ import annotations

from typing import Any

from adlab.simulator.budgets import (
    BUDGETS,
    NO_SPEND_CAP,
    BudgetRules,
    amount,
    current,
    refused,
)
from adlab.simulator.changes import Actor, Changes
from adlab.simulator.entities import Moment
from adlab.simulator.errors import GraphError, invalid_parameter
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import ACTIVE, ARCHIVED, DELETED, PAUSED

CODES = {"ACTIVE": ACTIVE, "PAUSED": PAUSED, "ARCHIVED": ARCHIVED, "DELETED": DELETED}
_PLAIN: dict[str, tuple[str, ...]] = {
    "campaign": ("start_time", "stop_time"),
    "adset": ("start_time", "end_time", "optimization_goal", "billing_event", "destination_type"),
    "ad": ("conversion_domain",),
}
_JSON: dict[str, tuple[str, ...]] = {
    "campaign": ("special_ad_categories",),
    "adset": ("targeting", "attribution_spec", "promoted_object", "pacing_type"),
    "ad": ("tracking_specs",),
}
_FIXED: dict[str, tuple[str, ...]] = {
    "campaign": ("objective", "buying_type"),
    "adset": ("campaign_id", "is_dynamic_creative"),
    "ad": ("adset_id", "campaign_id"),
}
_SIGNIFICANT = frozenset(
    {"targeting", "optimization_goal", "bid_amount", "bid_strategy", "bid_constraints"}
)
# Reason: Meta publishes no threshold; a fifth is what practitioners reckon with.
_LARGE_STEP = 0.2
_LONG_PAUSE_SECONDS = 7 * 86_400
_BOOKKEEPING = frozenset(
    {
        "access_token",
        "appsecret_proof",
        "appsecret_time",
        "method",
        "execution_options",
        "format",
        "status",
        "name",
        "fields",
        "summary",
    }
)


def is_dry_run(request: GraphRequest) -> bool:
    """Whether only validation was asked for."""
    return "validate_only" in request.words("execution_options")


class ObjectWrites:
    """Edits ad objects.

    Args:
        changes: Applies what was decided.
        rules: Checks and counts money.
    """

    def __init__(self, changes: Changes, rules: BudgetRules) -> None:
        self._changes, self._rules = changes, rules

    def update(
        self, request: GraphRequest, moment: Moment, level: str, index: int, actor: Actor
    ) -> None:
        """Edit a campaign, ad set or ad; nothing is stored for a dry run.

        Raises:
            GraphError: If anything of the call is refused; then nothing was changed.
        """
        status = self._status(request, level)
        self._check_editable(request, moment, level, index, status)
        fields = self._fields(request, moment, level, index)
        children = self._children(request, moment, level, index)
        if is_dry_run(request):
            return
        if any(name in fields for name in BUDGETS):
            self._rules.count(moment, level, index)
        for child, _ in children:
            self._rules.count(moment, "adset", child)
        account, now = moment.account, moment.now
        with self._changes.watched(account, now):
            for child, values in children:
                self._apply(moment, "adset", child, values, actor)
            if fields:
                self._apply(moment, level, index, fields, actor)
            if status is not None:
                self._switch(moment, level, index, status, actor)
            if (
                (fields or status is not None)
                and level != "ad"
                and status
                not in {
                    ARCHIVED,
                    DELETED,
                }
            ):
                self._changes.begin(account, level, index, "IN_PROCESS", now)

    def _status(self, request: GraphRequest, level: str) -> int | None:
        text = request.params.get("status")
        if text is None:
            return None
        if text not in CODES:
            raise invalid_parameter(f"Status option {text} is not valid for this object", 1487561)
        return CODES[text]

    def _check_editable(
        self, request: GraphRequest, moment: Moment, level: str, index: int, status: int | None
    ) -> None:
        state = int(moment.column("configured", level)[index])
        if state not in {ARCHIVED, DELETED}:
            return
        others = set(request.params) - _BOOKKEEPING
        may_delete = state == ARCHIVED and status == DELETED
        if others or (status is not None and not may_delete):
            word = "archived" if state == ARCHIVED else "deleted"
            raise refused(
                f"This object is {word}; only its name can be changed.",
                "status",
                1487566 if state == ARCHIVED else 1487056,
                f"The object is {word}",
            )

    def _fields(
        self, request: GraphRequest, moment: Moment, level: str, index: int
    ) -> dict[str, Any]:
        params, account = request.params, moment.account
        for name in _FIXED[level]:
            if name in params:
                raise refused(f"{name} cannot be changed.", name)
        found: dict[str, Any] = {}
        if "name" in params:
            if not params["name"].strip():
                raise refused("The name must not be empty.", "name")
            found["name"] = params["name"]
        found |= {name: params[name] for name in _PLAIN[level] if name in params}
        found |= {name: request.json(name) for name in _JSON[level] if name in params}
        if level == "ad":
            if "creative" in params:
                found["creative"] = str(self.creative_id(request, moment))
            return found
        parent = int(account.ad_sets.campaign[index]) if level == "adset" else index
        end_name = "stop_time" if level == "campaign" else "end_time"
        end = found.get(end_name) or current(moment, level, index, end_name)
        found |= self._rules.budgets(request, moment, level, parent=parent, index=index, end=end)
        found |= self._rules.bids(request, moment, level, index, parent)
        if level == "campaign" and "spend_cap" in params:
            cap = amount(request, "spend_cap")
            found["spend_cap"] = None if cap == NO_SPEND_CAP else str(cap)
        return found

    def _children(
        self, request: GraphRequest, moment: Moment, level: str, index: int
    ) -> list[tuple[int, dict[str, Any]]]:
        """Read `adset_budgets` and `adset_bid_amounts` of a campaign update."""
        if level != "campaign":
            return []
        account = moment.account
        wanted: dict[int, dict[str, Any]] = {}
        listed = request.json("adset_budgets") or []
        bids = request.json("adset_bid_amounts") or {}
        for item in listed:
            child = self._child(moment, index, item.get("adset_id"))
            inner = {name: str(item[name]) for name in BUDGETS if name in item}
            own = GraphRequest("POST", "", inner, "", "")
            wanted.setdefault(child, {}).update(
                self._rules.budgets(
                    own,
                    moment,
                    "adset",
                    parent=index,
                    index=child,
                    end=current(moment, "adset", child, "end_time"),
                )
            )
        for number, bid in bids.items():
            child = self._child(moment, index, number)
            wanted.setdefault(child, {})["bid_amount"] = int(bid)
        assert account is moment.account
        return list(wanted.items())

    def _child(self, moment: Moment, campaign: int, number: Any) -> int:
        text = str(number)
        found = moment.account.index_of_id.get(int(text)) if text.isdigit() else None
        if (
            found is None
            or found[0] != "adset"
            or int(moment.account.ad_sets.campaign[found[1]]) != campaign
        ):
            raise refused(f"{number} is no ad set of this campaign.", "adset_budgets")
        return found[1]

    def creative_id(self, request: GraphRequest, moment: Moment) -> int:
        """Read `creative={"creative_id": …}`.

        Raises:
            GraphError: If the account has no such creative.
        """
        given = request.json("creative")
        number = given.get("creative_id") or given.get("id") if isinstance(given, dict) else None
        text = str(number)
        if not text.isdigit() or moment.account.creative_index(int(text)) is None:
            raise refused(f"There is no creative {number} in this account.", "creative")
        return int(text)

    def _apply(
        self, moment: Moment, level: str, index: int, fields: dict[str, Any], actor: Actor
    ) -> None:
        account, now, edits = moment.account, moment.now, moment.account.edits
        old = {name: current(moment, level, index, name) for name in fields}
        if level == "ad" and "creative" in fields:
            number = int(fields.pop("creative"))
            edits.creative_of[index] = number
            self._reset(moment, "ad", index)
            self._log(
                moment,
                level,
                index,
                "AD",
                "update_ad_creative",
                {"old_value": old["creative"]["id"], "new_value": str(number)},
                actor,
            )
            edits.touch(level, index, now)
            self._changes.begin(account, "ad", index, "PENDING_REVIEW", now)
        for name in BUDGETS:
            if fields.get(name) not in {None, "0"}:
                self._rebudget(moment, level, index, name, old[name], int(fields[name]), actor)
        if _SIGNIFICANT.intersection(fields):
            self._reset(moment, level, index)
        edits.put(level, index, fields, now)
        for name, kind, category in (
            (
                "name",
                {
                    "campaign": "update_campaign_name",
                    "adset": "update_ad_set_name",
                    "ad": "update_ad_friendly_name",
                }[level],
                "CAMPAIGN",
            ),
            ("bid_amount", "update_ad_set_bidding", "BID"),
            ("bid_strategy", "update_ad_set_bid_strategy", "BID"),
            ("targeting", "update_ad_set_target_spec", "TARGETING"),
            ("optimization_goal", "update_ad_set_optimization_goal", "AD_SET"),
            ("spend_cap", "update_campaign_group_spend_cap", "BUDGET"),
        ):
            if name in fields and fields[name] != old[name]:
                extra = {"old_value": old[name], "new_value": fields[name]}
                self._log(moment, level, index, category, kind, extra, actor)

    def _rebudget(
        self, moment: Moment, level: str, index: int, name: str, old: Any, new: int, actor: Actor
    ) -> None:
        before = int(old or 0)
        if before and name == "daily_budget":
            moment.account.edits.spend(level, index, moment.now, new / before)
            if abs(new / before - 1.0) > _LARGE_STEP:
                self._reset(moment, level, index)
        kind = "update_campaign_budget" if level == "campaign" else "update_ad_set_budget"
        extra = {
            "old_value": before,
            "new_value": new,
            "currency": moment.account.profile.currency,
            "type": name,
        }
        self._log(moment, level, index, "BUDGET", kind, extra, actor)

    def _reset(self, moment: Moment, level: str, index: int) -> None:
        """Begin the learning phase of the ad sets concerned again."""
        account = moment.account
        if level == "campaign":
            chosen = (account.ad_sets.campaign == index).nonzero()[0].tolist()
        else:
            chosen = [int(account.ads.ad_set[index])] if level == "ad" else [index]
        for ad_set in chosen:
            account.edits.resets[ad_set] = int(moment.now)

    def _switch(self, moment: Moment, level: str, index: int, code: int, actor: Actor) -> None:
        account = moment.account
        if int(account.configured_status(level, moment.today)[index]) == code:
            account.edits.touch(level, index, moment.now)
            return
        line = account.edits.running.get((level, index))
        if code == ACTIVE and line and line[-1][0] < moment.now - _LONG_PAUSE_SECONDS:
            self._reset(moment, level, index)
        self._changes.set_status(account, level, index, code, moment.now, actor)

    def _log(
        self,
        moment: Moment,
        level: str,
        index: int,
        category: str,
        kind: str,
        extra: dict[str, Any],
        actor: Actor,
    ) -> None:
        self._changes.log(moment.account, level, index, moment.now, category, kind, extra, actor)

    def update_creative(self, request: GraphRequest, moment: Moment, index: int) -> None:
        """Edit a creative: only its name, status and labels can change.

        Raises:
            GraphError: If anything else was sent.
        """
        others = sorted(set(request.params) - _BOOKKEEPING - {"adlabels"})
        if others:
            raise refused(
                "Creatives cannot be changed. Make a new one and give it to the ad.",
                others[0],
                title="Creatives are immutable",
            )
        status = request.params.get("status")
        if status not in {None, "ACTIVE", "DELETED"}:
            raise invalid_parameter(f"Status option {status} is not valid for a creative", 1487561)
        fields: dict[str, Any] = {
            n: request.params[n] for n in ("name", "status") if n in request.params
        }
        if is_dry_run(request):
            return
        account = moment.account
        if index >= account.built_ads:
            account.edits.creatives[index - account.built_ads].update(fields)
            account.edits.touch("creative", index, moment.now)
        else:
            account.edits.put("creative", index, fields, moment.now)

    def update_account(self, request: GraphRequest, moment: Moment, actor: Actor) -> None:
        """Edit an account: its name and its spend cap (minor units).

        Raises:
            GraphError: 17/1885172 when the cap was changed too often today.
        """
        params, account = request.params, moment.account
        fields: dict[str, Any] = {}
        if params.get("name"):
            fields["name"] = params["name"]
        action = params.get("spend_cap_action")
        if action in {"reset", "delete"}:
            fields["spend_cap"] = "0"
        elif "spend_cap" in params:
            fields["spend_cap"] = str(amount(request, "spend_cap"))
        if not fields:
            raise invalid_parameter("Nothing to change: give name, spend_cap or spend_cap_action")
        if is_dry_run(request):
            return
        old = current(moment, "account", 0, "spend_cap")
        if "spend_cap" in fields:
            self._rules.count_cap(moment)
            extra = {"old_value": old, "new_value": fields["spend_cap"]}
            kind = "ad_account_update_spend_limit"
            self._changes.log(account, "account", 0, moment.now, "ACCOUNT", kind, extra, actor)
        account.edits.put("account", 0, fields)

    def delete(self, moment: Moment, level: str, index: int, actor: Actor) -> None:
        """Delete an object; its children go with it.

        Raises:
            GraphError: If it is deleted already.
        """
        if int(moment.column("configured", level)[index]) == DELETED:
            raise GraphError(
                100, "Invalid parameter", subcode=1487056, title="The object is deleted"
            )
        with self._changes.watched(moment.account, moment.now):
            self._changes.set_status(moment.account, level, index, DELETED, moment.now, actor)
