"""Load breakdowns, attribution windows and settings for people, under their own rights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlalchemy import text

from adlab.core.breakdowns import Breakdown
from adlab.core.entities import Level, public_id
from adlab.core.errors import DataError, NotAdditiveError
from adlab.core.insights import ATTRIBUTION_WINDOWS
from adlab.core.metrics import refuse_sum
from adlab.services.insights import InsightsQuery, check_reach
from adlab.storage import breakdowns_sql
from adlab.storage.tenancy import Reader

# Still accepted by Meta, yet empty.
_GONE = {
    "7d_view": "Meta returns nothing for it since 2026-01-12.",
    "28d_view": "Meta returns nothing for it since 2026-01-12.",
}


@dataclass(frozen=True)
class Loaded:
    """Where a breakdown of some accounts is.

    Attributes:
        level: Level of the stored rows.
        checked_at: When the least recent of them was read, ISO text, or None.
    """

    level: Level
    checked_at: str | None


def check_window(name: str) -> str:
    """The attribution window of a name, `default` for the ad sets' own settings.

    Raises:
        DataError: If Meta does not serve it any more.
        ValueError: If there is none of that name.
    """
    key = name.strip().lower()
    if key in ("account_default", "default"):
        return "default"
    if key in _GONE:
        raise DataError(
            f"Attribution window {key!r} is not served. {_GONE[key]}",
            f"Windows that are: {', '.join(ATTRIBUTION_WINDOWS)}.",
        )
    if key not in ATTRIBUTION_WINDOWS:
        raise ValueError(
            f"there is no attribution window {name!r}; there are {', '.join(ATTRIBUTION_WINDOWS)}"
        )
    return key


def find_loaded(
    reader: Reader, query: InsightsQuery, kind: Breakdown, slugs: dict[int, str], floor: date
) -> Loaded:
    """Where the rows for a question are: its own level, or a deeper one to add up.

    Args:
        reader: Whose rights decide what is found.
        query: What is asked.
        kind: The breakdown.
        slugs: Clients by number, to say what to run.
        floor: First day Meta serves this breakdown for.

    Raises:
        DataError: If days asked for are not loaded; says the command, or why Meta has none.
    """
    accounts = [
        a for a in reader.rows("read_accounts", client_ids=list(query.client_ids))
        if a["source"] == "meta"
    ]  # fmt: skip
    states = [
        s for s in reader.rows("read_sync_state", client_ids=list(query.client_ids))
        if s["kind"] == f"breakdown:{kind.kind}"
    ]  # fmt: skip
    for level in (lv for lv in kind.levels if lv >= query.level):
        here = {s["account_id"]: s for s in states if s["level"] == int(level)}
        if accounts and all(_covers(here.get(a["account_id"]), query) for a in accounts):
            checked = [here[a["account_id"]]["checked_at"] for a in accounts]
            return Loaded(level, min(c for c in checked).isoformat() if all(checked) else None)
    if query.period.since < floor:
        raise DataError(
            f"{kind.kind} is served {kind.months} months back only, from {floor} on.",
            f"Ask from there: since={floor.isoformat()!r}.",
        )
    refused = next((s for s in states if s["status"] == "not_served"), None)
    if refused is not None:
        raise DataError(
            f"Meta does not serve {kind.kind} for account act_{public_id(refused['account_id'])}: "
            f"{refused['error']}",
            "Leave breakdowns out, or narrow to other clients.",
        )
    command = _command(query, kind, slugs)
    raise DataError(
        f"Breakdown {kind.kind} is not loaded for {query.period} at level {query.level.word}.",
        f"Load it: {command}",
    )


def _covers(state: dict[str, object] | None, query: InsightsQuery) -> bool:
    if state is None:
        return False
    since, until = state["since"], state["until"]
    return (
        isinstance(since, date) and isinstance(until, date)
        and since <= query.period.since and query.period.until <= until
    )  # fmt: skip


def _command(query: InsightsQuery, kind: Breakdown, slugs: dict[int, str]) -> str:
    one = f" --client {slugs[query.client_ids[0]]}" if len(query.client_ids) == 1 else ""
    level = "" if query.level <= kind.level else f" --breakdown-level {query.level.word}"
    return (
        f"adlab sync{one} --breakdown {kind.kind}{level} --since {query.period.since.isoformat()}"
    )


def load_breakdown_rows(
    reader: Reader, query: InsightsQuery, kind: Breakdown, places: Sequence[int], loaded: Level
) -> pd.DataFrame:
    """Rows per period, object and value of a breakdown.

    Returns:
        Columns `date` (unless all days), `object_id`, `account_id`, `b_0` and further for the
        wanted parts, `label` (of assets), then the sums as in `services.insights.load_rows`.

    Raises:
        NotAdditiveError: If reach is asked for and rows would have to be added for it.
    """
    check_reach(query)
    _refuse_reach(query, kind, places, loaded)
    sql = breakdowns_sql.breakdown_rows(
        query.metrics, query.increment, query.period.since, places=places, parts=len(kind.names),
        level=query.level, loaded=loaded, narrow=query.object_ids is not None,
    )  # fmt: skip
    binds: dict[str, object] = {
        "client_ids": list(query.client_ids), "since": query.period.since,
        "until": query.period.until, "breakdown": kind.kind, "loaded": int(loaded),
    }  # fmt: skip
    if query.object_ids is not None:
        binds["object_ids"] = list(query.object_ids)
    frame = reader.frame(text(sql), **binds)
    numbers = [c for c in frame.columns if c[:2] in ("m_", "n_", "d_")]
    if frame.empty:
        return frame.astype(dict.fromkeys(numbers, "float64") | {"object_id": "int64"})
    if frame["object_id"].isna().any():
        raise DataError(
            f"{kind.kind} is loaded by {loaded.word}, "
            f"and of some the {query.level.word} is unknown.",
            "Read the objects first (adlab sync), or ask at the level that is loaded.",
        )
    frame["object_id"] = frame["object_id"].astype("int64")
    frame[numbers] = frame[numbers].astype("float64")
    return frame


def _refuse_reach(
    query: InsightsQuery, kind: Breakdown, places: Sequence[int], loaded: Level
) -> None:
    added = len(places) < len(kind.names) or loaded is not query.level
    for m in query.metrics:
        if m.over_reach and added:
            error: NotAdditiveError = refuse_sum(
                m, "rows of a breakdown",
                f"Ask with breakdowns={kind.names!r} at level {loaded.word!r}, day by day.",
            )  # fmt: skip
            raise error


def load_settings(reader: Reader, query: InsightsQuery) -> pd.DataFrame:
    """Attribution setting and rankings per period and object; see `breakdowns_sql.setting_rows`."""
    sql = breakdowns_sql.setting_rows(query.increment, query.period.since)
    return reader.frame(
        text(sql), client_ids=list(query.client_ids), level=int(query.level),
        since=query.period.since, until=query.period.until,
    )  # fmt: skip
