"""Bodies and signatures as Meta sends them: escaped JSON, HMAC over the raw bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 5.0
_LARGEST_ANSWER = 65_536


def escaped(data: Any) -> bytes:
    r"""Write JSON with ``\u00e4`` for what is not ASCII and ``\/`` for slashes."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode()


def signature_headers(secret: bytes, body: bytes) -> dict[str, str]:
    """Give both signature headers of a body."""
    return {
        "x-hub-signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        "x-hub-signature": "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest(),
    }


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed_request(secret: bytes, payload: dict[str, Any], *, is_good: bool = True) -> str:
    """Write a `signed_request`: the signature is over the encoded payload text."""
    text = _b64(json.dumps(payload, separators=(",", ":")).encode())
    key = secret if is_good else secret + b"-other"
    return f"{_b64(hmac.new(key, text.encode(), hashlib.sha256).digest())}.{text}"


def check_loopback(url: str) -> None:
    """Refuse every address but plain HTTP on this machine.

    Raises:
        ValueError: If the address leads elsewhere.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if parts.scheme != "http" or not is_local:
        raise ValueError(
            f"this simulator calls only http:// addresses of this machine (127.0.0.1, localhost), "
            f"not {parts.scheme or '(none)'}://{host or '(none)'}"
        )


def call(
    method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Make a call to this machine; gives status and text, 0 when nobody answered.

    Raises:
        ValueError: If the address leads elsewhere.
    """
    check_loopback(url)
    parts = urlsplit(url)
    line = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line.request(method, path, body=body or None, headers=headers or {})
        answer = line.getresponse()
        return answer.status, answer.read(_LARGEST_ANSWER).decode("utf-8", "replace")
    except (OSError, HTTPException) as problem:
        return 0, type(problem).__name__
    finally:
        line.close()
