"""Asking the desk: what the web process may not do itself, it has done there."""

from __future__ import annotations

import logging
import os
from typing import Any

import httpx
from fastapi import Request

from adlab.web.pages import Caller

log = logging.getLogger(__name__)

# Reason: Meta may take its time to look at a token and an account.
DESK_SECONDS = 90.0


def ask_as(caller: Caller, what: str, body: dict[str, str]) -> dict[str, Any]:
    """Have the desk do something in this person's name; its answer, or why there is none."""
    return ask(caller.request, what, {**body, "person_id": str(caller.viewer.person_id)})


def ask(request: Request, what: str, body: dict[str, str]) -> dict[str, Any]:
    """Have the desk do something; its answer with `http_status`, or why there is none."""
    desk = _desk(request)
    if desk is None:
        return {"ok": False, "error": "This installation adds clients on the command line."}
    url, key = desk
    try:
        told = httpx.post(
            f"{url.rstrip('/')}/{what}", json=body,
            headers={"Authorization": f"Bearer {key}"}, timeout=DESK_SECONDS, trust_env=False,
        )  # fmt: skip
        answer = told.json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("desk_silent what=%s error=%s", what, type(error).__name__)
        return {"ok": False, "error": "The desk does not answer just now.",
                "remedy": "Try again in a minute."}  # fmt: skip
    return (
        {**answer, "http_status": told.status_code} if isinstance(answer, dict) else {"ok": False}
    )


def is_open(request: Request) -> bool:
    """Whether there is a desk."""
    return _desk(request) is not None


def _desk(request: Request) -> tuple[str, str] | None:
    """Where the desk is and what it asks for, or None where there is none."""
    config = request.app.state.config
    url = config.desk_url or os.environ.get("ADLAB_WEB__DESK_URL", "")
    key = config.desk_key or os.environ.get("ADLAB_WEB__DESK_KEY", "")
    return (url, key) if url and key else None
