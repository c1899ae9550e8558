"""Reads of nodes and edges: nested fields, status filters, cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlab.simulator import filters
from adlab.simulator.activities import list_activities
from adlab.simulator.entities import FIELDS, NODE_TYPES, UNSET, Moment
from adlab.simulator.errors import GraphError, bad_cursor, invalid_parameter
from adlab.simulator.expansion import Wanted, parse_fields
from adlab.simulator.hashing import Bools, Ints
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest, read_cursor, whole, write_cursor
from adlab.simulator.world import ARCHIVED, DELETED, STATUS_NAMES, Level

_EDGES: dict[str, dict[str, str]] = {
    "account": {
        "campaigns": "campaign",
        "adsets": "adset",
        "ads": "ad",
        "adcreatives": "creative",
        "activities": "activity",
    },
    "campaign": {"adsets": "adset", "ads": "ad"},
    "adset": {"ads": "ad", "adcreatives": "creative"},
    "ad": {"adcreatives": "creative"},
    "creative": {},
}
_EXTRA_STATUSES: dict[str, frozenset[str]] = {
    "campaign": frozenset({"IN_PROCESS", "WITH_ISSUES"}),
    "adset": frozenset({"IN_PROCESS", "WITH_ISSUES", "CAMPAIGN_PAUSED"}),
    "ad": frozenset(
        {
            "IN_PROCESS",
            "WITH_ISSUES",
            "CAMPAIGN_PAUSED",
            "ADSET_PAUSED",
            "DISAPPROVED",
            "PENDING_REVIEW",
            "PREAPPROVED",
            "PENDING_BILLING_INFO",
        }
    ),
}
_BASE_STATUSES = frozenset({"ACTIVE", "PAUSED", "ARCHIVED", "DELETED"})
InsightsReader = Callable[[Wanted, Moment, Level, int], Any]


class EdgeReader:
    """Reads nodes and edges of one account for one call.

    Args:
        moment: The account at the call's time.
        settings: Whether naming DELETED in a status filter is an error.
        insights: Reads the nested `insights` edge.
    """

    def __init__(self, moment: Moment, settings: Settings, insights: InsightsReader) -> None:
        self._moment, self._settings, self._insights = moment, settings, insights

    def node(
        self, level: str, index: int, wanted: tuple[Wanted, ...], request: GraphRequest
    ) -> dict[str, Any]:
        """Read one object with the wanted fields; without any, only its id."""
        readers = FIELDS[level]
        found: dict[str, Any] = {}
        edited = self._edited(level, index)
        for item in wanted or (Wanted("id"),):
            if edited is not None and item.name in edited and item.name not in _EDGES[level]:
                if edited[item.name] is not None:
                    found[item.name] = edited[item.name]
                continue
            if item.name in _EDGES[level]:
                found[item.name] = self.edge(
                    level, index, item.name, _nested_request(request, item), item.children
                )
            elif item.name == "insights" and level != "creative":
                nested = self._insights(item, self._moment, level, index)  # type: ignore[arg-type]
                if nested["data"]:
                    found["insights"] = nested
            elif item.children and item.name in {"campaign", "adset", "creative"}:
                found[item.name] = self._related(level, index, item, request)
            elif edited is not None and self._is_made_creative(level, index):
                if item.name not in readers and item.name not in UNSET[level]:
                    raise _nonexisting(item.name, NODE_TYPES[level])
            elif item.name in readers:
                value = readers[item.name](self._moment, index)
                if value is not None:
                    found[item.name] = value
            elif item.name in {"campaign", "adset"} and level in {"ad", "adset"}:
                found[item.name] = self._related(level, index, item, request)
            elif item.name not in UNSET[level]:
                raise _nonexisting(item.name, NODE_TYPES[level])
        if "id" not in found:
            own = None if edited is None else edited.get("id")
            found["id"] = own or readers["id"](self._moment, index)
        return found

    def _edited(self, level: str, index: int) -> dict[str, Any] | None:
        """Give what was set on an object; of a creative made by a call, everything it has."""
        if self._is_made_creative(level, index):
            account = self._moment.account
            return account.edits.creatives[index - account.built_ads]
        return self._moment.account.edits.of(level, index)

    def _is_made_creative(self, level: str, index: int) -> bool:
        return level == "creative" and index >= self._moment.account.built_ads

    def _related(
        self, level: str, index: int, item: Wanted, request: GraphRequest
    ) -> dict[str, Any]:
        account = self._moment.account
        if item.name == "creative" and level == "ad":
            return self.node("creative", account.creative_of_ad(index), item.children, request)
        if item.name == "adset" and level == "ad":
            return self.node("adset", int(account.ads.ad_set[index]), item.children, request)
        if item.name == "campaign" and level in {"ad", "adset"}:
            parents = account.ads.campaign if level == "ad" else account.ad_sets.campaign
            return self.node("campaign", int(parents[index]), item.children, request)
        raise _nonexisting(item.name, NODE_TYPES[level])

    def edge(
        self,
        level: str,
        index: int,
        name: str,
        request: GraphRequest,
        wanted: tuple[Wanted, ...] | None = None,
    ) -> dict[str, Any]:
        """Read a page of an edge.

        Raises:
            GraphError: If there is no such edge, or a parameter is wrong.
        """
        kind = _EDGES[level].get(name)
        if kind is None:
            raise _nonexisting(name, NODE_TYPES[level])
        if kind == "activity":
            return list_activities(self._moment, request)
        fields = wanted if wanted is not None else parse_fields(request.params.get("fields", ""))
        listed = np.flatnonzero(self._listed(level, index, kind, request))
        if kind == "creative":
            listed = self._creatives(listed, whole_account=level == "account")
        limit = min(max(request.integer("limit", 25), 1), 5000)
        start = self._start(request, kind, listed, limit)
        chosen = listed[start : start + limit]
        rows = [self.node(kind, int(i), fields, request) for i in chosen]
        answer: dict[str, Any] = {"data": rows}
        if rows:
            ids = self._ids(kind)
            after = write_cursor((kind, ids[chosen[-1]]))
            answer["paging"] = {
                "cursors": {"before": write_cursor((kind, ids[chosen[0]])), "after": after}
            }
            if start + limit < len(listed):
                answer["paging"]["next"] = request.page_url(after)
        if request.flag("summary") or request.params.get("summary") == "total_count":
            answer["summary"] = {"total_count": len(listed)}
        return answer

    def _ids(self, kind: str) -> Ints:
        account = self._moment.account
        if kind != "creative":
            return account.objects(kind).id
        made = [int(row["id"]) for row in account.edits.creatives]
        built = account.ads.creative_id[: account.built_ads]
        return np.concatenate([built, np.array(made, dtype=np.int64)]) if made else built

    def _creatives(self, ads: Ints, *, whole_account: bool) -> Ints:
        """Give the creatives of listed ads; an account also lists those that no ad uses."""
        account = self._moment.account
        built = account.built_ads
        if not whole_account:
            return np.array(sorted({account.creative_of_ad(int(ad)) for ad in ads}), dtype=np.int64)
        made = np.arange(len(account.edits.creatives)) + built
        return np.concatenate([ads[ads < built], made])

    def _start(self, request: GraphRequest, kind: str, listed: Ints, limit: int) -> int:
        cursor = request.params.get("after") or request.params.get("before")
        if not cursor:
            return 0
        named, number = read_cursor(cursor, 2)
        at = np.flatnonzero(self._ids(kind) == whole(number))
        if named != kind or len(at) == 0:
            raise bad_cursor()
        if request.params.get("after"):
            return int(np.searchsorted(listed, at[0], side="right"))
        return max(int(np.searchsorted(listed, at[0])) - limit, 0)

    def _listed(self, level: str, index: int, kind: str, request: GraphRequest) -> Bools:
        account, moment = self._moment.account, self._moment
        what = "ad" if kind == "creative" else kind
        mask = np.ones(len(account.objects(what)), dtype=bool)
        if level != "account":
            mask = _children(moment, what, level, index)
        conditions, _ = filters.parse_filters(request.json("filtering"))
        named = filters.named_statuses(conditions)
        for item in conditions:
            owner = what if item.level == "self" else item.level
            if not owner:
                raise invalid_parameter(f"Filtering field {item.field} is invalid for this edge")
            chosen = filters.object_mask(account, owner, item, moment.today, moment.now)
            mask &= _spread(moment, chosen, owner, what)
        states = moment.column("effective", what)
        asked = request.words("effective_status")
        if asked and kind != "creative":
            self._check_statuses(kind, asked)
            codes = [STATUS_NAMES.index(name) for name in asked if name in STATUS_NAMES]
            mask &= np.isin(states, codes)
            named |= set(asked)
        if kind != "creative" and "DELETED" in named and self._settings.deleted_filter_is_error:
            raise invalid_parameter(
                "Cannot request for deleted objects with a status filter", 1815001
            )
        hidden = [
            code
            for code, name in ((ARCHIVED, "ARCHIVED"), (DELETED, "DELETED"))
            if name not in named
        ]
        mask &= ~np.isin(states, hidden)
        since = request.params.get("updated_since")
        if since and kind in {"ad", "adset"}:
            mask &= moment.column("updated", what) > request.integer("updated_since", 0)
        return mask

    def _check_statuses(self, kind: str, asked: list[str]) -> None:
        wrong = [name for name in asked if name not in _BASE_STATUSES | _EXTRA_STATUSES[kind]]
        if wrong:
            raise invalid_parameter(f"Invalid effective status {wrong[0]} for this edge", 1487561)


def _nonexisting(name: str, node: str) -> GraphError:
    return invalid_parameter(f"Tried accessing nonexisting field ({name}) on node type ({node})")


def _children(moment: Moment, what: str, level: str, index: int) -> Bools:
    account = moment.account
    if what == "adset":
        return np.asarray(account.ad_sets.campaign == index, dtype=bool)
    if level == "ad":
        return np.asarray(np.arange(len(account.ads)) == index, dtype=bool)
    parents = account.ads.campaign if level == "campaign" else account.ads.ad_set
    return np.asarray(parents == index, dtype=bool)


def _spread(moment: Moment, chosen: Bools, owner: str, what: str) -> Bools:
    """Carry a choice of parents down to the objects listed."""
    account = moment.account
    if owner == what:
        return chosen
    if what == "ad":
        return np.asarray(chosen[account.index_of_ads(owner)], dtype=bool)
    if what == "adset" and owner == "campaign":
        return np.asarray(chosen[account.ad_sets.campaign], dtype=bool)
    raise invalid_parameter(f"Filtering field {owner} is invalid for this edge")


def _nested_request(request: GraphRequest, item: Wanted) -> GraphRequest:
    return GraphRequest(
        "GET", request.path, dict(item.modifiers), request.version, request.base_url, request.token
    )
