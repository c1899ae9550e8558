"""Two campaigns of a client compared, for paper: verdict first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.reports.blocks import shorten
from adlab.ui.brand import make_brand
from adlab.ui.formats import MISSING, show, span
from adlab.workbench import report, report_charts
from adlab.workbench.report import Block, Cell, Column

if TYPE_CHECKING:
    from adlab.stats.comparison import ArmComparison
    from adlab.workbench.client import Client

_HEADLINES = {
    "b better": "B is better than A", "a better": "A is better than B",
    "no difference shown": "No difference between A and B is shown",
    "not enough data": "Not enough data to tell A from B",
}  # fmt: skip
_ARM_METRICS = ("spend", "impressions", "link_clicks", "link_ctr", "purchases", "cpa")


def pair(client: Client, a: str, b: str, metric: str = "cvr") -> list[Block]:
    """Blocks on A against B over the days both delivered.

    Args:
        client: Whose campaigns they are.
        a: Id or unique name of the control.
        b: The treatment's.
        metric: A rate of counts.

    Raises:
        UnknownObjectError: If a campaign does not exist, or its name is not unique.
        DataError: If the metric is no rate of counts.
    """
    result = client.compare_arms(a, b, metric)
    rate = METRICS[_name(metric)]
    color = make_brand(client.info.name, client.slug, client.info.brand).colors.light
    days = _days(client, a, b)
    names = [shorten(label, 60) for label in result.labels]
    when = span(days) if days else "no common days"
    blocks = [
        report.heading("A against B"),
        report.text("{verdict}. {reason}", "lead", verdict=_HEADLINES[result.verdict],
                    reason=result.reason),
        report.text("{rate}: A {a}, B {b}. {lift} {when}.", rate=rate.label, a=names[0],
                    b=names[1], lift=_lift(result), when=f"Common days: {when}"),
        _arms(client, result, days, a, b),
    ]  # fmt: skip
    if math.isfinite(result.lift) and not all(math.isnan(v) for v in result.interval):
        blocks.append(_chart(result, rate.label, color))
    return [*blocks, report.heading("Before relying on it", 2), report.notes(_notes(result))]


def _name(metric: str) -> str:
    from adlab.core.metrics import metric as look_up

    return look_up(metric).name


def _lift(result: ArmComparison) -> str:
    if math.isnan(result.lift):
        return "Lift unknown."
    low, high = (_signed(v) for v in result.interval)
    return (
        f"B over A {_signed(result.lift)} ({result.confidence_level:.0%} interval {low} to {high})"
        f", p\u00a0=\u00a0{_p(result.p_value)}."
    )


def _arms(
    client: Client, result: ArmComparison, days: DateRange | None, a: str, b: str
) -> Block:  # fmt: skip
    columns = [Column("", "left"), Column("A", wide=True), Column("B", wide=True)]
    rows: list[list[Cell | str]] = [
        ["Campaign", *(shorten(label, 100) for label in result.labels)],
        ["Days", *(f"{d}" for d in result.days)],
    ]
    if days is not None:
        totals = [_total(client, arm, days) for arm in (a, b)]
        for m in (METRICS[n] for n in _ARM_METRICS):
            values = [show(m, float(t[m.name]), str(t.attrs["currency"])) for t in totals]
            if values != [MISSING, MISSING]:
                rows.append([m.label, *values])
    counted = [f"{above:,.10g} of {below:,.10g}" for above, below in result.counts]
    rows.append([Cell("Compared", sub="days with both counts"), *counted])
    rows.append([Cell(result.metric), *(_rate(r) for r in result.rates)])
    return report.cells(columns, rows)


def _days(client: Client, a: str, b: str) -> DateRange | None:
    """First to last day on which both delivered."""
    from adlab.workbench.experiments import _EVER

    seen: list[set[pd.Timestamp]] = []
    for arm in (a, b):
        frame = client.insights(
            since=_EVER, metrics=("impressions", "spend"), filters={"campaign_id": _id(client, arm)}
        )
        live = frame[(frame["impressions"] > 0) | (frame["spend"] > 0)]
        seen.append(set(live.index.get_level_values("date")))
    both = seen[0] & seen[1]
    return DateRange(min(both).date(), max(both).date()) if both else None


def _total(client: Client, arm: str, days: DateRange) -> pd.Series[float]:
    return client.insights(
        since=days.since, until=days.until, metrics=_ARM_METRICS,
        filters={"campaign_id": _id(client, arm)},
    ).total()  # fmt: skip


def _id(client: Client, arm: str) -> str:
    """Public id of a campaign given by id or by a name that `compare_arms` has found unique."""
    known = client.campaigns()
    if arm in known.index:
        return arm
    return str(known.index[known["name"] == arm.strip()][0])


def _chart(result: ArmComparison, label: str, color: str) -> Block:
    low, high = (_signed(v) for v in result.interval)
    return report.figure(
        report_charts.intervals(result, color),
        alt=f"Lift of B over A in {label}: {_signed(result.lift)}, from {low} to {high}.",
        title=f"Lift of B over A: {_signed(result.lift)}",
        subtitle=f"{label}, relative, with its {result.confidence_level:.0%} interval",
    )


def _notes(result: ArmComparison) -> Iterator[tuple[str, str]]:
    yield "Sample", result.sample
    for number, caveat in enumerate(result.caveats, start=1):
        yield f"Caveat {number}", caveat


def _rate(share: float) -> str:
    return MISSING if share != share else f"{share * 100:.3f}\u202f%"


def _signed(share: float) -> str:
    if share != share:
        return MISSING
    if math.isinf(share):
        return "∞"
    return f"{share * 100:+.1f}\u202f%".replace("-", "−")


def _p(value: float) -> str:
    return MISSING if value != value else "below 0.001" if value < 0.001 else f"{value:.3f}"
