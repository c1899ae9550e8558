"""The insights edge: a query becomes a page of rows with cursors, or a report to run later."""

from __future__ import annotations

import json
from collections import OrderedDict

from adlab.simulator.errors import GraphError, bad_cursor, too_many_rows
from adlab.simulator.query import (
    DEFAULT_LIMIT,
    LARGEST_LIMIT,
    InsightsQuery,
    parse_query,
)
from adlab.simulator.reporting import ReportEngine
from adlab.simulator.rows import RowWriter
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest, GraphResponse, read_cursor, whole, write_cursor
from adlab.simulator.world import AccountWorld, Level


class Insights:
    """Serves pages of insights.

    Args:
        engine: Computes reports.
        settings: Thresholds and cursor life, changeable while running.
    """

    def __init__(self, engine: ReportEngine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._writers: OrderedDict[tuple[str, int, int], RowWriter] = OrderedDict()

    def parse(
        self, request: GraphRequest, account: AccountWorld, node: Level, index: int, now: float
    ) -> InsightsQuery:
        """Read the call's parameters and refuse it when it asks for too much."""
        return parse_query(request, account, node, index, account.today(now))

    def check_size(self, query: InsightsQuery, limit: int, now: float) -> None:
        """Refuse a report with too many rows.

        Raises:
            GraphError: Code 100/1487534.
        """
        if limit and self._engine.estimate(query, now) > limit:
            raise too_many_rows()

    def page(
        self, request: GraphRequest, query: InsightsQuery, tick: int, now: float
    ) -> GraphResponse:
        """Write one page of a report.

        Args:
            request: Carries `limit`, `after` and `before`.
            query: What is reported.
            tick: As of which refresh; a cursor brings its own, so that pages fit together.
            now: Unix time.
        """
        limit = request.integer("limit", DEFAULT_LIMIT)
        if limit < 1:
            raise GraphError(100, "(#100) Param limit must be a positive integer")
        limit = min(limit, LARGEST_LIMIT)
        self._check_load(limit, query)
        start, tick = self._start(request, query, tick, now, limit)
        table = self._engine.table(query, tick, now)
        account = self._engine.world.accounts[query.account_id]
        end = min(start + limit, len(table))
        rows = self._writer(account, query, now).write(table.take(slice(start, end)))
        parts = ['{"data":[', ",".join(rows), "]"]
        if rows:
            parts.append(self._paging(request, query, tick, now, start, end, len(table)))
        if query.summary is not None:
            totals = self._engine.totals(query, tick, now)
            writer = RowWriter(account, query, now, level=query.node)
            made = writer.write(totals, query.summary)
            parts.append(f',"summary":{made[0] if made else "{}"}')
        parts.append("}")
        return GraphResponse("".join(parts).encode(), rows=len(rows))

    def _writer(self, account: AccountWorld, query: InsightsQuery, now: float) -> RowWriter:
        name = (query.digest, int(now), account.edits.revision)
        writer = self._writers.get(name)
        if writer is None:
            writer = self._writers[name] = RowWriter(account, query, now)
            while len(self._writers) > 16:
                self._writers.popitem(last=False)
        return writer

    def _check_load(self, limit: int, query: InsightsQuery) -> None:
        load = self._settings.reduce_data_above
        if load and limit * max(len(query.fields), 1) > load:
            raise GraphError(
                1,
                "Please reduce the amount of data you're asking for, then retry your request",
                status=500,
            )

    def _start(
        self, request: GraphRequest, query: InsightsQuery, tick: int, now: float, limit: int
    ) -> tuple[int, int]:
        cursor = request.params.get("after") or request.params.get("before")
        if not cursor:
            return 0, tick
        digest, place, as_of, issued = read_cursor(cursor, 4)
        age = now - whole(issued)
        if digest != query.digest or age > self._settings.cursor_seconds:
            raise bad_cursor()
        if request.params.get("after"):
            return whole(place), whole(as_of)
        return max(whole(place) - limit, 0), whole(as_of)

    def _paging(
        self,
        request: GraphRequest,
        query: InsightsQuery,
        tick: int,
        now: float,
        start: int,
        end: int,
        total: int,
    ) -> str:
        digest, issued = query.digest, int(now)
        after = write_cursor((digest, end, tick, issued))
        if self._settings.take_repeating_cursor():
            after = write_cursor((digest, start, tick, issued))
        cursors = {"before": write_cursor((digest, start, tick, issued)), "after": after}
        paging: dict[str, object] = {"cursors": cursors}
        if end < total:
            paging["next"] = request.page_url(after)
        if start > 0:
            paging["previous"] = request.page_url(after).replace(
                f"after={after}", f"before={cursors['before']}"
            )
        return f',"paging":{json.dumps(paging, separators=(",", ":"))}'
