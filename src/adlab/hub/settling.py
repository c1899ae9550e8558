"""Bring a person's folder up to date: starter notebooks, links to what they share, quiet settings.

Run as a program of its own, as the person's own system account, with the standard library only:
`python -I settling.py < note`. Reason: the folder is theirs, and whatever root writes into a folder
of somebody else may be led astray by a link they put there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_COPIED = ".adlab-notebooks.json"
GALLERY = "gallery"
CLIENTS = "clients"


def settle(
    folder: Path, notebooks: Path | None, gallery: Path | None, clients: Mapping[str, str]
) -> list[str]:
    """Do all of it.

    Args:
        folder: The person's folder; exists.
        notebooks: Starter notebooks to copy.
        gallery: The read-only folder to link to.
        clients: Name of a link below `clients/` → shared folder of that client's team.

    Returns:
        Names of notebooks that were written.
    """
    written = copy_notebooks(notebooks, folder) if notebooks is not None else []
    keep_quiet(folder)
    (folder / ".run").mkdir(mode=0o700, exist_ok=True)
    if gallery is not None:
        _link(folder / GALLERY, gallery)
    _link_clients(folder / CLIENTS, clients)
    return written


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Bring a person's folder up to date with the shipped notebooks.

    A notebook they changed stays as it is; a new version of it arrives beside it.

    Returns:
        Names that were written.
    """
    note = target / _COPIED
    known: dict[str, str] = {}
    if note.is_file():
        known = json.loads(note.read_text(encoding="utf-8"))
    written = []
    for notebook in sorted(source.glob("*.ipynb")):
        shipped = _digest(notebook)
        place = target / notebook.name
        if known.get(notebook.name) == shipped:
            # Reason: this version was given already; a person may have deleted it on purpose.
            continue
        if place.exists() and _digest(place) not in (known.get(notebook.name), shipped):
            place = target / f"{notebook.stem} (new).ipynb"
        shutil.copyfile(notebook, place)
        place.chmod(0o600)
        known[notebook.name] = shipped
        written.append(place.name)
    if written:
        note.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return written


def keep_quiet(folder: Path) -> None:
    """Ask JupyterLab not to fetch news and updates from elsewhere, unless its owner decided."""
    settings = (
        folder / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
        / "notification.jupyterlab-settings"
    )  # fmt: skip
    if not settings.exists():
        settings.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")


def _link(place: Path, target: Path) -> None:
    if place.is_symlink() and place.readlink() != target:
        place.unlink()
    # Reason: a folder of their own by that name is theirs.
    if not place.exists() and not place.is_symlink():
        place.symlink_to(target)


def _link_clients(folder: Path, clients: Mapping[str, str]) -> None:
    if clients:
        folder.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        if place.is_symlink() and place.name not in clients:
            place.unlink()
    for name, target in clients.items():
        _link(folder / name, Path(target))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Read what to do from standard input, as JSON."""
    given = json.load(sys.stdin)
    folder, notebooks, gallery = (
        Path(given[name]) if given[name] else None for name in ("folder", "notebooks", "gallery")
    )
    assert folder is not None
    print(json.dumps(settle(folder, notebooks, gallery, given["clients"])))  # noqa: T201


if __name__ == "__main__":
    main()
