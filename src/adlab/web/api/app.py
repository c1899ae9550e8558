"""The API as ASGI applications, and their place beside the pages of the web process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from adlab.realtime.calls import CallCounter
from adlab.storage.engine import connect_engine
from adlab.ui.pages import render
from adlab.web.api import changes, connections, entries, models, numbers, objects, seed
from adlab.web.api.auth import Gate
from adlab.web.api.edge import Edge
from adlab.web.api.notes import Notes
from adlab.web.api.problems import MEDIA_TYPE, Problem, ProblemBody, add_problems
from adlab.web.api.tokens import TokenSigner
from adlab.web.config import WebConfig
from adlab.web.hub import HubIdentity
from adlab.web.viewers import Viewers

V1, SEED = "/api/v1", "/api/meta"
POOL_SIZE = 12

_ABOUT = """
Everything is read as the person behind the token; the database decides what they see. What is not
there and what belongs to somebody else read the same: 404.

Tokens come from `adlab token create`, or from the hub. Scopes: `read`, `propose`, `connect`,
`audit`. Requests are counted per token and minute; see the `RateLimit-…` headers.

Ids are text. Amounts stand beside their currency and are never added up over currencies. Days are
of each account's own calendar. null means not known.
"""
_ANSWERS = {
    400: "The request cannot be read.",
    401: "No token, or none that holds; see WWW-Authenticate.",
    403: "The token's scope or the person's role does not include this.",
    404: "There is no such object, or you may not see it.",
    409: "It does not fit the state of things.",
    413: "The request is too large.",
    414: "The address is too long.",
    422: "The request cannot be answered as asked.",
    429: "Too many requests; see Retry-After.",
    503: "The store or the hub does not answer just now; see Retry-After.",
}


@dataclass(frozen=True)
class ApiParts:
    """What the API works with.

    Attributes:
        gate: Lets people in.
        notes: Where calls are written down.
        config: Of the web process.
    """

    gate: Gate
    notes: Notes
    config: WebConfig


def make_api(parts: ApiParts) -> tuple[ASGIApp, ASGIApp]:
    """Both applications: what lies below `/api/v1`, and what lies below `/api/meta`."""
    api = _make(parts, "adlab REST API")
    for router in (objects.router, numbers.router, changes.router, connections.router,
                   entries.router):  # fmt: skip
        api.include_router(router)
    api.include_router(_open(parts))
    aliases = _make(parts, "adlab REST API: /api/meta")
    aliases.include_router(seed.router)
    described = describe(api, aliases)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(described)

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render("api_docs", described=described, operations=_listed(described)))

    return Edge(api, parts.notes, V1), Edge(aliases, parts.notes, SEED)


class Beside:
    """Applications below paths of their own, and one for everything else.

    Reason: a mount of Starlette does not take addresses with a line break in them, and hands them
    on to pages that answer in another form.

    Args:
        places: Path → application.
        rest: For all other paths.
    """

    def __init__(self, places: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._places, self._rest = dict(places), rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        for place, app in self._places.items():
            if path == place or path.startswith(f"{place}/"):
                inner = dict(scope) | {"root_path": scope.get("root_path", "") + place}
                await app(inner, receive, send)
                return
        await self._rest(scope, receive, send)


def describe(api: FastAPI, aliases: FastAPI) -> dict[str, Any]:
    """One OpenAPI document of both, with full paths."""
    found: dict[str, Any] = {}
    for app, place in ((api, V1), (aliases, SEED)):
        part = get_openapi(
            title="adlab REST API", version=version("adlab"), description=_ABOUT.strip(),
            routes=app.routes,
        )  # fmt: skip
        paths = {place + path: item for path, item in part["paths"].items()}
        if not found:
            found = part | {"paths": paths}
            continue
        found["paths"] |= paths
        schemas = found["components"]["schemas"]
        for name, schema in part["components"]["schemas"].items():
            if schemas.setdefault(name, schema) != schema:
                raise RuntimeError(f"two schemas are called {name}")
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    found["components"]["schemas"] |= problem.pop("$defs") | {"ProblemBody": problem}
    found["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "From `adlab token create`, "
                  "or a token of the hub."}
    }  # fmt: skip
    for path, item in found["paths"].items():
        for operation in item.values():
            if path != f"{V1}/healthz":
                operation["security"] = [{"token": []}]
    return found


def _make(parts: ApiParts, title: str) -> FastAPI:
    app = FastAPI(
        title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
        responses={
            status: {
                "description": text,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
            }
            for status, text in _ANSWERS.items()
        },
    )  # fmt: skip
    app.state.gate, app.state.config = parts.gate, parts.config
    add_problems(app)
    return app


def _open(parts: ApiParts) -> APIRouter:
    """What needs no token."""
    router = APIRouter(tags=["Service"])

    @router.get("/healthz")
    def healthz() -> models.Health:
        """Whether the API answers and reaches its store; needs no token."""
        try:
            parts.gate.viewers.ping()
        except Exception:
            raise Problem(503, "The store cannot be reached just now.") from None
        return models.Health(status="ok")

    return router


def _listed(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Operations for the page of documentation, by path."""
    return [
        {
            "method": method.upper(), "path": path, "text": operation.get("description", ""),
            "parameters": [
                {"name": p["name"], "text": p.get("description", "")}
                for p in operation.get("parameters", ())
            ],
        }
        for path, item in described["paths"].items()
        for method, operation in item.items()
    ]  # fmt: skip


def make_parts(
    config: WebConfig, keys: Sequence[bytes], hub: HubIdentity | None,
    clock: Callable[[], float] = time.time,
) -> ApiParts:  # fmt: skip
    """Parts of the API, with connections of their own.

    Args:
        config: Of the web process.
        keys: Of the session ring, newest first.
        hub: Knows the hub's tokens; None without a hub.
        clock: Epoch seconds; tests move it.
    """
    engine = connect_engine(config.database_url, pool_size=POOL_SIZE, application="adlab api")
    viewers = Viewers(engine)
    counter = CallCounter(config.redis_url, clock)
    gate = Gate(engine, viewers, TokenSigner(keys), hub, counter, config.api_per_minute, clock)
    return ApiParts(gate, Notes(viewers, clock), config)
