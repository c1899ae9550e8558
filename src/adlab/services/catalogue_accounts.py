"""Opens the accounts a refresh is about, and sorts what goes wrong with one of them.

Breakdowns and the catalogue are read account by account like the daily insights, but are extras:
what Meta does not serve here is noted and shown, and never fails the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection

from adlab.core.entities import AccountId, parse_account_id
from adlab.core.errors import (
    AdlabError,
    AuthorizationError,
    MetaError,
    MissingPermissionError,
    RejectedRequestError,
    UnknownObjectError,
)
from adlab.core.periods import today_in
from adlab.meta.client import GraphClient
from adlab.meta.insights import InsightsReader
from adlab.services.ingest import IngestParts, SyncReport
from adlab.services.quota_memory import open_reader
from adlab.storage import connections, objects
from adlab.storage.breakdowns import store_trouble
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction

# An edge or breakdown this Graph API, account or token does not have.
_NOT_SERVED = frozenset({3, 10, 12, 100})


@dataclass
class OpenAccount:
    """An account during a refresh.

    Attributes:
        account_id: Ad account.
        client_id: Tenant.
        slug: The tenant's short name.
        connection_id: Whose token reads it.
        currency: ISO 4217 code.
        client: The signed client.
        today: The account's current day.
        insights: Remembers what Meta refused, for all questions of the account.
        stopped: Why no more calls are made for it, or None.
        refused: Kinds that Meta does not serve here.
    """

    account_id: AccountId
    client_id: int
    slug: str
    connection_id: int | None
    currency: str
    client: GraphClient
    today: date
    insights: InsightsReader
    stopped: str | None = None
    refused: set[str] = field(default_factory=set)


def open_accounts(
    parts: IngestParts, client: str | None, account: str | None, report: SyncReport
) -> list[OpenAccount]:
    """Accounts with a working connection; the others become failures of the report.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
    """
    with transaction(parts.engine) as connection:
        rows = _rows(connection, client, account)
    opened = [w for row in rows if (w := _open(parts, row, report)) is not None]
    report.accounts = len(opened)
    return opened


def _rows(connection: Connection, client: str | None, account: str | None) -> list[dict[str, Any]]:
    client_id = load_client(connection, client).client_id if client else None
    account_id = parse_account_id(account) if account else None
    rows = objects.load_accounts(connection, client_id, account_id)
    if not rows:
        whose = f" for client {client!r}" if client else ""
        what = f"Account act_{account_id} is not" if account_id else "No ad account is"
        raise UnknownObjectError(
            f"{what} connected{whose}.",
            "Connect one: adlab account connect act_… --client SLUG --token-env VAR",
        )
    return rows


def _open(parts: IngestParts, row: dict[str, Any], report: SyncReport) -> OpenAccount | None:
    name = f"act_{row['account_id']}"
    if row["token_sealed"] is None or row["connection_status"] != "ok":
        why = row["status_reason"] or row["connection_status"] or "it has no connection."
        report.failures.append((name, f"{why} Connect again: adlab account connect."))
        return None
    try:
        client = parts.open_client(row["token_sealed"], row["client_id"])
    except AdlabError as error:
        report.failures.append((name, str(error)))
        return None
    account_id = AccountId(row["account_id"])
    reader = open_reader(
        parts.engine, client, account_id, row["client_id"], parts.priority, parts.now()
    )
    return OpenAccount(
        account_id, row["client_id"], row["slug"], row["connection_id"], row["currency"], client,
        today_in(row["timezone"], parts.now()), reader,
    )  # fmt: skip


def is_not_served(error: AdlabError) -> bool:
    """Whether Meta does not serve this here, so that asking again today is no use."""
    if isinstance(error, MissingPermissionError):
        return True
    return isinstance(error, RejectedRequestError) and error.code in _NOT_SERVED


def note_trouble(
    parts: IngestParts,
    work: OpenAccount,
    kind: str,
    level: int,
    error: AdlabError,
    report: SyncReport,
) -> None:
    """Keep what went wrong with one kind of an account, where people see it.

    Args:
        parts: See `IngestParts`.
        work: The account.
        kind: `objects`, `breakdown:…` or `catalogue:…`.
        level: Level of the rows; 0 for the catalogue.
        error: What happened.
        report: Gets a warning when Meta does not serve it, a failure otherwise.
    """
    name = f"act_{work.account_id}"
    what = kind.rsplit(":", 1)[-1]
    # Reason: without its objects an account is of no use; that is a failure, not an extra missing.
    if kind != "objects" and is_not_served(error):
        if kind in work.refused:
            return
        work.refused.add(kind)
        reason = error.reason if isinstance(error, MetaError) else str(error)
        report.warnings.append(f"{name}: {what} is not served: {reason}")
        _store(parts, work, kind, level, reason, served=False)
        return
    if isinstance(error, AuthorizationError):
        if work.stopped is None:
            report.failures.append((name, str(error)))
        work.stopped = str(error)
        if work.connection_id is not None:
            with transaction(parts.engine) as connection:
                connections.mark_connection(
                    connection, work.connection_id, "reauth_required", error.message
                )
        return
    report.failures.append((name, f"{what}: {error}"))
    _store(parts, work, kind, level, str(error), served=True)


def _store(
    parts: IngestParts, work: OpenAccount, kind: str, level: int, reason: str, *, served: bool
) -> None:
    with transaction(parts.engine) as connection:
        store_trouble(
            connection, client_id=work.client_id, account_id=work.account_id, kind=kind,
            level=level, reason=reason, served=served,
        )  # fmt: skip


def close_accounts(works: list[OpenAccount], report: SyncReport) -> None:
    """Close the clients and count what they did."""
    report.calls += sum(w.client.calls for w in works)
    report.quota_percent = max(
        [report.quota_percent, *(w.client.pace.peak_percent for w in works)], default=0.0
    )
    for w in works:
        w.client.close()
