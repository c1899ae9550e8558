"""Store ad accounts and their campaigns, ad sets, ads and creatives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.entities import AccountInfo, AdObject, Level
from adlab.core.errors import ConflictError
from adlab.storage.engine import raw
from adlab.storage.statements import statement

_COLUMNS = (
    "client_id", "account_id", "level", "object_id", "campaign_id", "ad_set_id", "creative_id",
    "name", "status", "effective_status", "objective", "optimization_goal", "bid_strategy",
    "daily_budget_minor", "lifetime_budget_minor", "created_at", "updated_at", "start_at",
    "stop_at", "extra", "seen_at",
)  # fmt: skip


def store_account(
    connection: Connection,
    account: AccountInfo,
    client_id: int,
    *,
    source: str = "meta",
    connection_id: int | None = None,
) -> None:
    """Add or refresh an ad account.

    Raises:
        ConflictError: If another client has it.
    """
    row = connection.execute(
        statement("account_upsert"),
        {
            "account_id": account.account_id,
            "client_id": client_id,
            "name": account.name,
            "currency": account.currency,
            "timezone": account.timezone,
            "account_status": account.account_status,
            "disable_reason": account.disable_reason,
            "source": source,
            "connection_id": connection_id,
            "extra": json.dumps(account.extra or {}),
            "spend_cap_minor": account.spend_cap_minor,
            "amount_spent_minor": account.amount_spent_minor,
            "balance_minor": account.balance_minor,
            "min_daily_budget_minor": account.min_daily_budget_minor,
            "is_prepay": account.is_prepay,
            "capabilities": None if account.capabilities is None else list(account.capabilities),
        },
    ).one()
    if row.client_id != client_id:
        owner = load_account(connection, account.account_id) or {}
        raise ConflictError(
            f"Account act_{account.account_id} belongs to client {owner.get('slug')!r} already.",
            "An account has one client; disconnect it there first.",
        )


def load_account(connection: Connection, account_id: int) -> dict[str, Any] | None:
    """account_id, client_id, slug, currency, timezone, source, name; None when unknown."""
    row = connection.execute(statement("account_owner"), {"account_id": account_id}).mappings()
    found = row.first()
    return dict(found) if found else None


def load_accounts(
    connection: Connection, client_id: int | None = None, account_id: int | None = None
) -> list[dict[str, Any]]:
    """Accounts that sync from Meta, with their sealed token and connection status."""
    rows = connection.execute(
        statement("account_list"), {"client_id": client_id, "account_id": account_id}
    )
    return [dict(r) for r in rows.mappings()]


def store_objects(
    connection: Connection,
    client_id: int,
    account_id: int,
    objects: Iterable[AdObject],
    complete: Level | None = None,
) -> int:
    """Add or refresh objects of an account; history follows by itself.

    Args:
        connection: An operator's transaction.
        client_id: Tenant.
        account_id: Ad account.
        objects: The objects.
        complete: The level of which these are all that Meta lists; others are marked vanished.

    Returns:
        How many were new or changed.
    """
    _stage(connection, client_id, account_id, objects)
    changed = connection.execute(statement("object_merge")).rowcount
    if complete is not None:
        connection.execute(
            statement("object_vanish"), {"account_id": account_id, "level": int(complete)}
        )
    connection.execute(text("DROP TABLE stage_object"))
    return changed


def store_named_objects(
    connection: Connection, client_id: int, account_id: int, objects: Iterable[AdObject]
) -> int:
    """Add objects that insights name and nobody has read yet; never touches known ones."""
    _stage(connection, client_id, account_id, objects)
    added = connection.execute(statement("object_named_in_insights")).rowcount
    connection.execute(text("DROP TABLE stage_object"))
    return added


def load_object_ids(connection: Connection, account_id: int, level: Level) -> set[int]:
    """Identifiers known at a level."""
    return set(
        connection.scalars(
            statement("object_ids"), {"account_id": account_id, "level": int(level)}
        ).all()
    )


def load_daily_rows(connection: Connection, account_id: int) -> dict[Level, int]:
    """About how many rows of insights a day has at each level; absent where nothing is known."""
    rows = connection.execute(statement("object_daily_rows"), {"account_id": account_id})
    return {Level(r.level): r.rows for r in rows}


def load_vanished(connection: Connection, account_id: int, level: Level) -> set[int]:
    """Objects that the newest listing no longer showed: deleted, yet their delivery happened."""
    return set(
        connection.scalars(
            statement("object_vanished"), {"account_id": account_id, "level": int(level)}
        ).all()
    )


def _stage(
    connection: Connection, client_id: int, account_id: int, objects: Iterable[AdObject]
) -> None:
    connection.execute(statement("object_stage"))
    now = datetime.now(UTC)
    with (
        raw(connection).cursor() as cursor,
        cursor.copy(f"COPY stage_object ({', '.join(_COLUMNS)}) FROM STDIN") as copy,
    ):
        for o in objects:
            copy.write_row(
                (
                    client_id, account_id, int(o.level), o.object_id, o.campaign_id, o.ad_set_id,
                    o.creative_id, o.name, o.status, o.effective_status, o.objective,
                    o.optimization_goal, o.bid_strategy, o.daily_budget_minor,
                    o.lifetime_budget_minor, o.created_at, o.updated_at, o.start_at, o.stop_at,
                    json.dumps(o.extra) if o.extra else None, now,
                )
            )  # fmt: skip
