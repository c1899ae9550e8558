"""The queue of jobs, their leases, the workers that live, and loads of history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from adlab.storage.statements import statement

Outcome = Literal["done", "failed"]


@dataclass(frozen=True)
class Turn:
    """A job to be done.

    Attributes:
        kind: What to do; a name of `jobs.tasks.TASKS`.
        key: What it is for; one job of a key waits or runs at a time.
        due_at: The moment it is for.
        client_id: Whose, or None for the whole agency.
        account_id: Which ad account, or None.
        priority: 0 live, 1 report, 2 back-fill.
        arguments: For the task.
    """

    kind: str
    key: str
    due_at: datetime
    client_id: int | None = None
    account_id: int | None = None
    priority: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claimed(Turn):
    """A job that is this worker's to do."""

    job_id: int = 0
    attempts: int = 1


@dataclass(frozen=True)
class Done:
    """What came of a job."""

    rows: int = 0
    changed: int = 0
    calls: int = 0


def enqueue(connection: Connection, turn: Turn, not_before: datetime | None = None) -> bool:
    """Put a job into the queue.

    Returns:
        False when one of its key waits or runs already: that one is it.
    """
    return (
        connection.scalar(
            statement("job_enqueue"),
            {
                "kind": turn.kind,
                "key": turn.key,
                "client_id": turn.client_id,
                "account_id": turn.account_id,
                "priority": turn.priority,
                "arguments": json.dumps(dict(turn.arguments), default=str),
                "due_at": turn.due_at,
                "not_before": not_before or turn.due_at,
            },
        )
        is not None
    )


def claim(
    connection: Connection, worker_id: str, kinds: Sequence[str], now: datetime, until: datetime
) -> Claimed | None:
    """Take the next job; no other worker gets it before `until`."""
    row = connection.execute(
        statement("job_claim"),
        {"worker_id": worker_id, "kinds": list(kinds), "now": now, "lease_until": until},
    ).first()
    return None if row is None else Claimed(**row._mapping)


def renew(connection: Connection, worker_id: str, now: datetime, until: datetime) -> set[int]:
    """Keep a worker's jobs; those not in the answer are no longer its own."""
    rows = connection.scalars(
        statement("job_renew"), {"worker_id": worker_id, "now": now, "lease_until": until}
    )
    return set(rows)


def finish(
    connection: Connection,
    job: Claimed,
    worker_id: str,
    outcome: Outcome,
    now: datetime,
    done: Done,
    error: str | None = None,
) -> bool:
    """Close a job; False when another worker has it by now."""
    return (
        connection.scalar(
            statement("job_finish"),
            {
                "job_id": job.job_id,
                "worker_id": worker_id,
                "state": outcome,
                "now": now,
                "rows": done.rows,
                "changed": done.changed,
                "calls": done.calls,
                "error": error[:1000] if error else None,
            },
        )
        is not None
    )


def again(
    connection: Connection, job: Claimed, worker_id: str, not_before: datetime, error: str | None
) -> bool:
    """Put a job back into the queue, for later; False when another worker has it by now.

    A job without an error went well and has more to do, so its tries start over.
    """
    found = connection.scalar(
        statement("job_again"),
        {
            "job_id": job.job_id,
            "worker_id": worker_id,
            "not_before": not_before,
            "error": error[:1000] if error else None,
            "anew": error is None,
        },
    )
    return found is not None


def take_over(connection: Connection, now: datetime) -> list[str]:
    """Put jobs of workers that are gone back into the queue; their keys."""
    return [r.key for r in connection.execute(statement("job_take_over"), {"now": now})]


def release(connection: Connection, worker_id: str, now: datetime) -> None:
    """Give a worker's jobs back, and forget it."""
    connection.execute(statement("job_release"), {"worker_id": worker_id, "now": now})
    connection.execute(statement("worker_gone"), {"worker_id": worker_id, "before": None})


def prune(connection: Connection, done_before: datetime, failed_before: datetime) -> int:
    """Forget jobs that went well or failed before a moment each, and workers silent since."""
    connection.execute(statement("worker_gone"), {"worker_id": None, "before": done_before})
    binds = {"done_before": done_before, "failed_before": failed_before}
    return connection.execute(statement("job_prune"), binds).rowcount


def newest_turns(connection: Connection) -> dict[str, datetime]:
    """Per key the newest turn that was asked for."""
    return {r.key: r.due_at for r in connection.execute(statement("job_newest"))}


def last_done(connection: Connection, key: str) -> datetime | None:
    """When the newest turn of a key that succeeded began."""
    found: datetime | None = connection.scalar(statement("job_last_done"), {"key": key})
    return found


def depth(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Jobs that wait or run: kind, state, jobs, oldest_seconds."""
    return [dict(r) for r in connection.execute(statement("job_depth"), {"now": now}).mappings()]


def load_measures(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Per account when it was read last, and how much of each of Meta's meters is used."""
    accounts = connection.execute(statement("measure_accounts")).mappings()
    meters = connection.execute(statement("measure_quota")).mappings()
    return [dict(a) for a in accounts], [dict(m) for m in meters]


def beat(
    connection: Connection, worker_id: str, host: str, pid: int, now: datetime, leads: bool
) -> None:
    """Say that a worker lives."""
    connection.execute(
        statement("worker_beat"),
        {"worker_id": worker_id, "host": host, "pid": pid, "now": now, "leads": leads},
    )


def list_workers(connection: Connection) -> list[dict[str, Any]]:
    """Workers that said they live: worker_id, host, pid, started_at, beat_at, leads."""
    return [dict(r) for r in connection.execute(statement("worker_list")).mappings()]


@dataclass(frozen=True)
class ScheduledAccount:
    """An account that can be read, and what says how often it should be."""

    account_id: int
    client_id: int
    slug: str
    timezone: str
    spent_on: date | None
    active: bool
    loaded: bool


def load_schedule(connection: Connection) -> list[ScheduledAccount]:
    """Every account whose connection works."""
    rows = connection.execute(statement("schedule_accounts")).mappings()
    return [ScheduledAccount(**r) for r in rows]


@dataclass(frozen=True)
class Backfill:
    """A load of an account's history, newest days first.

    Attributes:
        account_id: Ad account.
        client_id: Whose.
        slug: Likewise.
        timezone: The account's.
        since: Oldest day wanted.
        until: Newest day wanted.
        levels: Levels of insights.
        reached: Oldest day that is in; None while nothing is.
        calls: Calls so far.
        rows: Rows so far.
        seconds: Time spent reading so far.
        requested_at: When it was asked for.
        finished_at: When all was in.
    """

    account_id: int
    client_id: int
    slug: str
    timezone: str
    since: date
    until: date
    levels: tuple[str, ...]
    reached: date | None
    calls: int
    rows: int
    seconds: float
    requested_at: datetime
    finished_at: datetime | None


def request_backfill(
    connection: Connection, account_id: int, client_id: int, since: date, until: date,
    levels: Sequence[str], now: datetime,
) -> None:  # fmt: skip
    """Ask for an account's history; what an earlier request loaded is not loaded again."""
    connection.execute(
        statement("backfill_request"),
        {"account_id": account_id, "client_id": client_id, "since": since, "until": until,
         "levels": list(levels), "now": now},
    )  # fmt: skip


def load_backfills(connection: Connection, account_id: int | None = None) -> list[Backfill]:
    """Loads of history, of one account or all."""
    rows = connection.execute(statement("backfill_of"), {"account_id": account_id}).mappings()
    return [Backfill(**{**r, "levels": tuple(r["levels"])}) for r in rows]


def step_backfill(
    connection: Connection, account_id: int, reached: date, done: Done, seconds: float,
    finished_at: datetime | None,
) -> None:  # fmt: skip
    """Note how far a load came."""
    connection.execute(
        statement("backfill_step"),
        {"account_id": account_id, "reached": reached, "calls": done.calls, "rows": done.rows,
         "seconds": seconds, "finished_at": finished_at},
    )  # fmt: skip


def cancel_backfill(connection: Connection, account_id: int) -> bool:
    """End a load; what is in stays."""
    return connection.scalar(statement("backfill_cancel"), {"account_id": account_id}) is not None
