"""Budgets and goals for people: frames in, checked row by row, and frames out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.money import from_micro
from adlab.services.budgets import evaluate_budgets
from adlab.storage import plans
from adlab.workbench.plan_rows import (
    BUDGET_COLUMNS,
    CURVES,
    GOAL_COLUMNS,
    Checker,
    Rows,
    note_overlaps,
    read_budget,
    read_goal,
    read_month,
    records,
)

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench


class Budgets:
    """What clients may spend. Made by `lab.budgets`."""

    def __init__(self, lab: Workbench) -> None:
        self._lab = lab

    def set(self, budgets: Rows) -> int:
        """Store budgets, replacing those of the same client, scope, currency and days.

        Args:
            budgets: A frame or dicts: `client` (slug), `amount` (major units; None withdraws the
                budget), `month` ("2026-12") or `start` and `end` (both included); and where
                needed `currency` (when the client's accounts have several), `scope` ("client", or
                one account: "act_…") and `note`.

        Returns:
            How many were stored or withdrawn.

        Raises:
            DataError: If any row is bad; the message names all of them, and nothing is stored.
            AccessDeniedError: If your role on a client does not include planning.
        """
        infos = self._lab.client_infos()
        checker = Checker(infos)
        read = checker.each(records(budgets, BUDGET_COLUMNS), lambda row: read_budget(checker, row))
        ids = [infos[p.slug].client_id for p in read]
        stored = plans.load_budgets(self._lab.reader, ids) if ids else []
        note_overlaps(read, stored, checker)
        checker.finish("budgets")
        # Reason: withdrawn first, so that a month can make room for its two halves in one call.
        ordered = sorted(read, key=lambda p: p.micro is not None)
        return plans.set_budgets(self._lab.reader, [p.as_dict() for p in ordered])

    def get(
        self,
        client: str | Sequence[str] | None = None,
        month: str | None = None,
        history: bool = False,
    ) -> pd.DataFrame:
        """Budgets of the clients you may see.

        Args:
            client: A slug, several, or None for all.
            month: Only those that touch a month: "2026-12".
            history: Also those that were replaced or withdrawn, with `replaced_at`.

        Returns:
            Indexed by client: scope, currency, amount (major units), start, end, curve (how it is
            meant to be spent; `linear` is known), note, set_by, set_at (aware UTC).

        Raises:
            UnknownObjectError: If a client is not yours to see.
            ValueError: If the month is malformed.
        """
        days = read_month(month) if month is not None else None
        ids = [c.client_id for c in self._lab.chosen(client)]
        found = plans.load_budgets(self._lab.reader, ids, days, history)
        columns = ["client", "scope", "currency", "amount", "start", "end", "curve", "note",
                   "set_by", "set_at", "replaced_at"]  # fmt: skip
        rows = [
            (b.slug, b.scope, b.currency, float(from_micro(b.amount_micro)), b.period.since,
             b.period.until, CURVES[0], b.note, b.set_by, b.set_at, b.replaced_at)
            for b in found
        ]  # fmt: skip
        return _frame(rows, columns, history)


class Goals:
    """What metrics of clients should reach. Made by `lab.goals`."""

    def __init__(self, lab: Workbench) -> None:
        self._lab = lab

    def set(self, goals: Rows) -> int:
        """Store goals, replacing those of the same client, metric and currency.

        Args:
            goals: A frame or dicts: `client` (slug), `metric` (a name of the registry or an
                alias), `target` (money in major units, rates as shares; None withdraws the goal)
                and, for money where the client's accounts have several, `currency`. Boards compare
                ratios such as ROAS; the goal of a sum would depend on the number of days.

        Returns:
            How many were stored or withdrawn.

        Raises:
            DataError: If any row is bad; the message names all of them, and nothing is stored.
            AccessDeniedError: If your role on a client does not include planning.
        """
        checker = Checker(self._lab.client_infos())
        read = checker.each(records(goals, GOAL_COLUMNS), lambda row: read_goal(checker, row))
        seen: set[tuple[Any, ...]] = set()
        for number, plan in zip(checker.numbers, read, strict=True):
            key = (plan["client"], plan["metric"], plan["currency"])
            if key in seen:
                checker.problem(number, f"there is a goal for {plan['metric']} above already")
            seen.add(key)
        checker.finish("goals")
        return plans.set_goals(self._lab.reader, read)

    def get(
        self, client: str | Sequence[str] | None = None, history: bool = False
    ) -> pd.DataFrame:  # fmt: skip
        """Goals of the clients you may see.

        Args:
            client: A slug, several, or None for all.
            history: Also those that were replaced or withdrawn, with `replaced_at`.

        Returns:
            Indexed by client: metric, target (money in major units, rates as shares), currency,
            set_by, set_at (aware UTC).

        Raises:
            UnknownObjectError: If a client is not yours to see.
        """
        ids = [c.client_id for c in self._lab.chosen(client)]
        found = plans.load_goals(self._lab.reader, ids, history)
        columns = ["client", "metric", "target", "currency", "set_by", "set_at", "replaced_at"]
        rows = [(g.slug, g.metric, float(g.target), g.currency, g.set_by, g.set_at, g.replaced_at)
                for g in found]  # fmt: skip
        return _frame(rows, columns, history)


def pacing(
    lab: Workbench, client: str | Sequence[str] | None = None, month: str | None = None
) -> pd.DataFrame:
    """The frame of `Workbench.pacing`."""
    ids = [c.client_id for c in lab.chosen(client)]
    days = read_month(month) if month is not None else None
    rows = [
        (p.budget.slug, p.budget.scope, p.budget.currency, p.budget.period.since,
         p.budget.period.until, p.pacing.budget, p.pacing.spend, p.pacing.utilisation,
         p.pacing.expected_share, p.pacing.pacing_index, p.pacing.required_daily,
         p.pacing.days_left, p.pacing.status, p.pacing.alert)
        for p in evaluate_budgets(lab.reader, ids, lab.now(), days)
    ]  # fmt: skip
    columns = ["client", "scope", "currency", "start", "end", "budget", "spend", "utilisation",
               "expected_share", "pacing_index", "required_daily", "days_left", "status",
               "alert"]  # fmt: skip
    return _dated(pd.DataFrame(rows, columns=columns)).set_index(["client", "scope", "currency"])


def _frame(rows: Sequence[tuple[Any, ...]], columns: list[str], history: bool) -> pd.DataFrame:
    frame = _dated(pd.DataFrame(rows, columns=columns)).set_index("client")
    return frame if history else frame.drop(columns="replaced_at")


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    for name in {"start", "end"} & set(frame.columns):
        frame[name] = pd.to_datetime(frame[name])
    for name in {"set_at", "replaced_at"} & set(frame.columns):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame
