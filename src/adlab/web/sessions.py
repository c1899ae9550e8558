"""Who a browser is: one signed cookie, written by the web process and read by the boards.

The cookie holds a person's number and when they logged in, nothing else. It is good for twelve
hours, and for thirty minutes without a sign of life; each visit renews the latter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from itsdangerous import BadSignature
from itsdangerous.encoding import base64_decode, base64_encode

from adlab.core.errors import SettingsError
from adlab.vault import Signer, link_signer, read_link, signing_keys

COOKIE = "adlab_session"
ABSOLUTE_SECONDS = 12 * 3600
IDLE_SECONDS = 30 * 60
RENEW_SECONDS = 60


@dataclass(frozen=True)
class Session:
    """A person's session.

    Attributes:
        person_id: Who.
        started_at: When they logged in (epoch seconds).
        seen_at: Last sign of life (epoch seconds).
    """

    person_id: int
    started_at: int
    seen_at: int

    def is_alive(self, now: float) -> bool:
        """Whether it still holds."""
        return (
            now - self.started_at < ABSOLUTE_SECONDS
            and now - self.seen_at < IDLE_SECONDS
            and self.started_at <= now + 60
        )


class Sessions:
    """Writes and reads the cookie.

    Args:
        key: Hex text of at least 16 bytes; every process of the installation has the same. Several
            with commas between while keys change: the first signs, each is believed.
        clock: Epoch seconds; tests move it.

    Raises:
        SettingsError: If the key is missing or too short.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        try:
            secret = signing_keys(key)
        except ValueError:
            raise SettingsError(
                "ADLAB_WEB__SESSION_KEY must be hex text of at least 16 bytes.",
                'Make one: python -c "import secrets; print(secrets.token_hex(32))"',
            ) from None
        self._clock = clock
        self._cookie = Signer(secret, "adlab cookie", clock)
        self._visit = Signer(secret, "adlab visit", clock)
        self._link = link_signer(secret, clock)
        self.keys = secret
        self.key = secret[0]

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock()

    def issue(self, person_id: int) -> str:
        """The cookie of a person who has just logged in."""
        return self._write(self._cookie, Session(person_id, int(self._clock()), 0))

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None when it is missing, forged or over."""
        return self._read(self._cookie, cookie)

    def renew(self, session: Session) -> str | None:
        """A fresh cookie when the last sign of life is a minute old, else None."""
        if self._clock() - session.seen_at < RENEW_SECONDS:
            return None
        return self._write(self._cookie, session)

    def seal_visit(self, session: Session) -> str:
        """What travels in a board's session token: useless as a cookie, and nothing to steal."""
        return self._write(self._visit, session)

    def open_visit(self, sealed: str | None) -> Session | None:
        """The session behind a board's token."""
        return self._read(self._visit, sealed)

    def sign_link(self, token: str) -> str:
        """What stands in a login link's address: the one-time token with our signature."""
        return self._link.sign(token).decode()

    def read_link(self, text: str) -> str | None:
        """The one-time token of a login link; None when it is forged or older than a week."""
        return read_link(self._link, text)

    def _write(self, signer: Signer, session: Session) -> str:
        body = json.dumps({"p": session.person_id, "s": session.started_at})
        return signer.sign(base64_encode(body)).decode()

    def _read(self, signer: Signer, text: str | None) -> Session | None:
        if not text or len(text) > 1000:
            return None
        try:
            body, stamp = signer.unsign(text, return_timestamp=True)
            found = json.loads(base64_decode(body))
            session = Session(int(found["p"]), int(found["s"]), int(stamp.timestamp()))
        except (BadSignature, ValueError, KeyError, TypeError):
            return None
        return session if session.is_alive(self._clock()) else None


def cookie_flags(secure: bool) -> dict[str, object]:
    """How the cookie is set: for this address alone, out of reach of scripts."""
    return {"httponly": True, "samesite": "lax", "path": "/", "secure": secure}


def safe_next(target: str | None) -> str:
    """A path of our own to go on to, or "/"; never another host.

    Browsers read `//host`, a backslash and control characters as ways out, so they are refused.
    """
    if not target or len(target) > 2000 or not target.startswith("/"):
        return "/"
    if target.startswith(("//", "/\\")) or any(ord(c) < 32 or c == "\\" for c in target):
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or target.startswith(("/login", "/logout")):
        return "/"
    return target
