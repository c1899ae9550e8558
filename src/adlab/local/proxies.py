"""Which proxy stands before the hub, and whether websockets pass through it.

Node's configurable-http-proxy is used where it is found; our own (`adlab.local.proxy`) needs
nothing but Python and is used otherwise.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adlab.core.errors import EmbeddedServerError, SettingsError
from adlab.local.ports import free_port
from adlab.local.process import Supervisor

Kind = Literal["node", "python"]
SMOKE_SECONDS = 15.0


@dataclass(frozen=True)
class ProxyProgram:
    """A proxy that can be started.

    Attributes:
        kind: `node` or `python`.
        command: Program and leading arguments.
    """

    kind: Kind
    command: tuple[str, ...]

    def arguments(
        self,
        host: str,
        port: int,
        api_port: int,
        fixed: Sequence[tuple[str, str]] = (),
        front_door: str = "",
        apart: tuple[str, str, str] | None = None,
    ) -> list[str]:
        """The whole command line; the secret goes into CONFIGPROXY_AUTH_TOKEN.

        Args:
            host: Public address.
            port: Public port.
            api_port: Port of the interface for the hub, on loopback.
            fixed: Prefixes and targets that hold without the hub; Node's proxy has none.
            front_door: Where "/" leads without the hub; likewise.
            apart: A path with an address of its own: path, address, and that of all others.
        """
        if self.kind == "node":
            return [*self.command, "--ip", host, "--port", str(port), "--api-ip", "127.0.0.1",
                    "--api-port", str(api_port), "--log-level", "warn"]  # fmt: skip
        routes = [part for prefix, target in fixed for part in ("--route", f"{prefix}={target}")]
        door = ["--front-door", front_door] if front_door else []
        if apart is not None:
            door += ["--apart", *apart]
        return [*self.command, "--host", host, "--port", str(port), "--api-port", str(api_port),
                *routes, *door]  # fmt: skip


def find_proxy(wanted: Literal["auto", "node", "python"] = "auto") -> ProxyProgram:
    """The proxy to start.

    Raises:
        SettingsError: If Node's is demanded and not installed.
    """
    ours = ProxyProgram("python", (sys.executable, "-m", "adlab.local.proxy"))
    if wanted == "python":
        return ours
    # Reason: the Python port of the same name may stand before Node's on the PATH.
    for folder in os.get_exec_path():
        found = shutil.which("configurable-http-proxy", path=folder)
        if found is not None and _is_node(Path(found)):
            return ProxyProgram("node", (found,))
    if wanted == "node":
        raise SettingsError(
            "ADLAB_HUB__PROXY is node, and configurable-http-proxy is not installed.",
            "npm install -g configurable-http-proxy, or set ADLAB_HUB__PROXY=python.",
        )
    return ours


def put_routes(api_url: str, token: str, routes: Sequence[tuple[str, str]]) -> bool:
    """Tell a running proxy its routes; whether it took them all.

    Args:
        api_url: Its interface, on loopback.
        token: Its secret.
        routes: Prefixes and targets; the hub later puts its own over them.
    """
    # Reason: a proxy from the environment must not stand between us and our own child.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for prefix, target in routes:
            request = urllib.request.Request(  # noqa: S310  # Reason: our own address, http.
                f"{api_url}/api/routes{prefix}", method="POST",
                data=json.dumps({"target": target}).encode(),
                headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
            )  # fmt: skip
            opener.open(request, timeout=2).close()
    except OSError:
        return False
    return True


def _is_node(program: Path) -> bool:
    """Tell Node's program from the Python port of the same name.

    Reason: the port as released breaks the websockets of boards, and installs the same command.
    """
    try:
        first = program.read_bytes()[:200].split(b"\n")[0]
    except OSError:
        return False
    return b"node" in first and shutil.which("node") is not None


def smoke_test(program: ProxyProgram) -> str:
    """Start a proxy and pass a websocket of a board's kind through it.

    Returns:
        What was seen, in words.

    Raises:
        EmbeddedServerError: If it does not start, or a message does not arrive as it was sent.
    """
    secret = secrets.token_hex(16)
    port, api_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="adlab-") as folder, Supervisor() as parts:
        parts.start(
            "proxy",
            program.arguments("127.0.0.1", port, api_port),
            log=Path(folder) / "proxy.log",
            environment={"CONFIGPROXY_AUTH_TOKEN": secret},
            ready_url=f"http://127.0.0.1:{port}/",
            # Reason: an empty proxy answers 404, Node's as well as ours.
            timeout=SMOKE_SECONDS,
        )
        asyncio.run(_pass_websocket(port, api_port, secret))
    return f"{program.kind} proxy: websockets pass, with their subprotocol, text and bytes"


async def _pass_websocket(port: int, api_port: int, secret: str) -> None:
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.web import Application
    from tornado.websocket import WebSocketHandler, websocket_connect

    class Echo(WebSocketHandler):  # type: ignore[misc]  # tornado is not followed
        def select_subprotocol(self, offered: list[str]) -> str | None:
            return "bokeh" if "bokeh" in offered else None

        def on_message(self, message: str | bytes) -> None:
            self.write_message(message, binary=isinstance(message, bytes))

    target = free_port()
    server = Application([(r"/smoke/ws", Echo)]).listen(target, "127.0.0.1")
    try:
        await AsyncHTTPClient().fetch(
            HTTPRequest(
                f"http://127.0.0.1:{api_port}/api/routes/smoke", method="POST",
                headers={"Authorization": f"token {secret}"},
                body=f'{{"target": "http://127.0.0.1:{target}"}}',
            )
        )  # fmt: skip
        link: Any = await websocket_connect(
            HTTPRequest(f"ws://127.0.0.1:{port}/smoke/ws", connect_timeout=5, request_timeout=5),
            subprotocols=["bokeh", "token"],
        )
        if link.selected_subprotocol != "bokeh":
            raise EmbeddedServerError(
                "The proxy drops a websocket's subprotocol; boards cannot connect through it.",
                "Set ADLAB_HUB__PROXY=python, or install Node's configurable-http-proxy.",
            )
        for message in ("text", b"\x00\xffbytes"):
            await link.write_message(message, binary=isinstance(message, bytes))
            answer = await asyncio.wait_for(link.read_message(), 5)
            if answer != message:
                raise EmbeddedServerError(
                    f"The proxy changed a websocket message: {message!r} became {answer!r}.",
                    "Set ADLAB_HUB__PROXY=python, or install Node's configurable-http-proxy.",
                )
        link.close()
    except (OSError, TimeoutError) as error:
        raise EmbeddedServerError(
            f"No websocket passes through the proxy ({type(error).__name__}).",
            "Set ADLAB_HUB__PROXY=python, or install Node's configurable-http-proxy.",
        ) from error
    finally:
        server.stop()


def proxy_version(program: ProxyProgram) -> str:
    """What a proxy says of itself, for people."""
    if program.kind == "python":
        return "adlab's own"
    told = subprocess.run([*program.command, "--version"], capture_output=True, text=True,
                          timeout=10, check=False)  # fmt: skip
    return f"configurable-http-proxy {told.stdout.strip() or 'of unknown version'}"
