"""Identifiers: digits of Meta's, `imp_…` of ours, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.entities import (
    INSIGHT_LEVELS,
    AccountId,
    AccountInfo,
    Level,
    imported_id,
    parse_account_id,
    parse_public_id,
    public_id,
)


@pytest.mark.parametrize("text", ["act_1001", "1001", " act_1001 ", 1001, "0001001"])
def test_account_ids_are_read_with_and_without_their_prefix(text: str | int) -> None:
    assert parse_account_id(text) == 1001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "act_",
        "act_0",
        "0",
        "-5",
        "1001a",
        "act_act_1",
        "١٢٣",
        "1" * 19,
        "1 001",
        "imp_5",
        "1.5",
    ],
)
def test_what_is_no_account_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it looks like act_1234567890"):
        parse_account_id(text)


def test_eighteen_digits_keep_every_digit() -> None:
    assert public_id(parse_public_id("120208888888880123")) == "120208888888880123"


@given(st.integers(min_value=-(2**53), max_value=2**63 - 1))
def test_ids_for_people_read_back(number: int) -> None:
    assert parse_public_id(public_id(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("imp_77", -77), ("77", 77), (77, 77), ("act_1001", 1001), (" 5 ", 5)],
)
def test_ids_of_people_become_numbers(text: str | int, number: int) -> None:
    assert parse_public_id(text) == number


@pytest.mark.parametrize("text", ["", "imp_", "imp_-5", "-5", "Summer sale", "12a", "1" * 20, "٣"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an identifier"):
        parse_public_id(text)


def test_imported_ids_never_change() -> None:
    """They are the keys of stored rows: another number would import everything twice."""
    assert imported_id(7, 2, "Control") == -2511080571489527
    assert imported_id(7, 2, "Test") == -8388946757251148


def test_the_parts_of_an_imported_id_do_not_run_together() -> None:
    assert imported_id("a", "bc") != imported_id("ab", "c")
    assert imported_id("a", "") != imported_id("a")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_imported_ids_are_negative_and_survive_a_float(parts: list[str]) -> None:
    number = imported_id(*parts)
    assert number < 0
    assert int(float(number)) == number
    assert public_id(number).startswith("imp_")


def test_imported_ids_of_many_names_are_unique() -> None:
    found = {imported_id(1, 2, f"Campaign {n}") for n in range(20_000)}
    assert len(found) == 20_000


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("account", Level.ACCOUNT),
        ("campaign", Level.CAMPAIGN),
        ("Campaigns", Level.CAMPAIGN),
        ("adset", Level.AD_SET),
        ("ad_set", Level.AD_SET),
        ("Ad Sets", Level.AD_SET),
        (" ad ", Level.AD),
        ("ads", Level.AD),
        ("creative", Level.CREATIVE),
    ],
)
def test_levels_are_read_in_every_usual_spelling(text: str, level: Level) -> None:
    assert Level.parse(text) is level


@pytest.mark.parametrize("text", ["", "s", "adgroup", "a", "5"])
def test_an_unknown_level_lists_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="levels are account, campaign, adset, ad"):
        Level.parse(text)


def test_levels_read_back_and_insights_have_four() -> None:
    assert [Level.parse(level.word) for level in Level] == list(Level)
    assert [int(level) for level in INSIGHT_LEVELS] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("status", "delivers"), [(1, True), (8, True), (9, True), (2, False), (3, False), (101, False)]
)
def test_an_account_delivers_while_active_or_in_grace(status: int, delivers: bool) -> None:
    account = AccountInfo(AccountId(1), "A", "EUR", "Europe/Berlin", status)
    assert account.delivers is delivers
