"""Rates as files have them: the ECB's, ours, and every way a line can be wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from adlab.core.errors import ImportRejectedError
from adlab.exports.rates import read_rates

FRI = date(2026, 11, 20)


def _problems(tmp_path: Path, text: str, base: str = "EUR") -> list[tuple[int, str, str]]:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(ImportRejectedError) as caught:
        read_rates(path, base)
    return [(p.line, p.column, p.reason) for p in caught.value.problems]  # type: ignore[attr-defined]


def test_every_bad_cell_of_a_wide_file_is_named(tmp_path: Path) -> None:
    text = (
        "Date,USD,dollar,EUR,JPY,\n"
        "2026-11-20,1.05,1,1,zero,\n"
        "20/11/2026,1.05,1,1,160,\n"
        "2026-11-18,-1,1,1,0,\n"
        "2026-11-17,NaN,1,1,Infinity,\n"
        "2026-11-16,1.05,1,1,160,,7\n"
    )
    found = _problems(tmp_path, text)
    assert [(line, column) for line, column, _ in found] == [
        (1, "dollar"), (1, "EUR"), (2, "JPY"), (3, "Date"), (4, "USD"), (4, "JPY"), (5, "USD"),
        (5, "JPY"), (6, ""),
    ]  # fmt: skip
    assert "three letters" in found[0][2]
    assert found[1][2] == "is the base itself"
    assert found[3][2] == "is not a day; write it as 2026-11-20"
    assert "above zero" in found[4][2]


def test_every_bad_cell_of_a_long_file_is_named(tmp_path: Path) -> None:
    text = (
        "date,base,quote,rate\n"
        "2026-11-20,EUR,EUR,1\n"
        "2026-11-20,EUR,US,\n"
        "yesterday,EUR,USD,1.05\n"
        "2026-11-19,EUR,USD,1.05\n"
        "2026-11-19,EUR,USD,1.06\n"
    )
    assert [(line, column) for line, column, _ in _problems(tmp_path, text)] == [
        (2, "quote"), (3, "quote"), (3, "rate"), (4, "date"), (6, "USD"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [("Day,USD\n2026-11-20,1\n", "The first column is 'Day', not Date"),
     ("Date,USD\n", "holds no rate"), ("Date,USD\n2026-11-20,N/A\n", "holds no rate"),
     ("", "is empty")],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(ImportRejectedError, match=words):
        read_rates(path)


def test_a_missing_file_and_a_base_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="There is no file"):
        read_rates(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="not a currency code"):
        read_rates(tmp_path / "none.csv", "euro")


def test_the_ecbs_file_with_gaps_and_its_trailing_comma(tmp_path: Path) -> None:
    path = tmp_path / "eurofxref-hist.csv"
    path.write_text(
        "Date,USD,JPY,BGN,\n2026-11-20,1.0512,161.37,N/A,\n2026-11-19,1.0498,,1.9558,\n"
    )
    found = [(r.day, r.base, r.quote, r.rate) for r in read_rates(path)]
    assert found == [
        (FRI, "EUR", "USD", Decimal("1.0512")), (FRI, "EUR", "JPY", Decimal("161.37")),
        (date(2026, 11, 19), "EUR", "USD", Decimal("1.0498")),
        (date(2026, 11, 19), "EUR", "BGN", Decimal("1.9558")),
    ]  # fmt: skip


def test_the_ecbs_file_of_one_day(tmp_path: Path) -> None:
    path = tmp_path / "eurofxref.csv"
    path.write_text("Date, USD, JPY, \n20 November 2026, 1.0512, 161.37, \n")
    assert [(r.day, r.quote) for r in read_rates(path)] == [(FRI, "USD"), (FRI, "JPY")]


def test_one_rate_a_line_in_any_order_with_semicolons_and_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(
        "\ufeffquote;Rate;DATE;base\nusd;1.05;2026-11-20;eur\nUSD;1.050;2026-11-20;EUR\n"
    )
    (found,) = read_rates(path)
    assert (found.day, found.base, found.quote, found.rate) == (FRI, "EUR", "USD", Decimal("1.05"))


def test_another_base_of_the_wide_shape(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("Date,EUR\n2026-11-20,0.95\n")
    (found,) = read_rates(path, "usd")
    assert (found.base, found.quote) == ("USD", "EUR")
