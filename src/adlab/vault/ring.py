"""The ring of master keys: its text, newest first, and the private file it rests in.

A key's short name is derived from it one way; it stands in sealed tokens and in what people read,
and gives nothing of the key away.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adlab.core.errors import SettingsError

FILE = "secret.key"
KEY_BYTES = 32
ID_BYTES = 4


def key_id(key: bytes) -> str:
    """The short name of a key: 8 hex digits."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=ID_BYTES, salt=None, info=b"adlab key id")
    return kdf.derive(key).hex()


def parse_keys(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Keys from their hex texts, in the order given.

    Raises:
        ValueError: If there is none, one is malformed, or two are the same; never repeats one.
    """
    if not texts:
        raise ValueError("there is no key")
    if not all(re.fullmatch(rf"[0-9a-fA-F]{{{KEY_BYTES * 2}}}", t) for t in texts):
        raise ValueError("each key must be 64 hex digits")
    keys = tuple(bytes.fromhex(t) for t in texts)
    if len(set(keys)) < len(keys):
        raise ValueError("the same key stands in it twice")
    if len({key_id(k) for k in keys}) < len(keys):
        raise ValueError("two keys have the same short name; make another")
    return keys


def parse_ring(text: str) -> tuple[bytes, ...]:
    """Keys of a variable: hex texts with commas between, newest first.

    Raises:
        ValueError: As `parse_keys`.
    """
    return parse_keys(re.split(" *, *", text))


def local_keys(home: Path) -> tuple[bytes, ...]:
    """The keys beside embedded data, newest first: made once, readable by their owner only.

    Raises:
        SettingsError: If the file holds no keys, or others may read it.
    """
    path = home / FILE
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        temporary = _written(home, [secrets.token_hex(KEY_BYTES)])
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
        return parse_keys(path.read_text().split())
    except ValueError as error:
        raise SettingsError(
            f"{path} is not a key ring: {error}.",
            "Restore it from a backup; tokens cannot be read without it.",
        ) from None


def add_local_key(home: Path) -> str:
    """Put a fresh key in front of the others; its short name. One process at a time may do this."""
    keys = local_keys(home)
    fresh = secrets.token_bytes(KEY_BYTES)
    _replace(home, (fresh, *keys))
    return key_id(fresh)


def drop_local_keys(home: Path, names: Sequence[str]) -> None:
    """Forget keys by their short names; the first is never dropped."""
    first, *others = local_keys(home)
    _replace(home, (first, *(k for k in others if key_id(k) not in set(names))))


def _replace(home: Path, keys: Sequence[bytes]) -> None:
    """Write the ring in one step: a power cut leaves the old file or the new one."""
    temporary = _written(home, [k.hex() for k in keys])
    try:
        temporary.replace(home / FILE)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(home, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _written(home: Path, lines: Sequence[str]) -> Path:
    temporary = home / f".{FILE}.{secrets.token_hex(4)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return temporary
