"""The web application: sockets and bodies in, Graph answers out, transport faults on the way."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adlab.simulator.calls import CallLog
from adlab.simulator.clock import SimulatorClock
from adlab.simulator.control import ControlPlane
from adlab.simulator.faults import Fault
from adlab.simulator.graph import Graph
from adlab.simulator.scenarios import build_world
from adlab.simulator.state import Settings
from adlab.simulator.tokens import DEFAULT_APP_SECRET
from adlab.simulator.wire import GraphResponse

_HTML = b"<!DOCTYPE html><html><body><h1>Sorry, something went wrong.</h1></body></html>"


class _Broken(Response):
    """A response whose connection ends before its body does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce a body and leave without sending it."""
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"4096"), (b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": b'{"data":[', "more_body": True})


class GraphEndpoint:
    """Takes a real call through faults and latency to the Graph and logs it.

    Args:
        graph: The simulated API.
        calls: Where calls are logged.
    """

    def __init__(self, graph: Graph, calls: CallLog) -> None:
        self._graph, self._calls = graph, calls

    async def handle(self, request: Request) -> Response:
        """Answer one call."""
        began = time.perf_counter()
        params = await _read_params(request)
        method, path = request.method, request.url.path
        fault = self._graph.strike(method, path)
        delay = self._graph.settings.latency_ms / 1000
        if fault is not None and fault.kind == "slow":
            delay += float(fault.params.get("seconds", 1.0))
        if delay > 0:
            await asyncio.sleep(delay)
        spoilt = _spoil(fault)
        if spoilt is None:
            if fault is not None and fault.kind == "repeating_cursor":
                self._graph.settings.repeat_cursor_count += 1
            answer = await self._call(
                method, path, params, _bearer(request), str(request.base_url).rstrip("/"), fault
            )
            spoilt = _finish(answer, fault)
            rows = answer.rows
        else:
            rows = 0
        self._calls.note(
            method,
            path,
            params,
            status=spoilt.status_code,
            rows=rows,
            size=len(spoilt.body),
            seconds=time.perf_counter() - began,
            fault=None if fault is None else fault.kind,
        )
        return spoilt

    async def _call(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        token: str,
        base_url: str,
        fault: Fault | None,
    ) -> GraphResponse:
        if method == "POST" and path.rstrip("/").endswith("/subscriptions"):
            # Reason: the handshake waits for the subscriber, who may be calling us meanwhile.
            return await asyncio.to_thread(
                self._graph.call, method, path, params, token, base_url, fault=fault
            )
        return self._graph.call(method, path, params, token, base_url, fault=fault)


def _spoil(fault: Fault | None) -> Response | None:
    """Give the answer of a fault that never reaches the API."""
    if fault is None:
        return None
    status = fault.params.get("status")
    if fault.kind == "service_unavailable":
        return Response("Service temporarily unavailable", status or 503, media_type="text/plain")
    if fault.kind == "html":
        return Response(_HTML, status or 500, media_type="text/html")
    if fault.kind == "empty":
        return Response(b"", status or 200, media_type="application/json")
    if fault.kind == "success_false":
        return Response(b'{"success":false}', 200, media_type="application/json")
    if fault.kind == "reset":
        return _Broken(b"")
    return None


def _finish(answer: GraphResponse, fault: Fault | None) -> Response:
    body = answer.body
    if fault is not None and fault.kind == "lost_response" and fault.params.get("how") != "500":
        return _Broken(b"")
    if fault is not None and fault.kind == "truncated":
        body = body[: len(body) // 2]
    return Response(body, answer.status, headers=answer.headers)


def _bearer(request: Request) -> str:
    header = request.headers.get("authorization", "")
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() in {"bearer", "oauth"} else ""


async def _read_params(request: Request) -> dict[str, str]:
    params = dict(request.query_params)
    if request.method in {"POST", "PUT", "PATCH", "DELETE"}:
        body = await request.body()
        params |= read_body(body, request.headers.get("content-type", ""))
    return params


def read_body(body: bytes, content_type: str) -> dict[str, str]:
    """Read a form, multipart or JSON body into text parameters; JSON values stay JSON."""
    if not body:
        return {}
    if content_type.startswith("multipart/form-data"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        found: dict[str, str] = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            if name and part.get_filename() is None:
                content = part.get_payload(decode=True)
                found[str(name)] = content.decode() if isinstance(content, bytes) else ""
        return found
    if content_type.startswith("application/json"):
        try:
            data: Any = json.loads(body)
        except ValueError:
            return {}
        if not isinstance(data, dict):
            return {}
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in data.items()}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def create_app(
    scenario: str = "demo",
    seed: int = 7,
    clock: SimulatorClock | None = None,
    settings: Settings | None = None,
    app_secret: str = DEFAULT_APP_SECRET,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Build the simulator as an ASGI application.

    Args:
        scenario: Name of the world, see `scenarios.SCENARIOS`.
        seed: Every number follows from it.
        clock: Simulated time; real time by default.
        settings: Switches.
        app_secret: The app's secret.
        monotonic: Real time in seconds, for the states of report jobs.
    """
    clock = clock or SimulatorClock()
    graph = Graph(
        build_world(scenario, seed, clock.now()),
        clock,
        settings or Settings(),
        app_secret,
        monotonic,
    )
    calls = CallLog()
    endpoint = GraphEndpoint(graph, calls)
    app = Starlette(
        routes=[
            *ControlPlane(graph, calls).routes(),
            Route(
                "/{path:path}", endpoint.handle, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]
            ),
        ]
    )
    app.state.graph = graph
    return app
