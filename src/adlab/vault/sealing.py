"""Envelope encryption: a data key a text, wrapped by its client's key, that by a master key.

AES-256-GCM from `cryptography`; the tenant is bound in, so a sealed token copied to another client
does not open. A sealed text names its client's key; that key's file names the master key. Changing
the master key wraps clients' keys anew and leaves what is sealed as it is. Destroying a client's
key shuts everything sealed for that client, in every backup.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adlab.core.errors import SettingsError
from adlab.vault.client_keys import ClientKeys
from adlab.vault.ring import ID_BYTES, KEY_BYTES, key_id

# Reason: the first format named no key, the second a master key; what they sealed still opens.
_OLD, _MAGIC, _CLIENT = b"adlab1", b"adlab2", b"adlab3"
_NAME_BYTES = {_OLD: 0, _MAGIC: ID_BYTES, _CLIENT: 16}


class _Parts(NamedTuple):
    magic: bytes
    name: bytes
    wrap_nonce: bytes
    wrapped: bytes
    rest: bytes


class Vault:
    """Seals and opens tokens with a ring of master keys.

    Args:
        *keys: 32 bytes each, newest first; the first seals, each opens.
        reload: Reads the ring again. Asked before sealing and when a token names an unknown key,
            so that a process that runs on meets keys made meanwhile.
        clients: Keys of clients. Without them the master key wraps data keys itself, and nothing
            sealed for one client can be shut alone.

    Raises:
        ValueError: If there is no key, or one is too short or too long.
    """

    def __init__(
        self,
        *keys: bytes,
        reload: Callable[[], Sequence[bytes]] | None = None,
        clients: ClientKeys | None = None,
    ) -> None:
        self._reload = reload
        self.clients = clients
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
        """Encrypt a text for one client.

        Raises:
            SettingsError: If the client's key was made before and is not to be found.
        """
        return self.seal_all([token], client_id)[0]

    def seal_all(self, texts: Sequence[str], client_id: int) -> list[bytes]:
        """Encrypt texts for one client.

        Raises:
            SettingsError: As `seal`.
        """
        self.refresh()
        key, head = self._sealing_key(client_id)
        sealed = []
        for text in texts:
            data_key, nonce = secrets.token_bytes(32), secrets.token_bytes(12)
            body = AESGCM(data_key).encrypt(nonce, text.encode(), _context(client_id))
            sealed.append(_wrap(key, head, data_key, client_id) + nonce + body)
        return sealed

    def open(self, sealed: bytes, client_id: int) -> str:
        """Decrypt a text of that client.

        Raises:
            SettingsError: If a key it needs is missing, or the data was changed.
        """
        data_key, rest = self._unwrap(sealed, client_id)
        try:
            return AESGCM(data_key).decrypt(rest[:12], rest[12:], _context(client_id)).decode()
        except (InvalidTag, ValueError):
            raise _does_not_open() from None

    def rewrap(self, sealed: bytes, client_id: int) -> bytes:
        """The same text with its data key wrapped by the key that seals now.

        Raises:
            SettingsError: If it does not open now.
        """
        self.open(sealed, client_id)
        if self.is_newest(sealed):
            return bytes(sealed)
        data_key, rest = self._unwrap(sealed, client_id)
        key, head = self._sealing_key(client_id)
        return _wrap(key, head, data_key, client_id) + rest

    def rewrap_clients(self) -> tuple[int, int]:
        """Wrap clients' keys with the newest master key; how many changed, how many are lost."""
        return self.clients.rewrap(self._keys) if self.clients is not None else (0, 0)

    def is_newest(self, sealed: bytes) -> bool:
        """Whether a text is sealed as a new one would be, whatever master key is behind it."""
        parts = _split(sealed)
        if parts is None or self.clients is None:
            return parts is not None and parts.name.hex() == self.key_ids[0]
        return parts.magic == _CLIENT

    def key_of(self, sealed: bytes, client_id: int) -> str | None:
        """Short name of the master key a text needs; None when nobody can tell any more."""
        parts = _split(sealed)
        if parts is None:
            return None
        if parts.magic == _CLIENT:
            return self.clients.master_of(_file_name(parts)) if self.clients else None
        if parts.magic == _MAGIC:
            return parts.name.hex()
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

    def _sealing_key(self, client_id: int) -> tuple[bytes, bytes]:
        """The key that wraps data keys of a client, and how what it wraps begins."""
        if self.clients is None:
            return self._keys[0], _MAGIC + bytes.fromhex(key_id(self._keys[0]))
        name, key = self.clients.of(client_id, self._keys)
        return key, _CLIENT + uuid.UUID(name).bytes

    def _unwrap(self, sealed: bytes, client_id: int) -> tuple[bytes, bytes]:
        parts = _split(sealed)
        if parts is None:
            raise _does_not_open()
        key = self._opening_key(parts, sealed, client_id)
        try:
            data_key = AESGCM(key).decrypt(
                parts.wrap_nonce, parts.wrapped, parts.magic + parts.name + _context(client_id)
            )
        except InvalidTag:
            raise _does_not_open() from None
        return data_key, parts.rest

    def _opening_key(self, parts: _Parts, sealed: bytes, client_id: int) -> bytes:
        if parts.magic == _CLIENT:
            if self.clients is None:
                raise _does_not_open()
            name = _file_name(parts)
            master = self.clients.master_of(name)
            if master is not None and master not in self._named:
                self.refresh()
            return self.clients.read(name, self._keys)
        if parts.name and parts.name.hex() not in self._named:
            self.refresh()
        found = self.key_of(sealed, client_id)
        if found is None or found not in self._named:
            raise _does_not_open(parts.name.hex())
        return self._named[found]


def _wrap(key: bytes, head: bytes, data_key: bytes, client_id: int) -> bytes:
    nonce = secrets.token_bytes(12)
    return head + nonce + AESGCM(key).encrypt(nonce, data_key, head + _context(client_id))


def _split(sealed: bytes) -> _Parts | None:
    sealed = bytes(sealed)
    magic = sealed[: len(_MAGIC)]
    at = len(magic) + _NAME_BYTES.get(magic, 0)
    # Reason: two nonces, the wrapped data key with its tag, and the tag of the text.
    if magic not in _NAME_BYTES or len(sealed) < at + 12 + 48 + 12 + 16:
        return None
    name = sealed[len(magic) : at]
    return _Parts(magic, name, sealed[at : at + 12], sealed[at + 12 : at + 60], sealed[at + 60 :])


def _file_name(parts: _Parts) -> str:
    return str(uuid.UUID(bytes=parts.name))


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
