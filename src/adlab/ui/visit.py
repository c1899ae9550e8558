"""Who looks at a board. The boards process proves it; a board only asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adlab.core.errors import AccessDeniedError


@dataclass(frozen=True)
class Visit:
    """One person's visit, proved by the process that serves the boards.

    Attributes:
        person: Their name.
        role: Their role in the agency.
        viewer: Their database role; part of every cache key.
        reader: Reads schema `api` as them (a `storage.tenancy.Reader`).
        check: Says in plain words why the visit has ended, or "" while it lasts. Blocks on the
            database, so call it in a thread.
    """

    person: str
    role: str
    viewer: str
    reader: Any
    check: Callable[[], str]


_find: Callable[[], Visit | None] | None = None


def find_visits_with(find: Callable[[], Visit | None]) -> None:
    """Say how the visit of the current session is found; the boards process does it once."""
    global _find
    _find = find


def current_visit() -> Visit:
    """The visit of the current session.

    Raises:
        AccessDeniedError: If nobody is logged in; a board never reads as nobody.
    """
    visit = _find() if _find is not None else None
    if visit is None:
        raise AccessDeniedError("Nobody is logged in.", "Open the link you were sent again.")
    return visit
