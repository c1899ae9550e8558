"""Passwords of the embedded servers: random, one to a file, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from adlab.local.places import explained


def read_password(file: Path) -> str | None:
    """Return the password in a file, or None when there is no such file."""
    with explained(file):
        try:
            return file.read_text().strip() or None
        except FileNotFoundError:
            return None


def make_password(file: Path) -> str:
    """Write a new random password (mode 0600) and return it."""
    password = secrets.token_urlsafe(24)
    write_private(file, password + "\n")
    return password


def write_private(file: Path, text: str) -> None:
    """Write a file (mode 0600) in one step: a reader sees the old text or the new, never half."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with explained(file):
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
