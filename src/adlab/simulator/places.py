"""Regions and media markets by account currency, with their shares of delivery."""

from __future__ import annotations

Shares = tuple[tuple[str, float], ...]

COUNTRIES: dict[str, Shares] = {
    "EUR": (("DE", 0.6), ("AT", 0.2), ("FR", 0.2)),
    "JPY": (("JP", 0.97), ("TW", 0.03)),
    "GBP": (("GB", 0.88), ("IE", 0.12)),
    "AUD": (("AU", 0.84), ("NZ", 0.16)),
    "CAD": (("CA", 0.9), ("US", 0.1)),
    "USD": (("US", 0.86), ("CA", 0.10), ("MX", 0.04)),
}
_REGIONS: dict[str, Shares] = {
    "DE": (
        ("Nordrhein-Westfalen", 0.24),
        ("Bayern", 0.18),
        ("Baden-Württemberg", 0.15),
        ("Berlin", 0.13),
        ("Hamburg", 0.1),
        ("Hessen", 0.1),
        ("Sachsen", 0.1),
    ),
    "AT": (("Vienna", 0.6), ("Styria", 0.4)),
    "FR": (("Île-de-France", 0.6), ("Provence-Alpes-Côte d'Azur", 0.4)),
    "JP": (("Tokyo", 0.45), ("Osaka Prefecture", 0.3), ("Aichi Prefecture", 0.25)),
    "TW": (("Taipei City", 1.0),),
    "GB": (("England", 0.85), ("Scotland", 0.1), ("Wales", 0.05)),
    "IE": (("Dublin", 1.0),),
    "AU": (("New South Wales", 0.4), ("Victoria", 0.35), ("Queensland", 0.25)),
    "NZ": (("Auckland", 1.0),),
    "CA": (("Ontario", 0.5), ("Quebec", 0.3), ("British Columbia", 0.2)),
    "US": (
        ("California", 0.3),
        ("Texas", 0.22),
        ("New York", 0.2),
        ("Florida", 0.16),
        ("Illinois", 0.12),
    ),
    "MX": (("Mexico City", 1.0),),
}
_MARKETS: Shares = (
    ("New York, NY", 0.2),
    ("Los Angeles, CA", 0.2),
    ("Chicago, IL", 0.14),
    ("Dallas-Fort Worth, TX", 0.14),
    ("San Francisco-Oakland-San Jose, CA", 0.12),
    ("Miami-Fort Lauderdale, FL", 0.1),
    ("Houston, TX", 0.1),
)


def regions(currency: str) -> Shares:
    """Give the regions that an account of a currency delivers in; shares add up to one."""
    return tuple(
        (name, share * part)
        for country, share in COUNTRIES[currency]
        for name, part in _REGIONS[country]
    )


def markets(currency: str) -> Shares:
    """Give the United States media markets; delivery elsewhere is `Unknown`."""
    inside = sum(share for country, share in COUNTRIES[currency] if country == "US")
    listed = tuple((name, inside * part) for name, part in _MARKETS) if inside else ()
    return (*listed, ("Unknown", 1.0 - inside)) if inside < 1.0 else listed
