"""Adds ads and days up to the rows of a report, and keeps recent reports for paging.

All numbers stay integers here; ratios and text are made in `rows.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from adlab.simulator import filters, restatement
from adlab.simulator.breakdowns import (
    BY_HOUR,
    FREQUENCY_DAYS,
    Family,
    Splitter,
    family_of,
    is_shut,
    segments_of,
)
from adlab.simulator.catalog import columns_for
from adlab.simulator.delivery import CHUNK_DAYS, DeliveryEngine
from adlab.simulator.hashing import Bools, Ints
from adlab.simulator.periods import DayRange
from adlab.simulator.query import InsightsQuery
from adlab.simulator.steering import steer
from adlab.simulator.world import ARCHIVED, DELETED, LEVELS, AccountWorld, World

HOURLY_DAYS = 396
_REACH_POWER = 0.972
_REACH_POPULATION = 9_000_000.0


@dataclass
class Table:
    """Rows of a report as arrays; `setting_low == setting_high` when a row mixes no settings."""

    buckets: list[DayRange]
    segments: list[tuple[str, ...]]
    bucket: Ints
    object: Ints
    segment: Ints
    setting_low: Ints
    setting_high: Ints
    columns: dict[str, Ints]

    def __len__(self) -> int:
        return len(self.bucket)

    def take(self, chosen: Ints | Bools | slice) -> Table:
        """Give some of the rows."""
        return Table(
            self.buckets,
            self.segments,
            self.bucket[chosen],
            self.object[chosen],
            self.segment[chosen],
            self.setting_low[chosen],
            self.setting_high[chosen],
            {name: values[chosen] for name, values in self.columns.items()},
        )


def reach_of(fresh: Ints, impressions: Ints) -> Ints:
    """Give the people reached by impressions that were fresh to their ads' audiences.

    The function is concave and the same for every level and span, so reaches of parts always
    add up to more than the reach of the whole.
    """
    people = _REACH_POPULATION * (
        1 - np.exp(-(fresh.astype(np.float64) ** _REACH_POWER) / _REACH_POPULATION)
    )
    return np.clip(people.astype(np.int64), 1, np.maximum(impressions, 1))


@dataclass
class _Piece:
    key: Ints
    low: Ints
    high: Ints
    columns: dict[str, Ints]


def _sum_groups(piece: _Piece) -> _Piece:
    """Add up rows with equal keys; the result is sorted by key."""
    key = piece.key
    if len(key) == 0 or bool(np.all(np.diff(key) > 0)):
        return piece
    columns, low, high = piece.columns, piece.low, piece.high
    if bool(np.any(np.diff(key) < 0)):
        order = np.argsort(key, kind="stable")
        key, low, high = key[order], low[order], high[order]
        columns = {name: values[order] for name, values in columns.items()}
    starts = np.flatnonzero(np.concatenate([[True], np.diff(key) > 0]))
    return _Piece(
        key[starts],
        np.minimum.reduceat(low, starts),
        np.maximum.reduceat(high, starts),
        {name: np.add.reduceat(values, starts, dtype=np.int64) for name, values in columns.items()},
    )


class Aggregator:
    """Adds up one account's delivery, as known at a moment."""

    def __init__(self, engine: DeliveryEngine, account: AccountWorld, moment: float) -> None:
        self._engine, self._account, self._moment = engine, account, moment

    def table(
        self,
        level: str,
        buckets: list[DayRange],
        wanted: frozenset[str],
        ads: Bools | None = None,
        breakdowns: tuple[str, ...] = (),
    ) -> Table:
        """Add up to a level and time buckets.

        Args:
            level: Level of the rows.
            buckets: Time pieces, in the order of the result; they may overlap.
            wanted: Column names; `impressions` is always added.
            ads: Which ads count (None: all, archived and deleted ones too).
            breakdowns: A checked combination.

        Returns:
            Rows with at least one impression, by bucket, object and segment.
        """
        family = family_of(self._account, breakdowns) if breakdowns else None
        nothing: tuple[list[tuple[str, ...]], list[int]] = ([()], [0])
        segments, places = segments_of(family, breakdowns) if family else nothing
        self._groups = self._account.index_of_ads(level)
        self._width = int(self._groups.max(initial=0)) + 1
        columns = wanted | {"impressions"}
        pieces = []
        for number, run in _runs(buckets):
            first, last = run[0].since // CHUNK_DAYS, run[-1].until // CHUNK_DAYS
            for chunk in range(first, last + 1):
                pieces += self._pieces(
                    chunk, run, number, columns, ads, family, places, len(segments)
                )
        whole = _sum_groups(_joined(pieces, columns))
        rest, segment = np.divmod(whole.key, len(segments))
        bucket, thing = np.divmod(rest, self._width)
        table = Table(
            buckets, segments, bucket, thing, segment, whole.low, whole.high, whole.columns
        )
        shown = table.columns["impressions"] > 0
        return table if bool(shown.all()) else table.take(shown)

    def _pieces(
        self,
        chunk: int,
        run: list[DayRange],
        number: int,
        wanted: frozenset[str],
        ads: Bools | None,
        family: Family | None,
        places: list[int],
        width: int,
    ) -> list[_Piece]:
        block = self._engine.block(self._account, chunk)
        today = self._account.today(self._moment)
        low = int(np.searchsorted(block.day, run[0].since))
        high = int(np.searchsorted(block.day, min(run[-1].until, today), side="right"))
        if low >= high:
            return []
        columns = restatement.as_of(block, low, high, wanted, self._account.zone, self._moment)
        if self._account.edits.steers:
            columns = steer(self._account, block, low, high, columns, self._moment)
        day, ad = block.day[low:high], block.ad[low:high]
        starts = np.array([piece.since for piece in run])
        bucket = np.searchsorted(starts, day, side="right") - 1 + number
        key = (bucket * self._width + self._groups[ad]) * width
        setting = self._account.ad_sets.setting[self._account.ads.ad_set[ad]]
        chosen = None if ads is None else np.flatnonzero(ads[ad])
        if family is None:
            parts = [(0, columns)]
        else:
            splitter = Splitter(self._account, family, block, low, high, self._moment)
            split = {name: splitter.split(name, values) for name, values in columns.items()}
            parts = [
                (place, {name: values[part] for name, values in split.items()})
                for part, place in enumerate(places)
            ]
        pieces = []
        for place, found in parts:
            piece = _Piece(
                key + place,
                setting,
                setting,
                {name: values.astype(np.int64) for name, values in found.items()},
            )
            if chosen is not None:
                piece = _Piece(
                    piece.key[chosen],
                    setting[chosen],
                    setting[chosen],
                    {name: values[chosen] for name, values in piece.columns.items()},
                )
            pieces.append(_sum_groups(piece))
        return pieces


def _runs(buckets: list[DayRange]) -> list[tuple[int, list[DayRange]]]:
    """Join neighbouring buckets into runs, each with the number of its first bucket."""
    runs: list[tuple[int, list[DayRange]]] = []
    for number, days in enumerate(buckets):
        if runs and runs[-1][1][-1].until + 1 == days.since:
            runs[-1][1].append(days)
        else:
            runs.append((number, [days]))
    return runs


def _joined(pieces: list[_Piece], wanted: frozenset[str]) -> _Piece:
    if not pieces:
        none = np.zeros(0, dtype=np.int64)
        return _Piece(none, none, none, dict.fromkeys(wanted, none))
    return _Piece(
        np.concatenate([p.key for p in pieces]),
        np.concatenate([p.low for p in pieces]),
        np.concatenate([p.high for p in pieces]),
        {name: np.concatenate([p.columns[name] for p in pieces]) for name in wanted},
    )


class ReportEngine:
    """Answers insights queries and remembers the newest answers.

    Args:
        world: What exists.
        max_values: How many numbers the remembered reports may hold together.
    """

    def __init__(self, world: World, max_values: int = 16_000_000) -> None:
        self.world = world
        self.delivery = DeliveryEngine()
        self._tables: OrderedDict[tuple[str, int, int, int], Table] = OrderedDict()
        self._max_values = max_values
        self._values = 0

    def table(self, query: InsightsQuery, tick: int, now: float) -> Table:
        """Give all rows of a query, sorted, as known at a refresh tick."""
        account = self.world.accounts[query.account_id]
        name = (query.digest, tick, account.today(now), account.edits.revision)
        found = self._tables.get(name)
        if found is None:
            found = self._build(query, account, tick, now)
            self._tables[name] = found
            self._values += _size(found)
            while self._values > self._max_values and len(self._tables) > 1:
                self._values -= _size(self._tables.popitem(last=False)[1])
        self._tables.move_to_end(name)
        return found

    def clear(self) -> None:
        """Forget all reports and delivered numbers."""
        self._tables.clear()
        self._values = 0
        self.delivery.clear()

    def totals(self, query: InsightsQuery, tick: int, now: float) -> Table:
        """Give the `summary` row: sums over everything the filters let through."""
        account = self.world.accounts[query.account_id]
        wanted = columns_for(query.summary or ())
        kept = tuple(f for f in query.filters if f.operator not in {"CONTAIN", "STARTS_WITH"})
        ads = self._ads(query, account, now, kept)
        days = DayRange(min(d.since for d in query.days), max(d.until for d in query.days))
        return Aggregator(self.delivery, account, tick).table(query.node, [days], wanted, ads)

    def estimate(self, query: InsightsQuery, now: float) -> int:
        """Guess how many rows a query has, without computing them."""
        account = self.world.accounts[query.account_id]
        parts = 1
        if query.breakdowns and not is_shut(account, query.breakdowns):
            parts = len(segments_of(family_of(account, query.breakdowns), query.breakdowns)[0])
        ads = self._ads(query, account, now, query.filters)
        owners = account.index_of_ads(query.level)
        chosen = np.unique(owners if ads is None else owners[ads])
        rows = 0
        for days in query.days:
            pieces = (
                1.0
                if query.increment == "all_days"
                else (
                    (days.until - days.since + 1)
                    / (30 if query.increment == "monthly" else int(query.increment))
                )
            )
            if query.level == "account":
                rows += int(pieces) + 1
                continue
            things = account.objects(query.level)
            overlap = (
                np.minimum(things.end[chosen], days.until)
                - np.maximum(things.start[chosen], days.since)
                + 1
            ).clip(0)
            if query.increment == "all_days":
                rows += int((overlap > 0).sum())
            else:
                rows += int(overlap.sum() * pieces / (days.until - days.since + 1))
        return rows * parts

    def _ads(
        self,
        query: InsightsQuery,
        account: AccountWorld,
        now: float,
        kept: tuple[filters.Filter, ...],
    ) -> Bools | None:
        today = account.today(now)
        mask: Bools | None = None
        if query.node != "account":
            mask = account.index_of_ads(query.node) == query.index
        for item in kept:
            if not item.level:
                continue
            level = query.level if item.level == "self" else item.level
            if level == "account":
                continue
            chosen = filters.object_mask(account, level, item, today, now)
            own = chosen[account.index_of_ads(level)]
            mask = own if mask is None else mask & own
        return mask

    def _build(self, query: InsightsQuery, account: AccountWorld, tick: int, now: float) -> Table:
        wanted = columns_for(query.fields)
        extra = {"reach": "fresh", "inline_link_clicks": "link_clicks"}
        asked = [item.field for item in query.filters if not item.level]
        asked += [query.sort[0]] if query.sort else []
        wanted |= {
            extra.get(name, name)
            for name in asked
            if extra.get(name, name) in {"fresh", "link_clicks", "spend", "clicks"}
        }
        buckets = query.buckets
        is_empty = is_shut(account, query.breakdowns)
        kept = HOURLY_DAYS if BY_HOUR.intersection(query.breakdowns) else 0
        kept = FREQUENCY_DAYS if "frequency_value" in query.breakdowns else kept
        if is_empty:
            buckets = []
        if kept:
            buckets = [b for b in buckets if b.since >= account.today(now) - kept]
        aggregator = Aggregator(self.delivery, account, tick)
        ads = self._ads(query, account, now, query.filters)
        table = aggregator.table(
            query.level,
            buckets,
            wanted,
            ads,
            () if is_empty else query.breakdowns,
        )
        table = self._listed(table, query, account, now)
        for item in query.filters:
            if not item.level:
                values = metric_values(table, item.field, account)
                table = table.take(filters.row_mask(values, item))
        return _sorted(table, query, account)

    def _listed(
        self, table: Table, query: InsightsQuery, account: AccountWorld, now: float
    ) -> Table:
        """Drop rows of archived and deleted objects, unless the object itself was asked."""
        if query.level == "account" or LEVELS.index(query.level) == LEVELS.index(query.node):
            return table
        named = filters.named_statuses(query.filters)
        states = account.effective_status(query.level, account.today(now))[table.object]
        hidden = np.zeros(len(table), dtype=bool)
        if "ARCHIVED" not in named:
            hidden |= states == ARCHIVED
        if "DELETED" not in named:
            hidden |= states == DELETED
        return table.take(~hidden) if bool(hidden.any()) else table


def _size(table: Table) -> int:
    return len(table) * (len(table.columns) + 5)


def metric_values(table: Table, name: str, account: AccountWorld) -> Ints:
    """Give a metric per row for filters and sorting; money in major units."""
    columns = table.columns
    if name == "reach":
        return reach_of(columns["fresh"], columns["impressions"])
    if name == "inline_link_clicks":
        return columns["link_clicks"]
    if name == "spend":
        return np.asarray(columns["spend"] / account.profile.minor_per_major)
    return columns[name]


def _sorted(table: Table, query: InsightsQuery, account: AccountWorld) -> Table:
    if query.sort is None or len(table) < 2:
        return table
    name, descending = query.sort
    ids = {"campaign_id": "campaign", "adset_id": "adset", "ad_id": "ad"}
    if name in {"date_start", "date_stop"}:
        values = np.array([days.since for days in table.buckets])[table.bucket]
    elif ids.get(name) == query.level:
        values = account.objects(query.level).id[table.object]
    elif name in {"impressions", "spend", "clicks", "reach", "inline_link_clicks"}:
        values = metric_values(table, name, account)
    else:
        return table
    order = np.argsort(-values if descending else values, kind="stable")
    return table.take(order)
