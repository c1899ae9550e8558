"""The one Bokeh model of a page, and the page behind it: state in, changed regions out.

The browser writes `query` (a number and the address it wants); the server answers with `patch`
(that number and the regions whose HTML changed). Measured reason: models cost the time when a
session opens, not data. One model and `bokeh.min.js` alone suffice; the rest is HTML that the first
document holds already.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import time
import weakref
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from bokeh.core.properties import Any as AnyProperty
from bokeh.core.properties import String
from bokeh.document import Document
from bokeh.model import DataModel

from adlab.ui.live import FEED, Feed
from adlab.ui.pages import environment, render
from adlab.ui.visit import Visit

log = logging.getLogger(__name__)

# Seconds the first document waits for slow parts; they follow over the websocket.
FIRST_WAIT = 0.15
THEME_COOKIE = "adlab_theme"
LONG_WAIT = 60.0
FILE_KINDS = {
    "csv": "text/csv;charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Wire(DataModel):  # type: ignore[misc]  # bokeh is untyped
    """What browser and server tell each other."""

    query = String(default="")
    patch = AnyProperty(default=None)
    ask = String(default="")
    answer = AnyProperty(default=None)


@dataclass(frozen=True)
class Drawn:
    """A page drawn once.

    Attributes:
        regions: Name → HTML.
        query: The address of what was drawn, wrong values replaced.
        title: Of the window.
        client_id: Whose numbers these are; 0 for nobody's or several clients'.
        listens: Clients whose changes to listen to; the one of `client_id` when omitted.
        pending: Whether a region still shows that it loads.
        say: What a screen reader hears.
        trouble: Why nothing could be drawn, in words; a page that shows numbers keeps them.
        frame: What the shell around the regions needs (brand, theme …); first document only.
    """

    regions: Mapping[str, str]
    query: str
    title: str
    client_id: int = 0
    pending: bool = False
    say: str = ""
    trouble: str = ""
    frame: Mapping[str, Any] = field(default_factory=dict)
    listens: frozenset[int] = frozenset()

    @property
    def client_ids(self) -> frozenset[int]:
        """The clients whose changes concern this page."""
        return self.listens or frozenset({self.client_id} - {0})


class Board(Protocol):
    """What a dashboard gives: how to draw an address, and files to download."""

    def draw(self, query: str, wait: float) -> Drawn:
        """Draw an address, waiting at most so many seconds for each slow part."""

    def download(self, query: str, kind: str) -> tuple[str, str | bytes]:
        """Name and content of the file to download; `kind` is one of `FILE_KINDS`."""

    def changed_at(self, client_ids: frozenset[int]) -> Mapping[int, Hashable]:
        """For each client, what tells one state of its data from the next."""

    def lost(self, client_ids: frozenset[int]) -> str:
        """Why this person may no longer see these clients, or "".

        `live.REDRAW` when some of them are left: the page is drawn again with what is.
        """


class Page:
    """An open page: a document, the board that draws it, and what was last sent."""

    def __init__(self, document: Document, board: Board, visit: Visit, feed: Feed = FEED) -> None:
        self.client_ids: frozenset[int] = frozenset()
        self.viewer = visit.viewer
        self._document = weakref.ref(document)
        self._board = board
        self._visit = visit
        self._feed = feed
        self._wire = Wire(name="wire")
        self._sent: dict[str, str] = {}
        self._number = 0
        self._query = ""
        self._ended = False
        self.drawn_at = time.monotonic()

    def open(self, query: str, template: str) -> Drawn:
        """Draw the first document and listen to the browser."""
        document = self._document()
        assert document is not None
        drawn = self._board.draw(query, FIRST_WAIT)
        self._remember(drawn)
        document.title = drawn.title
        document.template = environment().get_template(f"{template}.html")
        document.template_variables.update(
            drawn.frame, regions=drawn.regions, query=drawn.query, pending=drawn.pending
        )
        document.config.notify_connection_status = False
        document.add_root(self._wire)
        self._wire.on_change("query", self._asked)
        self._wire.on_change("ask", self._wants_file)
        document.on_session_destroyed(lambda _: self._feed.leave(self))
        self._feed.join(self)
        return drawn

    def refresh(self) -> None:
        """Draw the same address again and send what changed."""
        self._draw(self._query, self._number)

    def check(self) -> str:
        """Why the visit has ended, or ""."""
        ids = self.client_ids
        return self._visit.check() or (self._board.lost(ids) if ids else "")

    def changed_at(self) -> Mapping[int, Hashable]:
        """For each client, what tells one state of its data from the next."""
        return self._board.changed_at(self.client_ids)

    def end(self, why: str) -> None:
        """Replace everything shown by a sentence."""
        self._ended = True
        self._send({"end": str(render("ended", why=why))})

    def _asked(self, _name: str, _old: str, new: str) -> None:
        number, _, query = new.partition("|")
        # Reason: `isdigit` takes "²", which is no number, and ten thousand digits.
        if re.fullmatch(r"[0-9]{1,9}", number):
            self._number = int(number)
            self._draw(query, self._number)

    def _draw(self, query: str, number: int) -> None:
        if self._ended:
            return
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                drawn = self._board.draw(query, LONG_WAIT)
            except Exception:
                log.exception("board_not_drawn viewer=%s", self.viewer)
                loop.call_soon_threadsafe(self._send, {"number": number, "failed": True})
                return
            loop.call_soon_threadsafe(self._take, drawn, number)

        loop.run_in_executor(self._feed.threads, work)

    def _take(self, drawn: Drawn, number: int) -> None:
        # Reason: an answer to an older question would undo the newer one.
        if self._ended or number < self._number:
            return
        if drawn.trouble and any(self._sent.get(n) for n in ("tiles", "campaigns")):
            self._send({"number": number, "trouble": drawn.trouble})
            return
        changed = {n: h for n, h in drawn.regions.items() if self._sent.get(n) != h}
        self._remember(drawn)
        self._send(
            {
                "number": number, "regions": changed, "query": drawn.query,
                "title": drawn.title, "say": drawn.say, "pending": drawn.pending,
            }
        )  # fmt: skip

    def _remember(self, drawn: Drawn) -> None:
        self._sent = dict(drawn.regions)
        self._query = drawn.query
        self.drawn_at = time.monotonic()
        self.client_ids = drawn.client_ids

    def _send(self, patch: dict[str, Any]) -> None:
        self._later(lambda: setattr(self._wire, "patch", json.dumps(patch)))

    def _later(self, change: Callable[[], None]) -> None:
        document = self._document()
        if document is not None and document.session_context is not None:
            document.add_next_tick_callback(change)

    def _wants_file(self, _name: str, _old: str, new: str) -> None:
        kind, query = wanted_file(new)
        # Reason: a property that is set to what it holds tells nobody; the second wish for the same
        # file would go unanswered.
        number = {"number": new.partition("|")[0][:9]}
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                answer = file_answer(kind, *self._board.download(query, kind))
            except Exception:
                log.exception("download_failed viewer=%s", self.viewer)
                answer = {"failed": "The file could not be made. Try again in a minute."}
            loop.call_soon_threadsafe(
                self._later, lambda: setattr(self._wire, "answer", json.dumps(answer | number))
            )

        if not self._ended:
            loop.run_in_executor(self._feed.threads, work)


def wanted_file(ask: str) -> tuple[str, str]:
    """Kind and address of what a browser asks for: `3|xlsx|client=acme`; CSV when it names none."""
    _, _, rest = ask.partition("|")
    kind, bar, query = rest.partition("|")
    return (kind, query) if bar and kind in FILE_KINDS else ("csv", rest)


def file_answer(kind: str, name: str, content: str | bytes) -> dict[str, str]:
    """A file as the wire carries it: text as it is, bytes as base64."""
    answer = {"name": name, "type": FILE_KINDS[kind]}
    if isinstance(content, bytes):
        return answer | {"base64": base64.b64encode(content).decode()}
    return answer | {"text": content}


def serve(board: Board, visit: Visit, template: str = "board") -> Page:
    """Show a board in the current Panel session."""
    import panel as pn

    document = pn.state.curdoc
    request = document.session_context.request if document.session_context else None
    arguments = request.arguments if request is not None else {}
    pairs = {k: v[-1].decode("utf-8", "replace") for k, v in arguments.items() if v}
    chosen = (pn.state.cookies or {}).get(THEME_COOKIE, "")
    if chosen in ("light", "dark"):
        pairs.setdefault("theme", chosen)
    query = urlencode(pairs)
    page = Page(document, board, visit)
    page.open(query, template)
    return page
