"""How fresh every account is, and what keeps it from being fresher."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from adlab.core.entities import public_id
from adlab.core.periods import RESTATEMENT_DAYS, today_in
from adlab.services.schedule import Temperature, temperature
from adlab.storage.jobs import ScheduledAccount
from adlab.storage.tenancy import Reader

# Reason: a turn may wait behind others and takes its time; what is later than this is late.
DUE_MINUTES: dict[Temperature, float] = {"hot": 20.0, "warm": 75.0, "cold": 26 * 60.0}

COLUMNS = (
    "client_id", "account_name", "read_at", "lag_minutes", "due_minutes", "status", "problem",
    "temperature", "changed_at", "newest_day", "settled_through", "since", "loading_share",
    "objects_at", "breakdowns_at", "catalogue_at", "not_served", "quota_percent",
)  # fmt: skip


def load_freshness(reader: Reader, slugs: Mapping[int, str], now: datetime) -> pd.DataFrame:
    """Every connected account of some clients, one row each.

    Args:
        reader: Reads as one person.
        slugs: Their clients' numbers and slugs.
        now: The current moment (aware).

    Returns:
        Indexed by `account_id` (public); columns `COLUMNS`, instants in UTC, shares 0 to 1.
        `.attrs["as_of"]` says when.
    """
    rows = reader.rows("read_freshness", client_ids=list(slugs))
    table = [_row(r, slugs[r["client_id"]], now) for r in rows]
    index = pd.Index([public_id(r["account_id"]) for r in rows], name="account_id")
    frame = pd.DataFrame(table, columns=list(COLUMNS), index=index)
    frame.attrs["as_of"] = now.astimezone(UTC).isoformat()
    return frame


def _row(r: Mapping[str, Any], slug: str, now: datetime) -> dict[str, Any]:
    heat = temperature(
        ScheduledAccount(
            r["account_id"], r["client_id"], slug, r["timezone"], r["spent_on"], r["active"],
            r["since"] is not None,
        ),
        now,
    )  # fmt: skip
    due = DUE_MINUTES[heat]
    read_at = r["read_at"]
    lag = (now - read_at).total_seconds() / 60 if read_at else float("nan")
    today = today_in(r["timezone"], now)
    status, problem = _status(r, lag, due)
    return {
        "client_id": slug,
        "account_name": r["name"],
        "read_at": read_at,
        "lag_minutes": round(lag, 1),
        "due_minutes": due,
        "status": status,
        "problem": problem,
        "temperature": heat,
        "changed_at": r["changed_at"],
        "newest_day": r["newest_day"],
        "settled_through": today - timedelta(days=RESTATEMENT_DAYS + 1),
        "since": r["since"],
        "loading_share": _share(r),
        "objects_at": r["objects_at"],
        "breakdowns_at": r["breakdowns_at"],
        "catalogue_at": r["catalogue_at"],
        "not_served": r["not_served"] or "",
        "quota_percent": r["quota_percent"],
    }


def _status(r: Mapping[str, Any], lag: float, due: float) -> tuple[str, str]:
    """One word, and why: the worst first."""
    if r["connection"] != "ok":
        why = r["status_reason"] or "it has no working connection"
        return "disconnected", f"{why.rstrip('.')}. Connect again."
    if r["read_at"] is None:
        return "never read", r["problem"] or "No turn has ended yet. Does adlab worker run?"
    if lag > due:
        return "late", r["problem"] or r["error"] or "No turn has ended. Does adlab worker run?"
    if r["error"] or r["problem"]:
        return "failing", r["error"] or r["problem"]
    return "fresh", ""


def _share(r: Mapping[str, Any]) -> float:
    """How much of a requested history is in, 0 to 1; NaN when none was requested."""
    if r["load_since"] is None:
        return float("nan")
    if r["load_finished_at"] is not None:
        return 1.0
    if r["load_reached"] is None:
        return 0.0
    whole = (r["load_until"] - r["load_since"]).days + 1
    return float(((r["load_until"] - r["load_reached"]).days + 1) / whole)
