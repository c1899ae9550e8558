"""How `lab.insights(breakdowns=…)` answers: what is loaded, in rows that still add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.breakdowns import Breakdown, holding
from adlab.core.entities import Level, public_id
from adlab.core.errors import DataError
from adlab.core.metrics import metrics
from adlab.core.periods import Increment, today_in
from adlab.services.breakdowns_read import find_loaded, load_breakdown_rows
from adlab.services.insights import InsightsQuery, values
from adlab.workbench.frames import InsightsFrame, Parts, attach, whole_counts
from adlab.workbench.insights import apply_filters, check_increment, load_labels, read_period

if TYPE_CHECKING:
    from adlab.workbench.client import Client
    from adlab.workbench.lab import Workbench


def load_broken_down(
    lab: Workbench,
    client: str | Sequence[str] | None,
    breakdowns: Sequence[str],
    *,
    level: str,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    time_increment: Increment,
    names: Sequence[str],
    filters: Mapping[str, Any] | None,
    include_today: bool,
) -> InsightsFrame:
    """What `Workbench.insights` returns with breakdowns; its arguments are explained there."""
    asked = [breakdowns] if isinstance(breakdowns, str) else list(breakdowns)
    kind, places = holding(asked)
    # Reason: ("age_gender",) stands for its parts, so that the index has Meta's names.
    shown = asked if len(asked) == len(places) else list(kind.names)
    chosen = lab.chosen(client)
    wanted = metrics([names] if isinstance(names, str) else names)
    depth = Level.parse(level)
    check_increment(time_increment)
    zones = [z for c in chosen for z in c.timezones]
    period = read_period(last, since, until, zones, lab.now(), include_today)
    labels = load_labels(lab.reader, [c.client_id for c in chosen], depth)
    objects = apply_filters(labels, filters, depth) if filters else None
    query = InsightsQuery(
        tuple(c.client_id for c in chosen), depth, period, wanted, time_increment,
        None if objects is None else tuple(objects),
    )  # fmt: skip
    floor = kind.earliest(min((today_in(z, lab.now()) for z in zones), default=lab.now().date()))
    loaded = find_loaded(lab.reader, query, kind, {c.client_id: c.slug for c in chosen}, floor)
    rows = load_breakdown_rows(lab.reader, query, kind, places, loaded.level)
    frame, parts = _shape(rows, labels, query, kind, shown)
    said = _provenance(lab, chosen, query, kind, shown, parts) | {"as_of": loaded.checked_at}
    if filters:
        said["filters"] = ", ".join(f"{k} = {v}" for k, v in filters.items())
    return attach(frame, parts, said)


def refuse_with_breakdowns(
    currency: str, compare: object, attribution: str, as_of: object, with_settings: bool
) -> None:
    """Refuse what has no answer together with breakdowns.

    Raises:
        DataError: If a conversion, a comparison, a window, an older version or the settings are
            asked for.
    """
    for name, wanted in (
        ("currency", currency if currency != "account" else None),
        ("compare", compare),
        ("attribution", attribution if attribution not in ("account_default", "default") else None),
        ("as_of", as_of),
        ("with_settings", with_settings or None),
    ):
        if wanted is not None:
            raise DataError(
                f"{name}={wanted!r} does not go together with breakdowns=.",
                f"Leave {name}= out, or ask without breakdowns.",
            )


def _shape(
    rows: pd.DataFrame,
    labels: pd.DataFrame,
    query: InsightsQuery,
    kind: Breakdown,
    shown: Sequence[str],
) -> tuple[pd.DataFrame, Parts]:
    word = query.level.word
    known = labels.assign(account_id=labels["account_id"].astype("int64"))
    named = rows.merge(known, on=["account_id", "object_id"], how="left")
    named[f"{word}_id"] = [public_id(int(i)) for i in named["object_id"]]
    for n, name in enumerate(shown):
        named[name] = named[f"b_{n}"].astype(object)
    keys = [f"{word}_id", *shown]
    if query.increment != "all_days":
        named["date"] = pd.to_datetime(named["date"])
        keys = ["date", *keys]
    named = named.sort_values(keys).set_index(keys)
    sums = named[[c for c in rows.columns if c[:2] in ("m_", "n_", "d_")]]
    front = named[[f"{word}_name"]].copy()
    if kind.is_asset:
        front[f"{kind.kind}_name"] = named["label"]
    frame = pd.concat([front, values(sums, query.metrics)], axis=1)
    whole_counts(frame, query.metrics)
    hidden = ("object_id", "account_id", "campaign_id", "adset_id")
    return frame, Parts(
        sums, named[[c for c in labels.columns if c not in hidden]], tuple(query.metrics)
    )


def _provenance(
    lab: Workbench,
    chosen: Sequence[Client],
    query: InsightsQuery,
    kind: Breakdown,
    shown: Sequence[str],
    parts: Parts,
) -> dict[str, Any]:
    currencies = sorted(set(parts.labels["currency"].dropna()))
    withheld = sorted(
        m.name for m in query.metrics if any(c in kind.withheld for c in m.columns)
    )  # fmt: skip
    said: dict[str, Any] = {
        "clients": [c.slug for c in chosen],
        "level": query.level.word,
        "breakdowns": list(shown),
        "since": query.period.since.isoformat(),
        "until": query.period.until.isoformat(),
        "time_increment": query.increment,
        "currency": currencies[0] if len(currencies) == 1 else (currencies or None),
        "timezone": sorted({z for c in chosen for z in c.timezones}),
        "attribution": "account_default",
        "settled_through": min((c.settled_through(lab.now()) for c in chosen), default=None),
        "query": f"api.insights_breakdown {kind.kind} level={query.level.word} {query.period}",
    }
    if withheld:
        said["withheld"] = f"Meta does not return {', '.join(withheld)} by {kind.kind}."
    if kind.is_asset:
        said["note"] = "Assets are shown together; their numbers are not causes."
    return said
