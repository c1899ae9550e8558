"""What is different when adlab runs as root, and what is not when it does not."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import adlab
from adlab.core.errors import DiskFullError, EmbeddedServerError
from adlab.local import ensure_servers, postgres, reset_data, stop_servers
from adlab.local.account import ServiceUser, can_reach, service_user
from adlab.local.places import SYSTEM_BASE, Places, find_places, home_key
from adlab.local.postgres import initialise, start_postgres, stop_postgres
from adlab.local.programs import usable_programs, wheel_programs

Leftovers = Callable[[Path], list[str]]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_data_below_a_private_folder_moves_to_var_lib(tmp_path: Path) -> None:
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    home = parent / "home"
    found = ensure_servers(home)
    base = SYSTEM_BASE / home_key(home)
    assert found.data_dir == base / "postgres"
    assert parent.stat().st_mode & 0o777 == 0o700
    assert base.stat().st_mode & 0o777 == 0o750
    places = find_places(home)
    assert places is not None
    user = places.user
    assert user is not None
    running = postgres.find_postgres(places)
    assert running is not None
    assert running.process.uids().real == user.uid
    assert set(running.process.gids()) == {user.gid}
    assert not can_reach(user, places.secrets_dir / "admin")
    with psycopg.connect(found.database_url):
        pass
    reset_data(home)
    assert not base.exists()


def test_data_in_a_home_within_reach_stays_there(leftovers: Leftovers) -> None:
    home = Path(tempfile.mkdtemp(prefix="adlab-open-"))
    home.chmod(0o755)
    try:
        found = ensure_servers(home)
        assert found.data_dir == home / "postgres"
        assert found.data_dir.stat().st_mode & 0o777 == 0o700
        assert (home / "passwords").stat().st_uid == 0
        stop_servers(home)
        home.chmod(0o700)
        with pytest.raises(EmbeddedServerError, match="can no longer reach the data"):
            ensure_servers(home)
        home.chmod(0o755)
    finally:
        reset_data(home)
        assert leftovers(home) == []
        shutil.rmtree(home)


def test_lost_data_is_an_error_not_an_empty_database(home: Path) -> None:
    base = ensure_servers(home).data_dir.parent
    stop_servers(home)
    moved = base.with_name(base.name + ".elsewhere")
    base.rename(moved)
    with pytest.raises(EmbeddedServerError, match="is gone"):
        ensure_servers(home)
    moved.rename(base)
    assert ensure_servers(home).started


def test_programs_out_of_reach_are_copied_and_refreshed(
    home: Path, places: Places, tmp_path: Path
) -> None:
    package = wheel_programs().server_bin.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, tmp_path / folder.name)
    wheel = wheel_programs()
    hidden = replace(wheel, server_bin=tmp_path / package.name / "pginstall" / "bin")

    copied = usable_programs(places, hidden)
    assert places.programs_dir / "postgres-18.6.3" in copied.server_bin.parents
    initialise(places, copied, "a-password")
    running = start_postgres(places, copied)
    assert str(places.programs_dir) in running.process.exe()
    stop_postgres(places)

    newer = usable_programs(places, replace(hidden, postgres_version="18.7.0"))
    assert "postgres-18.7.0" in str(newer.server_bin)
    assert [folder.name for folder in places.programs_dir.iterdir()] == ["postgres-18.7.0"]


def test_an_ordinary_user_needs_no_service_user(leftovers: Leftovers) -> None:
    nobody = pwd.getpwnam("nobody")
    user = ServiceUser("nobody", nobody.pw_uid, nobody.pw_gid)
    source = str(Path(adlab.__file__).parents[1])
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    found = [file for file in (sys.executable, system) if can_reach(user, Path(file))]
    if not found or not can_reach(user, Path(source)):
        pytest.skip("Python or the sources are out of reach for an ordinary user")
    interpreter, path = found[0], os.pathsep.join([source, sysconfig.get_path("purelib")])
    home = Path(tempfile.mkdtemp(prefix="adlab-user-"))
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    code = (
        "import sys; from pathlib import Path; from adlab.local import *\n"
        "home = Path(sys.argv[1]) / 'a home'\n"
        "print(ensure_servers(home).data_dir); print(stop_servers(home)); reset_data(home)\n"
        "print(sorted(p.name for p in home.iterdir()), oct(home.stat().st_mode & 0o777))"
    )
    try:
        done = subprocess.run(
            [interpreter, "-c", code, str(home)],
            env={"PYTHONPATH": path, "PATH": os.environ["PATH"], "HOME": str(home)},
            **user.popen_options,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines() == [
            f"{home}/a home/postgres",
            "['keeper', 'PostgreSQL', 'cache']",
            "['run'] 0o700",
        ], done.stderr
        assert leftovers(home) == []
    finally:
        shutil.rmtree(home)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """An 8 MB disk that everybody may enter; an empty database needs 40 MB."""
    folder = Path(tempfile.mkdtemp(prefix="adlab-small-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "adlab-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_named_and_leaves_nothing_half_made(
    small_disk: Path, leftovers: Leftovers
) -> None:
    with pytest.raises(DiskFullError, match=f"{small_disk} is full.*ADLAB_HOME"):
        ensure_servers(small_disk)
    assert not (small_disk / "postgres").exists()
    assert leftovers(small_disk) == []


def test_a_read_only_disk_is_named(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(EmbeddedServerError, match=f"{small_disk}.*Read-only.*ADLAB_HOME"):
        ensure_servers(small_disk)


def test_the_service_user_has_no_rights() -> None:
    user = service_user(create=True)
    assert user is not None
    assert user.uid != 0
    assert not can_reach(user, Path("/etc/shadow"))
    assert can_reach(user, Path("/etc/passwd"))
