"""Store what stands beside the ads, and read how far it came.

Rows come as plain values by column name. The statements are built from `TABLES`, one description a
table, because seven times the same insert with other names would hide a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from adlab.core.entities import Level
from adlab.core.periods import DateRange
from adlab.storage.statements import statement


@dataclass(frozen=True)
class Table:
    """How rows of one kind are kept.

    Attributes:
        name: Table in schema `app`.
        key: Columns that tell rows of an account apart.
        columns: Further columns with their types.
        seen: Column that takes the time of reading.
        is_listing: Whether what a complete read does not show has vanished.
    """

    name: str
    key: dict[str, str]
    columns: dict[str, str]
    seen: str = "seen_at"
    is_listing: bool = True


TABLES = {
    "creatives": Table("creative", {"creative_id": "bigint"}, {
        "name": "text", "status": "text", "object_type": "text", "title": "text", "body": "text",
        "call_to_action_type": "text", "image_hash": "text", "video_id": "text",
        "object_story_spec": "jsonb", "asset_feed_spec": "jsonb",
        "effective_object_story_id": "text", "url_tags": "text", "thumbnail_url": "text",
        "extra": "jsonb",
    }),
    "audiences": Table("audience", {"audience_id": "bigint"}, {
        "name": "text", "subtype": "text", "description": "text", "size_lower": "bigint",
        "size_upper": "bigint", "delivery_status": "text", "operation_status": "text",
        "retention_days": "integer", "created_at": "timestamptz", "updated_at": "timestamptz",
        "extra": "jsonb",
    }),
    "activities": Table("activity", {"digest": "text"}, {
        "happened_at": "timestamptz", "event_type": "text", "event": "text", "actor_id": "text",
        "actor_name": "text", "application_id": "text", "object_id": "text", "object_type": "text",
        "object_name": "text", "old": "jsonb", "new": "jsonb", "extra": "jsonb",
    }, is_listing=False),
    "studies": Table("study", {"study_id": "bigint"}, {
        "name": "text", "type": "text", "description": "text", "start_at": "timestamptz",
        "end_at": "timestamptz", "canceled_at": "timestamptz", "cells": "jsonb", "extra": "jsonb",
    }),
    "recommendations": Table("recommendation", {"signature": "text"}, {
        "type": "text", "title": "text", "message": "text", "importance": "text",
        "object_ids": "text[]", "extra": "jsonb",
    }),
    "pixels": Table("pixel", {"pixel_id": "bigint"}, {
        "name": "text", "last_fired_at": "timestamptz", "unavailable": "boolean",
        "created_at": "timestamptz", "extra": "jsonb",
    }),
    "pixel_stats": Table("pixel_stat", {
        "pixel_id": "bigint", "hour_at": "timestamptz", "event": "text",
    }, {"events": "bigint"}, seen="fetched_at", is_listing=False),
}  # fmt: skip


def store_rows(
    connection: Connection,
    kind: str,
    *,
    client_id: int,
    account_id: int,
    rows: Sequence[dict[str, Any]],
    seen_at: datetime,
) -> int:
    """Add or refresh rows of a kind; of a listing, mark what is no longer shown as vanished.

    Args:
        connection: An operator's transaction.
        kind: A key of `TABLES`.
        client_id: Tenant.
        account_id: Ad account.
        rows: The rows; of a listing, all there are.
        seen_at: When they were read (aware UTC).

    Returns:
        How many rows are new, different or vanished.
    """
    table = TABLES[kind]
    # Reason: PostgreSQL keeps no NUL in text, and names come from people.
    document = orjson.dumps(list(rows)).decode().replace("\\u0000", "")
    binds = {
        "client_id": client_id, "account_id": account_id, "rows": document, "seen_at": seen_at,
    }  # fmt: skip
    changed: int = connection.execute(text(_merge(table)), binds).rowcount
    if table.is_listing:
        changed += connection.execute(text(_vanish(table)), binds).rowcount
    return changed


def _source(table: Table) -> str:
    columns = {**table.key, **table.columns}
    return (
        "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r("
        + ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        + ")"
    )


def _merge(table: Table) -> str:
    own = [*table.key, *table.columns]
    picked = ["decode(r.digest, 'hex')" if n == "digest" else f'r."{n}"' for n in own]
    # Reason: a signed address changes with every read; alone it is no change.
    compared = [n for n in table.columns if n != "thumbnail_url"]
    back = "t.vanished_at IS NOT NULL OR " if table.is_listing else ""
    again = ", vanished_at = NULL" if table.is_listing else ""
    updates = ", ".join(f'"{n}" = excluded."{n}"' for n in table.columns)
    old, new = (", ".join(f'{s}."{n}"' for n in compared) for s in ("t", "excluded"))
    names = ", ".join(f'"{n}"' for n in own)
    keys = ", ".join(f'"{n}"' for n in table.key)
    return (
        f"INSERT INTO app.{table.name} AS t (client_id, account_id, {names}, {table.seen}) "  # noqa: S608
        f"SELECT :client_id, :account_id, {', '.join(picked)}, :seen_at FROM {_source(table)} "
        f"ON CONFLICT (account_id, {keys}) DO UPDATE SET {updates}, "
        f"{table.seen} = excluded.{table.seen}{again} "
        f"WHERE {back}({old}) IS DISTINCT FROM ({new})"
    )


def _vanish(table: Table) -> str:
    (key,) = table.key
    return (
        f"UPDATE app.{table.name} t SET vanished_at = :seen_at "  # noqa: S608
        "WHERE t.account_id = :account_id AND t.client_id = :client_id AND t.vanished_at IS NULL "
        f'AND NOT EXISTS (SELECT 1 FROM {_source(table)} WHERE r."{key}" = t."{key}")'
    )


def store_coverage(
    connection: Connection,
    kind: str,
    *,
    client_id: int,
    account_id: int,
    period: DateRange | None,
    changed: bool,
) -> None:
    """Record that a kind was read; belongs into the transaction that stored its rows."""
    connection.execute(
        statement("sync_state_set"),
        {
            "client_id": client_id, "account_id": account_id, "kind": f"catalogue:{kind}",
            "level": 0, "since": period.since if period else None,
            "until": period.until if period else None, "changed": changed,
        },
    )  # fmt: skip


def load_covered_until(connection: Connection, account_id: int, kind: str) -> date | None:
    """The newest day a kind was read to, or None."""
    found: date | None = connection.scalar(
        statement("catalogue_covered"), {"account_id": account_id, "kind": f"catalogue:{kind}"}
    )
    return found


def load_unread_objects(connection: Connection, account_id: int, level: Level) -> list[int]:
    """Objects no listing shows whose end nobody has read yet, least recently tried first."""
    return list(
        connection.scalars(
            statement("catalogue_unread_objects"),
            {"account_id": account_id, "level": int(level)},
        )
    )


def mark_deleted(
    connection: Connection, account_id: int, level: Level, tried: Sequence[int]
) -> None:
    """After reading objects by their ids: deleted ones stay vanished, all count as tried."""
    connection.execute(
        statement("catalogue_mark_deleted"),
        {"account_id": account_id, "level": int(level), "object_ids": list(tried)},
    )
