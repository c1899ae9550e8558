"""The answers a test compares with: exact integers per object and day, and the planted stories.

Same world and same moment as the API, but a different way to write it down: nothing of the wire
texts (`rows.py`, `actions.py`) is used here, and archived and deleted objects are listed too.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from adlab.simulator import naming
from adlab.simulator.catalog import SETTING_CLASSES, WINDOW_CLASSES
from adlab.simulator.clock import iso_utc
from adlab.simulator.delivery import CLASSES, EVENTS, FLOWS
from adlab.simulator.periods import DayRange, buckets_of, day_text
from adlab.simulator.reporting import Aggregator, ReportEngine, Table, reach_of
from adlab.simulator.scenarios import planted_stories
from adlab.simulator.world import LEVELS, SETTINGS, STATUS_NAMES, AccountWorld

_WANTED = frozenset(FLOWS) | {f"{e}_{c}" for e in (*EVENTS, "revenue") for c in CLASSES}
_PLAIN = {
    "impressions": "impressions",
    "clicks": "clicks",
    "link_clicks": "link_clicks",
    "outbound_clicks": "outbound_clicks",
    "landing_page_views": "landing_views",
    "video_3s_views": "video_views",
    "thruplays": "thruplays",
    "reactions": "reactions",
    "comments": "comments",
    "shares": "shares",
    "saves": "saves",
    "spend_minor": "spend",
}
_EVENTS = {
    "purchases": "purchase",
    "initiated_checkouts": "checkout",
    "adds_to_cart": "cart",
    "content_views": "view",
    "leads": "lead",
    "revenue_minor": "revenue",
}
GROUPS = ("object_day", "day", "object", "total")


def summary(engine: ReportEngine, now: float) -> dict[str, Any]:
    """Describe the world: its accounts and what was planted."""
    world = engine.world
    accounts = []
    for account in world.accounts.values():
        today = account.today(now)
        accounts.append(
            {
                "account_id": str(account.profile.number),
                "name": account.profile.name,
                "client": account.profile.client,
                "currency": account.profile.currency,
                "timezone": account.profile.timezone,
                "minor_per_major": account.profile.minor_per_major,
                "today": day_text(today),
                "objects": {level: _counts(account, level, today) for level in LEVELS[1:]},
            }
        )
    return {
        "scenario": world.scenario,
        "seed": world.seed,
        "now": iso_utc(now),
        "accounts": accounts,
        "stories": planted_stories(world, now),
    }


def _counts(account: AccountWorld, level: str, today: int) -> dict[str, int]:
    states = account.effective_status(level, today)
    counts = {name: int(np.sum(states == code)) for code, name in enumerate(STATUS_NAMES)}
    listed = len(states) - counts["ARCHIVED"] - counts["DELETED"]
    return {
        "all": len(states),
        "listed": listed,
        **{name: count for name, count in counts.items() if count},
    }


def insights(engine: ReportEngine, now: float, tick: int, params: dict[str, str]) -> dict[str, Any]:
    """Give the true numbers of an account.

    Args:
        engine: Computes reports.
        now: Unix time, for statuses.
        tick: Refresh tick the numbers are known at.
        params: `account`, `level`, `since`, `until`, `group` (one of `GROUPS`).

    Raises:
        ValueError: If a parameter is missing or wrong.
    """
    number = params.get("account", "").removeprefix("act_")
    account = engine.world.accounts.get(int(number)) if number.isdigit() else None
    if account is None:
        raise ValueError(f"no account {params.get('account')!r}")
    level, group = params.get("level", "ad"), params.get("group", "object_day")
    if level not in LEVELS or group not in GROUPS:
        raise ValueError(f"level must be one of {LEVELS}, group one of {GROUPS}")
    since = date.fromisoformat(params["since"]).toordinal()
    until = date.fromisoformat(params["until"]).toordinal()
    buckets = buckets_of(DayRange(since, until), 1 if group.endswith("day") else "all_days")
    aggregator = Aggregator(engine.delivery, account, tick)
    table = aggregator.table("account" if group in {"day", "total"} else level, buckets, _WANTED)
    answer: dict[str, Any] = {
        "account_id": number,
        "currency": account.profile.currency,
        "level": level,
        "group": group,
        "since": params["since"],
        "until": params["until"],
        "timezone": account.profile.timezone,
        "as_of": iso_utc(tick),
        "minor_per_major": account.profile.minor_per_major,
    }
    if group in {"object_day", "object"}:
        answer["rows"] = _rows(account, level, table, now)
        return answer
    answer["rows"] = _rows(account, "account", table, now)
    listed = aggregator.table("account", buckets, _WANTED, _listed_ads(account, level, now))
    answer["listed_rows"] = _rows(account, "account", listed, now)
    return answer


def _listed_ads(account: AccountWorld, level: str, now: float) -> Any:
    if level == "account":
        return None
    states = account.effective_status(level, account.today(now))
    hidden = np.isin(states, [STATUS_NAMES.index("ARCHIVED"), STATUS_NAMES.index("DELETED")])
    return ~hidden[account.index_of_ads(level)]


def _rows(account: AccountWorld, level: str, table: Table, now: float) -> list[dict[str, Any]]:
    if len(table) == 0:
        return []
    columns = _columns(account, table)
    if level == "account":
        ids = [str(account.profile.number)] * len(table)
        states, hidden = ["ACTIVE"] * len(table), [False] * len(table)
    else:
        ids = [str(n) for n in account.objects(level).id[table.object].tolist()]
        codes = account.effective_status(level, account.today(now))[table.object].tolist()
        states = [STATUS_NAMES[code] for code in codes]
        hidden = [name in {"ARCHIVED", "DELETED"} for name in states]
    parents = _parents(account, level, table)
    first = [day_text(days.since) for days in table.buckets]
    last = [day_text(days.until) for days in table.buckets]
    names = list(columns)
    rows: list[dict[str, Any]] = []
    for i, values in enumerate(zip(*columns.values(), strict=True)):
        bucket = int(table.bucket[i])
        rows.append(
            {
                "id": ids[i],
                "date": first[bucket],
                "date_stop": last[bucket],
                "effective_status": states[i],
                "is_hidden": hidden[i],
                **{name: listed[i] for name, listed in parents.items()},
                **dict(zip(names, values, strict=True)),
            }
        )
    return rows


def _parents(account: AccountWorld, level: str, table: Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if level == "ad":
        found["adset_id"] = (
            account.ad_sets.id[account.ads.ad_set[table.object]].astype(str).tolist()
        )
        found["campaign_id"] = (
            account.campaigns.id[account.ads.campaign[table.object]].astype(str).tolist()
        )
    if level == "adset":
        found["campaign_id"] = (
            account.campaigns.id[account.ad_sets.campaign[table.object]].astype(str).tolist()
        )
    return found


def _columns(account: AccountWorld, table: Table) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, column in _PLAIN.items():
        found[name] = table.columns[column].tolist()
    scale = account.profile.minor_per_major
    found["spend"] = [_decimal(n, scale) for n in found["spend_minor"]]
    found["reach"] = reach_of(table.columns["fresh"], table.columns["impressions"]).tolist()
    mixed = table.setting_low != table.setting_high
    for name, event in _EVENTS.items():
        own = np.zeros(len(table), dtype=np.int64)
        for code, classes in enumerate(SETTING_CLASSES):
            chosen = (table.setting_low == code) & ~mixed
            own[chosen] = sum(table.columns[f"{event}_{c}"][chosen] for c in classes)
        found[name] = [
            None if blank else n for n, blank in zip(own.tolist(), mixed.tolist(), strict=True)
        ]
        for window, classes in WINDOW_CLASSES.items():
            total = sum(table.columns[f"{event}_{c}"] for c in classes)
            found[f"{name}_{window}"] = np.asarray(total).tolist()
    found["revenue"] = [None if n is None else _decimal(n, scale) for n in found["revenue_minor"]]
    found["attribution_setting"] = [
        "mixed" if blank else SETTINGS[low]
        for low, blank in zip(table.setting_low.tolist(), mixed.tolist(), strict=True)
    ]
    return found


def _decimal(minor: int, scale: int) -> str:
    text = format(Decimal(minor) / scale, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def object_names(engine: ReportEngine, number: int, level: str) -> dict[str, str]:
    """Give the names of all objects of a level, archived and deleted ones too."""
    account = engine.world.accounts[number]
    ids = account.objects(level).id.tolist()
    return {str(n): naming.name_of(account, level, i) for i, n in enumerate(ids)}
