"""The web process: `python -m adlab.web.app --port 8601`. Login, home, health; no boards."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.types import ASGIApp

from adlab.core.errors import AdlabError, HubUnavailableError
from adlab.storage.engine import connect_engine
from adlab.ui.assets import load_assets, version
from adlab.ui.pages import message_page
from adlab.ui.places import places, read_places, set_places
from adlab.web import admin, clients, connect, connect_meta, health, pages
from adlab.web.api import app as api
from adlab.web.config import WebConfig, read_config
from adlab.web.headers import SECURITY_HEADERS
from adlab.web.hub import HubIdentity
from adlab.web.login import HubLogin, LinkLogin, Login
from adlab.web.sessions import Session, Sessions
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
    sessions = Sessions(config.session_key)
    app.state.sessions = sessions
    app.state.viewers = viewers
    hub = HubIdentity(sessions.keys) if config.behind_hub else None
    app.state.hub = hub
    app.state.login = LinkLogin(sessions, viewers) if hub is None else HubLogin(hub, viewers)
    _add_headers(app)
    _add_errors(app)
    _add_pages(app)
    app.state.login.add_routes(app)
    return app


def make_site(config: WebConfig) -> ASGIApp:
    """The pages with the REST API beside them, each below its path of the public address.

    Reason: the hub's proxy passes the whole path on.

    Args:
        config: See `WebConfig`.
    """
    pages_app = make_app(config)
    parts = api.make_parts(config, pages_app.state.sessions.keys, pages_app.state.hub)
    v1, seed = api.make_api(parts)
    rest: ASGIApp = pages_app
    if config.prefix:
        rest = Starlette(routes=[Mount(config.prefix, pages_app)])
    return api.Beside({api.V1: v1, api.SEED: seed}, rest)


def current(request: Request) -> tuple[Session, Viewer] | None:
    """The session and the person behind a request, or None."""
    login: Login = request.app.state.login
    return login.who(request)


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
        button = ("Start page", places().home)
        if status < 500:
            return pages.message(request, title, text, status, _root(request), button)
        return HTMLResponse(message_page(title, text, root=_root(request), button=button), status)

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            text = "The address may be old or mistyped."
            return page(request, 404, "There is no such page.", text)
        return page(request, error.status_code, "This did not work.", str(error.detail))

    @app.exception_handler(HubUnavailableError)
    async def silent(request: Request, error: HubUnavailableError) -> Response:
        return page(request, 503, error.message, error.remedy)

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

    pages.add_pages(app)
    admin.add_admin_pages(app)
    clients.add_client_pages(app)
    connect.add_connect_pages(app)
    connect_meta.add_meta_callbacks(app)


def _root(request: Request) -> str:
    """The relative way from a page to the start page."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "../" * max(0, path.count("/") - 1)


def main() -> None:
    """Read the arguments and serve."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m adlab.web.app")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        config = read_config()
        set_places(read_places(os.environ))
        app = make_site(config)
    except AdlabError as error:
        sys.exit(str(error))
    # Reason: an access log would keep one-time tokens, which stand in the address.
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False,
                server_header=False, forwarded_allow_ips="127.0.0.1")  # fmt: skip


if __name__ == "__main__":
    main()
