"""A month against what was planned: budgets and goals, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.services.budgets import PacedBudget, evaluate_budgets
from adlab.ui.figures import Figures
from adlab.ui.formats import NARROW, is_known, money, show, span

if TYPE_CHECKING:
    from adlab.workbench.client import Client
    from adlab.workbench.lab import Workbench

_RUNNING = {"over": "ahead of an even pace", "under": "behind an even pace", "on pace": "on pace"}
_ENDED = {"over": "over budget", "under": "under budget", "on pace": "as planned"}


def plan_sentences(
    lab: Workbench, client: Client, figures: Figures, days: DateRange
) -> tuple[str, ...]:
    """Budgets that touch these days and goals of this currency; empty where none are set."""
    return (*_budgets(lab, client, figures.currency, days), *_goals(lab, client, figures))


def _budgets(lab: Workbench, client: Client, currency: str, days: DateRange) -> Iterator[str]:
    for paced in evaluate_budgets(lab.reader, [client.client_id], lab.now(), days):
        if paced.budget.currency == currency:
            yield _budget(paced, currency)


def _budget(paced: PacedBudget, currency: str) -> str:
    pacing, period = paced.pacing, paced.budget.period
    whose = f" of {paced.account}" if paced.account else ""
    used = ""
    if is_known(pacing.utilisation):
        used = f" ({pacing.utilisation * 100:.0f}{NARROW}%)"
    ended = period.until < paced.today
    status = (_ENDED if ended else _RUNNING).get(pacing.status, pacing.status)
    left = ""
    if not ended and is_known(pacing.required_daily):
        left = f"; the days left may cost {money(float(pacing.required_daily), currency)} each"
    return (
        f"Budget{whose}, {span(period)}: spent {money(pacing.spend, currency)} of "
        f"{money(pacing.budget, currency)}{used}, {status}{left}."
    )


def _goals(lab: Workbench, client: Client, figures: Figures) -> Iterator[str]:
    for _, goal in lab.goals.get(client.slug).iterrows():
        metric = METRICS.get(str(goal["metric"]))
        value = figures.now.totals.get(metric.name) if metric else None
        if metric is None or value is None or value != value or metric.kind != "ratio":
            continue
        if isinstance(goal["currency"], str) and goal["currency"] != figures.currency:
            continue
        target = float(goal["target"])
        reached = value <= target if metric.better == "down" else value >= target
        yield (
            f"Goal for {metric.label}: {show(metric, target, figures.currency)}; "
            f"{'reached' if reached else 'missed'} with {show(metric, value, figures.currency)}."
        )
