"""The status strip: how fresh and how final the numbers are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adlab.core.periods import DateRange, Epoch, epochs_between
from adlab.ui.figures import Freshness
from adlab.ui.formats import ago, day

# Reason: Meta refreshes every quarter of an hour; two missed hours are no hiccup.
STALE_AFTER = timedelta(hours=2)


@dataclass(frozen=True)
class Item:
    """A piece of the strip.

    Attributes:
        text: What it says; for times, the words before the time.
        tone: `plain`, `warn` or `bad`.
        at: ISO instant that the page keeps counting from, or "".
        since: That instant in words now.
        detail: What the pointer shows.
        link: Words and address of what helps, or None.
    """

    text: str
    tone: str = "plain"
    at: str = ""
    since: str = ""
    detail: str = ""
    link: tuple[str, str] | None = None


@dataclass(frozen=True)
class Strip:
    """The strip, and whether the numbers below are stale."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]
    stale: bool


def make_strip(
    fresh: Freshness, period: DateRange, before: DateRange | None, now: datetime,
    reconnect: str = "",
) -> Strip:  # fmt: skip
    """Put the strip together.

    Args:
        fresh: Sync state of the client.
        period: Days shown; definition changes inside become notes.
        before: Days compared with.
        now: The current instant (aware).
        reconnect: Where whoever looks can connect again; "" when they may not.
    """
    items: list[Item] = []
    stale = False
    if fresh.imported:
        items.append(_since("Imported", fresh.changed_at, now))
    elif fresh.checked_at is None:
        items.append(Item("Not checked yet", "warn"))
    else:
        stale = now - fresh.checked_at > STALE_AFTER
        why = (
            "Meta has not been read for longer than usual; numbers may be behind." if stale
            else "Last time every account was read from Meta."
        )  # fmt: skip
        items.append(_since("Checked", fresh.checked_at, now, "warn" if stale else "plain", why))
        if fresh.changed_at:
            moved = "Last time a number moved."
            items.append(_since("changed", fresh.changed_at, now, detail=moved))
    if not fresh.reaches(period) and fresh.since is not None:
        begins = f"history begins {day(fresh.since, year=True)}"
        items.append(Item(begins, "warn", detail="Earlier days are not loaded."))
    if fresh.loading:
        older = "Older days appear as they come."
        items.append(Item("history still loading", "warn", detail=older))
    settled = "Meta still revises later days: purchases arrive for up to 28 days."
    items.append(Item(f"settled through {day(fresh.settled_through)}", detail=settled))
    for account, error in list(fresh.failures.items())[:3]:
        items.append(Item(f"{account} could not be read", "bad", detail=error))
    if fresh.connection == "expiring":
        items.append(_remedy("The connection to Meta ends soon", "warn", fresh, reconnect))
    elif fresh.connection not in ("ok", "not connected") and not fresh.imported:
        items.append(_remedy("Meta must be connected again", "bad", fresh, reconnect))
        stale = True
    first = before.since if before else period.since
    notes = tuple(_note(e) for e in epochs_between(fresh.epochs, first, period.until))
    return Strip(tuple(items), notes, stale or bool(fresh.failures))


def _remedy(text: str, tone: str, fresh: Freshness, reconnect: str) -> Item:
    """What is wrong with the connection, why, and what helps whoever looks."""
    if reconnect:
        return Item(text, tone, detail=fresh.trouble, link=("Reconnect", reconnect))
    return Item(f"{text}: ask an admin of the agency", tone, detail=fresh.trouble)


def _since(
    text: str, at: datetime | None, now: datetime, tone: str = "plain", detail: str = ""
) -> Item:
    if at is None:
        return Item(text, tone, detail=detail)
    return Item(text, tone, at.isoformat(), ago(at, now), detail)


def _note(epoch: Epoch) -> str:
    return f"{day(epoch.starts_on, year=True)}: {epoch.title}. {epoch.detail}"
