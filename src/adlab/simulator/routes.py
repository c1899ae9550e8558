"""Which path is answered by what, once version, token and quota have been checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adlab.simulator.async_jobs import ReportRun, ReportRuns
from adlab.simulator.changes import Changes
from adlab.simulator.edges import EdgeReader
from adlab.simulator.entities import Moment
from adlab.simulator.errors import GraphError, invalid_parameter, missing_object, not_imitated
from adlab.simulator.expansion import Wanted, parse_fields
from adlab.simulator.insights import Insights
from adlab.simulator.library import Library, Thing
from adlab.simulator.reporting import ReportEngine
from adlab.simulator.side_reads import ESTIMATES, SideReads
from adlab.simulator.state import Settings
from adlab.simulator.tokens import Grant
from adlab.simulator.wire import (
    GraphRequest,
    GraphResponse,
    json_response,
    read_cursor,
    whole,
    write_cursor,
)
from adlab.simulator.world import ACTIVE, LEVELS, AccountWorld, Level
from adlab.simulator.write_desk import WriteDesk

_KNOWN_COUNTS = 1000
_BY_LABELS: dict[str, Level] = {
    "campaignsbylabels": "campaign",
    "adsetsbylabels": "adset",
    "adsbylabels": "ad",
}


@dataclass(frozen=True)
class Target:
    """The object a path names; `run` is set for report runs, `thing` for rows beside ads."""

    account: AccountWorld
    level: str
    index: int
    run: ReportRun | None = None
    thing: Thing | None = None


class Router:
    """Answers calls on accounts, their objects and report runs.

    Args:
        engine: Computes reports.
        runs: Report jobs.
        settings: Switches.
        library: Rows beside ads.
        side: Reads of them.
        changes: Ends reviews and processing when their time is over.
        desk: Carries out writes.
    """

    def __init__(
        self,
        engine: ReportEngine,
        runs: ReportRuns,
        settings: Settings,
        library: Library,
        side: SideReads,
        changes: Changes,
        desk: WriteDesk,
    ) -> None:
        self._engine, self._runs, self._settings = engine, runs, settings
        self._library, self._side, self._changes, self._desk = library, side, changes, desk
        self._insights = Insights(engine, settings)
        self._active: dict[tuple[int, int, int], int] = {}

    def find(self, name: str, grant: Grant, now: float) -> Target:
        """Find the object of a path's first part.

        Raises:
            GraphError: 200 for an account the token may not see; 100/33 when an object is
                missing or not visible.
        """
        number = name.removeprefix("act_")
        if not number.isdigit():
            raise missing_object(name)
        world = self._engine.world
        target: Target | None = None
        if name.startswith("act_"):
            account = world.accounts.get(int(number))
            target = None if account is None else Target(account, "account", 0)
        else:
            target = self._find_object(int(number), now)
        if target is not None and grant.sees(target.account.profile.number):
            self._changes.settle(target.account, now)
            return target
        if target is not None and target.level == "account":
            raise GraphError(
                200,
                "(#200) Ad account owner has NOT grant ads_management or ads_read permission",
                status=403,
            )
        raise missing_object(name)

    def _find_object(self, number: int, now: float) -> Target | None:
        world = self._engine.world
        run = self._runs.find(number, now)
        if run is not None:
            return Target(world.accounts[run.query.account_id], "run", 0, run)
        found = world.find(number)
        if found is not None:
            return Target(*found)
        creative = world.find_creative(number)
        if creative is not None:
            return Target(creative[0], "creative", creative[1])
        thing = self._library.find(number, now)
        return None if thing is None else Target(thing.account, thing.kind, 0, thing=thing)

    def active_ads(self, account: AccountWorld, now: float) -> int:
        """Count the ads that may deliver today; the quotas depend on it."""
        name = (account.profile.number, account.today(now), account.edits.revision)
        if name not in self._active:
            states = account.effective_status("ad", name[1])
            started = account.ads.start <= name[1]
            if len(self._active) > _KNOWN_COUNTS:
                self._active.clear()
            self._active[name] = int(np.sum((states == ACTIVE) & started))
        return self._active[name]

    def answer(
        self,
        request: GraphRequest,
        target: Target,
        edge: str,
        now: float,
        tick: int,
        grant: Grant,
    ) -> GraphResponse:
        """Answer a call on a found object.

        Raises:
            GraphError: Whatever the API would refuse.
        """
        if target.run is not None:
            return self._answer_run(request, target.run, edge, now)
        if edge == "insights" and target.level in LEVELS:
            return self._answer_insights(request, target, now, tick)
        moment = Moment(target.account, self._engine, now, tick)
        if request.method != "GET":
            return json_response(self._desk.answer(request, target, edge, moment, grant))
        if target.thing is not None:
            return self._side.thing(request, moment, target.thing, edge)
        found = self._side_edge(request, moment, target, edge)
        if found is not None:
            return json_response(found)
        reader = EdgeReader(moment, self._settings, self._nested_insights)
        if not edge:
            wanted = parse_fields(request.params.get("fields", ""))
            return json_response(reader.node(target.level, target.index, wanted, request))
        return json_response(reader.edge(target.level, target.index, edge, request))

    def _side_edge(
        self, request: GraphRequest, moment: Moment, target: Target, edge: str
    ) -> dict[str, Any] | None:
        if not edge:
            return None
        if target.level == "account":
            if edge == "ads_volume":
                count = self.active_ads(moment.account, moment.now)
                return {"data": [{"ads_running_or_in_review_count": count}]}
            if edge in _BY_LABELS:
                return self._by_labels(request, moment, _BY_LABELS[edge])
            return self._side.account_edge(request, moment, edge)
        if target.level == "adset" and edge in ESTIMATES:
            return self._side.ad_set_edge(request, moment, target.index, edge)
        if target.level in {"campaign", "adset"} and edge == "budget_schedules":
            number = str(moment.account.objects(target.level).id[target.index])
            return self._side.schedules(request, moment, number)
        return None

    def _by_labels(self, request: GraphRequest, moment: Moment, level: Level) -> dict[str, Any]:
        """List the objects that carry any (or, with `operator=ALL`, all) of some labels."""
        asked = {str(number) for number in request.json("ad_label_ids") or []}
        if not asked:
            raise invalid_parameter("The parameter ad_label_ids is required")
        ids: list[str] = []
        for (what, index), values in moment.account.edits.values.items():
            own = {label["id"] for label in values.get("adlabels") or []}
            fits = asked <= own if request.params.get("operator") == "ALL" else asked & own
            if what == level and fits:
                ids.append(str(moment.account.objects(level).id[index]))
        only = [{"field": "id", "operator": "IN", "value": ids or ["0"]}]
        narrowed = replace(request, params={**request.params, "filtering": json.dumps(only)})
        reader = EdgeReader(moment, self._settings, self._nested_insights)
        return reader.edge("account", 0, f"{level}s", narrowed)

    def _answer_insights(
        self, request: GraphRequest, target: Target, now: float, tick: int
    ) -> GraphResponse:
        level: Level = target.level  # type: ignore[assignment]
        query = self._insights.parse(request, target.account, level, target.index, now)
        if request.method == "POST":
            large = self._settings.async_row_limit
            run = self._runs.create(
                query,
                tick,
                now,
                request.path,
                is_too_large=bool(large) and self._engine.estimate(query, now) > large,
            )
            return json_response({"report_run_id": str(run.number)})
        if request.method != "GET":
            raise not_imitated(f"{request.method} on insights")
        self._insights.check_size(query, self._settings.sync_row_limit, now)
        return self._insights.page(request, query, tick, now)

    def _answer_run(
        self, request: GraphRequest, run: ReportRun, edge: str, now: float
    ) -> GraphResponse:
        if request.method != "GET":
            raise not_imitated(f"{request.method} on a report run")
        if edge == "insights":
            self._runs.check_readable(run, request.path)
            return self._insights.page(request, run.query, run.tick, now)
        if edge:
            raise invalid_parameter(
                f"Tried accessing nonexisting field ({edge}) on node type (AdReportRun)"
            )
        fields = self._runs.poll(run, now)
        asked = request.words("fields")
        if asked:
            known = {
                *fields,
                "error_code",
                "error_message",
                "error_subcode",
                "error_user_title",
                "error_user_msg",
                "is_running",
                "emails",
                "schedule_id",
                "friendly_name",
            }
            wrong = [name for name in asked if name not in known]
            if wrong:
                raise invalid_parameter(
                    f"Tried accessing nonexisting field ({wrong[0]}) on node type (AdReportRun)"
                )
            fields = {name: value for name, value in fields.items() if name in {*asked, "id"}}
        return json_response(fields)

    def _nested_insights(self, item: Wanted, moment: Moment, level: Level, index: int) -> Any:
        params = dict(item.modifiers)
        params["fields"] = ",".join(child.name for child in item.children)
        request = GraphRequest("GET", "", params, "", "")
        query = self._insights.parse(request, moment.account, level, index, moment.now)
        page = self._insights.page(request, query, moment.tick, moment.now)
        return json.loads(page.body)

    def my_accounts(
        self, request: GraphRequest, grant: Grant, now: float, tick: int
    ) -> GraphResponse:
        """Answer `/me/adaccounts`.

        Raises:
            GraphError: If a field or cursor is wrong, or the token has no user.
        """
        if grant.kind == "APP":
            raise GraphError(
                2500,
                "An active access token must be used to query information about the current user.",
            )
        grant.require("ads_read", "ads_management")
        world = self._engine.world
        numbers = sorted(n for n in world.accounts if grant.sees(n))
        wanted = parse_fields(request.params.get("fields") or "account_id,id")
        limit = max(request.integer("limit", 25), 1)
        start = 0
        if request.params.get("after"):
            last = whole(read_cursor(request.params["after"], 2)[1])
            start = sum(1 for number in numbers if number <= last)
        rows = []
        for number in numbers[start : start + limit]:
            moment = Moment(world.accounts[number], self._engine, now, tick)
            reader = EdgeReader(moment, self._settings, self._nested_insights)
            rows.append(reader.node("account", 0, wanted, request))
        answer: dict[str, Any] = {"data": rows}
        if rows:
            after = write_cursor(("account", numbers[min(start + limit, len(numbers)) - 1]))
            answer["paging"] = {
                "cursors": {"before": write_cursor(("account", numbers[start])), "after": after}
            }
            if start + limit < len(numbers):
                answer["paging"]["next"] = request.page_url(after)
        if request.flag("summary"):
            answer["summary"] = {"total_count": len(numbers)}
        return json_response(answer)
