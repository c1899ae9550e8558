"""Two people in one boards process: nothing of one may reach the other, whatever they send.

Ann, an analyst of `nordlicht`, attacks; Toru, a client viewer of `tokyo`, is there meanwhile.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from bokeh.util.token import get_session_id, get_token_payload
from sqlalchemy import text
from tests.isolation.bokeh_line import Line, RefusedError, changed
from tests.ui.seed import Seeded
from tests.web.conftest import Site, seeded_database, start_site  # noqa: F401

from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import transaction
from adlab.web.sessions import COOKIE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OWN, FOREIGN, MISSING = "nordlicht", "tokyo", "nosuc"
LONG = "x" * 10_000
# What grants and caches may lag behind (`ACCESS_TTL` of the dashboards), and the time of a load.
LAG, SLACK = 15.0, 5.0
ODD = ("tokyo'--", "' OR slug='tokyo", "tokyo%00", "tokyo\x00", "../tokyo", "%2e%2e/tokyo", LONG,
       "\u202eoykot", "ＴＯＫＹＯ", "TOKYO", " tokyo", "tokyo;DROP TABLE app.client", "*", "%", "_____",
       "nordlicht&client=tokyo", "nordlicht,tokyo", "nordlicht%26client%3Dtokyo",
       "nordlicht&client[]=tokyo", "nordlicht#tokyo", "nordlicht&campaigns={campaigns}",
       "nordlicht&search=Zephyr", "nordlicht&page=999999999999", "nordlicht&since=9999-99-99")  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody with a browser.

    Attributes:
        site: Where they are.
        cookie: Of their session.
        own: The client they may see.
    """

    site: Site
    cookie: str
    own: str

    def page(
        self, query: str | None = None, board: str = "client", **headers: str
    ) -> httpx.Response:
        """A board as it is first served, straight from the boards."""
        asked = f"client={self.own}" if query is None else query
        told = {"Cookie": f"{COOKIE}={self.cookie}"} | headers
        return httpx.get(f"http://127.0.0.1:{self.site.boards_port}/boards/{board}?{asked}",
                         headers=told, timeout=60)  # fmt: skip

    def line(self, token: str, **given: Any) -> Line:
        """A websocket with their cookie."""
        values: dict[str, Any] = {"origin": self.site.url, "cookie": self.cookie,
                                  "protocols": ("bokeh", token)} | given  # fmt: skip
        return Line(self.site.boards_port, **values)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Line, str]]:
        """An open session of their own board: the line and the number of its model."""
        token = token_of(await asyncio.to_thread(self.page))
        async with self.line(token) as line:
            assert await line.greeted()
            yield line, wire_of(await line.document())


@dataclass(frozen=True)
class Pair:
    """Both of them, and what Ann must never receive."""

    ann: Person
    toru: Person
    secrets: dict[str, bytes]

    def clean(self, told: bytes, what: str = "") -> None:
        """Nothing of Toru's stands in these bytes."""
        for name, secret in self.secrets.items():
            assert secret not in told, (name, what[:80])


def token_of(page: httpx.Response) -> str:
    """The session's token in a page."""
    found = re.search(r'id="session">(.*?)</script>', page.text)
    assert found, page.text[:300]
    return str(json.loads(found[1])["token"])


def wire_of(document: dict[str, Any]) -> str:
    """The number of a document's one model."""
    return str(document["roots"][0]["id"])


def plain(page: httpx.Response) -> str:
    """A page without what differs from one moment to the next."""
    return re.sub(r'id="session">.*?</script>|<div id="[0-9a-f-]{36}"', "", page.text)


def settled(person: Person, query: str, board: str) -> httpx.Response:
    """A page that no longer says that a part of it loads."""
    for _ in range(50):
        page = person.page(query, board)
        if 'data-pending="no"' in page.text:
            return page
    raise AssertionError(page.text[:300])


@pytest.fixture(scope="module")
def site(seeded_database: tuple[str, Seeded], redis_url: str | None) -> Iterator[Site]:  # noqa: F811
    """A site whose open pages prove their rights so seldom that only the cache's age counts."""
    yield from start_site(*seeded_database, redis_url, "--recheck-seconds", "3600")


@pytest.fixture(scope="module")
def pair(site: Site) -> Pair:
    """Both logged in; what is telling of Toru's client, numbers of its file included."""
    with transaction(site.engine) as c:
        access.store_person(c, "Ann Analyst", Role.ANALYST)
        access.grant(c, "Ann Analyst", OWN, Role.ANALYST)
        c.execute(text("UPDATE app.object SET name = 'Zephyrine ' || object_id "
                       "WHERE client_id = :c"), {"c": site.seeded.clients[FOREIGN]})  # fmt: skip
    ann, toru = (_person(site, n, s) for n, s in (("Ann Analyst", OWN), ("Toru Client", FOREIGN)))

    async def numbers() -> set[str]:
        async with toru.opened() as (line, wire):
            file = await line.download(wire, f"1|csv|client={FOREIGN}")
        cells = {c for row in csv.reader(io.StringIO(file["text"])) for c in row}
        return {c for c in cells if re.fullmatch(r"[\d.]{7,}", c)}

    found = asyncio.run(numbers())
    assert len(found) > 20
    words = {"name": "Tokyo", "name in Japanese": "東京", "escaped": "\\u6771\\u4eac", "slug": "tokyo",
             "campaign": "Zephyrine", "yen": "¥", "escaped yen": "\\u00a5", "currency": "JPY",
             "account": "2001000"}  # fmt: skip
    return Pair(ann, toru, {k: v.encode() for k, v in (words | {n: n for n in found}).items()})


def _person(site: Site, name: str, own: str) -> Person:
    with site.browser(name) as browser:
        return Person(site, browser.cookies[COOKIE], own)


def test_the_search_finds_what_is_there(pair: Pair) -> None:
    async def look() -> bytes:
        async with pair.toru.opened() as (line, wire):
            await line.drawn(wire, 1, f"client={FOREIGN}&range=14d")
            for number in (1, 2):
                # Reason: the same file twice is two answers, else refusals could not be told apart.
                file = await line.download(wire, f"{number}|csv|client={FOREIGN}&range=30d")
                assert "text" in file
            return line.told

    told = asyncio.run(look()) + pair.toru.page().content
    missed = [n for n, s in pair.secrets.items() if s not in told]
    # Reason: a name travels either plain or escaped.
    assert set(missed) <= {"name in Japanese", "escaped", "yen", "escaped yen"}, missed
    pair.clean(pair.ann.page().content)
    assert "Nordlicht Outdoor" in pair.ann.page().text


async def _tried(line: Line) -> tuple[str, bytes]:
    """What became of an opened line: `refused`, `hung up` or `open`."""
    try:
        async with line:
            # Reason: whatever greets, greets at once; a line that only hangs up ends this wait.
            return ("open" if await line.greeted() else "hung up"), line.told
    except RefusedError as refused:
        assert refused.status in (400, 403), refused.status
        return "refused", refused.told


def test_nobody_opens_a_session_with_parts_of_anothers(pair: Pair) -> None:
    ann, toru = pair.ann, pair.toru
    mine, theirs = token_of(ann.page()), token_of(toru.page())
    foreign_id, own_id = get_session_id(theirs), get_session_id(mine)
    visit = get_token_payload(theirs)["cookies"]["adlab_visit"]
    (body, seal), (their_body, their_seal) = (t.split(".", 1) for t in (mine, theirs))
    path = "/boards/client/ws"
    port = ann.site.boards_port
    tries: list[tuple[str, Line]] = [
        ("B's token", ann.line(theirs)), ("B's cookie", toru.line(mine)),
        ("B's token without cookie", ann.line(theirs, cookie=None)),
        ("own token without cookie", ann.line(mine, cookie=None)),
        ("made-up cookie", ann.line(mine, cookie="x" * 60)),
        ("B's sealed visit as cookie", ann.line(theirs, cookie=visit)),
        ("B's visit beside own cookie", ann.line(theirs, headers={"Cookie": f"adlab_visit={visit}"})),
        ("B's body, own seal", ann.line(f"{their_body}.{seal}")),
        ("own body, B's seal", ann.line(f"{body}.{their_seal}")),
        ("no seal", ann.line(body)), ("B's without seal", ann.line(their_body)),
        ("B's session id as token", ann.line(foreign_id)), ("empty", ann.line("")),
        ("two tokens, B's first", ann.line("", protocols=("bokeh", theirs, mine))),
        ("two tokens, own first", ann.line("", protocols=("bokeh", mine, theirs))),
        ("token as protocol", ann.line("", protocols=(theirs, mine))),
        ("no protocol", ann.line("", protocols=())), ("only bokeh", ann.line("", protocols=("bokeh",))),
        ("B's id in address", ann.line(theirs, path=f"{path}?bokeh-session-id={foreign_id}")),
        ("B's id in header", ann.line(theirs, headers={"Bokeh-Session-Id": foreign_id})),
        ("B's token for overview", ann.line(theirs, path="/boards/overview/ws")),
        *((f"origin {o}", ann.line(mine, origin=o)) for o in (
            "https://evil.example", "null", f"{ann.site.url}.evil.example", f"http://127.0.0.1:{port}",
            f"https://evil.example/{ann.site.url}", "http://localhost", "file://")),
    ]  # fmt: skip
    for source in (mine, theirs):
        tries += [(f"altered at {n}", ann.line(_altered(source, n)))
                  for n in [*range(0, len(source), max(1, len(source) // 12)), len(source) - 1]]  # fmt: skip

    async def attack() -> list[tuple[str, str, bytes]]:
        done = [(what, *await _tried(line)) for what, line in tries]
        kept = ann.line(mine, path=f"{path}?bokeh-session-id={foreign_id}")
        async with kept, toru.line(theirs) as other:
            # Reason: where a session is named besides, the own token alone counts.
            assert await kept.greeted()
            assert await other.greeted()
            assert wire_of(await kept.document()) != wire_of(await other.document())
            return [*done, ("own token, B's id in address", "own", kept.told)]

    for what, became, told in asyncio.run(attack()):
        assert became in ("refused", "hung up", "own"), what
        pair.clean(told, what)
        assert own_id.encode() not in told, what
    assert len(tries) > 50


def _altered(token: str, at: int) -> str:
    other = "A" if token[at] != "A" else "B"
    return token[:at] + other + token[at + 1 :]


def test_a_visit_brought_along_is_thrown_away(pair: Pair) -> None:
    visit = get_token_payload(token_of(pair.toru.page()))["cookies"]["adlab_visit"]
    both = f"adlab_visit={visit}; {COOKIE}={pair.ann.cookie}; adlab_visit={visit}"
    for query in ("", f"client={FOREIGN}", f"client={OWN}"):
        page = pair.ann.page(query, Cookie=both)
        pair.clean(page.content.replace(f"client={FOREIGN}".encode(), b""), query)
    assert pair.ann.page("", Cookie=f"adlab_visit={visit}").status_code == 302
    assert pair.ann.page("", Cookie=f"{COOKIE}={visit}").status_code == 302


def test_guessed_addresses_tell_nothing_and_others_answer_as_missing_ones(pair: Pair) -> None:
    campaigns = ",".join(str(2_001_000_000 + n) for n in range(8))

    async def attack() -> int:
        async with pair.toru.opened() as (other, _), pair.ann.opened() as (line, wire):
            quiet, number = len(other.frames), 1
            answers = {}
            for slug in (FOREIGN, MISSING):
                for rest in ("", "&range=7d", "&metric=roas&page=2", "&campaigns=2001000001"):
                    await line.drawn(wire, number, f"client={OWN}")
                    found = await line.drawn(wire, number + 1, f"client={slug}{rest}")
                    assert "regions" in found, (slug, rest)
                    answers[slug, rest] = found | {"number": 0}
                    number += 2
                    file = await line.download(wire, f"{number}|csv|client={slug}{rest}")
                    assert set(file) == {"failed", "number"}
                    answers[slug, rest + "file"] = file | {"number": 0}
            for (slug, rest), found in answers.items():
                assert found == answers[MISSING, rest], (slug, rest)
            for guess in ODD:
                query = f"client={guess.replace('{campaigns}', campaigns)}"
                found = await line.drawn(wire, number, query)
                assert found, guess[:40]
                for kind in ("csv", "xlsx", "exe", "csv|csv"):
                    number += 2
                    assert await line.download(wire, f"{number}|{kind}|{query}"), (kind, guess[:40])
            # Reason: which campaigns one has asked for stands in the links of one's own page.
            pair.clean(re.sub(rb"200100000[0-7]", b"", line.told))
            assert (await line.drawn(wire, number + 1, f"client={OWN}"))["regions"]
            assert other.frames[quiet:] == []
            return len(answers) + 5 * len(ODD)

    assert asyncio.run(attack()) > 100


def test_foreign_and_missing_clients_have_the_same_page(pair: Pair) -> None:
    for rest in ("", "&range=7d", "&campaigns=2001000001&page=3"):
        for board in ("client", "overview"):
            pages = [settled(pair.ann, f"client={s}{rest}", board) for s in (FOREIGN, MISSING)]
            said = [
                plain(p).replace(s, "X") for p, s in zip(pages, (FOREIGN, MISSING), strict=True)
            ]
            assert said[0] == said[1]
            assert {p.status_code for p in pages} == {200}
            if board == "client":
                pair.clean(plain(pages[0]).encode(), rest)


def test_models_of_others_cannot_be_named(pair: Pair) -> None:
    """Numbers of models are counted, so anybody can guess them; each document knows its own only."""

    async def attack() -> int:
        async with pair.toru.opened() as (other, theirs), pair.ann.opened() as (line, mine):
            before, quiet = await other.document(), len(other.frames)
            near = [f"p{n}" for n in range(max(int(theirs[1:]) - 40, 1000), int(theirs[1:]) + 40)]
            guesses = [theirs, *(n for n in near if n != mine), "p1", "p-1", "p" * 5000, "", "0"]
            query = f"9|client={FOREIGN}"
            for guess in guesses:
                answer = await line.write(guess, "query", query)
                assert answer["kind"] == "ERROR", guess[:20]
            others: list[dict[str, Any]] = [
                changed(theirs, "ask", f"9|csv|client={FOREIGN}"), changed(theirs, "patch", "{}"),
                changed(mine, "patch", {"id": theirs}), changed(mine, "answer", [{"id": theirs}]),
                {"kind": "RootAdded", "model": {"id": theirs}},
                {"kind": "RootRemoved", "model": {"id": theirs}},
                {"kind": "ColumnDataChanged", "model": {"id": theirs}, "attr": "data", "data": {}},
                {"kind": "ColumnsStreamed", "model": {"id": theirs}, "attr": "data", "data": {}},
                {"kind": "ColumnsPatched", "model": {"id": theirs}, "attr": "data", "patches": {}},
                {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": {
                    "type": "event", "name": "button_click",
                    "values": {"type": "map", "entries": [["model", {"id": theirs}]]}}},
            ]  # fmt: skip
            for event in others:
                answer = await line.ask("PATCH-DOC", {"events": [event]})
                assert answer["kind"] == "ERROR", event
            pair.clean(line.told.replace(b"client=tokyo", b""))
            assert other.frames[quiet:] == []
            after = await other.document()
            assert after == before
            return len(guesses) + len(others)

    assert asyncio.run(attack()) > 80


def test_errors_say_nothing_of_the_servers_inside(pair: Pair) -> None:
    async def attack() -> None:
        errors = 0
        async with pair.ann.opened() as (line, wire):
            for attr, new in (("query", ["1|client=tokyo"]), ("query", {"client": FOREIGN}),
                              ("query", None), ("query", 5), ("ask", [1]), ("nosuch", "x"),
                              ("query", {"type": "object", "name": "Nosuch", "id": "q1"}),
                              ("query", {"type": "ndarray", "array": "x", "shape": [9], "dtype": "x",
                                         "order": "little"}),
                              ("__class__", "x"), ("tags", "x")):  # fmt: skip
                answer = await line.write(wire, attr, new)
                assert answer["kind"] in ("ERROR", "OK"), (attr, new)
                errors += answer["kind"] == "ERROR"
            assert errors > 5
            for number in ("²|client=tokyo", "9" * 5000 + "|client=tokyo", "|client=tokyo",
                           "-1|client=tokyo", "x", "", "1e3|x", "\x00|x"):  # fmt: skip
                answer = await line.write(wire, "query", number)
                assert answer["kind"] == "OK", number[:20]
            told = line.told.decode()
            for inside in ("Traceback", 'File \\"', "site-packages", "/adlab/", "Error("):
                assert inside not in told, inside
            assert (await line.drawn(wire, 3, f"client={OWN}&range=7d"))["regions"]

    asyncio.run(attack())


def test_broken_and_huge_frames_end_only_the_line_that_sent_them(pair: Pair) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    head = json.dumps({"msgid": "1", "msgtype": "PATCH-DOC"})
    pull = json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"})
    many = json.dumps({"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 10**9})
    broken: dict[str, tuple[str | bytes, ...]] = {
        "no JSON": ("x", "{}", "{}"), "bytes": (b"\xff\xfe", b"\x00", b"\x00"),
        "a list for a header": ("[]", "{}", "{}"), "null": ("null", "null", "null"),
        "no kind": ("{}", "{}", "{}"), "unknown kind": (head.replace("PATCH-DOC", "X"), "{}", "{}"),
        "a server's kind": (head.replace("PATCH-DOC", "PULL-DOC-REPLY"), "{}", '{"doc": {}}'),
        "another's document": (head.replace("PATCH-DOC", "PUSH-DOC"), "{}",
                               '{"doc": {"roots": [], "title": "tokyo", "version": "3"}}'),
        "deep header": (deep, "{}", "{}"), "deep content": (head, "{}", deep),
        "buffers without end": (many, "{}", '{"events": []}', *('{"id": "1"}', b"x" * 900_000) * 3),
        "too large": (head, "{}", "x" * 3_000_000), "one frame": (pull,),
        "large but allowed": (head, "{}", json.dumps({"events": [], "x": "y" * 1_500_000})),
    }  # fmt: skip

    async def attack() -> None:
        async with pair.toru.opened() as (other, theirs), AsyncExitStack() as stack:
            quiet = len(other.frames)
            for what, frames in broken.items():
                line, wire = await stack.enter_async_context(pair.ann.opened())
                before = len(line.told)
                await line.raw(*frames)
                if what in ("one frame", "large but allowed"):
                    continue
                await line.until(
                    lambda line=line, before=before: len(line.told) > before or None, 5
                )
                said = line.told[before:]
                pair.clean(said, what)
                assert line.closed or b"ERROR" in said, what
                assert b"Traceback" not in said, what
                assert wire not in said.decode(), what
            line, _ = await stack.enter_async_context(pair.ann.opened())
            info = await line.ask("SERVER-INFO-REQ", {})
            assert set(info["content"]) == {"version_info"}
            pair.clean(line.told)
            assert other.frames[quiet:] == []
            assert (await other.drawn(theirs, 1, f"client={FOREIGN}&range=7d"))["regions"]

    asyncio.run(attack())
    assert pair.ann.site.boards.is_running()


def test_the_same_question_at_the_same_time_gives_each_their_own(pair: Pair) -> None:
    queries = ("", f"client={OWN}", f"client={FOREIGN}", "range=30d&metric=roas", "client=&page=1")
    kpis: dict[tuple[str, str], set[tuple[str, ...]]] = {}

    def ask(person: Person, query: str) -> None:
        page = person.page(query)
        assert page.status_code == 200
        shown = tuple(re.findall(r'data-kpi="\w+">([^<]+)<', page.text))
        kpis.setdefault((person.own, query), set()).add(shown)
        if person is pair.ann:
            pair.clean(plain(page).encode(), query)
        else:
            assert "Nordlicht" not in page.text
            assert "€" not in plain(page)

    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(ask, person, queries[n % len(queries)])
                for n in range(50) for person in (pair.ann, pair.toru)]  # fmt: skip
        for job in jobs:
            job.result()
    for query in queries:
        # Reason: a page whose figures take longer than it waits shows none at first.
        ann, toru = kpis[OWN, query] - {()}, kpis[FOREIGN, query] - {()}
        assert len(ann) == (query != f"client={FOREIGN}"), query
        assert len(toru) == (query != f"client={OWN}"), query
        assert not ann & toru, query


@pytest.mark.parametrize("way", ["revoked", "ran out"])
def test_cached_figures_end_with_the_grant(pair: Pair, way: str) -> None:
    site, name = pair.ann.site, f"Rita {way}"
    with transaction(site.engine) as c:
        access.store_person(c, name, Role.CLIENT_VIEWER)
        access.grant(c, name, FOREIGN, Role.CLIENT_VIEWER)
    rita = _person(site, name, FOREIGN)

    async def watch() -> float:
        async with rita.opened() as (line, wire):
            assert (await line.drawn(wire, 1, f"client={FOREIGN}&range=7d"))["regions"]
            assert "text" in await line.download(wire, f"1|csv|client={FOREIGN}")
            with transaction(site.engine) as c:
                if way == "revoked":
                    access.revoke(c, name, FOREIGN)
                else:
                    c.execute(text(
                        "UPDATE sec.access SET expires_at = now() WHERE person_id = "
                        "(SELECT person_id FROM sec.person WHERE name = :n)"), {"n": name})  # fmt: skip
            ended, number = time.monotonic(), 2
            while True:
                begun = time.monotonic()
                page = await asyncio.to_thread(rita.page)
                found = await line.drawn(wire, number, f"client={FOREIGN}&range=7d")
                file = await line.download(wire, f"{number}|csv|client={FOREIGN}")
                number += 1
                served = "data-kpi" in page.text or "text" in file or "¥" in json.dumps(
                    found, ensure_ascii=False)  # fmt: skip
                if not served:
                    break
                assert begun - ended < LAG + SLACK, "figures outlive the grant"
                await asyncio.sleep(1)
            lasted, quiet = time.monotonic() - ended, len(line.frames)
            for query in (f"client={FOREIGN}", f"client={FOREIGN}&range=7d", "", "range=14d"):
                await line.drawn(wire, number, query)
                assert "failed" in await line.download(wire, f"{number}|csv|{query}")
                number += 1
                page = await asyncio.to_thread(rita.page, query)
                pair.clean(plain(page).replace(FOREIGN, "").encode(), query)
            later = "\n".join(f for f in line.frames[quiet:] if isinstance(f, str)).encode()
            pair.clean(later, way)
            return lasted

    assert asyncio.run(watch()) < LAG + 2 * SLACK
