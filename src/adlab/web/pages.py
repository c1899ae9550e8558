"""Pages of the web process with somebody logged in: front door, reports, and their shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from adlab.core.errors import UnknownObjectError
from adlab.core.roles import ROLES, Right, Role, has_right
from adlab.storage.reports import load_report_file
from adlab.storage.tenancy import Reader
from adlab.ui.address import Address
from adlab.ui.pages import house_brand, message_page, render
from adlab.ui.places import places
from adlab.ui.who import Who
from adlab.web import home
from adlab.web.sessions import Session
from adlab.web.viewers import Viewer

LARGEST_REPORT_ID = 2**63 - 1


@dataclass(frozen=True)
class Caller:
    """Somebody logged in, asking for a page.

    Attributes:
        request: What they ask.
        session: Their session.
        viewer: Who they are.
        reader: Reads with their rights.
    """

    request: Request
    session: Session
    viewer: Viewer
    reader: Reader

    @property
    def operates(self) -> bool:
        """Whether they may add clients and connect accounts."""
        return has_right(self.viewer.role, Right.OPERATE)


def calling(request: Request) -> Caller | None:
    """Whoever is logged in behind a request."""
    found = request.app.state.login.who(request)
    if found is None:
        return None
    session, viewer = found
    return Caller(request, session, viewer, request.app.state.viewers.reader(viewer))


def answer_to(request: Request, draw: Callable[[Caller], Response]) -> Response:
    """A page for whoever is logged in; others are led to the login."""
    caller = calling(request)
    if caller is None:
        begun: Response = request.app.state.login.begin(request)
        return begun
    answer = draw(caller)
    request.app.state.login.renew(request, answer, caller.session)
    return answer


def root_of(request: Request) -> str:
    """The relative way from a page to the front door."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "../" * max(0, path.count("/") - 1)


def theme_of(request: Request) -> str:
    """What the person chose: `light`, `dark`, or `auto` to follow the system."""
    chosen = request.cookies.get("adlab_theme", "")
    return chosen if chosen in ("light", "dark") else "auto"


def draw(
    caller: Caller, template: str, title: str, *, status: int = 200, here: str = "",
    clients: list[tuple[str, str]] | None = None, **values: Any,
) -> HTMLResponse:  # fmt: skip
    """A whole page with the header everyone knows.

    Args:
        caller: Who asks.
        template: What stands below the header.
        title: Of the window.
        status: HTTP status.
        here: `home` on the front door.
        clients: The person's clients, where they are known already.
        values: For the template.
    """
    if clients is None:
        clients = [(s.slug, s.name) for s in home.load_states(caller.reader)]
    viewer = caller.viewer
    demo = caller.request.app.state.config.demo
    who = Who("", house_brand(), clients, viewer.name, demo, viewer.role, here)
    body = render(
        template, who=who, brand=who.brand, title=title, theme=theme_of(caller.request),
        demo=demo, address=Address(), **values,
    )  # fmt: skip
    return HTMLResponse(body, status)


def message(
    request: Request, title: str, text: str, status: int, root: str,
    button: tuple[str, str] | None = None,
) -> Response:  # fmt: skip
    """A message below the header for those logged in, or by itself for everyone else."""
    try:
        caller = calling(request)
    except HTTPException:
        # Reason: the hub knows them and the store no longer does; that is what is being said.
        caller = None
    if caller is None:
        body = message_page(title, text, root=root, button=button, theme=theme_of(request))
        return HTMLResponse(body, status)
    return draw(caller, "notice", title, status=status, text=text, button=button)


def add_pages(app: FastAPI) -> None:
    """Front door and reports."""

    @app.get("/")
    def start(request: Request) -> Response:
        return answer_to(request, _start)

    @app.get("/reports/{name}.pdf")
    def report(request: Request, name: str) -> Response:
        return answer_to(request, lambda caller: _report(caller, name))


def _start(caller: Caller) -> Response:
    cards = home.load_cards(caller.reader)
    viewer = caller.viewer
    if len(cards) == 1 and viewer.role.startswith("client"):
        # Reason: with one client there is nothing to choose; their portal is that board.
        return RedirectResponse(f"{places().boards}client?client={quote(cards[0].slug)}", 303)
    known = viewer.role in {r.value for r in ROLES}
    return draw(
        caller, "home", "Your clients", here="home",
        clients=sorted(((c.slug, c.state.name) for c in cards), key=lambda c: c[1].casefold()),
        cards=cards, headline=home.headline(cards), searched=len(cards) > home.SEARCHED_ABOVE,
        purpose=ROLES[Role(viewer.role)].purpose if known else "",
    )  # fmt: skip


def _report(caller: Caller, name: str) -> Response:
    if not re.fullmatch(r"[0-9]{1,19}", name) or int(name) > LARGEST_REPORT_ID:
        raise HTTPException(404)
    try:
        file_name, pdf = load_report_file(caller.reader, int(name))
    except UnknownObjectError:
        raise HTTPException(404) from None
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", file_name)
    return Response(
        pdf, media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{plain}"',
                 # Reason: browsers' own viewers need more than pages of ours; nothing runs here.
                 "Content-Security-Policy": "frame-ancestors 'none'"},
    )  # fmt: skip
