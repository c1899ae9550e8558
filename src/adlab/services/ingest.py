"""Refresh accounts, their objects and their daily insights: fetch, store, move the watermark.

A slice (one account, level and range of days) is one transaction with its summary, its coverage and
its entry in the run; newest days come first. What a run committed before it was interrupted is not
read again when the same question is asked within six hours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, islice
from threading import Lock
from typing import Any

from adlab.core.entities import AccountId, Level, parse_account_id
from adlab.core.errors import (
    AdlabError,
    AuthorizationError,
    ConcurrentWriteError,
    DatabaseUnavailableError,
    DiskFullError,
    StaleCursorError,
    TooMuchDataError,
    UnknownObjectError,
)
from adlab.core.periods import RESTATEMENT_DAYS, DateRange, today_in
from adlab.meta.client import GraphClient
from adlab.meta.insights import ASYNC_FROM_ROWS, InsightsReader
from adlab.meta.objects import fetch_account, fetch_objects
from adlab.services import quota_memory
from adlab.services.quota_reports import SLICES_AHEAD, ReadAhead
from adlab.services.slices import cut
from adlab.services.sync_run import IngestParts as IngestParts
from adlab.services.sync_run import SliceDone as SliceDone
from adlab.services.sync_run import SyncReport as SyncReport
from adlab.services.sync_run import SyncRequest as SyncRequest
from adlab.storage import connections, objects, sync_state
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.insights import store_insights
from adlab.storage.retention import load_retention
from adlab.storage.versions import thin_versions

log = logging.getLogger(__name__)

FIRST_LOAD_DAYS = 90
LARGE_LOAD_ROWS = 5_000
# Reason: expected rows a day before any object of the account is known; too many costs a small
# account a few calls, too few would have a large one read in one long chain of pages.
_UNKNOWN_OBJECTS = 700


@dataclass
class _AccountWork:
    """An account during a run."""

    account_id: AccountId
    client_id: int
    slug: str
    connection_id: int | None
    client: GraphClient
    reader: InsightsReader
    ahead: ReadAhead
    today: date
    timezone: str
    daily_rows: dict[Level, int] = field(default_factory=dict)
    stopped: str | None = None


@dataclass(frozen=True)
class _Slice:
    work: _AccountWork
    level: Level
    period: DateRange


def refresh(
    parts: IngestParts,
    request: SyncRequest,
    on_slice: Callable[[SliceDone], None] | None = None,
    on_plan: Callable[[int], None] | None = None,
) -> SyncReport:
    """Bring the store up to date with Meta.

    Args:
        parts: See `IngestParts`.
        request: What to refresh.
        on_slice: Called after each committed slice.
        on_plan: Called with the number of slices once it is known.

    Returns:
        What was done; `complete` only when everything asked is committed. An account that fails
        does not stop the others.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
        DatabaseUnavailableError: If the store went away; committed slices are safe.
        DiskFullError: If its disk is full; committed slices are safe.
        ValueError: If the dates are in the wrong order.
    """
    began = parts.now()
    report = SyncReport()
    with transaction(parts.engine) as connection:
        rows = _accounts(connection, request)
        run_id, done = sync_state.start_run(connection, _question(request), request.resume)
    works: list[_AccountWork] = []
    try:
        for row in rows:
            if (work := _open(parts, row, report)) is not None:
                works.append(work)
        report.accounts = len(works)
        with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="sync") as pool:
            list(pool.map(lambda w: _refresh_account(parts, w, request, report), works))
            slices = [s for w in works if w.stopped is None for s in _plan(parts, w, request)]
            # Reason: newest days of every account before older days of any.
            slices.sort(key=lambda s: (-s.period.until.toordinal(), int(s.level)))
            todo = [s for s in slices if _key(s) not in done]
            report.skipped = len(slices) - len(todo)
            if on_plan is not None:
                on_plan(len(todo))
            _run(parts, pool, todo, run_id, report, on_slice)
        with transaction(parts.engine) as connection:
            if report.complete:
                sync_state.store_ranges(connection, ((s.work, s.level, s.period) for s in slices))
            for work in works:
                thin_versions(connection, work.account_id, work.timezone, parts.now())
        quota_memory.remember_all(parts.engine, works, parts.now())
    finally:
        report.calls = sum(w.client.calls for w in works)
        report.quota_percent = max((w.client.pace.peak_percent for w in works), default=0.0)
        for w in works:
            w.ahead.close()
            w.client.close()
        report.seconds = (parts.now() - began).total_seconds()
    with transaction(parts.engine) as connection:
        for found in sync_state.load_double_days(connection, {w.client_id for w in works}):
            report.warnings.append(
                f"Import {found['import_id']} ({found['file_name']}) holds {found['days']} days of "
                f"objects that are synced now; they count twice. Take it back: adlab import undo "
                f"{found['import_id']}"
            )
        if report.changed >= LARGE_LOAD_ROWS:
            sync_state.analyze_facts(connection)
        outcome = "done" if report.complete else "failed"
        sync_state.end_run(connection, run_id, outcome, report.rows, report.calls)
    return report


def _question(request: SyncRequest) -> dict[str, Any]:
    return {
        "client": request.client,
        "account": request.account,
        "since": request.since,
        "until": request.until,
        "levels": list(request.levels),
        "days_by_level": [list(p) for p in request.days_by_level],
    }


def _accounts(connection: Any, request: SyncRequest) -> list[dict[str, Any]]:
    client_id = load_client(connection, request.client).client_id if request.client else None
    account_id = parse_account_id(request.account) if request.account else None
    rows = objects.load_accounts(connection, client_id, account_id)
    if not rows:
        whose = f" for client {request.client!r}" if request.client else ""
        what = f"Account act_{account_id} is not" if account_id else "No ad account is"
        raise UnknownObjectError(
            f"{what} connected{whose}.",
            "Connect one: adlab account connect act_… --client SLUG --token-env VAR",
        )
    return rows


def _open(parts: IngestParts, row: dict[str, Any], report: SyncReport) -> _AccountWork | None:
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
    reader = quota_memory.open_reader(
        parts.engine, client, account_id, row["client_id"], parts.priority, parts.now()
    )
    return _AccountWork(
        account_id, row["client_id"], row["slug"], row["connection_id"], client,
        reader, ReadAhead(reader), today_in(row["timezone"], parts.now()),
        row["timezone"],
    )  # fmt: skip


def _refresh_account(
    parts: IngestParts, work: _AccountWork, request: SyncRequest, report: SyncReport
) -> None:
    """Read the account itself and, when asked, its objects down to the deepest level asked."""
    deepest = max(Level.parse(name) for name in request.levels)
    try:
        if request.with_account:
            info = fetch_account(work.client, work.account_id)
            work.today, work.timezone = today_in(info.timezone, parts.now()), info.timezone
            with transaction(parts.engine) as connection:
                objects.store_account(
                    connection, info, work.client_id, connection_id=work.connection_id
                )
        for level in (Level.CAMPAIGN, Level.AD_SET, Level.AD):
            if request.with_objects and level <= deepest:
                _refresh_objects(parts, work, level, report)
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AdlabError as error:
        _stop(parts, work, error, report)


def _refresh_objects(
    parts: IngestParts, work: _AccountWork, level: Level, report: SyncReport
) -> None:
    # Reason: fetched before the transaction opens, so that no lock waits for the network.
    found = [o for page in fetch_objects(work.client, work.account_id, level) for o in page]
    with transaction(parts.engine) as connection:
        changed = objects.store_objects(
            connection, work.client_id, work.account_id, found, complete=level
        )
        sync_state.store_coverage(
            connection, client_id=work.client_id, account_id=work.account_id, kind="objects",
            level=int(level), period=None, changed=changed > 0,
        )  # fmt: skip
    with _TALLY:
        report.objects += len(found)


_TALLY = Lock()


def _plan(parts: IngestParts, work: _AccountWork, request: SyncRequest) -> Iterable[_Slice]:
    with transaction(parts.engine) as connection:
        covered = sync_state.load_coverage(connection, work.account_id)
        work.daily_rows = objects.load_daily_rows(connection, work.account_id)
        kept = load_retention(connection, work.client_id)
    for name in request.levels:
        level = Level.parse(name)
        until = min(request.until or work.today, work.today)
        since = request.since
        if since is None:
            known = covered.get(int(level))
            since = (
                min(known, work.today) - timedelta(days=RESTATEMENT_DAYS)
                if known is not None
                else until - timedelta(days=FIRST_LOAD_DAYS - 1)
            )
        limit = dict(request.days_by_level).get(name)
        if limit is not None:
            since = max(since, until - timedelta(days=limit - 1))
        if request.since and since > until:
            if request.until and request.since > request.until:
                raise ValueError(f"--since {request.since} is after --until {request.until}")
            continue
        # Reason: one day inside 37 months, because the account's day may be ahead of Meta's; and
        # what the client's retention removes is not read again.
        period = DateRange(since, until).clamp(kept.first_day(work.today), work.today)
        for part in cut(period, _rows_per_day(work, level)) if period else ():
            yield _Slice(work, level, part)


def _rows_per_day(work: _AccountWork, level: Level) -> int:
    if level is Level.ACCOUNT:
        return 1
    return work.daily_rows.get(level, _UNKNOWN_OBJECTS)


def _expected(piece: _Slice) -> int:
    return _rows_per_day(piece.work, piece.level) * piece.period.days


def _key(piece: _Slice) -> sync_state.SliceKey:
    return (piece.work.account_id, int(piece.level), piece.period.since, piece.period.until)


def _run(
    parts: IngestParts,
    pool: ThreadPoolExecutor,
    todo: Sequence[_Slice],
    run_id: int,
    report: SyncReport,
    on_slice: Callable[[SliceDone], None] | None,
) -> None:
    waiting = list(reversed(todo))
    running: dict[Future[tuple[int, int]], _Slice] = {}
    try:
        while waiting or running:
            for ahead in reversed(waiting[-SLICES_AHEAD:]):
                if ahead.work.stopped is None:
                    ahead.work.ahead.ask(ahead.level, ahead.period, _expected(ahead))
            while waiting and len(running) < parts.concurrency:
                piece = waiting.pop()
                if piece.work.stopped is None:
                    running[pool.submit(_read_slice, parts, piece, run_id)] = piece
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                piece = running.pop(future)
                _settle(parts, piece, future, report, on_slice)
    except BaseException:
        for future in running:
            future.cancel()
        raise


def _settle(
    parts: IngestParts,
    piece: _Slice,
    future: Future[tuple[int, int]],
    report: SyncReport,
    on_slice: Callable[[SliceDone], None] | None,
) -> None:
    try:
        rows, changed = future.result()
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AuthorizationError as error:
        _stop(parts, piece.work, error, report)
        return
    except AdlabError as error:
        text = f"{piece.level.word} {piece.period}: {error}"
        report.failures.append((f"act_{piece.work.account_id}", text))
        with transaction(parts.engine) as connection:
            sync_state.store_failure(
                connection, client_id=piece.work.client_id, account_id=piece.work.account_id,
                level=int(piece.level), error=str(error))  # fmt: skip
        return
    report.rows += rows
    report.changed += changed
    report.slices += 1
    if changed:
        parts.tell(
            piece.work.client_id,
            {"kind": "insights", "level": piece.level.word,
             "since": piece.period.since.isoformat(), "until": piece.period.until.isoformat()},
        )  # fmt: skip
    if on_slice is not None:
        on_slice(
            SliceDone(piece.work.slug, piece.work.account_id, piece.level.word, piece.period, rows,
                      changed)
        )  # fmt: skip


def _read_slice(parts: IngestParts, piece: _Slice, run_id: int) -> tuple[int, int]:
    """Fetch and store one slice in one transaction."""
    work, level, period = piece.work, piece.level, piece.period
    try:
        return _store_slice(parts, piece, run_id, _expected(piece))
    except TooMuchDataError:
        log.info("slice_too_large account_id=%s level=%s period=%s", work.account_id, level, period)
        return _store_slice(parts, piece, run_id, ASYNC_FROM_ROWS)
    except (StaleCursorError, ConcurrentWriteError):
        # Reason: the transaction is rolled back, so starting over doubles nothing. Another run
        # may have stored these days first; they are then compared instead of copied.
        return _store_slice(parts, piece, run_id, _expected(piece))


def _store_slice(parts: IngestParts, piece: _Slice, run_id: int, expected: int) -> tuple[int, int]:
    work, level, period = piece.work, piece.level, piece.period
    reader = work.ahead.reader(level, period)
    incoming = reader.fetch(level, period, expected)
    # Reason: waiting for a report must not keep a transaction open.
    first = list(islice(incoming, 1))
    with transaction(parts.engine) as connection:
        result = store_insights(
            connection,
            client_id=work.client_id,
            account_id=work.account_id,
            level=level,
            period=period,
            rows=chain(first, incoming),
            fetched_at=parts.now(),
            today=work.today,
        )
        rows, changed = result.rows, result.changed
        if level is not Level.ACCOUNT:
            known = objects.load_object_ids(connection, work.account_id, level)
            fresh = [o for (_, i), o in reader.named.items() if i not in known]
            if fresh:
                objects.store_named_objects(connection, work.client_id, work.account_id, fresh)
            if not reader.with_deleted:
                gone = objects.load_vanished(connection, work.account_id, level)
                unseen = sorted(gone - {i for _, i in reader.named})
                missed = list(reader.fetch_objects(level, unseen, period))
                extra = store_insights(
                    connection, client_id=work.client_id, account_id=work.account_id,
                    level=level, period=period, rows=missed, fetched_at=parts.now(),
                    today=work.today,
                )  # fmt: skip
                rows, changed = rows + extra.rows, changed + extra.changed
        sync_state.store_coverage(
            connection, client_id=work.client_id, account_id=work.account_id, kind="insights",
            level=int(level), period=period, changed=changed > 0,
        )  # fmt: skip
        sync_state.store_slice(connection, run_id, work.account_id, int(level), period, rows)
    work.reader.with_deleted = reader.with_deleted
    return rows, changed


def _stop(parts: IngestParts, work: _AccountWork, error: AdlabError, report: SyncReport) -> None:
    """No more calls for this account in this run; a dead token is marked for people to see."""
    if work.stopped is None:
        report.failures.append((f"act_{work.account_id}", str(error)))
    work.stopped = str(error)
    if isinstance(error, AuthorizationError) and work.connection_id is not None:
        with transaction(parts.engine) as connection:
            connections.mark_connection(
                connection, work.connection_id, "reauth_required", error.message
            )
