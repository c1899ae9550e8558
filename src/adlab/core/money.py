"""Money: currencies, Meta's offsets, and exact conversion to integer micro units.

The store keeps insights money as integers of one millionth of a major unit (`_micro`) and budgets
as Meta sends them, integers of the currency's Meta offset (`_minor`). Frames show float major
units with the currency beside them. Nothing here converts between currencies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from adlab.core.errors import DataError, MixedCurrencyError

MICRO = 1_000_000

# Reason: Meta's own list, which is not ISO 4217 (COP, HUF, IDR, TWD have two decimals in ISO).
ZERO_DECIMAL_CURRENCIES = frozenset(
    {"CLP", "COP", "CRC", "HUF", "IDR", "ISK", "JPY", "KRW", "PYG", "TWD", "VND"}
)

_CODE = re.compile(r"^[A-Z]{3}$")
_AMOUNT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_MILLIONTH = Decimal("0.000001")
_LARGEST = Decimal(2**63 - 1).scaleb(-6)


def check_currency(code: str) -> str:
    """Return an upper-case ISO 4217 code.

    Raises:
        ValueError: If it is not three letters.
    """
    text = code.strip().upper()
    if not _CODE.match(text):
        raise ValueError(f"{code!r} is not a currency code; use three letters, such as EUR")
    return text


def meta_offset(currency: str) -> int:
    """How many of Meta's budget units make one major unit: 1 or 100."""
    return 1 if check_currency(currency) in ZERO_DECIMAL_CURRENCIES else 100


def display_decimals(currency: str) -> int:
    """Decimals to show: 0 for Meta's zero-decimal currencies, else 2."""
    return 0 if meta_offset(currency) == 1 else 2


def to_micro(amount: str | int | Decimal) -> int:
    """Turn an amount in major units into integer micro units, exactly.

    Args:
        amount: Major units, as text from the wire, an integer or a Decimal. Never a float.

    Raises:
        DataError: If it is no number, has more than six decimals and so would lose money, or does
            not fit the store (64 bits).
    """
    # Reason: Decimal costs a microsecond; most wire amounts are plain "57.31" and need none.
    if isinstance(amount, str):
        whole, _, part = amount.partition(".")
        if (
            len(part) <= 6 and len(whole) <= 12 and amount.isascii() and whole.isdigit()
            and (not part or part.isdigit())
        ):  # fmt: skip
            return int(whole) * MICRO + (int(part.ljust(6, "0")) if part else 0)
    value = _read(amount)
    exact = value.quantize(_MILLIONTH, ROUND_HALF_EVEN)
    if exact != value:
        raise DataError(
            f"{amount!r} has more than six decimals.",
            "Amounts are stored exactly to a millionth; round it at its source.",
        )
    return int(exact.scaleb(6))


def _read(amount: str | int | Decimal) -> Decimal:
    text = str(amount).strip()
    if isinstance(amount, bool | float) or not _AMOUNT.fullmatch(text):
        raise DataError(f"{amount!r} is not an amount of money.", "Use digits and a decimal point.")
    value = Decimal(text)
    if abs(value) > _LARGEST:
        raise DataError(f"{amount!r} is too large for an amount of money.", "Check its source.")
    return value


def round_to_micro(amount: str) -> int:
    """Like `to_micro`, but rounds half to even beyond six decimals.

    For values Meta itself derived by division (a purchase value split over attribution), where
    more digits are an artefact; spend never goes through here.
    """
    try:
        return to_micro(amount)
    except DataError:
        return to_micro(_read(amount).quantize(_MILLIONTH, ROUND_HALF_EVEN))


def from_micro(micro: int) -> Decimal:
    """Micro units as an exact Decimal of major units."""
    return Decimal(micro) / MICRO


def one_currency(currencies: Iterable[str], what: str = "these amounts") -> str:
    """Return the single currency of several amounts.

    Raises:
        MixedCurrencyError: If there is more than one; the message names them.
        ValueError: If there is none.
    """
    found = sorted(set(currencies))
    if len(found) > 1:
        raise MixedCurrencyError(
            f"{what} are in {', '.join(found)}, and currencies are never added together.",
            'Ask for one client or account at a time, or group first: .by("currency").',
        )
    if not found:
        raise ValueError(f"{what} have no currency")
    return found[0]


SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}


def format_money(amount: float | Decimal | None, currency: str, decimals: int | None = None) -> str:
    """An amount for people, such as `€12,430.00`; codes without a known symbol stand in front."""
    if amount is None or amount != amount:
        return "–"
    places = display_decimals(currency) if decimals is None else decimals
    symbol = SYMBOLS.get(currency, f"{currency} ")
    sign = "−" if amount < 0 else ""
    return f"{sign}{symbol}{abs(amount):,.{places}f}"
