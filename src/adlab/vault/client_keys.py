"""One key a client, in a file outside the database: destroy it, and old backups stay shut.

A file holds the client's key wrapped by a master key of the ring, so neither the folder nor the
ring alone opens anything. The file's name is random and stands in the database and in everything
sealed; a client's number could come again after a restore. A destroyed key leaves an empty marker,
so that a copy of the folder does not bring it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adlab.core.errors import ConflictError, SettingsError
from adlab.vault.ring import ID_BYTES, KEY_BYTES, key_id

_HEAD = b"adlab client key 1"
_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SUFFIX, _GONE = ".key", ".destroyed"


class KeyEntry(Protocol):
    """What the store knows of a client's key."""

    @property
    def name(self) -> str:
        """Name of its file."""

    @property
    def fingerprint(self) -> str | None:
        """How to recognise it; None until it is made."""


class Register(Protocol):
    """Where the names of keys stand."""

    def find(self, client_id: int) -> KeyEntry:
        """The key of a client."""

    def note(self, client_id: int, fingerprint: str) -> None:
        """Keep how to recognise a key that was just made."""


class ClientKeys:
    """The folder of clients' keys.

    Args:
        folder: Where they are; several hosts may share it. Made when the first key is.
        register: Knows which key is whose.
    """

    def __init__(self, folder: Path, register: Register) -> None:
        self.folder = folder
        self._register = register

    def of(self, client_id: int, ring: Sequence[bytes]) -> tuple[str, bytes]:
        """Name and key of a client; made when there was none.

        Raises:
            SettingsError: If it was made before and is not here, or is another than it was.
        """
        entry = self._register.find(client_id)
        path = self._path(entry.name)
        if entry.fingerprint is None and not path.exists():
            if self._path(entry.name, _GONE).exists():
                raise _missing(self.folder)
            self._make(entry.name, ring[0])
        key = self.read(entry.name, ring)
        if entry.fingerprint is None:
            self._register.note(client_id, key_print(key))
        elif entry.fingerprint != key_print(key):
            raise SettingsError(
                f"{path} holds another key than this client's.", "Restore the folder of keys."
            )
        return entry.name, key

    def read(self, name: str, ring: Sequence[bytes]) -> bytes:
        """A key by its name.

        Raises:
            SettingsError: If it is not here, others may read it, or no master key opens it.
        """
        path = self._path(name)
        try:
            text = path.read_text()
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise _missing(self.folder) from None
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read: {error.strerror}.", "Give it to the user who runs adlab."
            ) from None
        if os.name == "posix" and mode & 0o077:
            raise SettingsError(
                f"{path} can be read by others.", f"Make it private: chmod 600 {path}"
            )
        return _unwrap(name, text, ring)

    def master_of(self, name: str) -> str | None:
        """Short name of the master key that wraps a client's key; None when that is not here."""
        try:
            return self._path(name).read_text().split(" ", 1)[0].strip()
        except (OSError, ValueError):
            return None

    def masters(self) -> Counter[str]:
        """Per master key how many clients' keys need it."""
        return Counter(m for m in map(self.master_of, self.names()) if m)

    def names(self) -> list[str]:
        """Names of the keys that are here."""
        if not self.folder.is_dir():
            return []
        return sorted(p.stem for p in self.folder.glob(f"*{_SUFFIX}") if _NAME.fullmatch(p.stem))

    def rewrap(self, ring: Sequence[bytes]) -> tuple[int, int]:
        """Wrap every key with the newest master key; how many changed, how many open with none."""
        moved = lost = 0
        for name in self.names():
            if self.master_of(name) == key_id(ring[0]):
                continue
            try:
                key = self.read(name, ring)
            except SettingsError:
                lost += 1
                continue
            self._write(name, _wrap(name, key, ring[0]), replace=True)
            moved += 1
        return moved, lost

    def destroy(self, name: str) -> bool:
        """Destroy a key for good; whether it was here.

        Everything sealed with it stays shut, wherever a copy of it lies.
        """
        path = self._path(name)
        self._prepare()
        marker = self._path(name, _GONE)
        marker.touch(mode=0o600)
        try:
            # Reason: some file systems write in place; where not, the wrapping is what protects.
            with path.open("r+b") as file:
                file.write(b"\0" * path.stat().st_size)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        finally:
            _sync(self.folder)
        return True

    def export(self) -> str:
        """Every key, still wrapped, as one text. Keep it apart from backups of the database."""
        keys = {name: self._path(name).read_text().strip() for name in self.names()}
        gone = sorted(p.stem for p in self.folder.glob(f"*{_GONE}"))
        return (
            json.dumps({"adlab_client_keys": 1, "keys": keys, "destroyed": gone}, indent=1) + "\n"
        )

    def take_in(self, text: str, destroyed: Collection[str] = ()) -> tuple[int, int]:
        """Bring exported keys back; never one that was destroyed, never over one that is here.

        Args:
            text: What `export` gave.
            destroyed: Names of keys the store knows to be destroyed.

        Returns:
            How many came in, and how many stayed out because they were destroyed.

        Raises:
            ValueError: If it is no such text.
            ConflictError: If another key of the same name is here; then none came in.
        """
        keys, gone = _parse_export(text)
        gone = gone | set(destroyed)
        self._prepare()
        gone |= {p.stem for p in self.folder.glob(f"*{_GONE}")}
        fresh = {n: t for n, t in keys.items() if n not in gone and not self._path(n).exists()}
        for name, line in keys.items():
            if name in gone or name in fresh:
                continue
            here = self._path(name).read_text().strip()
            # Reason: after a rotation the same key is wrapped otherwise; the one here is newer.
            if here.split(" ")[1] != line.split(" ")[1]:
                raise ConflictError(
                    f"Another key {name} is in {self.folder} already.", "Take in to a new folder."
                )
        for name, line in fresh.items():
            self._write(name, line + "\n")
        return len(fresh), len(keys.keys() & gone)

    def _make(self, name: str, master: bytes) -> None:
        self._write(name, _wrap(name, secrets.token_bytes(KEY_BYTES), master))

    def _path(self, name: str, suffix: str = _SUFFIX) -> Path:
        if not _NAME.fullmatch(name):
            raise SettingsError("That is not the name of a client's key.", "Run adlab doctor.")
        return self.folder / f"{name}{suffix}"

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{self.folder} cannot be made: {error.strerror}.", "Set ADLAB_KEYS_FOLDER."
            ) from None

    def _write(self, name: str, text: str, *, replace: bool = False) -> None:
        """Write a key in one step; without `replace` the first of two writers wins."""
        self._prepare()
        draft = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(self._path(name))
            else:
                os.link(draft, self._path(name))
        except FileExistsError:
            pass
        except OSError as error:
            raise SettingsError(
                f"{self.folder} cannot be written to: {error.strerror}.",
                "Give it to the user who runs adlab, or set ADLAB_KEYS_FOLDER.",
            ) from None
        finally:
            draft.unlink(missing_ok=True)
        _sync(self.folder)


def key_print(key: bytes) -> str:
    """A short name of a client's key that gives nothing of it away: 16 hex digits."""
    return hashlib.sha256(b"adlab client key print|" + key).hexdigest()[:16]


def _wrap(name: str, key: bytes, master: bytes) -> str:
    """A line: master key's short name, the key's print, nonce and wrapped key."""
    nonce = secrets.token_bytes(12)
    body = nonce + AESGCM(master).encrypt(nonce, key, _HEAD + name.encode())
    return f"{key_id(master)} {key_print(key)} {body.hex()}\n"


def _unwrap(name: str, text: str, ring: Sequence[bytes]) -> bytes:
    try:
        master, printed, body = text.split()
        sealed = bytes.fromhex(body)
        if len(master) != ID_BYTES * 2 or len(sealed) != 12 + KEY_BYTES + 16:
            raise ValueError
    except ValueError:
        raise SettingsError(
            "A client's key is damaged.", "Bring the folder of keys back: adlab key import FILE"
        ) from None
    for key in ring:
        if key_id(key) == master:
            try:
                opened = AESGCM(key).decrypt(sealed[:12], sealed[12:], _HEAD + name.encode())
            except InvalidTag:
                break
            if key_print(opened) == printed:
                return opened
            break
    raise SettingsError(
        f"A client's key cannot be opened: master key {master} is needed.",
        "Use the ADLAB_SECRET_KEY it was made with.",
    )


def _parse_export(text: str) -> tuple[Mapping[str, str], set[str]]:
    try:
        said = json.loads(text)
        keys, gone = dict(said["keys"]), set(said["destroyed"])
        if said["adlab_client_keys"] != 1 or not all(_NAME.fullmatch(n) for n in [*keys, *gone]):
            raise ValueError
        if not all(
            re.fullmatch(r"[0-9a-f]{8} [0-9a-f]{16} [0-9a-f]{120}", line) for line in keys.values()
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ValueError("that is not a file of adlab key export") from None
    return keys, gone


def _missing(folder: Path) -> SettingsError:
    return SettingsError(
        f"The key of this client is not in {folder}: it was destroyed, or the folder is another.",
        "Set ADLAB_KEYS_FOLDER to where the keys are, or bring them back: adlab key import FILE",
    )


def _sync(folder: Path) -> None:
    if os.name == "posix" and folder.is_dir():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
