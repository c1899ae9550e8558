"""Webhooks that prove to be Meta's: the handshake, and the signature over a body's raw bytes.

Pure: texts and secrets in, yes or no out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

PATH = "/meta/webhooks"
"""Where Meta delivers, below the public address."""
_SCHEME = b"sha256="


def is_signed(body: bytes, header: str, app_secret: str) -> bool:
    r"""Whether a body was signed with the app's secret.

    The body must be the bytes as they arrived: Meta escapes what is not ASCII (`\u00e4`, `\/`), so
    JSON that was read and written again has another signature. SHA-1 alone is not believed.

    Args:
        body: Raw bytes.
        header: `X-Hub-Signature-256`.
        app_secret: The app's secret.

    Raises:
        ValueError: If the secret is empty.
    """
    if not app_secret:
        raise ValueError("an empty app secret would believe everybody")
    expected = _SCHEME + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(expected, header.encode("utf-8", "replace"))


def answer_handshake(query: Mapping[str, str], verify_tokens: Sequence[str]) -> str | None:
    """The challenge to answer with, or None when the question is not from our own subscription.

    Args:
        query: The parameters, with dots in their names.
        verify_tokens: What a subscription of ours names; each is compared in constant time.
    """
    sent = query.get("hub.verify_token", "").encode("utf-8", "replace")
    matches = [hmac.compare_digest(sent, token.encode()) for token in verify_tokens if token]
    challenge = query.get("hub.challenge", "")
    if query.get("hub.mode") != "subscribe" or not any(matches) or not challenge:
        return None
    return challenge
