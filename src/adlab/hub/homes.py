"""People's folders: where they lie, whose they are, and what is brought into them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from adlab.core.errors import AdlabError, SettingsError
from adlab.hub import settling
from adlab.hub.accounts import Account, Accounts, Team, load_key
from adlab.hub.people import OneClient, Person
from adlab.hub.plan import Plan

FIRST_PAGE = "00_start_here.ipynb"
# Reason: ipykernel's debugger listens on a TCP port that asks for no secret: whoever else has an
# account on the machine could run code in a kernel that is being debugged.
_KERNEL = (
    "import sys; sys.modules['debugpy'] = None; "
    "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
)


@dataclass(frozen=True)
class Home:
    """A person's folder, for one server.

    Attributes:
        folder: Where it lies.
        account: Whose it is; None when everybody shares a system user.
        teams: Client's slug → what its team shares, for the clients this server may see.
    """

    folder: Path
    account: Account | None = None
    teams: dict[str, Team] = field(default_factory=dict)


def accounts_of(plan: Plan) -> Accounts:
    """Accounts of this installation."""
    people = Path(plan.servers.people)
    return Accounts(people, load_key(people))


def home_of(plan: Plan, person: Person, client: OneClient | None) -> Home:
    """The folder of a person, made when missing.

    Args:
        plan: Of this start.
        person: Whose.
        client: The one client of a named server; None means all of the person's.

    Raises:
        AdlabError: If the account cannot be made.
    """
    if not plan.servers.people:
        folder = Path(plan.folder) / "people" / person.username
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Home(folder)
    accounts = accounts_of(plan)
    account = accounts.person(person.person_id)
    teams = {}
    if plan.servers.client_folders:
        wanted = person.clients if client is None else (client,)
        teams = {c.slug: accounts.team(c.client_id) for c in wanted}
    return Home(account.home, account, teams)


def settle_home(plan: Plan, home: Home) -> None:
    """Bring notebooks, links and quiet settings into a folder, as whoever it belongs to.

    Raises:
        SettingsError: If that fails; holds the reason.
    """
    gallery = Path(plan.servers.gallery) if plan.servers.gallery else None
    shared = {slug: str(team.folder) for slug, team in home.teams.items()}
    if home.account is None:
        settling.settle(home.folder, gallery, gallery, shared)
        return
    told = {"folder": str(home.folder), "notebooks": plan.servers.gallery,
            "gallery": plan.servers.gallery, "clients": shared}  # fmt: skip
    # Reason: the program's text is handed over, because its file may be closed to the account.
    done = subprocess.run(
        [plan.servers.python or sys.executable, "-I", "-c",
         Path(settling.__file__).read_text(encoding="utf-8")],
        input=json.dumps(told), capture_output=True, text=True, check=False, timeout=60,
        user=home.account.uid, group=home.account.gid,
        extra_groups=[team.gid for team in home.teams.values()], cwd="/", umask=0o077, env={},
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended"])[-1]
        raise SettingsError(f"{home.folder} could not be brought up to date: {last}", "See above.")


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


def publish_gallery(folder: Path) -> str:
    """Lay the shipped notebooks out for everybody to read and nobody to change.

    Returns:
        The folder, or "" when there are no notebooks to show.
    """
    try:
        source = find_notebooks()
    except AdlabError:
        return ""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)
    shipped = {notebook.name: notebook for notebook in source.glob("*.ipynb")}
    for place in folder.iterdir():
        if place.name not in shipped and place.is_file():
            place.unlink()
    for name, notebook in shipped.items():
        fresh = folder / f".{name}"
        shutil.copyfile(notebook, fresh)
        fresh.chmod(0o444)
        fresh.replace(folder / name)
    return str(folder)


def publish_kernel(people: Path, python: str) -> None:
    """Write the kernel that people with accounts of their own use: one without a debugger."""
    folder = kernels_path(people) / "kernels" / "python3"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for part in (people / "share", people / "share/jupyter", folder.parent, folder):
        part.chmod(0o755)
    place = folder / "kernel.json"
    place.write_text(
        json.dumps({
            "argv": [python, "-c", _KERNEL, "-f", "{connection_file}"],
            "display_name": "Python 3", "language": "python", "metadata": {"debugger": False},
        }),
        encoding="utf-8",
    )  # fmt: skip
    place.chmod(0o644)


def kernels_path(people: Path) -> Path:
    """What `JUPYTER_PATH` is set to, so that it is found before others of its name."""
    return people / "share" / "jupyter"
