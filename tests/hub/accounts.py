"""An interpreter that any account of this machine can run, for tests of people's own accounts."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adlab.hub.choice import why_unreachable

SOURCE = Path(__file__).resolve().parents[2] / "src"


@contextmanager
def open_interpreter() -> Iterator[str]:
    """Our own interpreter if others can run it, else one of the system's with our packages.

    Raises:
        LookupError: If there is neither; says why.
    """
    if not (reason := why_unreachable(sys.executable)):
        yield sys.executable
        return
    of_system = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if not os.access(of_system, os.X_OK):
        raise LookupError(f"{sys.executable}: {reason}; there is no {of_system}")
    folder = Path(tempfile.mkdtemp(prefix="adlab-open-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        subprocess.run([of_system, "-m", "venv", "--without-pip", str(folder / "v")], check=True)
        packages = next((folder / "v").glob("lib/python*/site-packages"))
        told = {str(SOURCE), sysconfig.get_paths()["purelib"], *site.getsitepackages()}
        (packages / "open.pth").write_text("\n".join(sorted(told)) + "\n")
        for name in ("share", "etc"):
            if (Path(sys.prefix) / name).is_dir():
                (folder / "v" / name).symlink_to(Path(sys.prefix) / name)
        python = str(folder / "v/bin/python")
        if again := why_unreachable(python):
            raise LookupError(f"{sys.executable}: {reason}; {python}: {again}")
        yield python
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_accounts(people: Path) -> None:
    """Remove the accounts and groups of a folder of homes: a test's, never anybody's."""
    import pwd

    for entry in pwd.getpwall():
        if entry.pw_dir.startswith(f"{people}/home/adl-"):
            assert entry.pw_uid != 0
            subprocess.run(["/usr/sbin/userdel", entry.pw_name], check=False, capture_output=True)
    for team in (people / "clients").glob("adc-*"):
        subprocess.run(["/usr/sbin/groupdel", team.name], check=False, capture_output=True)
