from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler, websocket_connect

from adlab.local.ports import free_port
from adlab.local.proxies import find_proxy
from adlab.local.proxy import build_server
from adlab.local.proxy_routes import Routes, build_api

ZIPPED = gzip.compress(b"packed " * 1000)


class Echo(RequestHandler):
    def get(self) -> None:
        self.add_header("Set-Cookie", "a=1")
        self.add_header("Set-Cookie", "b=2")
        self.write({"uri": self.request.uri, "headers": dict(self.request.headers.get_all())})

    def post(self) -> None:
        self.set_status(201)
        self.write(self.request.body)


class Packed(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Encoding", "gzip")
        self.write(ZIPPED)


class Stream(RequestHandler):
    async def get(self) -> None:
        for _ in range(2):
            self.write("data: tick\n\n")
            await self.flush()
            await self.application.settings["step"].get()


class Empty(RequestHandler):
    def get(self) -> None:
        self.set_status(304 if self.get_argument("n") == "304" else 204)

    def head(self) -> None:
        self.set_header("Content-Length", "12345")


class Socket(WebSocketHandler):
    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "bokeh" if "bokeh" in subprotocols else None

    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        if message == "bye":
            self.close(4001, "done")
        else:
            await self.write_message(message, binary=isinstance(message, bytes))


class Refusing(WebSocketHandler):
    async def get(self, *args: Any, **kwargs: Any) -> None:
        self.set_status(403)
        self.finish()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[str, Application]]:
    """A proxy before one target; "/down" leads nowhere. Yields the proxy's host and the target."""
    target = Application(
        [
            ("/boards/echo", Echo),
            ("/packed", Packed),
            ("/stream", Stream),
            ("/empty", Empty),
            ("/boards/ws", Socket),
            ("/refusing", Refusing),
        ],
        step=asyncio.Queue(),
    )
    behind, behind_port = bind_unused_port()
    front, front_port = bind_unused_port()
    target_server = HTTPServer(target)
    target_server.add_socket(behind)
    address = f"http://127.0.0.1:{behind_port}"
    routes = {"/": address, "/boards": address, "/down": f"http://127.0.0.1:{free_port()}"}
    proxy = build_server(routes, frozenset({"notebook.example:8888"}))
    proxy.add_socket(front)
    try:
        yield f"127.0.0.1:{front_port}", target
    finally:
        proxy.stop()
        target_server.stop()
        await proxy.close_all_connections()
        await target_server.close_all_connections()


def with_proxy(test: Callable[[str, Application], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), running() as (host, target):
            await test(host, target)

    asyncio.run(main())


async def fetch(host: str, path: str, **options: Any) -> Any:
    request = HTTPRequest(f"http://{host}{path}", **options)
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def test_the_longest_prefix_wins_at_a_path_border() -> None:
    routes = {"/": "root", "/a": "a", "/a/b": "b"}
    found = {path: Routes(routes).find(path) for path in ("/", "/ab", "/a", "/a/x", "/a/b/c")}
    assert found == {"/": "root", "/ab": "root", "/a": "a", "/a/x": "a", "/a/b/c": "b"}
    assert Routes({"/a": "a"}).find("/b") is None


def test_pages_pass_with_forwarded_headers_and_all_cookies() -> None:
    async def test(host: str, target: Application) -> None:
        sent = {"X-Forwarded-For": "10.0.0.9", "Connection": "X-Drop", "X-Drop": "1"}
        answer = await fetch(host, "/boards/echo?q=%C3%A4%2Fb", headers=sent)
        said = json.loads(answer.body)
        assert said["uri"] == "/boards/echo?q=%C3%A4%2Fb"
        headers = said["headers"]
        assert headers["Host"] == host
        assert headers["X-Forwarded-For"] == "10.0.0.9, 127.0.0.1"
        assert headers["X-Forwarded-Proto"] == "http"
        assert headers["X-Forwarded-Host"] == host
        assert headers["X-Forwarded-Port"] == host.split(":")[1]
        assert "X-Drop" not in headers
        assert answer.headers.get_list("Set-Cookie") == ["a=1", "b=2"]

        posted = await fetch(host, "/boards/echo", method="POST", body=b"\x00\xff" * 100_000)
        assert (posted.code, posted.body) == (201, b"\x00\xff" * 100_000)
        nothing = await fetch(host, "/boards/echo", method="POST", body=b"")
        assert nothing.code == 201
        assert (await fetch(host, "/unknown")).code == 404

    with_proxy(test)


def test_packed_and_empty_answers_stay_as_they_are() -> None:
    async def test(host: str, target: Application) -> None:
        packed = await fetch(host, "/packed", decompress_response=False)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.body == ZIPPED
        assert (await fetch(host, "/empty?n=304")).code == 304
        assert (await fetch(host, "/empty?n=204")).code == 204
        head = await fetch(host, "/empty", method="HEAD")
        assert head.headers["Content-Length"] == "12345"

    with_proxy(test)


def test_a_stream_arrives_piece_by_piece() -> None:
    async def test(host: str, target: Application) -> None:
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        request = HTTPRequest(f"http://{host}/stream", streaming_callback=pieces.put_nowait)
        whole = asyncio.ensure_future(AsyncHTTPClient().fetch(request))
        assert await pieces.get() == b"data: tick\n\n"
        assert not whole.done()  # the target waits for us, and we have the first piece
        target.settings["step"].put_nowait(None)
        assert await pieces.get() == b"data: tick\n\n"
        target.settings["step"].put_nowait(None)
        await whole

    with_proxy(test)


def test_a_websocket_keeps_its_subprotocol_and_binary_frames() -> None:
    async def test(host: str, target: Application) -> None:
        client = await websocket_connect(
            HTTPRequest(f"ws://{host}/boards/ws", headers={"Origin": f"http://{host}"}),
            subprotocols=["bokeh", "a-token"],
        )
        assert client.selected_subprotocol == "bokeh"
        await client.write_message(b"\x00\xfe\xff" * 500_000, binary=True)
        assert await client.read_message() == b"\x00\xfe\xff" * 500_000
        await client.write_message("text ä")
        assert await client.read_message() == "text ä"
        await client.write_message("bye")
        assert await client.read_message() is None  # the target's close reaches the browser
        assert (client.close_code, client.close_reason) == (4001, "done")

    with_proxy(test)


def test_websockets_of_strange_pages_and_refused_ones_do_not_open() -> None:
    async def test(host: str, target: Application) -> None:
        async def origin(name: str, path: str = "/boards/ws") -> int:
            request = HTTPRequest(f"ws://{host}{path}", headers={"Origin": name})
            try:
                (await websocket_connect(request)).close()
            except HTTPClientError as error:
                return int(error.code)
            return 101

        assert await origin("http://evil.example") == 403
        assert await origin("http://notebook.example:8888") == 101
        assert await origin(f"http://{host}", "/refusing") == 403
        assert await origin(f"http://{host}", "/down/ws") == 503

    with_proxy(test)


@pytest.mark.parametrize(
    ("accept", "kind"), [("text/html,*/*", "text/html"), ("*/*", "application/json")]
)
def test_a_target_that_is_down_gets_a_friendly_page(accept: str, kind: str) -> None:
    async def test(host: str, target: Application) -> None:
        answer = await fetch(host, "/down/page", headers={"Accept": accept})
        assert answer.code == 503
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["Content-Type"].startswith(kind)
        assert b"not answering" in answer.body
        assert b"adlab doctor" in answer.body

    with_proxy(test)


def api_call(method: str, path: str, token: str = "secret", body: str | None = None) -> Any:
    """One call to the interface of a proxy whose "/fixed" is fixed."""

    async def main() -> Any:
        sockets, port = bind_unused_port()
        server = HTTPServer(build_api(TABLE[0], "secret"))
        server.add_socket(sockets)
        try:
            return await AsyncHTTPClient().fetch(
                HTTPRequest(
                    f"http://127.0.0.1:{port}/api/routes{path}",
                    method=method,
                    body=body,
                    headers={"Authorization": f"token {token}"},
                    allow_nonstandard_methods=True,
                ),
                raise_error=False,
            )
        finally:
            server.stop()

    return asyncio.run(main())


TABLE: list[Routes] = [Routes()]


def test_a_hub_adds_lists_and_removes_routes() -> None:
    TABLE[0] = Routes({"/fixed": "http://fixed"})
    body = '{"target": "http://127.0.0.1:9", "jupyterhub": true, "user": "ann"}'
    assert api_call("POST", "/user/ann%40x", body=body).code == 201
    assert TABLE[0].find("/user/ann%40x/lab") == "http://127.0.0.1:9"
    assert TABLE[0].find("/user/ann@x/lab") == "http://127.0.0.1:9"
    assert TABLE[0].find("/user/ann@xy") is None
    listed = json.loads(api_call("GET", "").body)
    assert set(listed) == {"/user/ann@x"}
    assert listed["/user/ann@x"]["user"] == "ann"
    assert listed["/user/ann@x"]["last_activity"].endswith("Z")
    assert api_call("DELETE", "/user/ann@x").code == 204
    assert api_call("DELETE", "/user/ann@x").code == 404
    assert TABLE[0].find("/user/ann@x") is None


def test_fixed_routes_hold_whatever_the_hub_says() -> None:
    TABLE[0] = Routes({"/fixed": "http://fixed"})
    assert json.loads(api_call("GET", "").body) == {}
    body = '{"target": "http://elsewhere", "jupyterhub": true}'
    assert api_call("POST", "/fixed", body=body).code == 201
    assert TABLE[0].find("/fixed/a") == "http://fixed"
    assert json.loads(api_call("GET", "").body)["/fixed"]["target"] == "http://fixed"
    assert api_call("DELETE", "/fixed").code == 204
    assert TABLE[0].find("/fixed/a") == "http://fixed"


def test_who_does_not_know_the_secret_changes_nothing() -> None:
    TABLE[0] = Routes()
    for token in ("", "wrong", "secret2"):
        assert api_call("POST", "/a", token=token, body='{"target": "http://x"}').code == 403
    for body in ("", "no json", "[]", "{}", '{"target": "ftp://x"}'):
        assert api_call("POST", "/a", body=body).code == 400
    assert TABLE[0].find("/a") is None


def test_a_table_without_a_rest_finds_nothing_elsewhere() -> None:
    assert Routes({"/a/b": "b"}).find("/a") is None
    assert Routes({"/a/b": "b"}).find("/a/b/") == "b"
    assert Routes({"/": "rest"}).find("") == "rest"


def test_nodes_proxy_is_found_behind_another_program_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, first in (("port", "#!/usr/bin/python3"), ("node", "#!/usr/bin/env node")):
        for program in ("configurable-http-proxy", *(["node"] if name == "node" else [])):
            place = tmp_path / name / program
            place.parent.mkdir(exist_ok=True)
            place.write_text(f"{first}\n")
            place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'port'}:{tmp_path / 'node'}")
    assert find_proxy().command == (str(tmp_path / "node" / "configurable-http-proxy"),)
