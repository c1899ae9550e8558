"""The control plane under ``/__…``: clock, truth, faults, switches, call log.

Nothing here exists on Meta's side; only tests and people running the demo use it.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adlab.simulator import truth
from adlab.simulator.calls import CallLog
from adlab.simulator.clock import iso_utc, parse_moment
from adlab.simulator.graph import Graph
from adlab.simulator.webhook_control import WebhookControl
from adlab.simulator.world_control import WorldControl


def _json(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, media_type="application/json")


def _refused(problem: Exception) -> Response:
    return _json({"error": str(problem)}, 400)


class ControlPlane:
    """Answers the control calls.

    Args:
        graph: The simulated API.
        calls: The log of its calls.
    """

    def __init__(self, graph: Graph, calls: CallLog) -> None:
        self._graph, self._calls = graph, calls

    def routes(self) -> list[Route]:
        """List the control routes."""
        return [
            Route("/__health", self.health),
            Route("/__clock", self.clock, methods=["GET", "POST"]),
            Route("/__truth", self.world),
            Route("/__truth/insights", self.insights),
            Route("/__truth/names", self.names),
            Route("/__faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/__config", self.config, methods=["GET", "POST"]),
            Route("/__calls", self.calls, methods=["GET", "DELETE"]),
            Route("/__reset", self.reset, methods=["POST"]),
            *WorldControl(self._graph).routes(),
            *WebhookControl(self._graph).routes(),
        ]

    async def health(self, request: Request) -> Response:
        """Say that the simulator is up, and with what."""
        world = self._graph.world
        return _json(
            {
                "status": "ok",
                "scenario": world.scenario,
                "seed": world.seed,
                "accounts": len(world.accounts),
                "now": iso_utc(self._graph.clock.now()),
            }
        )

    async def clock(self, request: Request) -> Response:
        """Read or move the clock."""
        clock = self._graph.clock
        if request.method == "POST":
            try:
                body = orjson.loads(await request.body())
                self._move(body)
            except (ValueError, TypeError) as problem:
                return _refused(problem)
        return _json(
            {
                "now": iso_utc(clock.now()),
                "tick": iso_utc(clock.tick()),
                "unix": clock.now(),
                "is_frozen": clock.is_frozen,
            }
        )

    def _move(self, body: dict[str, Any]) -> None:
        clock = self._graph.clock
        known = {"now", "advance_seconds", "run", "real"}
        if not body or set(body) - known:
            raise ValueError(f"give one of {', '.join(sorted(known))}")
        if body.get("real"):
            clock.follow_real_time()
        if "now" in body:
            clock.freeze_at(parse_moment(str(body["now"])))
        if "advance_seconds" in body:
            clock.advance(float(body["advance_seconds"]))
        if body.get("run"):
            clock.run()
        for account in self._graph.world.accounts.values():
            self._graph.changes.settle(account, clock.now())

    async def world(self, request: Request) -> Response:
        """Describe the world and its planted stories."""
        return _json(truth.summary(self._graph.engine, self._graph.clock.now()))

    async def insights(self, request: Request) -> Response:
        """Give the exact numbers as of now."""
        graph = self._graph
        try:
            answer = truth.insights(
                graph.engine, graph.clock.now(), graph.clock.tick(), dict(request.query_params)
            )
        except (ValueError, KeyError) as problem:
            return _refused(problem)
        return _json(answer)

    async def names(self, request: Request) -> Response:
        """Give the names of an account's objects."""
        params = request.query_params
        try:
            number = int(params["account"].removeprefix("act_"))
            return _json(truth.object_names(self._graph.engine, number, params["level"]))
        except (ValueError, KeyError) as problem:
            return _refused(problem)

    async def faults(self, request: Request) -> Response:
        """List, add or remove faults."""
        book = self._graph.faults
        if request.method == "DELETE":
            book.clear()
        if request.method == "POST":
            try:
                body = orjson.loads(await request.body())
                for rule in body if isinstance(body, list) else [body]:
                    book.add(rule)
            except (ValueError, TypeError) as problem:
                return _refused(problem)
        return _json({"faults": book.listed()})

    async def config(self, request: Request) -> Response:
        """Read or change the switches."""
        settings = self._graph.settings
        if request.method == "POST":
            try:
                settings.update(orjson.loads(await request.body()))
            except (ValueError, TypeError) as problem:
                return _refused(problem)
        return _json(vars(settings))

    async def calls(self, request: Request) -> Response:
        """Read or clear the call log."""
        if request.method == "DELETE":
            self._calls.clear()
        params = request.query_params
        return _json(self._calls.listed(params.get("match", ""), int(params.get("limit", "100"))))

    async def reset(self, request: Request) -> Response:
        """Forget jobs, quotas, faults, codes, calls and writes; clock and switches stay."""
        self._graph.reset()
        self._calls.clear()
        return _json({"status": "ok"})
