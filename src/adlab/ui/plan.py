"""The plan of the current days: what may be spent, what was, and what is left a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from adlab.core.money import display_decimals, format_money
from adlab.core.periods import DateRange
from adlab.stats.pacing import Pacing
from adlab.ui.formats import NARROW, day, is_known, money, span

# Words stand beside every colour.
_TONES = {"": "plain", "amber": "warn", "red": "bad"}
_WORDS = {
    ("over", "amber"): "ahead of plan", ("over", "red"): "far ahead of plan",
    ("under", "amber"): "behind plan", ("under", "red"): "far behind plan",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A budget and where it stands.

    Attributes:
        account: Name of the account, or "" for the whole client.
        currency: ISO code.
        period: Days of the budget.
        today: The current day in the account's calendar.
        pacing: Where it stands.
        note: What was written beside it.
    """

    account: str
    currency: str
    period: DateRange
    today: date
    pacing: Pacing
    note: str = ""


@dataclass(frozen=True)
class PlanLine:
    """A budget as a sentence and a bar.

    Attributes:
        title: `November`, or the account's name.
        spent: What was spent of what, and the days left.
        index: The pacing index, or "".
        verdict: How it goes, in words, or "".
        tone: Chooses the colour of the verdict; never the only sign.
        daily: What is left a day, or "".
        filled: Share of the budget spent, in percent, at most 100.
        mark: Share an even spend would have used, in percent.
        days: The exact dates, and what the bar's mark means.
        note: What was written beside the budget.
        part: Whether it belongs to one account only.
    """

    title: str
    spent: str
    index: str
    verdict: str
    tone: str
    daily: str
    filled: float
    mark: float
    days: str
    note: str
    part: bool


def make_plan(plans: Sequence[Plan]) -> list[PlanLine]:
    """Lines in the order of the plans."""
    return [_line(p) for p in plans]


def alarms(plans: Sequence[Plan], shown: DateRange) -> list[str]:
    """Sentences that stand above all others: whole budgets far from their plan in days shown."""
    return [
        f"{line.title} is {line.verdict}: {line.spent}."
        for plan, line in zip(plans, make_plan(plans), strict=True)
        if plan.pacing.alert == "red" and not plan.account
        and plan.period.since <= shown.until and shown.since <= plan.period.until
    ]  # fmt: skip


def worst(plans: Sequence[Plan]) -> str:
    """Which whole budget is furthest from its plan, for a card; "" when all are near it."""
    far = [p for p in plans if p.pacing.alert == "red" and not p.account]
    if not far:
        return ""
    plan = max(far, key=lambda p: abs(p.pacing.pacing_index - 1))
    line = _line(plan)
    return f"{line.title} {line.verdict}: {plan.pacing.utilisation * 100:.0f}{NARROW}% spent"


def _line(plan: Plan) -> PlanLine:
    p = plan.pacing
    verdict = _WORDS.get((p.status, p.alert), "on pace" if p.status == "on pace" else "")
    complete = plan.today - timedelta(days=1)
    even = f"an even spend stands at {p.expected_share * 100:.0f}{NARROW}%"
    if plan.period.since > complete:
        days = f"{span(plan.period)}; no day is complete yet"
    else:
        days = f"{span(plan.period)}; counted through {day(complete)}, where {even}"
    return PlanLine(
        title=plan.account or _name(plan.period), spent=_spent(plan), verdict=verdict,
        index=f"pacing index {p.pacing_index:.2f}" if verdict and is_known(p.pacing_index) else "",
        tone=_TONES[p.alert], daily=_daily(plan),
        filled=round(min(p.utilisation, 1) * 100, 2) if p.budget else 0.0,
        mark=round(p.expected_share * 100, 2), days=days, note=plan.note, part=bool(plan.account),
    )  # fmt: skip


def _name(period: DateRange) -> str:
    """`November` for a calendar month; the days themselves for anything else."""
    first, after = period.since, period.until + timedelta(days=1)
    whole = first.day == 1 and after.day == 1 and period.days <= 31
    return f"{first:%B}" if whole else span(period)


def _spent(plan: Plan) -> str:
    p = plan.pacing
    whole = money(p.budget, plan.currency, tile=True)
    left = f"{p.days_left} day{'s' if p.days_left != 1 else ''} left"
    if p.days_left == plan.period.days:
        return f"{whole} to spend, starts today"
    if p.status == "no spend yet":
        return f"nothing spent yet of {whole}, {left}"
    spent = money(p.spend, plan.currency, tile=True)
    share = f" ({p.utilisation * 100:.0f}{NARROW}%)" if p.budget else ""
    return f"spent {spent} of {whole}{share}, {left}"


def _daily(plan: Plan) -> str:
    p = plan.pacing
    if p.required_daily > 0:
        # Reason: a plan for days to come is not known to the cent; small ones are shown in full.
        places = 0 if p.required_daily >= 100 else display_decimals(plan.currency)
        return f"{format_money(p.required_daily, plan.currency, places)} a day from here"
    return "the budget is used up" if p.budget and p.days_left else ""
