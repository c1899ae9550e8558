"""One account of the operating system per person, and one group per client's team.

Lives here: their names, making them, homes, and what may go on under them. Names are made of a key
of this installation and the person's number, never of what people are called: a person called
`root` or `www-data` is `adl-1f2e3d4c` like everybody else.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from adlab.core.errors import SettingsError

NOBODY = 65534
PERSON, TEAM = "adl", "adc"
_OURS = "adlab notebooks"
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Account:
    """An account of a person.

    Attributes:
        name: In the system.
        uid: Its number.
        gid: Its own group, with nobody else in it.
        home: The person's folder.
    """

    name: str
    uid: int
    gid: int
    home: Path


@dataclass(frozen=True)
class Team:
    """A client's team in the system.

    Attributes:
        gid: Its group, which no account is listed in: servers are given it as they start.
        folder: What the team shares.
    """

    gid: int
    folder: Path


def longest_home(people: str) -> str:
    """The path of a home, as long as they get."""
    return f"{people}/home/{PERSON}-00000000"


def prepare_people(people: Path) -> None:
    """Make the folder of homes: people may pass through it and not list it.

    Raises:
        SettingsError: If it is not root's alone to change.
    """
    for folder in (people, people / "home", people / "clients"):
        folder.mkdir(parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
            raise SettingsError(
                f"{folder} belongs to somebody else.", "Set ADLAB_HUB__PEOPLE to another one."
            )
        folder.chmod(0o711)


class Accounts:
    """Finds and makes accounts.

    Args:
        people: Folder of homes and shared folders; see `prepare_people`.
        key: Bytes of this installation, which names are made of.
    """

    def __init__(self, people: Path, key: bytes) -> None:
        self._people, self._key = people, key

    def name_of(self, kind: str, number: int) -> str:
        """The name of a person's account or a client's group."""
        told = hmac.new(self._key, f"{kind} {number}".encode(), hashlib.sha256).hexdigest()
        return f"{kind}-{told[:8]}"

    def person(self, person_id: int) -> Account:
        """The account of a person, made when missing, with a home that is theirs alone.

        Raises:
            SettingsError: If it cannot be made, or such an account is somebody else's.
        """
        import pwd

        name = self.name_of(PERSON, person_id)
        home = self._people / "home" / name
        with _ONE_AT_A_TIME:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                _add_user(name, home)
                entry = pwd.getpwnam(name)
            # Reason: an account by that name that we did not make may have rights of its own.
            if entry.pw_gecos != _OURS or entry.pw_uid == 0 or entry.pw_gid == 0:
                raise SettingsError(
                    f"The system account {name} exists and is not adlab's.", "Remove or rename it."
                )
            account = Account(name, entry.pw_uid, entry.pw_gid, home)
            _own_folder(home, account.uid, account.gid, 0o700)
        return account

    def team(self, client_id: int) -> Team:
        """The group and shared folder of a client's team, made when missing.

        Raises:
            SettingsError: If the group cannot be made.
        """
        import grp

        name = self.name_of(TEAM, client_id)
        # Reason: opaque as well; a name that can be looked for tells whether a client exists.
        folder = self._people / "clients" / name
        with _ONE_AT_A_TIME:
            try:
                entry = grp.getgrnam(name)
            except KeyError:
                _run("groupadd", "--system", name)
                entry = grp.getgrnam(name)
            if entry.gr_mem or entry.gr_gid == 0:
                raise SettingsError(
                    f"The system group {name} has members of its own.", "Remove them from it."
                )
            # Reason: set-gid, so that whatever is written there belongs to the team.
            _own_folder(folder, 0, entry.gr_gid, 0o2770)
        return Team(entry.gr_gid, folder)


def load_key(folder: Path) -> bytes:
    """The key of names, made at the first start; it lies with the homes that are named by it."""
    place = folder / "accounts.key"
    if not place.is_file():
        fresh = place.with_suffix(f".{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        # Reason: a link fails when another start was first; a rename would take its place.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, place)
        fresh.unlink()
    return place.read_bytes()


def processes_of(uid: int, gids: Collection[int] | None = None) -> Iterator[int]:
    """Processes of an account; with `gids` only those that carry one of these groups."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            told = dict(
                line.split(":", 1) for line in (entry / "status").read_text().splitlines()
            )  # fmt: skip
        except (OSError, ValueError):
            continue
        if str(uid) not in told["Uid"].split():
            continue
        if gids is None or {int(g) for g in told["Groups"].split()} & set(gids):
            yield int(entry.name)


def end_processes(uid: int, gids: Collection[int] | None = None, seconds: float = 5.0) -> int:
    """End what still runs under an account; whoever hid from the server's end is found here.

    Returns:
        How many processes were ended.
    """
    if uid == 0:
        raise ValueError("not those of root")
    ended: set[int] = set()
    give_up = time.monotonic() + seconds
    # Reason: again and again, because a process may start another while it is being ended.
    while found := set(processes_of(uid, gids)):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended |= found
        if time.monotonic() > give_up:
            break
        time.sleep(0.05)
    return len(ended)


def _add_user(name: str, home: Path) -> None:
    _run(
        "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(home),
        "--shell", "/usr/sbin/nologin", "--comment", _OURS, name,
    )  # fmt: skip


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        raise SettingsError(
            f"This system has no {program}; accounts for people cannot be made.",
            "Install it (package passwd or shadow-utils), or choose another ADLAB_HUB__SPAWNER.",
        )
    done = subprocess.run([found, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=60)  # fmt: skip
    if done.returncode:
        raise SettingsError(
            f"{program} failed: {done.stderr.strip()[:200]}",
            "See whether /etc/passwd can be written.",
        )


def _own_folder(folder: Path, uid: int, gid: int, mode: int) -> None:
    """Make a folder somebody's own. Its parent is root's, so nobody puts a link in its place."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
