"""Store how Meta's meters stand, for those without Redis, and which report sizes were too large."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from adlab.core.quota import FULL, Standing
from adlab.storage.statements import statement

# Reason: Meta's own limits move; after a month the whole question is tried again once.
SIZES_KEPT = timedelta(days=30)


def store_standings(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    standings: Iterable[Standing],
    as_of: datetime,
) -> int:
    """Record the meters an account is held back by.

    Args:
        connection: An operator's transaction.
        client_id: Tenant.
        account_id: Ad account.
        standings: As the quota told; scopes nothing is known of are left out.
        as_of: Aware UTC.

    Returns:
        How many were recorded.
    """
    rows = []
    for s in standings:
        told_at = as_of - timedelta(seconds=s.age_seconds or 0.0)
        is_app = s.scope.startswith("app")
        if s.percent is None and not s.wait_seconds and (is_app or not s.calls_last_hour):
            continue
        rows.append(
            {
                "account_id": account_id,
                "client_id": client_id,
                "meter": s.scope.removeprefix(f"act:{account_id}").lstrip(":") or "score",
                "percent": s.percent,
                "tier": s.tier,
                "score_percent": s.score_percent,
                "calls_last_hour": None if is_app else s.calls_last_hour,
                "regain_at": as_of + timedelta(seconds=s.wait_seconds) if s.wait_seconds else None,
                "as_of": told_at,
            }
        )
    if rows:
        connection.execute(statement("quota_meter_set"), rows)
    return len(rows)


def is_full_tier(connection: Connection, account_id: int) -> bool:
    """Whether Meta named the Full tier last; False while it named none."""
    tier = connection.scalar(statement("quota_tier"), {"account_id": account_id})
    return bool(tier == FULL)


def load_sizes(connection: Connection, account_id: int, now: datetime) -> list[dict[str, Any]]:
    """What was learned of an account's reports lately: the kind of question and its sizes."""
    binds = {"account_id": account_id, "since": now - SIZES_KEPT}
    return [dict(r) for r in connection.execute(statement("report_size_list"), binds).mappings()]


def store_sizes(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    sizes: Mapping[str, Mapping[str, int | None]],
    now: datetime,
) -> None:
    """Record what was learned of an account's reports, by kind of question."""
    for kind, size in sizes.items():
        connection.execute(
            statement("report_size_set"),
            {"account_id": account_id, "client_id": client_id, "kind": kind, "learned_at": now,
             **size},
        )  # fmt: skip
