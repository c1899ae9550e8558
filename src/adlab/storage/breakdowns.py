"""Store rows of a breakdown: a slice of one account, kind, level and range of days."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.breakdowns import BreakdownRow
from adlab.core.entities import Level
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.storage import sync_state, timescale
from adlab.storage.engine import raw
from adlab.storage.statements import statement

_COLUMNS = (
    "date", "client_id", "account_id", "level", "object_id", "breakdown", "value", "value2",
    "label", *STORED_NAMES, "attribution_setting", "actions", "fetched_at",
)  # fmt: skip
_KEY = 8
_COMPARED = tuple(c for c in _COLUMNS[_KEY:] if c != "fetched_at")

SliceKey = tuple[int, str, int, date, date]


def store_breakdown(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    kind: str,
    level: Level,
    period: DateRange,
    rows: Iterable[BreakdownRow],
    fetched_at: datetime,
) -> tuple[int, int]:
    """Insert or update the rows of a slice.

    Rows of objects that are not in `rows` stay, because Meta stops listing deleted objects. Of an
    object and day that is in `rows`, values it no longer names go: the rows of a day must add up
    to the day.

    Args:
        connection: An operator's transaction; nothing is visible before it commits.
        client_id: Tenant.
        account_id: Ad account.
        kind: Kind of breakdown.
        level: Level of every row.
        period: Days the rows lie in.
        rows: The rows; keys must be unique.
        fetched_at: When they were read (aware UTC).

    Returns:
        How many rows came, and how many rows are new, different or gone.
    """
    timescale.allow_old_rows(connection)
    connection.execute(statement("breakdown_stage"))
    count = _copy(connection, client_id, account_id, kind, level, rows, fetched_at)
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:level, hashint8(:account_id))"),
        {"level": 7_100 + int(level), "account_id": account_id},
    )
    scope = {
        "account_id": account_id, "breakdown": kind, "level": int(level),
        "since": period.since, "until": period.until,
    }  # fmt: skip
    changed: int = connection.execute(statement("breakdown_vanished_values"), scope).rowcount
    changed += connection.execute(text(_merge())).rowcount
    connection.execute(text("DROP TABLE stage_breakdown"))
    return count, changed


def _merge() -> str:
    columns = ", ".join(_COLUMNS)
    updates = ", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[_KEY:])
    old = ", ".join(f"t.{c}" for c in _COMPARED)
    new = ", ".join(f"excluded.{c}" for c in _COMPARED)
    return (
        f"INSERT INTO app.insights_breakdown AS t ({columns}) "  # noqa: S608
        f"SELECT {columns} FROM stage_breakdown "
        "ON CONFLICT (account_id, breakdown, level, object_id, date, value, value2) "
        f"DO UPDATE SET {updates} WHERE ({old}) IS DISTINCT FROM ({new})"
    )


def _copy(
    connection: Connection,
    client_id: int,
    account_id: int,
    kind: str,
    level: Level,
    rows: Iterable[BreakdownRow],
    fetched_at: datetime,
) -> int:
    count = 0
    with (
        raw(connection).cursor() as cursor,
        cursor.copy(f"COPY stage_breakdown ({', '.join(_COLUMNS)}) FROM STDIN") as copy,
    ):
        for r in rows:
            copy.write_row(
                (
                    r.date, client_id, account_id, int(level), r.object_id, kind, r.value,
                    r.value2, r.label, *r.hot, r.attribution_setting,
                    None if r.actions is None else r.actions.decode(), fetched_at,
                )
            )  # fmt: skip
            count += 1
    return count


def start_run(connection: Connection, asked: Mapping[str, Any]) -> tuple[int, set[SliceKey]]:
    """Open a run, taking over what an unfinished run of the same question had committed.

    Returns:
        The run's id, and the slices that need not be read again.
    """
    question = json.dumps(asked, sort_keys=True, default=str)
    old = connection.execute(statement("sync_run_unfinished"), {"asked": question}).first()
    run_id: int = connection.execute(statement("sync_run_start"), {"asked": question}).scalar_one()
    if old is None or old.outcome == "done":
        return run_id, set()
    taken = connection.execute(
        statement("breakdown_slices_take"), {"run_id": run_id, "old_run_id": old.run_id}
    )
    return run_id, {(r.account_id, r.breakdown, r.level, r.since, r.until) for r in taken}


def store_slice(
    connection: Connection,
    run_id: int,
    *,
    client_id: int,
    account_id: int,
    kind: str,
    level: Level,
    period: DateRange,
    rows: int,
    changed: bool,
) -> None:
    """Record a committed slice and move the watermark; in the transaction of its rows."""
    connection.execute(
        statement("breakdown_slice_insert"),
        {
            "run_id": run_id, "account_id": account_id, "breakdown": kind, "level": int(level),
            "since": period.since, "until": period.until, "rows": rows,
        },
    )  # fmt: skip
    store_coverage(
        connection, client_id=client_id, account_id=account_id, kind=kind, level=level,
        period=period, changed=changed,
    )  # fmt: skip


def store_coverage(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    kind: str,
    level: Level,
    period: DateRange,
    changed: bool,
) -> None:
    """Record that a range of a breakdown was read."""
    connection.execute(
        statement("sync_state_set"),
        {
            "client_id": client_id, "account_id": account_id, "kind": f"breakdown:{kind}",
            "level": int(level), "since": period.since, "until": period.until, "changed": changed,
        },
    )  # fmt: skip


def load_coverage(connection: Connection, account_id: int) -> dict[tuple[str, int], date]:
    """Newest day covered per kind and level."""
    rows = connection.execute(statement("breakdown_coverage"), {"account_id": account_id})
    return {(r.kind.removeprefix("breakdown:"), r.level): r.until for r in rows}


def store_trouble(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    kind: str,
    level: int,
    reason: str,
    served: bool,
) -> None:
    """Record why a kind of an account could not be read.

    Args:
        connection: An operator's transaction.
        client_id: Tenant.
        account_id: Ad account.
        kind: `breakdown:…` or `catalogue:…`.
        level: Level of the rows; 0 for the catalogue.
        reason: What Meta said; never a secret.
        served: False when Meta does not serve it here at all, True when reading failed this time.
    """
    connection.execute(
        statement("sync_state_failed" if served else "sync_not_served"),
        {
            "client_id": client_id, "account_id": account_id, "kind": kind, "level": level,
            "error": reason[:500],
        },
    )  # fmt: skip


end_run = sync_state.end_run


def load_deleted_objects(
    connection: Connection, account_id: int, level: Level, period: DateRange
) -> list[int]:
    """Objects that delivered in a period and that no listing shows any more."""
    scope = {
        "account_id": account_id, "level": int(level),
        "since": period.since, "until": period.until,
    }  # fmt: skip
    return list(connection.scalars(statement("breakdown_deleted_objects"), scope))


def load_object_count(connection: Connection, account_id: int, level: Level, since: date) -> int:
    """Objects of a level that delivered after a day."""
    found = connection.scalar(
        statement("breakdown_object_count"),
        {"account_id": account_id, "level": int(level), "since": since},
    )
    return int(found or 0)
