"""What Meta calls: a user removed the app, or wants their data deleted; and the status of that.

Only verified at the desk, which has the app's secret. Whoever calls without Meta's signature learns
nothing but that it was refused.
"""

from __future__ import annotations

import re
from datetime import datetime

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from adlab.ui.places import places
from adlab.web import asking, forms, pages


def add_meta_callbacks(app: FastAPI) -> None:
    """`meta/deauthorize`, `meta/deletion`, `meta/deletion/CODE`."""

    @app.post("/meta/deauthorize")
    async def deauthorize(request: Request) -> Response:
        return await _signed(request, "meta/deauthorize", ())

    @app.post("/meta/deletion")
    async def deletion(request: Request) -> Response:
        return await _signed(request, "meta/deletion", ("url", "confirmation_code"))

    @app.get("/meta/deletion/{code}")
    def status(request: Request, code: str) -> Response:
        return _status(request, code)


async def _signed(request: Request, what: str, told: tuple[str, ...]) -> Response:
    try:
        given = await forms.read_form(request)
    except forms.ForeignFormError:
        return JSONResponse({"error": "A form field signed_request is needed."}, 400)
    body = {"signed_request": given.get("signed_request", ""), "home": places().home}
    answer = await run_in_threadpool(asking.ask, request, what, body)
    if answer.get("ok"):
        return JSONResponse({n: answer[n] for n in told})
    error = str(answer.get("error", ""))
    refused = error.startswith("This signed_request was refused")
    # Reason: 503 tells Meta to come again.
    return JSONResponse({"error": error if refused else "Try again."}, 403 if refused else 503)


def _status(request: Request, code: str) -> Response:
    found = (
        asking.ask(request, "meta/status", {"request": code})
        if re.fullmatch(r"[A-Za-z0-9_-]{10,100}", code)
        else {"error": "There is no such request."}
    )
    if not found.get("ok"):
        if str(found.get("error", "")).startswith("There is no such"):
            raise HTTPException(404)
        raise HTTPException(503, "The status cannot be read just now. Try again in a minute.")
    asked = _day(found["requested_at"])
    if found["state"] == "done":
        title = "The data was deleted."
        text = (
            f"Requested on {asked}, done on {_day(found['done_at'])}. Deleted: access tokens, and "
            "the id and name of the person at Facebook. Advertising results name nobody and stay "
            "with the business they belong to."
        )
    else:
        title = "The data is being deleted."
        text = f"Requested on {asked}. It is usually done within an hour."
    return pages.message(request, title, text, 200, pages.root_of(request))


def _day(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%d %b %Y}"
