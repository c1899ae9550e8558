"""Envelope encryption of tokens: a fresh key a token, sealed by the master key.

The master key lives outside the database (a 0600 file, or a variable); the database alone gives
nobody a token. AES-256-GCM from `cryptography`; the tenant is bound in, so a sealed token copied
to another client does not open. Beside it, what signs one-time links.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, TimestampSigner

from adlab.core.errors import SettingsError

LINK_SECONDS = 7 * 24 * 3600
_MAGIC = b"adlab1"


class Vault:
    """Seals and opens tokens with one master key.

    Args:
        master_key: 32 bytes.
    """

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != 32:
            raise ValueError("the master key has 32 bytes")
        self._key = master_key

    def __repr__(self) -> str:
        return "Vault(…)"

    def seal(self, token: str, client_id: int) -> bytes:
        """Encrypt a token for one client."""
        data_key = secrets.token_bytes(32)
        wrap_nonce, nonce = secrets.token_bytes(12), secrets.token_bytes(12)
        context = f"client:{client_id}".encode()
        wrapped = AESGCM(self._key).encrypt(wrap_nonce, data_key, _MAGIC + context)
        body = AESGCM(data_key).encrypt(nonce, token.encode(), context)
        return _MAGIC + wrap_nonce + wrapped + nonce + body

    def open(self, sealed: bytes, client_id: int) -> str:
        """Decrypt a token of that client.

        Raises:
            SettingsError: If the key is not the one it was sealed with, or the data was changed.
        """
        sealed = bytes(sealed)
        context = f"client:{client_id}".encode()
        try:
            if not sealed.startswith(_MAGIC):
                raise InvalidTag
            at = len(_MAGIC)
            wrap_nonce, wrapped = sealed[at : at + 12], sealed[at + 12 : at + 60]
            nonce, body = sealed[at + 60 : at + 72], sealed[at + 72 :]
            data_key = AESGCM(self._key).decrypt(wrap_nonce, wrapped, _MAGIC + context)
            return AESGCM(data_key).decrypt(nonce, body, context).decode()
        except (InvalidTag, ValueError):
            raise SettingsError(
                "A stored token cannot be opened with this ADLAB_SECRET_KEY.",
                "Use the key it was sealed with, or connect the account again.",
            ) from None

    def derive(self, purpose: str) -> str:
        """A separate secret for one purpose, as 64 hex digits; reveals nothing of the master."""
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
        return kdf.derive(self._key).hex()


def fingerprint(token: str) -> str:
    """A short name for a token that reveals nothing of it, for logs and audit."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def local_key(home: Path) -> bytes:
    """The master key beside embedded data: made once, readable by its owner only.

    Raises:
        SettingsError: If the file is not a key, or others may read it.
    """
    path = home / "secret.key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = secrets.token_hex(32)
    temporary = home / f".secret.key.{secrets.token_hex(4)}"
    if not path.exists():
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(fresh)
        try:
            # Reason: link() fails when another start was faster; then its key is the one.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others.", f"Make it private: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text().strip())
        Vault(key)
    except ValueError:
        raise SettingsError(
            f"{path} is not a key.", "Restore it from a backup; tokens cannot be read without it."
        ) from None
    return key


class Signer(TimestampSigner):
    """Signs text with the time, using SHA-256 and a clock that tests can move.

    Args:
        secret: Key.
        salt: What is signed, so that no signature of one kind passes as another's.
        clock: Epoch seconds.
    """

    def __init__(self, secret: bytes, salt: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(
            secret, salt=salt.encode(), key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._clock = clock

    def get_timestamp(self) -> int:
        """The clock's time."""
        return int(self._clock())


def link_signer(secret: bytes, clock: Callable[[], float] = time.time) -> Signer:
    """Signs the one-time tokens that stand in login links and invitations."""
    return Signer(secret, "adlab login link", clock)


def read_link(signer: Signer, text: str) -> str | None:
    """The token of a signed link; None when it is forged or older than a week.

    Reason: a guess is refused here already, without a question to the database, which decides how
    long a link really lasts.
    """
    try:
        return signer.unsign(text, max_age=LINK_SECONDS).decode()
    except BadSignature:
        return None
