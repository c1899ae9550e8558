"""The desk: does for the web endpoints what needs an operator, and nothing else.

The web process holds no owner's rights and no key that seals tokens, and must not. So the parent
process, which holds both, runs this small service beside its other work: it listens on the
loopback address alone, takes requests that carry its key, proves in the database that the person
asking exists and may operate, and calls the same services as the command line. Access tokens pass
through; they are neither logged nor answered.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import socket
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    ConflictError,
    EmbeddedServerError,
    MetaError,
    RejectedRequestError,
    UnknownObjectError,
)
from adlab.core.roles import Right, has_right
from adlab.logs import keep_addresses_out
from adlab.services.access import MetaAccess, connect_account
from adlab.services.connections import ConnectionParts
from adlab.storage.clients import load_clients, store_client
from adlab.storage.engine import transaction
from adlab.storage.statements import statement
from adlab.vault import Vault

log = logging.getLogger(__name__)

MOST_BYTES = 20_000
# Fields of requests that no answer ever repeats.
SECRET = ("token", "code", "state", "browser", "nonce", "signed_request")
START_SECONDS = 20.0
PASTE_ANOTHER = "Make a new token in Business settings and paste it here."


@dataclass(frozen=True)
class DeskParts:
    """What the desk works with.

    Attributes:
        engine: The owner's engine.
        vault: Seals tokens.
        meta: Where the Graph API is.
        after_connect: Told the client's slug when an account was connected; starts its first sync
            and returns at once.
        address: The public address, without a slash at its end; where Meta sends browsers back to.
        now: Current aware time.
    """

    engine: Engine
    vault: Vault
    meta: MetaAccess
    after_connect: Callable[[str], None] = lambda _slug: None
    address: Callable[[], str] = lambda: ""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def connections(self) -> ConnectionParts:
        """What services of connections need."""
        return ConnectionParts(self.engine, self.vault, self.meta)

    def connected(self, slug: str) -> None:
        """Let the first sync of a client begin."""
        try:
            self.after_connect(slug)
        except Exception as error:
            # Reason: the account is connected; the next scheduled sync reads it, too.
            log.error("after_connect_failed client=%s error=%s", slug, type(error).__name__)


class RefusedError(Exception):
    """A request that is answered with a reason."""

    def __init__(self, status: int, error: str, remedy: str = "", field: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.remedy, self.field = status, error, remedy, field


Work = Callable[[DeskParts, str, dict[str, str]], dict[str, Any]]


def make_desk(parts: DeskParts, key: str) -> Starlette:
    """The application.

    `POST /clients` takes person_id, name and perhaps slug, currency, timezone; `POST /accounts`
    takes person_id, slug, account and token. Both answer JSON with `ok`; when it is false, `error`,
    `remedy` and perhaps the `field` it is about. What it does for Facebook Login, invitations and
    Meta's callbacks is in `connect_desk`.

    Args:
        parts: See `DeskParts`.
        key: What requests carry as their bearer token.

    Raises:
        ValueError: If the key is too short to be one.
    """
    if len(key) < 32:
        raise ValueError("the desk's key has at least 32 characters")
    # Reason: whoever hosts the desk may have set up logging in a way of their own.
    keep_addresses_out()

    # Reason: it needs what is above; this is the one place where both meet.
    from adlab.web import connect_desk

    def route(path: str, work: Work, *, by_operators: bool = True) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _serve(request, parts, key, work, by_operators)

        return Route(path, endpoint, methods=["POST"])

    return Starlette(
        routes=[
            route("/clients", _add_client),
            route("/accounts", _connect),
            *(route(path, work) for path, work in connect_desk.BY_OPERATORS.items()),
            *(route(p, work, by_operators=False) for p, work in connect_desk.BY_ANYBODY.items()),
        ]
    )


async def _serve(
    request: Request, parts: DeskParts, key: str, work: Work, by_operators: bool
) -> Response:
    secret: list[str] = []
    try:
        _check_key(request, key)
        given = await _read(request)
        secret = [v for n, v in given.items() if n in SECRET and len(v) > 3]
        answer = await run_in_threadpool(_do, parts, given, work, by_operators)
        return JSONResponse({"ok": True, **answer})
    except RefusedError as refused:
        found = {"error": refused.error, "remedy": refused.remedy, "field": refused.field}
        status = refused.status
    except MetaError as error:
        field = "account" if isinstance(error, RejectedRequestError) else "token"
        # Reason: the remedy of a dead token names a command; whoever reads this has a form.
        remedy = PASTE_ANOTHER if "adlab account connect" in error.remedy else error.remedy
        found = {"error": _stopped(error.message), "remedy": remedy, "field": field}
        status = 422
    except AdlabError as error:
        log.warning("desk_failed work=%s error=%s", work.__name__, type(error).__name__)
        found, status = {"error": error.message, "remedy": error.remedy, "field": ""}, 503
    except Exception as error:
        # Reason: the text of an unexpected error may hold anything, a token too; its kind may not.
        log.error("desk_broke work=%s error=%s", work.__name__, type(error).__name__)
        found, status = {"error": "Something broke on our side.", "remedy": "Try again.",
                         "field": ""}, 500  # fmt: skip
    for text in secret:
        found = {k: v.replace(text, "…") for k, v in found.items()}
    return JSONResponse({"ok": False, **found}, status)


def _check_key(request: Request, key: str) -> None:
    kind, _, offered = request.headers.get("authorization", "").partition(" ")
    fits = hmac.compare_digest(offered.strip().encode(), key.encode())
    if kind.lower() != "bearer" or not fits:
        raise RefusedError(401, "This desk does not know you.")


async def _read(request: Request) -> dict[str, str]:
    import json

    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise RefusedError(413, "This is too much.")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RefusedError(400, "This is not a request.")
    found = {str(k): str(v).strip() for k, v in given.items() if isinstance(v, str | int)}
    # Reason: the store's texts hold neither NUL nor half a character; said here, once for all.
    if any("\0" in v or re.search("[\ud800-\udfff]", v) for v in found.values()):
        raise RefusedError(400, "This is not a request.")
    return found


def _do(parts: DeskParts, given: dict[str, str], work: Work, by_operators: bool) -> dict[str, Any]:
    actor = operator(parts.engine, given.get("person_id", "")) if by_operators else ""
    return work(parts, actor, given)


def operator(engine: Engine, person_id: str) -> str:
    """The name of a person who may operate, asked of the database each time."""
    row = None
    if re.fullmatch(r"[0-9]{1,9}", person_id):
        with transaction(engine) as connection:
            row = connection.execute(
                statement("person_of_id"), {"person_id": int(person_id)}
            ).first()
    if row is None or not has_right(row.role, Right.OPERATE):
        raise RefusedError(403, "You may not add clients or connect accounts.",
                            "An owner or admin of the agency does.")  # fmt: skip
    return str(row.name)


def _add_client(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    name = given.get("name", "")
    if not name or len(name) > 200:
        raise RefusedError(422, "A name has 1 to 200 characters.", field="name")
    with transaction(parts.engine) as connection:
        known = load_clients(connection)
        if not given.get("slug") and name.casefold() in {c.name.casefold() for c in known}:
            # Reason: two of one name cannot be told apart in any list; often it is sent twice.
            raise RefusedError(
                409, "There is a client of this name already.",
                "Choose another name, or give it a short name of its own.", "name",
            )  # fmt: skip
        taken = {c.slug for c in known}
        slug = given.get("slug") or free_slug(name, taken)
        if slug in taken:
            raise RefusedError(409, "Another client has this address.", "Choose another.", "slug")
        try:
            client = store_client(
                connection, name, slug, given.get("currency") or None,
                given.get("timezone") or None, actor=actor,
            )  # fmt: skip
        except ConflictError:
            raise RefusedError(
                409, "Another client has this address.", "Choose another.", "slug"
            ) from None
        except ValueError as error:
            raise RefusedError(422, _sentence(error), field=_field_of(error)) from None
    return {"slug": client.slug, "name": client.name}


def _field_of(error: ValueError) -> str:
    text = str(error)
    for word, field in (("slug", "slug"), ("currency", "currency"), ("timezone", "timezone")):
        if word in text:
            return field
    return "name"


def _sentence(error: ValueError) -> str:
    text = str(error).replace("a slug", "an address")
    return _stopped(f"{text[:1].upper()}{text[1:]}")


def _stopped(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?", "…")) else f"{text.rstrip()}."


def free_slug(name: str, taken: set[str]) -> str:
    """An address from a name that no other client has: `Möbel & Co` becomes `mobel-co`."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = plain.encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "client"
    found, n = base, 2
    while found in taken:
        found, n = f"{base}-{n}", n + 1
    return found


def _connect(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    slug, account, token = (given.get(n, "") for n in ("slug", "account", "token"))
    if not token:
        raise RefusedError(422, "An access token is needed.", field="token")
    try:
        done = connect_account(
            parts.engine, parts.vault, parts.meta, account, slug, token, actor=actor
        )
    except UnknownObjectError:
        raise RefusedError(404, "There is no such client.") from None
    except ConflictError as error:
        raise RefusedError(409, error.message, error.remedy, "account") from None
    except AccessDeniedError as error:
        raise RefusedError(403, error.message, error.remedy) from None
    except ValueError as error:
        raise RefusedError(422, _sentence(error), field="account") from None
    parts.connected(slug)
    return {
        "account": f"act_{done.account.account_id}", "name": done.account.name,
        "currency": done.account.currency, "timezone": done.account.timezone,
        "readable": len(done.readable),
    }  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """A desk that is open.

    Attributes:
        url: Where it listens; for `ADLAB_WEB__DESK_URL`.
        key: What it asks for; for `ADLAB_WEB__DESK_KEY`. Never log it.
        stop: Closes it.
    """

    url: str
    key: str
    stop: Callable[[], None]

    def __repr__(self) -> str:
        return f"Desk(url={self.url!r}, …)"


def run_desk_in_thread(parts: DeskParts, key: str | None = None) -> Desk:
    """Open a desk on a free port of the loopback address, in a thread of this process.

    Args:
        parts: See `DeskParts`.
        key: Its key; a fresh random one when omitted.

    Raises:
        EmbeddedServerError: If it does not come up.
    """
    import uvicorn

    chosen = key or secrets.token_urlsafe(32)
    # Reason: a host name that was pointed at the loopback address lets a page in a browser ask.
    app = TrustedHostMiddleware(
        make_desk(parts, chosen), allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False
    )
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.bind(("127.0.0.1", 0))
    port = place.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False,
                       server_header=False, lifespan="off", timeout_graceful_shutdown=5)
    )  # fmt: skip
    thread = threading.Thread(target=server.run, args=([place],), daemon=True, name="desk")
    thread.start()
    give_up = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise EmbeddedServerError("The desk did not come up.", "Start again.")
        time.sleep(0.02)

    def stop() -> None:
        server.should_exit = True
        thread.join(timeout=10)
        place.close()

    return Desk(f"http://127.0.0.1:{port}", chosen, stop)
