"""A board's state as it stands in the address: what is asked, nothing else.

Every state has one address and every address gives a state. Wrong values are replaced by their
default and told in a note, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

from adlab.core.entities import parse_public_id, public_id
from adlab.core.errors import UnknownMetricError
from adlab.core.metrics import metric
from adlab.core.periods import DateRange, last_period, months_back

RANGES = {
    "7d": "7 days", "14d": "14 days", "30d": "30 days", "90d": "90 days", "mtd": "Month to date",
    "last_month": "Last month", "13m": "13 months",
}  # fmt: skip
COMPARISONS = {
    "previous": "Previous period", "year": "Same days last year", "none": "No comparison",
}  # fmt: skip
STATUSES = {"all": "All statuses", "active": "Active", "paused": "Paused", "archived": "Archived"}
METRICS = (
    "spend", "impressions", "link_clicks", "purchases", "revenue", "roas", "cpa", "link_ctr",
)  # fmt: skip
SORTS = ("name", *METRICS)
SIZE = 20
MOST_CAMPAIGNS = 50
LONGEST_SEARCH = 80
# Reason: Meta serves 37 months, but imported files reach as far back as the store keeps rows.
OLDEST_MONTHS = 12 * 12

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True)
class Address:
    """What a board shows.

    Attributes:
        client: Slug, or "" when none is named.
        range: A key of `RANGES`, or `custom` with `since` and `until`.
        since: First day of a custom range.
        until: Last day of a custom range.
        compare: A key of `COMPARISONS`.
        metric: The metric of the chart, one of `METRICS`.
        campaigns: Only these campaigns (the store's numbers), or all.
        search: Part of a campaign's name.
        status: A key of `STATUSES`.
        sort: A column of the table, with a leading `-` for largest first.
        page: Page of the table, from 1.
        theme: `auto` follows the system.
    """

    client: str = ""
    range: str = "30d"
    since: date | None = None
    until: date | None = None
    compare: str = "previous"
    metric: str = "spend"
    campaigns: tuple[int, ...] = ()
    search: str = ""
    status: str = "all"
    sort: str = "-spend"
    page: int = 1
    theme: Theme = "auto"

    def query(self) -> str:
        """The address's query string, without what is default."""
        base = Address()
        pairs: list[tuple[str, str]] = [("client", self.client)] if self.client else []
        for name in ("range", "compare", "metric", "search", "status", "sort", "page", "theme"):
            value = getattr(self, name)
            if value != getattr(base, name):
                pairs.append((name, str(value)))
        if self.range == "custom" and self.since and self.until:
            pairs += [("since", self.since.isoformat()), ("until", self.until.isoformat())]
        if self.campaigns:
            pairs.append(("campaigns", ",".join(public_id(i) for i in self.campaigns)))
        return urlencode(pairs, safe=",")

    def link(self, **changes: Any) -> str:
        """The relative address of this state with some parts changed; filters go to page 1."""
        if changes.keys() & {"search", "status", "sort", "campaigns", "client", "range"}:
            changes.setdefault("page", 1)
        return "?" + replace(self, **changes).query()

    def sorted_by(self, column: str) -> str:
        """The address that sorts by a column: largest first, then the other way round."""
        first = column if column == "name" else f"-{column}"
        other = f"-{column}" if column == "name" else column
        return self.link(sort=other if self.sort == first else first)

    def period(self, today: date) -> DateRange:
        """The days shown, today left out unless it is named."""
        if self.range == "custom" and self.since and self.until:
            return DateRange(self.since, self.until)
        return last_period(self.range if self.range in RANGES else "30d", today)

    def before(self, period: DateRange) -> DateRange | None:
        """The days to compare with."""
        if self.compare == "previous":
            return _month_before(self.range, period) or period.previous()
        return period.previous_year() if self.compare == "year" else None


def _month_before(name: str, period: DateRange) -> DateRange | None:
    """Month to date compares with the same days of the month before, a month with a month."""
    if name == "last_month":
        end = period.since - timedelta(days=1)
        return DateRange(end.replace(day=1), end)
    if name == "mtd" and period.since.day == 1:
        start = months_back(period.since, 1)
        # Reason: a month has no 31st; comparing fewer days would show a fall that is none.
        return DateRange(start, min(start + timedelta(days=period.days - 1),
                                    period.since - timedelta(days=1)))  # fmt: skip
    return None


def parse_address(query: str, today: date) -> tuple[Address, tuple[str, ...]]:
    """Read an address.

    Args:
        query: The query string, with or without its question mark.
        today: The client's current day.

    Returns:
        The state, and a sentence for each part that could not be read.
    """
    given = {k: v[-1] for k, v in parse_qs(query.lstrip("?")[:4000]).items()}
    notes: list[str] = []
    found: dict[str, Any] = {}

    def choice(name: str, known: tuple[str, ...], what: str) -> None:
        if name in given:
            if given[name] in known:
                found[name] = given[name]
            else:
                notes.append(f"There is no {what} “{_short(given[name])}”; showing the usual one.")

    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", given.get("client", "")):
        found["client"] = given["client"]
    choice("range", (*RANGES, "custom"), "range")
    choice("compare", tuple(COMPARISONS), "comparison")
    choice("status", tuple(STATUSES), "status")
    choice("theme", ("auto", "light", "dark"), "theme")
    choice("sort", (*SORTS, *(f"-{s}" for s in SORTS)), "column to sort by")
    _read(given, "metric", _metric, found, notes)
    _read(given, "page", _page, found, notes)
    _read(given, "campaigns", _campaigns, found, notes)
    if "search" in given:
        found["search"] = given["search"].strip()[:LONGEST_SEARCH]
    _dates(given, today, found, notes)
    return Address(**found), tuple(notes)


def _read(
    given: dict[str, str],
    name: str,
    how: Callable[[str], Any],
    found: dict[str, Any],
    notes: list[str],
) -> None:
    if name in given:
        try:
            found[name] = how(given[name])
        except ValueError as error:
            notes.append(str(error))


def _metric(text: str) -> str:
    try:
        name = metric(text).name
    except UnknownMetricError:
        name = ""
    if name not in METRICS:
        raise ValueError(f"There is no metric “{_short(text)}” on this board; showing spend.")
    return name


def _page(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 100_000:
        raise ValueError(f"There is no page “{_short(text)}”; showing the first.")
    return int(text)


def _campaigns(text: str) -> tuple[int, ...]:
    try:
        ids = tuple(dict.fromkeys(parse_public_id(t) for t in text.split(",") if t))
    except ValueError:
        raise ValueError(
            f"“{_short(text)}” is not a list of campaigns; showing all of them."
        ) from None
    if len(ids) > MOST_CAMPAIGNS or any(abs(i) >= 2**63 for i in ids):
        raise ValueError(f"At most {MOST_CAMPAIGNS} campaigns can be chosen; showing all of them.")
    return ids


def _dates(given: dict[str, str], today: date, found: dict[str, Any], notes: list[str]) -> None:
    if found.get("range") != "custom" and not ("since" in given and "range" not in given):
        return
    try:
        since, until = (date.fromisoformat(given.get(n, "")) for n in ("since", "until"))
        until = min(until, today)
        since = max(since, months_back(today, OLDEST_MONTHS))
        period = DateRange(since, until)
    except ValueError:
        notes.append("These dates are not a period; showing the last 30 days.")
        found["range"] = "30d"
        return
    found |= {"range": "custom", "since": period.since, "until": period.until}


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
