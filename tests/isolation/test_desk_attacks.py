"""The desk holds the owner's rights: whoever reaches its port without its key must get nothing done.

Attacked over its real socket, with requests no well-behaved client sends.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text
from tests.conftest import create_database, drop_database

from adlab.core.roles import ROLES, Right, Role
from adlab.services.access import MetaAccess
from adlab.storage import access
from adlab.storage.clients import store_client
from adlab.storage.engine import owner_engine, transaction
from adlab.storage.migrate import migrate
from adlab.vault import Vault
from adlab.web import connect_desk
from adlab.web.desk import MOST_BYTES, Desk, DeskParts, run_desk_in_thread

CLIENT, MISSING = "quillfeather", "no-such-client"
PATHS = ("/clients", "/accounts", *connect_desk.BY_OPERATORS, *connect_desk.BY_ANYBODY)
OPERATORS = tuple(p for p in PATHS if p not in connect_desk.BY_ANYBODY)
OUTSIDERS = tuple(r for r in Role if Right.OPERATE not in ROLES[r].rights)
BODY = {"name": "Taken Over", "slug": CLIENT, "account": "act_1002", "token": "of nobody",
        "invite": "1", "connection": "1", "home": "/", "hours": "1", "browser": "b" * 43,
        "nonce": "n" * 43, "state": "s", "code": "c", "request": "1",
        "signed_request": "a.b"}  # fmt: skip


@dataclass(frozen=True)
class Attacked:
    """An open desk.

    Attributes:
        desk: It.
        engine: The owner's engine.
        people: Role → number of a person.
        heard: Slugs whose first sync was begun.
    """

    desk: Desk
    engine: Engine
    people: dict[Role, int]
    heard: list[str]

    def ask(
        self, path: str, body: Any = None, key: str | None = None, method: str = "POST",
        **headers: str,
    ) -> tuple[int, bytes]:  # fmt: skip
        """Status and answer; the path goes out as it is given."""
        told = {"Authorization": f"Bearer {self.desk.key if key is None else key}"} | headers
        place = urlsplit(self.desk.url)
        assert place.hostname
        line = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            line.putrequest(method, path, skip_host="Host" in told)
            for name, value in told.items():
                line.putheader(name.replace("_", "-"), value)
            line.putheader("Content-Length", str(len(data or b"")))
            line.endheaders(data or b"")
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def state(self) -> list[Any]:
        """Everything the desk could change, and the whole audit log."""
        queries = ("SELECT * FROM sec.audit ORDER BY 1", "SELECT * FROM app.client ORDER BY 1",
                   "SELECT * FROM app.account ORDER BY 1", "SELECT * FROM sec.connection ORDER BY 1",
                   "SELECT * FROM sec.connect_invite ORDER BY 1")  # fmt: skip
        with transaction(self.engine) as c:
            return [c.execute(text(q)).all() for q in queries]


@pytest.fixture(scope="module")
def attacked(plain_server: str) -> Iterator[Attacked]:
    """A desk over a store with a person of each role and a client."""
    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    with transaction(engine) as c:
        store_client(c, "Quillfeather Works", CLIENT)
        people = {r: access.store_person(c, f"P {r.value}", r) for r in Role if r != Role.SERVICE}
    heard: list[str] = []
    # Reason: nobody listens there; a refused request never gets as far as Meta.
    parts = DeskParts(engine, Vault(b"v" * 32), MetaAccess("http://127.0.0.1:9", "v26.0", None, None),
                      heard.append)  # fmt: skip
    desk = run_desk_in_thread(parts)
    yield Attacked(desk, engine, people, heard)
    desk.stop()
    engine.dispose()
    drop_database(plain_server, url)


@pytest.fixture(autouse=True)
def nothing_done(attacked: Attacked) -> Iterator[None]:
    """Whatever a test sends, the store and its audit log stay as they were."""
    before = attacked.state()
    yield
    assert attacked.state() == before
    assert attacked.heard == []


def test_without_the_key_every_path_answers_alike(attacked: Attacked) -> None:
    key, told = attacked.desk.key, set()
    owner = {"person_id": attacked.people[Role.OWNER], **BODY}
    for path in PATHS:
        for wrong in ("", key[:-1], key + "x", key.swapcase(), "x" * len(key), f"{key} {key}",
                      "é" * 20, key[::-1]):  # fmt: skip
            told.add(attacked.ask(path, owner, wrong))
        for header in ("", key, f"Basic {key}", f"Token {key}", f"Bearer={key}", "Bearer"):
            told.add(attacked.ask(path, owner, Authorization=header))
        told.add(attacked.ask(path, owner, "", X_Forwarded_For="127.0.0.1", Cookie=f"key={key}"))
        told.add(attacked.ask(f"{path}?key={key}&token={key}", owner, ""))
        # Reason: whoever has no key learns nothing of what a body would have been good for.
        told.add(attacked.ask(path, b"x" * (MOST_BYTES * 2), ""))
        told.add(attacked.ask(path, b"\xff", ""))
    assert len(told) == 1
    status, answer = told.pop()
    assert status == 401
    assert CLIENT.encode() not in answer


def test_who_may_not_operate_gets_nothing_done(attacked: Attacked) -> None:
    numbers: list[Any] = [
        *(attacked.people[r] for r in OUTSIDERS if r in attacked.people), None, "", 0, -1, 99_999,
        10**9, 10**30, "1e0", "１", " ", "1;--", "1 OR 1=1", "0x1", [1], {"a": 1}, 1.0,
        "../1", "+1", "1\n2",
    ]  # fmt: skip
    told = set()
    for path in OPERATORS:
        for number in numbers:
            for slug in (CLIENT, MISSING):
                told.add(attacked.ask(path, {**BODY, "person_id": number, "slug": slug}))
        told.add(attacked.ask(path, BODY))
    assert {status for status, _ in told} == {403}
    # Reason: who may not ask, is not told either whether a client exists.
    assert len(told) == 1
    assert len(OUTSIDERS) > 3


def test_what_anybody_may_ask_proves_itself(attacked: Attacked) -> None:
    for path in connect_desk.BY_ANYBODY:
        for changed in ({}, {"slug": MISSING}, {"person_id": attacked.people[Role.ANALYST]},
                        {"nonce": ""}, {"nonce": "' OR 1=1"}, {"nonce": "../" * 9},
                        {"browser": "\x00" * 43}, {"browser": "b" * 5000}, {"state": "x" * 5000},
                        {"home": "//evil.example/"}, {"home": "https://evil.example/"},
                        {"request": "' OR 1=1"}, {"signed_request": "." * 50}):  # fmt: skip
            status, told = attacked.ask(path, {**BODY, **changed})
            assert status in (400, 403, 404, 409, 410, 422, 503), (path, changed, status)
            assert b"uillfeather" not in told, path


def test_no_path_leads_anywhere_else(attacked: Attacked) -> None:
    body = {"person_id": attacked.people[Role.OWNER], **BODY}
    for path in ("/", "/nosuch", "/clients/../secret", "/clients/..", "/%2e%2e/clients", "//clients",
                 "//evil.example/clients", "/clients%00", "/clients%2f", "/clients/", "/CLIENTS",
                 "/clients/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/connect", "/connect/",
                 "/connect/..;/clients", "/connect/%6eosuch", "/clients;x", "/docs", "/openapi.json",
                 "/meta/../clients", "/.env", "/clients\\..\\x", "/a" * 2000,
                 "/clients%252e"):  # fmt: skip
        for key in (None, ""):
            status, told = attacked.ask(path, body, key)
            assert status in (307, 400, 401, 404, 405, 414), (path[:40], status)
            assert b"root:" not in told
            if status == 307:
                # Reason: Starlette leads away from a slash at the end; nothing is done there.
                assert path.removesuffix("%2f").rstrip("/") in PATHS, path


def test_other_methods_are_refused(attacked: Attacked) -> None:
    for path in PATHS:
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "X"):
            status, _ = attacked.ask(path, BODY, method=method)
            assert status in (400, 405, 501), (path, method, status)


def test_bodies_that_are_no_requests_are_refused(attacked: Attacked) -> None:
    number = attacked.people[Role.OWNER]
    large = json.dumps({"person_id": number, "name": "x" * MOST_BYTES}).encode()
    for path in PATHS:
        for body in (b"", b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"\x00", b"[" * 9000,
                     b"a=1&b=2", b'{"a":' * 3000, b"9" * 9000):  # fmt: skip
            status, told = attacked.ask(path, body)
            assert status == 400, (path, body[:20], status, told)
        assert attacked.ask(path, large)[0] == 413
        assert attacked.ask(path, large, X_Content_Length="1")[0] == 413


def test_a_body_without_end_is_cut_off(attacked: Attacked) -> None:
    place = urlsplit(attacked.desk.url)
    with socket.create_connection((place.hostname, place.port or 0), timeout=20) as line:
        line.sendall(f"POST /clients HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer "
                     f"{attacked.desk.key}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())  # fmt: skip
        for _ in range(MOST_BYTES // 1000 + 2):
            line.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_a_client_that_is_not_there_is_not_there(attacked: Attacked) -> None:
    number = attacked.people[Role.OWNER]
    for path in OPERATORS:
        if path == "/clients":
            continue
        for slug in (
            MISSING,
            "",
            "../x",
            "%00",
            "x" * 5000,
            "' OR 1=1",
            "\u202ex",
            "\x00",
            "\ud800",
        ):
            status, told = attacked.ask(path, {**BODY, "person_id": number, "slug": slug})
            assert status in (400, 404, 422), (path, slug[:20], status, told)
            assert b"uillfeather" not in told, (path, slug[:20])


def test_another_host_name_is_refused(attacked: Attacked) -> None:
    """A page whose name was pointed at the loopback address cannot even try keys."""
    body = {"person_id": attacked.people[Role.OWNER], **BODY}
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
                 "10.0.0.1", "", "169.254.169.254", "[::1].evil.example"):  # fmt: skip
        for key in (None, ""):
            status, told = attacked.ask("/clients", body, key, Host=host)
            assert status == 400, (host, status, told)


def test_nobody_listens_on_other_addresses(attacked: Attacked) -> None:
    port = urlsplit(attacked.desk.url).port or 0
    for address in ("127.0.0.2", socket.gethostbyname(socket.gethostname())):
        if address == "127.0.0.1":
            continue
        with pytest.raises(OSError), socket.create_connection((address, port), timeout=2):  # noqa: PT011
            pass
