"""The change history edge: what happens to the built world, and what calls changed."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np

from adlab.simulator import naming, periods
from adlab.simulator.delivery import budget_level
from adlab.simulator.entities import Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.wire import GraphRequest, read_cursor, whole, write_cursor
from adlab.simulator.world import NEVER

_STEP_DAYS = 14


def list_activities(moment: Moment, request: GraphRequest) -> dict[str, Any]:
    """Read a page of an account's change history, newest first; the last 7 days by default."""
    since = _day(request.params.get("since"), moment, moment.today - 7)
    until = _day(request.params.get("until"), moment, moment.today)
    events = [
        event
        for event in _events(moment, since, until)
        if request.params.get("category") in (None, event[1])
    ]
    events.sort(key=lambda event: -event[0])
    limit = min(max(request.integer("limit", 25), 1), 1000)
    cursor = request.params.get("after")
    start = whole(read_cursor(cursor, 2)[1]) if cursor else 0
    rows = [event[2] for event in events[start : start + limit]]
    answer: dict[str, Any] = {"data": rows}
    if rows:
        after = write_cursor(("activity", start + len(rows)))
        answer["paging"] = {
            "cursors": {"before": write_cursor(("activity", start)), "after": after}
        }
        if start + len(rows) < len(events):
            answer["paging"]["next"] = request.page_url(after)
    return answer


def _day(text: str | None, moment: Moment, default: int) -> int:
    if not text:
        return default
    if text.isdigit():
        return moment.account.today(int(text))
    try:
        return date.fromisoformat(text[:10]).toordinal()
    except ValueError:
        raise invalid_parameter("since and until must be dates or Unix times") from None


def _events(moment: Moment, since: int, until: int) -> list[tuple[int, str, dict[str, Any]]]:
    account = moment.account
    campaigns = account.campaigns
    found: list[tuple[int, str, dict[str, Any]]] = []
    for index in range(account.built("campaign")):
        start, end = int(campaigns.start[index]), int(campaigns.end[index])
        first = start + max(-(-(since - start) // _STEP_DAYS), 1) * _STEP_DAYS
        for day in range(first, min(end, until) + 1, _STEP_DAYS):
            old, new = _budget(moment, index, day - 1), _budget(moment, index, day)
            found.append(
                _event(
                    moment,
                    index,
                    day,
                    25_200,
                    "BUDGET",
                    "update_campaign_budget",
                    {"old_value": old, "new_value": new, "currency": account.profile.currency},
                )
            )
        for day, second, old_run, new_run in (
            (end + 1, 1800, "Active", "Inactive"),
            (int(campaigns.archived_on[index]), 36_000, "Inactive", "Archived"),
            (int(campaigns.deleted_on[index]), 37_800, "Inactive", "Deleted"),
        ):
            if since <= day <= until and day != NEVER:
                found.append(
                    _event(
                        moment,
                        index,
                        day,
                        second,
                        "STATUS",
                        "update_campaign_run_status",
                        {"old_value": old_run, "new_value": new_run},
                    )
                )
    found += _creations(moment, since, until)
    found += [event for event in account.edits.events if since <= account.today(event[0]) <= until]
    return [event for event in found if event[0] <= moment.now]


def _creations(moment: Moment, since: int, until: int) -> list[tuple[int, str, dict[str, Any]]]:
    """Tell of the objects that were made in a span of days."""
    account, zone = moment.account, moment.account.zone
    first, last = periods.day_start(zone, since), periods.day_start(zone, until + 1)
    found: list[tuple[int, str, dict[str, Any]]] = []
    for level, category, kind in (
        ("campaign", "CAMPAIGN", "create_campaign_group"),
        ("adset", "AD_SET", "create_ad_set"),
        ("ad", "AD", "create_ad"),
    ):
        made = moment.column("created", level)[: account.built(level)]
        for index in np.flatnonzero((made >= first) & (made < last)).tolist():
            entry = _entry(moment, level, index, int(made[index]), category, kind, {})
            found.append((int(made[index]), category, entry))
    return found


def _budget(moment: Moment, index: int, day: int) -> int:
    campaigns = moment.account.campaigns
    who = campaigns.start[index : index + 1] * 0 + index
    level = float(budget_level(moment.account, who, who * 0 + day)[0])
    return round(float(campaigns.budget[index]) * level) * moment.account.profile.minor_per_major


def _event(
    moment: Moment,
    index: int,
    day: int,
    second: int,
    category: str,
    kind: str,
    extra: dict[str, Any],
) -> tuple[int, str, dict[str, Any]]:
    at = periods.day_start(moment.account.zone, day) + second
    return at, category, _entry(moment, "campaign", index, at, "CAMPAIGN", kind, extra)


def _entry(
    moment: Moment,
    level: str,
    index: int,
    at: int,
    object_type: str,
    kind: str,
    extra: dict[str, Any],
) -> dict[str, Any]:
    account = moment.account
    return {
        "actor_id": "9001",
        "actor_name": "Demo Buyer",
        "application_id": "555",
        "event_type": kind,
        "translated_event_type": kind.replace("_", " "),
        "event_time": periods.local_text(account.zone, at),
        "object_id": str(account.objects(level).id[index]),
        "object_type": object_type,
        "object_name": naming.name_of(account, level, index),
        "extra_data": json.dumps(extra),
    }
