"""The boards' guard behind JupyterHub: the hub says who people are, and is asked again.

The browser holds the hub's token in a cookie sealed for the boards alone. Each page proves it; the
page's session carries the sealed key, so that its websocket and its half-minute checks can prove it
again. Rights themselves stay the database's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tornado.web import HTTPError, RequestHandler

from adlab.core.errors import AccessDeniedError, HubUnavailableError
from adlab.ui.live import FEED
from adlab.ui.visit import Visit
from adlab.web.handlers import (
    GUARD,
    VISIT_COOKIE,
    BoardSocket,
    Guard,
    Secured,
    offered_visit,
)
from adlab.web.hub import HubIdentity, HubKey
from adlab.web.sessions import ABSOLUTE_SECONDS, Sessions, cookie_flags
from adlab.web.viewers import Viewer, Viewers


class HubGuard(Guard):
    """Decides who may look, by asking the hub.

    Args:
        sessions: Of this installation; gives the key that cookies are sealed with.
        viewers: Looks people up.
        identity: Speaks with the hub.
    """

    def __init__(self, sessions: Sessions, viewers: Viewers, identity: HubIdentity) -> None:
        super().__init__(sessions, viewers)
        self.identity = identity

    async def get_user(self, handler: RequestHandler) -> str | None:
        """Bokeh's hook for pages and websockets: the person's name, or None."""
        handler.request.cookies.pop(VISIT_COOKIE, None)
        key = self.identity.read(_cookies(handler))
        viewer = await self._proved(key)
        if key is None or viewer is None:
            return None
        if isinstance(handler, BoardSocket) and not await self._same_as_page(handler, viewer):
            return None
        handler.request.cookies[VISIT_COOKIE] = self.identity.seal_key(key)
        return viewer.name

    async def _proved(self, key: HubKey | None) -> Viewer | None:
        if key is None:
            return None
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(FEED.threads, self._viewer_of, key)
        except HubUnavailableError:
            raise HTTPError(503) from None
        except AccessDeniedError:
            raise HTTPError(403) from None

    def _viewer_of(self, key: HubKey) -> Viewer | None:
        """The person of a key; None when the hub knows nobody by it.

        Raises:
            AccessDeniedError: If the hub knows them and the store no longer does: sending them to
                the hub again would only bring them back.
            HubUnavailableError: If the hub is silent.
        """
        username = self.identity.username(key)
        viewer = self.viewers.find_named(username) if username else None
        if username and viewer is None:
            raise AccessDeniedError("Your access to adlab has ended.", "Ask who invited you.")
        return viewer

    async def _same_as_page(self, handler: RequestHandler, viewer: Viewer) -> bool:
        page = await self._proved(self.identity.open_key(offered_visit(handler)))
        return page is not None and page.person_id == viewer.person_id

    def current_visit(self) -> Visit | None:
        """The visit of the Panel session that is being built."""
        import panel as pn

        key = self.identity.open_key((pn.state.cookies or {}).get(VISIT_COOKIE))
        viewer = self._viewer_of(key) if key is not None else None
        if key is None or viewer is None:
            return None
        return Visit(viewer.name, viewer.role, viewer.login, self.viewers.reader(viewer),
                     self._check_of(key))  # fmt: skip

    def _check_of(self, key: HubKey) -> Callable[[], str]:
        def check() -> str:
            if self.sessions.now() - key.started_at >= ABSOLUTE_SECONDS:
                return "Your session has ended after twelve hours."
            try:
                return "" if self._viewer_of(key) is not None else "You have logged out."
            except HubUnavailableError:
                raise
            except AccessDeniedError as error:
                return error.message

        return check

    async def still_there(self, handler: RequestHandler, active: bool) -> bool:
        """Whether the hub still knows the person behind an open page."""
        return await self._proved(self.identity.read(_cookies(handler))) is not None

    def renew(self, handler: RequestHandler) -> None:
        """Nothing: the hub's own session counts."""

    def send_to_login(self, handler: RequestHandler) -> None:
        """To the hub, which knows the way back."""
        address, state = self.identity.begin(handler.request.uri)
        handler.set_cookie(
            self.identity.state_cookie, state, max_age=600, **_flags(handler, self.identity)
        )
        handler.redirect(address)

    def patterns(self) -> list[tuple[Any, ...]]:
        """Where the hub sends people back to."""
        return [(r"/oauth_callback", Callback)]


class Callback(Secured):
    """The end of a login: the hub's code becomes a cookie."""

    async def get(self) -> None:
        """Take the code; go on to the page that was asked for."""
        guard = GUARD[0]
        assert isinstance(guard, HubGuard)
        code, state = self.get_argument("code", ""), self.get_argument("state", "")
        if not code:
            self.send_error(403)
            return
        loop = asyncio.get_running_loop()
        try:
            sealed, target = await loop.run_in_executor(
                FEED.threads, guard.identity.finish, code, state, _cookies(self)
            )
        except HubUnavailableError:
            self.send_error(503)
            return
        except AccessDeniedError:
            self.send_error(403)
            return
        flags = _flags(self, guard.identity)
        self.set_cookie(guard.identity.cookie, sealed, max_age=ABSOLUTE_SECONDS, **flags)
        self.clear_cookie(guard.identity.state_cookie, path=guard.identity.cookie_path)
        self.redirect(target)


def _cookies(handler: RequestHandler) -> dict[str, str]:
    # Reason: values that our own hooks put there are plain text, the browser's are morsels.
    return {n: getattr(m, "value", m) for n, m in handler.request.cookies.items()}


def _flags(handler: RequestHandler, identity: HubIdentity) -> dict[str, Any]:
    flags: dict[str, Any] = cookie_flags(handler.request.protocol == "https")
    return flags | {"path": identity.cookie_path}
