"""How long a client's data are kept, and taking out what is older.

What is too old is a rule a table; counting and removing read the same condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.entities import Level
from adlab.core.periods import DateRange
from adlab.core.privacy import Retention
from adlab.storage import timescale
from adlab.storage.insights import rebuild_summary
from adlab.storage.statements import statement


@dataclass(frozen=True)
class Rule:
    """What is too old in a table.

    Attributes:
        name: For people, counts and the audit log.
        table: In schema `app`.
        condition: On its rows; all binds of `scope` may stand in it.
        erase: Columns to empty instead of removing rows.
    """

    name: str
    table: str
    condition: str
    erase: tuple[str, ...] = ()


_OF_ACCOUNT = "client_id = :client_id AND account_id = :account_id"
# Of one account; days belong to its timezone.
BY_ACCOUNT = (
    Rule("insights", "insights_daily",
         f"{_OF_ACCOUNT} AND date < :before AND (:imported_too OR import_id IS NULL)"),
    Rule("versions", "insights_version", f"{_OF_ACCOUNT} AND date < :before"),
    Rule("breakdowns", "insights_breakdown", f"{_OF_ACCOUNT} AND date < :before"),
    Rule("pixel_hours", "pixel_stat",
         f"{_OF_ACCOUNT} AND hour_at < CAST(:before AS date)::timestamp AT TIME ZONE 'UTC'"),
)  # fmt: skip
# Of the client as a whole.
BY_CLIENT = (
    Rule("names_in_activities", "activity",
         "client_id = :client_id AND happened_at < :raw_before"
         " AND (actor_id IS NOT NULL OR actor_name IS NOT NULL)", ("actor_id", "actor_name")),
    Rule("conversion_events", "conversion_event",
         "client_id = :client_id AND settled_at < :raw_before"),
    Rule("webhooks", "webhook_event",
         "client_id = :client_id AND received_at < :webhooks_before"),
)  # fmt: skip


def load_retention(connection: Connection, client_id: int) -> Retention:
    """What was set for a client; defaults where nothing was."""
    row = connection.execute(statement("retention_of"), {"client_id": client_id}).first()
    return Retention(*row) if row is not None else Retention()


def store_retention(
    connection: Connection, client_id: int, retention: Retention, actor: str
) -> None:
    """Set how long a client's data are kept; the next night removes what is older."""
    connection.execute(
        statement("retention_set"), {"client_id": client_id, "set_by": actor, **vars(retention)}
    )


def load_accounts(connection: Connection, client_id: int) -> list[tuple[int, str]]:
    """Accounts of a client, each with its timezone."""
    rows = connection.execute(statement("retention_accounts"), {"client_id": client_id})
    return [(r.account_id, r.timezone) for r in rows]


def clear_account(
    connection: Connection,
    client_id: int,
    account_id: int,
    before: date,
    *,
    imported_too: bool,
    dry_run: bool = False,
) -> dict[str, int]:
    """Remove days of an account before one, and sum up anew what remains of them.

    Args:
        connection: An operator's transaction.
        client_id: Whose.
        account_id: Which account.
        before: First day that stays, in the account's timezone.
        imported_too: Whether imported days go as well.
        dry_run: Only count.

    Returns:
        Rows a rule.
    """
    scope: dict[str, Any] = {
        "client_id": client_id, "account_id": account_id, "before": before,
        "imported_too": imported_too,
    }  # fmt: skip
    days = connection.execute(statement("retention_days"), scope).all()
    if not dry_run:
        timescale.allow_old_rows(connection)
    counts = {rule.name: _apply(connection, rule, scope, dry_run) for rule in BY_ACCOUNT}
    if not dry_run:
        for row in days:
            rebuild_summary(
                connection, account_id, Level(row.level), DateRange(row.since, row.until)
            )
        if counts["insights"]:
            connection.execute(statement("retention_coverage"), scope)
    return counts


def clear_client(
    connection: Connection,
    client_id: int,
    raw_before: datetime,
    webhooks_before: datetime,
    *,
    dry_run: bool = False,
) -> dict[str, int]:
    """Remove what names people in a client's old answers, and its old webhooks; rows a rule."""
    scope = {
        "client_id": client_id, "raw_before": raw_before, "webhooks_before": webhooks_before,
    }  # fmt: skip
    return {rule.name: _apply(connection, rule, scope, dry_run) for rule in BY_CLIENT}


def _apply(connection: Connection, rule: Rule, scope: dict[str, Any], dry_run: bool) -> int:
    table = f"app.{rule.table}"
    if dry_run:
        sql = f"SELECT count(*) FROM {table} WHERE {rule.condition}"  # noqa: S608
        return int(connection.scalar(text(sql), scope) or 0)
    if rule.erase:
        emptied = ", ".join(f"{c} = NULL" for c in rule.erase)
        sql = f"UPDATE {table} SET {emptied} WHERE {rule.condition}"  # noqa: S608
    else:
        sql = f"DELETE FROM {table} WHERE {rule.condition}"  # noqa: S608
    return connection.execute(text(sql), scope).rowcount
