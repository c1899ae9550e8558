"""Budgets and goals row by row: what people write, checked before anything is stored.

Amounts are read from their text into micro units, so that no digit is invented or lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.entities import parse_account_id
from adlab.core.errors import DataError, UnknownMetricError
from adlab.core.metrics import metric
from adlab.core.money import check_currency, display_decimals, from_micro, meta_offset, to_micro
from adlab.core.periods import DateRange
from adlab.storage.plans import WHOLE_CLIENT, Budget

if TYPE_CHECKING:
    from adlab.workbench.client import ClientInfo

Rows = pd.DataFrame | Iterable[Mapping[str, Any]]

BUDGET_COLUMNS = (
    "client", "scope", "amount", "currency", "month", "start", "end", "curve", "note",
)  # fmt: skip
# How a budget is meant to be spent over its days; others come with better forecasts.
CURVES = ("linear",)
GOAL_COLUMNS = ("client", "metric", "target", "currency")
# What `get` adds, so that its frame can be edited and set again.
_IGNORED = ("set_by", "set_at", "replaced_at")
_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
SHOWN_PROBLEMS = 50


@dataclass(frozen=True)
class BudgetRow:
    """A budget that was read well; `micro` None withdraws."""

    number: int
    slug: str
    scope: str
    period: DateRange
    currency: str
    micro: int | None
    note: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What budgets must share for their days to collide."""
        return (self.slug, self.scope, self.currency)

    def as_dict(self) -> dict[str, Any]:
        """As the store takes it."""
        return {"client": self.slug, "scope": self.scope, "since": self.period.since,
                "until": self.period.until, "currency": self.currency,
                "amount_micro": self.micro, "note": self.note}  # fmt: skip


class Checker:
    """Collects what is wrong with rows, so that all of it is told at once."""

    def __init__(self, infos: Mapping[str, ClientInfo]) -> None:
        self._infos = infos
        self._problems: list[tuple[int, str]] = []
        self._count = 0
        self.number = 0
        self.numbers: list[int] = []

    def each(self, rows: list[dict[str, Any]], read: Callable[[dict[str, Any]], Any]) -> list[Any]:
        """Rows read well; the others become problems."""
        found = []
        self._count = len(rows)
        for self.number, row in enumerate(rows, 1):
            try:
                found.append(read(row))
                self.numbers.append(self.number)
            except ValueError as error:
                self.problem(self.number, str(error))
            except DataError as error:
                self.problem(self.number, error.message.rstrip("."))
        return found

    def problem(self, number: int, text: str) -> None:
        """Note what is wrong with a row."""
        self._problems.append((number, text))

    def finish(self, what: str) -> None:
        """Refuse everything when anything is wrong.

        Raises:
            DataError: With every bad row.
        """
        if not self._problems:
            return
        told = sorted(self._problems)
        lines = [f"row {n}: {text}" for n, text in told[:SHOWN_PROBLEMS]]
        if len(told) > SHOWN_PROBLEMS:
            lines.append(f"… and {len(told) - SHOWN_PROBLEMS} more")
        bad = len({n for n, _ in told})
        raise DataError(
            f"{bad} of {self._count} {what} {'is' if bad == 1 else 'are'} bad, so nothing was "
            f"stored:\n" + "\n".join(lines) + "\n",
            "Correct these rows and set all of them again.",
        )

    def client(self, row: Mapping[str, Any]) -> ClientInfo:
        """The client a row names."""
        slug = row.get("client")
        if _is_missing(slug):
            raise ValueError("no client is named")
        # Reason: one sentence for what does not exist and for what is somebody else's.
        if str(slug) not in self._infos:
            raise ValueError(f"there is no client {str(slug)!r} that you may see")
        return self._infos[str(slug)]


def records(rows: Rows, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as dicts; what `get` adds may stand in them.

    Raises:
        ValueError: If a column is unknown; the message lists those there are.
    """
    if isinstance(rows, pd.DataFrame):
        named = [n for n in rows.index.names if n in columns]
        frame = rows.reset_index(level=named) if named else rows
        records = [{str(k): v for k, v in r.items()} for r in frame.to_dict("records")]
    elif isinstance(rows, Mapping):
        raise ValueError("give a frame or a list of dicts, one dict a row")
    else:
        records = [dict(r) for r in rows]
    unknown = sorted({k for r in records for k in r} - {*columns, *_IGNORED})
    if unknown:
        raise ValueError(f"there is no column {unknown[0]!r}; columns are {', '.join(columns)}")
    return records


def read_budget(checker: Checker, row: Mapping[str, Any]) -> BudgetRow:
    """One budget.

    Raises:
        ValueError: With what is wrong with it.
    """
    info = checker.client(row)
    scope = _scope(row.get("scope"))
    currency = _currency(row.get("currency"), info)
    if currency not in (info.currencies or (currency,)):
        raise ValueError(
            f"client {info.slug!r} has no account in {currency}, only {', '.join(info.currencies)}"
        )
    note = row.get("note")
    period = _period(row)
    curve = row.get("curve")
    if not _is_missing(curve) and curve not in CURVES:
        raise ValueError(f"there is no curve {str(curve)[:60]!r}; known is {', '.join(CURVES)}")
    if "amount" not in row:
        raise ValueError("there is no amount; None withdraws a budget")
    micro = _amount(row["amount"], currency)
    return BudgetRow(checker.number, info.slug, scope, period, currency, micro,
                 None if _is_missing(note) else str(note))  # fmt: skip


def read_goal(checker: Checker, row: Mapping[str, Any]) -> dict[str, Any]:
    """One goal as the store takes it.

    Raises:
        ValueError: With what is wrong with it.
    """
    info = checker.client(row)
    name = row.get("metric")
    if _is_missing(name):
        raise ValueError("no metric is named")
    try:
        wanted = metric(str(name))
    except UnknownMetricError as error:
        hint = f"; {error.remedy.split(' Known:')[0]}" if "Did you mean" in error.remedy else ""
        raise ValueError(f"there is no metric {str(name)[:60]!r}{hint}") from None
    given = row.get("currency")
    if wanted.is_money:
        currency = _currency(given, info)
    elif _is_missing(given):
        currency = None
    else:
        raise ValueError(f"{wanted.name} is no money and has no currency")
    if "target" not in row:
        raise ValueError("there is no target; None withdraws a goal")
    target = None
    if row["target"] is not None:
        target = from_micro(_number(row["target"], "target"))
        if not target > 0:
            raise ValueError(f"target {row['target']} is not above zero")
        if wanted.unit == "share" and target > 1:
            raise ValueError(
                f"{wanted.name} is a share: write {row['target']} % as {target / 100:f}"
            )
    return {"client": info.slug, "metric": wanted.name, "currency": currency,
            "target": None if target is None else str(target)}  # fmt: skip


def _amount(value: Any, currency: str) -> int | None:
    if value is None:
        return None
    micro = _number(value, "amount")
    if micro < 0:
        raise ValueError(f"amount {value} is negative")
    if micro % (1_000_000 // meta_offset(currency)):
        raise ValueError(
            f"amount {value} has more decimals than {currency} has ({display_decimals(currency)})"
        )
    return micro


def _number(value: Any, what: str) -> int:
    """A number in micro units, read from its text so that no digit is invented or lost."""
    if isinstance(value, str | Decimal):
        text = str(value).strip()
    elif _is_missing(value):
        raise ValueError(
            f"{what} is not a number (NaN); to withdraw, give None in a list of dicts or in a "
            "column of objects"
        )
    elif isinstance(value, bool) or not hasattr(value, "__float__"):
        raise ValueError(f"{what} {value!r} is not a number")
    else:
        text = str(value.item() if hasattr(value, "item") else value)
    try:
        return to_micro(text)
    except DataError as error:
        raise ValueError(f"{what} {error.message.rstrip('.')}") from None


def _currency(given: Any, info: ClientInfo) -> str:
    if not _is_missing(given):
        return check_currency(str(given))
    known = info.currencies or ((info.currency,) if info.currency else ())
    if len(known) != 1:
        several = f"its accounts are in {', '.join(known)}" if known else "it has no account yet"
        raise ValueError(f"client {info.slug!r} needs a currency: {several}")
    return known[0]


def _scope(given: Any) -> str:
    if _is_missing(given) or str(given).strip().lower() == WHOLE_CLIENT:
        return WHOLE_CLIENT
    return f"act_{parse_account_id(str(given))}"


def _period(row: Mapping[str, Any]) -> DateRange:
    month, start, end = (
        None if _is_missing(row.get(k)) else row[k] for k in ("month", "start", "end")
    )
    if month is not None:
        if start is not None or end is not None:
            raise ValueError("give either month or start and end, not both")
        return read_month(str(month))
    if start is None or end is None:
        raise ValueError('there is no period; give month ("2026-12"), or start and end')
    return DateRange(_day(start, "start"), _day(end, "end"))


def read_month(text: str) -> DateRange:
    """The days of a month written as 2026-12.

    Raises:
        ValueError: If it is none.
    """
    found = _MONTH.match(text.strip())
    if found is None or found[1] == "0000":
        raise ValueError(f"{text!r} is not a month; write it as 2026-12")
    first = date(int(found[1]), int(found[2]), 1)
    return DateRange(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


def _day(value: Any, name: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"{name} {value!r} is not a day; write it as 2026-12-01") from None


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or bool(value != value)


def note_overlaps(read: Sequence[BudgetRow], stored: Sequence[Budget], checker: Checker) -> None:
    """Note rows whose days collide with one another, or with what is stored and stays."""
    for place, plan in enumerate(read):
        for other in read[:place]:
            same = other.key == plan.key and _overlap(plan.period, other.period)
            both = plan.micro is not None and other.micro is not None
            if same and (both or plan.period == other.period):
                checker.problem(plan.number, f"its days overlap those of row {other.number}")
    replaced = {(p.key, p.period) for p in read}
    kept: dict[tuple[str, str, str], list[DateRange]] = {}
    for b in stored:
        kept.setdefault((b.slug, b.scope, b.currency), []).append(b.period)
    for plan in read:
        periods = kept.get(plan.key, [])
        if plan.micro is None and plan.period not in periods:
            checker.problem(plan.number, f"there is no budget of exactly {plan.period} to withdraw")
        for period in periods if plan.micro is not None else ():
            if (plan.key, period) not in replaced and _overlap(plan.period, period):
                checker.problem(
                    plan.number,
                    f"its days overlap the stored budget of {period.since} to {period.until}; "
                    "withdraw that one first (amount None)",
                )


def _overlap(a: DateRange, b: DateRange) -> bool:
    return a.since <= b.until and b.since <= a.until
