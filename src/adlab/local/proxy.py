"""One address for several local processes: pages, streams and websockets.

`python -m adlab.local.proxy --port 8000 --default-target http://127.0.0.1:8001
--route /boards=http://127.0.0.1:8002`. The longest prefix wins and stays part of the path. Routes
are fixed at start; with `--api-port` a hub adds and removes others (see `proxy_routes`).
"""

# Reason: not configurable-http-proxy's Python port (0.4). From its source: it turns binary
# websocket frames into text frames, drops Content-Encoding while passing the body on, keeps the
# browser's websocket open after the server's end has closed (so a board never reconnects), holds
# every response in memory to its end (no event streams), and forwards ",address".

from __future__ import annotations

import argparse
import asyncio
import html
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError
from tornado.tcpclient import TCPClient
from tornado.web import Application
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketHandler,
    websocket_connect,
)

from adlab.core.errors import ConflictError
from adlab.local.ports import is_free, port_holder
from adlab.local.proxy_routes import Apart, Routes, build_api

CONNECT_SECONDS = 5.0
MESSAGE_BYTES = 256 * 1024 * 1024
BODY_BYTES = 100 * 1024 * 1024
HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "proxy-authorization", "proxy-connection"),
    }
)

log = logging.getLogger(__name__)


def forwarded_headers(request: HTTPServerRequest) -> HTTPHeaders:
    """Return the request's headers for the target: no hop-by-hop ones, X-Forwarded-* added."""
    named = request.headers.get("Connection", "").lower()
    dropped = HOP_BY_HOP | {word.strip() for word in named.split(",")}
    headers = HTTPHeaders()
    for name, value in request.headers.get_all():
        lower = name.lower()
        if lower not in dropped and not lower.startswith("sec-websocket-"):
            headers.add(name, value)
    seen = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{seen}, {request.remote_ip}" if seen else request.remote_ip
    proto = headers.setdefault("X-Forwarded-Proto", request.protocol)
    host = headers.setdefault("X-Forwarded-Host", request.host)
    port = urlsplit(f"//{host}").port or (443 if proto == "https" else 80)
    headers.setdefault("X-Forwarded-Port", str(port))
    return headers


class _Answer(HTTPMessageDelegate):  # type: ignore[misc]  # tornado is not followed
    """Passes the target's answer on, piece by piece, no faster than the browser takes it."""

    def __init__(self, handler: ProxyHandler) -> None:
        self.handler = handler
        self.begun = False

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        assert isinstance(start_line, ResponseStartLine)
        if start_line.code < 200:  # an interim answer; the real one follows
            return
        self.begun = True
        self.handler.clear()
        for name in list(self.handler._headers):
            self.handler.clear_header(name)
        self.handler.set_status(start_line.code, start_line.reason)
        for name, value in headers.get_all():
            if name.lower() not in HOP_BY_HOP:
                self.handler.add_header(name, value)
        await self.handler.flush()

    async def data_received(self, chunk: bytes) -> None:
        self.handler.write(chunk)
        await self.handler.flush()


class ProxyHandler(WebSocketHandler):  # type: ignore[misc]  # tornado is not followed
    """Hands one request, or one websocket, to the target of its path."""

    upstream: WebSocketClientConnection | None = None
    connection: HTTP1Connection | None = None
    pump: asyncio.Task[None] | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Pass a page or a websocket on."""
        elsewhere = self._belongs_elsewhere()
        if elsewhere:
            if self.request.headers.get("Upgrade"):
                self._say(404, "Nothing lives at this address.", "")
            else:
                self.redirect(elsewhere + (self.request.uri or "/"))
            return
        if self.request.path == "/" and self.settings["front_door"]:
            self.redirect(self.settings["front_door"])
            return
        if self.request.headers.get("Upgrade", "").lower() == "websocket":
            await self._open_websocket()
        else:
            await self._forward()

    def _belongs_elsewhere(self) -> str:
        """The address whose host a path belongs to, when it was asked of the other; "" if not.

        Reason: what shares a host shares an origin. Code in a notebook must not read boards with
        the cookies of whoever looks at it.
        """
        apart: Apart | None = self.settings["apart"]
        return apart.other_address(self.request.host, self.request.path) if apart else ""

    async def _forward(self, *args: Any, **kwargs: Any) -> None:
        if self._belongs_elsewhere():
            self._say(404, "Nothing lives at this address.", "")
            return
        target = self._target()
        if target is None:
            return
        place = urlsplit(target)
        try:
            stream = await TCPClient().connect(
                place.hostname or "", place.port or 80, timeout=CONNECT_SECONDS
            )
        except (OSError, StreamClosedError, TimeoutError):
            self._say_unavailable(target)
            return
        stream.set_nodelay(True)
        self.connection = HTTP1Connection(
            stream, True, HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=1 << 50)
        )
        headers = forwarded_headers(self.request)
        headers["Connection"] = "close"
        if self.request.body or self.request.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(self.request.body))
        uri = place.path.rstrip("/") + (self.request.uri or "/")
        answer = _Answer(self)
        try:
            sent = self.connection.write_headers(
                RequestStartLine(self.request.method or "GET", uri, ""),
                headers,
                self.request.body or None,
            )
            self.connection.finish()
            await self.connection.read_response(answer)
            await sent
        except StreamClosedError:
            log.debug("proxy_stream_closed target=%s", target)
        finally:
            self.connection.close()
        if not answer.begun:
            self._say_unavailable(target)
        elif not self._finished:
            self.finish()

    head = post = put = patch = delete = options = _forward

    def on_connection_close(self) -> None:
        """The browser went away: stop asking the target."""
        super().on_connection_close()
        if self.connection is not None:
            self.connection.close()

    async def _open_websocket(self) -> None:
        target = self._target()
        if target is None:
            return
        place = urlsplit(target)
        scheme = "wss" if place.scheme == "https" else "ws"
        url = f"{scheme}://{place.netloc}{place.path.rstrip('/')}{self.request.uri}"
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        try:
            self.upstream = await websocket_connect(
                HTTPRequest(
                    url,
                    headers=forwarded_headers(self.request),
                    connect_timeout=CONNECT_SECONDS,
                    request_timeout=30,
                ),
                subprotocols=[part.strip() for part in offered.split(",") if part.strip()] or None,
                max_message_size=MESSAGE_BYTES,
            )
        except HTTPClientError as error:  # the target's own refusal, such as 403
            self.set_status(error.code if 400 <= error.code < 500 else 503)
            self.finish()
            return
        except (OSError, StreamClosedError, TimeoutError):
            self._say_unavailable(target)
            return
        await super().get()
        if self.ws_connection is None:  # the browser's half was refused
            self.upstream.close()

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Answer with the target's choice (Bokeh insists on "bokeh")."""
        chosen: str | None = self.upstream.selected_subprotocol if self.upstream else None
        return chosen

    def check_origin(self, origin: str) -> bool:
        """Accept our own address, and those named at start."""
        host = (urlsplit(origin).netloc or "").lower()
        return super().check_origin(origin) or host in self.settings["allowed_origins"]

    def open(self, *args: str, **kwargs: str) -> None:
        """Begin to pass on what the target says."""
        self.pump = asyncio.get_running_loop().create_task(self._pump())

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the browser says."""
        if self.upstream is not None:
            try:
                await self.upstream.write_message(message, binary=isinstance(message, bytes))
            except WebSocketClosedError:
                self.close()

    def on_close(self) -> None:
        """The browser's half ended: end the target's half."""
        if self.upstream is not None:
            self.upstream.close(_sendable(self.close_code), self.close_reason)

    async def _pump(self) -> None:
        assert self.upstream is not None
        try:
            while (message := await self.upstream.read_message()) is not None:
                await self.write_message(message, binary=isinstance(message, bytes))
        except (WebSocketClosedError, StreamClosedError):
            self.upstream.close()
        self.close(_sendable(self.upstream.close_code), self.upstream.close_reason)

    def _target(self) -> str | None:
        routes: Routes = self.settings["routes"]
        target = routes.find(self.request.path)
        if target is None:
            self._say(404, "Nothing lives at this address.", "")
        return target

    def _say_unavailable(self, target: str) -> None:
        log.warning("proxy_target_down target=%s", target)
        self.set_header("Retry-After", "3")
        self._say(
            503,
            "This part of adlab is not answering.",
            "It may be starting. This page looks again every three seconds; if it stays, see the "
            "terminal where adlab runs, or run `adlab doctor`.",
        )

    def _say(self, status: int, what: str, remedy: str) -> None:
        if self._headers_written or self._finished:
            return
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        if "text/html" in self.request.headers.get("Accept", ""):
            self.finish(_page(status, what, remedy))
        else:
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps({"error": what, "remedy": remedy}))


def _sendable(code: int | None) -> int | None:
    """Return a close code that may be sent; 1005, 1006 and 1015 only describe what was seen."""
    return None if code in (None, 1005, 1006, 1015) else code


def _page(status: int, what: str, remedy: str) -> str:
    again = '<meta http-equiv="refresh" content="3">' if status == 503 else ""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">{again}
<meta name="viewport" content="width=device-width,initial-scale=1"><title>adlab</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 Inter,system-ui,sans-serif;margin:0;
display:grid;place-items:center;min-height:100vh;background:light-dark(#F7F8FA,#0F1216);
color:light-dark(#14181F,#E8EBF0)}}main{{max-width:32rem;padding:24px}}h1{{font-size:20px;
font-weight:600}}p{{color:light-dark(#5B6472,#9AA4B2)}}</style>
<main><h1>{html.escape(what)}</h1><p>{html.escape(remedy)}</p></main></html>"""


def build_server(
    routes: Mapping[str, str] | Routes,
    allowed_origins: frozenset[str],
    front_door: str = "",
    apart: Apart | None = None,
) -> HTTPServer:
    """Return the server, not yet listening.

    Args:
        routes: Path prefix ("/" for the rest) to target address, or a table a hub changes.
        allowed_origins: Hosts, with port, whose pages may open websockets beside our own.
        front_door: Path that "/" alone leads to, so that it answers whatever else is down.
        apart: Paths with a host of their own.
    """
    application = Application(
        [(r".*", ProxyHandler)],
        routes=routes if isinstance(routes, Routes) else Routes(routes),
        allowed_origins=allowed_origins,
        front_door=front_door,
        apart=apart,
        websocket_max_message_size=MESSAGE_BYTES,
        websocket_ping_interval=30,
        log_function=lambda handler: None,  # Reason: addresses may carry one-time tokens
    )
    return HTTPServer(application, max_body_size=BODY_BYTES, max_buffer_size=BODY_BYTES)


async def serve(
    host: str,
    port: int,
    routes: Mapping[str, str],
    allowed_origins: frozenset[str],
    api: tuple[int, str] | None = None,
    front_door: str = "",
    apart: Apart | None = None,
) -> None:
    """Listen until SIGTERM or SIGINT.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        routes: Fixed routes.
        allowed_origins: See `build_server`.
        api: Port on loopback and secret of the interface for a hub, or None.
        front_door: See `build_server`.
        apart: Likewise.

    Raises:
        ConflictError: If the port is taken; names the program that holds it.
    """
    if not is_free(port, host):
        raise ConflictError(
            f"Port {port} is taken by {port_holder(port) or 'another program'}.",
            "Choose another port with --port.",
        )
    table = Routes(routes)
    server = build_server(table, allowed_origins, front_door, apart)
    server.listen(port, host)
    if api is not None:
        build_api(table, api[1]).listen(api[0], "127.0.0.1")
    print(f"proxy listens on http://{host}:{port}", flush=True)  # noqa: T201
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Reason: not loop.add_signal_handler, which Windows lacks.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    await stop.wait()
    server.stop()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m adlab.local.proxy")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--default-target", help="address for every path without a route")
    parser.add_argument("--route", action="append", default=[], metavar="PREFIX=URL")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="HOST[:PORT]")
    parser.add_argument("--front-door", default="", metavar="PATH")
    parser.add_argument(
        "--apart", nargs=3, metavar=("PREFIX", "ADDRESS", "OTHERS"),
        help="a path with an address of its own, and the address of all other paths",
    )  # fmt: skip
    parser.add_argument("--api-port", type=int, help="where a hub changes routes, on loopback")
    given = parser.parse_args()
    # Reason: from the environment, where other people's `ps` does not show it.
    secret = os.environ.get("CONFIGPROXY_AUTH_TOKEN", "")
    if given.api_port and not secret:
        parser.error("--api-port needs the variable CONFIGPROXY_AUTH_TOKEN")
    routes = {"/": given.default_target} if given.default_target else {}
    for route in given.route:
        prefix, separator, target = route.partition("=")
        if not separator or not prefix.startswith("/"):
            parser.error(
                f"--route {route}: write PREFIX=URL, such as /boards=http://127.0.0.1:8002"
            )
        routes[prefix] = target
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        allowed = frozenset(origin.lower() for origin in given.allow_origin)
        api = (given.api_port, secret) if given.api_port else None
        apart = Apart(*given.apart) if given.apart else None
        asyncio.run(serve(given.host, given.port, routes, allowed, api, given.front_door, apart))
    except ConflictError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
