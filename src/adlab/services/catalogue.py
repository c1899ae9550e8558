"""Refresh what stands beside the ads, and objects by what changed since a moment.

Each kind of each account is read and stored by itself: an edge that Meta does not serve, or that
the token may not read, is noted with its reason and never fails the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from threading import Lock
from typing import Any

from adlab.core.entities import AdObject, Level
from adlab.core.errors import AdlabError, DatabaseUnavailableError, DiskFullError
from adlab.core.periods import DateRange
from adlab.meta import catalogue as fetch
from adlab.meta.objects import fetch_account, fetch_object, fetch_objects
from adlab.services.catalogue_accounts import (
    OpenAccount,
    close_accounts,
    note_trouble,
    open_accounts,
)
from adlab.services.ingest import IngestParts, SyncReport
from adlab.storage import catalogue as store
from adlab.storage import objects, sync_state
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)

KINDS = ("creatives", "audiences", "activities", "studies", "recommendations", "pixels")
FIRST_ACTIVITY_DAYS = 90
FIRST_PIXEL_DAYS = 7
# Reason: late entries and hours that still counted when they were read come again.
_AGAIN_DAYS = 1
_TALLY = Lock()


@dataclass(frozen=True)
class CatalogueRequest:
    """What to refresh.

    Attributes:
        client: Slug, or None for all clients.
        account: Account id, or None for all accounts.
        kinds: Some of `KINDS`.
    """

    client: str | None = None
    account: str | None = None
    kinds: tuple[str, ...] = KINDS


def refresh_catalogue(parts: IngestParts, request: CatalogueRequest) -> SyncReport:
    """Bring creatives, audiences, changes, studies, advice and pixels up to date.

    Args:
        parts: See `IngestParts`.
        request: What to refresh.

    Returns:
        What was done: `rows` read, `changed` of them new, different or gone. What Meta does not
        serve an account is a warning.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
        ValueError: If there is no such kind.
        DatabaseUnavailableError: If the store went away; committed kinds are safe.
        DiskFullError: If its disk is full; committed kinds are safe.
    """
    unknown = [k for k in request.kinds if k not in KINDS]
    if unknown:
        raise ValueError(f"there is no catalogue kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    began = parts.now()
    report = SyncReport()
    works = open_accounts(parts, request.client, request.account, report)
    try:
        with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="catalogue") as pool:
            list(pool.map(lambda w: _refresh_account(parts, w, request.kinds, report), works))
    finally:
        close_accounts(works, report)
        report.seconds = (parts.now() - began).total_seconds()
    return report


def _refresh_account(
    parts: IngestParts, work: OpenAccount, kinds: tuple[str, ...], report: SyncReport
) -> None:
    for kind in KINDS:
        if kind in kinds and work.stopped is None:
            read = partial(_refresh_kind, parts, work, kind, report)
            _guarded(parts, work, f"catalogue:{kind}", 0, report, read)


def _guarded(
    parts: IngestParts,
    work: OpenAccount,
    kind: str,
    level: int,
    report: SyncReport,
    read: Callable[[], None],
) -> None:
    try:
        read()
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AdlabError as error:
        with _TALLY:
            note_trouble(parts, work, kind, level, error, report)


def _refresh_kind(parts: IngestParts, work: OpenAccount, kind: str, report: SyncReport) -> None:
    period: DateRange | None = None
    client, account = work.client, work.account_id
    if kind == "activities":
        period = _since_last(parts, work, kind, FIRST_ACTIVITY_DAYS)
        rows = fetch.fetch_activities(client, account, _start(period), parts.now())
    elif kind == "creatives":
        rows = fetch.fetch_creatives(client, account)
    elif kind == "audiences":
        rows = fetch.fetch_audiences(client, account)
    elif kind == "studies":
        rows = fetch.fetch_studies(client, account)
    elif kind == "recommendations":
        rows = fetch.fetch_recommendations(client, account)
    else:
        rows = fetch.fetch_pixels(client, account)
    _store(parts, work, kind, rows, period, report)
    if kind == "pixels" and rows:
        _guarded(
            parts, work, "catalogue:pixel_stats", 0, report,
            partial(_refresh_pixel_stats, parts, work, [r["pixel_id"] for r in rows], report),
        )  # fmt: skip


def _refresh_pixel_stats(
    parts: IngestParts, work: OpenAccount, pixels: list[int], report: SyncReport
) -> None:
    period = _since_last(parts, work, "pixel_stats", FIRST_PIXEL_DAYS)
    # Reason: Meta serves 28 days of hours a call; older ones are gone after a longer pause.
    since = max(_start(period), parts.now() - timedelta(days=fetch.PIXEL_STAT_DAYS - 1))
    rows: list[dict[str, Any]] = []
    for pixel in pixels:
        rows += fetch.fetch_pixel_stats(work.client, pixel, since, parts.now())
    _store(parts, work, "pixel_stats", rows, period, report)


def _since_last(parts: IngestParts, work: OpenAccount, kind: str, first_days: int) -> DateRange:
    with transaction(parts.engine) as connection:
        covered = store.load_covered_until(connection, work.account_id, kind)
    # Reason: days of UTC, which is what `_start` makes of them again.
    today = parts.now().astimezone(UTC).date()
    since = covered - timedelta(days=_AGAIN_DAYS) if covered else today - timedelta(days=first_days)
    return DateRange(min(since, today), today)


def _start(period: DateRange) -> datetime:
    return datetime.combine(period.since, time(), UTC)


def _store(
    parts: IngestParts,
    work: OpenAccount,
    kind: str,
    rows: list[dict[str, Any]],
    period: DateRange | None,
    report: SyncReport,
) -> None:
    with transaction(parts.engine) as connection:
        changed = store.store_rows(
            connection, kind, client_id=work.client_id, account_id=work.account_id, rows=rows,
            seen_at=parts.now(),
        )  # fmt: skip
        store.store_coverage(
            connection, kind, client_id=work.client_id, account_id=work.account_id,
            period=period, changed=changed > 0,
        )  # fmt: skip
    with _TALLY:
        report.rows += len(rows)
        report.changed += changed
        report.slices += 1
    if changed:
        parts.tell(work.client_id, {"kind": "catalogue", "catalogue": kind})


def refresh_objects(
    parts: IngestParts,
    account: str | None = None,
    updated_since: datetime | None = None,
    client: str | None = None,
) -> SyncReport:
    """Refresh accounts, campaigns, ad sets and ads, without any insights.

    Args:
        parts: See `IngestParts`.
        account: Account id, or None for all accounts.
        updated_since: Only objects whose own fields changed after this (aware). None reads
            everything, marks what vanished, and reads deleted objects by their ids; do that once a
            day, because a change by filter shows neither.
        client: Slug, or None for all clients.

    Returns:
        What was done; `objects` read.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
        DatabaseUnavailableError: If the store went away.
        DiskFullError: If its disk is full.
    """
    began = parts.now()
    report = SyncReport()
    works = open_accounts(parts, client, account, report)
    try:
        with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="objects") as pool:
            list(pool.map(lambda w: _objects_of(parts, w, updated_since, report), works))
    finally:
        close_accounts(works, report)
        report.seconds = (parts.now() - began).total_seconds()
    return report


def _objects_of(
    parts: IngestParts, work: OpenAccount, since: datetime | None, report: SyncReport
) -> None:
    def read() -> None:
        info = fetch_account(work.client, work.account_id)
        with transaction(parts.engine) as connection:
            objects.store_account(
                connection, info, work.client_id, connection_id=work.connection_id
            )
        for level in (Level.CAMPAIGN, Level.AD_SET, Level.AD):
            pages = fetch_objects(work.client, work.account_id, level, since)
            found = [o for page in pages for o in page]
            _store_objects(parts, work, level, found, report, complete=since is None)
            if since is None:
                _read_gone(parts, work, level, report)

    _guarded(parts, work, "objects", int(Level.CAMPAIGN), report, read)


def _store_objects(
    parts: IngestParts,
    work: OpenAccount,
    level: Level,
    found: list[AdObject],
    report: SyncReport,
    *,
    complete: bool,
) -> None:
    with transaction(parts.engine) as connection:
        changed = objects.store_objects(
            connection, work.client_id, work.account_id, found, complete=level if complete else None
        )
        sync_state.store_coverage(
            connection, client_id=work.client_id, account_id=work.account_id, kind="objects",
            level=int(level), period=None, changed=changed > 0,
        )  # fmt: skip
    with _TALLY:
        report.objects += len(found)
        report.changed += changed
    if changed:
        parts.tell(work.client_id, {"kind": "objects", "level": level.word})


def _read_gone(parts: IngestParts, work: OpenAccount, level: Level, report: SyncReport) -> None:
    """Read objects no listing shows by their own ids: the only place a deleted one still stands."""
    with transaction(parts.engine) as connection:
        unread = store.load_unread_objects(connection, work.account_id, level)
    if not unread:
        return
    found = fetch_object(work.client, level, unread)
    with transaction(parts.engine) as connection:
        objects.store_objects(connection, work.client_id, work.account_id, found)
        store.mark_deleted(connection, work.account_id, level, unread)
    with _TALLY:
        report.objects += len(found)
    log.info("objects_gone account_id=%s level=%s read=%d", work.account_id, level.word, len(found))
