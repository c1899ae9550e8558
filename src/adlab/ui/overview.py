"""The agency overview: from state and figures to regions of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adlab.core.periods import DateRange
from adlab.ui.client_board import Part
from adlab.ui.formats import money, percent, span
from adlab.ui.overview_address import OWN, RANGES, OverviewAddress
from adlab.ui.overview_figures import InOne, OverviewFigures, relative
from adlab.ui.overview_table import Entry, entries_of, make_client_table
from adlab.ui.pages import render
from adlab.ui.standing import FILTERS, ClientState
from adlab.ui.who import Who
from adlab.ui.wire import Drawn
from adlab.ui.wording import in_days

REGIONS = ("header", "lead", "controls", "tiles", "clients")
TITLES = ("Total clients", "Total spend", "Meta connected", "Average spend per client")
_SHOWN_CURRENCIES = 3


@dataclass(frozen=True)
class Card:
    """One of the four cards.

    Attributes:
        title: Exactly as the product names it.
        values: What stands large, one text a currency or the only one.
        asides: What stands beside each of them, in words, or "".
        note: One line below, in words.
        tip: What the number means.
    """

    title: str
    values: tuple[str, ...]
    note: str
    tip: str
    asides: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Each value with what stands beside it."""
        asides = (*self.asides, *("" for _ in self.values))
        return tuple(zip(self.values, asides, strict=False))


def draw_overview(
    who: Who,
    address: OverviewAddress,
    notes: Sequence[str],
    now: datetime,
    states: Sequence[ClientState],
    figures: Part[OverviewFigures],
    in_one: InOne,
) -> Drawn:
    """Draw the whole overview."""
    entries = entries_of(states, figures.value, now)
    regions = dict.fromkeys(REGIONS, "")
    regions["header"] = str(render("header", who=who, address=address))
    if not states:
        regions["lead"] = str(render("overview_empty", notes=notes, who=who))
    else:
        known = figures.value
        said = headline(entries, known, address, in_one)
        period = known.period if known is not None else None
        regions |= {
            "lead": str(render("lead", sentences=[said], notes=notes, loading=False)),
            "controls": _controls(address, period, known, in_one, who),
            "tiles": _tiles(entries, figures, in_one),
            "clients": _clients(entries, figures, address, now),
        }
    return Drawn(
        regions, address.query(), "Agency overview", pending=figures.state == "loading",
        say=headline(entries, figures.value, address, in_one) if states else "",
        frame=frame(who, address, bool(states)),
        listens=frozenset(s.client_id for s in states),
    )  # fmt: skip


def draw_closed(
    who: Who, address: OverviewAddress, title: str, text: str, *, trouble: bool = False,
    button: tuple[str, str] | None = None,
) -> Drawn:  # fmt: skip
    """An overview that shows nothing, and why; `trouble` when it tries again by itself."""
    regions = dict.fromkeys(REGIONS, "")
    regions["header"] = str(render("header", who=who, address=address))
    regions["lead"] = str(
        render("empty", notes=(), title=title, text=text, button=button, busy=False)
    )
    return Drawn(regions, address.query(), f"{title} · adlab", pending=trouble,
                 trouble=f"{title} {text}" if trouble else "",
                 frame=frame(who, address, False))  # fmt: skip


def frame(who: Who, address: OverviewAddress, full: bool) -> dict[str, object]:
    """What the shell needs."""
    return {
        "brand": who.brand, "theme": address.theme, "demo": who.demo, "search": address.search,
        "status": address.status, "statuses": {k: v[0] for k, v in FILTERS.items()},
        "full": full, "operates": who.operates,
    }  # fmt: skip


def headline(
    entries: Sequence[Entry], figures: OverviewFigures | None, address: OverviewAddress,
    in_one: InOne,
) -> str:  # fmt: skip
    """One sentence: who needs somebody, and what was spent; bad news first."""
    troubled = [e for e in entries if e.standing.kind == "attention"]
    if len(troubled) == 1:
        first = f"{troubled[0].state.name}: {_lower(troubled[0].standing.words)}. "
    elif troubled:
        first = f"{len(troubled)} of {len(entries):,} clients need attention. "
    else:
        first = ""
    if figures is None:
        return first or "Your clients"
    words = RANGES[address.range]
    when = {"mtd": "this month so far", "last_month": "last month"}.get(
        address.range, f"the last {words}"
    )
    amounts = spend_texts(figures, in_one)
    if not amounts:
        return f"{first}Nothing was spent {in_days(when)}."
    shown = list(amounts[:_SHOWN_CURRENCIES])
    rest = len(amounts) - len(shown)
    if rest:
        shown.append(f"amounts in {rest} more currenc{'y' if rest == 1 else 'ies'}")
    listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"{first}Spent {listed} {in_days(when)}."


def _lower(words: str) -> str:
    return words if words[:4] == "Meta" else words[0].lower() + words[1:]


def spend_texts(figures: OverviewFigures, in_one: InOne) -> tuple[str, ...]:
    """Total spend, one text a currency; a single one when everything is in one."""
    if in_one.total is not None:
        return (f"≈ {money(in_one.total, in_one.currency, tile=True)}",)
    return tuple(money(figures.total(c), c, tile=True) for c in _currencies(figures))


def _currencies(figures: OverviewFigures) -> list[str]:
    """Currencies with spend, most held first."""
    return sorted(figures.daily, key=lambda c: (-figures.holders.get(c, 0), c))


def make_cards(
    entries: Sequence[Entry], figures: OverviewFigures | None, in_one: InOne
) -> tuple[Card, ...]:
    """The four cards, in their order."""
    troubled = sum(e.standing.kind == "attention" for e in entries)
    connected = sum(e.state.is_connected for e in entries)
    return (
        Card(TITLES[0], (f"{len(entries):,}",), _attention(troubled),
             "Active clients that you may see."),
        _spend_card(figures, in_one),
        Card(TITLES[2], (f"{connected:,} of {len(entries):,}",), _connected_note(entries),
             "Clients with a working connection to Meta and at least one ad account on it."),
        _average_card(figures, in_one),
    )  # fmt: skip


def _spend_card(figures: OverviewFigures | None, in_one: InOne) -> Card:
    tip = "Spend of all clients in these days, added up within each currency only."
    if figures is None:
        return Card(TITLES[1], ("–",), "", tip)
    if in_one.total is not None:
        changes = [relative(in_one.total, in_one.before)]
    else:
        held = _currencies(figures)
        changes = [relative(figures.total(c), figures.total_before(c)) for c in held]
    asides = tuple("" if c is None else _arrow(c) for c in changes)
    note = in_one.rates or (f"vs {span(figures.before)}" if any(asides) else "no comparison")
    return Card(TITLES[1], spend_texts(figures, in_one) or ("–",), note, tip, asides)


def _average_card(figures: OverviewFigures | None, in_one: InOne) -> Card:
    tip = "Total spend over the clients that have an ad account in that currency."
    if figures is None:
        return Card(TITLES[3], ("–",), "", tip)
    if in_one.total is not None:
        if not in_one.holders:
            return Card(TITLES[3], ("–",), "", tip)
        average = money(in_one.total / in_one.holders, in_one.currency, tile=True)
        return Card(TITLES[3], (f"≈ {average}",), f"over {_clients_word(in_one.holders)}", tip)
    held = [c for c in _currencies(figures) if figures.holders.get(c)]
    values = tuple(money(figures.total(c) / figures.holders[c], c, tile=True) for c in held)
    counts = tuple(_clients_word(figures.holders[c]) for c in held)
    if len(held) == 1:
        return Card(TITLES[3], values, f"over {counts[0]} with accounts in {held[0]}", tip)
    note = "each over its own clients"
    return Card(TITLES[3], values or ("–",), note if values else "", tip, counts)


def _clients_word(count: int) -> str:
    return f"{count:,} client{'' if count == 1 else 's'}"


def _attention(troubled: int) -> str:
    return f"{troubled} need{'s' if troubled == 1 else ''} attention" if troubled else "all well"


def _connected_note(entries: Sequence[Entry]) -> str:
    again = sum(bool(e.state.trouble) for e in entries)
    imported = sum(e.standing.kind == "imported" for e in entries)
    none = sum(e.standing.kind == "none" for e in entries)
    said = [
        f"{n} {words}"
        for n, words in (
            (again, "to connect again"), (none, "not connected"), (imported, "imported only"),
        )
        if n
    ]  # fmt: skip
    return " · ".join(said) or "every client"


def _arrow(change: float) -> str:
    arrow = "▲" if change > 0.0005 else "▼" if change < -0.0005 else "■"
    return f"{arrow} {percent(change)}"


def _controls(
    address: OverviewAddress, period: DateRange | None, figures: OverviewFigures | None,
    in_one: InOne, who: Who,
) -> str:  # fmt: skip
    several = figures is not None and len(figures.holders) > 1
    picks = [(address.link(currency=OWN), "Each currency", in_one.currency == OWN)]
    picks += [
        (address.link(currency=c), f"All in {c}", in_one.currency == c) for c in in_one.choices
    ]
    wanted = bool(in_one.choices) and (several or in_one.currency != OWN)
    hint = "adlab fx load FILE" if several and not in_one.choices and who.operates else ""
    return str(
        render(
            "overview_controls", address=address, ranges=RANGES,
            period=span(period) if period else "",
            before=span(figures.before) if figures is not None else "",
            picks=picks if wanted else [], hint=hint, problem=in_one.problem,
        )
    )  # fmt: skip


def _tiles(entries: Sequence[Entry], figures: Part[OverviewFigures], in_one: InOne) -> str:
    cards = make_cards(entries, figures.value, in_one)
    return str(
        render("overview_cards", cards=cards, state=figures.state, age=figures.age,
               loading=figures.value is None and figures.state == "loading")
    )  # fmt: skip


def _clients(
    entries: Sequence[Entry], figures: Part[OverviewFigures], address: OverviewAddress,
    now: datetime,
) -> str:  # fmt: skip
    table = make_client_table(entries, address, now)
    clear = replace(address, search="", status="all", page=1).query()
    return str(
        render("overview_clients", table=table, clear=f"?{clear}", theme=address.theme,
               loading=figures.value is None and figures.state == "loading")
    )  # fmt: skip
