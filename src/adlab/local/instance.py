"""Let only one process of a kind run for a home, and tell the second one where the first is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from adlab.core.errors import ConflictError
from adlab.local.passwords import write_private
from adlab.local.places import absolute, explained


@dataclass(frozen=True)
class Instance:
    """A running process of a kind.

    Args:
        name: The kind, such as "demo".
        pid: Process id.
        started_at: When it began, UTC.
        url: Where it answers; "" until it has said so.
        note: The file that tells others.
    """

    name: str
    pid: int
    started_at: datetime
    url: str
    note: Path

    def announce(self, url: str) -> Instance:
        """Tell others the address; it must hold no secret."""
        told = replace(self, url=url)
        record = {"pid": self.pid, "started_at": self.started_at.isoformat(), "url": url}
        write_private(self.note, json.dumps(record))
        return told


@contextmanager
def single_instance(home: Path, name: str, url: str = "") -> Iterator[Instance]:
    """Be the only process of this kind for the home, as long as the block runs.

    Args:
        home: adlab's home; created when missing.
        name: The kind of process.
        url: Its address, when known; otherwise call `announce` later.

    Raises:
        ConflictError: If another one runs; tells its pid and address.
    """
    from filelock import FileLock, Timeout

    folder = absolute(home) / "run"
    with explained(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    note = folder / f"{name}.json"
    # Reason: the lock decides, not the note. The kernel drops the lock of a killed process.
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    with explained(folder):
        try:
            lock.acquire()
        except Timeout:
            raise _conflict(name, _read(note, name)) from None
    try:
        yield Instance(name, os.getpid(), datetime.now(UTC), "", note).announce(url)
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def running_instance(home: Path, name: str) -> Instance | None:
    """Return the running process of this kind, or None."""
    from filelock import FileLock, Timeout

    folder = absolute(home) / "run"
    if not (folder / f"{name}.lock").exists():
        return None
    try:
        with FileLock(folder / f"{name}.lock", timeout=0):
            return None
    except Timeout:
        return _read(folder / f"{name}.json", name)


def _read(note: Path, name: str) -> Instance | None:
    try:
        record = json.loads(note.read_text())
        begun = datetime.fromisoformat(record["started_at"])
        return Instance(name, int(record["pid"]), begun, str(record["url"]), note)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _conflict(name: str, other: Instance | None) -> ConflictError:
    if other is None:
        return ConflictError(
            f"Another `adlab {name}` is just starting or ending.", "Try again in a moment."
        )
    where = f" at {other.url}" if other.url else ""
    return ConflictError(
        f"`adlab {name}` is running already{where} (pid {other.pid}, "
        f"since {other.started_at:%Y-%m-%d %H:%M} UTC).",
        f"Use that one, or end it first: press Ctrl-C in its window, or `kill {other.pid}`.",
    )
