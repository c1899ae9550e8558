"""Envelope encryption of tokens: a data key a token, wrapped by a master key of the ring.

AES-256-GCM from `cryptography`; the tenant is bound in, so a sealed token copied to another client
does not open. A sealed token names its master key. Changing that key wraps the data key anew and
leaves the token's own text as it is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adlab.core.errors import SettingsError
from adlab.vault.ring import ID_BYTES, KEY_BYTES, key_id

# Reason: the first format named no key; its tokens still open.
_OLD, _MAGIC = b"adlab1", b"adlab2"


class _Parts(NamedTuple):
    name: str
    wrap_nonce: bytes
    wrapped: bytes
    rest: bytes


class Vault:
    """Seals and opens tokens with a ring of master keys.

    Args:
        *keys: 32 bytes each, newest first; the first seals, each opens.
        reload: Reads the ring again. Asked before sealing and when a token names an unknown key,
            so that a process that runs on meets keys made meanwhile.

    Raises:
        ValueError: If there is no key, or one is too short or too long.
    """

    def __init__(self, *keys: bytes, reload: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._reload = reload
        self._set(keys)

    def __repr__(self) -> str:
        return "Vault(…)"

    def _set(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(k) != KEY_BYTES for k in keys):
            raise ValueError("the master key has 32 bytes")
        self._keys = tuple(keys)
        self._named = {key_id(k): k for k in keys}

    def refresh(self) -> None:
        """Read the ring again, where it can change while a process runs."""
        if self._reload is not None:
            self._set(self._reload())

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Short names of the keys, newest first."""
        return tuple(self._named)

    def seal(self, token: str, client_id: int) -> bytes:
        """Encrypt a token for one client, with the newest key."""
        self.refresh()
        data_key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
        body = AESGCM(data_key).encrypt(nonce, token.encode(), _context(client_id))
        return self._wrap(data_key, client_id) + nonce + body

    def open(self, sealed: bytes, client_id: int) -> str:
        """Decrypt a token of that client.

        Raises:
            SettingsError: If the ring lacks the key it was sealed with, or the data was changed.
        """
        data_key, rest = self._unwrap(sealed, client_id)
        try:
            return AESGCM(data_key).decrypt(rest[:12], rest[12:], _context(client_id)).decode()
        except (InvalidTag, ValueError):
            raise _does_not_open() from None

    def rewrap(self, sealed: bytes, client_id: int) -> bytes:
        """The same token with its data key wrapped by the newest key.

        Raises:
            SettingsError: If it does not open now.
        """
        self.open(sealed, client_id)
        data_key, rest = self._unwrap(sealed, client_id)
        return self._wrap(data_key, client_id) + rest

    def key_of(self, sealed: bytes, client_id: int) -> str | None:
        """Short name of the key a token is sealed with; None when nobody can tell any more."""
        parts = _split(sealed)
        if parts is not None and parts.name:
            return parts.name
        if parts is None:
            return None
        for name, key in self._named.items():
            try:
                AESGCM(key).decrypt(parts.wrap_nonce, parts.wrapped, _OLD + _context(client_id))
            except InvalidTag:
                continue
            return name
        return None

    def derive(self, purpose: str) -> str:
        """A separate secret for one purpose, as 64 hex digits, of the newest key."""
        return self.derive_all(purpose).partition(",")[0]

    def derive_all(self, purpose: str) -> str:
        """That secret of each key, newest first, with commas between; tells nothing of the keys.

        Reason: sessions and links signed before the newest key was made stay good until the older
        keys are retired.
        """
        self.refresh()
        return ",".join(_derived(k, purpose) for k in self._keys)

    def _wrap(self, data_key: bytes, client_id: int) -> bytes:
        key, nonce = self._keys[0], secrets.token_bytes(12)
        head = _MAGIC + bytes.fromhex(key_id(key))
        return head + nonce + AESGCM(key).encrypt(nonce, data_key, head + _context(client_id))

    def _unwrap(self, sealed: bytes, client_id: int) -> tuple[bytes, bytes]:
        parts = _split(sealed)
        if parts is None:
            raise _does_not_open()
        if parts.name and parts.name not in self._named:
            self.refresh()
        name = parts.name or self.key_of(sealed, client_id)
        if name is None or name not in self._named:
            raise _does_not_open(parts.name)
        head = _MAGIC + bytes.fromhex(parts.name) if parts.name else _OLD
        try:
            data_key = AESGCM(self._named[name]).decrypt(
                parts.wrap_nonce, parts.wrapped, head + _context(client_id)
            )
        except InvalidTag:
            raise _does_not_open() from None
        return data_key, parts.rest


def _split(sealed: bytes) -> _Parts | None:
    sealed = bytes(sealed)
    magic, at, name = sealed[: len(_MAGIC)], len(_MAGIC), ""
    if magic == _MAGIC:
        name = sealed[at : at + ID_BYTES].hex()
        at += ID_BYTES
    # Reason: two nonces, the wrapped data key with its tag, and the tag of the token.
    if magic not in (_OLD, _MAGIC) or len(sealed) < at + 12 + 48 + 12 + 16:
        return None
    return _Parts(name, sealed[at : at + 12], sealed[at + 12 : at + 60], sealed[at + 60 :])


def _context(client_id: int) -> bytes:
    return f"client:{client_id}".encode()


def _derived(key: bytes, purpose: str) -> str:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
    return kdf.derive(key).hex()


def _does_not_open(name: str = "") -> SettingsError:
    which = f" It was sealed with key {name}." if name else ""
    return SettingsError(
        f"A stored token cannot be opened with this ADLAB_SECRET_KEY.{which}",
        "Use the key it was sealed with, or connect the account again.",
    )


def fingerprint(token: str) -> str:
    """A short name for a token that reveals nothing of it, for logs and audit."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]
