"""An account's whole history, newest days first: planned before it starts, resumed where it was.

A step reads a month or less and notes how far it came in the store, so that a worker that dies
loses one step at most, and of that step only what was not committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine

from adlab.core.entities import Level, parse_account_id
from adlab.core.errors import UnknownObjectError
from adlab.core.periods import TOTALS_MONTHS, DateRange, months_back, today_in
from adlab.services.ingest import refresh
from adlab.services.quota import QuotaPlan, Tier, Wanted, forecast
from adlab.services.sync_run import IngestParts, SyncReport, SyncRequest
from adlab.storage import jobs, objects, quota
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.jobs import Backfill, Done, Turn
from adlab.storage.retention import load_retention

LEVELS = ("account", "campaign", "adset", "ad")
STEP_DAYS = 30
STEPS_A_TURN = 3
PRIORITY = 2


@dataclass(frozen=True)
class Planned:
    """What loading an account's history would cost.

    Attributes:
        account_id: Ad account.
        client_id: Whose.
        slug: Likewise.
        period: Days that are to be read.
        tier: Access tier the plan is for, as Meta named it last; Limited while unknown.
        quota: Calls of the load beside what keeping up to date costs, and how long it takes.
    """

    account_id: int
    client_id: int
    slug: str
    period: DateRange
    tier: Tier
    quota: QuotaPlan

    @property
    def calls(self) -> int:
        """Calls of the load, once."""
        return self.quota.backfill_calls

    @property
    def eta(self) -> timedelta | None:
        """How long it takes beside the rest; None when the tier leaves no room for it."""
        return self.quota.eta


@dataclass(frozen=True)
class Progress:
    """How far a load is.

    Attributes:
        backfill: The load.
        share: Of its days, from 0 to 1.
        eta: Time left at the pace so far; None before the first step.
    """

    backfill: Backfill
    share: float
    eta: timedelta | None


def plan(
    engine: Engine, now: datetime, client: str | None = None, account: str | None = None,
    months: int = TOTALS_MONTHS, page_size: int = 1000,
) -> list[Planned]:  # fmt: skip
    """What a load would read and cost, account by account; asks Meta nothing.

    Args:
        engine: The owner's engine.
        now: Current aware time.
        client: Slug, or None for all clients.
        account: Account id, or None for all accounts.
        months: How far back, 37 at most.
        page_size: Rows a page.

    Raises:
        UnknownObjectError: If the client or account does not exist, or nothing is connected.
        ValueError: If `months` is not 1 to 37.
    """
    if not 1 <= months <= TOTALS_MONTHS:
        raise ValueError(f"Meta serves {TOTALS_MONTHS} months; {months} is none of 1 to that many")
    found = []
    with transaction(engine) as connection:
        client_id = load_client(connection, client).client_id if client else None
        wanted = parse_account_id(account) if account else None
        for row in jobs.load_schedule(connection):
            if client_id not in (None, row.client_id) or wanted not in (None, row.account_id):
                continue
            rows = objects.load_daily_rows(connection, row.account_id)
            tier: Tier = "full" if quota.is_full_tier(connection, row.account_id) else "limited"
            kept = load_retention(connection, row.client_id)
            sizes = Wanted(
                campaigns=rows.get(Level.CAMPAIGN, 1), ad_sets=rows.get(Level.AD_SET, 1),
                ads=rows.get(Level.AD, 1), backfill_months=min(months, kept.months),
                page_size=page_size,
            )  # fmt: skip
            today = today_in(row.timezone, now)
            # Reason: a day inside 37 months, because the account's day may be ahead of Meta's; and
            # what the client's retention removes is not loaded.
            since = max(
                months_back(today, months) + timedelta(days=1),
                kept.first_day(today),
            )
            found.append(
                Planned(row.account_id, row.client_id, row.slug, DateRange(since, today), tier,
                        forecast(sizes, tier))
            )  # fmt: skip
    if not found:
        what = f"Account {account}" if account else f"Client {client!r}" if client else "Nothing"
        raise UnknownObjectError(
            f"{what} has no working connection to Meta.", "Connect one: adlab account connect …"
        )
    return found


def begin(engine: Engine, planned: Sequence[Planned], now: datetime) -> None:
    """Ask the workers for these loads; one that was asked for before goes on where it was."""
    with transaction(engine) as connection:
        for p in planned:
            jobs.request_backfill(
                connection, p.account_id, p.client_id, p.period.since, p.period.until, LEVELS, now
            )
            jobs.enqueue(connection, turn(p.account_id, p.client_id, now))


def turn(account_id: int, client_id: int, now: datetime) -> Turn:
    """The job that moves a load on."""
    return Turn("backfill", f"backfill:{account_id}", now, client_id, account_id, PRIORITY)


def step(parts: IngestParts, load: Backfill) -> tuple[Backfill, Done, SyncReport | None]:
    """Read the next days of a load.

    Returns:
        The load as it is now (`finished_at` set when all is in), what the step did, and the report
        of its run; the load does not move on when the run is not complete.
    """
    period = next_days(load)
    if period is None:
        done = Done()
        finished = replace(load, finished_at=parts.now())
        with transaction(parts.engine) as connection:
            jobs.step_backfill(
                connection, load.account_id, load.reached or load.since, done, 0.0, parts.now()
            )
        return finished, done, None
    report = refresh(
        replace(parts, priority="backfill"),
        SyncRequest(
            account=str(load.account_id), since=period.since, until=period.until,
            levels=load.levels, with_objects=load.reached is None,  # type: ignore[arg-type]
        ),
    )  # fmt: skip
    done = Done(report.rows, report.changed, report.calls)
    if not report.complete:
        return load, done, report
    moved = replace(
        load, reached=period.since, calls=load.calls + done.calls, rows=load.rows + done.rows,
        seconds=load.seconds + report.seconds,
        finished_at=parts.now() if period.since <= load.since else None,
    )  # fmt: skip
    with transaction(parts.engine) as connection:
        jobs.step_backfill(
            connection, load.account_id, period.since, done, report.seconds, moved.finished_at
        )
    return moved, done, report


def next_days(load: Backfill) -> DateRange | None:
    """The days a load reads next; None when all are in."""
    until = load.until if load.reached is None else load.reached - timedelta(days=1)
    if until < load.since:
        return None
    return DateRange(max(load.since, until - timedelta(days=STEP_DAYS - 1)), until)


def progress(load: Backfill) -> Progress:
    """How far a load is, and how long it still takes."""
    whole = (load.until - load.since).days + 1
    if load.finished_at is not None:
        return Progress(load, 1.0, timedelta(0))
    if load.reached is None:
        return Progress(load, 0.0, None)
    days = (load.until - load.reached).days + 1
    left = timedelta(seconds=load.seconds / days * (whole - days)) if days else None
    return Progress(load, days / whole, left)
