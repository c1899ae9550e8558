"""A mapping: a YAML file that says how to read a file of any other origin.

delimiter: auto            # or one character
date_format: "%d.%m.%Y"    # or auto: ISO, or an order the dates themselves prove
decimal: ","               # or auto
thousands: "."
currency: EUR
timezone: Europe/Berlin
level: campaign            # account, campaign, adset, ad; the deepest there is when left out
columns:                   # field: header in the file; case and outer space do not matter
  campaign_name: Kampagne
  date: Datum
  spend: Kosten
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from adlab.core.entities import Level
from adlab.core.errors import ImportRejectedError
from adlab.core.money import check_currency
from adlab.core.periods import check_timezone
from adlab.exports.headers import FIELDS, IDS, METRICS, NAMES, key

KEYS = (
    "delimiter",
    "date_format",
    "decimal",
    "thousands",
    "currency",
    "timezone",
    "level",
    "columns",
)
_DELIMITERS = {"tab": "\t", "\\t": "\t"}
_THOUSANDS = ("", ".", ",", " ", "'", "’", "\u00a0", "\u202f")


@dataclass(frozen=True)
class Mapping:
    """What a mapping file says; None or empty where it leaves something open."""

    delimiter: str | None = None
    date_format: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    currency: str | None = None
    timezone: str | None = None
    level: Level | None = None
    columns: dict[str, str] = field(default_factory=dict)


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        ImportRejectedError: If it cannot be read, or says something unknown or contradictory; the
            message names the key.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ImportRejectedError(f"There is no mapping file {path}.", "Check its path.") from None
    except OSError as error:
        raise ImportRejectedError(
            f"The mapping file {path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" line {place.line + 1}" if place else ""
        raise ImportRejectedError(
            f"The mapping file {path.name} is not YAML{where}.",
            'Put values with special characters in quotes, such as decimal: ",".',
        ) from None
    if not isinstance(said, dict):
        raise _wrong(f"it holds no keys; known keys: {', '.join(KEYS)}")
    unknown = [str(k) for k in said if k not in KEYS]
    if unknown:
        raise _wrong(f"there is no key {unknown[0]!r}; known keys: {', '.join(KEYS)}")
    mapping = Mapping(
        delimiter=_delimiter(said.get("delimiter")),
        date_format=_date_format(said.get("date_format")),
        decimal=_choice(said, "decimal", (".", ",")),
        thousands=_choice(said, "thousands", _THOUSANDS),
        currency=_checked(said, "currency", check_currency),
        timezone=_checked(said, "timezone", check_timezone),
        level=_level(said.get("level")),
        columns=_columns(said.get("columns")),
    )
    if mapping.decimal is not None and mapping.decimal == mapping.thousands:
        raise _wrong(f"decimal and thousands are both {mapping.decimal!r}")
    return mapping


def _wrong(what: str) -> ImportRejectedError:
    return ImportRejectedError(f"The mapping cannot be used: {what}.", "Correct it and try again.")


def _text(value: Any) -> str | None:
    return None if value is None or value == "auto" else str(value)


def _delimiter(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    text = _DELIMITERS.get(text.strip().lower(), text) if text != "\t" else text
    if len(text) != 1 or text in "\r\n\"'.\\" or text.isalnum():
        raise _wrong(f"delimiter {text!r} is neither one character nor auto")
    return text


def _date_format(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    try:
        probe = datetime(2023, 11, 28).strftime(text)
        same = datetime.strptime(probe, text).date() == datetime(2023, 11, 28).date()
    except ValueError:
        same = False
    if not same:
        raise _wrong(
            f'date_format {text!r} does not tell day, month and year; write such as "%d.%m.%Y"'
        )
    return text


def _choice(said: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value = said.get(name)
    text = _text(value)
    if text is None:
        return None
    if text in ("none", "space"):
        text = "" if text == "none" else " "
    if text not in allowed:
        raise _wrong(f"{name} {text!r} is none of {', '.join(repr(a) for a in allowed)}")
    return text


def _checked(said: dict[str, Any], name: str, check: Any) -> str | None:
    text = _text(said.get(name))
    if text is None:
        return None
    try:
        return str(check(text))
    except ValueError as error:
        raise _wrong(f"{name}: {error}") from None


def _level(value: Any) -> Level | None:
    text = _text(value)
    if text is None:
        return None
    try:
        level = Level.parse(text)
    except ValueError as error:
        raise _wrong(f"level: {error}") from None
    if level is Level.CREATIVE:
        raise _wrong("level: files hold account, campaign, adset or ad")
    return level


def _columns(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("columns: it must list fields, such as spend: Kosten")
    unknown = [str(k) for k in value if k not in FIELDS]
    if unknown:
        raise _wrong(
            f"columns: there is no field {unknown[0]!r}; known fields: {', '.join(FIELDS)}"
        )
    columns = {k: str(v) for k, v in value.items() if v is not None and str(v).strip()}
    if "date" not in columns:
        raise _wrong("columns: the field date is missing; every row needs its day")
    if not any(m in columns for m in METRICS):
        raise _wrong(f"columns: there is no number to read; fields: {', '.join(METRICS)}")
    seen: dict[str, str] = {}
    for name, header in columns.items():
        if (other := seen.setdefault(key(header), name)) != name:
            raise _wrong(f"columns: {other} and {name} both name the header {header!r}")
    return {f: columns[f] for f in (*NAMES, *IDS, "date", *METRICS) if f in columns}
