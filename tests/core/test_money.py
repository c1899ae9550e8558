"""Money is exact: integers of a millionth, never a float, never two currencies in one sum."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.errors import DataError, MixedCurrencyError
from adlab.core.money import (
    ZERO_DECIMAL_CURRENCIES,
    check_currency,
    display_decimals,
    format_money,
    from_micro,
    meta_offset,
    one_currency,
    round_to_micro,
    to_micro,
)

BIGGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("amount", "micro"),
    [
        ("57.31", 57_310_000),
        ("5339.5", 5_339_500_000),
        ("0", 0),
        ("0.000001", 1),
        ("0.1", 100_000),
        ("1.", 1_000_000),
        (".5", 500_000),
        ("-12.34", -12_340_000),
        ("+3", 3_000_000),
        ("1E2", 100_000_000),
        ("1e-6", 1),
        ("2.5000000000", 2_500_000),
        ("9223372036854.775807", BIGGEST),
        (1200, 1_200_000_000),
        (Decimal("19.99"), 19_990_000),
        ("12400", 12_400_000_000),
    ],
)
def test_amounts_become_micro_units_exactly(amount: str | int | Decimal, micro: int) -> None:
    assert to_micro(amount) == micro


def test_yen_have_no_minor_unit_but_the_same_micro_unit() -> None:
    assert to_micro("1980") == 1_980_000_000
    assert (meta_offset("JPY"), display_decimals("JPY")) == (1, 0)
    assert (meta_offset("EUR"), display_decimals("EUR")) == (100, 2)


@pytest.mark.parametrize("amount", ["1.0000001", "0.0000000001", "1e-7", Decimal("1.2345678")])
def test_more_than_six_decimals_are_refused_because_money_would_be_lost(
    amount: str | Decimal,
) -> None:
    with pytest.raises(DataError, match="more than six decimals"):
        to_micro(amount)


@pytest.mark.parametrize(
    "amount",
    ["", " ", "abc", "1,5", "12 EUR", "--1", "NaN", "sNaN", "Infinity", "-inf", "1.²", "1_000",
     "1_000.5", "٣", "1.٣", "0x10"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(DataError, match="is not an amount of money"):
        to_micro(amount)


@pytest.mark.parametrize(
    "amount", ["1e999999", "9223372036854.775808", "99999999999999999999", "-1e30", 10**20]
)
def test_amounts_beyond_the_store_are_refused_and_not_rounded(amount: str | int) -> None:
    with pytest.raises(DataError, match="too large"):
        to_micro(amount)


def test_long_amounts_are_not_rounded_on_the_way() -> None:
    with pytest.raises(DataError, match="more than six decimals"):
        to_micro("1." + "0" * 40 + "1")
    assert to_micro("1." + "0" * 40) == 1_000_000


@given(st.integers(min_value=-BIGGEST, max_value=BIGGEST))
def test_micro_units_survive_the_round_trip(micro: int) -> None:
    assert to_micro(from_micro(micro)) == micro
    assert to_micro(format(from_micro(micro), "f")) == micro


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_data_error(text: str) -> None:
    with contextlib.suppress(DataError):
        assert isinstance(to_micro(text), int)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_six_decimals_are_always_kept(amount: Decimal) -> None:
    assert from_micro(to_micro(str(amount))) == amount


@pytest.mark.parametrize(
    ("amount", "micro"),
    [
        ("412.5", 412_500_000),
        ("0.3333333333", 333_333),
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("-0.0000015", -2),
    ],
)
def test_divided_values_round_half_to_even(amount: str, micro: int) -> None:
    assert round_to_micro(amount) == micro


@pytest.mark.parametrize("amount", ["abc", "", "NaN", "sNaN", "Infinity", "1e999999"])
def test_rounding_forgives_decimals_but_no_garbage(amount: str) -> None:
    with pytest.raises(DataError):
        round_to_micro(amount)


def test_metas_offset_list_is_metas_and_not_isos() -> None:
    assert sorted(ZERO_DECIMAL_CURRENCIES) == [
        "CLP", "COP", "CRC", "HUF", "IDR", "ISK", "JPY", "KRW", "PYG", "TWD", "VND",
    ]  # fmt: skip
    assert meta_offset("huf") == 1
    assert meta_offset("KWD") == 100


@pytest.mark.parametrize(("text", "code"), [("eur", "EUR"), (" usd ", "USD"), ("JPY", "JPY")])
def test_currency_codes_are_read_generously(text: str, code: str) -> None:
    assert check_currency(text) == code


@pytest.mark.parametrize("text", ["", "EU", "EURO", "€", "E1R", "EUR;", "12 "])
def test_what_is_no_currency_code_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a currency code; use three letters") as caught:
        check_currency(text)
    assert repr(text) in str(caught.value)


def test_one_currency_is_returned() -> None:
    assert one_currency(["EUR", "EUR"]) == "EUR"


def test_two_currencies_are_named_and_the_way_out_is_shown() -> None:
    with pytest.raises(MixedCurrencyError) as caught:
        one_currency(["USD", "EUR", "USD"], "the amounts of these rows")
    assert str(caught.value) == (
        "the amounts of these rows are in EUR, USD, and currencies are never added together. "
        'Ask for one client or account at a time, or group first: .by("currency").'
    )


def test_no_currency_at_all_is_a_wrong_argument() -> None:
    with pytest.raises(ValueError, match="have no currency"):
        one_currency([])


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (12430, "EUR", "€12,430.00"),
        (1980.4, "JPY", "¥1,980"),
        (-5.5, "USD", "−$5.50"),
        (7, "CHF", "CHF 7.00"),
        (None, "EUR", "–"),
        (float("nan"), "EUR", "–"),
    ],
)
def test_amounts_for_people(amount: float | None, currency: str, shown: str) -> None:
    assert format_money(amount, currency) == shown
