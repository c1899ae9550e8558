"""How people log in to the web endpoints: by one-time links of ours, or through the hub."""

from __future__ import annotations

import time
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from adlab.core.errors import AccessDeniedError, HubUnavailableError
from adlab.ui.pages import message_page
from adlab.ui.places import places
from adlab.web.hub import HubIdentity
from adlab.web.sessions import ABSOLUTE_SECONDS, COOKIE, Session, Sessions, cookie_flags, safe_next
from adlab.web.viewers import Viewer, Viewers

_NOT_YOURS = (
    "This link has been used or has expired.",
    "Each login link works once and for a day. Ask the agency for a new one.",
)


class Login(Protocol):
    """A way of knowing people."""

    def who(self, request: Request) -> tuple[Session, Viewer] | None:
        """The session and the person behind a request, or None."""

    def begin(self, request: Request) -> Response:
        """Send somebody unknown to where they can log in, and back here afterwards."""

    def renew(self, request: Request, answer: Response, session: Session) -> None:
        """Note a sign of life."""

    def add_routes(self, app: FastAPI) -> None:
        """Add the addresses it needs."""


class LinkLogin:
    """Without a hub: one-time links start a session of our own.

    Args:
        sessions: Writes and reads the cookie.
        viewers: Looks people up.
    """

    def __init__(self, sessions: Sessions, viewers: Viewers) -> None:
        self._sessions, self._viewers = sessions, viewers

    def who(self, request: Request) -> tuple[Session, Viewer] | None:
        """The person of the session's cookie."""
        session = self._sessions.read(request.cookies.get(COOKIE))
        if session is None:
            return None
        viewer = self._viewers.find(session.person_id)
        return None if viewer is None else (session, viewer)

    def begin(self, request: Request) -> Response:
        """To the page that says how to log in, relative as all of this is, and back afterwards."""
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        back = f"?next={quote(path, safe='')}" if path != "/" and request.method == "GET" else ""
        return RedirectResponse(f"{'../' * (path.count('/') - 1)}login{back}", 303)

    def renew(self, request: Request, answer: Response, session: Session) -> None:
        """Renew the cookie when its last sign of life is a minute old."""
        fresh = self._sessions.renew(session)
        if fresh is not None:
            self._set(request, answer, fresh)

    def _set(self, request: Request, answer: Response, value: str) -> None:
        flags: dict[str, Any] = cookie_flags(is_https(request))
        answer.set_cookie(COOKIE, value, **flags)

    def add_routes(self, app: FastAPI) -> None:
        """`/login`, `/login/TOKEN`, `/logout`."""

        @app.get("/login")
        def login(request: Request) -> Response:
            if self.who(request) is not None:
                return RedirectResponse(safe_next(request.query_params.get("next")), 303)
            return HTMLResponse(
                message_page(
                    "You are not logged in.",
                    "Open the link you were sent. Each link works once and for a day; when yours "
                    "no longer works, ask the agency for a new one.",
                )
            )

        @app.get("/login/{token}")
        def use_link(request: Request, token: str) -> Response:
            if looks_ahead(request.headers):
                return Response(status_code=204)
            nonce = self._sessions.read_link(token)
            person_id = self._viewers.use_login_link(nonce) if nonce else None
            if person_id is None:
                return HTMLResponse(message_page(*_NOT_YOURS, root="../"), 410)
            answer = RedirectResponse(f"..{safe_next(request.query_params.get('next'))}", 303)
            self._set(request, answer, self._sessions.issue(person_id))
            return answer

        @app.api_route("/logout", methods=["GET", "POST"])
        def logout(request: Request) -> Response:
            answer = HTMLResponse(
                message_page(
                    "You are logged out.", "Open boards in other tabs close within a minute."
                )
            )
            answer.delete_cookie(COOKIE, path="/")
            return answer


class HubLogin:
    """Behind the hub: it vouches for people, this process only asks.

    Args:
        identity: Speaks with the hub.
        viewers: Looks people up.
    """

    def __init__(self, identity: HubIdentity, viewers: Viewers) -> None:
        self.identity, self._viewers = identity, viewers

    def who(self, request: Request) -> tuple[Session, Viewer] | None:
        """The person of the hub's token.

        Raises:
            HTTPException: If the hub knows them and the store no longer does: sending them to the
                hub again would only bring them back.
            HubUnavailableError: If the hub is silent.
        """
        key = self.identity.read(request.cookies)
        username = self.identity.username(key) if key is not None else None
        if key is None or username is None:
            return None
        viewer = self._viewers.find_named(username)
        if viewer is None:
            raise HTTPException(403, "Your access to adlab has ended. Ask who invited you.")
        return Session(viewer.person_id, key.started_at, int(time.time())), viewer

    def begin(self, request: Request) -> Response:
        """To the hub, which knows the way back."""
        wanted = request.url.path if request.method == "GET" else "/"
        if request.url.query:
            wanted += f"?{request.url.query}"
        address, state = self.identity.begin(wanted)
        answer = RedirectResponse(address, 303)
        answer.set_cookie(self.identity.state_cookie, state, max_age=600, **self._flags(request))
        return answer

    def renew(self, request: Request, answer: Response, session: Session) -> None:
        """Nothing: the hub's own session counts."""

    def _flags(self, request: Request) -> dict[str, Any]:
        flags: dict[str, Any] = cookie_flags(is_https(request))
        return flags | {"path": self.identity.cookie_path}

    def add_routes(self, app: FastAPI) -> None:
        """`/oauth_callback`, and a way to the hub's login and logout."""

        @app.get("/oauth_callback")
        def callback(request: Request, code: str = "", state: str = "") -> Response:
            if not code:
                raise HTTPException(403, "The hub did not let you in. Ask an admin for access.")
            try:
                sealed, target = self.identity.finish(code, state, request.cookies)
            except HubUnavailableError:
                raise
            except AccessDeniedError as error:
                raise HTTPException(403, f"{error.message} {error.remedy}") from None
            answer = RedirectResponse(target, 303)
            answer.set_cookie(
                self.identity.cookie, sealed, max_age=ABSOLUTE_SECONDS, **self._flags(request)
            )
            answer.delete_cookie(self.identity.state_cookie, path=self.identity.cookie_path)
            return answer

        @app.get("/login")
        def login(request: Request) -> Response:
            if self.who(request) is not None:
                return RedirectResponse(places().home, 303)
            address, state = self.identity.begin(places().home)
            answer = RedirectResponse(address, 303)
            answer.set_cookie(
                self.identity.state_cookie, state, max_age=600, **self._flags(request)
            )
            return answer


def looks_ahead(headers: Any) -> bool:
    """Whether a browser or mail scanner only looks ahead, which must not use a link up."""
    ahead = headers.get("sec-purpose", "") or headers.get("purpose", "")
    return "prefetch" in ahead or "preview" in ahead


def is_https(request: Request) -> bool:
    """Whether the browser speaks https, perhaps with a proxy before us."""
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
