"""Small figures, written out, for everything that draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
import pytest

from adlab.core.metrics import METRICS, metrics
from adlab.core.periods import DateRange
from adlab.ui.address import METRICS as SHOWN
from adlab.ui.figures import Campaigns, Figures, Span, value

SUMS = ("spend", "impressions", "link_clicks", "purchases", "revenue")
ALL = metrics((*SHOWN, "cvr", "aov", "cpm"))


def parts_of(rows: Sequence[dict[str, float | None]], index: Sequence[object]) -> pd.DataFrame:
    """Component columns from rows of plain sums."""
    out = []
    for row in rows:
        cells: dict[str, float | None] = {}
        for m in ALL:
            if m.kind == "sum":
                cells[f"m_{m.name}"] = row.get(m.name)
                continue
            above = row.get(m.numerator.removesuffix("_micro"))
            below = row.get(m.denominator.removesuffix("_micro"))
            known = above is not None and below is not None
            cells[f"n_{m.name}"] = above if known else None
            cells[f"d_{m.name}"] = below if known else None
        out.append(cells)
    return pd.DataFrame(out, index=pd.Index(list(index)), dtype=float)


def span_of(since: date, rows: Sequence[dict[str, float | None]]) -> Span:
    """A span of one row a day."""
    days = [since + timedelta(days=i) for i in range(len(rows))]
    parts = parts_of(rows, days)
    values = pd.DataFrame(
        {m.name: [value(m, r.to_dict()) for _, r in parts.iterrows()] for m in ALL}, index=days
    )
    total = parts.sum(min_count=1).to_dict()
    return Span(
        DateRange(days[0], days[-1]), {m.name: value(m, total) for m in ALL}, values, parts, values
    )


def steady(days: int, level: float = 1.0, **changed: float) -> list[dict[str, float | None]]:
    """Days that wobble by five percent around a level."""
    out = []
    for i in range(days):
        k = level * (1 + 0.05 * (-1) ** i)
        row: dict[str, float | None] = {
            "spend": 100 * k, "impressions": 10_000 * k, "link_clicks": 100 * k,
            "purchases": 10 * k, "revenue": 400 * k,
        }  # fmt: skip
        out.append(row | {n: f * k for n, f in changed.items()})
    return out


@pytest.fixture
def figures() -> Figures:
    """Thirty days like the thirty before them, in euros."""
    return Figures("EUR", span_of(date(2026, 10, 22), steady(30)),
                   span_of(date(2026, 9, 22), steady(30)))  # fmt: skip


@pytest.fixture
def campaigns() -> Campaigns:
    """Four campaigns in two currencies; one without purchases data, one with a hostile name."""
    rows = [
        ("Alpha", "ACTIVE", "EUR", 300.0, 30_000, 300, 30, 900.0),
        ("Beta – Été", "PAUSED", "EUR", 100.0, 10_000, 50, 2, 100.0),
        ('<b onclick="x">', "ACTIVE", "USD", 50.0, 5_000, 5, None, None),
        ("=1+1", None, "EUR", 20.0, 1_000, 40, 12, 20.0),
    ]
    index = [11, 12, 13, -14]
    parts = parts_of([dict(zip(SUMS, r[3:], strict=True)) for r in rows], index)
    shown = pd.DataFrame(
        {"name": [r[0] for r in rows], "status": [r[1] for r in rows],
         "currency": [r[2] for r in rows]}, index=pd.Index(index),
    )  # fmt: skip
    for name in SHOWN:
        shown[name] = [value(METRICS[name], r.to_dict()) for _, r in parts.iterrows()]
    totals = {}
    for currency in ("EUR", "USD"):
        total = parts[shown["currency"] == currency].sum(min_count=1).to_dict()
        totals[currency] = {n: value(METRICS[n], total) for n in SHOWN}
    return Campaigns(shown, parts, totals)
