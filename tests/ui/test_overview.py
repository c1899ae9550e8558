"""The overview drawn from small figures: cards, table, words, addresses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from adlab.core.periods import DateRange
from adlab.ui.brand import make_brand
from adlab.ui.client_board import Part
from adlab.ui.overview import TITLES, draw_overview, headline, make_cards
from adlab.ui.overview_address import OverviewAddress, parse_overview_address
from adlab.ui.overview_figures import InOne, Line, OverviewFigures
from adlab.ui.overview_table import entries_of, make_client_table, pick
from adlab.ui.standing import ClientState, standing_of
from adlab.ui.who import Who
from adlab.ui.wire import Drawn

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PERIOD = DateRange(date(2026, 11, 14), date(2026, 11, 20))
BEFORE = PERIOD.previous()
EVIL = "<script>alert(1)</script>"


def _state(number: int, name: str, **changed: object) -> ClientState:
    state = ClientState(
        number, f"c-{number}", make_brand(name, f"c-{number}"), 1, 1, ("EUR",), ("UTC",), 1, "",
        0, 0, AT - timedelta(minutes=2), AT, date(2026, 11, 20),
    )  # fmt: skip
    return replace(state, **changed)  # type: ignore[arg-type]


def _line(currency: str, spend: float, before: float, purchases: float = 20.0) -> Line:
    values = {"spend": spend, "roas": 2.0, "link_ctr": 0.01, "purchases": purchases,
              "link_clicks": 100.0}  # fmt: skip
    return Line(currency, values, before, (spend / 7,) * 7, (before / 7,) * 7)


STATES = [
    _state(1, "Beta", currencies=("EUR",)),
    _state(2, "Ålpha", currencies=("EUR", "USD"), accounts=2, meta=2),
    _state(3, "Gamma", trouble="reauth_required"),
    _state(4, "Delta", accounts=0, meta=0, connections=0, checked_at=None, last_day=None),
    _state(5, "Epsilon", meta=0, connections=0, checked_at=None),
]
LINES = {
    1: (_line("EUR", 700.0, 350.0),), 2: (_line("EUR", 70.0, 140.0), _line("USD", 210.0, 210.0)),
    3: (_line("EUR", 7.0, 0.0, 2.0),),
}  # fmt: skip
FIGURES = OverviewFigures(
    PERIOD, BEFORE, LINES,
    {"EUR": {PERIOD.since: 700.0, PERIOD.until: 77.0}, "USD": {PERIOD.since: 210.0}},
    {"EUR": {BEFORE.since: 388.5}, "USD": {BEFORE.since: 210.0}}, {"EUR": 4, "USD": 1},
)  # fmt: skip


def _draw(
    figures: OverviewFigures | None = FIGURES, address: OverviewAddress | None = None,
    states: list[ClientState] = STATES, role: str = "admin", in_one: InOne | None = None,
) -> Drawn:  # fmt: skip
    who = Who("", make_brand("adlab", "adlab"), [(s.slug, s.name) for s in states], "Ana",
              False, role, "overview")  # fmt: skip
    part: Part[OverviewFigures] = Part(figures, "ready" if figures else "loading")
    return draw_overview(who, address or OverviewAddress(), (), AT, states, part, in_one or InOne())


def _names(address: OverviewAddress) -> list[str]:
    return [e.state.name for e in pick(entries_of(STATES, FIGURES, AT), address)]


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({}, "connected", "Connected"),
        ({"trouble": "revoked"}, "attention", "Access was revoked at Meta"),
        ({"failed": 1}, "attention", "The account could not be read"),
        ({"failed": 1, "meta": 3}, "attention", "1 of 3 accounts could not be read"),
        ({"checked_at": AT - timedelta(hours=5)}, "attention", "Last read 5 h ago"),
        ({"checked_at": None}, "loading", "History is loading"),
        ({"unread": 1}, "loading", "History is loading"),
        ({"accounts": 0, "meta": 0}, "none", "No ad account yet"),
        ({"connections": 0}, "none", "Not connected to Meta"),
        ({"meta": 0}, "imported", "Imported from files"),
    ],
)
def test_how_a_client_stands(changed: dict[str, object], kind: str, words: str) -> None:
    found = standing_of(_state(1, "A", **changed), AT)
    assert (found.kind, found.words) == (kind, words)


def test_the_four_cards_are_named_exactly_and_never_mix_currencies() -> None:
    cards = make_cards(entries_of(STATES, FIGURES, AT), FIGURES, InOne())
    assert [c.title for c in cards] == [
        "Total clients", "Total spend", "Meta connected", "Average spend per client"
    ]  # fmt: skip
    assert [c.title for c in cards] == list(TITLES)
    assert [c.values for c in cards] == [
        ("5",), ("€777.00", "$210.00"), ("2 of 5",), ("€194.25", "$210.00")
    ]  # fmt: skip
    assert cards[1].asides == ("▲ 100\u202f%", "■ 0\u202f%")
    assert cards[3].asides == ("4 clients", "1 client")


def test_everything_in_one_currency_says_its_rates() -> None:
    one = InOne("EUR", ("EUR", "USD"), 960.0, 570.0, 4, "≈ at daily rates of ECB, newest 20 Nov")
    cards = make_cards(entries_of(STATES, FIGURES, AT), FIGURES, one)
    assert cards[1].values == ("≈ €960.00",)
    assert cards[1].note == "≈ at daily rates of ECB, newest 20 Nov"
    assert cards[3].values == ("≈ €240.00",)
    controls = _draw(in_one=one).regions["controls"]
    assert "All in USD" in controls
    assert "adlab fx load" not in controls


def test_without_rates_only_an_operator_reads_how_to_load_them() -> None:
    assert "adlab fx load FILE" in _draw().regions["controls"]
    assert "adlab fx" not in _draw(role="analyst").regions["controls"]
    assert "All in" not in _draw().regions["controls"]


def test_trouble_stands_first_in_words_and_rows() -> None:
    entries = entries_of(STATES, FIGURES, AT)
    said = headline(entries, FIGURES, OverviewAddress(), InOne())
    assert said == ("Gamma: Meta must be connected again. "
                    "Spent €777.00 and $210.00 in the last 7 days.")  # fmt: skip
    assert _names(OverviewAddress())[0] == "Gamma"


@pytest.mark.parametrize(
    ("sort", "first"),
    [("name", "Ålpha"), ("-name", "Gamma"), ("-spend", "Beta"), ("spend", "Gamma"),
     ("-change", "Beta"), ("status", "Gamma"), ("last_day", "Ålpha")],
)  # fmt: skip
def test_rows_sort(sort: str, first: str) -> None:
    assert _names(OverviewAddress(sort=sort))[0] == first


def test_unknown_numbers_come_last_both_ways() -> None:
    for sort in ("-roas", "roas"):
        assert set(_names(OverviewAddress(sort=sort))[-2:]) == {"Delta", "Epsilon"}


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"search": "alp"}, {"Ålpha"}), ({"search": "C-1"}, {"Beta"}),
        ({"status": "attention"}, {"Gamma"}), ({"status": "not_connected"}, {"Delta"}),
        ({"status": "imported"}, {"Epsilon"}), ({"status": "connected"}, {"Beta", "Ålpha"}),
        ({"search": "nothing"}, set()),
    ],
)  # fmt: skip
def test_search_and_filter(changed: dict[str, str], names: set[str]) -> None:
    assert set(_names(OverviewAddress(**changed))) == names  # type: ignore[arg-type]


def test_twenty_rows_a_page() -> None:
    entries = entries_of([_state(i, f"Client {i:02d}") for i in range(45)], None, AT)
    table = make_client_table(entries, OverviewAddress(page=3, sort="name"), AT)
    assert (table.first, table.last, table.count, table.pages) == (41, 45, 45, 3)
    assert len(table.rows) == 5
    assert make_client_table(entries, OverviewAddress(page=9), AT).page == 3


def test_names_are_escaped_and_rows_lead_to_boards() -> None:
    drawn = _draw(states=[_state(1, EVIL), _state(3, EVIL, trouble=EVIL)])
    page = "".join(drawn.regions.values())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert '/boards/client?client=c-1"' in page
    assert drawn.client_ids == {1, 3}


def test_shaky_ratios_stand_in_soft_ink() -> None:
    entries = entries_of(STATES, FIGURES, AT)
    rows = {r.name: r for r in make_client_table(entries, OverviewAddress(), AT).rows}
    roas = {n: {c.name: c.lines for c in r.cells}["roas"] for n, r in rows.items()}
    assert roas["Beta"] == (("2.00", False),)
    assert roas["Gamma"] == (("2.00", True),)


def test_an_address_gives_the_same_state_again() -> None:
    address = OverviewAddress("mtd", "möbel & co", "attention", "-change", 3, "EUR", "dark")
    assert parse_overview_address(address.query()) == (address, ())
    assert OverviewAddress().query() == ""


def test_wrong_values_are_told() -> None:
    address, notes = parse_overview_address("range=9x&status=<b>&sort=id&page=0&currency=euro")
    assert address == OverviewAddress()
    assert len(notes) == 5


def test_loading_shows_clients_before_numbers() -> None:
    drawn = _draw(None)
    assert drawn.pending
    assert "bone" in drawn.regions["tiles"]
    assert "Beta" in drawn.regions["clients"]


def test_an_empty_house_shows_steps_to_those_who_can_take_them() -> None:
    assert "Three steps" in _draw(states=[]).regions["lead"]
    assert "clients/new" in _draw(states=[]).regions["lead"]
    analyst = _draw(states=[], role="analyst").regions["lead"]
    assert "Ask whoever invited you" in analyst
    assert "clients/new" not in analyst


def test_the_switcher_filters_only_long_lists() -> None:
    few = _draw().regions["header"]
    many = _draw(states=[_state(i, f"Client {i}") for i in range(13)]).regions["header"]
    assert 'data-filter="' not in few
    assert 'data-filter="' in many
    assert len(re.findall(r"client\?client=", many)) == 13
