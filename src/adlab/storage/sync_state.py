"""How far syncing came: coverage per account and level, runs, and the slices a run committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Connection

from adlab.core.entities import AccountId, Level
from adlab.core.periods import DateRange
from adlab.storage.statements import statement

SliceKey = tuple[int, int, date, date]


def store_coverage(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    kind: Literal["objects", "insights"],
    level: int,
    period: DateRange | None,
    changed: bool,
) -> None:
    """Record that a range was read; belongs into the transaction that stored its rows."""
    connection.execute(
        statement("sync_state_set"),
        {
            "client_id": client_id,
            "account_id": account_id,
            "kind": kind,
            "level": level,
            "since": period.since if period else None,
            "until": period.until if period else None,
            "changed": changed,
        },
    )


class _Tenant(Protocol):
    account_id: AccountId
    client_id: int


def store_ranges(connection: Connection, read: Iterable[tuple[_Tenant, Level, DateRange]]) -> None:
    """Record that everything a run asked for is in, in whatever order its slices came."""
    whole: dict[tuple[int, int, int], DateRange] = {}
    for work, level, period in read:
        key = (work.client_id, int(work.account_id), int(level))
        known = whole.get(key, period)
        whole[key] = DateRange(min(known.since, period.since), max(known.until, period.until))
    for (client_id, account_id, number), period in whole.items():
        store_coverage(
            connection, client_id=client_id, account_id=account_id, kind="insights",
            level=number, period=period, changed=False,
        )  # fmt: skip


def load_coverage(connection: Connection, account_id: int) -> dict[int, date]:
    """Newest day covered per level of insights."""
    rows = connection.execute(statement("sync_coverage"), {"account_id": account_id})
    return {r.level: r.until for r in rows}


def store_failure(
    connection: Connection, *, client_id: int, account_id: int, level: int, error: str
) -> None:
    """Record why a level of an account could not be read."""
    connection.execute(
        statement("sync_state_failed"),
        {
            "client_id": client_id,
            "account_id": account_id,
            "kind": "insights",
            "level": level,
            "error": error[:500],
        },
    )


def start_run(
    connection: Connection, asked: Mapping[str, Any], resume: bool = True
) -> tuple[int, set[SliceKey]]:
    """Open a run, taking over what an unfinished run of the same question had committed.

    Args:
        connection: An operator's transaction.
        asked: The question.
        resume: False to take nothing over.

    Returns:
        The run's id, and the slices that need not be read again.
    """
    question = json.dumps(asked, sort_keys=True, default=str)
    done: set[SliceKey] = set()
    old = connection.execute(statement("sync_run_unfinished"), {"asked": question}).first()
    if resume and old is not None and old.outcome != "done":
        rows = connection.execute(statement("sync_slices_of"), {"run_id": old.run_id})
        done = {(r.account_id, r.level, r.since, r.until) for r in rows}
    run_id: int | None = connection.scalar(statement("sync_run_start"), {"asked": question})
    assert run_id is not None
    for account_id, level, since, until in done:
        store_slice(connection, run_id, account_id, level, DateRange(since, until), 0)
    return run_id, done


def end_run(connection: Connection, run_id: int, outcome: str, rows: int, calls: int) -> None:
    """Close a run as `done` or `failed`."""
    connection.execute(
        statement("sync_run_end"),
        {"run_id": run_id, "outcome": outcome, "rows": rows, "calls": calls},
    )


def prune_runs(connection: Connection, before: datetime) -> int:
    """Forget runs that began before a moment."""
    return connection.execute(statement("sync_run_prune"), {"before": before}).rowcount


def store_slice(
    connection: Connection, run_id: int, account_id: int, level: int, period: DateRange, rows: int
) -> None:
    """Record a committed slice of a run; in the transaction that stored its rows."""
    connection.execute(
        statement("sync_slice_insert"),
        {
            "run_id": run_id,
            "account_id": account_id,
            "level": level,
            "since": period.since,
            "until": period.until,
            "rows": rows,
        },
    )


def load_double_days(connection: Connection, client_ids: set[int]) -> list[dict[str, Any]]:
    """Live imports holding days of objects that are synced too: import_id, file_name, days."""
    rows = connection.execute(statement("sync_double_days"), {"client_ids": sorted(client_ids)})
    return [dict(r) for r in rows.mappings()]


def analyze_facts(connection: Connection) -> None:
    """Refresh the planner's statistics after a large load."""
    connection.execute(statement("facts_analyze"))
