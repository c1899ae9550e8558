"""Hold the levels of an account against each other: a gap is a named number, never a surprise.

The account's own row is what Meta bills, deleted objects included; campaigns, ad sets and ads are
listings, which can leave something out. Where they disagree, the difference is shown with the
reason that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from adlab.core.entities import Level, parse_account_id
from adlab.core.money import MICRO, format_money
from adlab.core.periods import RESTATEMENT_DAYS, DateRange
from adlab.storage.engine import transaction
from adlab.storage.reconciliation import load_client_ids, load_spend_gaps

METRICS = ("spend", "impressions", "clicks", "purchases")
WITHHELD = "mixed attribution withheld"
UNSETTLED = "read at different times, the day still moves"
DELETED = "deleted objects not listed"
UNKNOWN = "unknown"
# How far back each sync looks for gaps on settled days.
WATCHED_DAYS = 180
_APART = timedelta(minutes=15)


@dataclass(frozen=True)
class Gap:
    """One comparison of a level with the account.

    Attributes:
        expected: The account's own value; None when Meta withheld it.
        found: What the level adds up to; None when Meta withheld a part.
        gap: found less expected, or None.
        share: gap per expected, or None.
        reason: Why, where there is a gap and it is known; empty without a gap.
    """

    expected: float | None
    found: float | None
    gap: float | None
    share: float | None
    reason: str


def compare(row: Mapping[str, Any], metric: str, is_settled: bool) -> Gap:
    """Compare one metric of a row of `api.level_gaps`.

    Args:
        row: See `sql/read_level_gaps.sql`.
        metric: One of `METRICS`.
        is_settled: Whether Meta no longer restates the day.
    """
    name = "spend_micro" if metric == "spend" else metric
    expected, found = row[f"{name}_expected"], row[f"{name}_found"]
    if expected is None or found is None:
        return Gap(_major(expected, metric), _major(found, metric), None, None, WITHHELD)
    gap = found - expected
    share = gap / expected if expected else None
    reason = "" if gap == 0 else _why(row, gap, is_settled)
    return Gap(
        _major(expected, metric), _major(found, metric), _major(gap, metric), share, reason
    )  # fmt: skip


def _major(value: float | None, metric: str) -> float | None:
    if value is None:
        return None
    return value / MICRO if metric == "spend" else float(value)


def _why(row: Mapping[str, Any], gap: float, is_settled: bool) -> str:
    at: tuple[datetime | None, datetime | None] = (row.get("expected_at"), row.get("found_at"))
    if not is_settled and at[0] and at[1] and abs(at[0] - at[1]) > _APART:
        return UNSETTLED
    if gap < 0 and row["gone"]:
        return DELETED
    return UNKNOWN


def settled_day(today: date) -> date:
    """The newest day Meta no longer restates."""
    return today - timedelta(days=RESTATEMENT_DAYS + 1)


def spend_warnings(
    engine: Engine, client: str | None, account: str | None, now: datetime
) -> list[str]:
    """One sentence for each account and level whose spend does not add up on settled days.

    Args:
        engine: The owner's engine.
        client: Slug, or None for all.
        account: Account id, or None for all.
        now: Current aware time.
    """
    # Reason: one day more, because the day of an account may be behind that of UTC.
    newest = settled_day(now.date()) - timedelta(days=1)
    period = DateRange(newest - timedelta(days=WATCHED_DAYS), newest)
    number = parse_account_id(account) if account else None
    with transaction(engine) as connection:
        clients = load_client_ids(connection, client, number)
        gaps = load_spend_gaps(connection, clients, period)
    return [_sentence(g) for g in gaps if number is None or g["account_id"] == number]


def _sentence(gap: Mapping[str, Any]) -> str:
    less = gap["found"] - gap["expected"]
    share = f" ({abs(less) / gap['expected']:.2%})" if gap["expected"] else ""
    amount = format_money(abs(less) / MICRO, gap["currency"])
    why = DELETED if less < 0 and gap["gone"] else UNKNOWN
    days = f"{gap['days']} settled day{'s' if gap['days'] != 1 else ''}"
    return (
        f"act_{gap['account_id']}: spend by {Level(gap['level']).word} is {amount}{share} "
        f"{'below' if less < 0 else 'above'} the account's own on {days} "
        f"({gap['first_day']} to {gap['last_day']}); reason: {why}. "
        f'See lab.reconcile(…, since="{gap["first_day"]}").'
    )
