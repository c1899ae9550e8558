"""What stands before every call: its number, its size, its headers, and an end to surprises."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adlab.web.api.notes import Notes
from adlab.web.api.problems import MEDIA_TYPE, body_of
from adlab.web.headers import SECURITY_HEADERS

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 64_000
AT_ONCE = 8
MOST_PATH_BYTES = 500
MOST_QUERY_BYTES = 8_000
_TOO_LARGE = (413, f"At most {MOST_BODY_BYTES:,} bytes are taken.")
_NUMBER = re.compile(r"[A-Za-z0-9._-]{8,64}")


class _TooLargeError(Exception):
    """A body that goes on beyond what is taken."""


class Edge:
    """ASGI middleware around the API.

    Args:
        app: The API.
        notes: Where calls are written down.
        place: Path it lies below.
    """

    def __init__(self, app: ASGIApp, notes: Notes, place: str) -> None:
        self._app, self._notes, self._place = app, notes, place
        # Reason: more at once than there is work for only get into each other's way.
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"])
        named = given.get(b"x-request-id", b"").decode("latin-1")
        number = named if _NUMBER.fullmatch(named) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = number
        begun = replaced = False
        status = 0

        async def told(message: Message) -> None:
            nonlocal begun, replaced, status
            if replaced:
                return
            if message["type"] == "http.response.start":
                if state.get("too_large") and not begun:
                    # Reason: the framework calls a body that broke off malformed.
                    state["too_large"] = False
                    await _problem(told, number, *_TOO_LARGE)
                    replaced = True
                    return
                begun, status = True, message["status"]
                _add_headers(message, number, state.get("limit_headers"))
            await send(message)

        refused = _refusal(scope, given)
        if refused is not None:
            await _problem(told, number, *refused)
            return
        try:
            if _waits_for_meta(scope):
                await self._app(scope, _bounded(receive, state), told)
            else:
                async with self._slots:
                    await self._app(scope, _bounded(receive, state), told)
        except Exception as error:
            # Reason: its text may hold anything, a client's name too; its kind may not.
            log.error("api_broke request=%s error=%s", number, type(error).__name__)
            if not begun:
                await _problem(told, number, 500, "It was noted. Try again in a minute.")
        if 200 <= status < 400 and "passed" in state:
            path = str(getattr(scope.get("route"), "path", ""))
            self._notes.add(
                state["passed"], f"{scope['method']} {self._place}{path}", state.get("clients", ())
            )


def _refusal(scope: Scope, given: dict[bytes, bytes]) -> tuple[int, str] | None:
    """What is too long to be looked at, or cannot be an address of ours."""
    path, query = scope.get("raw_path") or scope["path"].encode(), scope.get("query_string", b"")
    if len(path) > MOST_PATH_BYTES or len(query) > MOST_QUERY_BYTES:
        return 414, f"At most {MOST_PATH_BYTES} bytes of path and {MOST_QUERY_BYTES} of query."
    length = given.get(b"content-length", b"")
    if length.isdigit() and int(length[:12]) > MOST_BODY_BYTES:
        return _TOO_LARGE
    if "\0" in scope["path"]:
        return 404, "There is no such object, or you may not see it."
    return None


def _waits_for_meta(scope: Scope) -> bool:
    """Whether a call may wait for Meta; others must not wait for it."""
    return "auth" in scope["path"] or b"check=" in scope.get("query_string", b"")


def _bounded(receive: Receive, state: dict[str, Any]) -> Receive:
    """The same stream, which ends with an error when it goes on too long."""
    seen = 0

    async def read() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BODY_BYTES:
            state["too_large"] = True
            raise _TooLargeError
        return message

    return read


def _add_headers(message: Message, number: str, limits: dict[str, str] | None) -> None:
    have = {name.lower() for name, _ in message["headers"]}
    wanted: dict[str, str] = {
        **SECURITY_HEADERS, "Cache-Control": "no-store", "X-Request-Id": number, **(limits or {}),
    }  # fmt: skip
    message["headers"] = [
        *message["headers"],
        *((n.lower().encode(), v.encode("latin-1")) for n, v in wanted.items()
          if n.lower().encode() not in have),
    ]  # fmt: skip


async def _problem(send: Send, number: str, status: int, detail: str) -> None:
    found: dict[str, Any] = body_of(number, status, detail)
    body = json.dumps(found, separators=(",", ":")).encode()
    await send({
        "type": "http.response.start", "status": status,
        "headers": [(b"content-type", MEDIA_TYPE.encode()),
                    (b"content-length", str(len(body)).encode())],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body})
