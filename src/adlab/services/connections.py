"""Connections are made once and have to last: looked after, renewed, explained.

`upkeep` is what a scheduler calls. It asks Meta about each token at most hourly, renews those of
people before they end, and says in words who must do what where nothing else helps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine

from adlab.core.entities import AccountId
from adlab.core.errors import (
    AuthorizationError,
    MetaError,
    RejectedRequestError,
    SettingsError,
)
from adlab.meta.auth import TokenFacts, require_usable
from adlab.meta.client import Retry
from adlab.meta.oauth import extend
from adlab.meta.objects import fetch_account
from adlab.services.access import MetaAccess, known_of
from adlab.storage import audit, connections
from adlab.storage.connections import Known
from adlab.storage.connections_flow import prune_attempts
from adlab.storage.engine import transaction
from adlab.vault import Vault

log = logging.getLogger(__name__)

ACTOR = "upkeep"
CHECK_EVERY = timedelta(minutes=1)
ASK_EVERY = timedelta(hours=1)
# Reason: day 50 of 60.
RENEW_BEFORE = timedelta(days=10)
RENEW_EVERY = timedelta(days=1)
DATA_WARNING = timedelta(days=14)
# Reason: a proof that a token reads again needs no more; each costs a call.
MOST_PROBES = 20
# Reason: somebody waits, or a whole round of upkeep does.
QUICK = Retry(attempts=3, total=30.0, longest_wait=5.0)

# Reason: Meta's words for kinds of tokens, no secrets.
USER, SYSTEM_USER = "USER", "SYSTEM_USER"

Outcome = Literal["ok", "extended", "recovered", "warning", "reauth_required", "unknown"]


@dataclass(frozen=True)
class ConnectionParts:
    """What connections need.

    Attributes:
        engine: The owner's engine.
        vault: Seals and opens tokens.
        meta: Where the Graph API is.
    """

    engine: Engine
    vault: Vault
    meta: MetaAccess


@dataclass(frozen=True)
class Upkept:
    """How a connection was found.

    Attributes:
        connection_id: Its number.
        client: Slug of its client.
        outcome: `ok`; `extended`: renewed; `recovered`: works again; `warning`: will end soon;
            `reauth_required`: a person must act; `unknown`: Meta did not say.
        detail: For people; "" when there is nothing to say.
    """

    connection_id: int
    client: str
    outcome: Outcome
    detail: str = ""


def upkeep(parts: ConnectionParts, now: datetime) -> list[Upkept]:
    """Look after every connection that Meta was not asked about within the hour.

    May run anywhere, and as often as one likes: each connection is taken by one process at a time.

    Args:
        parts: See `ConnectionParts`.
        now: Current aware time.

    Returns:
        One entry a connection that was looked at.
    """
    with transaction(parts.engine) as connection:
        prune_attempts(connection, now)
        due = connections.load_due(connection, now - ASK_EVERY)
    found = []
    for connection_id in due:
        with transaction(parts.engine) as connection:
            row = connections.claim(connection, connection_id, now - ASK_EVERY, now)
        if row is not None:
            found.append(_look_after(parts, row, now))
    return found


def check_now(parts: ConnectionParts, connection_id: int, now: datetime) -> Upkept | None:
    """Look after one connection now, whether it is due or not; at most once a minute.

    Returns:
        What was found; None when it has no token, or was asked about within the last minute.
    """
    with transaction(parts.engine) as connection:
        row = connections.claim(connection, connection_id, now - CHECK_EVERY, now)
    return None if row is None else _look_after(parts, row, now)


def _look_after(parts: ConnectionParts, row: dict[str, Any], now: datetime) -> Upkept:
    number, slug = row["connection_id"], row["slug"]
    row["token_sealed"] = bytes(row["token_sealed"])
    try:
        token = parts.vault.open(row["token_sealed"], row["client_id"])
        facts = parts.meta.inspect(token, QUICK)
        require_usable(facts, parts.meta.app_id, now)
        if row["status"] != "ok":
            _require_reading(parts, number, token)
    except SettingsError as error:
        log.error("connection_sealed connection_id=%s client=%s", number, slug)
        return Upkept(number, slug, "unknown", str(error))
    except AuthorizationError as error:
        return _needs_person(parts, row, error, now)
    except MetaError as error:
        # Reason: an outage says nothing about the token; what was known stays.
        log.warning("connection_unasked connection_id=%s code=%s", number, error.code)
        return Upkept(number, slug, "unknown", error.message)
    return _in_order(parts, row, token, facts, now)


def _require_reading(parts: ConnectionParts, connection_id: int, token: str) -> None:
    """Prove that a connection that was given up reads its accounts.

    Reason: `debug_token` calls a token valid whose user has lost the role on an account.

    Raises:
        AuthorizationError: If an account cannot be read with it.
        MetaError: If Meta has trouble.
    """
    with transaction(parts.engine) as connection:
        (row,) = connections.load_connections(connection, connection_id=connection_id)
    graph = parts.meta.client(token, QUICK)
    try:
        for account in row["accounts"][:MOST_PROBES]:
            try:
                fetch_account(graph, AccountId(account))
            except (RejectedRequestError, AuthorizationError) as error:
                raise AuthorizationError(
                    f"act_{account} cannot be read: {error.reason}",
                    "Give that person a role on the account in Business settings.",
                    code=error.code, subcode=error.subcode, trace_id=error.trace_id,
                ) from None  # fmt: skip
    finally:
        graph.close()


def _in_order(
    parts: ConnectionParts, row: dict[str, Any], token: str, facts: TokenFacts, now: datetime
) -> Upkept:
    known, number, slug = known_of(facts), row["connection_id"], row["slug"]
    recovered = row["status"] != "ok"
    if not _store(parts, row, known, "ok", None, _warning(row, known, now), now):
        return Upkept(number, slug, "ok", "It was connected again meanwhile.")
    if recovered:
        log.info("connection_recovered connection_id=%s client=%s", number, slug)
        _audit(parts, row, "connection.recovered")
    ends = facts.expires_at
    if facts.token_type == USER and ends is not None and ends - now <= RENEW_BEFORE:
        renewed = _renew(parts, row, known, token, now)
        if renewed is not None:
            return renewed
    _note_warning(row, known, now)
    warning = _warning(row, known, now)
    if warning:
        return Upkept(number, slug, "warning", warning)
    return Upkept(number, slug, "recovered" if recovered else "ok")


def _renew(
    parts: ConnectionParts, row: dict[str, Any], known: Known, token: str, now: datetime
) -> Upkept | None:
    """Exchange a person's token for one of sixty days; None when it was not tried, or failed."""
    app, number = parts.meta.app, row["connection_id"]
    if app is None:
        return None
    with transaction(parts.engine) as connection:
        if not connections.claim_exchange(connection, number, now - RENEW_EVERY, now):
            return None
    try:
        issued = extend(app, token, now)
        facts = parts.meta.inspect(issued.token, QUICK)
        require_usable(facts, parts.meta.app_id, now)
    except (MetaError, SettingsError) as error:
        log.error(
            "connection_not_renewed connection_id=%s client=%s error=%s",
            number, row["slug"], type(error).__name__,
        )  # fmt: skip
        _audit(parts, row, "connection.not_renewed", why=type(error).__name__)
        return None
    fresh = known_of(facts)
    sealed = parts.vault.seal(issued.token, row["client_id"])
    former = row["token_sealed"]
    with transaction(parts.engine) as connection:
        if not connections.replace_token(connection, number, former, sealed, fresh.expires_at, now):
            return None
    row["token_sealed"] = sealed
    warning = _warning(row, fresh, now)
    _store(parts, row, fresh, "ok", None, warning, now)
    _audit(parts, row, "connection.extended", expires_at=fresh.expires_at)
    log.info("connection_extended connection_id=%s client=%s", number, row["slug"])
    return Upkept(number, row["slug"], "extended", warning or _until(fresh.expires_at))


def _warning(row: dict[str, Any], known: Known, now: datetime) -> str | None:
    """What will end soon, and who can prevent it; None when nothing will."""
    who = _who(row, known)
    if known.expires_at is not None and known.expires_at - now <= RENEW_BEFORE:
        return f"The access token ends on {known.expires_at:%d %b %Y}. {who}"
    if known.data_expires_at is not None and known.data_expires_at - now <= DATA_WARNING:
        return f"Access to the data ends on {known.data_expires_at:%d %b %Y}. {who}"
    return None


def _note_warning(row: dict[str, Any], known: Known, now: datetime) -> None:
    """Log a warning at error level once, when it is new: somebody must look."""
    warning = _warning(row, known, now)
    if warning and warning != row["warning"]:
        log.error("connection_ends connection_id=%s client=%s", row["connection_id"], row["slug"])


def _needs_person(
    parts: ConnectionParts, row: dict[str, Any], error: AuthorizationError, now: datetime
) -> Upkept:
    number, slug = row["connection_id"], row["slug"]
    known = Known(
        row["app_id"], row["meta_user_id"], row["meta_user_name"], row["token_type"],
        tuple(row["scopes"]), row["expires_at"], row["data_expires_at"],
    )  # fmt: skip
    reason = f"{error.reason} {_who(row, known)}"
    status = "revoked" if row["status"] == "revoked" else "reauth_required"
    if not _store(parts, row, known, status, reason, None, now):
        return Upkept(number, slug, "ok", "It was connected again meanwhile.")
    if row["status"] == "ok":
        log.error("connection_ended connection_id=%s client=%s code=%s", number, slug, error.code)
        _audit(parts, row, "connection.reauth_required", code=error.code, subcode=error.subcode)
    return Upkept(number, slug, "reauth_required", reason)


def _who(row: dict[str, Any], known: Known) -> str:
    """Who must do what."""
    name, number = row["meta_user_name"], known.meta_user_id or row["meta_user_id"]
    by = f", connected by {row['connected_by']}," if row["connected_by"] else ""
    if known.token_type == SYSTEM_USER:
        user = f"system user {name or number}" if name or number else "the system user"
        return (
            f"An admin of the business makes a new token for {user} in Business settings and "
            "connects it."
        )
    user = f"Meta user {number}" if number else "Whoever connected it"
    return (
        f"{f'{name} ({user})' if name else user}{by} must log in to Facebook through adlab again."
    )


def _until(moment: datetime | None) -> str:
    return f"It works until {moment:%d %b %Y}." if moment else "It does not end."


def _store(
    parts: ConnectionParts, row: dict[str, Any], known: Known, status: str, reason: str | None,
    warning: str | None, now: datetime,
) -> bool:  # fmt: skip
    with transaction(parts.engine) as connection:
        return connections.store_facts(
            connection, row["connection_id"], row["token_sealed"], known,
            status=status, reason=reason, warning=warning, now=now,
        )  # fmt: skip


def _audit(parts: ConnectionParts, row: dict[str, Any], action: str, **details: Any) -> None:
    with transaction(parts.engine) as connection:
        audit.record(
            connection, action, actor=ACTOR, client_id=row["client_id"],
            connection_id=row["connection_id"], **details,
        )  # fmt: skip
