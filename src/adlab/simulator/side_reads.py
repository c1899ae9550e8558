"""Reads beside the ad objects: audiences, media, pixels, studies, estimates, recommendations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adlab.simulator import audience, pixels, signals
from adlab.simulator.account_fields import least_budget
from adlab.simulator.entities import FIELDS, Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.expansion import parse_fields
from adlab.simulator.library import KIND_OF_EDGE, KINDS, Library, Row, Thing
from adlab.simulator.listing import page_of, project
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest, GraphResponse, json_response

SentEvents = Callable[[str], Iterable[tuple[int, str]]]
"""Gives Unix time and name of the events a dataset received through the Conversions API."""
ESTIMATES = frozenset({"delivery_estimate", "targetingsentencelines"})


class SideReads:
    """Answers reads of an account's side edges and of rows by id.

    Args:
        library: The rows.
        settings: Switches.
        sent: Events received by the Conversions API.
    """

    def __init__(self, library: Library, settings: Settings, sent: SentEvents) -> None:
        self._library, self._settings, self._sent = library, settings, sent

    def account_edge(self, request: GraphRequest, moment: Moment, edge: str) -> Row | None:
        """Answer an edge of an account; None when it is not one of these."""
        if edge == "minimum_budgets":
            return _minimum_budgets(moment)
        if edge == "recommendations":
            return {"data": signals.recommendations(moment)}
        if edge in audience.TARGETING_EDGES:
            return audience.targeting(edge, request)
        if edge == "delivery_estimate":
            spec, goal = request.json("targeting_spec"), request.params.get("optimization_goal")
            return audience.delivery_estimate(request, spec, goal)
        if edge == "reachestimate":
            return audience.reach_estimate(request)
        if edge == "customaudiences" or edge in KIND_OF_EDGE:
            return self._listed(request, moment, KIND_OF_EDGE[edge])
        return None

    def _listed(self, request: GraphRequest, moment: Moment, name: str) -> Row:
        kind = KINDS[name]
        rows = self._library.rows(moment.account, name, moment.now)
        hashes = request.json("hashes") if name == "image" else None
        if hashes is not None:
            wanted = {str(value) for value in hashes}
            rows = [row for row in rows if row["hash"] in wanted]
        if name == "study":
            rows = [_with_cells(row) for row in rows]
        return page_of(rows, request, kind.fields, kind.node)

    def ad_set_edge(self, request: GraphRequest, moment: Moment, index: int, edge: str) -> Row:
        """Answer the estimates of an ad set."""
        edited = moment.account.edits.of("adset", index) or {}
        spec = edited.get("targeting") or FIELDS["adset"]["targeting"](moment, index)
        if edge == "targetingsentencelines":
            return audience.sentence_lines(spec)
        goal = request.params.get("optimization_goal") or FIELDS["adset"]["optimization_goal"](
            moment, index
        )
        return audience.delivery_estimate(request, request.json("targeting_spec") or spec, goal)

    def schedules(self, request: GraphRequest, moment: Moment, number: str) -> Row:
        """List the budget schedules of a campaign or ad set."""
        kind = KINDS["schedule"]
        rows = self._library.rows(moment.account, "schedule", moment.now)
        own = [row for row in rows if row["ad_object_id"] == number]
        return page_of(own, request, kind.fields, kind.node, default="id,time_start,time_end")

    def thing(
        self, request: GraphRequest, moment: Moment, thing: Thing, edge: str
    ) -> GraphResponse:
        """Answer a read of a row, or of one of its edges.

        Raises:
            GraphError: If the row has no such edge.
        """
        kind = KINDS[thing.kind]
        if not edge:
            row = _with_cells(thing.row) if thing.kind == "study" else thing.row
            wanted = parse_fields(request.params.get("fields") or _default(thing.kind))
            return json_response(project(row, wanted, kind.fields, kind.node))
        if thing.kind == "study" and edge == "cells":
            cells = KINDS["cell"]
            rows = list(thing.row.get("_cells", []))
            return json_response(
                page_of(rows, request, cells.fields, cells.node, default="id,name")
            )
        if thing.kind == "pixel" and edge == "stats":
            return json_response(pixels.stats(moment, request, self._sent(thing.row["id"])))
        if thing.kind == "rule" and edge == "history":
            return json_response({"data": []})
        if thing.kind == "async_set" and edge == "requests":
            return json_response({"data": list(thing.row.get("_requests", []))})
        raise invalid_parameter(
            f"Tried accessing nonexisting field ({edge}) on node type ({kind.node})"
        )


def _default(kind: str) -> str:
    return "id,name" if "name" in KINDS[kind].fields else "id"


def _with_cells(row: Row) -> Row:
    cells = [{"id": cell["id"], "name": cell["name"]} for cell in row.get("_cells", [])]
    return {**row, "cells": {"data": cells}} if cells else row


def _minimum_budgets(moment: Moment) -> Row:
    least = least_budget(moment)
    return {
        "data": [
            {
                "currency": moment.account.profile.currency,
                "min_daily_budget_imp": least,
                "min_daily_budget_video_views": least,
                "min_daily_budget_high_freq": 5 * least,
                "min_daily_budget_low_freq": 40 * least,
            }
        ]
    }
