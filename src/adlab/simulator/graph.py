"""The Graph API in front of the routes: versions, tokens, proofs, quotas, faults, headers.

Works on plain values (`wire.py`), so batch items take the same way as real calls. What happens on
the socket is in `app.py`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from adlab.simulator import async_writes, audience, thresholds
from adlab.simulator.async_jobs import ReportRuns
from adlab.simulator.async_writes import AsyncWrites
from adlab.simulator.batch import run_batch
from adlab.simulator.capi import EventsOffice
from adlab.simulator.changes import Changes
from adlab.simulator.clock import SimulatorClock
from adlab.simulator.errors import GraphError, bad_token, invalid_parameter, trace_id
from adlab.simulator.faults import Fault, FaultBook, error_of
from adlab.simulator.library import Library
from adlab.simulator.oauth import LoginOffice
from adlab.simulator.quota import QuotaOffice
from adlab.simulator.reporting import ReportEngine
from adlab.simulator.routes import Router, Target
from adlab.simulator.sender import Sender
from adlab.simulator.side_reads import SideReads
from adlab.simulator.state import Settings
from adlab.simulator.tokens import APP_ID, Grant, TokenOffice
from adlab.simulator.webhooks import Webhooks
from adlab.simulator.wire import JSON_TYPE, GraphRequest, GraphResponse, json_response
from adlab.simulator.world import World
from adlab.simulator.write_desk import WriteDesk

logger = logging.getLogger(__name__)

CURRENT_VERSION = "v26.0"
_ADS_VERSIONS = ("v25.0", "v26.0")
_GRAPH_VERSIONS = ("v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0")
_OLDEST_GRAPH = "v21.0"
_GRAPH_EDGES = ("/subscriptions", "/events")
"""Edges of numbered objects that live by the longer clock of the Graph API."""
_VERSION = re.compile(r"^/?(v\d+\.\d+)(?=/|$)")


@dataclass(frozen=True)
class Struck:
    """An answer spoilt on the way; `app.py` does it."""

    fault: Fault


class Graph:
    """Everything behind `https://graph.…`.

    Args:
        world: What exists.
        clock: Simulated time.
        settings: Switches.
        secret: The app's secret.
        monotonic: Real time in seconds, for the states of report jobs.
    """

    def __init__(
        self,
        world: World,
        clock: SimulatorClock,
        settings: Settings,
        secret: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world, self.clock, self.settings = world, clock, settings
        self.engine = ReportEngine(world)
        self.faults = FaultBook()
        self.quota = QuotaOffice(settings)
        self.runs = ReportRuns(settings, self.faults, monotonic)
        self.tokens = TokenOffice(secret)
        self.login = LoginOffice(self.tokens)
        self.sender = Sender(settings, monotonic, failed=lambda d: self.webhooks.note_failure(d))
        self.webhooks = Webhooks(secret.encode(), clock, settings, self.sender)
        self.revoked: set[str] = set()
        self.library = Library(world)
        self.changes = Changes(settings, self.webhooks.tell)
        self.events = EventsOffice()
        side = SideReads(self.library, settings, self.events.counted)
        self.async_writes = AsyncWrites(self.library, settings, self._later, self.webhooks.tell)
        self.desk = WriteDesk(self.changes, self.library, settings)
        self._monotonic = monotonic
        self.router = Router(
            self.engine, self.runs, settings, self.library, side, self.changes, self.desk
        )

    def strike(self, method: str, path: str) -> Fault | None:
        """Give the fault that hits a real call, if any."""
        return self.faults.strike(method, path)

    def call(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        token: str,
        base_url: str,
        *,
        fault: Fault | None = None,
    ) -> GraphResponse:
        """Answer one call; errors become error answers.

        Args:
            method: HTTP method.
            path: Path with or without version.
            params: From query and body together.
            token: From query, body or the Authorization header.
            base_url: Scheme and host, for `paging.next`.
            fault: A fault of an error kind that hits this call.
        """
        version, rest = _cut_version(path)
        token = params.get("access_token") or token
        if params.get("method") and method == "POST":
            method = params["method"].upper()
        request = GraphRequest(method, rest, params, version, base_url, token)
        served = CURRENT_VERSION
        warning: dict[str, str] = {}
        headers: dict[str, str] = {}
        try:
            served, warning = self._check_version(version, rest)
            if fault is not None:
                self._raise_fault(fault, rest)
            response = self._dispatch(request, headers)
            if fault is not None and _loses(fault, "500"):
                # Reason: the write took effect; only its answer is an error.
                raise GraphError(1, "An unknown error occurred", status=500)
        except Exception as failure:
            problem = _as_graph_error(failure)
            response = GraphResponse(problem.body(), problem.status, dict(problem.headers))
            text = problem.message.replace('"', "'")[:200].encode("ascii", "replace").decode()
            response.headers["www-authenticate"] = (
                f'OAuth "Facebook Platform" "invalid_request" "{text}"'
            )
        response.headers = {
            "content-type": JSON_TYPE,
            "facebook-api-version": served,
            "x-fb-trace-id": trace_id(),
            "x-fb-request-id": trace_id(),
            "x-fb-rev": "1042",
            **warning,
            **headers,
            **response.headers,
        }
        return response

    def _check_version(self, version: str, path: str) -> tuple[str, dict[str, str]]:
        """Give the version served, and the warning header of an automatic upgrade."""
        first = path.strip("/").split("/")[0]
        is_ads = first.startswith("act_") or first.isdigit() or path.strip("/") == "me/adaccounts"
        if first.isdigit() and path.rstrip("/").endswith(_GRAPH_EDGES):
            is_ads = False
        if not is_ads:
            return (
                version
                if version in _GRAPH_VERSIONS
                else CURRENT_VERSION
                if not version
                else _OLDEST_GRAPH
            ), {}
        if version in _ADS_VERSIONS:
            return version, {}
        known = re.fullmatch(r"v(\d+)\.0", version)
        is_old = known is not None and int(known[1]) < 25
        if is_old and self.settings.version_policy == "upgrade":
            text = (
                f"The call has been auto-upgraded to {_ADS_VERSIONS[0]} as {version} has been "
                "deprecated."
            )
            return _ADS_VERSIONS[0], {"x-ad-api-version-warning": text}
        raise GraphError(
            2635,
            f"(#2635) You are calling a deprecated version of the Ads API. Please update to "
            f"the latest version: {CURRENT_VERSION}.",
        )

    def _raise_fault(self, fault: Fault, path: str) -> None:
        problem = error_of(fault)
        if problem is None:
            return
        if fault.kind.startswith("throttle_") and not problem.headers:
            found = re.search(r"act_(\d+)", path)
            name = found[1] if found else "1001"
            entry = {
                "type": "ads_insights" if fault.kind.endswith("insights") else "ads_management",
                "call_count": 104,
                "total_cputime": 30,
                "total_time": 30,
                "estimated_time_to_regain_access": int(fault.params.get("minutes", 1)),
                "ads_api_access_tier": "standard_access",
            }
            other = {
                **entry,
                "type": "custom_audience",
                "call_count": 1,
                "estimated_time_to_regain_access": 0,
            }
            problem.headers = {"x-business-use-case-usage": json.dumps({name: [other, entry]})}
        raise problem

    def _dispatch(self, request: GraphRequest, headers: dict[str, str]) -> GraphResponse:
        now = self.clock.now()
        if "ids" in request.params and request.path.strip("/") == "":
            raise invalid_parameter("The ids parameter is no longer supported")
        if "date_format" in request.params:
            raise invalid_parameter("Param date_format is no longer supported")
        parts = [part for part in request.path.split("/") if part]
        if parts == ["oauth", "access_token"]:
            return self.login.access_token(request, now)
        if parts == ["dialog", "oauth"]:
            return self.login.dialog(request, now)
        if parts == ["debug_token"]:
            return self.login.debug(request, now)
        if not parts and request.method == "POST":
            return self._batch(request, now)
        grant = self._admit(request, now)
        if not parts:
            raise GraphError(
                2500, "Unsupported get request. Please read the Graph API documentation"
            )
        if parts[0] == "me":
            return self._me(request, grant, parts[1:], now)
        if parts == [APP_ID, "subscriptions"]:
            return json_response(self.webhooks.app_subscriptions(request, grant))
        if parts == ["dataset_quality"] and request.method == "GET":
            dataset = request.params.get("dataset_id", "")
            self.router.find(dataset, grant, now)
            return json_response(self.events.quality(request, now))
        if parts == ["search"] and request.method == "GET":
            return json_response(audience.search(request))
        return self._object(request, grant, parts, now, headers)

    def _admit(self, request: GraphRequest, now: float) -> Grant:
        grant = self.tokens.resolve(request.token, now)
        if grant.user_id in self.revoked:
            raise bad_token(
                458,
                f"Error validating access token: The user has not authorized application {APP_ID}.",
            )
        self.tokens.check_proof(
            request.token,
            request.params.get("appsecret_proof", ""),
            request.params.get("appsecret_time", ""),
            now,
            required=self.settings.require_appsecret_proof,
        )
        return grant

    def _me(
        self, request: GraphRequest, grant: Grant, rest: list[str], now: float
    ) -> GraphResponse:
        if rest == ["adaccounts"]:
            return self.router.my_accounts(request, grant, now, self.clock.tick())
        if rest == ["permissions"]:
            if request.method == "DELETE":
                if grant.kind == "SYSTEM_USER":
                    raise invalid_parameter("Permissions of a system user cannot be revoked here")
                self.revoked.add(grant.user_id)
                return json_response({"success": True})
            return json_response(
                {"data": [{"permission": scope, "status": "granted"} for scope in grant.scopes]}
            )
        if not rest:
            name = "adlab system user" if grant.kind == "SYSTEM_USER" else "Demo Buyer"
            return json_response({"id": grant.user_id, "name": name})
        raise invalid_parameter(
            f"Tried accessing nonexisting field ({rest[0]}) on node type (User)"
        )

    def _object(
        self,
        request: GraphRequest,
        grant: Grant,
        parts: list[str],
        now: float,
        headers: dict[str, str],
    ) -> GraphResponse:
        grant.require("ads_read", "ads_management")
        self.async_writes.run_due(now)
        target = self.router.find(parts[0], grant, now)
        if len(parts) > 2:
            raise GraphError(2500, f"Unknown path components: /{'/'.join(parts[1:])}")
        edge = parts[1] if len(parts) == 2 else ""
        number = target.account.profile.number
        takes_events = target.level == "pixel" and edge == "events"
        if request.method != "GET" and edge != "insights" and not takes_events:
            grant.require("ads_management")
            self.quota.pace(number, self._monotonic())
        use = "ads_insights" if edge == "insights" or target.run is not None else "ads_management"
        active = self.router.active_ads(target.account, now)
        is_light = request.method == "GET" or takes_events
        self.quota.bill(number, use, now, active, 1 if is_light else 3)
        headers.update(self.quota.headers(number, use, now, active))
        try:
            if takes_events:
                return json_response(self.events.receive(request, parts[0], now))
            own = self._subscription_edge(request, target, edge, now)
            if own is not None:
                return json_response(own)
            return self.router.answer(request, target, edge, now, self.clock.tick(), grant)
        except GraphError as problem:
            if problem.status < 500:
                self.quota.note_error(number, now)
            raise

    def _later(self, method: str, path: str, params: dict[str, str], token: str) -> GraphResponse:
        """Carry out one request of an asynchronous set."""
        full = path if _VERSION.match(path) else f"/{CURRENT_VERSION}/{path.lstrip('/')}"
        return self.call(method, full, params, token, "")

    def _subscription_edge(
        self, request: GraphRequest, target: Target, edge: str, now: float
    ) -> dict[str, Any] | None:
        """Answer asynchronous writes, and the edges by which an account is subscribed to."""
        if target.level == "account" and edge in async_writes.EDGES and request.method == "POST":
            return self.async_writes.make(request, target.account, edge, now)
        if target.thing is not None and target.level == "async_set" and request.method == "DELETE":
            return self.async_writes.cancel(target.thing)
        if target.level == "account" and edge == "subscribed_apps":
            return self.webhooks.installs(request, target.account)
        if target.level == "account" and edge == "subscriptions":
            return thresholds.account_edge(request, target.account, self.library, now)
        thing = target.thing
        if thing is not None and thing.kind == "threshold" and request.method != "GET":
            return thresholds.change(request, thing, self.library, now)
        return None

    def _batch(self, request: GraphRequest, now: float) -> GraphResponse:
        if "batch" not in request.params:
            raise invalid_parameter("The parameter batch is required")
        self._admit(request, now)

        def answer(method: str, path: str, params: dict[str, str], token: str) -> GraphResponse:
            has_version = _VERSION.match(path) is not None
            full = path if has_version else f"/{request.version}/{path.lstrip('/')}"
            fault = self.faults.strike(method, full) if self._strikes_items(full) else None
            if fault is not None and fault.kind == "lost_response":
                # Reason: an item has no connection of its own that could break.
                fault = replace(fault, params={"how": "500"})
            response = self.call(method, full, params, token, request.base_url, fault=fault)
            return replace(
                response,
                headers={
                    name: value
                    for name, value in response.headers.items()
                    if name != "content-type"
                },
            )

        nulls = self.faults.strike("POST", request.path or "/", ("null_items",))
        count = int(nulls.params.get("items", 1)) if nulls is not None else 0
        results = run_batch(request, answer, null_items=count)
        answered = GraphResponse(json.dumps(results).encode())
        answered.rows = len(results)
        return answered

    def _strikes_items(self, path: str) -> bool:
        """Whether faults may hit items of a batch: only those that name more than everything."""
        return any(rule["match"] != ".*" for rule in self.faults.listed()) and bool(path)

    def reset(self) -> None:
        """Forget jobs, quotas, faults, codes and every write; clock and switches stay."""
        for account in self.world.accounts.values():
            account.forget_edits()
        self.library.reset()
        self.desk.rules.reset()
        self.webhooks.reset()
        self.async_writes.reset()
        self.revoked.clear()
        self.events.clear()
        self.faults.clear()
        self.quota.reset()
        self.runs.reset()
        self.login.reset()


def _as_graph_error(failure: Exception) -> GraphError:
    """Pass Graph errors on; anything else is our own mistake and looks like one of Meta's."""
    if isinstance(failure, GraphError):
        return failure
    logger.error("simulator_failed", exc_info=failure)
    return GraphError(1, "An unknown error occurred", status=500)


def _loses(fault: Fault, how: str) -> bool:
    """Whether a fault loses the answer of a call that was carried out, and in this way."""
    return fault.kind == "lost_response" and str(fault.params.get("how", "reset")) == how


def _cut_version(path: str) -> tuple[str, str]:
    found = _VERSION.match(path)
    if found is None:
        return "", path if path.startswith("/") else f"/{path}"
    return found[1], path[found.end() :] or "/"
