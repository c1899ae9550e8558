"""Forms that only their own page can send: a token bound to the session, and whence they came."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from adlab.web.sessions import Session

FIELD = "form"
MOST_BYTES = 20_000
MOST_LIST_BYTES = 60_000


class ForeignFormError(Exception):
    """A form that did not come from our own page; never carried out."""


def form_token(key: bytes, session: Session) -> str:
    """What a form of this session carries; another session's does not fit."""
    text = f"adlab form|{session.person_id}|{session.started_at}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form, each once; nothing else is taken.

    Raises:
        ForeignFormError: If it is no plain form, or too large.
    """
    pairs = await _read(request, MOST_BYTES, 30)
    return {k: v[-1].strip() for k, v in pairs.items()}


async def read_lists(request: Request) -> dict[str, list[str]]:
    """The fields of a posted form with boxes to tick, each with all it was sent with.

    Raises:
        ForeignFormError: If it is no plain form, or too large.
    """
    pairs = await _read(request, MOST_LIST_BYTES, 2000)
    return {k: [t.strip() for t in v] for k, v in pairs.items()}


async def _read(request: Request, most: int, fields: int) -> dict[str, list[str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ForeignFormError
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise ForeignFormError
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=fields)
    except ValueError:
        raise ForeignFormError from None


def check_form(
    request: Request, given: dict[str, str], keys: Sequence[bytes], session: Session
) -> None:
    """Refuse a form that another site, or another session's page, has sent.

    Raises:
        ForeignFormError: If so.
    """
    check_origin(request)
    check_token(given, [form_token(key, session) for key in keys])


def check_origin(request: Request) -> None:
    """Refuse what another site's page has sent.

    Raises:
        ForeignFormError: If so.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site != "same-origin" or (origin is not None and not _is_ours(request, origin)):
        raise ForeignFormError


def check_token(given: dict[str, str], fitting: Sequence[str]) -> None:
    """Refuse a form that carries none of these tokens.

    Raises:
        ForeignFormError: If so.
    """
    offered = given.get(FIELD, "").encode()
    if not any(hmac.compare_digest(offered, token.encode()) for token in fitting):
        raise ForeignFormError


def _is_ours(request: Request, origin: str) -> bool:
    """Whether an Origin names this house; `null` does not.

    Reason: proxies end TLS and may rename the host; both names come from them, not from a page.
    """
    host = urlsplit(origin).netloc.lower()
    names = (request.headers.get("host", ""), request.headers.get("x-forwarded-host", ""))
    return bool(host) and host in {n.lower() for n in names if n}
