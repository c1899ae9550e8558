"""Amounts of several currencies in one, at each day's own rate.

Rates come from a file an operator loaded (`adlab fx load`), never from a guess: a day without a
rate, and without one in the week before it, is an error. Nothing is converted unless somebody
names the currency they want.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

import numpy as np
import pandas as pd

from adlab.core.errors import DataError
from adlab.core.insights import STORED_BY_NAME
from adlab.core.metrics import MetricDef
from adlab.core.money import check_currency
from adlab.core.periods import DateRange
from adlab.services.insights import InsightsQuery, check_reach, load_rows, sum_rows
from adlab.storage.rates import RateRow, load_currencies, load_rates
from adlab.storage.tenancy import Reader

# Reason: banks publish nothing on weekends and holidays; an older rate is no longer that day's.
OLDEST_DAYS = 7


@dataclass(frozen=True)
class Rate:
    """What one unit of a currency was worth on a day.

    Attributes:
        value: Units of the wanted currency.
        day: Day of the rate, up to a week before the day asked for.
        source: Whose rate it is.
    """

    value: Decimal
    day: date
    source: str


@dataclass(frozen=True)
class Converted:
    """A total in one currency.

    Attributes:
        total: Major units of `to`; NaN when no amount is known.
        to: ISO code.
        source: Whose rates were used, or "" when nothing had to be converted.
        newest: Day of the newest rate used; the newest day of the amounts when none was.
    """

    total: float
    to: str
    source: str
    newest: date

    @property
    def note(self) -> str:
        """`≈ at daily rates of ECB, newest 20 Nov 2026`; "" when nothing had to be converted."""
        return rates_note(self.source, self.newest) if self.source else ""


def rates_note(source: str, newest: date) -> str:
    """Where a converted amount comes from, in words."""
    return f"≈ at daily rates of {source}, newest {newest.day} {newest:%b %Y}"


class Rates:
    """Rates into one currency, and a note of which of them were used.

    Args:
        rows: Rates of any pairs; two legs through a common base are put together.
        to: The currency wanted.
    """

    def __init__(self, rows: Iterable[RateRow], to: str) -> None:
        self.to = to
        self._pairs: dict[tuple[str, str], dict[date, tuple[Decimal, str]]] = {}
        for r in rows:
            self._pairs.setdefault((r.base, r.quote), {})[r.day] = (r.rate, r.source)
        for (base, quote), days in list(self._pairs.items()):
            back = self._pairs.setdefault((quote, base), {})
            for day, (value, source) in days.items():
                back.setdefault(day, (1 / value, source))
        self._series: dict[str, tuple[list[date], list[Rate]]] = {}
        self._used: dict[str, Rate] = {}

    @classmethod
    def load(
        cls, reader: Reader, currencies: Iterable[str], to: str, period: DateRange
    ) -> Rates:  # fmt: skip
        """Rates from some currencies into one, for the days of a period.

        Args:
            reader: Anyone; rates are nobody's secret.
            currencies: Of the amounts.
            to: The currency wanted.
            period: Days of the amounts.

        Raises:
            ValueError: If `to` is not a currency code.
        """
        wanted = check_currency(to)
        days = DateRange(period.since - timedelta(days=OLDEST_DAYS), period.until)
        others = set(currencies) - {wanted}
        rows = load_rates(reader, sorted(others | {wanted}), days) if others else []
        return cls(rows, wanted)

    def rate(self, currency: str, day: date) -> Decimal:
        """Units of `to` for one unit of a currency on a day.

        Raises:
            DataError: If neither that day nor the week before it has a rate.
        """
        if currency == self.to:
            return Decimal(1)
        days, rates = self._of(currency)
        place = bisect_right(days, day) - 1
        if place < 0 or (day - days[place]).days > OLDEST_DAYS:
            raise DataError(
                f"There is no exchange rate from {currency} to {self.to} for {day} "
                f"or the {OLDEST_DAYS} days before it.",
                "Load rates of those days: adlab fx load FILE",
            )
        found = rates[place]
        newest = self._used.get(found.source)
        if newest is None or newest.day < found.day:
            self._used[found.source] = found
        return found.value

    @property
    def source(self) -> str:
        """Whose rates were used so far, or "" when none was."""
        parts = {p for used in self._used for p in used.split(", ")}
        return ", ".join(sorted(parts))

    @property
    def newest(self) -> date | None:
        """Day of the newest rate used so far."""
        return max((r.day for r in self._used.values()), default=None)

    def _of(self, currency: str) -> tuple[list[date], list[Rate]]:
        if currency not in self._series:
            found: dict[date, Rate] = {}
            for base in {a for a, _ in self._pairs} - {currency, self.to}:
                first = self._pairs.get((currency, base), {})
                second = self._pairs.get((base, self.to), {})
                for day in first.keys() & second.keys():
                    sources = {first[day][1], second[day][1]}
                    found[day] = Rate(
                        first[day][0] * second[day][0], day, ", ".join(sorted(sources))
                    )
            for day, (value, source) in self._pairs.get((currency, self.to), {}).items():
                found[day] = Rate(value, day, source)
            days = sorted(found)
            self._series[currency] = (days, [found[d] for d in days])
        return self._series[currency]


def spend_in(reader: Reader, amounts: Mapping[str, Mapping[date, float]], to: str) -> Converted:
    """Amounts of several currencies as one total.

    Args:
        reader: Anyone; rates are nobody's secret.
        amounts: Currency → day → major units. NaN is unknown and left out.
        to: The currency wanted.

    Raises:
        DataError: If a day with an amount has no rate; the message names currency and day.
        ValueError: If `to` is not a currency code.
    """
    known = {
        (currency, day): amount
        for currency, days in amounts.items()
        for day, amount in days.items()
        if amount == amount
    }
    every = [day for days in amounts.values() for day in days]
    if not every:
        return Converted(0.0, check_currency(to), "", date.min)
    rates = Rates.load(reader, amounts, to, DateRange(min(every), max(every)))
    total = math.fsum(
        amount * float(rates.rate(currency, day))
        for (currency, day), amount in known.items()
        if amount
    )
    newest = rates.newest or max(every)
    return Converted(total if known else float("nan"), rates.to, rates.source, newest)


def currencies_with_rates(reader: Reader) -> tuple[str, ...]:
    """Every currency amounts can be shown in, in alphabetical order."""
    return load_currencies(reader)


def load_rows_in(reader: Reader, query: InsightsQuery, to: str) -> tuple[pd.DataFrame, Rates]:
    """What `load_rows` gives, with every day's money at that day's rate before it is added.

    Args:
        reader: Whose rights decide what is found.
        query: What is asked.
        to: The currency wanted.

    Returns:
        The rows, and the rates with a note of which were used.

    Raises:
        DataError: If a day with an amount has no rate.
        NotAdditiveError: As for `load_rows`.
    """
    check_reach(query)
    accounts = reader.rows("read_accounts", client_ids=list(query.client_ids))
    currencies = {a["account_id"]: a["currency"] for a in accounts}
    daily = load_rows(reader, replace(query, increment=1))
    rates = Rates.load(reader, set(currencies.values()), to, query.period)
    try:
        daily = convert_rows(daily, query.metrics, daily["account_id"].map(currencies), rates)
    except DataError as error:
        remedy = f'{error.remedy}; or use currency="account".'
        raise DataError(error.message, remedy) from None
    return _into_periods(daily, query), rates


def _into_periods(daily: pd.DataFrame, query: InsightsQuery) -> pd.DataFrame:
    """Days added up to the periods asked for, named by their first day."""
    keys = ["object_id", "account_id"]
    if query.increment == 1:
        return daily
    if query.increment == "all_days":
        return sum_rows(daily.drop(columns="date"), keys).reset_index()
    days, since = pd.to_datetime(daily["date"]), pd.Timestamp(query.period.since)
    if query.increment == "monthly":
        firsts = days.dt.to_period("M").dt.start_time.map(lambda first: max(first, since))
    else:
        firsts = since + pd.to_timedelta((days - since).dt.days // query.increment
                                         * query.increment, unit="D")  # fmt: skip
    return sum_rows(daily.assign(date=firsts.dt.date), ["date", *keys]).reset_index()


def convert_rows(
    rows: pd.DataFrame, metrics: Iterable[MetricDef], currencies: pd.Series[str], rates: Rates
) -> pd.DataFrame:
    """Component rows of single days with their money in the currency of `rates`.

    Args:
        rows: What `load_rows` gives for `increment=1`.
        metrics: The metrics it was asked for.
        currencies: Currency of each row, same index.
        rates: Rates of those days.

    Raises:
        DataError: If a day with an amount has no rate.
    """
    columns = [c for m in metrics for c in money_components(m) if c in rows]
    if rows.empty or not columns:
        return rows
    counts = rows[columns].fillna(0).ne(0).any(axis=1).to_numpy()
    pairs = pd.DataFrame({"currency": currencies.to_numpy(), "date": rows["date"].to_numpy()})
    factors = np.ones(len(rows))
    places = np.flatnonzero(counts)
    for key, index in pairs[counts].groupby(["currency", "date"]).indices.items():
        currency, day = cast(tuple[str, object], key)
        factors[places[index]] = float(rates.rate(currency, _as_day(day)))
    out = rows.copy()
    out[columns] = rows[columns].mul(factors, axis=0)
    return out


def money_components(metric: MetricDef) -> tuple[str, ...]:
    """Component columns of a metric that hold amounts of money."""
    if metric.kind != "ratio":
        named = ((f"m_{metric.name}", metric.column),)
    else:
        named = (
            (f"n_{metric.name}", metric.numerator), (f"d_{metric.name}", metric.denominator),
        )  # type: ignore[assignment]  # fmt: skip
    return tuple(name for name, column in named if STORED_BY_NAME[column].unit == "micro")


def _as_day(value: object) -> date:
    return pd.Timestamp(value).date()  # type: ignore[arg-type]
