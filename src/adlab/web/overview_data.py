"""What the agency overview shows, loaded with the viewer's own rights: no query a client.

Numbers come through `services.insights` alone; here they are only cut by client, currency and day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from adlab.core.entities import Level
from adlab.core.errors import DataError
from adlab.core.metrics import metrics
from adlab.core.periods import DateRange
from adlab.services import fx
from adlab.services.insights import InsightsQuery, load_rows, sum_rows, values
from adlab.storage.tenancy import Reader
from adlab.ui.overview_address import OWN
from adlab.ui.overview_figures import InOne, Line, OverviewFigures

LOADED = metrics(("spend", "roas", "link_ctr", "purchases", "link_clicks"))


@dataclass(frozen=True)
class OverviewScope:
    """Which numbers: clients, days, and the days to compare with."""

    client_ids: tuple[int, ...]
    period: DateRange
    before: DateRange


def load_overview(reader: Reader, scope: OverviewScope) -> OverviewFigures:
    """Every client's numbers, in as many queries for two hundred clients as for one."""
    accounts = reader.frame("read_accounts", client_ids=list(scope.client_ids))
    whole = DateRange(
        min(scope.before.since, scope.period.since), max(scope.before.until, scope.period.until)
    )
    rows = load_rows(reader, InsightsQuery(scope.client_ids, Level.ACCOUNT, whole, LOADED, 1))
    known = accounts.set_index("account_id")
    rows["client_id"] = rows["account_id"].map(known["client_id"])
    rows["currency"] = rows["account_id"].map(known["currency"])
    now = rows[_inside(rows, scope.period)]
    old = rows[_inside(rows, scope.before)]
    holders = accounts.groupby("currency")["client_id"].nunique()
    return OverviewFigures(
        scope.period, scope.before, _lines(now, old, scope), _daily(now), _daily(old),
        {str(c): int(n) for c, n in holders.items()},
    )  # fmt: skip


def _inside(rows: pd.DataFrame, period: DateRange) -> pd.Series[bool]:
    found: pd.Series[bool] = (rows["date"] >= period.since) & (rows["date"] <= period.until)
    return found


def _lines(
    now: pd.DataFrame, old: pd.DataFrame, scope: OverviewScope
) -> dict[int, tuple[Line, ...]]:
    parts = sum_rows(now, ["client_id", "currency"])
    summed = values(parts, LOADED)
    before = sum_rows(old, ["client_id", "currency"])["m_spend"]
    days, days_before = _wide(now, scope.period), _wide(old, scope.before)
    found: dict[int, list[Line]] = {}
    for key in sorted({*summed.index, *before.index}):
        client_id, currency = int(key[0]), str(key[1])
        known = key in summed.index
        found.setdefault(client_id, []).append(
            Line(
                currency,
                _plain_row(summed.loc[key]) if known else {},
                float(before.get(key, float("nan"))),
                days.get(key, ()), days_before.get(key, ()),
                _plain_row(parts.loc[key]) if known else {},
            )
        )  # fmt: skip
    return {i: tuple(lines) for i, lines in found.items()}


def _plain_row(row: pd.Series[float]) -> dict[str, float]:
    return {str(k): float(v) for k, v in row.items()}


def _wide(rows: pd.DataFrame, period: DateRange) -> dict[tuple[int, str], tuple[float, ...]]:
    table = rows.pivot_table(
        index=["client_id", "currency"], columns="date", values="m_spend", aggfunc="sum"
    ).reindex(columns=list(period))
    cells = table.to_numpy(dtype=float)
    return {
        (int(i), str(c)): tuple(cells[n].tolist()) for n, (i, c) in enumerate(table.index)
    }  # fmt: skip


def _daily(rows: pd.DataFrame) -> dict[str, dict[date, float]]:
    summed = rows.groupby(["currency", "date"], as_index=False)["m_spend"].sum(min_count=1)
    found: dict[str, dict[date, float]] = {}
    for r in summed.dropna().itertuples():
        found.setdefault(str(r.currency), {})[r.date] = float(r.m_spend)
    return found


def load_currencies(reader: Reader) -> tuple[str, ...]:
    """Currencies that totals can be shown in; none without a rate table."""
    return tuple(fx.currencies_with_rates(reader))


def convert(
    reader: Reader, figures: OverviewFigures, to: str, choices: Sequence[str], clients: int
) -> InOne:
    """All spend in one currency, each day at its own rate.

    Args:
        reader: The viewer's.
        figures: What to add up.
        to: The currency, or `own` for none.
        choices: Currencies with rates.
        clients: How many clients have an account.
    """
    known = tuple(choices)
    if to == OWN:
        return InOne(choices=known)
    if to not in known:
        return InOne(choices=known, problem=f"There are no rates for {to}.")
    try:
        found = fx.spend_in(reader, _plain(figures.daily), to)
    except DataError as error:
        return InOne(choices=known, problem=str(error))
    try:
        before: float | None = fx.spend_in(reader, _plain(figures.daily_before), to).total
    except DataError:
        before = None
    return InOne(to, known, found.total, before, clients, found.note)


def _plain(daily: Mapping[str, Mapping[date, float]]) -> dict[str, dict[date, float]]:
    return {currency: dict(days) for currency, days in daily.items()}
