"""Refresh breakdowns: age and gender, country, region, placement, device, hour, assets.

A slice (one account, kind, level and range of days) is one transaction with its watermark and its
entry in the run; newest days come first. What a run committed before it was interrupted is not
read again when the same question is asked within six hours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from adlab.core.breakdowns import Breakdown, breakdowns, reach_floor
from adlab.core.entities import Level
from adlab.core.errors import (
    AdlabError,
    DatabaseUnavailableError,
    DiskFullError,
    StaleCursorError,
    TooMuchDataError,
)
from adlab.core.periods import RESTATEMENT_DAYS, DateRange
from adlab.meta.breakdowns import BreakdownReader
from adlab.meta.insights import ASYNC_FROM_ROWS
from adlab.services.catalogue_accounts import (
    OpenAccount,
    close_accounts,
    note_trouble,
    open_accounts,
)
from adlab.services.ingest import IngestParts, SliceDone, SyncReport
from adlab.storage import breakdowns as store
from adlab.storage import objects
from adlab.storage.engine import transaction
from adlab.storage.retention import load_retention

log = logging.getLogger(__name__)

FIRST_LOAD_DAYS = 90
NEWEST_SLICE_DAYS, SLICE_DAYS = 7, 30
# Reason: a slice is held in memory until it is whole, so that no transaction waits for Meta.
_SLICE_ROWS = 100_000
_UNKNOWN_OBJECTS = 50


@dataclass(frozen=True)
class BreakdownRequest:
    """Which breakdowns to refresh.

    Attributes:
        kinds: Names of breakdowns; see `core.breakdowns.breakdowns`.
        client: Slug, or None for all clients.
        account: Account id, or None for all accounts.
        since: First day; None picks per account and kind: 28 days before what is covered, or 90
            days in all.
        until: Last day; None is the account's current day.
        level: Level to read at; None is each kind's own (campaign, of assets ad).
    """

    kinds: tuple[str, ...]
    client: str | None = None
    account: str | None = None
    since: date | None = None
    until: date | None = None
    level: Level | None = None


@dataclass(frozen=True)
class _Slice:
    work: OpenAccount
    kind: Breakdown
    level: Level
    period: DateRange
    expected_rows: int

    @property
    def key(self) -> store.SliceKey:
        return (self.work.account_id, self.kind.kind, int(self.level),
                self.period.since, self.period.until)  # fmt: skip


def refresh_breakdowns(
    parts: IngestParts,
    request: BreakdownRequest,
    on_slice: Callable[[SliceDone], None] | None = None,
    on_plan: Callable[[int], None] | None = None,
) -> SyncReport:
    """Bring breakdowns up to date with Meta.

    Args:
        parts: See `IngestParts`.
        request: What to refresh.
        on_slice: Called after each committed slice.
        on_plan: Called with the number of slices once it is known.

    Returns:
        What was done. A breakdown that Meta does not serve an account is a warning, and kept with
        its reason; it does not make the report incomplete.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
        ValueError: If a kind does not exist, Meta does not serve it at the level asked for, or the
            dates are in the wrong order.
        DatabaseUnavailableError: If the store went away; committed slices are safe.
        DiskFullError: If its disk is full; committed slices are safe.
    """
    kinds = _checked(request)
    began = parts.now()
    report = SyncReport()
    works = open_accounts(parts, request.client, request.account, report)
    try:
        with transaction(parts.engine) as connection:
            run_id, done = store.start_run(connection, _asked(request))
        slices = [s for w in works for k in kinds for s in _plan(parts, w, k, request, report)]
        slices.sort(key=lambda s: -s.period.until.toordinal())
        todo = [s for s in slices if s.key not in done]
        report.skipped = len(slices) - len(todo)
        if on_plan is not None:
            on_plan(len(todo))
        _run(parts, todo, run_id, report, on_slice)
        if report.complete:
            _note_ranges(parts, slices)
    finally:
        close_accounts(works, report)
        report.seconds = (parts.now() - began).total_seconds()
    with transaction(parts.engine) as connection:
        outcome = "done" if report.complete else "failed"
        store.end_run(connection, run_id, outcome, report.rows, report.calls)
    return report


def _checked(request: BreakdownRequest) -> tuple[Breakdown, ...]:
    kinds = breakdowns(request.kinds)
    if not kinds:
        raise ValueError("no breakdown is named")
    if request.since and request.until and request.since > request.until:
        raise ValueError(f"since {request.since} is after until {request.until}")
    for kind in kinds:
        if request.level is not None and request.level not in kind.levels:
            words = ", ".join(lv.word for lv in kind.levels)
            raise ValueError(f"Meta serves {kind.kind} at {words}, not at {request.level.word}")
    return kinds


def _asked(request: BreakdownRequest) -> dict[str, Any]:
    return {
        "breakdowns": sorted(k.kind for k in breakdowns(request.kinds)),
        "client": request.client,
        "account": request.account,
        "since": request.since,
        "until": request.until,
        "level": None if request.level is None else int(request.level),
    }


def _plan(
    parts: IngestParts,
    work: OpenAccount,
    kind: Breakdown,
    request: BreakdownRequest,
    report: SyncReport,
) -> Iterator[_Slice]:
    level = request.level or kind.level
    with transaction(parts.engine) as connection:
        covered = store.load_coverage(connection, work.account_id).get((kind.kind, int(level)))
        kept = load_retention(connection, work.client_id)
        ninety = work.today - timedelta(days=FIRST_LOAD_DAYS)
        count = 1 if level is Level.ACCOUNT else (
            store.load_object_count(connection, work.account_id, level, ninety)
            or _UNKNOWN_OBJECTS
        )  # fmt: skip
    until = min(request.until or work.today, work.today)
    since = request.since
    if since is None and covered is not None:
        since = min(covered, until) - timedelta(days=RESTATEMENT_DAYS)
    elif since is None:
        since = until - timedelta(days=FIRST_LOAD_DAYS - 1)
    if since > until:
        return
    _say_limits(work, kind, since, report)
    oldest = max(kind.earliest(work.today), kept.first_day(work.today))
    period = DateRange(since, until).clamp(oldest, work.today)
    if period is None:
        return
    days = max(1, min(SLICE_DAYS, _SLICE_ROWS // (count * kind.values)))
    for part in _cut(period, days, reach_floor(work.today)):
        yield _Slice(work, kind, level, part, count * kind.values * part.days)


def _say_limits(work: OpenAccount, kind: Breakdown, since: date, report: SyncReport) -> None:
    """Say what Meta will not give of the days asked for, instead of leaving silent holes."""
    name = f"act_{work.account_id}"
    earliest = kind.earliest(work.today)
    if since < earliest:
        report.warnings.append(
            f"{name}: Meta serves {kind.kind} {kind.months} months back; it was asked for from "
            f"{earliest} on."
        )
    floor = reach_floor(work.today)
    if since <= floor and earliest <= floor and "reach" not in kind.withheld:
        report.warnings.append(
            f"{name}: reach by {kind.kind} is not served up to {floor}; it stays empty there."
        )


def _cut(period: DateRange, days: int, floor: date) -> list[DateRange]:
    """The newest week for a quick first look, then longer pieces; none spans the reach limit."""
    out = []
    first = min(days, NEWEST_SLICE_DAYS)
    newest = period.clamp(period.until - timedelta(days=first - 1), period.until)
    rest = period.clamp(period.since, period.until - timedelta(days=first))
    for piece in ([newest] if newest else []) + (rest.slices(days) if rest else []):
        young = piece.clamp(floor + timedelta(days=1), piece.until)
        old = piece.clamp(piece.since, floor)
        out += [p for p in (young, old) if p is not None]
    return out


def _run(
    parts: IngestParts,
    todo: list[_Slice],
    run_id: int,
    report: SyncReport,
    on_slice: Callable[[SliceDone], None] | None,
) -> None:
    waiting = iter(todo)
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="breakdown") as pool:
        # Reason: a few at a time, so that a kind Meta refuses is not asked for in every slice.
        while batch := _take(waiting, parts.concurrency):
            futures = {pool.submit(_read, parts, piece, run_id): piece for piece in batch}
            for future in as_completed(futures):
                piece = futures[future]
                try:
                    rows, changed = future.result()
                except (DatabaseUnavailableError, DiskFullError):
                    raise
                except AdlabError as error:
                    kind = f"breakdown:{piece.kind.kind}"
                    note_trouble(parts, piece.work, kind, int(piece.level), error, report)
                    continue
                _settle(parts, piece, rows, changed, report, on_slice)


def _take(waiting: Iterator[_Slice], size: int) -> list[_Slice]:
    batch: list[_Slice] = []
    for piece in waiting:
        if piece.work.stopped is None and f"breakdown:{piece.kind.kind}" not in piece.work.refused:
            batch.append(piece)
            if len(batch) == size:
                break
    return batch


def _settle(
    parts: IngestParts,
    piece: _Slice,
    rows: int,
    changed: int,
    report: SyncReport,
    on_slice: Callable[[SliceDone], None] | None,
) -> None:
    report.rows += rows
    report.changed += changed
    report.slices += 1
    if changed:
        parts.tell(
            piece.work.client_id,
            {
                "kind": "breakdown",
                "breakdown": piece.kind.kind,
                "level": piece.level.word,
                "since": piece.period.since.isoformat(),
                "until": piece.period.until.isoformat(),
            },
        )
    if on_slice is not None:
        on_slice(
            SliceDone(
                piece.work.slug, piece.work.account_id, f"{piece.kind.kind} {piece.level.word}",
                piece.period, rows, changed,
            )
        )  # fmt: skip


def _read(parts: IngestParts, piece: _Slice, run_id: int) -> tuple[int, int]:
    """Fetch and store one slice; the store is touched only once everything is here."""
    try:
        return _read_once(parts, piece, run_id, piece.expected_rows)
    except (TooMuchDataError, StaleCursorError) as error:
        log.info(
            "breakdown_again account_id=%s kind=%s period=%s error=%s",
            piece.work.account_id, piece.kind.kind, piece.period, type(error).__name__,
        )  # fmt: skip
        return _read_once(parts, piece, run_id, max(piece.expected_rows, ASYNC_FROM_ROWS))


def _read_once(
    parts: IngestParts, piece: _Slice, run_id: int, expected_rows: int
) -> tuple[int, int]:
    work, kind, level, period = piece.work, piece.kind, piece.level, piece.period
    reader = BreakdownReader(replace(work.insights, named={}))
    found = reader.fetch(kind, level, period, work.today, expected_rows)
    work.insights.with_deleted = reader.insights.with_deleted
    if level is not Level.ACCOUNT and not reader.insights.with_deleted:
        with transaction(parts.engine) as connection:
            deleted = store.load_deleted_objects(connection, work.account_id, level, period)
        for number in set(deleted) - set(reader.named):
            found += reader.fetch_object(kind, level, number, period, work.today)
    with transaction(parts.engine) as connection:
        rows, changed = store.store_breakdown(
            connection, client_id=work.client_id, account_id=work.account_id, kind=kind.kind,
            level=level, period=period, rows=found, fetched_at=parts.now(),
        )  # fmt: skip
        if reader.named:
            known = objects.load_object_ids(connection, work.account_id, level)
            fresh = [o for i, o in reader.named.items() if i not in known]
            objects.store_named_objects(connection, work.client_id, work.account_id, fresh)
        store.store_slice(
            connection, run_id, client_id=work.client_id, account_id=work.account_id,
            kind=kind.kind, level=level, period=period, rows=rows, changed=changed > 0,
        )  # fmt: skip
    return rows, changed


def _note_ranges(parts: IngestParts, slices: list[_Slice]) -> None:
    """Record each range as a whole: its slices came newest first, and some from an earlier run."""
    whole: dict[tuple[int, str, int], _Slice] = {}
    for piece in slices:
        if f"breakdown:{piece.kind.kind}" in piece.work.refused:
            continue
        key = (int(piece.work.account_id), piece.kind.kind, int(piece.level))
        known = whole.get(key, piece)
        span = DateRange(
            min(known.period.since, piece.period.since), max(known.period.until, piece.period.until)
        )
        whole[key] = replace(piece, period=span)
    with transaction(parts.engine) as connection:
        for piece in whole.values():
            store.store_coverage(
                connection, client_id=piece.work.client_id, account_id=piece.work.account_id,
                kind=piece.kind.kind, level=piece.level, period=piece.period, changed=False,
            )  # fmt: skip
