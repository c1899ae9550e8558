"""Asynchronous reports: their states over real seconds, and how they fail.

States follow the real clock, not the simulated one, so that a client that waits sees progress even
when the simulated time stands still. Results are those of the moment of creation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adlab.simulator.errors import GraphError, missing_object
from adlab.simulator.faults import Fault, FaultBook
from adlab.simulator.periods import day_text
from adlab.simulator.query import InsightsQuery
from adlab.simulator.state import Settings

_KEPT_SECONDS = 30 * 86_400
_FIRST_ID = 610_000_000_000_000


@dataclass
class ReportRun:
    """One report job; `made_at` is real monotonic time, `created_at` simulated Unix time."""

    number: int
    query: InsightsQuery
    tick: int
    created_at: float
    made_at: float
    fault: Fault | None
    is_too_large: bool
    polls: int = 0


class ReportRuns:
    """Creates report jobs and tells their state.

    Args:
        settings: How long each phase lasts.
        faults: `job_…` rules strike here.
        monotonic: Real time in seconds.
    """

    def __init__(
        self, settings: Settings, faults: FaultBook, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._faults, self._monotonic = settings, faults, monotonic
        self._runs: dict[int, ReportRun] = {}

    def reset(self) -> None:
        """Forget every job."""
        self._runs.clear()

    def create(
        self, query: InsightsQuery, tick: int, now: float, path: str, *, is_too_large: bool
    ) -> ReportRun:
        """Start a job."""
        fault = self._faults.strike("POST", path, ("job_fail", "job_skip", "job_stuck", "job_race"))
        run = ReportRun(
            _FIRST_ID + len(self._runs) * 7 + 1,
            query,
            tick,
            now,
            self._monotonic(),
            fault,
            is_too_large,
        )
        self._runs[run.number] = run
        return run

    def find(self, number: int, now: float) -> ReportRun | None:
        """Give a job by id while it is kept (30 days)."""
        run = self._runs.get(number)
        return run if run is not None and now - run.created_at < _KEPT_SECONDS else None

    def poll(self, run: ReportRun, now: float) -> dict[str, Any]:
        """Give a job's fields.

        Raises:
            GraphError: 100/33 during the race right after creation.
        """
        run.polls += 1
        race = self._settings.async_race_polls
        if run.fault is not None and run.fault.kind == "job_race":
            race = max(race, int(run.fault.params.get("polls", 1)))
        if run.polls <= race:
            raise missing_object(str(run.number))
        status, percent = self._state(run)
        buckets = run.query.buckets
        fields: dict[str, Any] = {
            "id": str(run.number),
            "account_id": str(run.query.account_id),
            "time_ref": int(run.created_at),
            "time_completed": 0,
            "async_status": status,
            "async_percent_completion": percent,
            "date_start": day_text(min(days.since for days in buckets)),
            "date_stop": day_text(max(days.until for days in buckets)),
        }
        if status == "Job Completed":
            fields["time_completed"] = int(max(now, run.created_at))
        if status == "Job Failed":
            fields |= self._failure(run)
        return fields

    def check_readable(self, run: ReportRun, path: str) -> None:
        """Refuse to read a job that is not completed.

        Raises:
            GraphError: 2601/1815107.
        """
        early = self._faults.strike("GET", path, ("job_early",)) is not None
        if early or self._state(run)[0] != "Job Completed":
            raise GraphError(
                2601,
                "(#2601) Loading Async Request Result Failed",
                subcode=1815107,
                is_transient=True,
                title="Error in loading the result",
                user_message="The report is not ready yet. Please try again later.",
            )

    def _state(self, run: ReportRun) -> tuple[str, int]:
        age = self._monotonic() - run.made_at
        kind = run.fault.kind if run.fault is not None else ""
        start = self._settings.async_start_seconds
        running = self._settings.async_run_seconds
        full = self._settings.async_full_seconds
        if age < start:
            return "Job Not Started", 0
        if age < start + running:
            done = int(99 * (age - start) / running)
            return ("Job Started", 0) if done < 10 else ("Job Running", done)
        if kind == "job_fail" or run.is_too_large:
            return "Job Failed", 0
        if kind == "job_skip":
            return "Job Skipped", 0
        if kind == "job_stuck" and run.fault is not None:
            full = float(run.fault.params.get("seconds", 10**9))
        if age < start + running + full:
            return "Job Running", 100
        return "Job Completed", 100

    def _failure(self, run: ReportRun) -> dict[str, Any]:
        if run.is_too_large:
            found = {
                "error_code": -3,
                "error_subcode": 1504045,
                "error_message": "The report is too large.",
                "error_user_title": "Report too large",
                "error_user_msg": "Please ask for less data.",
            }
        else:
            found = {
                "error_code": -2,
                "error_subcode": 2490547,
                "error_message": "The report could not be made.",
                "error_user_title": "Try again later",
                "error_user_msg": "Something went wrong. Please try again later.",
            }
        if run.fault is not None:
            found |= {name: value for name, value in run.fault.params.items() if name in found}
        return found
