"""Who calls the API: from a token to a person, what they may do, and how often.

Two kinds of tokens are known: our own, signed and kept as a row that can be revoked, and those of
the hub, which the hub is asked about. Both end at a viewer's role of the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Engine

from adlab.core.roles import Right, has_right, limits_of
from adlab.realtime.calls import CallCounter, Count
from adlab.storage.engine import transaction
from adlab.storage.statements import statement
from adlab.storage.tenancy import Reader
from adlab.web.api.problems import Problem, not_found, unauthorized
from adlab.web.api.session import RequestReader
from adlab.web.api.tokens import SCOPES, TokenError, TokenSigner
from adlab.web.hub import HubIdentity, HubKey
from adlab.web.viewers import Viewer, Viewers

KNOWN_SECONDS = 5.0
VISIBLE_SECONDS = 5.0
MOST_KNOWN = 5_000
LARGEST_PAGE = 5_000
# Wrong tokens a minute from one address, before it has to wait.
FAILURES_PER_MINUTE = 60
_ENDED = {
    "revoked": "This access token was revoked.",
    "expired": "This access token has expired.",
    "disabled": "The person behind this access token is disabled.",
}


@dataclass(frozen=True)
class Pass:
    """What a token lets its holder do.

    Attributes:
        token: Number of the token; of a hub's token a short name that tells nothing.
        viewer: Whose it is.
        scopes: What for.
        client_ids: Clients it is narrowed to; None for all of that person's.
    """

    token: str
    viewer: Viewer
    scopes: frozenset[str]
    client_ids: frozenset[int] | None


class Gate:
    """Lets people in by their tokens.

    Args:
        engine: Logged in as the boards' service.
        viewers: Knows people by their usernames.
        signer: Reads our own tokens.
        hub: Knows the hub's tokens; None where there is no hub.
        counter: Counts calls.
        per_minute: Calls a minute of one token.
        clock: Epoch seconds; tests move it.
    """

    def __init__(
        self,
        engine: Engine,
        viewers: Viewers,
        signer: TokenSigner,
        hub: HubIdentity | None,
        counter: CallCounter,
        per_minute: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self.viewers = engine, viewers
        self._signer, self._hub = signer, hub
        self.counter, self.per_minute, self._clock = counter, per_minute, clock
        self._known: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._visible: dict[str, tuple[float, dict[str, int]]] = {}
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def enter(self, authorization: str | None, address: str) -> Pass:
        """The pass of whoever shows this header.

        Args:
            authorization: Value of the `Authorization` header.
            address: Where the call comes from.

        Raises:
            Problem: 401 if it proves nobody, 403 if that person may not use the API, 429 if too
                many wrong ones came from there.
        """
        try:
            found = self._enter(authorization or "")
        except Problem as problem:
            if problem.status == 401:
                count = self.counter.take(f"failed|{address}", FAILURES_PER_MINUTE)
                if count.refused:
                    raise too_many(count) from None
            raise
        if not has_right(found.viewer.role, Right.USE_API):
            raise Problem(403, "Your role does not use the REST API.", "role")
        return found

    def _enter(self, authorization: str) -> Pass:
        kind, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if not authorization.strip():
            raise unauthorized("Send an access token: Authorization: Bearer TOKEN")
        if kind.lower() not in ("bearer", "token") or not token.isascii() or not token:
            raise unauthorized("Send the token as: Authorization: Bearer TOKEN", "invalid_request")
        if token.count(".") == 2 and kind.lower() == "bearer":
            return self._signed(token)
        return self._of_hub(token)

    def _signed(self, token: str) -> Pass:
        try:
            claims = self._signer.read(token, self.now())
        except TokenError as error:
            raise unauthorized(error.reason, "invalid_token") from None
        row = self._state(claims.jti)
        if row is None or row["person_id"] != claims.person_id:
            raise unauthorized("This access token is not one of ours.", "invalid_token")
        if row["state"] != "ok":
            raise unauthorized(_ENDED.get(row["state"], "This token has ended."), "invalid_token")
        narrowed = row["client_ids"]
        if claims.clients is not None and narrowed is None:
            # Reason: the row is what counts; a token that says less than its row was not made here.
            raise unauthorized("This access token is not one of ours.", "invalid_token")
        viewer = Viewer(row["person_id"], row["name"], row["role"], row["login"])
        return Pass(
            claims.jti, viewer, claims.scopes & set(row["scopes"]),
            None if narrowed is None else frozenset(narrowed),
        )  # fmt: skip

    def _state(self, jti: str) -> dict[str, Any] | None:
        """The row of a token, at most some seconds old."""
        now = self._clock()
        with self._lock:
            at, row = self._known.get(jti, (-KNOWN_SECONDS, None))
            if 0 <= now - at < KNOWN_SECONDS:
                return row
        with transaction(self._engine) as connection:
            found = connection.execute(statement("api_token_state"), {"jti": jti}).mappings()
            first = found.first()
        row = None if first is None else dict(first)
        with self._lock:
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known[jti] = (now, row)
        return row

    def _of_hub(self, token: str) -> Pass:
        if self._hub is None or not 16 <= len(token) <= 200:
            raise unauthorized("This access token is not one of ours.", "invalid_token")
        username = self._hub.username(HubKey(token, "", 0))
        viewer = None if username is None else self.viewers.find_named(username)
        if viewer is None:
            raise unauthorized("The hub does not know this token, or it may not come here.",
                               "invalid_token")  # fmt: skip
        return Pass(f"hub:{viewer.person_id}", viewer, frozenset(SCOPES), None)

    def reader(self, viewer: Viewer) -> RequestReader:
        """A reader for one request of this person."""
        return RequestReader(self._engine, viewer.login)

    def visible(self, found: Pass, reader: Reader) -> dict[str, int]:
        """Clients that a pass may see: slug → number.

        Reason: remembered for seconds only to save a question; every query is filtered by the
        database again, so a grant that ended meanwhile shows nothing.
        """
        now, key = self._clock(), found.viewer.login
        with self._lock:
            at, clients = self._visible.get(key, (-VISIBLE_SECONDS, {}))
        if not 0 <= now - at < VISIBLE_SECONDS:
            rows = reader.rows("api_clients")
            clients = {r["slug"]: r["client_id"] for r in rows}
            with self._lock:
                if len(self._visible) > MOST_KNOWN:
                    self._visible.clear()
                self._visible[key] = (now, clients)
        if found.client_ids is None:
            return clients
        return {s: n for s, n in clients.items() if n in found.client_ids}


def too_many(count: Count) -> Problem:
    """Refuse a call that is one too many."""
    return Problem(
        429, f"At most {count.limit} requests a minute. Wait {count.reset_seconds} seconds.",
        headers={"Retry-After": str(count.reset_seconds), **_limit_headers(count)},
    )  # fmt: skip


def _limit_headers(count: Count) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(count.limit),
        "RateLimit-Remaining": str(count.remaining),
        "RateLimit-Reset": str(count.reset_seconds),
    }


class Caller:
    """Somebody who was let in, asking for something.

    Args:
        request: What they ask.
        gate: Who let them in.
        found: Their pass.
    """

    def __init__(self, request: Request, gate: Gate, found: Pass) -> None:
        self.request, self.gate, self.found = request, gate, found
        self.reader = gate.reader(found.viewer)

    @cached_property
    def clients(self) -> dict[str, int]:
        """Clients they may see with this token: slug → number."""
        return self.gate.visible(self.found, self.reader)

    @property
    def client_ids(self) -> list[int]:
        """Numbers of all of them."""
        return list(self.clients.values())

    @property
    def viewer(self) -> Viewer:
        """Who they are."""
        return self.found.viewer

    @property
    def most_rows(self) -> int:
        """Rows of one answer, by their role."""
        return min(LARGEST_PAGE, limits_of(self.viewer.role).rows)

    def now(self) -> datetime:
        """The time."""
        return self.gate.now()

    def client(self, slug: str) -> int:
        """The number of a client.

        Raises:
            Problem: 404 if it is not there, or not theirs to see.
        """
        if slug not in self.clients:
            raise not_found()
        self.about(slug)
        return self.clients[slug]

    def about(self, *slugs: str) -> None:
        """Say which clients this call is about, for the audit log."""
        self.request.state.clients = {*getattr(self.request.state, "clients", ()), *slugs}

    def need(self, scope: str) -> None:
        """Refuse whoever's token is not for that.

        Raises:
            Problem: 403 if so.
        """
        if scope not in self.found.scopes:
            raise Problem(
                403, f"This access token lacks the scope {scope}.", "scope",
                {"WWW-Authenticate": 'Bearer realm="adlab", error="insufficient_scope", '
                                     f'scope="{scope}"'},
            )  # fmt: skip


def caller(request: Request) -> Iterator[Caller]:
    """Let the caller of a request in, and count the call."""
    gate: Gate = request.app.state.gate
    address = request.client.host if request.client else "nowhere"
    found = gate.enter(request.headers.get("authorization"), address)
    count = gate.counter.take(f"token|{found.token}", gate.per_minute)
    if count.refused:
        raise too_many(count)
    request.state.limit_headers = _limit_headers(count)
    request.state.passed = found
    let_in = Caller(request, gate, found)
    try:
        yield let_in
    finally:
        let_in.reader.rest()


def _with(scope: str) -> Callable[[Caller], Caller]:
    def check(found: Annotated[Caller, Depends(caller, scope="function")]) -> Caller:
        found.need(scope)
        return found

    return check


Reading = Annotated[Caller, Depends(_with("read"), scope="function")]
Proposing = Annotated[Caller, Depends(_with("propose"), scope="function")]
Connecting = Annotated[Caller, Depends(_with("connect"), scope="function")]
Auditing = Annotated[Caller, Depends(_with("audit"), scope="function")]
