"""Whatever goes wrong becomes one kind of answer: `application/problem+json` of RFC 9457.

A problem names neither clients nor objects nor statements: what is missing and what belongs to
somebody else read the same. Only the number of the request differs, so that it is found in logs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    ChangeRefusedError,
    ConcurrentWriteError,
    ConflictError,
    DatabaseUnavailableError,
    DataError,
    HubUnavailableError,
    UnknownObjectError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
_TITLES = {
    400: "The request is malformed",
    401: "Who are you?",
    403: "You may not do this",
    404: "There is no such thing",
    405: "This method is not offered here",
    406: "This form of answer is not offered",
    409: "This does not fit the state of things",
    413: "This is too much",
    414: "The address is too long",
    415: "This form of request is not offered",
    422: "The request cannot be answered as asked",
    429: "Too many requests",
    500: "Something broke on our side",
    503: "This cannot be done just now",
}


class FieldError(BaseModel):
    """What is wrong with one part of a request."""

    field: str = Field(description="Where: `query.metrics`, `body.amount`.")
    message: str = Field(description="What is wrong with it.")


class ProblemBody(BaseModel):
    """An answer that is none: why, and what to do (RFC 9457)."""

    type: str = Field(description="Kind of problem, as a URI.")
    title: str = Field(description="The same in a few words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What happened, and what to do.")
    instance: str = Field(description="This request, as a URI; name it when you ask us.")
    errors: list[FieldError] | None = Field(
        default=None, description="Parts of the request that are wrong, for 422."
    )


class Problem(Exception):
    """Stops a request with a problem.

    Args:
        status: HTTP status.
        detail: What happened, and what to do.
        kind: Last part of the problem's type; the status when omitted.
        headers: Headers besides.
    """

    def __init__(
        self, status: int, detail: str, kind: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind = status, detail, kind
        self.headers = dict(headers or {})


def not_found() -> Problem:
    """The one answer for what is not there, and for what is somebody else's."""
    return Problem(404, "There is no such object, or you may not see it.")


def unauthorized(detail: str, error: str = "") -> Problem:
    """Refuse whoever has not proved who they are.

    Args:
        detail: Why.
        error: Error code of RFC 6750; "" where no token came.
    """
    challenge = 'Bearer realm="adlab"'
    if error:
        plain = re.sub(r"[^ !#-\[\]-~]", "'", detail)
        challenge += f', error="{error}", error_description="{plain}"'
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})


def body_of(request_id: str, status: int, detail: str, kind: str = "",
            errors: Iterable[tuple[str, str]] | None = None) -> dict[str, Any]:  # fmt: skip
    """A problem as JSON."""
    found: dict[str, Any] = {
        "type": f"urn:adlab:problem:{kind or status}",
        "title": _TITLES.get(status, "This did not work"),
        "status": status,
        "detail": detail,
        "instance": f"urn:adlab:request:{request_id}",
    }
    if errors is not None:
        found["errors"] = [{"field": f, "message": m} for f, m in errors]
    return found


def add_problems(app: FastAPI) -> None:
    """Turn every error of an app into a problem."""

    @app.exception_handler(Problem)
    async def ours(request: Request, error: Exception) -> Response:
        found = cast("Problem", error)
        return _answer(request, found.status, found.detail, found.kind, headers=found.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        found = cast("HTTPException", error)
        if found.status_code == 404:
            # Reason: an address that leads nowhere reads like an object that is not there.
            return _answer(request, 404, not_found().detail)
        detail = {
            405: "This address is there, but not for this method.",
            400: "The request could not be read; send UTF-8 JSON.",
        }.get(found.status_code, "The request was not taken.")
        return _answer(request, found.status_code, detail, headers=dict(found.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: Exception) -> Response:
        found = cast("RequestValidationError", error)
        wrong = [_field(e) for e in found.errors()[:MOST_ERRORS]]
        return _answer(request, 422, "Parts of the request are wrong; see errors.", errors=wrong)

    @app.exception_handler(AdlabError)
    async def known(request: Request, error: Exception) -> Response:
        problem = of_error(cast("AdlabError", error))
        if problem.status >= 500:
            log.error("api_failed error=%s", type(error).__name__)
        return _answer(
            request, problem.status, problem.detail, problem.kind, headers=problem.headers
        )

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        return _answer(request, 500, "It was noted. Try again in a minute.")


def of_error(error: AdlabError) -> Problem:
    """The problem that says what an error of ours says, and no more than people may know."""
    text = str(error)
    if isinstance(error, UnknownObjectError):
        return not_found()
    if isinstance(error, ChangeRefusedError | ConflictError):
        return Problem(409, text)
    if isinstance(error, DataError):
        return Problem(422, text)
    if isinstance(error, ConcurrentWriteError):
        return Problem(409, "Somebody else wrote the same at the same moment. Try again.")
    if isinstance(error, HubUnavailableError):
        return Problem(503, text, headers={"Retry-After": "30"})
    if isinstance(error, AccessDeniedError):
        return Problem(403, "You may not do this.")
    if _sqlstate(error) == "57014":
        return Problem(
            422, "The answer took too long and was stopped. Ask for fewer days or objects.",
            "too-slow",
        )  # fmt: skip
    if isinstance(error, DatabaseUnavailableError):
        return Problem(503, "The store cannot be reached just now. Try again in a minute.",
                       headers={"Retry-After": "30"})  # fmt: skip
    return Problem(500, "It was noted. Try again in a minute.")


def _sqlstate(error: AdlabError) -> str:
    cause = error.__cause__
    return str(getattr(getattr(cause, "orig", cause), "sqlstate", "") or "")


def _field(error: Mapping[str, Any]) -> tuple[str, str]:
    where = ".".join(str(p) for p in error.get("loc", ())[:4])
    # Reason: the input itself is not repeated; it may be anything, and a secret besides.
    message = str(error.get("msg", "is wrong")).removeprefix("Value error, ")
    clean = re.sub(r"[^\x20-\x7e]", "?", where)[:100]
    return clean, message.encode("utf-8", "replace").decode()[:500]


def _answer(
    request: Request, status: int, detail: str, kind: str = "", *,
    headers: Mapping[str, str] | None = None, errors: list[tuple[str, str]] | None = None,
) -> Response:  # fmt: skip
    number = request.scope.get("state", {}).get("request_id", "unknown")
    return JSONResponse(
        body_of(number, status, detail, kind, errors), status, dict(headers or {}),
        media_type=MEDIA_TYPE,
    )  # fmt: skip
