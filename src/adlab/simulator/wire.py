"""Requests and responses as plain values, and the small codecs both sides of the wire share.

Batch items, nested insights and real HTTP calls all become a `GraphRequest`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from adlab.simulator.errors import bad_cursor, invalid_parameter

JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True)
class GraphRequest:
    """One call: the path without version, and parameters from query and body in one mapping."""

    method: str
    path: str
    params: dict[str, str]
    version: str
    base_url: str
    token: str = ""

    def integer(self, name: str, default: int) -> int:
        """Read a whole number.

        Raises:
            GraphError: If the parameter is no number.
        """
        text = self.params.get(name)
        if text is None or text == "":
            return default
        try:
            return int(text)
        except ValueError:
            raise invalid_parameter(f"Param {name} must be an integer") from None

    def json(self, name: str) -> Any:
        """Read a JSON parameter; None when it is missing.

        Raises:
            GraphError: If the text is not JSON.
        """
        text = self.params.get(name)
        if text is None or text == "":
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise invalid_parameter(f"Param {name} must be valid JSON") from None

    def words(self, name: str) -> list[str]:
        """Read a list given as JSON or as comma separated words."""
        text = self.params.get(name, "")
        if text.startswith("["):
            listed = self.json(name)
            return [str(item) for item in listed]
        return [word.strip().strip('"') for word in text.split(",") if word.strip()]

    def flag(self, name: str) -> bool:
        """Read a yes or no; missing is no."""
        return self.params.get(name, "").lower() in {"1", "true", "yes"}

    def page_url(self, after: str) -> str:
        """Give the address of the next page: the same call, token included, after a cursor."""
        kept = {k: v for k, v in self.params.items() if k not in {"after", "before", "batch"}}
        if self.token and "access_token" not in kept:
            kept["access_token"] = self.token
        kept["after"] = after
        version = f"/{self.version}" if self.version else ""
        return f"{self.base_url}{version}{quote(self.path)}?{urlencode(kept)}"


@dataclass
class GraphResponse:
    """One answer; `rows` is only for the request log."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    rows: int = 0


def json_response(data: Any, status: int = 200) -> GraphResponse:
    """Write a JSON answer with non-ASCII characters escaped, as the Graph API does."""
    rows = len(data["data"]) if isinstance(data, dict) and isinstance(data.get("data"), list) else 0
    return GraphResponse(json.dumps(data, separators=(",", ":")).encode(), status, rows=rows)


def write_cursor(parts: Iterable[object]) -> str:
    """Write an opaque cursor."""
    text = ":".join(str(part) for part in parts)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") + "ZD"


def read_cursor(cursor: str, length: int) -> list[str]:
    """Read a cursor's parts.

    Raises:
        GraphError: If it was not written by `write_cursor` with so many parts.
    """
    text = cursor[:-2] if cursor.endswith("ZD") else ""
    try:
        parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
    except (binascii.Error, UnicodeDecodeError):
        raise bad_cursor() from None
    if len(parts) != length:
        raise bad_cursor()
    return parts


def whole(text: str) -> int:
    """Read a cursor's number.

    Raises:
        GraphError: If it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise bad_cursor() from None


def plain_number(value: float) -> str:
    """Write a number as Graph does: at most six decimals, no trailing zeros."""
    text = f"{value:.6f}"
    return text.rstrip("0").rstrip(".")


def money_text(minor: int, minor_per_major: int) -> str:
    """Write minor units as a decimal in major units: 5731 of 100 is ``57.31``."""
    if minor_per_major == 1:
        return str(minor)
    text = repr(minor / 100)
    return text[:-2] if text.endswith(".0") else text
