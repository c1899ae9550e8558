"""Every state has one address, and every address gives a state."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.periods import DateRange
from adlab.ui.address import (
    COMPARISONS,
    METRICS,
    RANGES,
    SORTS,
    STATUSES,
    Address,
    parse_address,
)

TODAY = date(2026, 11, 21)


def test_the_usual_state_has_a_short_address() -> None:
    assert Address(client="acme").query() == "client=acme"
    assert parse_address("client=acme", TODAY) == (Address(client="acme"), ())


def test_a_full_state_comes_back_from_its_address() -> None:
    state = Address(
        client="acme", range="custom", since=date(2026, 10, 1), until=date(2026, 10, 9),
        compare="year", metric="roas", campaigns=(7, -8), search="a & b=ü", status="paused",
        sort="name", page=3, theme="dark",
    )  # fmt: skip
    assert "campaigns=7,imp_8" in state.query()
    assert parse_address("?" + state.query(), TODAY) == (state, ())


@given(
    st.builds(
        Address,
        client=st.sampled_from(["", "acme", "a-1"]),
        range=st.sampled_from(list(RANGES)),
        compare=st.sampled_from(list(COMPARISONS)),
        metric=st.sampled_from(METRICS),
        campaigns=st.lists(st.integers(-(2**60), 2**60).filter(bool), max_size=5, unique=True).map(
            tuple
        ),
        search=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip),
        status=st.sampled_from(list(STATUSES)),
        sort=st.sampled_from([*SORTS, *(f"-{s}" for s in SORTS)]),
        page=st.integers(1, 100_000),
        theme=st.sampled_from(["auto", "light", "dark"]),
    )
)
def test_any_state_survives_the_round_trip(state: Address) -> None:
    assert parse_address(state.query(), TODAY) == (state, ())


@pytest.mark.parametrize(
    "query",
    ["range=9d", "compare=x", "metric=<script>", "metric=reach", "page=0", "page=-1", "page=x",
     "page=99999999999999999999", "campaigns=x", "campaigns=" + "9" * 30, "sort=evil",
     "status=%00", "theme=red", "range=custom", "range=custom&since=2026-02-30&until=2026-03-01",
     "range=custom&since=2026-10-09&until=2026-10-01",
     "campaigns=" + ",".join(map(str, range(1, 99)))],
)  # fmt: skip
def test_wrong_values_become_a_note_and_the_usual_state(query: str) -> None:
    state, notes = parse_address(f"client=acme&{query}", TODAY)
    assert state == Address(client="acme")
    assert len(notes) == 1
    assert len(notes[0]) < 120


def test_a_client_that_is_no_slug_is_nobody() -> None:
    assert parse_address("client=../../etc", TODAY)[0].client == ""


def test_dates_stay_within_what_the_store_keeps_and_never_lie_ahead() -> None:
    state, _ = parse_address("range=custom&since=2001-01-01&until=2090-01-01", TODAY)
    assert (state.since, state.until) == (date(2014, 11, 21), TODAY)


def test_changing_a_filter_leads_to_the_first_page_but_theme_does_not() -> None:
    state = Address(client="acme", page=4)
    assert "page" not in state.link(status="active")
    assert "page=4" in state.link(theme="dark")


def test_sorting_a_column_again_turns_it_round() -> None:
    state = Address(sort="-spend")
    assert "sort=spend" in state.sorted_by("spend")
    assert "sort=-roas" in state.sorted_by("roas")
    assert "sort=name" in state.sorted_by("name")


@pytest.mark.parametrize(
    ("name", "since", "until", "old_since", "old_until"),
    [
        ("7d", (11, 14), (11, 20), (11, 7), (11, 13)),
        ("mtd", (11, 1), (11, 20), (10, 1), (10, 20)),
        ("last_month", (10, 1), (10, 31), (9, 1), (9, 30)),
    ],
)
def test_comparisons_are_like_with_like(
    name: str, since: tuple[int, int], until: tuple[int, int], old_since: tuple[int, int],
    old_until: tuple[int, int],
) -> None:  # fmt: skip
    state = Address(range=name)
    period = state.period(TODAY)
    assert period == DateRange(date(2026, *since), date(2026, *until))
    assert state.before(period) == DateRange(date(2026, *old_since), date(2026, *old_until))


def test_imported_days_of_years_ago_can_be_looked_at() -> None:
    asked, notes = parse_address(
        "client=pair&since=2019-08-01&until=2019-08-30", date(2026, 11, 21)
    )
    assert not notes
    assert asked.period(date(2026, 11, 21)) == DateRange(date(2019, 8, 1), date(2019, 8, 30))
