"""The leader's clock: APScheduler says when a turn has come, the queue says what becomes of it.

Schedules are kept in memory and made anew from the accounts there are; the queue remembers the
turns, so a turn that nobody saw while there was no leader is caught up once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine

from adlab.services import backfill
from adlab.services.schedule import Schedule, account_schedules, agency_schedules
from adlab.storage import jobs
from adlab.storage.engine import transaction
from adlab.storage.jobs import Turn

log = logging.getLogger(__name__)

LOAD_AGAIN = timedelta(minutes=15)


def trigger(schedule: Schedule) -> CronTrigger:
    """The times of a schedule, in its timezone."""
    zone = ZoneInfo(schedule.timezone)
    return CronTrigger(hour=schedule.hour, minute=schedule.minute, timezone=zone)


def last_turn(schedule: Schedule, now: datetime) -> datetime | None:
    """The newest time of a schedule that is not ahead (aware UTC)."""
    times = trigger(schedule)
    found, at = None, now - 2 * schedule.period
    while True:
        # Reason: APScheduler looks forward only; two periods hold at least one turn.
        following = times.get_next_fire_time(found, at)
        if following is None or following > now:
            return found.astimezone(UTC) if found else None
        found = at = following


class Clock:
    """Queues what is due.

    Args:
        engine: The owner's engine.
        now: Current aware time.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
        )
        self._known: dict[str, Schedule] = {}

    def start(self) -> None:
        """Begin; missed turns are queued at once."""
        self._scheduler.start()
        self.follow()

    def stop(self) -> None:
        """End; what is queued stays queued."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def follow(self) -> None:
        """Make the schedules those of the accounts there are now."""
        now = self._now()
        with transaction(self._engine) as connection:
            accounts = jobs.load_schedule(connection)
            newest = jobs.newest_turns(connection)
        wanted = {s.key: s for a in accounts for s in account_schedules(a, now)}
        wanted |= {s.key: s for s in agency_schedules()}
        for key in self._known.keys() - wanted.keys():
            self._scheduler.remove_job(key)
        for key, schedule in wanted.items():
            if self._known.get(key) == schedule:
                continue
            self._scheduler.add_job(
                self._come, trigger(schedule), id=key, args=[schedule], replace_existing=True
            )
        fresh = [s for k, s in wanted.items() if self._known.get(k) != s]
        self._known = wanted
        self._catch_up(fresh, newest, now)
        self._go_on_loading({a.account_id for a in accounts}, newest, now)

    def next_turns(self) -> dict[str, datetime]:
        """Per key when it comes next (aware UTC)."""
        return {
            job.id: job.next_run_time.astimezone(UTC)
            for job in self._scheduler.get_jobs()
            if job.next_run_time is not None
        }

    def _catch_up(
        self, schedules: Iterable[Schedule], newest: dict[str, datetime], now: datetime
    ) -> None:
        missed = 0
        with transaction(self._engine) as connection:
            for schedule in schedules:
                due = last_turn(schedule, now)
                if due is None or newest.get(schedule.key, datetime.min.replace(tzinfo=UTC)) >= due:
                    continue
                missed += jobs.enqueue(connection, _turn(schedule, due), now)
        if missed:
            log.info("turns_caught_up count=%d", missed)

    def _go_on_loading(
        self, accounts: set[int], newest: dict[str, datetime], now: datetime
    ) -> None:
        """Queue loads of history that are not over and that no job works at."""
        with transaction(self._engine) as connection:
            for load in jobs.load_backfills(connection):
                turn = backfill.turn(load.account_id, load.client_id, now)
                last = newest.get(turn.key)
                # Reason: one that failed comes again after a while, not with every look.
                if (
                    load.finished_at is None
                    and load.account_id in accounts
                    and (last is None or now - last >= LOAD_AGAIN)
                ):
                    jobs.enqueue(connection, turn)

    def _come(self, schedule: Schedule) -> None:
        with transaction(self._engine) as connection:
            queued = jobs.enqueue(connection, _turn(schedule, self._now()))
        if not queued:
            log.info("turn_coalesced key=%s", schedule.key)


def _turn(schedule: Schedule, due: datetime) -> Turn:
    return Turn(
        schedule.kind, schedule.key, due, schedule.client_id, schedule.account_id,
        schedule.priority,
    )  # fmt: skip
