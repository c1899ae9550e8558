"""The campaign table: searched, filtered, sorted and cut into pages on the server."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adlab.core.entities import public_id
from adlab.core.metrics import METRICS, MetricDef
from adlab.ui.address import METRICS as SHOWN
from adlab.ui.address import SIZE, Address
from adlab.ui.figures import Campaigns, value
from adlab.ui.formats import is_known, show
from adlab.ui.tiles import path

# Ratios rest on events; below this many the number is shaky and stands in soft ink.
ENOUGH = 10
_EVENTS = {"roas": "purchases", "cpa": "purchases", "link_ctr": "link_clicks"}

_STATES = {
    "ACTIVE": ("active", "Active"), "PAUSED": ("paused", "Paused"),
    "ARCHIVED": ("archived", "Archived"), "DELETED": ("archived", "Deleted"),
    "IN_PROCESS": ("paused", "In process"), "WITH_ISSUES": ("issues", "With issues"),
    "PENDING_REVIEW": ("paused", "In review"), "DISAPPROVED": ("issues", "Rejected"),
    "CAMPAIGN_PAUSED": ("paused", "Paused"), "PENDING_BILLING_INFO": ("issues", "Billing"),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A number in the table; `soft` when too little data stands behind it."""

    metric: str
    text: str
    soft: bool = False
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One campaign.

    Attributes:
        id: Its public identifier.
        name: Its name, unescaped.
        state: Kind of its status, for the mark.
        state_word: Its status in words.
        share: Its spend against the largest on the page, from 0 to 1.
        cells: Its numbers.
        link: Address that shows it alone, or all again.
        spark: SVG path of its spend over the days, or "".
    """

    id: str
    name: str
    state: str
    state_word: str
    share: float
    cells: tuple[Cell, ...]
    link: str
    spark: str = ""


@dataclass(frozen=True)
class Head:
    """A column's head; `sorted` is `ascending`, `descending` or `none`."""

    name: str
    label: str
    link: str
    sorted: str


@dataclass(frozen=True)
class Total:
    """What the shown campaigns add up to, in one currency."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One page of the table.

    Attributes:
        heads: Columns.
        rows: Campaigns of this page.
        totals: One row a currency.
        count: Campaigns that pass search and filter.
        all: Campaigns with delivery.
        page: This page, from 1.
        pages: How many pages.
        first: Place of the first row, from 1; 0 when there is none.
        last: Place of the last row.
        previous: Address of the page before, or "".
        next: Address of the page after, or "".
    """

    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    totals: tuple[Total, ...]
    count: int
    all: int
    page: int
    pages: int
    first: int
    last: int
    previous: str
    next: str


def pick(campaigns: Campaigns, address: Address) -> pd.DataFrame:
    """Rows that pass search, status and campaign filter, in order."""
    rows = campaigns.rows
    if address.campaigns:
        rows = rows[rows.index.isin(address.campaigns)]
    if address.status != "all":
        rows = rows[[state(s)[0] == address.status for s in rows["status"]]]
    if address.search:
        needle = fold(address.search)
        rows = rows[[needle in fold(n) for n in rows["name"]]]
    return _sort(rows, address)


def fold(text: str) -> str:
    """Text for searching: without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def state(status: str | None) -> tuple[str, str]:
    """A status as (kind, word); unknown ones show as Meta writes them."""
    if status is None or status != status:
        return "none", "No status"
    return _STATES.get(status, ("none", status.replace("_", " ").capitalize()))


def _sort(rows: pd.DataFrame, address: Address) -> pd.DataFrame:
    column, down = address.sort.lstrip("-"), address.sort.startswith("-")
    if column == "name":
        order = rows["name"].map(fold).sort_values(ascending=not down, kind="stable").index
        return rows.loc[order]
    keys, ways = [column], [not down]
    if METRICS[column].is_money and rows["currency"].nunique() > 1:
        # Reason: amounts in different currencies have no order among themselves.
        keys, ways = ["currency", column], [True, not down]
    return rows.sort_values(keys, ascending=ways, kind="stable", na_position="last")


def page_of(rows: pd.DataFrame, asked: int) -> tuple[int, int, pd.DataFrame]:
    """The page, how many pages there are, and its rows; a page too far becomes the last."""
    pages = max(1, -(-len(rows) // SIZE))
    page = min(asked, pages)
    return page, pages, rows.iloc[(page - 1) * SIZE : page * SIZE]


def make_table(campaigns: Campaigns, address: Address, trends: pd.DataFrame | None = None) -> Table:
    """The page of the table that the address asks for.

    Args:
        campaigns: Every campaign of the period.
        address: Search, filter, order and page.
        trends: Spend per drawn step (rows) and campaign (columns), where it is known already.
    """
    rows = pick(campaigns, address)
    page, pages, shown = page_of(rows, address.page)
    start = (page - 1) * SIZE
    peaks = shown.groupby("currency")["spend"].max()
    largest = {str(c): float(v) for c, v in peaks.items()}
    return Table(
        heads=_heads(address),
        rows=tuple(_row(i, r, largest, address, trends) for i, r in shown.iterrows()),
        totals=_totals(campaigns, rows, address),
        count=len(rows), all=len(campaigns.rows), page=page, pages=pages,
        first=start + 1 if len(rows) else 0, last=start + len(shown),
        previous=address.link(page=page - 1) if page > 1 else "",
        next=address.link(page=page + 1) if page < pages else "",
    )  # fmt: skip


def _heads(address: Address) -> tuple[Head, ...]:
    column, down = address.sort.lstrip("-"), address.sort.startswith("-")
    labels = {"name": "Campaign"} | {n: METRICS[n].label for n in SHOWN}
    return tuple(
        Head(name, label, address.sorted_by(name),
             "none" if name != column else "descending" if down else "ascending")
        for name, label in labels.items()
    )  # fmt: skip


def _row(
    object_id: object, row: pd.Series, largest: dict[str, float], address: Address,
    trends: pd.DataFrame | None,
) -> Row:  # fmt: skip
    currency = row["currency"]
    whole = largest.get(currency, 0.0)
    kind, word = state(row["status"])
    number = int(object_id)  # type: ignore[call-overload]
    return Row(
        id=public_id(number), name=row["name"], state=kind, state_word=word,
        share=row["spend"] / whole if whole and is_known(row["spend"]) else 0.0,
        cells=cells({n: float(row[n]) for n in SHOWN}, currency),
        link=address.link(campaigns=() if address.campaigns == (number,) else (number,)),
        spark=_spark(trends[number]) if trends is not None and number in trends else "",
    )  # fmt: skip


def _spark(series: pd.Series) -> str:
    values = series.to_numpy(dtype=float)
    high = float(np.nanmax(values)) if not np.isnan(values).all() else 0.0
    if len(values) < 2 or high <= 0:
        return ""
    return path(np.linspace(1, 119, len(values)), 30 - values / high * 28)


def cells(values: dict[str, float], currency: str) -> tuple[Cell, ...]:
    """The numbers of one row; shaky ratios are marked."""
    return tuple(_cell(METRICS[n], values, currency) for n in SHOWN)


def _cell(metric: MetricDef, values: dict[str, float], currency: str) -> Cell:
    value = values.get(metric.name)
    text = show(metric, value, currency)
    events = _EVENTS.get(metric.name)
    if events is None or not is_known(value):
        return Cell(metric.name, text)
    seen = values.get(events)
    if is_known(seen) and seen is not None and seen >= ENOUGH:
        return Cell(metric.name, text)
    word = METRICS[events].label.lower()
    return Cell(metric.name, text, True, f"Too little data: fewer than {ENOUGH} {word}.")


def _totals(campaigns: Campaigns, rows: pd.DataFrame, address: Address) -> tuple[Total, ...]:
    out = []
    some = len(rows) < len(campaigns.rows)
    currencies = sorted({str(c) for c in rows["currency"]})
    for currency in currencies:
        group = rows[rows["currency"] == currency]
        if some:
            summed = campaigns.parts.loc[group.index].sum(min_count=1)
            sums = {str(k): float(v) for k, v in summed.items()}
            totals = {n: value(METRICS[n], sums) for n in SHOWN}
        else:
            totals = dict(campaigns.totals[currency])
        what = f"{len(group):,} campaign{'s' if len(group) != 1 else ''}"
        label = f"{what} in {currency}" if len(currencies) > 1 else what
        out.append(Total(label, cells(totals, currency)))
    return tuple(out)
