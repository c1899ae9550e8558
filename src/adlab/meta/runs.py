"""Report runs of one account: asked for side by side, polled together, asked for again if lost.

Whoever waits for a run polls for everybody who waits, in one call; the others only listen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adlab.core.entities import AccountId
from adlab.core.errors import (
    AdlabError,
    MetaError,
    MetaUnavailableError,
    RejectedRequestError,
    ReportNotReadyError,
    TooMuchDataError,
)
from adlab.meta.batch import Read, read_all
from adlab.meta.client import GraphClient

log = logging.getLogger(__name__)

# Seconds: a pause between two looks grows with the age of the youngest run that is waited for.
_PAUSE_FIRST, _PAUSE_LONGEST, _PAUSE_PER_AGE = 0.1, 15.0, 0.4
START_LIMIT, FINISH_LIMIT = 300.0, 1800.0
_TRIES = 3
_UNSEEN_SECONDS = 30.0
_TOO_LARGE = {"-3", "1504045", "1487534"}


@dataclass(eq=False)
class Run:
    """One question on its way.

    Attributes:
        params: The question.
        number: Meta's id of the newest report asked for.
        asked_at: When that was, on the clock of the runs.
        tries: Reports asked for so far.
        error: Why there will be none.
    """

    params: Mapping[str, Any]
    number: str = ""
    asked_at: float = 0.0
    look_at: float = 0.0
    has_started: bool = False
    tries: int = 0
    is_complete: bool = False
    trouble: str = ""
    error: AdlabError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.is_complete or self.error is not None


@dataclass
class ReportRuns:
    """Starts and waits for the reports of one account. Safe to share between threads.

    Attributes:
        client: The signed client.
        account_id: Ad account.
        sleep: Waits; tests hand in a fake.
        clock: Monotonic seconds.
    """

    client: GraphClient
    account_id: AccountId
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _pending: list[Run] = field(default_factory=list)
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _somebody_polls: bool = False

    def start(self, params: Mapping[str, Any]) -> Run:
        """Ask for a report; it is made while others are being read.

        Raises:
            MetaError: As the client raises.
        """
        run = Run(params)
        self._ask(run)
        with self._turn:
            self._pending.append(run)
        return run

    def finish(self, run: Run) -> str:
        """Wait until a report is complete.

        Returns:
            Its id, to read rows from.

        Raises:
            TooMuchDataError: If Meta finds it too large, or does not get it done in time.
            MetaUnavailableError: If it failed three times.
            MetaError: As the client raises.
        """
        try:
            while not run.is_settled:
                if not self._take_turn(run):
                    continue
                try:
                    self._poll_until(run)
                finally:
                    with self._turn:
                        self._somebody_polls = False
                        self._turn.notify_all()
        finally:
            self.forget(run)
        if run.error is not None:
            raise run.error
        return run.number

    def forget(self, run: Run) -> None:
        """Wait for a report no longer."""
        with self._turn:
            if run in self._pending:
                self._pending.remove(run)

    def _take_turn(self, run: Run) -> bool:
        """Become the one who polls; False after listening to another for a while."""
        with self._turn:
            if not self._somebody_polls:
                self._somebody_polls = True
                return True
            self._turn.wait(timeout=1.0)
            return False

    def _poll_until(self, run: Run) -> None:
        while True:
            now = self.clock()
            with self._turn:
                pending = [r for r in self._pending if not r.is_settled]
            # Reason: each look counts as a call, so only runs whose time has come are looked at.
            due = [r for r in pending if r.look_at <= now]
            if due:
                self._poll(due)
                with self._turn:
                    self._turn.notify_all()
            if run.is_settled:
                return
            for r in due:
                age = self.clock() - r.asked_at
                r.look_at = self.clock() + min(
                    _PAUSE_LONGEST, max(_PAUSE_FIRST, age * _PAUSE_PER_AGE)
                )
            following = min(r.look_at for r in pending if not r.is_settled)
            self.sleep(max(0.01, following - self.clock()))

    def _poll(self, pending: list[Run]) -> None:
        states: list[dict[str, Any] | MetaError]
        if len(pending) == 1:
            try:
                states = [self.client.get(pending[0].number)]
            except MetaError as error:
                states = [error]
        else:
            states = read_all(self.client, [Read(r.number) for r in pending])
        for run, state in zip(pending, states, strict=True):
            try:
                self._note(run, state)
            except AdlabError as error:
                run.error = error

    def _note(self, run: Run, state: dict[str, Any] | MetaError) -> None:
        """Learn from one look at a report."""
        age = self.clock() - run.asked_at
        if isinstance(state, MetaError):
            if isinstance(state, RejectedRequestError):
                # Reason: just created, a run is sometimes not found for a moment.
                if (state.code, state.subcode) != (100, 33) or age >= _UNSEEN_SECONDS:
                    raise state
            elif not isinstance(state, ReportNotReadyError):
                raise state
            state = {}
        status = str(state.get("async_status") or "")
        # Reason: there is a short time with 100 % and "Job Running", and words come before 100.
        if status == "Job Completed" and _percent(state) >= 100:
            run.is_complete = True
            return
        run.has_started = run.has_started or status in ("Job Started", "Job Running")
        if status == "Job Skipped":
            self._again(run, "it was skipped.")
        elif status == "Job Failed":
            self._again(run, _failure(state))
        elif not run.has_started and age > START_LIMIT:
            self._again(run, f"it did not start within {START_LIMIT / 60:.0f} minutes.")
        elif age > FINISH_LIMIT:
            trouble = f"it still runs after {FINISH_LIMIT / 60:.0f} minutes."
            if run.tries > 1:
                raise TooMuchDataError(f"A report was asked for twice: {trouble}",
                                       "Fewer days a report.")  # fmt: skip
            self._again(run, trouble)

    def _again(self, run: Run, trouble: str) -> None:
        run.trouble = trouble
        if run.tries >= _TRIES:
            raise MetaUnavailableError(
                f"A report was asked for three times: {trouble}", "Meta is busy; try again later."
            )
        log.info("report_again account_id=%s try=%d", self.account_id, run.tries + 1)
        self._ask(run)

    def _ask(self, run: Run) -> None:
        answer = self.client.post(f"act_{self.account_id}/insights", run.params)
        number = str(answer.get("report_run_id") or "")
        if not number:
            raise MetaUnavailableError(
                "A report was accepted without an id.", "Meta has trouble; try again later."
            )
        run.number, run.asked_at, run.look_at = number, self.clock(), self.clock()
        run.has_started = False
        run.tries += 1


def _percent(state: Mapping[str, Any]) -> int:
    try:
        return int(state.get("async_percent_completion") or 0)
    except (TypeError, ValueError):
        return 0


def _failure(state: Mapping[str, Any]) -> str:
    text = str(state.get("error_user_msg") or state.get("error_message") or "no reason given")
    if {str(state.get("error_code")), str(state.get("error_subcode"))} & _TOO_LARGE:
        raise TooMuchDataError(f"The report is too large: {text}", "Fewer days a report.")
    return f"it failed. {text}"
