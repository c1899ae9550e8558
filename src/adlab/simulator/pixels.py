"""Counts of a pixel's events per hour: what the world's visitors did, and events sent by server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from adlab.simulator import periods
from adlab.simulator.delivery import CLASSES
from adlab.simulator.entities import Moment
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.periods import DayRange, day_start
from adlab.simulator.reporting import Aggregator
from adlab.simulator.restatement import hour_shares
from adlab.simulator.wire import GraphRequest

_EVENTS = {
    "Purchase": "purchase",
    "InitiateCheckout": "checkout",
    "AddToCart": "cart",
    "ViewContent": "view",
    "Lead": "lead",
}
_LONGEST_DAYS = 28


def stats(moment: Moment, request: GraphRequest, sent: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """Answer the stats edge with hourly counts by event, newest hour last.

    Args:
        moment: The pixel's account.
        request: Carries `aggregation` (only `event`), `start_time` and `end_time` (Unix).
        sent: Unix time and name of events that came through the Conversions API.

    Raises:
        GraphError: If another aggregation is asked, or the span is wrong.
    """
    if request.params.get("aggregation", "event") != "event":
        raise invalid_parameter("aggregation must be one of the following values: event")
    end = request.integer("end_time", int(moment.now))
    start = request.integer("start_time", end - 86_400)
    if start > end or end - start > _LONGEST_DAYS * 86_400:
        raise invalid_parameter("start_time must be before end_time and at most 28 days earlier")
    counts: dict[int, Counter[str]] = {}
    account = moment.account
    for day in range(account.today(start), account.today(min(end, moment.now)) + 1):
        _count_day(moment, day, counts)
    for at, name in sent:
        counts.setdefault(at // 3600 * 3600, Counter())[name] += 1
    hours = sorted(hour for hour in counts if start <= hour + 3599 and hour <= end)
    return {
        "data": [
            {
                "start_time": periods.local_text(account.zone, hour),
                "aggregation": "event",
                "data": [
                    {"value": name, "count": count} for name, count in sorted(counts[hour].items())
                ],
            }
            for hour in hours
            if counts[hour]
        ]
    }


def _count_day(moment: Moment, day: int, counts: dict[int, Counter[str]]) -> None:
    """Spread a day's conversions over its hours; the hours add up to the day."""
    wanted = frozenset(f"{event}_{c}" for event in _EVENTS.values() for c in CLASSES)
    account = moment.account
    table = Aggregator(moment.engine.delivery, account, moment.tick).table(
        "account", [DayRange(day, day)], wanted
    )
    if len(table) == 0:
        return
    start, shares = day_start(account.zone, day), hour_shares(account.zone, day)
    begun = min(int((moment.now - start) // 3600) + 1, len(shares))
    for name, event in _EVENTS.items():
        total = int(sum(table.columns[f"{event}_{c}"][0] for c in CLASSES))
        below, passed, whole = 0, 0.0, sum(shares[:begun])
        for hour in range(begun):
            passed += shares[hour]
            upto = total if hour == begun - 1 else int(total * passed / whole)
            if upto > below:
                counts.setdefault(start + hour * 3600, Counter())[name] += upto - below
            below = upto
