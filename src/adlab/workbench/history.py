"""How a day moved: every kept version of its rows, and when it settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from adlab.core.entities import Level, public_id
from adlab.core.metrics import MetricDef, metrics
from adlab.core.money import MICRO
from adlab.core.periods import RESTATEMENT_DAYS, today_in
from adlab.services.insights import values
from adlab.storage.versions_sql import bit
from adlab.workbench.insights import load_labels, parse_day

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench


def restatements(
    lab: Workbench,
    day: date | str,
    client: str | Sequence[str] | None,
    level: str,
    names: Sequence[str],
) -> pd.DataFrame:
    """What `Workbench.restatements` returns; its arguments are explained there."""
    wanted = metrics([names] if isinstance(names, str) else names)
    depth = Level.parse(level)
    if depth is Level.CREATIVE:
        raise ValueError("insights have levels account, campaign, adset and ad")
    on = parse_day(day, "day")
    chosen = lab.chosen(client)
    binds: dict[str, Any] = {
        "client_ids": [c.client_id for c in chosen], "level": int(depth), "day": on,
    }  # fmt: skip
    older: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for r in lab.reader.rows("read_versions", **binds):
        older.setdefault((r["account_id"], r["object_id"]), []).append(r)
    rows: list[dict[str, Any]] = []
    for newest in lab.reader.rows("read_day", **binds):
        rows += _states(newest, older.get((newest["account_id"], newest["object_id"]), []), wanted)
    labels = load_labels(lab.reader, binds["client_ids"], depth).set_index("object_id")
    accounts = lab.reader.rows("read_accounts", client_ids=binds["client_ids"])
    zones = {a["account_id"]: a["timezone"] for a in accounts}
    frame = _frame(rows, wanted, depth, labels, on, zones)
    frame.attrs |= _settlement(frame, on, zones, lab.now())
    currencies = sorted(set(labels["currency"].dropna())) if len(labels) else []
    frame.attrs["currency"] = currencies[0] if len(currencies) == 1 else (currencies or None)
    return frame


def _states(
    newest: Mapping[str, Any], older: Sequence[Mapping[str, Any]], wanted: Sequence[MetricDef]
) -> list[dict[str, Any]]:
    """Every kept version of a row whose wanted values differ from the one before, oldest first."""
    columns = sorted({c for m in wanted for c in m.columns})
    state = {c: newest[c] for c in columns}
    states = [(newest["fetched_at"], dict(state))]
    for version in reversed(older):
        state |= {c: version[c] for c in columns if version["changed"] & bit(c)}
        states.append((version["seen_at"], dict(state)))
    states.reverse()
    found = []
    for n, (seen_at, cells) in enumerate(states):
        if n and cells == states[n - 1][1]:
            continue
        found.append(
            {"account_id": newest["account_id"], "object_id": newest["object_id"],
             "seen_at": seen_at, **_components(cells, wanted)}
        )  # fmt: skip
    return found


def _components(cells: Mapping[str, Any], wanted: Sequence[MetricDef]) -> dict[str, float]:
    def number(column: str) -> float:
        value = cells[column]
        if value is None:
            return float("nan")
        return float(value) / MICRO if column.endswith("_micro") else float(value)

    out: dict[str, float] = {}
    for m in wanted:
        if m.kind == "ratio":
            out[f"n_{m.name}"], out[f"d_{m.name}"] = number(m.numerator), number(m.denominator)
        else:
            out[f"m_{m.name}"] = number(m.column)
    return out


def _frame(
    rows: list[dict[str, Any]],
    wanted: Sequence[MetricDef],
    level: Level,
    labels: pd.DataFrame,
    day: date,
    zones: Mapping[int, str],
) -> pd.DataFrame:
    word = level.word
    columns = [f"{word}_name", "hours_after_day", *(m.name for m in wanted)]
    keys = [f"{word}_id", "seen_at"]
    if not rows:
        index = pd.MultiIndex.from_arrays([[], pd.DatetimeIndex([], tz="UTC")], names=keys)
        return pd.DataFrame(columns=columns, index=index)
    table = pd.DataFrame(rows)
    ends = {
        account: datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
        for account, zone in zones.items()
    }
    names = labels[f"{word}_name"].to_dict()
    out = values(table, wanted)
    out.insert(0, f"{word}_name", [names.get(i) for i in table["object_id"]])
    out.insert(1, "hours_after_day", [
        (seen - ends[a]).total_seconds() / 3600
        for seen, a in zip(table["seen_at"], table["account_id"], strict=True)
    ])  # fmt: skip
    out.index = pd.MultiIndex.from_arrays(
        [[public_id(int(i)) for i in table["object_id"]],
         pd.DatetimeIndex(table["seen_at"]).tz_convert("UTC")],
        names=keys,
    )  # fmt: skip
    return out


def _settlement(
    frame: pd.DataFrame, day: date, zones: Mapping[int, str], now: datetime
) -> dict[str, Any]:
    """When the day stopped moving: last change, and whether Meta may still restate it."""
    last = frame.index.get_level_values("seen_at").max() if len(frame) else None
    today = min((today_in(z, now) for z in zones.values()), default=now.date())
    open_until = day + timedelta(days=RESTATEMENT_DAYS)
    final = today > open_until
    return {
        "day": day.isoformat(),
        "last_change": last.isoformat() if last is not None else None,
        "settled": final,
        "settled_at": last.isoformat() if final and last is not None else None,
        "may_move_until": None if final else open_until.isoformat(),
    }
