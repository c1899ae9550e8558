"""The operating system account the embedded servers run as.

Lives here: finding or creating the service user when adlab runs as root, and asking what that user
can reach. Does not live here: which folders there are (`places`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adlab.core.errors import EmbeddedServerError

SERVICE_USER = "adlab"


@dataclass(frozen=True)
class ServiceUser:
    """An account without rights of its own."""

    name: str
    uid: int
    gid: int

    @property
    def popen_options(self) -> dict[str, Any]:
        """Options that make `subprocess` run a program as this account."""
        # Reason: user alone would keep root's supplementary groups.
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def service_user(*, create: bool) -> ServiceUser | None:
    """Return the account for the servers: None (our own) unless we are root.

    Args:
        create: Make the account when it is missing.

    Raises:
        EmbeddedServerError: If we are root and the account is missing and cannot be made.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return None
    found = _look_up()
    if found is None and create:
        _create()
        found = _look_up()
    if found is None:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and there is no account named {SERVICE_USER}.",
            f"Create one (useradd --system {SERVICE_USER}), or run adlab as an ordinary user.",
        )
    return found


def can_reach(user: ServiceUser, path: Path) -> bool:
    """Say whether the account may pass all parents of a path and enter or read it."""
    test = "test -x" if path.is_dir() else "test -r"
    done = subprocess.run(
        ["/bin/sh", "-c", f'{test} "$1"', "sh", str(path)],
        cwd="/",
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **user.popen_options,
    )
    return done.returncode == 0


def _look_up() -> ServiceUser | None:
    import pwd  # Reason: not on Windows

    try:
        entry = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None
    return ServiceUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _create() -> None:
    """Create the account with whichever tool this system has; say nothing when none works."""
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SERVICE_USER]
    elif shutil.which("adduser"):  # busybox
        command = ["adduser", "-S", "-D", "-H", "-h", "/nonexistent", SERVICE_USER]
    else:
        return
    # Reason: two starters may race here; the second one's failure does not matter.
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
