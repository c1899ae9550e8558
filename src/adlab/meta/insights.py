"""Fetch insights: synchronous pages for small questions, report runs for large ones.

`InsightsReader.fetch_rows` answers any question about insights: page by page first, as a report
when that is too much, and as several smaller reports when one is too large. What was too large once
is remembered, so that the next question of its kind is split at once.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from adlab.core.entities import AccountId, AdObject, Level
from adlab.core.errors import (
    MetaError,
    MetaUnavailableError,
    RejectedRequestError,
    ReportNotReadyError,
    TooFarBackError,
    TooMuchDataError,
)
from adlab.core.insights import ATTRIBUTION_WINDOWS
from adlab.core.periods import TOTALS_MONTHS, DateRange, months_back
from adlab.meta import fields, parsing, splits
from adlab.meta.batch import Read, read_all
from adlab.meta.client import Decode, GraphClient
from adlab.meta.paging import pages, pages_after
from adlab.meta.rows import decode_page
from adlab.meta.runs import ReportRuns, Run
from adlab.meta.splits import Learned

log = logging.getLogger(__name__)

T = TypeVar("T")
Row = dict[str, Any]

# Above this many expected rows a report run is asked for at once.
ASYNC_FROM_ROWS = 10_000
# Reports of one question that are being made side by side.
REPORTS_AHEAD = 12
_LONGEST_QUESTION = 3 * 3600.0
_EARLY_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, None)


@dataclass(frozen=True)
class _Question:
    """A question, and which objects of which level it was narrowed to."""

    params: Mapping[str, Any]
    level: Level | None = None
    ids: tuple[str, ...] = ()

    @property
    def wire(self) -> dict[str, Any]:
        if self.level is None:
            return dict(self.params)
        return splits.for_ids(self.params, self.level, self.ids)


@dataclass
class _Parts:
    """Parts of a question: some asked for already, the others not yet."""

    waiting: deque[_Question]
    started: deque[tuple[_Question, Run | None]] = field(default_factory=deque)


@dataclass
class InsightsReader:
    """Reads one account; remembers what Meta refused, so that it is asked only once.

    Attributes:
        client: The signed client.
        account_id: Ad account.
        named: Objects that rows named, by level and id.
        with_deleted: Whether naming DELETED in the filter is accepted here.
        learned: Sizes that were too large; share it between readers of the account.
        runs: Reports on their way; share it between readers of the account.
        today: Current day, for the oldest day Meta serves.
    """

    client: GraphClient
    account_id: AccountId
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    named: dict[tuple[Level, int], AdObject] = field(default_factory=dict)
    with_deleted: bool = True
    learned: Learned = field(default_factory=Learned)
    runs: ReportRuns | None = None
    today: Callable[[], date] = lambda: datetime.now(UTC).date()
    _ahead: dict[str, _Parts] = field(default_factory=dict)
    _decode: Decode | None = None

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
        return self.fetch_rows(
            self._params(level, period),
            parse=lambda row: self._read(row, level),
            expected_rows=expected_rows,
            decode=decode_page,
        )

    def fetch_rows(
        self,
        params: Mapping[str, Any],
        *,
        parse: Callable[[Row], T],
        expected_rows: int = 0,
        report_only: bool = False,
        decode: Decode | None = None,
    ) -> Iterator[T]:
        """Rows of any question about this account's insights, in no particular order.

        Reads page by page; where that is too much, or many rows are expected, asks for a report;
        where a report is too large, for several with fewer days, objects or fields each. Every
        filter stays on every part.

        Args:
            params: Parameters of the edge: `level`, `fields` (a comma-separated text),
                `time_range` (`{"since": …, "until": …}`), `time_increment`, `breakdowns` (a list),
                `filtering` (a list) and so on; see `_params`.
            parse: Makes the wanted thing of a row; called once for each.
            expected_rows: Rough size, to choose between pages and a report.
            report_only: Never read page by page (breakdowns Meta serves in reports only).
            decode: Reads pages of a known shape; `parse` then takes the rows it gives.

        Yields:
            What `parse` gives. On an error after the first row, everything must be thrown away.

        Raises:
            TooMuchDataError: If even the smallest part is too large; or after rows were given, in
                which case asking again with many `expected_rows` helps.
            StaleCursorError: If a cursor was lost; asking again helps.
            MetaError: As the client raises.
        """
        self._decode = decode
        asked: Mapping[str, Any] | None = params if self.with_deleted else _without_deleted(params)
        while asked is not None:
            began = False
            try:
                for row in self._rows(asked, expected_rows, report_only):
                    began = True
                    yield parse(row)
                return
            except RejectedRequestError as error:
                # Reason: once rows are out, starting over would give them twice.
                if began:
                    raise
                asked = self._mended(asked, error)

    def _mended(
        self, asked: Mapping[str, Any], error: RejectedRequestError
    ) -> Mapping[str, Any] | None:
        """A refused question as it may be asked; None where nothing of it is left.

        Raises:
            RejectedRequestError: If there is no such form of it.
        """
        period = splits.period_of(asked)
        if isinstance(error, TooFarBackError) and period is not None:
            # Reason: two days inside, because Meta's day may be ahead of ours.
            oldest = months_back(self.today(), TOTALS_MONTHS) + timedelta(days=2)
            if period.since >= oldest:
                raise error
            log.warning("meta_too_far_back account_id=%s oldest=%s", self.account_id, oldest)
            left = period.clamp(oldest, period.until) if period.until >= oldest else None
            return None if left is None else {**asked, "time_range": splits.span(left)}
        bare = _without_deleted(asked)
        if error.code != 100 or bare == asked:
            raise error
        log.info("meta_no_deleted_filter account_id=%s", self.account_id)
        self.with_deleted = False
        return bare

    def fetch_objects(
        self, level: Level, object_ids: Sequence[int], period: DateRange
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of single objects by their own ids, fifty to a call.

        The only way to a deleted object where the filter does not accept DELETED. Objects Meta
        shows to nobody give no rows.

        Raises:
            MetaError: As the client raises; on an error nothing of the slice should be kept.
        """
        params = self._params(level, period)
        params.pop("filtering", None)
        asked = {**params, "limit": str(self.client.page_size)}
        if len(object_ids) == 1:
            yield from self._object(level, object_ids[0], params, None)
            return
        answers = read_all(self.client, [Read(f"{i}/insights", asked) for i in object_ids])
        for number, answer in zip(object_ids, answers, strict=True):
            yield from self._object(level, number, params, answer)

    def _object(
        self, level: Level, number: int, params: dict[str, Any], answer: Row | MetaError | None
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of one object, whose first page or trouble may be there already."""
        path = f"{number}/insights"
        try:
            if isinstance(answer, MetaError) and not isinstance(answer, TooMuchDataError):
                raise answer
            found = (
                pages_after(self.client, path, params, answer)
                if isinstance(answer, dict) and isinstance(answer.get("data"), list)
                else pages(self.client, path, params)
            )
            for page in found:
                for row in page:
                    yield self._read(row, level)
        except RejectedRequestError as error:
            if (error.code, error.subcode) != (100, 33):
                raise
            # Reason: Meta shows it to nobody any more; what is stored of it stays.
            log.warning("meta_object_gone level=%s object_id=%s", level.word, number)

    def fetch_object(
        self, level: Level, object_id: int, period: DateRange
    ) -> list[tuple[Any, ...]]:
        """Rows of one object by its own id; see `fetch_objects`."""
        return list(self.fetch_objects(level, [object_id], period))

    def ask_ahead(self, level: Level, period: DateRange, expected_rows: int) -> bool:
        """Have a large question's reports made while others are being read.

        Args:
            level: As `fetch` will be asked.
            period: Likewise.
            expected_rows: Likewise.

        Returns:
            Whether reports are on their way; `fetch` with the same arguments picks them up.
        """
        if not self.wants_report(level, period, expected_rows):
            return False
        params = self._params(level, period)
        question = _Question(params)
        if not self._is_known_too_large(question):
            try:
                self._start_ahead(question)
            except MetaError as error:
                # Reason: only a head start is lost; the reading itself meets the same and tells.
                log.info("report_not_ahead account_id=%s code=%s", self.account_id, error.code)
                return False
        return True

    def wants_report(self, level: Level, period: DateRange, expected_rows: int) -> bool:
        """Whether `fetch` with these arguments would begin with a report."""
        return self._wants_report(self._params(level, period), expected_rows)

    def another(self) -> InsightsReader:
        """A reader for another thread: it shares what was learned and the reports on their way."""
        return InsightsReader(
            self.client, self.account_id, self.sleep, self.clock,
            with_deleted=self.with_deleted, learned=self.learned, runs=self._runs,
            today=self.today,
        )  # fmt: skip

    @property
    def _runs(self) -> ReportRuns:
        if self.runs is None:
            self.runs = ReportRuns(self.client, self.account_id, self.sleep, self.clock)
        return self.runs

    def _wants_report(self, params: Mapping[str, Any], expected_rows: int) -> bool:
        known = self.learned.of(splits.kind_of(params)).report_from_days
        period = splits.period_of(params)
        return expected_rows >= ASYNC_FROM_ROWS or (
            known is not None and period is not None and period.days >= known
        )

    def _rows(
        self, params: Mapping[str, Any], expected_rows: int, report_only: bool
    ) -> Iterator[Row]:
        if not report_only and not self._wants_report(params, expected_rows):
            began = False
            try:
                for page in pages(
                    self.client, f"act_{self.account_id}/insights", params, decode=self._decode
                ):
                    began = True
                    yield from page
                return
            except TooMuchDataError:
                if period := splits.period_of(params):
                    self.learned.learn(splits.kind_of(params), report_from_days=period.days)
                # Reason: after the first page rows are out already; the caller must start over.
                if began:
                    raise
        yield from self._report(_Question(params), self.clock() + _LONGEST_QUESTION)

    def _report(self, whole: _Question, until: float) -> Iterator[Row]:
        """Rows of a question as one report or several, a few being made ahead of the reading."""
        # Reason: parts already asked for were cut by what was known then; cutting anew, by what
        # was learned since, would read days twice.
        parts = self._ahead.pop(repr(whole), None) or _Parts(deque(self._parts(whole)))
        started, waiting = parts.started, parts.waiting
        try:
            while started or waiting:
                while waiting and len(started) < REPORTS_AHEAD:
                    part = waiting.popleft()
                    started.append((part, self._start(part)))
                part, run = started.popleft()
                yield from self._finished(part, run, until)
        finally:
            for _, run in started:
                if run is not None:
                    self._runs.forget(run)

    def _finished(self, part: _Question, run: Run | None, until: float) -> Iterator[Row]:
        error = TooMuchDataError("Reports of this kind were too large before.", "Ask for less.")
        if run is not None:
            try:
                number = self._runs.finish(run)
            except TooMuchDataError as told:
                error = told
            else:
                for page in self._report_pages(number):
                    yield from page
                return
        if self.clock() > until:
            raise MetaUnavailableError(
                "Reports of one question took Meta longer than three hours.",
                "Meta is busy; try again later.",
            ) from error
        yield from self._smaller(part, error, until)

    def _start(self, part: _Question) -> Run | None:
        """Ask for a report; None where it is known to be too large."""
        return None if self._is_known_too_large(part) else self._runs.start(part.wire)

    def _start_ahead(self, question: _Question) -> None:
        key = repr(question)
        if key not in self._ahead:
            parts = self._ahead[key] = _Parts(deque(self._parts(question)))
            while parts.waiting and len(parts.started) < REPORTS_AHEAD:
                run = self._start(parts.waiting[0])
                parts.started.append((parts.waiting.popleft(), run))

    def _is_known_too_large(self, part: _Question) -> bool:
        """Whether a report of one day was too large before, for all objects or all fields."""
        known = self.learned.of(splits.kind_of(part.params))
        period = splits.period_of(part.params)
        if part.level is None and known.ids is not None:
            return period is not None and period.days == 1
        alone = len(part.ids) == 1 or str(part.params.get("level")) == Level.ACCOUNT.word
        return (
            alone and known.fields is not None
            and len(splits.field_names(part.params)) > known.fields
        )  # fmt: skip

    def _parts(self, question: _Question) -> list[_Question]:
        """What is known to be too large is asked for in parts at once."""
        days = self.learned.of(splits.kind_of(question.params)).days
        if days is None:
            return [question]
        return [replace(question, params=p) for p in splits.by_days(question.params, days)]

    def _smaller(self, question: _Question, error: TooMuchDataError, until: float) -> Iterator[Row]:
        """The same rows from smaller reports: fewer days, then fewer objects, then fewer fields."""
        kind = splits.kind_of(question.params)
        period = splits.period_of(question.params)
        half = (period.days + 1) // 2 if period is not None else 0
        if period is not None and len(parts := splits.by_days(question.params, half)) > 1:
            self.learned.learn(kind, days=half)
            log.info("report_split account_id=%s kind=%s days=%d", self.account_id, kind, half)
            for part in self._side_by_side([replace(question, params=p) for p in parts], until):
                yield from part
            return
        narrower = self._fewer_objects(question, kind)
        if narrower:
            for part in self._side_by_side(narrower, until):
                yield from part
            return
        names = splits.field_names(question.params)
        if len(names) < 2:
            raise error
        most = (len(names) + 1) // 2
        self.learned.learn(kind, fields=most)
        log.info("report_split account_id=%s kind=%s fields=%d", self.account_id, kind, most)
        by_fields = [replace(question, params=p) for p in splits.by_fields(question.params, most)]
        yield from splits.merged(self._side_by_side(by_fields, until), question.params)

    def _side_by_side(self, parts: Sequence[_Question], until: float) -> Iterator[Iterator[Row]]:
        """Reports of several parts, all asked for before the first is waited for."""
        for part in parts[:REPORTS_AHEAD]:
            self._start_ahead(part)
        for part in parts:
            yield self._report(part, until)

    def _fewer_objects(self, question: _Question, kind: str) -> list[_Question]:
        """The same question for half the objects at a time; none where that is not possible."""
        deepest = Level.parse(str(question.params.get("level") or "account"))
        known = self.learned.of(kind).ids
        level, ids = question.level, list(question.ids)
        if len(ids) < 2:
            following = [lv for lv in splits.ID_LEVELS if lv <= deepest and lv > (level or 0)]
            for level in following:
                ids = self._objects(question, level)
                if len(ids) > 1:
                    break
            else:
                return []
        most = (len(ids) + 1) // 2
        if question.level is None and known is not None:
            most = min(most, known)
        self.learned.learn(kind, ids=most)
        log.info("report_split account_id=%s kind=%s ids=%d", self.account_id, kind, most)
        return [replace(question, level=level, ids=tuple(c)) for c in splits.chunks(ids, most)]

    def _objects(self, question: _Question, level: Level) -> list[str]:
        """Objects with delivery in a question's days, by a report without its breakdowns."""
        run = self._runs.start(splits.ids_question(question.wire, level))
        try:
            number = self._runs.finish(run)
        except TooMuchDataError:
            return []
        name = f"{level.word}_id"
        return sorted({str(r[name]) for p in self._report_pages(number) for r in p if r.get(name)})

    def _report_pages(self, number: str) -> Iterator[list[Row]]:
        """Pages of a finished report; Meta sometimes calls it finished a moment too soon."""
        for pause in _EARLY_PAUSES:
            began = False
            try:
                for page in pages(self.client, f"{number}/insights", {}, decode=self._decode):
                    began = True
                    yield page
                return
            except ReportNotReadyError:
                if began or pause is None:
                    raise
                self.sleep(pause)

    def _params(self, level: Level, period: DateRange, **extra: Any) -> dict[str, Any]:
        """Parameters of a daily question; `extra` replaces or adds (fields, breakdowns, …)."""
        params: dict[str, Any] = {
            "level": level.word,
            "fields": ",".join(fields.INSIGHTS[level]),
            "time_range": splits.span(period),
            "time_increment": "1",
            "action_attribution_windows": list(ATTRIBUTION_WINDOWS),
            # Reason: other action breakdowns hide or repeat conversions.
            "action_breakdowns": ["action_type"],
        }
        if level is not Level.ACCOUNT:
            params["filtering"] = fields.insights_filter(level, self.with_deleted)
        return {**params, **extra}

    def _read(self, row: Row, level: Level) -> tuple[Any, ...]:
        cells = parsing.insight_tuple(row, level)
        if level is not Level.ACCOUNT and (level, cells[1]) not in self.named:
            self.named[(level, cells[1])] = parsing.named_object(row, level)
        return cells


def _without_deleted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same question without naming DELETED in a filter of statuses."""
    filtering = params.get("filtering")
    if not filtering:
        return dict(params)
    return {
        **params,
        "filtering": [
            {**f, "value": [v for v in f["value"] if v != "DELETED"]}
            if str(f.get("field", "")).endswith("effective_status")
            else f
            for f in filtering
        ],
    }
