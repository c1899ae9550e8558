"""The agency overview's state as it stands in the address: what is asked, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlencode

from adlab.core.periods import DateRange
from adlab.ui.address import LONGEST_SEARCH, Address, Theme
from adlab.ui.standing import FILTERS

RANGES = {
    "7d": "7 days", "14d": "14 days", "30d": "30 days", "90d": "90 days", "mtd": "Month to date",
    "last_month": "Last month",
}  # fmt: skip
NUMBERS = ("spend", "change", "roas", "link_ctr", "purchases")
# Columns to sort by; the first way of each is what one looks for first.
SORTS = {
    "name": "name", "status": "status", **{n: f"-{n}" for n in NUMBERS}, "last_day": "last_day",
    "checked": "checked",
}  # fmt: skip
OWN = "own"


@dataclass(frozen=True)
class OverviewAddress:
    """What the overview shows.

    Attributes:
        range: A key of `RANGES`.
        search: Part of a client's name.
        status: A key of `standing.FILTERS`.
        sort: A key of `SORTS`, with a leading `-` for largest first.
        page: Page of the table, from 1.
        currency: `own`, or the code of one currency to show totals in.
        theme: `auto` follows the system.
    """

    range: str = "7d"
    search: str = ""
    status: str = "all"
    sort: str = "status"
    page: int = 1
    currency: str = OWN
    theme: Theme = "auto"

    def query(self) -> str:
        """The address's query string, without what is default."""
        base = OverviewAddress()
        names = ("range", "currency", "search", "status", "sort", "page", "theme")
        pairs = [(n, str(getattr(self, n))) for n in names if getattr(self, n) != getattr(base, n)]
        return urlencode(pairs)

    def link(self, **changes: Any) -> str:
        """The relative address of this state with some parts changed; filters go to page 1."""
        if changes.keys() & {"search", "status", "sort"}:
            changes.setdefault("page", 1)
        return "?" + replace(self, **changes).query()

    def sorted_by(self, column: str) -> str:
        """The address that sorts by a column: its usual way, then the other way round."""
        first = SORTS[column]
        other = first[1:] if first.startswith("-") else f"-{first}"
        return self.link(sort=other if self.sort == first else first)

    def period(self, today: date) -> DateRange:
        """The complete days shown."""
        return Address(range=self.range).period(today)

    def before(self, period: DateRange) -> DateRange:
        """The days compared with: as many before, or the same of the month before."""
        return Address(range=self.range).before(period) or period.previous()


def parse_overview_address(query: str) -> tuple[OverviewAddress, tuple[str, ...]]:
    """Read an address.

    Returns:
        The state, and a sentence for each part that could not be read.
    """
    given = {k: v[-1] for k, v in parse_qs(query.lstrip("?")[:4000]).items()}
    found: dict[str, Any] = {}
    notes: list[str] = []
    ways = (*SORTS, *(f"-{s}" for s in SORTS))
    for name, known, what in (
        ("range", tuple(RANGES), "range"), ("status", tuple(FILTERS), "status"),
        ("sort", ways, "column to sort by"), ("theme", ("auto", "light", "dark"), "theme"),
    ):  # fmt: skip
        if name in given:
            if given[name] in known:
                found[name] = given[name]
            else:
                notes.append(f"There is no {what} “{given[name][:30]}”; showing the usual one.")
    if "search" in given:
        found["search"] = given["search"].strip()[:LONGEST_SEARCH]
    code = given.get("currency", OWN)
    if code != OWN:
        if len(code) == 3 and code.isascii() and code.isupper() and code.isalpha():
            found["currency"] = code
        else:
            notes.append(f"“{code[:30]}” is not a currency code; showing each currency.")
    page = given.get("page", "1")
    if page.isascii() and page.isdigit() and 1 <= int(page[:9]) <= 100_000:
        found["page"] = int(page)
    else:
        notes.append(f"There is no page “{page[:30]}”; showing the first.")
    return OverviewAddress(**found), tuple(notes)
