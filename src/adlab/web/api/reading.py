"""Rows of the store as the API's models, and what requests ask for as values."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from adlab.core.entities import Level, parse_account_id, parse_public_id, public_id
from adlab.core.errors import AdlabError
from adlab.core.metrics import MetricDef, metrics
from adlab.core.money import display_decimals, meta_offset
from adlab.core.periods import DateRange, Increment, last_period, today_in
from adlab.web.api import models
from adlab.web.api.auth import Caller
from adlab.web.api.problems import Problem, not_found

USUAL_METRICS = ("spend", "impressions", "clicks", "ctr", "cpc", "cpm")
MOST_DAYS = 1_130
MOST_METRICS = 40
MOST_IDS = 200
LARGEST_ID = 2**63 - 1
_EARLIEST, _LATEST = date(2004, 1, 1), date(2100, 1, 1)
# Reason: whole numbers beyond it lose their end in programs that read JSON into floats.
_EXACT = 2**53


def account_number(text: str) -> int:
    """The number of an account: `act_1001`, or `1001`; what is none is not found."""
    if text.strip() != text:
        raise not_found()
    try:
        return int(parse_account_id(text))
    except ValueError:
        raise not_found() from None


def object_number(text: str) -> int:
    """The number of an object; what is none is not found."""
    try:
        found = parse_public_id(text)
    except ValueError:
        raise not_found() from None
    if text.strip() != text or abs(found) > LARGEST_ID:
        raise not_found()
    return found


def object_numbers(texts: Iterable[str]) -> tuple[int, ...]:
    """Numbers of several objects; repeated or with commas between.

    Raises:
        Problem: 422 if one is no id, or there are too many.
    """
    found = []
    for part in (p for t in texts for p in t.split(",") if p):
        try:
            found.append(parse_public_id(part))
        except ValueError:
            raise Problem(422, "object_id holds what is no id.") from None
        if abs(found[-1]) > LARGEST_ID:
            raise Problem(422, "object_id holds what is no id.")
    if len(found) > MOST_IDS:
        raise Problem(422, f"At most {MOST_IDS} ids at once.")
    return tuple(dict.fromkeys(found))


def metric_list(texts: Sequence[str]) -> tuple[MetricDef, ...]:
    """Metrics by name; repeated or with commas between; the usual ones when none is named.

    Raises:
        Problem: 422 if one is unknown, or there are too many.
    """
    names = [n for t in texts for n in t.split(",") if n.strip()]
    if len(names) > MOST_METRICS:
        raise Problem(422, f"At most {MOST_METRICS} metrics at once.")
    return metrics(names or USUAL_METRICS)


def increment_of(text: str) -> Increment:
    """Days of a period: 1 to 90, monthly, all_days."""
    if text == "monthly":
        return "monthly"
    if text == "all_days":
        return "all_days"
    return int(text)


def period_of(
    caller: Caller, zones: Iterable[str], last: str | None, since: date | None, until: date | None
) -> DateRange:
    """The days asked for; 30 complete days when nothing is said.

    Accounts in several timezones share the days that all have completed, as in the workbench.

    Raises:
        Problem: 422 if they contradict each other, or are too many.
    """
    today = min({today_in(z, caller.now()) for z in zones} or {today_in("UTC", caller.now())})
    if last is not None and (since is not None or until is not None):
        raise Problem(422, "Give either last, or since and until.")
    if until is not None and since is None:
        raise Problem(422, "until needs since.")
    try:
        if since is None:
            found = last_period(last or "30d", today)
        else:
            found = DateRange(since, until or today - timedelta(days=1))
    except (ValueError, OverflowError) as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:200]}.") from None
    if found.since < _EARLIEST or found.until > _LATEST or found.days > MOST_DAYS:
        raise Problem(422, f"At most {MOST_DAYS} days, from 2004 on.")
    return found


def zones_of(caller: Caller, client_ids: Sequence[int]) -> set[str]:
    """Timezones of these clients' accounts, as the workbench counts them."""
    return {
        r["timezone"] for r in caller.reader.rows("api_zones", client_ids=list(client_ids))
    }  # fmt: skip


def account_of(caller: Caller, text: str) -> dict[str, Any]:
    """The row of an account that this token sees.

    Raises:
        Problem: 404 if there is none.
    """
    rows = caller.reader.rows(
        "api_account", account_id=account_number(text), client_ids=caller.client_ids
    )
    if not rows:
        raise not_found()
    caller.about(rows[0]["slug"])
    return rows[0]


def object_of(caller: Caller, text: str, level: Level | None = None) -> dict[str, Any]:
    """The row of a campaign, ad set or ad that this token sees.

    Raises:
        Problem: 404 if there is none.
    """
    rows = caller.reader.rows(
        "api_object", object_id=object_number(text), client_ids=caller.client_ids
    )
    rows = [r for r in rows if level is None or r["level"] == level]
    if not rows:
        raise not_found()
    caller.about(rows[0]["slug"])
    return rows[0]


def amount(minor: int | None, currency: str) -> str | None:
    """Whole offset units as an exact amount; None where nothing is known."""
    if minor is None:
        return None
    return f"{Decimal(minor) / meta_offset(currency):.{display_decimals(currency)}f}"


def account_model(row: Mapping[str, Any]) -> models.Account:
    """A row of accounts as the API shows it."""
    return models.Account(
        id=f"act_{row['account_id']}", client=row["slug"], name=row["name"],
        currency=row["currency"], timezone=row["timezone"], account_status=row["account_status"],
        disable_reason=row["disable_reason"], source=row["source"],
        amount_spent=amount(row["amount_spent_minor"], row["currency"]),
        spend_cap=amount(row["spend_cap_minor"], row["currency"]), seen_at=row["seen_at"],
    )  # fmt: skip


def object_model(row: Mapping[str, Any]) -> models.AdObject:
    """A row of objects as the API shows it."""
    return models.AdObject(
        id=public_id(row["object_id"]), level=word(row["level"]), client=row["slug"],
        account_id=f"act_{row['account_id']}", campaign_id=_id(row["campaign_id"]),
        adset_id=_id(row["ad_set_id"]), creative_id=_id(row["creative_id"]), name=row["name"],
        status=row["status"], effective_status=row["effective_status"],
        objective=row["objective"], optimization_goal=row["optimization_goal"],
        bid_strategy=row["bid_strategy"], currency=row["currency"],
        daily_budget=amount(row["daily_budget_minor"], row["currency"]),
        lifetime_budget=amount(row["lifetime_budget_minor"], row["currency"]),
        created_at=row["created_at"], updated_at=row["updated_at"], start_at=row["start_at"],
        stop_at=row["stop_at"], deleted=row["vanished_at"] is not None,
    )  # fmt: skip


def word(level: int) -> Literal["campaign", "adset", "ad"]:
    """Meta's word for a level below the account's."""
    if level == Level.CAMPAIGN:
        return "campaign"
    return "adset" if level == Level.AD_SET else "ad"


def _id(number: int | None) -> str | None:
    return None if number is None else public_id(number)


def metric_values(row: Mapping[str, Any], wanted: Sequence[MetricDef]) -> dict[str, float | None]:
    """Metrics from the sums of one row; None where unknown, and for ratios over nothing.

    Reason: the same arithmetic as `services.insights.values`, which works on whole frames.
    """
    found: dict[str, float | None] = {}
    for m in wanted:
        if m.kind == "ratio":
            above, below = row[f"n_{m.name}"], row[f"d_{m.name}"]
            value = above / below * m.scale if above is not None and below else None
        else:
            value = row[f"m_{m.name}"]
        found[m.name] = None if value is None or not math.isfinite(value) else float(value)
    return found


def period_end(start: date, period: DateRange, increment: Increment) -> date:
    """Last day of the period of a row that begins on `start`."""
    if increment == "all_days":
        return period.until
    if increment == "monthly":
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        return min(following - timedelta(days=1), period.until)
    return min(start + timedelta(days=increment - 1), period.until)


def write_cursor(*parts: object) -> str:
    """Where a page ended, as text that is only meant for us."""
    body = json.dumps([str(p) if isinstance(p, date) else p for p in parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read_cursor(text: str | None, kinds: Sequence[type]) -> list[Any] | None:
    """What `write_cursor` wrote; None without one.

    Raises:
        Problem: 422 if it is none of ours.
    """
    if text is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(found, list) or len(found) != len(kinds):
            raise ValueError
        out: list[Any] = []
        for part, kind in zip(found, kinds, strict=True):
            if kind is date:
                out.append(None if part is None else date.fromisoformat(str(part)))
            elif type(part) is not int or abs(part) > LARGEST_ID:
                raise ValueError
            else:
                out.append(part)
        return out
    except (ValueError, TypeError, RecursionError):
        raise Problem(422, "cursor is none of ours; begin again without it.") from None


def parse_slug(text: str) -> str:
    """A slug as it came; what cannot be one is not found."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise not_found()
    return text


def harmless(value: Any) -> Any:
    """Any JSON, with whole numbers as text where a float would lose their end."""
    if isinstance(value, dict):
        return {str(k): harmless(v) for k, v in value.items()}
    if isinstance(value, list):
        return [harmless(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return value


def told(error: AdlabError | ValueError) -> Problem:
    """A question that makes no sense, as a problem."""
    text = str(error)
    return Problem(422, f"{text[:1].upper()}{text[1:500]}")
