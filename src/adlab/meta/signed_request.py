"""`signed_request`: what Meta sends when a user removes the app or wants their data deleted.

Pure: text and secret in, a user's id out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adlab.core.errors import AccessDeniedError

LONGEST = 8_000
MOST_AGE = timedelta(hours=1)
# Reason: clocks differ a little; a request from far ahead was never made by Meta.
MOST_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class SignedRequest:
    """A request whose signature holds.

    Attributes:
        user_id: App-scoped id of the user at Meta.
        issued_at: When Meta signed it (aware UTC).
    """

    user_id: str
    issued_at: datetime


class ForgedRequestError(AccessDeniedError):
    """A request that Meta did not sign, or signed too long ago."""


def read_signed_request(text: str, app_secret: str, now: datetime) -> SignedRequest:
    """Verify a `signed_request` and read it.

    The signature is HMAC-SHA256 over the payload's text as it was sent; it is compared in constant
    time and before anything of the payload is believed.

    Args:
        text: `<signature>.<payload>`, both base64url without padding.
        app_secret: The app's secret.
        now: Current aware time.

    Raises:
        ForgedRequestError: If it is malformed, not signed with this secret, signed by another
            algorithm, older than an hour or from the future.
        ValueError: If the secret is empty.
    """
    if not app_secret:
        raise ValueError("an empty app secret would believe everybody")
    sent, dot, payload = text.partition(".")
    if not dot or len(text) > LONGEST or not text.isascii():
        raise _forged("it is malformed")
    expected = hmac.new(app_secret.encode(), payload.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(_decode(sent), expected):
        raise _forged("its signature is wrong")
    try:
        found = json.loads(_decode(payload))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _forged("it is malformed")
    if str(found.get("algorithm", "")).upper() != "HMAC-SHA256":
        raise _forged("its algorithm is not HMAC-SHA256")
    user_id, issued = found.get("user_id"), found.get("issued_at")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise _forged("it does not say when it was made")
    try:
        issued_at = datetime.fromtimestamp(issued, UTC)
    except (OverflowError, OSError, ValueError):
        raise _forged("it does not say when it was made") from None
    if not now - MOST_AGE <= issued_at <= now + MOST_AHEAD:
        raise _forged("it was not made just now")
    if not isinstance(user_id, str | int) or not re.fullmatch(r"[0-9]{1,40}", str(user_id)):
        raise _forged("it names no user")
    return SignedRequest(str(user_id), issued_at)


def _decode(text: str) -> bytes:
    try:
        # Reason: Python skips characters that are no base64 unless told to validate.
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _forged("it is malformed") from None


def _forged(why: str) -> ForgedRequestError:
    return ForgedRequestError(f"This signed_request was refused: {why}.")
