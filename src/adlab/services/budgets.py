"""Budgets against what was spent: one entry a budget, each in its own currency and calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from adlab.core.entities import Level, parse_account_id
from adlab.core.metrics import METRICS
from adlab.core.money import from_micro
from adlab.core.periods import DateRange, today_in
from adlab.services.insights import InsightsQuery, load_rows
from adlab.stats.pacing import Pacing, evaluate_pacing
from adlab.storage.plans import WHOLE_CLIENT, Budget, load_budgets
from adlab.storage.tenancy import Reader


@dataclass(frozen=True)
class PacedBudget:
    """A budget and where it stands.

    Attributes:
        budget: The budget.
        pacing: Where it stands.
        today: The current day in its accounts' calendar.
        account: Name of the account, for budgets of one; else "".
    """

    budget: Budget
    pacing: Pacing
    today: date
    account: str = ""


def evaluate_budgets(
    reader: Reader, client_ids: Sequence[int], now: datetime, days: DateRange | None = None
) -> list[PacedBudget]:
    """Where budgets stand, counting complete days only, from account totals.

    Args:
        reader: Whose rights decide what is found.
        client_ids: Tenants.
        now: The current instant (aware).
        days: Budgets that touch these days; those that cover the current day when omitted.

    Returns:
        By client, scope, currency and first day.
    """
    accounts = reader.rows("read_accounts", client_ids=list(client_ids))
    around = DateRange(now.date() - timedelta(days=1), now.date() + timedelta(days=1))
    found = [
        (b, mine, _today(mine, now))
        for b in load_budgets(reader, client_ids, days or around)
        for mine in [_accounts_of(b, accounts)]
    ]
    if days is None:
        found = [(b, mine, today) for b, mine, today in found if today in b.period]
    spend = _spend(reader, [(b, today) for b, _, today in found])
    out = []
    for budget, mine, today in found:
        pacing = evaluate_pacing(
            float(from_micro(budget.amount_micro)), _sum(spend, budget, mine, today),
            budget.period, today,
        )  # fmt: skip
        whole = budget.scope == WHOLE_CLIENT or not mine
        out.append(PacedBudget(budget, pacing, today, "" if whole else mine[0]["name"]))
    return out


def _accounts_of(budget: Budget, accounts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    mine = [
        a for a in accounts
        if a["client_id"] == budget.client_id and a["currency"] == budget.currency
    ]  # fmt: skip
    if budget.scope == WHOLE_CLIENT:
        return mine
    return [a for a in mine if a["account_id"] == parse_account_id(budget.scope)]


def _today(accounts: Sequence[dict[str, Any]], now: datetime) -> date:
    """The current day; accounts in several timezones share the days all have completed."""
    return min((today_in(a["timezone"], now) for a in accounts), default=now.date())


def _spend(reader: Reader, budgets: Sequence[tuple[Budget, date]]) -> pd.DataFrame:
    """Spend per account and day over all the days these budgets need."""
    begun = [(b, today - timedelta(days=1)) for b, today in budgets if b.period.since < today]
    if not begun:
        return pd.DataFrame({"account_id": [], "date": [], "m_spend": []})
    period = DateRange(
        min(b.period.since for b, _ in begun), max(min(b.period.until, y) for b, y in begun)
    )
    clients = tuple(sorted({b.client_id for b, _ in begun}))
    rows = load_rows(reader, InsightsQuery(clients, Level.ACCOUNT, period, (METRICS["spend"],), 1))
    rows["date"] = pd.to_datetime(rows["date"]).dt.date
    return rows


def _sum(
    spend: pd.DataFrame, budget: Budget, accounts: Sequence[dict[str, Any]], today: date
) -> float:  # fmt: skip
    complete = budget.period.clamp(budget.period.since, today - timedelta(days=1))
    if complete is None or spend.empty:
        return 0.0
    mine = spend["account_id"].isin([a["account_id"] for a in accounts])
    inside = (spend["date"] >= complete.since) & (spend["date"] <= complete.until)
    return float(spend.loc[mine & inside, "m_spend"].sum())
