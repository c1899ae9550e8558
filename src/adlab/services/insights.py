"""Load insights for people: rows per object and period, with what re-aggregation needs.

Every number that boards, notebooks and reports show comes through `load_rows`. It returns the
metric columns and, beside them, the sums they were made of, so that totals and groups are
recomputed from sums and never averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from adlab.core.entities import Level
from adlab.core.metrics import MetricDef, components, refuse_sum
from adlab.core.periods import DateRange, Increment
from adlab.storage import breakdowns_sql, metrics_sql, versions_sql
from adlab.storage.tenancy import LoginReader, Reader

# Reason: below this many days x objects the pooled connection is faster than opening ADBC's own.
_ARROW_FROM_DAYS = 15
_KEY = ["date", "object_id", "account_id"]


@dataclass(frozen=True)
class InsightsQuery:
    """What is asked.

    Attributes:
        client_ids: Tenants, by number; the database drops those not granted.
        level: Level of the rows.
        period: Days, in each account's own calendar.
        metrics: What to compute, in the order wanted.
        increment: Days per row, `monthly` or `all_days`.
        object_ids: Only these objects, or None for all.
        as_of: Values as they were known at this moment; the newest when None.
        window: Attribution window that results are counted in; `default` is the ad sets' own.
    """

    client_ids: tuple[int, ...]
    level: Level
    period: DateRange
    metrics: tuple[MetricDef, ...]
    increment: Increment = 1
    object_ids: tuple[int, ...] | None = None
    as_of: datetime | None = None
    window: str = "default"


def load_rows(reader: Reader, query: InsightsQuery) -> pd.DataFrame:
    """Rows per period and object.

    Returns:
        Columns `date` (unless all days), `object_id`, `account_id`, then per metric `m_…` for
        sums and uniques, `n_…` and `d_…` (numerator and denominator sums) for ratios. Money in
        float major units of the account's currency. NaN where nothing is known.

    Raises:
        NotAdditiveError: If reach, or a ratio over it, is asked for more than a day at a time.
    """
    check_reach(query)
    sql, binds = _statement(reader, query)
    if isinstance(reader, LoginReader) and query.period.days >= _ARROW_FROM_DAYS:
        frame = reader.arrow_frame(sql, binds)
    else:
        frame = reader.frame(text(sql), **binds)
    numbers = [c for c in frame.columns if c[:2] in ("m_", "n_", "d_")]
    if frame.empty:
        # Reason: without rows the driver leaves types open, and empty results must add up too.
        frame = frame.astype(dict.fromkeys(numbers, "float64") | {"object_id": "int64"})
    else:
        frame[numbers] = frame[numbers].astype("float64")
    return frame


@dataclass(frozen=True)
class PageKey:
    """Where a page of rows ended.

    Attributes:
        day: First day of the row's period; None when all days are one.
        object_id: Of the last row.
        account_id: Of the last row.
    """

    day: date | None
    object_id: int
    account_id: int


def load_page(
    reader: Reader, query: InsightsQuery, limit: int, after: PageKey | None = None
) -> list[dict[str, Any]]:
    """The same rows as `load_rows`, some at a time, by period, object and account.

    Args:
        reader: Whose rights decide what is found.
        query: What is asked.
        limit: Rows of a page.
        after: Where the page before ended; None for the first.

    Returns:
        At most `limit` rows with the columns of `load_rows`; fewer only at the end.

    Raises:
        NotAdditiveError: As `load_rows`.
    """
    check_reach(query)
    sql, binds = _statement(reader, query)
    binds["limit"] = limit
    key = ["object_id", "account_id"] if query.increment == "all_days" else _KEY
    beyond = ""
    if after is not None:
        binds |= {"after_object": after.object_id, "after_account": after.account_id}
        mark = ":after_object, :after_account"
        if "date" in key:
            binds["after_day"] = after.day
            mark = f"CAST(:after_day AS date), {mark}"
        beyond = f"WHERE ({', '.join(f'page.{k}' for k in key)}) > ({mark}) "
    paged = text(
        f"SELECT * FROM ({sql}) page {beyond}"  # noqa: S608
        f"ORDER BY {', '.join(f'page.{k}' for k in key)} LIMIT :limit"
    )
    if query.increment != 1:
        return reader.rows(paged, **binds)
    first = query.period.since if after is None or after.day is None else after.day
    found: list[dict[str, Any]] = []
    for since, until in _day_spans(reader, query, first, limit):
        # Reason: rows of single days are found by their days, so a page reads no more than its own.
        found += reader.rows(
            paged, **binds | {"since": since, "until": until, "limit": limit - len(found)}
        )
        if len(found) >= limit:
            break
    return found


def _day_spans(
    reader: Reader, query: InsightsQuery, first: date, limit: int
) -> Iterator[tuple[date, date]]:
    """Spans of days from `first` on; the earliest ones hold a page, as far as is known."""
    last = query.period.until
    if query.object_ids is not None or query.level is Level.ACCOUNT:
        yield first, last
        return
    counts = reader.rows(
        "api_day_rows", client_ids=list(query.client_ids), level=int(query.level), since=first,
        until=last,
    )  # fmt: skip
    # Reason: of the first day, all rows may lie before the page; so its own do not count.
    held, since = 0, first
    for row in counts:
        held += int(row["rows"]) if row["date"] > first else 0
        if held >= limit and row["date"] < last:
            yield since, row["date"]
            held, since = 0, row["date"] + timedelta(days=1)
    yield since, last


def values(rows: pd.DataFrame, metrics: Sequence[MetricDef]) -> pd.DataFrame:
    """Metric columns from component columns; a ratio over nothing is NaN, never infinity."""
    out: dict[str, pd.Series[float]] = {}
    for m in metrics:
        if m.kind == "ratio":
            below = rows[f"d_{m.name}"].to_numpy(dtype=float)
            above = rows[f"n_{m.name}"].to_numpy(dtype=float)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(below != 0, above / below * m.scale, np.nan)
            out[m.name] = pd.Series(ratio, index=rows.index)
        else:
            out[m.name] = rows[f"m_{m.name}"]
    return pd.DataFrame(out, index=rows.index)


def sum_rows(rows: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Add component columns up, over everything or by key columns; all-missing stays missing."""
    numbers = [c for c in rows.columns if c[:2] in ("m_", "n_", "d_")]
    if by:
        return rows.groupby(list(by), sort=True, dropna=False)[numbers].sum(min_count=1)
    return rows[numbers].sum(min_count=1).to_frame().T


def check_reach(query: InsightsQuery) -> None:
    """Refuse to add people up over days.

    Raises:
        NotAdditiveError: If reach, or a ratio over it, is asked for more than a day at a time.
    """
    for m in query.metrics:
        if m.over_reach and query.increment != 1 and query.period.days > 1:
            raise refuse_sum(m, "days", f'Ask per day: metrics=("{m.name}",), time_increment=1.')


def _statement(reader: Reader, query: InsightsQuery) -> tuple[str, dict[str, object]]:
    since, until = query.period.since, query.period.until
    binds: dict[str, object] = {
        "client_ids": list(query.client_ids),
        "since": since,
        "until": until,
    }
    narrow = query.object_ids is not None
    if query.object_ids is not None:
        binds["object_ids"] = list(query.object_ids)
    if query.as_of is not None:
        binds["as_of"] = query.as_of
    if query.level is Level.ACCOUNT:
        known = _known(query, metrics_sql.ACCOUNT_LEVELS)
        summary = known is None and _summary_serves(reader, query.metrics, binds)
        sql = metrics_sql.account_rows(
            query.metrics, query.increment, since, summary=summary, narrow=narrow, known=known
        )
        return sql, binds
    binds["level"] = int(query.level)
    known = _known(query, "level = :level")
    sql = metrics_sql.object_rows(query.metrics, query.increment, since, narrow=narrow, known=known)
    return sql, binds


def _known(query: InsightsQuery, levels: str) -> str | None:
    # Reason: account rows look at reach whether it is asked for or not.
    wanted = [*components(query.metrics), "reach"]
    if query.window != "default":
        return breakdowns_sql.window_rows(wanted, query.window, levels)
    if query.as_of is None:
        return None
    return versions_sql.known_rows(wanted, levels)


def _summary_serves(reader: Reader, metrics: Sequence[MetricDef], binds: dict[str, object]) -> bool:
    """Whether the summary gives exactly what the fact rows would."""
    if any(m.over_reach for m in metrics):
        return False
    unknown = {r["unnest"] for r in reader.rows(text(metrics_sql.unknown_cells()), **binds)}
    return not unknown & set(components(metrics))


def newest_day(reader: Reader, client_ids: Sequence[int]) -> date | None:
    """The newest day any of these clients has rows for."""
    days = [r["day"] for r in reader.rows("read_last_day", client_ids=list(client_ids))]
    return max(days, default=None)
