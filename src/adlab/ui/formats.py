"""Numbers, days and durations as people read them."""

from __future__ import annotations

from datetime import date, datetime

from adlab.core.metrics import MetricDef
from adlab.core.money import display_decimals, format_money
from adlab.core.periods import DateRange

MISSING = "–"
NARROW = "\u202f"


def is_known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and value == value


def show(metric: MetricDef, value: float | None, currency: str, *, tile: bool = False) -> str:
    """A metric's value for people.

    Args:
        metric: What it is.
        value: Money in major units, shares from 0 to 1.
        currency: ISO code, for money.
        tile: Whether it stands large and alone, so that cents of large amounts are noise.
    """
    if value is None or value != value:
        return MISSING
    if metric.unit == "currency":
        return money(value, currency, tile=tile)
    if metric.unit == "count":
        return count(value, tile=tile)
    if metric.unit == "share":
        return f"{value * 100:.2f}{NARROW}%"
    return f"{value:,.2f}"


def money(value: float, currency: str, *, tile: bool = False) -> str:
    """An amount; large ones on tiles lose their cents, very large ones become millions."""
    if tile and abs(value) >= 10_000_000:
        return format_money(value / 1e6, currency, 2) + "m"
    if abs(value) >= 1000 and tile:
        return format_money(value, currency, 0)
    return format_money(value, currency, display_decimals(currency))


def count(value: float, *, tile: bool = False) -> str:
    """A count; fractions (data-driven attribution) show one decimal below a hundred."""
    if tile and abs(value) >= 10_000_000:
        return f"{value / 1e6:,.1f}m"
    if value % 1 and abs(value) < 100:
        return f"{value:,.1f}"
    return f"{value:,.0f}"


def axis(metric: MetricDef, value: float, currency: str) -> str:
    """A short label for an axis: no cents, thousands as k."""
    if metric.unit == "share":
        text = f"{value * 100:.2f}".rstrip("0").rstrip(".")
        return f"{text or '0'}{NARROW}%"
    size = abs(value)
    if size >= 1e6:
        text = f"{value / 1e6:.1f}".removesuffix(".0") + "m"
    elif size >= 10_000:
        text = f"{value / 1e3:.1f}".removesuffix(".0") + "k"
    else:
        text = f"{value:,.2f}".rstrip("0").rstrip(".") if size < 10 else f"{value:,.0f}"
    if metric.unit != "currency":
        return text
    return format_money(0, currency, 0).replace("0", "") + text


def percent(change: float) -> str:
    """The size of a relative change: `8 %`, `12 %`, `0.4 %`; threefold and more as a factor."""
    size = abs(change)
    if change >= 2:
        return f"×{1 + change:.1f}"
    if size < 0.0005:
        return f"0{NARROW}%"
    digits = f"{size * 100:.1f}" if size < 0.0095 else f"{size * 100:.0f}"
    return f"{digits}{NARROW}%"


def day(value: date, *, year: bool = False) -> str:
    """`18 Nov`, or `18 Nov 2026`."""
    return f"{value.day} {value:%b}" + (f" {value.year}" if year else "")


def weekday(value: date) -> str:
    """`Wed 18 Nov`."""
    return f"{value:%a} {day(value)}"


def span(period: DateRange) -> str:
    """`22 Oct – 20 Nov 2026`; one day alone when it is one."""
    if period.days == 1:
        return day(period.since, year=True)
    years = period.since.year != period.until.year
    return f"{day(period.since, year=years)} – {day(period.until, year=True)}"


def ago(then: datetime, now: datetime) -> str:
    """`just now`, `2 min ago`, `3 h ago`, `2 days ago`."""
    return since((now - then).total_seconds())


def since(seconds: float) -> str:
    """Seconds in words: `just now`, `2 min ago`."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 2 * 86400:
        return f"{int(seconds // 3600)} h ago"
    return f"{int(seconds // 86400)} days ago"
