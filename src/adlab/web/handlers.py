"""How the boards' server lets people in: cookie → person → signed visit → session → reader.

The browser's cookie is read once per page, from the HTTP request. What travels on, inside the
page's signed session token, is a sealed visit that is no cookie; whatever the browser sends under
its name is thrown away. The websocket proves the cookie again, and that it is the same person's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from bokeh.server.auth_provider import AuthProvider
from bokeh.util.token import get_token_payload
from panel.io import server as panel_server
from tornado.web import RequestHandler

from adlab.ui.assets import Asset, load_assets, version
from adlab.ui.live import FEED
from adlab.ui.pages import message_page
from adlab.ui.places import places
from adlab.ui.visit import Visit
from adlab.web.headers import SECURITY_HEADERS
from adlab.web.sessions import (
    ABSOLUTE_SECONDS,
    COOKIE,
    IDLE_SECONDS,
    Session,
    Sessions,
    cookie_flags,
)
from adlab.web.viewers import Viewer, Viewers

VISIT_COOKIE = "adlab_visit"
_FORBIDDEN_ARGUMENTS = ("bokeh-session-id", "bokeh-token")
MOST_OF_A_MESSAGE = 2 * 1024 * 1024


class Guard:
    """Decides who may look, for every handler of the process.

    Args:
        sessions: Reads cookies.
        viewers: Looks people up.
    """

    def __init__(self, sessions: Sessions, viewers: Viewers) -> None:
        self.sessions = sessions
        self.viewers = viewers
        self._seen: dict[tuple[int, int], float] = {}

    def session_of(self, handler: RequestHandler) -> Session | None:
        """The session of a request's cookie."""
        found = handler.request.cookies.get(COOKIE)
        session = self.sessions.read(found.value if found else None)
        if session is not None:
            self._note(session, session.seen_at)
        return session

    def alive(self, session: Session) -> str | None:
        """Note a sign of life; a fresh cookie when the old one is a minute old."""
        self._note(session, self.sessions.now())
        return self.sessions.renew(session)

    async def still_there(self, handler: RequestHandler, active: bool) -> bool:
        """Whether the session of an open page lasts; renewed while somebody is there."""
        if self.session_of(handler) is None:
            return False
        if active:
            self.renew(handler)
        return True

    def renew(self, handler: RequestHandler) -> None:
        """Note a sign of life, and set the cookie anew when it is due."""
        session = self.session_of(handler)
        fresh = self.alive(session) if session is not None else None
        if fresh is not None:
            handler.set_cookie(COOKIE, fresh, **cookie_flags(handler.request.protocol == "https"))

    def send_to_login(self, handler: RequestHandler) -> None:
        """Send somebody unknown to where they can log in, and back here afterwards."""
        # Reason: relative, because only the proxy knows what stands before us; and not Panel's
        # own way, which looks for a login among the boards.
        handler.redirect(f"../login?next={quote(handler.request.uri or '', safe='')}")

    def patterns(self) -> list[tuple[Any, ...]]:
        """Addresses that logging in needs."""
        return []

    def _note(self, session: Session, at: float) -> None:
        key = (session.person_id, session.started_at)
        self._seen[key] = max(at, self._seen.get(key, 0.0))
        if len(self._seen) > 10_000:
            now = self.sessions.now()
            self._seen = {k: t for k, t in self._seen.items() if now - t < IDLE_SECONDS}

    async def get_user(self, handler: RequestHandler) -> str | None:
        """Bokeh's hook for pages and websockets: the person's name, or None.

        Leaves the sealed visit where the session token picks it up.
        """
        handler.request.cookies.pop(VISIT_COOKIE, None)
        session = self.session_of(handler)
        viewer = await self._viewer(session)
        if session is None or viewer is None:
            return None
        if isinstance(handler, BoardSocket) and not self._same_person(handler, session):
            return None
        handler.request.cookies[VISIT_COOKIE] = self.sessions.seal_visit(session)
        return viewer.name

    async def _viewer(self, session: Session | None) -> Viewer | None:
        if session is None:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(FEED.threads, self.viewers.find, session.person_id)

    def _same_person(self, handler: RequestHandler, session: Session) -> bool:
        visit = self.sessions.open_visit(offered_visit(handler))
        return visit is not None and visit.person_id == session.person_id

    def current_visit(self) -> Visit | None:
        """The visit of the Panel session that is being built."""
        import panel as pn

        session = self.sessions.open_visit((pn.state.cookies or {}).get(VISIT_COOKIE))
        viewer = self.viewers.find(session.person_id) if session is not None else None
        if session is None or viewer is None:
            return None
        reader = self.viewers.reader(viewer)
        return Visit(viewer.name, viewer.role, viewer.login, reader, self.checker(viewer, session))

    def checker(self, viewer: Viewer, session: Session) -> Callable[[], str]:
        """What says why a visit has ended, or "" while it lasts."""

        def check() -> str:
            now = self.sessions.now()
            if now - session.started_at >= ABSOLUTE_SECONDS:
                return "Your session has ended after twelve hours."
            if now - self._seen.get((session.person_id, session.started_at), 0) > IDLE_SECONDS:
                return "Your session has ended after thirty minutes without a sign of life."
            if self.viewers.find(viewer.person_id) is None:
                return "Your access to adlab has ended."
            return ""

        return check

    def provider(self) -> AuthProvider:
        """Bokeh's view of this guard."""
        return _Provider(self)


def offered_visit(handler: RequestHandler) -> str | None:
    """The sealed visit inside the session token that a websocket brings; None without one."""
    offered = handler.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    try:
        cookies = get_token_payload(offered[-1].strip()).get("cookies", {})
    except Exception:
        # Reason: a token that cannot even be read proves nothing; Bokeh checks its signature.
        return None
    found = cookies.get(VISIT_COOKIE)
    return found if isinstance(found, str) else None


class _Provider(AuthProvider):  # type: ignore[misc]  # bokeh is untyped
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    @property
    def get_user(self) -> None:
        return None

    @property
    def get_user_async(self) -> Callable[[RequestHandler], Any]:
        return self._guard.get_user

    @property
    def login_url(self) -> None:
        return None

    @property
    def get_login_url(self) -> Callable[[RequestHandler], str]:
        return lambda handler: "../login"

    @property
    def login_handler(self) -> None:
        return None

    @property
    def logout_url(self) -> None:
        return None

    @property
    def logout_handler(self) -> None:
        return None


class Secured(RequestHandler):  # type: ignore[misc]  # tornado is not followed
    """Headers, and error pages in our own words."""

    def set_default_headers(self) -> None:
        """Put ours on every answer."""
        for name, value in SECURITY_HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say it in our own words."""
        title, text = {
            403: ("This page is not open to you.", "Log in again, or ask who invited you."),
            404: ("There is no such page.", "The address may be old or mistyped."),
            503: ("The login service does not answer.", "Try again in a minute."),
        }.get(status_code, ("Something broke on our side.", "Try again in a minute."))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # Reason: assets lie beside the boards, whatever stands before them in the public address.
        prefix = self.settings.get("boards_prefix", "")
        deeper = self.request.path.removeprefix(prefix).strip("/").count("/")
        root = "../" * deeper
        chosen = self.get_cookie("adlab_theme", "")
        theme = chosen if chosen in ("light", "dark") else "auto"
        button = ("Start page", places().home)
        self.finish(message_page(title, text, root=root, button=button, theme=theme))


class BoardPage(Secured, panel_server.DocHandler):  # type: ignore[misc]
    """A board's first document."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Serve it to those who are logged in; send others to the login."""
        # Reason: these would attach a browser to a session of somebody else's choosing.
        if any(a in self.request.arguments for a in _FORBIDDEN_ARGUMENTS) or (
            "Bokeh-Session-Id" in self.request.headers
        ):
            self.send_error(403)
            return
        if self.current_user is None:
            GUARD[0].send_to_login(self)
            return
        GUARD[0].renew(self)
        await super().get(*args, **kwargs)
        self.set_header("Content-Type", "text/html; charset=utf-8")


class BoardSocket(panel_server.WSHandler):  # type: ignore[misc]
    """A board's websocket; refused without the cookie of the person the page was made for."""

    _unfinished = 0

    async def prepare(self) -> None:
        """Refuse pages of other addresses before anything else."""
        origin = self.request.headers.get("Origin")
        # Reason: since 6.6 Tornado lets an origin pass unasked when it equals the host asked for,
        # which a host name that was pointed at us also does. Ours are named, all of them.
        if origin is not None and not self.check_origin(origin):
            self.set_status(403)
            self.finish()
            return
        await super().prepare()

    async def send_message(self, message: Any) -> None:
        """Send a message of Bokeh's; of an error only that there was one."""
        if message.msgtype == "ERROR":
            # Reason: Bokeh sends the trace, with the server's paths and the values in hand.
            message.content = {"text": "This could not be done.", "traceback": None}
        await super().send_message(message)

    async def _receive(self, fragment: str | bytes) -> Any:
        self._unfinished += len(fragment)
        # Reason: a message may announce a billion parts, each within the limit of one frame.
        if self._unfinished > MOST_OF_A_MESSAGE:
            self._protocol_error("too much")
            return None
        message = await super()._receive(fragment)
        if message is not None:
            self._unfinished = 0
        return message

    async def _handle(self, message: Any) -> Any:
        # Reason: a browser changes a property of a document; it never brings one of its own.
        if message.msgtype == "PUSH-DOC":
            self._protocol_error("not expected")
            return None
        return await super()._handle(message)


class Seen(Secured):
    """Tells an open page whether its session lasts, and renews it while somebody is there."""

    async def post(self) -> None:
        """204 while the session lasts, 401 when it is over."""
        lasts = await GUARD[0].still_there(self, self.request.query != "idle")
        self.set_status(204 if lasts else 401)


class Assets(Secured):
    """Our own files, compressed once and kept by browsers for good."""

    def get(self, asked: str, name: str) -> None:
        """Serve one."""
        asset: Asset | None = load_assets().get(name)
        if asset is None:
            self.send_error(404)
            return
        fresh = asked == version()
        keep = "public, max-age=31536000, immutable" if fresh else "no-cache"
        self.set_header("Cache-Control", keep)
        self.set_header("Content-Type", asset.media_type)
        self.set_header("Vary", "Accept-Encoding")
        if asset.zipped and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(asset.zipped)
        else:
            self.finish(asset.body)

    head = get


class Start(Secured):
    """The boards' own address leads to the person's start page."""

    def get(self) -> None:
        """Go there."""
        self.redirect(places().home)


class Nowhere(Secured):
    """Any address without a board."""

    def prepare(self) -> None:
        """Say so."""
        self.send_error(404)


class Alive(RequestHandler):  # type: ignore[misc]  # tornado is not followed
    """Says that the process answers."""

    def get(self) -> None:
        """A few bytes."""
        self.set_header("Content-Type", "application/json")
        self.finish('{"status":"ok"}')


GUARD: list[Guard] = []


def install(guard: Guard) -> None:
    """Put our page and socket handlers in place of Panel's; leave its other addresses out."""
    from bokeh.server.urls import per_app_patterns

    GUARD[:] = [guard]
    per_app_patterns[:] = [(r"/ws", BoardSocket), (r"/?", BoardPage)]


def patterns(guard: Guard) -> list[tuple[Any, ...]]:
    """Addresses beside the boards themselves."""
    return [
        (r"/assets/([0-9a-f]+)/([A-Za-z0-9._-]+)", Assets),
        (r"/seen", Seen),
        (r"/alive", Alive),
        (r"/?", Start),
        *guard.patterns(),
    ]
