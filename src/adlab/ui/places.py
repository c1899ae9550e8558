"""Where the house's doors are, as paths of the one public address.

Behind the hub, pages and boards are its services; without one they lie at the top. Each process
says once where the doors are; templates ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """Paths, each beginning with a slash; those of folders end with one.

    Attributes:
        home: The front door: a person's clients.
        boards: Below it each board, such as `client`.
        logout: Ends the session everywhere.
        notebooks: The person's JupyterLab; "" where there is no hub.
    """

    home: str = "/"
    boards: str = "/boards/"
    logout: str = "/logout"
    notebooks: str = ""


_places = Places()


def places() -> Places:
    """The places of this process."""
    return _places


def set_places(found: Places) -> None:
    """Say where the doors are."""
    global _places
    _places = found


def read_places(environment: Mapping[str, str]) -> Places:
    """The places of a process, by what the hub told it (`JUPYTERHUB_…`); the usual ones else."""
    if not environment.get("JUPYTERHUB_SERVICE_PREFIX"):
        return Places()
    base = "/" + environment.get("JUPYTERHUB_BASE_URL", "/").strip("/")
    base = base if base.endswith("/") else f"{base}/"
    return Places(
        home=f"{base}services/web/",
        boards=f"{base}services/boards/",
        logout=f"{base}hub/logout",
        notebooks=f"{base}hub/spawn",
    )
