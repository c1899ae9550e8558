"""What the client board shows, loaded with the viewer's own rights.

Numbers come through `services.insights` alone; here they are only cut by currency and into days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from adlab.core.entities import Level
from adlab.core.metrics import METRICS, MetricDef, metrics
from adlab.core.periods import RESTATEMENT_DAYS, DateRange, today_in
from adlab.services.budgets import evaluate_budgets
from adlab.services.insights import InsightsQuery, load_rows, newest_day, sum_rows, values
from adlab.storage.epochs import load_epochs
from adlab.storage.plans import load_goals
from adlab.storage.tenancy import Reader
from adlab.ui.address import METRICS as SHOWN
from adlab.ui.figures import Campaigns, Figures, Freshness, Span
from adlab.ui.plan import Plan

# Beside the shown ones, what a change of ROAS or cost per purchase is explained by.
LOADED: tuple[MetricDef, ...] = metrics((*SHOWN, "cvr", "aov", "cpm"))
DAILY_UP_TO = 100


@dataclass(frozen=True)
class Scope:
    """Which numbers: a client, days, and perhaps a few campaigns.

    Attributes:
        client_id: The client.
        period: Days shown.
        before: Days compared with, or None.
        today: The client's current day.
        campaigns: The store's numbers of the campaigns, or () for all.
    """

    client_id: int
    period: DateRange
    before: DateRange | None
    today: date
    campaigns: tuple[int, ...] = ()


def load_figures(reader: Reader, scope: Scope) -> list[Figures]:
    """Totals and days, one entry a currency, by its code; days without numbers give none."""
    currencies = load_currencies(reader, scope.client_id)
    adjacent = scope.period.until + timedelta(days=1) == scope.today
    until = scope.today if adjacent else scope.period.until
    now = _days(reader, scope, DateRange(scope.period.since, until), currencies)
    before = _days(reader, scope, scope.before, currencies) if scope.before else None
    step = 1 if scope.period.days <= DAILY_UP_TO else 7
    epochs = load_epochs(reader)
    found = []
    for currency in sorted(now["currency"].unique()):
        mine = now[now["currency"] == currency].drop(columns="currency").set_index("date")
        inside = mine[mine.index <= scope.period.until]
        if inside.empty:
            continue
        old = None
        if before is not None and scope.before is not None:
            rows = before[before["currency"] == currency].drop(columns="currency")
            old = _span(scope.before, rows.set_index("date"), step)
        current = mine[mine.index > scope.period.until]
        found.append(
            Figures(
                str(currency), _span(scope.period, inside, step), old,
                _plain_numbers(values(current, LOADED).iloc[0])
                if len(current)
                else {},
                step,
                load_goal_targets(reader, scope.client_id, str(currency)),
                epochs,
            )
        )  # fmt: skip
    return found


def load_plans(reader: Reader, client_id: int, now: datetime) -> list[Plan]:
    """Budgets that cover the current day, of the whole client before those of its accounts."""
    return [
        Plan(p.account, p.budget.currency, p.budget.period, p.today, p.pacing, p.budget.note or "")
        for p in evaluate_budgets(reader, [client_id], now)
    ]


def load_goal_targets(reader: Reader, client_id: int, currency: str) -> dict[str, float]:
    """Metric → what it should reach; amounts only in this currency."""
    return {
        g.metric: float(g.target)
        for g in load_goals(reader, [client_id])
        if g.metric in METRICS and g.currency in (None, currency)
    }


def load_currencies(reader: Reader, client_id: int) -> dict[int, str]:
    """Account number → currency."""
    rows = reader.rows("read_accounts", client_ids=[client_id])
    return {r["account_id"]: r["currency"] for r in rows}


def _days(
    reader: Reader, scope: Scope, period: DateRange, currencies: Mapping[int, str]
) -> pd.DataFrame:
    level = Level.CAMPAIGN if scope.campaigns else Level.ACCOUNT
    query = InsightsQuery((scope.client_id,), level, period, LOADED, 1, scope.campaigns or None)
    rows = load_rows(reader, query)
    rows["currency"] = rows["account_id"].map(currencies)
    summed = sum_rows(rows, ["currency", "date"]).reset_index()
    return summed.sort_values("date")


def _span(period: DateRange, parts: pd.DataFrame, step: int) -> Span:
    days = values(parts, LOADED)
    if step == 1:
        buckets = days.reindex(pd.Index(list(period), name="date"))
    else:
        weeks = [period.since + timedelta(days=(d - period.since).days // step * step)
                 for d in parts.index]  # fmt: skip
        summed = sum_rows(parts.reset_index(drop=True).assign(week=weeks), ["week"])
        starts = [d for i, d in enumerate(period) if i % step == 0]
        buckets = values(summed, LOADED).reindex(pd.Index(starts, name="date"))
        if period.days % step:
            # Reason: a last week of three days would look like a fall.
            buckets = buckets.iloc[:-1]
    totals = _plain_numbers(values(sum_rows(parts), LOADED).iloc[0])
    return Span(period, totals, days, parts, buckets)


def load_campaigns(reader: Reader, scope: Scope) -> Campaigns:
    """Every campaign with rows in the period; the search and the filter come later."""
    currencies = load_currencies(reader, scope.client_id)
    wanted = tuple(METRICS[n] for n in SHOWN)
    rows = load_rows(
        reader, InsightsQuery((scope.client_id,), Level.CAMPAIGN, scope.period, wanted, "all_days")
    )
    names = reader.frame("read_names", client_ids=[scope.client_id], level=int(Level.CAMPAIGN))
    rows = rows.merge(
        names[["object_id", "name", "effective_status"]], on="object_id", how="left"
    ).set_index("object_id")
    rows["currency"] = rows["account_id"].map(currencies)
    parts = rows[[c for c in rows.columns if c[:2] in ("m_", "n_", "d_")]]
    shown = pd.concat(
        [
            rows["name"].fillna("Unnamed campaign"),
            rows["effective_status"].rename("status"),
            rows["currency"],
            values(parts, wanted),
        ],
        axis=1,
    )
    summed = sum_rows(rows[[*parts.columns, "currency"]], ["currency"])
    totals = values(summed, wanted)
    by_currency = {str(c): _plain_numbers(r) for c, r in totals.iterrows()}
    return Campaigns(shown, parts, by_currency)


def load_trends(reader: Reader, scope: Scope) -> pd.DataFrame:
    """Spend of a few campaigns over the days: one row a drawn step, one column a campaign."""
    step = 1 if scope.period.days <= DAILY_UP_TO else 7
    wanted = (METRICS["spend"],)
    rows = load_rows(
        reader,
        InsightsQuery((scope.client_id,), Level.CAMPAIGN, scope.period, wanted, step,
                      scope.campaigns),
    )  # fmt: skip
    steps = [d for i, d in enumerate(scope.period) if i % step == 0]
    wide = rows.pivot_table(index="date", columns="object_id", values="m_spend", aggfunc="sum")
    return wide.reindex(steps)


def load_freshness(
    reader: Reader, client_id: int, timezones: Sequence[str], connection: str, now: datetime
) -> Freshness:
    """How fresh and how final a client's numbers are."""
    accounts = reader.rows("read_accounts", client_ids=[client_id])
    states = reader.rows("read_sync_state", client_ids=[client_id])
    names = {a["account_id"]: a["name"] for a in accounts}
    live = [a["account_id"] for a in accounts if a["source"] == "meta"]
    read = [s for s in states if s["kind"] == "insights" and s["since"] is not None]
    checked = [max((s["checked_at"] for s in read
                    if s["account_id"] == i and s["checked_at"]), default=None)
               for i in live]  # fmt: skip
    today = min(today_in(z, now) for z in timezones)
    starts = [min(s["since"] for s in read if s["account_id"] == i)
              for i in {s["account_id"] for s in read}]  # fmt: skip
    return Freshness(
        checked_at=min((c for c in checked if c), default=None),
        changed_at=max((s["changed_at"] for s in read if s["changed_at"]), default=None),
        settled_through=today - timedelta(days=RESTATEMENT_DAYS + 1),
        failures={names[s["account_id"]]: _plain(s) for s in states
                  if s["status"] == "failed" and s["kind"] in ("objects", "insights")
                  and s["account_id"] in names},
        loading=any(c is None for c in checked),
        accounts=len(accounts),
        last_day=newest_day(reader, [client_id]),
        connection=connection,
        imported=bool(accounts) and not live,
        since=max(starts, default=None),
        epochs=load_epochs(reader),
        trouble=_trouble(reader, client_id),
    )  # fmt: skip


def _trouble(reader: Reader, client_id: int) -> str:
    """Why a connection to Meta does not work, or will soon end."""
    rows = reader.rows("read_connections", client_ids=[client_id])
    told = [r["status_reason"] if r["status"] != "ok" else r["warning"] for r in rows]
    return next((t for t in told if t), "")


def load_changes(reader: Reader, client_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """For each client, what tells one state of its data from the next: its record of readings."""
    found: dict[int, list[str]] = {i: [] for i in client_ids}
    for s in reader.rows("read_sync_state", client_ids=list(found)):
        found[s["client_id"]].append(f"{s['checked_at']} {s['changed_at']} {s['status']}")
    return {i: tuple(sorted(states)) for i, states in found.items()}


def _plain(state: Mapping[str, Any]) -> str:
    """Why reading failed, in words fit for the client's people."""
    reason = " ".join(str(state["error"] or "").split())
    return reason[:200] or "Meta gave no reason; it is tried again every 15 minutes."


def _plain_numbers(row: pd.Series[float]) -> dict[str, float]:
    return {str(k): float(v) for k, v in row.items()}
