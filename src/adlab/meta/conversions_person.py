"""What an event says of a person: checked, normalised, hashed with SHA-256. Nothing is repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from typing import Any

# Meta's key → our SDK's argument; these are hashed.
_HASHED = {
    "em": "emails", "ph": "phones", "fn": "first_names", "ln": "last_names", "ge": "genders",
    "db": "dates_of_birth", "ct": "cities", "st": "states", "zp": "zip_codes",
    "country": "country_codes",
}  # fmt: skip
_AS_THEY_ARE = ("client_ip_address", "client_user_agent", "fbc", "fbp", "subscription_id",
                "fb_login_id", "lead_id", "anon_id", "madid", "page_id", "ctwa_clid")  # fmt: skip
_WORDS = {
    "email": "em", "phone": "ph", "first_name": "fn", "last_name": "ln", "gender": "ge",
    "date_of_birth": "db", "city": "ct", "state": "st", "zip": "zp", "zip_code": "zp",
}  # fmt: skip
PERSON_KEYS = (*_HASHED, *_WORDS, "external_id", *_AS_THEY_ARE)
_IDENTIFYING = frozenset({
    "em", "ph", "external_id", "fbc", "fbp", "lead_id", "madid", "anon_id", "subscription_id",
    "fb_login_id", "ctwa_clid",
})  # fmt: skip
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_COOKIE = re.compile(r"fb\.[0-9]+\.[0-9]{13}\.\S+")
_REMEDY = {
    "em": "must be an e-mail address",
    "ph": "must be a phone number with its country code, such as +49 30 901820",
    "fn": "must be a name", "ln": "must be a name", "ge": "must be f or m",
    "db": "must be a date, such as 1990-05-31", "ct": "must be a city",
    "st": "must be a state or region", "zp": "must be a postal code",
    "country": "must be a country of two letters, such as DE", "external_id": "must not be empty",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field; never holds its value."""

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field} {self.text}"


def person(given: Any, problems: list[Problem]) -> dict[str, Any]:
    """Customer data as Meta wants it; what is wrong goes to the problems."""
    if not isinstance(given, Mapping) or not given:
        problems.append(Problem("user_data", "is required: who did it, such as em or ph"))
        return {}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = _WORDS.get(str(key), str(key))
        if value is None or value in ("", []):
            continue
        if name in _HASHED or name == "external_id":
            hashed = _hashed(name, value)
            if hashed is None:
                problems.append(Problem(f"user_data.{name}", _REMEDY[name]))
            else:
                found[name] = sorted({*found.get(name, ()), *hashed})
        elif name in _AS_THEY_ARE:
            _plain(name, value, found, problems)
        else:
            shown = name if re.fullmatch(r"\w{1,40}", name) else "a key"
            problems.append(Problem(f"user_data.{shown}", "is not known; leave it out"))
    if not _is_enough(found) and not problems:
        problems.append(
            Problem("user_data", "does not tell who it was: give em, ph, external_id, fbc or fbp, "
                    "or client_ip_address with client_user_agent")
        )  # fmt: skip
    return found


def _is_enough(found: Mapping[str, Any]) -> bool:
    keys = set(found)
    named = {"fn", "ln"} <= keys and bool(keys & {"zp", "ct", "db"})
    return (
        bool(keys & _IDENTIFYING)
        or {"client_ip_address", "client_user_agent"} <= keys
        or named
    )  # fmt: skip


def _hashed(name: str, value: Any) -> list[str] | None:
    """Normalised and hashed values; None when one of them is no value of that kind."""
    from facebook_business.adobjects.serverside.normalize import Normalize

    out = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool) or not isinstance(item, str | int):
            return None
        text = str(item).strip()
        if _SHA256.fullmatch(text):
            out.append(text.lower())
            continue
        if _MD5.fullmatch(text):
            # Reason: the SDK lets MD5 through, and Meta matches nobody by it.
            return None
        cleaned = _CLEANED[name](text) if name in _CLEANED else text
        if not cleaned:
            return None
        try:
            done = Normalize.normalize_field(name, cleaned)
        except Exception:
            # Reason: the SDK raises bare TypeErrors and ValueErrors whose text holds the value.
            return None
        if not done:
            return None
        out.append(done)
    return out or None


def _mail(text: str) -> str:
    return text if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text) else ""


def _phone(text: str) -> str:
    # Reason: the SDK strips one leading zero and takes a local number for a foreign one.
    if not re.fullmatch(r"\+?[\d\s().\-/]+", text) or not text.isascii():
        return ""
    digits = re.sub(r"\D", "", text)
    if not text.startswith("+"):
        digits = digits.removeprefix("00") if digits.startswith("00") else digits
    return "" if digits.startswith("0") or not 7 <= len(digits) <= 15 else digits


def _name(text: str) -> str:
    return re.sub(r"[^\w\s]|[\d_]", "", text).strip()


def _gender(text: str) -> str:
    return {"f": "f", "female": "f", "m": "m", "male": "m"}.get(text.lower(), "")


def _birth(text: str) -> str:
    digits = text.replace("-", "")
    try:
        born = date.fromisoformat(text if "-" in text else digits)
    except ValueError:
        return ""
    return f"{born:%Y%m%d}" if born.year >= 1900 else ""


def _place(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


def _country(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z]{2}", text) else ""


_CLEANED: dict[str, Callable[[str], str]] = {
    "em": _mail, "ph": _phone, "fn": _name, "ln": _name, "ge": _gender, "db": _birth,
    "ct": _place, "st": _place, "country": _country,
}  # fmt: skip


def _plain(name: str, value: Any, found: dict[str, Any], problems: list[Problem]) -> None:
    """What goes as it is: browser, cookies, identifiers of Meta's own."""
    where = f"user_data.{name}"
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 1000:
        problems.append(Problem(where, "must be a text"))
        return
    text = str(value).strip()
    if name == "client_ip_address":
        try:
            ip_address(text)
        except ValueError:
            problems.append(Problem(where, "must be an IPv4 or IPv6 address"))
            return
    if name in ("fbc", "fbp") and not _COOKIE.fullmatch(text):
        problems.append(Problem(where, "must be the cookie as it is: fb.1.<milliseconds>.<value>"))
        return
    if name != "client_user_agent" and "@" in text:
        problems.append(Problem(where, "holds an e-mail address; give it as em"))
        return
    found[name] = text
