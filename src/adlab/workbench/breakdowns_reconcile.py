"""`lab.reconcile()`: the sums of campaigns, ad sets and ads against the account's own rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from adlab.core.entities import Level, public_id
from adlab.core.periods import today_in
from adlab.services.reconciliation import METRICS, compare, settled_day
from adlab.workbench.insights import read_period

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench

_COLUMNS = (
    "account_name", "currency", "expected", "found", "gap", "share", "settled", "reason",
)  # fmt: skip


def reconcile(
    lab: Workbench,
    client: str | Sequence[str] | None,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    only_gaps: bool,
) -> pd.DataFrame:
    """What `Workbench.reconcile` returns; its arguments are explained there."""
    chosen = lab.chosen(client)
    zones = [z for c in chosen for z in c.timezones]
    period = read_period(last, since, until, zones, lab.now())
    rows = lab.reader.rows(
        "read_level_gaps", client_ids=[c.client_id for c in chosen],
        since=period.since, until=period.until,
    )  # fmt: skip
    out = []
    for r in rows:
        settled = r["date"] <= settled_day(today_in(r["timezone"], lab.now()))
        for metric in METRICS:
            g = compare(r, metric, settled)
            if only_gaps and not g.reason:
                continue
            out.append(
                (r["date"], public_id(r["account_id"]), Level(r["level"]).word, metric,
                 r["account_name"], r["currency"], g.expected, g.found, g.gap, g.share, settled,
                 g.reason)
            )  # fmt: skip
    keys = ["date", "account_id", "level", "metric"]
    frame = pd.DataFrame(out, columns=[*keys, *_COLUMNS])
    frame["date"] = pd.to_datetime(frame["date"])
    for name in ("expected", "found", "gap", "share"):
        frame[name] = frame[name].astype("float64")
    frame = frame.set_index(keys)
    frame.attrs.update(
        {
            "clients": [c.slug for c in chosen],
            "since": period.since.isoformat(),
            "until": period.until.isoformat(),
            "compared": len(rows) * len(METRICS),
            "gaps": int((frame["gap"].fillna(0) != 0).sum()),
            "query": f"api.level_gaps {period}",
        }
    )
    return frame
