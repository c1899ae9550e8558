"""A line to a board as an attacker would write one: Bokeh's protocol by hand, every byte kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from adlab.web.sessions import COOKIE

T = TypeVar("T")
PATIENCE = 30.0


class RefusedError(Exception):
    """The upgrade was not granted; holds what was said instead."""

    def __init__(self, status: int, told: bytes) -> None:
        super().__init__(status)
        self.status, self.told = status, told


class Line:
    """An open websocket.

    Args:
        port: Of the boards themselves, which must not rely on a proxy to keep strangers out.
        origin: The page's address.
        cookie: Value of the session's cookie, or None.
        protocols: What to offer besides.
        path: Of the websocket, with a query perhaps.
        headers: More of them.

    Attributes:
        frames: Every frame received.
        closed: Whether the server hung up.
    """

    def __init__(
        self, port: int, origin: str, cookie: str | None, protocols: Sequence[str],
        path: str = "/boards/client/ws", headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        found = {"Origin": origin, **(headers or {})}
        if cookie is not None:
            found["Cookie"] = "; ".join(
                [f"{COOKIE}={cookie}", *filter(None, [found.get("Cookie")])]
            )
        self._request = HTTPRequest(
            f"ws://127.0.0.1:{port}{path}", headers=found, request_timeout=PATIENCE
        )
        self._protocols = list(protocols)
        self._heard = asyncio.Event()
        self._next = 0
        self.frames: list[str | bytes] = []
        self.closed = False

    async def __aenter__(self) -> Line:
        try:
            self._socket: WebSocketClientConnection = await websocket_connect(
                self._request, subprotocols=self._protocols
            )
        except HTTPClientError as error:
            body = error.response.body if error.response is not None else b""
            raise RefusedError(error.code, body or b"") from None
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._socket.close()
        self._reading.cancel()

    async def _read(self) -> None:
        while (frame := await self._socket.read_message()) is not None:
            self.frames.append(frame)
            self._heard.set()
        self.closed = True
        self._heard.set()

    @property
    def told(self) -> bytes:
        """Every byte received, and the reason of the end."""
        parts = [f.encode() if isinstance(f, str) else f for f in self.frames]
        return b"\n".join([*parts, str(self._socket.close_reason or "").encode()])

    @property
    def messages(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Headers and contents of whole messages received."""
        found, at = [], 0
        while at + 2 < len(self.frames):
            header, content = json.loads(self.frames[at]), json.loads(self.frames[at + 2])
            found.append((header, content))
            at += 3 + 2 * int(header.get("num_buffers", 0))
        return found

    async def until(self, look: Callable[[], T | None], seconds: float = PATIENCE) -> T | None:
        """What `look` finds, as soon as it does; None when the line ended or was silent."""
        give_up = asyncio.get_running_loop().time() + seconds
        while (found := look()) is None and not self.closed:
            self._heard.clear()
            left = give_up - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._heard.wait(), max(left, 0.0))
            except TimeoutError:
                break
        return look() if found is None else found

    async def raw(self, *frames: str | bytes) -> None:
        """Send frames as they are; a line that has ended takes none."""
        from tornado.websocket import WebSocketClosedError

        for frame in frames:
            try:
                await self._socket.write_message(frame, binary=isinstance(frame, bytes))
            except WebSocketClosedError:
                return

    async def send(self, kind: str, content: Any, **header: Any) -> str:
        """Send a message; its number."""
        self._next += 1
        number = f"m{self._next}"
        await self.raw(json.dumps({"msgid": number, "msgtype": kind} | header), "{}",
                       json.dumps(content))  # fmt: skip
        return number

    async def answer(self, number: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Header and content of the reply to a message; {} when the line ended instead."""

        def look() -> dict[str, Any] | None:
            for header, content in self.messages:
                if header.get("reqid") == number:
                    return {"kind": header["msgtype"], "content": content}
            return None

        return await self.until(look, seconds) or {}

    async def ask(self, kind: str, content: Any, **header: Any) -> dict[str, Any]:
        """Send a message and await its reply."""
        return await self.answer(await self.send(kind, content, **header))

    async def greeted(self) -> bool:
        """Whether the server takes up the conversation."""
        return bool(await self.until(lambda: self.messages or None))

    async def document(self) -> dict[str, Any]:
        """The session's document."""
        found = await self.ask("PULL-DOC-REQ", {})
        document: dict[str, Any] = found["content"]["doc"]
        return document

    async def write(self, model: str, attr: str, new: Any) -> dict[str, Any]:
        """Set a property of a model, as the page's own script does."""
        return await self.ask("PATCH-DOC", {"events": [changed(model, attr, new)]})

    def heard(self, attr: str) -> list[dict[str, Any]]:
        """What the server wrote to a property of a model, oldest first."""
        return [
            json.loads(e["new"])
            for header, content in self.messages
            if header["msgtype"] == "PATCH-DOC"
            for e in content["events"]
            if e.get("attr") == attr and isinstance(e.get("new"), str)
        ]

    async def drawn(self, model: str, number: int, query: str) -> dict[str, Any]:
        """What the board answers to an address; {} when nothing."""
        await self.write(model, "query", f"{number}|{query}")

        def look() -> dict[str, Any] | None:
            return next((p for p in self.heard("patch") if p.get("number") == number), None)

        return await self.until(look) or {}

    async def download(self, model: str, ask: str) -> dict[str, Any]:
        """What the board answers to a wish for a file; {} when nothing."""
        before = len(self.heard("answer"))
        await self.write(model, "ask", ask)
        found = await self.until(lambda: self.heard("answer")[before:] or None)
        return found[0] if found else {}


def changed(model: str, attr: str, new: Any) -> dict[str, Any]:
    """An event of a property that changed."""
    return {"kind": "ModelChanged", "model": {"id": model}, "attr": attr, "new": new}
