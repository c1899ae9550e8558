"""People's servers without a browser: start one, run code in a kernel of it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

PATIENCE = 40.0


def start(browser: httpx.Client, username: str, server: str = "") -> str:
    """Ask for a server and wait until it answers; its path."""
    base = f"/user/{username}/{server + '/' if server else ''}"
    place = f"/hub/spawn/{username}/{server}".rstrip("/")
    asked = browser.get(place)
    assert asked.status_code == 200, (asked.status_code, asked.text[-1500:])
    give_up = time.monotonic() + 2 * PATIENCE
    while not is_up(browser, base):
        told = browser.get(f"{base}lab")
        assert time.monotonic() < give_up, f"{base} never answered: {told.text[-1500:]}"
        if told.status_code == 424:
            # Reason: an earlier server that was about to end when we asked takes the wish along.
            browser.get(place)
        time.sleep(0.3)
    return base


def is_up(browser: httpx.Client, base: str) -> bool:
    """Whether a server answers its person."""
    if browser.get(f"{base}lab").url.path != f"{base}lab":
        return False
    answer = browser.get(f"{base}api/status")
    return answer.status_code == 200 and answer.headers["content-type"] == "application/json"


def stop(browser: httpx.Client, username: str, server: str = "") -> None:
    """Stop a server and wait until it is gone."""
    browser.get("/hub/home")
    path = f"/hub/api/users/{username}/" + (f"servers/{server}" if server else "server")
    asked = browser.delete(path, headers=token(browser, "/hub/"))
    assert asked.status_code in (202, 204), (asked.status_code, asked.text)
    give_up = time.monotonic() + PATIENCE
    while True:
        model = browser.get(f"/hub/api/users/{username}", headers=token(browser, "/hub/")).json()
        if server not in model.get("servers", {}):
            return
        assert time.monotonic() < give_up, f"{username}/{server} never ended"
        time.sleep(0.3)


def run(browser: httpx.Client, base: str, code: str, *, wait: bool = True) -> str:
    """Run code in a fresh kernel; what it printed, or its error.

    Args:
        browser: Of the person.
        base: The server's path.
        code: To run.
        wait: False returns as soon as the kernel is busy with it.
    """
    made = browser.post(
        f"{base}api/kernels", json={"name": "python3"}, headers=token(browser, base)
    )  # fmt: skip
    assert made.status_code == 201, (made.status_code, made.text[-500:])
    return asyncio.run(_run(browser, base, made.json()["id"], code, wait))


def told(browser: httpx.Client, base: str, code: str) -> Any:
    """Run code that prints one line of JSON."""
    said = run(browser, base, code)
    try:
        return json.loads(said)
    except ValueError:
        raise AssertionError(said) from None


def token(browser: httpx.Client, base: str) -> dict[str, str]:
    """The header that shows a request is no other site's."""
    found = [c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == base]
    return {"X-XSRFToken": found[-1] or ""} if found else {}


async def _run(browser: httpx.Client, base: str, kernel: str, code: str, wait: bool) -> str:
    cookies = "; ".join(
        f"{c.name}={c.value}" for c in browser.cookies.jar if base.startswith(c.path)
    )
    place = str(browser.base_url).rstrip("/")
    link = await websocket_connect(
        HTTPRequest(
            f"{place.replace('http', 'ws')}{base}api/kernels/{kernel}/channels",
            headers={"Cookie": cookies, "Origin": place}, request_timeout=PATIENCE,
        )
    )  # fmt: skip
    asked = uuid.uuid4().hex
    await link.write_message(json.dumps({
        "header": {"msg_id": asked, "username": "", "session": asked, "version": "5.3",
                   "msg_type": "execute_request", "date": "2026-11-21T10:00:00Z"},
        "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": code, "silent": False, "store_history": False,
                    "user_expressions": {}, "allow_stdin": False},
    }))  # fmt: skip
    said = ""
    while True:
        message = await asyncio.wait_for(link.read_message(), PATIENCE)
        assert message is not None, f"the kernel's websocket closed: {said}"
        if isinstance(message, bytes):
            continue
        heard = json.loads(message)
        if heard["parent_header"].get("msg_id") != asked:
            continue
        if heard["msg_type"] == "stream":
            said += heard["content"]["text"]
        if heard["msg_type"] == "error":
            said += "\n".join(heard["content"]["traceback"])
        if heard["msg_type"] == "status":
            state = heard["content"]["execution_state"]
            if state == "idle" or (state == "busy" and not wait):
                link.close()
                return said
