"""Numbers of several notations, exact amounts, and the file's own evidence of its notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.errors import ImportRejectedError
from adlab.exports.numbers import NumberStyle, StyleFinder, is_missing, shown
from adlab.exports.problems import CellError


@pytest.mark.parametrize(
    ("decimal", "text", "plain"),
    [
        (",", "1.234,56", "1234.56"),
        (",", "1 234,56", "1234.56"),
        (",", "1\u00a0234,56", "1234.56"),
        (",", "1\u202f234\u202f567,8", "1234567.8"),
        (",", "12,5", "12.5"),
        (",", ",5", "0.5"),
        (".", "1,234.56", "1234.56"),
        (".", "1'234.56", "1234.56"),
        (".", "1’234’567.89", "1234567.89"),
        (".", "1234.56", "1234.56"),
        (".", "1,23,456.78", "123456.78"),
        (".", "+7", "7"),
        (".", "007", "007"),
    ],
)
def test_notations(decimal: str, text: str, plain: str) -> None:
    assert NumberStyle(decimal).plain(text) == plain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "is not a number"),
        ("inf", "is not a number"),
        ("-inf", "is not a number"),
        ("n/a", "is not a number"),
        ("-5", "below zero"),
        ("−5", "below zero"),
        ("(5)", "below zero"),
        ("1.2.3", "more than one decimal separator"),
        ("1,23.4,5", "not a number with decimal separator"),
        ("1,23", "not a number with decimal separator"),
        ("12,34,56", "not a number with decimal separator"),
        ("1e5", "scientific"),
        ("4.5 %", "percentage"),
        ("12 apples", "holds more than a number"),
        ("twelve", "is not a number"),
        ("1,234 567", "not a number"),
    ],
)
def test_what_is_no_number_says_why(text: str, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        NumberStyle(".").plain(text)


def test_a_thousands_separator_that_was_named_is_the_only_one() -> None:
    style = NumberStyle(".", " ")
    assert style.plain("1 234.5") == "1234.5"
    with pytest.raises(CellError):
        style.plain("1,234.5")
    with pytest.raises(CellError):
        NumberStyle(".", "").plain("1,234")


@pytest.mark.parametrize("cell", ["", "  ", None, "–", "—", "-"])
def test_an_empty_cell_is_missing_not_zero(cell: object) -> None:
    style = NumberStyle()
    assert is_missing(cell)
    assert style.whole(cell) is None
    assert style.count(cell) is None
    assert style.money("EUR", exact=True)(cell) is None


def test_counts() -> None:
    style = NumberStyle()
    assert style.whole("82702") == 82702
    assert style.whole("82702.0") == 82702
    assert style.whole(82702.0) == 82702
    assert style.count("2.5") == 2.5
    assert style.count("2.0") == 2
    with pytest.raises(CellError, match="not a whole number"):
        style.whole("2.5")
    with pytest.raises(CellError, match="true or false"):
        style.whole(True)


@pytest.mark.parametrize("text", ["9" * 16, "9" * 400, 10**30])
def test_huge_numbers_are_refused_in_words(text: object) -> None:
    style = NumberStyle()
    with pytest.raises(CellError, match="larger than any"):
        style.whole(text)
    with pytest.raises(CellError, match="more money"):
        style.money("USD", exact=True)(text)


def test_amounts_are_exact() -> None:
    read = NumberStyle().money("EUR", exact=True)
    assert read("0.1") == 100_000
    assert read("1234567.891234") == 1_234_567_891_234
    assert read("€12.50") == 12_500_000
    assert read("12.50 EUR") == 12_500_000
    # Reason: a spreadsheet's float; its 17th digit is noise.
    assert read(0.1 + 0.2) == 300_000
    assert read(57.31) == 57_310_000
    with pytest.raises(CellError, match="six decimals"):
        read("1.820000023")
    with pytest.raises(CellError, match="more than a number"):
        read("$12.50")
    assert NumberStyle().money("EUR", exact=False)("1.8200005") == 1_820_000


@given(st.integers(0, 10**12), st.sampled_from([(",", "."), (".", ","), (",", " "), (".", "'")]))
def test_any_amount_survives_any_notation(micro: int, marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    text = f"{micro // 10**6:,}.{micro % 10**6:06d}"
    text = text.replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert NumberStyle(decimal).money(None, exact=True)(text) == micro
    assert NumberStyle(decimal, thousands).money(None, exact=True)(text) == micro


def _found(*cells: tuple[str, bool]) -> str:
    finder = StyleFinder()
    for cell, whole in cells:
        finder.see(cell, whole)
    return finder.settle()


def test_the_file_shows_its_decimal_separator() -> None:
    assert _found() == "."
    assert _found(("12", True), ("13", False)) == "."
    assert _found(("1.234,56", False)) == ","
    assert _found(("1,234.56", False)) == "."
    assert _found(("12,5", False)) == ","
    assert _found(("1.234", True)) == ","
    assert _found(("1.234.567", False)) == ","
    assert _found(("0,125", False)) == ","
    assert _found(("1.234", False), ("7,5", False)) == ","


def test_an_open_notation_is_refused_with_advice() -> None:
    with pytest.raises(ImportRejectedError, match="two ways") as caught:
        _found(("1.234", False))
    assert 'decimal: "."' in caught.value.remedy


def test_amounts_are_shown_without_losing_a_cent() -> None:
    assert shown(1_234_567_891) == "1234.567891"
    assert shown(12_500_000) == "12.50"
    assert shown(None) == ""
