"""Fetch daily insights: synchronous pages for small questions, report runs for large ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from adlab.core.entities import AccountId, AdObject, Level
from adlab.core.errors import (
    MetaUnavailableError,
    RejectedRequestError,
    ReportNotReadyError,
    TooMuchDataError,
)
from adlab.core.insights import ATTRIBUTION_WINDOWS
from adlab.core.periods import DateRange
from adlab.meta import fields, parsing
from adlab.meta.client import GraphClient
from adlab.meta.paging import pages

log = logging.getLogger(__name__)

# Above this many expected rows a report run is asked for at once.
ASYNC_FROM_ROWS = 10_000
_POLL_FIRST, _POLL_LONGEST, _RUN_LIMIT = 0.1, 15.0, 1800.0
_EARLY_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, None)


@dataclass
class InsightsReader:
    """Reads one account; remembers what Meta refused, so that it is asked only once.

    Attributes:
        client: The signed client.
        account_id: Ad account.
        named: Objects that rows named, by level and id.
        with_deleted: Whether naming DELETED in the filter is accepted here.
    """

    client: GraphClient
    account_id: AccountId
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    named: dict[tuple[Level, int], AdObject] = field(default_factory=dict)
    with_deleted: bool = True

    def fetch(
        self, level: Level, period: DateRange, expected_rows: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of one level and period, one per object and day with delivery.

        Args:
            level: account, campaign, ad set or ad.
            period: Days, account-local.
            expected_rows: Rough size, to choose between pages and a report run.

        Raises:
            MetaError: As the client raises; on an error nothing of the slice should be kept.
        """
        began = False
        try:
            for cells in self._fetch_once(level, period, expected_rows):
                began = True
                yield cells
        except RejectedRequestError as error:
            # Reason: once rows are out, starting over would give them twice.
            if began or not self._may_be_about_deleted(error, level):
                raise
            log.info("meta_no_deleted_filter account_id=%s", self.account_id)
            self.with_deleted = False
            yield from self._fetch_once(level, period, expected_rows)

    def fetch_object(
        self, level: Level, object_id: int, period: DateRange
    ) -> list[tuple[Any, ...]]:
        """Rows of one object by its own id.

        The only way to a deleted object where the filter does not accept DELETED.
        """
        params = self._params(level, period)
        params.pop("filtering", None)
        try:
            return [
                self._read(row, level)
                for page in pages(self.client, f"{object_id}/insights", params)
                for row in page
            ]
        except RejectedRequestError as error:
            if (error.code, error.subcode) != (100, 33):
                raise
            # Reason: Meta shows it to nobody any more; what is stored of it stays.
            log.warning("meta_object_gone level=%s object_id=%s", level.word, object_id)
            return []

    def _may_be_about_deleted(self, error: RejectedRequestError, level: Level) -> bool:
        return self.with_deleted and level is not Level.ACCOUNT and error.code == 100

    def _fetch_once(
        self, level: Level, period: DateRange, expected_rows: int
    ) -> Iterator[tuple[Any, ...]]:
        params = self._params(level, period)
        if expected_rows < ASYNC_FROM_ROWS:
            began = False
            try:
                for page in pages(self.client, f"act_{self.account_id}/insights", params):
                    began = True
                    for row in page:
                        yield self._read(row, level)
                return
            except TooMuchDataError:
                # Reason: after the first page rows are out already; the caller must start over.
                if began:
                    raise
        yield from self._report(level, period, params)

    def _report(
        self, level: Level, period: DateRange, params: dict[str, Any]
    ) -> Iterator[tuple[Any, ...]]:
        try:
            run = self._finished_run(params)
        except TooMuchDataError:
            if period.days == 1:
                raise
            middle = period.slices((period.days + 1) // 2)
            for part in middle:
                yield from self._report(level, part, self._params(level, part))
            return
        for page in self._report_pages(run):
            for row in page:
                yield self._read(row, level)

    def _report_pages(self, run: str) -> Iterator[list[dict[str, Any]]]:
        """Pages of a finished report; Meta sometimes calls it finished a moment too soon."""
        for pause in _EARLY_PAUSES:
            began = False
            try:
                for page in pages(self.client, f"{run}/insights", {}):
                    began = True
                    yield page
                return
            except ReportNotReadyError:
                if began or pause is None:
                    raise
                self.sleep(pause)

    def _finished_run(self, params: dict[str, Any]) -> str:
        trouble = ""
        for _ in range(3):
            answer = self.client.post(f"act_{self.account_id}/insights", params)
            run = str(answer.get("report_run_id") or "")
            if not run:
                raise MetaUnavailableError("A report was accepted without an id.")
            trouble = self._wait(run)
            if not trouble:
                return run
        raise MetaUnavailableError(
            f"A report was asked for three times: {trouble}", "Meta is busy; try again later."
        )

    def _wait(self, run: str) -> str:
        """Poll until the report is complete; the reason when it must be asked for again."""
        began, pause = self.clock(), _POLL_FIRST
        while True:
            try:
                state = self.client.get(run)
            except RejectedRequestError as error:
                # Reason: just created, a run is sometimes not found for a moment.
                if error.code == 100 and error.subcode == 33 and self.clock() - began < 30:
                    state = {}
                else:
                    raise
            except ReportNotReadyError:
                state = {}
            status = state.get("async_status")
            if status == "Job Completed" and int(state.get("async_percent_completion") or 0) >= 100:
                return ""
            if status == "Job Skipped":
                return "it was skipped."
            if status == "Job Failed":
                return self._failure(state)
            if self.clock() - began > _RUN_LIMIT:
                raise MetaUnavailableError(
                    f"A report still runs after {_RUN_LIMIT / 60:.0f} minutes.", "Try again later."
                )
            self.sleep(pause)
            pause = min(_POLL_LONGEST, pause * 1.6)

    @staticmethod
    def _failure(state: dict[str, Any]) -> str:
        text = str(state.get("error_user_msg") or state.get("error_message") or "no reason given")
        subcode = state.get("error_subcode")
        if str(state.get("error_code")) == "-3" or str(subcode) in ("1504045", "1487534"):
            raise TooMuchDataError(f"The report is too large: {text}", "Fewer days a report.")
        return f"it failed. {text}"

    def _params(self, level: Level, period: DateRange) -> dict[str, Any]:
        params: dict[str, Any] = {
            "level": level.word,
            "fields": ",".join(fields.INSIGHTS[level]),
            "time_range": {"since": period.since.isoformat(), "until": period.until.isoformat()},
            "time_increment": "1",
            "action_attribution_windows": list(ATTRIBUTION_WINDOWS),
            # Reason: other action breakdowns hide or repeat conversions.
            "action_breakdowns": ["action_type"],
        }
        if level is not Level.ACCOUNT:
            params["filtering"] = fields.insights_filter(level, self.with_deleted)
        return params

    def _read(self, row: dict[str, Any], level: Level) -> tuple[Any, ...]:
        cells = parsing.insight_tuple(row, level)
        if level is not Level.ACCOUNT and (level, cells[1]) not in self.named:
            self.named[(level, cells[1])] = parsing.named_object(row, level)
        return cells
