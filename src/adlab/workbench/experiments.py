"""Compare two arms of a client by a rate: from names or ids to days, to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adlab.core.entities import Level, parse_public_id, public_id
from adlab.core.errors import DataError, UnknownObjectError
from adlab.core.metrics import METRICS, MetricDef, metric
from adlab.core.periods import Epoch, epochs_between
from adlab.stats.aggregates import RateTotals, rate_totals
from adlab.stats.comparison import ArmComparison
from adlab.stats.proportions import compare_rates
from adlab.workbench.insights import load_labels, read_period

if TYPE_CHECKING:
    from adlab.workbench.client import Client
    from adlab.workbench.lab import Workbench

Arm = str | int | Sequence[str | int]

# Reason: Meta sold its first ads in 2004; files may reach back further than Meta's 37 months.
_EVER = date(2004, 1, 1)

_NOT_RANDOMISED = (
    "Not known to be randomised: the arms may differ in audience, placement or timing as well, "
    "and delivery itself picks who sees what."
)


def compare_arms(
    lab: Workbench,
    client: Client,
    a: Arm,
    b: Arm,
    metric: str,
    level: str,
    since: date | str | None,
    until: date | str | None,
    confidence_level: float,
) -> ArmComparison:
    """Compare two arms by a rate of counts, with days as the unit.

    Args:
        lab: The workbench.
        client: Whose objects the arms are.
        a: Control: ids or unique names, one or several.
        b: Treatment, likewise.
        metric: A rate whose both sides are counts, such as `cvr` or `link_ctr`.
        level: Level of the objects.
        since: First day; the first on which both arms delivered when None.
        until: Last day; the last on which both arms delivered when None.
        confidence_level: Of the interval.

    Returns:
        The comparison; too little data is its verdict, not an error.

    Raises:
        DataError: If the metric is no rate of counts.
        UnknownObjectError: If an object does not exist, or its name is not unique.
        ValueError: If an object is in both arms, or the period is malformed.
    """
    rate = _rate(metric)
    depth = Level.parse(level)
    labels = load_labels(lab.reader, [client.client_id], depth)
    arms = [_resolve(labels, depth, arm) for arm in (a, b)]
    if both := set(arms[0]) & set(arms[1]):
        raise ValueError(f"{public_id(min(both))} is in both arms; an object is in one of them")
    period = read_period(None, since or _EVER, until, list(client.timezones), lab.now())
    frame = lab.insights(
        client.slug,
        level=depth.word,
        since=period.since,
        until=period.until,
        metrics=(rate.name,),
        time_increment=1,
        filters={f"{depth.word}_id": [public_id(i) for arm in arms for i in arm]},
    )
    rows = _daily(frame._parts.sums, rate, depth)
    days = [rows[rows["object_id"].isin(arm)] for arm in arms]
    if since is None or until is None:
        days = _shared(days, from_first=since is None, to_last=until is None)
    totals = [_totals(d) for d in days]
    names = [_label(labels, depth, arm) for arm in arms]
    result = compare_rates(
        totals[0],
        totals[1],
        confidence_level=confidence_level,
        metric=rate.label,
        labels=(names[0], names[1]),
        better=rate.better,
    )
    settled = frame.attrs.get("settled_through")
    epochs = lab.definition_epochs()
    return result.with_caveats(*_caveats(days, arms, settled, epochs))


def _rate(name: str) -> MetricDef:
    found = metric(name)
    rates = [
        m.name for m in METRICS.values()
        if m.kind == "ratio" and not m.adds_money and not m.over_reach
    ]  # fmt: skip
    if found.name in rates:
        return found
    if found.kind != "ratio":
        what = "is no rate"
    elif found.adds_money:
        what = "has money in it, and single orders would be needed for its scatter"
    else:
        what = "needs reach, which does not add up over days"
    raise DataError(
        f"Arms cannot be compared by {found.name}: it {what}.",
        f'Compare by a rate of counts, such as metric="cvr"; there are {", ".join(rates)}.',
    )


def _resolve(labels: pd.DataFrame, level: Level, arm: Arm) -> list[int]:
    """Store's numbers of an arm's objects."""
    wanted = [arm] if isinstance(arm, str | int) else list(arm)
    if not wanted:
        raise ValueError("an arm is empty; give at least one id or name")
    return list(dict.fromkeys(_one(labels, level, w) for w in wanted))


def _one(labels: pd.DataFrame, level: Level, wanted: str | int) -> int:
    try:
        number = parse_public_id(wanted)
    except ValueError:
        number = None
    if number is not None and (labels["object_id"] == number).any():
        return number
    named = labels.loc[labels[f"{level.word}_name"] == str(wanted).strip(), "object_id"]
    found = sorted({int(i) for i in named})
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownObjectError(
            f"There are {len(found)} objects named {wanted!r} at level {level.word}.",
            f"Take an id: {', '.join(public_id(i) for i in found[:10])}.",
        )
    import difflib

    names = sorted({str(n) for n in labels[f"{level.word}_name"]})
    near = difflib.get_close_matches(str(wanted), names, n=3) or names[:5]
    raise UnknownObjectError(
        f"There is no {level.word} {wanted!r}.",
        f"Near: {', '.join(map(repr, near))}." if near else "This client has none yet.",
    )


def _label(labels: pd.DataFrame, level: Level, arm: Iterable[int]) -> str:
    names = labels.drop_duplicates("object_id").set_index("object_id")[f"{level.word}_name"]
    return " + ".join(str(names.get(i, public_id(i))) for i in arm)


def _daily(sums: pd.DataFrame, rate: MetricDef, level: Level) -> pd.DataFrame:
    """Columns date, object_id, above, below: both NaN where either is unknown."""
    ids = [parse_public_id(i) for i in sums.index.get_level_values(f"{level.word}_id")]
    return pd.DataFrame(
        {
            "date": sums.index.get_level_values("date"),
            "object_id": np.asarray(ids, dtype="int64"),
            "above": sums[f"n_{rate.name}"].to_numpy(dtype=float),
            "below": sums[f"d_{rate.name}"].to_numpy(dtype=float),
        }
    )


def _shared(days: list[pd.DataFrame], from_first: bool, to_last: bool) -> list[pd.DataFrame]:
    """Only from the first to the last day on which both arms delivered."""
    delivered = [set(d.loc[d["below"] > 0, "date"]) for d in days]
    shared = delivered[0] & delivered[1]
    if not shared:
        return [d.iloc[:0] for d in days]
    first, last = min(shared), max(shared)
    return [
        d[((d["date"] >= first) | (not from_first)) & ((d["date"] <= last) | (not to_last))]
        for d in days
    ]


def _totals(rows: pd.DataFrame) -> RateTotals:
    known = rows.groupby("date")[["above", "below"]].sum(min_count=1)
    return rate_totals(known["above"], known["below"])


def _caveats(
    days: list[pd.DataFrame], arms: list[list[int]], settled: str | None, epochs: Sequence[Epoch]
) -> Iterable[str]:
    yield _NOT_RANDOMISED
    missing = [int(d["above"].isna().sum()) for d in days]
    if any(missing) and any(len(arm) > 1 for arm in arms):
        yield (
            f"Rows of single objects without both counts were left out: {missing[0]} of A, "
            f"{missing[1]} of B. A missing value is not zero."
        )
    seen = pd.concat([d["date"] for d in days])
    if seen.empty:
        return
    first, last = seen.min().date(), seen.max().date()
    for epoch in epochs_between(epochs, first, last):
        yield f"{epoch.starts_on}: {epoch.title}. {epoch.detail} Both sides of it are in here."
    if settled and last.isoformat() > settled and any(i > 0 for arm in arms for i in arm):
        yield f"Meta may still restate the days after {settled}."
    spans = [set(d["date"]) for d in days]
    alone = len(spans[0] ^ spans[1])
    if alone:
        yield f"{alone} days have rows of one arm only."
