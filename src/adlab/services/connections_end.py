"""Ending a connection: revoked at Meta where that is possible, its token deleted, its data kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from adlab.core.entities import AccountId, parse_account_id
from adlab.core.errors import MetaError, SettingsError, TokenExpiredError, UnknownObjectError
from adlab.meta.oauth import revoke
from adlab.services.connections import QUICK, USER, ConnectionParts
from adlab.services.inbox_subscriptions import SubscriptionParts, unsubscribe
from adlab.storage import audit, connections
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.objects import load_account

log = logging.getLogger(__name__)

Revocation = Literal["done", "owed", "kept", "not_possible", "not_needed"]


@dataclass(frozen=True)
class Disconnected:
    """What ending a connection did.

    Attributes:
        connection_id: Its number.
        client: Slug of its client.
        accounts: Accounts that are no longer read; their data stays.
        token_deleted: Whether the sealed token is gone.
        revocation: `done` at Meta; `owed`: Meta could not be told; `kept`: others live by it;
            `not_possible` through the API; `not_needed`: other accounts still use the token.
        words: The same for people, with what they may have to do.
    """

    connection_id: int
    client: str
    accounts: tuple[AccountId, ...]
    token_deleted: bool
    revocation: Revocation
    words: str


def _end_webhooks(parts: ConnectionParts, accounts: Iterable[int]) -> None:
    """Have Meta deliver nothing more of accounts, while their token is still there."""
    if parts.meta.app is None:
        return
    subscriptions = SubscriptionParts(parts.engine, parts.vault, parts.meta, "", "")
    for account in accounts:
        if why := unsubscribe(subscriptions, account):
            # Reason: what comes all the same is kept and ignored, so leaving goes on.
            log.warning("webhooks_not_ended account_id=%s reason=%s", account, why)


def disconnect(
    parts: ConnectionParts,
    *,
    account: str | None = None,
    connection_id: int | None = None,
    client: str | None = None,
    actor: str = audit.LOCAL_OWNER,
) -> Disconnected:
    """Stop reading an account, or all of a connection; revoke at Meta and delete the token.

    The accounts and their data stay. A token that other accounts still use stays, too. When Meta
    cannot be told, the token is deleted all the same, and the answer says that revocation is owed.

    Args:
        parts: See `ConnectionParts`.
        account: `act_…` or digits; or
        connection_id: the number of a connection.
        client: Slug that it must belong to; any when None.
        actor: Who does it, for the audit log.

    Raises:
        UnknownObjectError: If there is no such connection.
        ValueError: If the account id is malformed, or not exactly one of both is given.
    """
    if (account is None) == (connection_id is None):
        raise ValueError("name an account or a connection, one of both")
    only = int(parse_account_id(account)) if account is not None else None
    with transaction(parts.engine) as connection:
        found = _find(connection, only, connection_id, client)
    _end_webhooks(parts, found["accounts"] if only is None else [only])
    others = [a for a in found["accounts"] if a != only]
    if only is not None and others:
        return _unlink_one(parts, found, only, len(others), actor)
    told, words = _revoke(parts, found)
    with transaction(parts.engine) as connection:
        connections.lock_connection(connection, found["connection_id"])
        gone = connections.unlink_accounts(connection, found["connection_id"])
        connections.delete_connection(connection, found["connection_id"])
        audit.record(
            connection, "account.disconnect", actor=actor, client_id=found["client_id"],
            connection_id=found["connection_id"], accounts=gone, token_deleted=True,
            revocation=told,
        )  # fmt: skip
    log.info("disconnected connection_id=%s revocation=%s", found["connection_id"], told)
    return Disconnected(
        found["connection_id"], found["slug"], tuple(AccountId(a) for a in gone), True, told, words
    )


def _find(
    connection: Connection, account: int | None, connection_id: int | None, client: str | None
) -> dict[str, Any]:
    client_id = load_client(connection, client).client_id if client else None
    if account is not None:
        owner = load_account(connection, account)
        rows = connections.load_connections(connection, owner["client_id"]) if owner else []
        rows = [r for r in rows if account in r["accounts"]]
    else:
        rows = connections.load_connections(connection, connection_id=connection_id)
    rows = [r for r in rows if client_id is None or r["client_id"] == client_id]
    if not rows:
        what = f"act_{account} is not connected" if account else (
            f"There is no connection {connection_id}")  # fmt: skip
        raise UnknownObjectError(f"{what}.", "See what is: adlab account list")
    return rows[0]


def _unlink_one(
    parts: ConnectionParts, found: dict[str, Any], account: int, others: int, actor: str
) -> Disconnected:
    with transaction(parts.engine) as connection:
        gone = connections.unlink_accounts(connection, found["connection_id"], account)
        audit.record(
            connection, "account.disconnect", actor=actor, client_id=found["client_id"],
            connection_id=found["connection_id"], accounts=gone, token_deleted=False,
            revocation="not_needed",
        )  # fmt: skip
    many = "another account uses" if others == 1 else f"{others} other accounts use"
    return Disconnected(
        found["connection_id"], found["slug"], tuple(AccountId(a) for a in gone), False,
        "not_needed", f"The token stays, because {many} it.",
    )  # fmt: skip


def _revoke(parts: ConnectionParts, found: dict[str, Any]) -> tuple[Revocation, str]:
    """Tell Meta; what came of it, and the same in words."""
    owed = (
        "Meta could not be told, so the app is still allowed there: whoever connected it removes "
        "it at facebook.com › Settings › Business integrations."
    )
    if not found["has_token"]:
        return "not_needed", "There was no token any more."
    if found["token_type"] != USER:
        return "not_possible", (
            "A system user's token cannot be revoked through the API: an admin of the business "
            "revokes it in Business settings › System users."
        )
    with transaction(parts.engine) as connection:
        others = (
            connections.load_same_user(
                connection, found["connection_id"], found["meta_user_id"], found["app_id"]
            )
            if found["meta_user_id"]
            else []
        )
        row = connections.lock_connection(connection, found["connection_id"])
    if others:
        return "kept", (
            "The app was not revoked at Meta, because the same person's login also serves "
            f"{', '.join(others)}."
        )
    try:
        assert row is not None
        token = parts.vault.open(bytes(row["token_sealed"]), row["client_id"])
        graph = parts.meta.client(token, QUICK)
        try:
            done = revoke(graph)
        finally:
            graph.close()
    except TokenExpiredError:
        return "done", "Meta had ended its access already."
    except (MetaError, SettingsError) as error:
        log.error(
            "revocation_owed connection_id=%s error=%s",
            found["connection_id"], type(error).__name__,
        )  # fmt: skip
        return "owed", owed
    return ("done", "The app's access was revoked at Meta.") if done else ("owed", owed)
