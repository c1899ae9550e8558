"""The start page: a person's clients as cards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adlab.storage.tenancy import Reader
from adlab.ui.brand import Brand, make_brand
from adlab.ui.formats import ago, money

_TROUBLE = {"reauth_required": "Meta must be connected again", "revoked": "Access was revoked"}


@dataclass(frozen=True)
class Card:
    """One client.

    Attributes:
        slug: For the address of its board.
        brand: Name and mark.
        spend: Spend of 30 complete days, one text a currency.
        state: What is worth knowing, in words.
        tone: `plain` or `bad`.
    """

    slug: str
    brand: Brand
    spend: tuple[str, ...]
    state: str
    tone: str


def load_cards(reader: Reader, now: datetime | None = None) -> list[Card]:
    """The clients this person may see, those in trouble first."""
    now = now or datetime.now(UTC)
    until = now.date() - timedelta(days=1)
    amounts: dict[int, list[tuple[str, float]]] = {}
    for r in reader.rows("read_client_spend", since=until - timedelta(days=29), until=until):
        amounts.setdefault(r["client_id"], []).append((r["currency"], r["spend"] or 0.0))
    cards = []
    for r in reader.rows("read_clients"):
        spend = sorted(amounts.get(r["client_id"], []), key=lambda a: -a[1])
        state, tone = _state(r["accounts"], r["connection_trouble"], r["checked_at"], now)
        cards.append(
            Card(r["slug"], make_brand(r["name"], r["slug"], r["brand"]),
                 tuple(money(a, c, tile=True) for c, a in spend), state, tone)
        )  # fmt: skip
    return sorted(cards, key=lambda c: (c.tone != "bad", c.brand.name.casefold()))


def _state(
    accounts: int, trouble: str | None, checked_at: datetime | None, now: datetime
) -> tuple[str, str]:
    if not accounts:
        return "No ad account yet", "plain"
    if trouble:
        return _TROUBLE.get(trouble, "The connection has trouble"), "bad"
    plural = f"{accounts} account{'s' if accounts != 1 else ''}"
    if checked_at is None:
        return f"{plural} · history still loading", "plain"
    return f"{plural} · checked {ago(checked_at, now)}", "plain"
