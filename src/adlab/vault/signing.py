"""What signs cookies and one-time links; while keys change, any key of the ring is believed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

from itsdangerous import BadSignature, TimestampSigner

LINK_SECONDS = 7 * 24 * 3600
INVITE_SECONDS = 31 * 24 * 3600


class Signer(TimestampSigner):
    """Signs text with the time, using SHA-256 and a clock that tests can move.

    Args:
        secret: Key, or several with the newest first: the first signs, each is believed.
        salt: What is signed, so that no signature of one kind passes as another's.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        secret: bytes | Sequence[bytes],
        salt: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = [secret] if isinstance(secret, bytes) else list(secret)
        super().__init__(
            # Reason: itsdangerous signs with the last and tries all.
            keys[::-1], salt=salt.encode(), key_derivation="hmac", digest_method=hashlib.sha256,
        )  # fmt: skip
        self._clock = clock

    def get_timestamp(self) -> int:
        """The clock's time."""
        return int(self._clock())


def signing_keys(text: str) -> tuple[bytes, ...]:
    """Keys from hex texts with commas between, as `Vault.derive_all` writes them.

    Raises:
        ValueError: If there is none, or one is no hex text of at least 16 bytes.
    """
    keys = tuple(bytes.fromhex(part.strip()) for part in text.split(",") if part.strip())
    if not keys or any(len(k) < 16 for k in keys):
        raise ValueError("it must be hex text of at least 16 bytes, or several with commas between")
    return keys


def link_signer(secret: bytes | Sequence[bytes], clock: Callable[[], float] = time.time) -> Signer:
    """Signs the one-time tokens that stand in login links and invitations."""
    return Signer(secret, "adlab login link", clock)


def invite_signer(
    secret: bytes | Sequence[bytes], clock: Callable[[], float] = time.time
) -> Signer:
    """Signs links with which a client connects its ad accounts by itself."""
    return Signer(secret, "adlab connect invitation", clock)


def read_link(signer: Signer, text: str, seconds: int = LINK_SECONDS) -> str | None:
    """The token of a signed link; None when it is forged or too old.

    Reason: a guess is refused here already, without a question to the database, which decides how
    long a link really lasts.
    """
    try:
        return signer.unsign(text, max_age=seconds).decode()
    except BadSignature:
        return None
