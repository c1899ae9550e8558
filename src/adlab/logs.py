"""Logging, configured once, and the redaction every record passes through."""

from __future__ import annotations

import logging
import re
import sys

_PATTERNS = (
    (re.compile(r"(access_token|input_token|fb_exchange_token|client_secret|appsecret_proof|code)"
                r"(=|\"\s*:\s*\"|'\s*:\s*')[^&\s\"']+"), r"\1\2…"),
    (re.compile(r"EAA[A-Za-z0-9]{10,}"), "EAA…"),
    (re.compile(r"(Bearer\s+)\S+", re.IGNORECASE), r"\1…"),
    # Reason: up to the last @ of the word, because passwords may hold one.
    (re.compile(r"(\w+://[^:/@\s]*:)\S+@"), r"\1…@"),
    (re.compile(r"\b(\d{3,})\|[A-Za-z0-9_-]{8,}"), r"\1|…"),
)  # fmt: skip


def redact(text: str) -> str:
    """Remove tokens, secrets and passwords from a text."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: str = "warning") -> None:
    """Send records of `level` and above to stderr, redacted. Calling it again changes the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, _RedactingFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("adlab").setLevel(level.upper())
    keep_addresses_out()


def keep_addresses_out() -> None:
    """Have the HTTP client log warnings only, whatever else is logged.

    Reason: it logs each URL at info, and those of Meta's token check carry a token in the query.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
