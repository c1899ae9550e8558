"""A person's server: a folder, the notebooks, and a database login of their own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import HTTPError

from adlab.core.errors import SettingsError
from adlab.core.roles import Right, has_right
from adlab.hub.authenticator import in_store, store
from adlab.hub.plan import read_plan
from adlab.storage.access import CREDENTIAL_HOURS, create_credential, drop_credential
from adlab.storage.engine import libpq_url

FIRST_PAGE = "00_start_here.ipynb"
_COPIED = ".adlab-notebooks.json"


class AdlabSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]  # jupyterhub is not followed
    """Starts servers as children of the hub, all under the hub's own system user.

    Reason: enough for the demo and for one trusting team. People of one system user can read each
    other's environment; walls between clients are the database's.
    """

    adlab_login = ""

    def get_state(self) -> dict[str, Any]:
        """What must outlive a restart of the hub: whose login to drop when the server ends."""
        return {**super().get_state(), "adlab_login": self.adlab_login}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what an earlier hub knew."""
        super().load_state(state)
        self.adlab_login = state.get("adlab_login", "")

    # Reason: clear_state keeps the login; the hub calls it before `post_stop`, which drops it.


async def pre_spawn(spawner: Any) -> None:
    """Prepare a server that is about to start.

    Raises:
        HTTPError: 403 for roles without notebooks.
    """
    roles = [group.name for group in spawner.user.groups]
    if not any(has_right(role, Right.USE_NOTEBOOKS) for role in roles):
        raise HTTPError(403, "Your role has no notebooks. The boards are open to you.")
    folder = Path(spawner.home_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        copy_notebooks(find_notebooks(), folder)
    except (SettingsError, OSError) as error:
        # Reason: a server without the starters is of more use than none.
        spawner.log.warning("notebooks_not_copied reason=%s", error)
    keep_quiet(folder)
    if spawner.adlab_login:
        await post_stop(spawner)
    login, password = await in_store(
        lambda c: create_credential(c, spawner.user.name, CREDENTIAL_HOURS)
    )
    spawner.adlab_login = login
    spawner.environment = {
        # The one secret of a server: this person's own login, which ends by itself.
        "ADLAB_DATABASE__URL": libpq_url(store().url.set(username=login, password=password)),
        # Reason: nothing in a kernel should write bytecode or settings outside its own folder.
        "IPYTHONDIR": str(folder / ".ipython"),
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
    }


async def post_stop(spawner: Any) -> None:
    """Drop a server's login when it ends."""
    login, spawner.adlab_login = spawner.adlab_login, ""
    if login:
        await in_store(lambda c: drop_credential(c, login))


def keep_quiet(folder: Path) -> None:
    """Ask JupyterLab not to fetch news and updates from elsewhere, unless its owner decided."""
    settings = (
        folder / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
        / "notification.jupyterlab-settings"
    )  # fmt: skip
    if not settings.exists():
        settings.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")


def find_notebooks() -> Path:
    """The folder of starter notebooks: in a checkout, or inside the installed wheel.

    Raises:
        SettingsError: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parents[1] / "notebooks", package / "_share" / "notebooks"):
        if (folder / FIRST_PAGE).is_file():
            return folder
    raise SettingsError("The starter notebooks are missing.", "Install adlab again.")


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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command() -> list[str]:
    """What a server runs: the hub's own interpreter, where `adlab` is importable."""
    return [sys.executable, "-m", "jupyterhub.singleuser"]


def arguments() -> list[str]:
    """Arguments of a server."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Reason: Jupyter refuses to run as root unasked; in a container there is often nobody else.
    return ["--allow-root"] if as_root else []


def folder_of_people() -> str:
    """Where people's folders lie, as the spawner's template."""
    return str(Path(read_plan().folder) / "people" / "{username}")
