"""The web process: `python -m adlab.web.app --port 8601`. Login, home, health; no boards."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from adlab.core.errors import AdlabError
from adlab.storage.engine import connect_engine
from adlab.ui.assets import load_assets, version
from adlab.ui.pages import house_brand, message_page, render
from adlab.web import health, home
from adlab.web.config import WebConfig, read_config
from adlab.web.headers import SECURITY_HEADERS
from adlab.web.sessions import COOKIE, Session, Sessions, cookie_flags, safe_next
from adlab.web.viewers import Viewer, Viewers

log = logging.getLogger(__name__)


def make_app(config: WebConfig) -> FastAPI:
    """The application.

    Args:
        config: See `WebConfig`.
    """
    app = FastAPI(title="adlab", docs_url=None, redoc_url=None, openapi_url=None)
    viewers = Viewers(connect_engine(config.database_url, pool_size=4, application="adlab web"))
    app.state.config = config
    app.state.sessions = Sessions(config.session_key)
    app.state.viewers = viewers
    _add_headers(app)
    _add_errors(app)
    _add_pages(app)
    _add_login(app)
    return app


def current(request: Request) -> tuple[Session, Viewer] | None:
    """The session and the person behind a request, or None."""
    sessions: Sessions = request.app.state.sessions
    session = sessions.read(request.cookies.get(COOKIE))
    if session is None:
        return None
    viewer = request.app.state.viewers.find(session.person_id)
    return None if viewer is None else (session, viewer)


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def secure(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        for name, value in SECURITY_HEADERS.items():
            answer.headers.setdefault(name, value)
        if not request.url.path.startswith("/assets/"):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _add_errors(app: FastAPI) -> None:
    def page(request: Request, status: int, title: str, text: str) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": title, "remedy": text}, status)
        root = _root(request)
        body = message_page(title, text, root=root, button=("Start page", "/"))
        return HTMLResponse(body, status)

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            text = "The address may be old or mistyped."
            return page(request, 404, "There is no such page.", text)
        return page(request, error.status_code, "This did not work.", str(error.detail))

    @app.exception_handler(AdlabError)
    async def ours(request: Request, error: AdlabError) -> Response:
        log.error("request_failed path=%s error=%s", request.url.path, type(error).__name__)
        return page(request, 503, "The store cannot be reached just now.",
                    "Nothing is lost. Try again in a minute.")  # fmt: skip

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        return page(request, 500, "Something broke on our side.", "Try again in a minute.")


def _add_pages(app: FastAPI) -> None:
    @app.get("/healthz")
    def healthz(request: Request) -> Response:
        found = health.check(request.app.state.viewers, request.app.state.config)
        return JSONResponse(found, 200 if found["status"] == "ok" else 503)

    @app.get("/assets/{asked}/{name}")
    def assets(request: Request, asked: str, name: str) -> Response:
        asset = load_assets().get(name)
        if asset is None:
            raise HTTPException(404)
        headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
        if asked == version():
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        body = asset.body
        if asset.zipped and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"], body = "gzip", asset.zipped
        return Response(body, media_type=asset.media_type, headers=headers)

    @app.get("/")
    def start(request: Request) -> Response:
        found = current(request)
        if found is None:
            return RedirectResponse("login", 303)
        session, viewer = found
        reader = request.app.state.viewers.reader(viewer)
        cards = home.load_cards(reader)
        if len(cards) == 1 and viewer.role.startswith("client"):
            answer: Response = RedirectResponse(f"boards/client?client={quote(cards[0].slug)}", 303)
        else:
            answer = HTMLResponse(
                render(
                    "home", cards=cards, viewer=viewer, brand=house_brand(),
                    theme=_theme(request), demo=request.app.state.config.demo,
                )
            )  # fmt: skip
        _renew(request, answer, session)
        return answer


def _add_login(app: FastAPI) -> None:
    @app.get("/login")
    def login(request: Request) -> Response:
        if current(request) is not None:
            return RedirectResponse(safe_next(request.query_params.get("next")), 303)
        return HTMLResponse(
            message_page(
                "You are not logged in.",
                "Open the link you were sent. Each link works once and for a day; when yours no "
                "longer works, ask the agency for a new one.",
            )
        )

    @app.get("/login/{token}")
    def use_link(request: Request, token: str) -> Response:
        # Reason: browsers and mail scanners that only look ahead must not use the link up.
        ahead = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
        if "prefetch" in ahead or "preview" in ahead:
            return Response(status_code=204)
        nonce = request.app.state.sessions.read_link(token)
        person_id = request.app.state.viewers.use_login_link(nonce) if nonce else None
        if person_id is None:
            return HTMLResponse(
                message_page(
                    "This link has been used or has expired.",
                    "Each login link works once and for a day. Ask the agency for a new one.",
                    root="../",
                ),
                410,
            )
        target = safe_next(request.query_params.get("next"))
        answer = RedirectResponse(f"..{target}", 303)
        _set_cookie(request, answer, request.app.state.sessions.issue(person_id))
        return answer

    @app.api_route("/logout", methods=["GET", "POST"])
    def logout(request: Request) -> Response:
        answer = HTMLResponse(
            message_page("You are logged out.", "Open boards in other tabs close within a minute.")
        )
        answer.delete_cookie(COOKIE, path="/")
        return answer


def _set_cookie(request: Request, answer: Response, value: str) -> None:
    flags: dict[str, Any] = cookie_flags(_is_https(request))
    answer.set_cookie(COOKIE, value, **flags)


def _renew(request: Request, answer: Response, session: Session) -> None:
    fresh = request.app.state.sessions.renew(session)
    if fresh is not None:
        _set_cookie(request, answer, fresh)


def _theme(request: Request) -> str:
    chosen = request.cookies.get("adlab_theme", "")
    return chosen if chosen in ("light", "dark") else "auto"


def _is_https(request: Request) -> bool:
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"


def _root(request: Request) -> str:
    """The relative way from a page to the start page."""
    return "../" * max(0, request.url.path.count("/") - 1)


def main() -> None:
    """Read the arguments and serve."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m adlab.web.app")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        app = make_app(read_config())
    except AdlabError as error:
        sys.exit(str(error))
    # Reason: an access log would keep one-time tokens, which stand in the address.
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False,
                server_header=False, forwarded_allow_ips="127.0.0.1")  # fmt: skip


if __name__ == "__main__":
    main()
