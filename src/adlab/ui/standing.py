"""How a client stands: connected or not, read or not, in words fit for a card and a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from adlab.ui.brand import Brand, make_brand
from adlab.ui.formats import ago
from adlab.ui.status import STALE_AFTER

Kind = Literal["attention", "none", "loading", "connected", "imported"]

# The choices of a filter, and which kinds pass each.
FILTERS: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "all": ("All clients", ("attention", "none", "loading", "connected", "imported")),
    "attention": ("Needs attention", ("attention",)),
    "connected": ("Connected", ("connected", "loading")),
    "not_connected": ("Not connected", ("none",)),
    "imported": ("Imported only", ("imported",)),
}

_TROUBLE = {
    "reauth_required": "Meta must be connected again", "revoked": "Access was revoked at Meta",
}  # fmt: skip


@dataclass(frozen=True)
class ClientState:
    """A client and how it stands, as the store knows it.

    Attributes:
        client_id: The store's number.
        slug: For addresses.
        brand: Name, mark and colours.
        accounts: Ad accounts, imported ones included while they hold a file.
        meta: Ad accounts read from Meta.
        currencies: Of its accounts.
        timezones: Of its accounts; its own when it has none.
        connections: Connections to Meta.
        trouble: What is wrong with one of them, or "".
        failed: Accounts whose last reading failed.
        unread: Accounts never read so far.
        checked_at: The oldest last look at an account (aware UTC), or None.
        changed_at: Last time a number moved, or None.
        last_day: Newest day with numbers, or None.
        plan: That a budget of these days is far from its plan, in words, or "".
        ending: Why a connection that still works will soon end, in words, or "".
    """

    client_id: int
    slug: str
    brand: Brand
    accounts: int
    meta: int
    currencies: tuple[str, ...]
    timezones: tuple[str, ...]
    connections: int
    trouble: str
    failed: int
    unread: int
    checked_at: datetime | None
    changed_at: datetime | None
    last_day: date | None
    plan: str = ""
    ending: str = ""

    @property
    def name(self) -> str:
        """The client's name, unescaped."""
        return self.brand.name

    @property
    def is_connected(self) -> bool:
        """Whether Meta is connected and the connection works."""
        return self.connections > 0 and self.meta > 0 and not self.trouble


@dataclass(frozen=True)
class Standing:
    """How a client stands.

    Attributes:
        kind: Chooses mark and filter.
        words: For people.
        tone: `plain`, `warn` or `bad`.
    """

    kind: Kind
    words: str
    tone: Literal["plain", "warn", "bad"] = "plain"


def state_of(row: Mapping[str, Any]) -> ClientState:
    """Build from a row of `read_standings`."""
    zones = row["timezones"] or ([row["timezone"]] if row["timezone"] else ["UTC"])
    return ClientState(
        client_id=row["client_id"], slug=row["slug"],
        brand=make_brand(row["name"], row["slug"], row["brand"]), accounts=row["accounts"],
        meta=row["meta"], currencies=tuple(row["currencies"] or ()), timezones=tuple(zones),
        connections=row["connections"], trouble=row["trouble"] or "", failed=row["failed"],
        unread=row["unread"], checked_at=row["checked_at"], changed_at=row["changed_at"],
        last_day=row["last_day"], ending=row["warning"] or "",
    )  # fmt: skip


def standing_of(state: ClientState, now: datetime) -> Standing:
    """How a client stands now; what needs a person comes first."""
    if state.trouble:
        return Standing("attention", _TROUBLE.get(state.trouble, "The connection has trouble"),
                        "bad")  # fmt: skip
    if not state.accounts:
        return Standing("none", "No ad account yet")
    if state.plan and not state.failed:
        return Standing("attention", state.plan, "bad")
    if not state.meta:
        return Standing("imported", "Imported from files")
    if state.failed:
        which = "The account" if state.meta == 1 else f"{state.failed} of {state.meta} accounts"
        return Standing("attention", f"{which} could not be read", "bad")
    if not state.connections:
        return Standing("none", "Not connected to Meta")
    if state.ending:
        return Standing("attention", "The connection to Meta ends soon", "warn")
    if state.checked_at is None or state.unread:
        return Standing("loading", "History is loading")
    if now - state.checked_at > STALE_AFTER:
        return Standing("attention", f"Last read {ago(state.checked_at, now)}", "warn")
    return Standing("connected", "Connected")


def trouble_first(standing: Standing, name: str) -> tuple[bool, str]:
    """A key that sorts those who need somebody to the front, then by name."""
    return standing.kind != "attention", name.casefold()
