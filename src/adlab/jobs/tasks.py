"""What each kind of job does: a name, a service, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from adlab.core.breakdowns import BREAKDOWNS
from adlab.core.entities import LevelName
from adlab.core.errors import AdlabError
from adlab.core.periods import today_in
from adlab.core.quota import LIMITED, SCORE, SLOW_FROM_PERCENT, Priority
from adlab.services import backfill
from adlab.services.breakdowns import BreakdownRequest, refresh_breakdowns
from adlab.services.catalogue import CatalogueRequest, refresh_catalogue, refresh_objects
from adlab.services.ingest import refresh
from adlab.services.schedule import levels_that_fit
from adlab.services.sync_run import IngestParts, SliceDone, SyncReport, SyncRequest
from adlab.storage import jobs, objects, quota, sync_state
from adlab.storage.engine import transaction
from adlab.storage.jobs import Claimed, Done

# Reason: a thousand turns a day and account go well; what failed is worth remembering longer.
KEEP_DONE, KEEP_FAILED, KEEP_RUNS = timedelta(days=2), timedelta(days=30), timedelta(days=14)
# Reason: changes are asked for with an overlap, because Meta's clock is not ours.
OVERLAP = timedelta(minutes=10)


class StoppedError(AdlabError):
    """The worker ends, or lost the job: what is committed stays, the rest comes again."""


class UnfinishedError(AdlabError):
    """A job did what it could and is not done; it goes on in a later turn of its own.

    Args:
        message: What is left.
        done: What was read and stored until now.
    """

    def __init__(self, message: str, done: Done) -> None:
        super().__init__(message)
        self.done = done


class TurnFailedError(AdlabError):
    """Something of a turn could not be read; the next turn tries again."""


@dataclass(frozen=True)
class TaskParts:
    """What tasks need; built by `runtime`.

    Attributes:
        ingest: Parts of ingestion.
        page_size: Rows a page.
        agency: Tasks that belong to no account, by kind; each gives how many things it did.
    """

    ingest: IngestParts
    page_size: int
    agency: Mapping[str, Callable[[datetime], int]]

    def by(self, priority: Priority) -> IngestParts:
        """Parts that call with a priority."""
        return replace(self.ingest, priority=priority)


Check = Callable[[], None]
Task = Callable[[TaskParts, Claimed, Check], Done]


def _today(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """The running day. An account that is new is read from its beginning instead."""
    account = _account(parts, job)
    if not account.loaded:
        return _settle(refresh(parts.by("live"), SyncRequest(account=str(account.account_id)),
                               on_slice=_checking(check)))  # fmt: skip
    levels, _ = _levels(parts, account.account_id)
    return _read_day(parts, account, levels, 0, check, "live")


def _rest(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Levels of the running day that every quarter of an hour has no quota for."""
    account = _account(parts, job)
    _, left = _levels(parts, account.account_id)
    if not left or not account.loaded:
        return Done()
    return _read_day(parts, account, left, 0, check, "report")


def _close(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """The day that just ended."""
    account = _account(parts, job)
    if not account.loaded:
        return Done()
    return _read_day(parts, account, ("account", "campaign", "adset", "ad"), 1, check, "live")


def _read_day(
    parts: TaskParts, account: jobs.ScheduledAccount, levels: tuple[LevelName, ...], back: int,
    check: Check, priority: Priority,
) -> Done:  # fmt: skip
    day = today_in(account.timezone, parts.ingest.now()) - timedelta(days=back)
    request = SyncRequest(
        account=str(account.account_id), since=day, until=day, levels=levels, with_objects=False,
        with_account=False, resume=False,
    )  # fmt: skip
    return _settle(refresh(parts.by(priority), request, on_slice=_checking(check)))


def _levels(
    parts: TaskParts, account_id: int
) -> tuple[tuple[LevelName, ...], tuple[LevelName, ...]]:
    with transaction(parts.ingest.engine) as connection:
        rows = objects.load_daily_rows(connection, account_id)
        full = quota.is_full_tier(connection, account_id)
    points = float("inf") if full else SCORE[LIMITED] * SLOW_FROM_PERCENT / 100
    return levels_that_fit(rows, parts.page_size, points)


def _objects(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Objects that changed since the last turn that succeeded."""
    with transaction(parts.ingest.engine) as connection:
        since = jobs.last_done(connection, job.key)
    return _settle(
        refresh_objects(parts.by("live"), str(job.account_id), since - OVERLAP if since else None)
    )


def _night(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Every object, and the days Meta may still restate."""
    if not _account(parts, job).loaded:
        # Reason: its first turn of `today` reads all of that just now.
        return Done()
    return _settle(
        refresh(parts.by("report"), SyncRequest(account=str(job.account_id)),
                on_slice=_checking(check))
    )  # fmt: skip


def _catalogue(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """What stands beside the ads."""
    return _settle(
        refresh_catalogue(parts.by("report"), CatalogueRequest(account=str(job.account_id)))
    )


def _breakdowns(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Every breakdown, with the days Meta may still restate."""
    request = BreakdownRequest(kinds=tuple(BREAKDOWNS), account=str(job.account_id))
    return _settle(refresh_breakdowns(parts.by("report"), request, on_slice=_checking(check)))


def _backfill(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Some steps of an account's history; the next turn follows at once while some is left."""
    assert job.account_id is not None
    total = Done()
    for _ in range(backfill.STEPS_A_TURN):
        check()
        with transaction(parts.ingest.engine) as connection:
            found = jobs.load_backfills(connection, job.account_id)
        if not found or found[0].finished_at is not None:
            return total
        load, done, report = backfill.step(parts.ingest, found[0])
        total = Done(total.rows + done.rows, total.changed + done.changed, total.calls + done.calls)
        if report is not None and not report.complete:
            _settle(report)
        if load.finished_at is not None:
            return total
    raise UnfinishedError("More of the history is to be read.", total)


def _housekeeping(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Forget what nobody asks for any more."""
    now = parts.ingest.now()
    with transaction(parts.ingest.engine) as connection:
        gone = jobs.prune(connection, now - KEEP_DONE, now - KEEP_FAILED)
        gone += sync_state.prune_runs(connection, now - KEEP_RUNS)
    return Done(changed=gone)


TASKS: dict[str, Task] = {
    "today": _today,
    "rest": _rest,
    "close": _close,
    "objects": _objects,
    "night": _night,
    "catalogue": _catalogue,
    "breakdowns": _breakdowns,
    "backfill": _backfill,
    "housekeeping": _housekeeping,
}


def run_task(parts: TaskParts, job: Claimed, check: Check) -> Done:
    """Do a job.

    Args:
        parts: See `TaskParts`.
        job: The job.
        check: Raises `StoppedError` when the job must end; called between its parts.

    Raises:
        StoppedError, UnfinishedError: See there.
        AdlabError: If it failed.
    """
    if job.kind in parts.agency:
        return Done(changed=parts.agency[job.kind](parts.ingest.now()))
    return TASKS[job.kind](parts, job, check)


def _account(parts: TaskParts, job: Claimed) -> jobs.ScheduledAccount:
    with transaction(parts.ingest.engine) as connection:
        for account in jobs.load_schedule(connection):
            if account.account_id == job.account_id:
                return account
    raise TurnFailedError(
        f"act_{job.account_id} has no working connection.", "Connect again: adlab account connect."
    )


def _checking(check: Check) -> Callable[[SliceDone], None]:
    def after(_: Any) -> None:
        check()

    return after


def _settle(report: SyncReport) -> Done:
    done = Done(report.rows + report.objects, report.changed, report.calls)
    if not report.complete:
        where, why = report.failures[0]
        more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
        raise TurnFailedError(f"{where}: {why}{more}")
    return done
