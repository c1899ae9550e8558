"""The change history edge: budget steps, pauses and archiving of campaigns, as events."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

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
    for index in range(len(campaigns)):
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
    return [event for event in found if event[0] <= moment.now]


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
    account = moment.account
    at = periods.day_start(account.zone, day) + second
    return (
        at,
        category,
        {
            "actor_id": "9001",
            "actor_name": "Demo Buyer",
            "application_id": "555",
            "event_type": kind,
            "translated_event_type": kind.replace("_", " "),
            "event_time": periods.local_text(account.zone, at),
            "object_id": str(account.campaigns.id[index]),
            "object_type": "CAMPAIGN",
            "object_name": naming.name_of(account, "campaign", index),
            "extra_data": json.dumps(extra),
        },
    )
