"""A worker: claims jobs, does them, says that it lives; one of several also leads.

A job is a lease of half a minute that its worker renews; a worker that is killed stops renewing,
and another takes the job over. A worker that finds a lease lost (it was held up too long) ends that
job at its next step, because it is no longer its own.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Engine

from adlab.core.errors import AdlabError, RateLimitedError, StorageError
from adlab.jobs.clock import Clock
from adlab.jobs.leader import Leadership
from adlab.jobs.measures import Measures
from adlab.jobs.tasks import TASKS, StoppedError, TaskParts, UnfinishedError, run_task
from adlab.storage import jobs
from adlab.storage.engine import transaction
from adlab.storage.jobs import Claimed, Done

log = logging.getLogger(__name__)

Ended = Literal["done", "failed", "later", "lost"]


@dataclass(frozen=True)
class Pace:
    """How quickly a worker looks, renews and gives up.

    Attributes:
        poll: Seconds between looks at an empty queue.
        beat: Seconds between renewals.
        lease: Seconds a job stays a silent worker's.
        follow: Seconds between looks at which accounts there are.
        retry: Seconds before a job that failed for a passing reason comes again.
        attempts: Tries of a turn in all.
    """

    poll: float = 1.0
    beat: float = 5.0
    lease: float = 30.0
    follow: float = 60.0
    retry: float = 120.0
    attempts: int = 3


class Worker:
    """Does jobs until it is stopped.

    Args:
        engine: The owner's engine.
        parts: What tasks need.
        threads: Jobs side by side.
        measures: Where figures go.
        pace: See `Pace`.
    """

    def __init__(
        self, engine: Engine, parts: TaskParts, threads: int = 4,
        measures: Measures | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.measures = measures or Measures()
        self._engine = engine
        self._parts = parts
        self._pace = pace or Pace()
        self._now: Callable[[], datetime] = parts.ingest.now
        self._kinds = [*TASKS, *parts.agency]
        self._stop = threading.Event()
        self._running: dict[int, Claimed] = {}
        self._lost: set[int] = set()
        self._lock = threading.Lock()
        self._leadership = Leadership(engine)
        self._clock: Clock | None = None
        self._threads = [
            threading.Thread(target=self._keep_beating, name="worker beat", daemon=True),
            threading.Thread(target=self._keep_leading, name="worker lead", daemon=True),
            *(
                threading.Thread(target=self._keep_working, name=f"worker {n}", daemon=True)
                for n in range(threads)
            ),
        ]

    def start(self) -> None:
        """Begin."""
        self._beat()
        for thread in self._threads:
            thread.start()
        log.info("worker_started worker_id=%s", self.worker_id)

    def stop(self, patience: float = 15.0) -> bool:
        """End: running jobs stop after their present step and go back into the queue.

        Args:
            patience: Seconds to wait for them; what is not over then is given back all the same.

        Returns:
            Whether every job's present step was over.
        """
        self._stop.set()
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        clock, self._clock = self._clock, None
        if clock is not None:
            clock.stop()
        self._leadership.resign()
        with suppress(AdlabError), transaction(self._engine) as connection:
            jobs.release(connection, self.worker_id, self._now())
        ended = not any(thread.is_alive() for thread in self._threads)
        log.info("worker_stopped worker_id=%s ended=%s", self.worker_id, ended)
        return ended

    @property
    def leads(self) -> bool:
        """Whether this worker queues what is due."""
        return self._clock is not None

    def work_once(self) -> Ended | None:
        """Do one job.

        Returns:
            How it ended; None when nothing was to be done.
        """
        now = self._now()
        with transaction(self._engine) as connection:
            job = jobs.claim(
                connection, self.worker_id, self._kinds, now,
                now + timedelta(seconds=self._pace.lease),
            )  # fmt: skip
        if job is None:
            return None
        with self._lock:
            self._running[job.job_id] = job
            self._lost.discard(job.job_id)
        try:
            return self._do(job)
        finally:
            with self._lock:
                self._running.pop(job.job_id, None)
                self._lost.discard(job.job_id)

    def _do(self, job: Claimed) -> Ended:
        began = time.monotonic()
        done, error, later = Done(), None, None
        outcome: Ended = "done"
        try:
            done = run_task(self._parts, job, lambda: self._check(job))
        except StoppedError as stopped:
            later, error, outcome = self._now(), str(stopped), "later"
        except UnfinishedError as unfinished:
            done, later, outcome = unfinished.done, self._now(), "later"
        except RateLimitedError as limited:
            wait = max(limited.retry_after or 0.0, self._pace.retry)
            later, error, outcome = self._now() + timedelta(seconds=wait), str(limited), "later"
        except StorageError:
            # Reason: nothing can be noted while the store is away; the lease runs out by itself.
            raise
        except AdlabError as failed:
            error, outcome = str(failed), "failed"
        except Exception as failed:
            log.exception("job_crashed kind=%s key=%s", job.kind, job.key)
            error, outcome = f"Unexpected {type(failed).__name__}: {failed}", "failed"
        if outcome == "failed" and job.attempts < self._pace.attempts:
            later = self._now() + timedelta(seconds=self._pace.retry * 2 ** (job.attempts - 1))
        if not self._note(job, outcome, done, error, later):
            outcome = "lost"
        seconds = time.monotonic() - began
        self.measures.job_ended(job.kind, outcome, seconds, done.rows, done.changed)
        level = logging.ERROR if outcome == "failed" and later is None else logging.INFO
        log.log(
            level,
            "job kind=%s key=%s outcome=%s rows=%d changed=%d calls=%d seconds=%.2f attempt=%d "
            "late_seconds=%.0f error=%s",
            job.kind, job.key, outcome, done.rows, done.changed, done.calls, seconds, job.attempts,
            (self._now() - job.due_at).total_seconds(), error or "-",
        )  # fmt: skip
        return outcome

    def _note(
        self, job: Claimed, outcome: Ended, done: Done, error: str | None, later: datetime | None
    ) -> bool:
        with transaction(self._engine) as connection:
            if later is not None:
                return jobs.again(connection, job, self.worker_id, later, error)
            return jobs.finish(
                connection, job, self.worker_id, "done" if outcome == "done" else "failed",
                self._now(), done, error,
            )  # fmt: skip

    def _check(self, job: Claimed) -> None:
        if self._stop.is_set():
            raise StoppedError("The worker ends.")
        if job.job_id in self._lost:
            raise StoppedError("Another worker has this job by now.")

    def _keep_working(self) -> None:
        while not self._stop.is_set():
            try:
                if self.work_once() is None:
                    self._stop.wait(self._pace.poll)
            except AdlabError as error:
                log.warning("worker_waits error=%s", error.message)
                self._stop.wait(self._pace.beat)
            except Exception:
                log.exception("worker_trouble")
                self._stop.wait(self._pace.beat)

    def _keep_beating(self) -> None:
        while not self._stop.wait(self._pace.beat):
            try:
                self._beat()
            except AdlabError as error:
                log.warning("beat_missed error=%s", error.message)

    def _beat(self) -> None:
        """Renew leases, take over what others left, and look at the figures."""
        now = self._now()
        with self._lock:
            mine = set(self._running)
        with transaction(self._engine) as connection:
            jobs.beat(
                connection, self.worker_id, socket.gethostname(), os.getpid(), now, self.leads
            )
            kept = jobs.renew(
                connection, self.worker_id, now, now + timedelta(seconds=self._pace.lease)
            )
            taken = jobs.take_over(connection, now)
        with self._lock:
            # Reason: only those that ran before the renewal; a job claimed meanwhile is fresh.
            self._lost |= (mine & set(self._running)) - kept
        for key in taken:
            log.warning("job_taken_over key=%s", key)
        with transaction(self._engine) as connection:
            depth = jobs.depth(connection, now)
            accounts, meters = jobs.load_measures(connection)
        self.measures.look(now, depth, accounts, meters)
        self.measures.leads.set(float(self.leads))

    def _keep_leading(self) -> None:
        followed = 0.0
        while not self._stop.is_set():
            try:
                if not self._leadership.seek():
                    if self._clock is not None:
                        self._clock.stop()
                        self._clock = None
                        self.measures.leads.set(0.0)
                elif self._clock is None:
                    clock = Clock(self._engine, self._now)
                    clock.start()
                    self._clock, followed = clock, time.monotonic()
                    self.measures.leads.set(1.0)
                elif time.monotonic() - followed >= self._pace.follow:
                    self._clock.follow()
                    followed = time.monotonic()
            except AdlabError as error:
                log.warning("leader_waits error=%s", error.message)
            self._stop.wait(self._pace.beat)
