from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adlab.core.errors import EmbeddedServerError, SettingsError
from adlab.local import cache, ensure_servers, postgres, running_servers, servers, stop_servers
from adlab.local.places import Places, find_places
from adlab.local.watching import wait_until_gone

Leftovers = Callable[[Path], list[str]]
Python = Callable[..., subprocess.Popen[str]]
ENSURE = """
import sys
from pathlib import Path
from adlab.local import ensure_servers
found = ensure_servers(Path(sys.argv[1]))
print(found.started, found.database_url)
"""
WAIT_FOREVER = "\nsys.stdout.flush()\nimport time\ntime.sleep(600)\n"


def postmaster(home: Path) -> psutil.Process:
    found = find_places(home)
    assert found is not None
    running = postgres.find_postgres(found)
    assert running is not None
    return running.process


def until(true: object, seconds: float = 15.0) -> bool:
    assert callable(true)
    give_up = time.monotonic() + seconds
    while not (done := bool(true())) and time.monotonic() < give_up:
        time.sleep(0.05)
    return done


def test_cold_start_warm_start_and_stop(home: Path, leftovers: Leftovers) -> None:
    assert running_servers(home) is None
    assert stop_servers(home) == []

    begin = time.monotonic()
    cold = ensure_servers(home)
    cold_seconds = time.monotonic() - begin
    assert cold.started
    with psycopg.connect(cold.database_url) as owner:
        owner.execute("CREATE TABLE kept (n int)")
        owner.execute("INSERT INTO kept VALUES (7)")

    again = ensure_servers(home)
    assert not again.started
    assert again.database_url == cold.database_url
    found = running_servers(home)
    assert found is not None
    assert found.redis_url == cold.redis_url

    assert stop_servers(home) == ["keeper", "PostgreSQL", "cache"]
    assert leftovers(home) == []
    assert running_servers(home) is None

    begin = time.monotonic()
    warm = ensure_servers(home)
    warm_seconds = time.monotonic() - begin
    assert warm.started
    assert warm.database_url == cold.database_url  # same port, same password
    with psycopg.connect(warm.database_url) as owner:
        assert owner.execute("SELECT n FROM kept").fetchall() == [(7,)]
    # Reason: three times the promise, because the machine is shared with other tests.
    assert cold_seconds < 9
    assert warm_seconds < 3


def test_the_owner_is_no_superuser_and_makes_logins(home: Path) -> None:
    found = ensure_servers(home)
    with psycopg.connect(found.database_url, autocommit=True) as owner:
        role = owner.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert role == ("adlab_owner", False, True, False, False)
        owner.execute("CREATE ROLE ann LOGIN PASSWORD 'secret-of-ann'")
        asked = (
            "server_encoding",
            "jit",
            "data_checksums",
            "fsync",
            "timezone",
            "listen_addresses",
        )
        settings = {name: owner.execute(f"SHOW {name}").fetchone() for name in asked}
        assert settings == {
            "server_encoding": ("UTF8",),
            "jit": ("off",),
            "data_checksums": ("on",),
            "fsync": ("on",),
            "timezone": ("UTC",),
            "listen_addresses": ("127.0.0.1",),
        }
        assert owner.execute("SELECT lower('ÄÖ'), datcollate FROM pg_database").fetchone() == (
            "äö",
            "C",
        )
    with psycopg.connect(found.admin_url) as admin:
        assert admin.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    ann = found.database_url.replace("adlab_owner", "ann").split("@")[1]
    login = "postgresql://ann:%s@%s"
    with psycopg.connect(login % ("secret-of-ann", ann)):
        pass
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(login % ("secret-of-ann", ann.replace("/adlab", "/postgres")))


def test_without_the_password_nobody_gets_in(home: Path, places: Places) -> None:
    found = ensure_servers(home)
    port = psycopg.conninfo.conninfo_to_dict(found.database_url)["port"]
    for user in ("adlab_owner", "adlab_admin"):
        for host in ("127.0.0.1", str(places.socket_dir)):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(host=host, port=port, user=user, password="guess", dbname="adlab")
    path = cache.socket_path(places)
    once = Retry(NoBackoff(), 0)
    for password in (None, "guess"):
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(unix_socket_path=str(path), password=password, retry=once).ping()
    assert found.redis_url is not None
    client = redis.from_url(found.redis_url)
    assert client.set("k", "v")
    assert client.config_get("maxmemory*") == {
        "maxmemory": str(256 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lru",
        "maxmemory-samples": "5",
        "maxmemory-clients": "0",
        "maxmemory-eviction-tenacity": "10",
    }
    client.close()


def test_secrets_are_private_and_show_nowhere(
    home: Path, places: Places, leftovers: Leftovers
) -> None:
    found = ensure_servers(home)
    secrets = [file.read_text().strip() for file in places.secrets_dir.iterdir()]
    assert len(set(secrets)) == 3
    for file in places.secrets_dir.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_uid == os.geteuid()
    assert places.home.stat().st_mode & 0o777 == 0o700
    assert places.socket_dir.stat().st_mode & 0o777 == 0o700
    said = repr(found) + "".join(leftovers(home))
    said += "".join(file.read_text() for file in places.log_dir.iterdir())
    said += "".join(file.read_text() for file in places.run_dir.iterdir())
    assert not [secret for secret in secrets if secret in said]


def test_eight_processes_at_once_share_one_server(home: Path, python: Python) -> None:
    starters = [python(ENSURE, home) for _ in range(8)]
    answers = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 8
    assert sorted(started for started, _ in answers) == ["False"] * 7 + ["True"]
    assert len({url for _, url in answers}) == 1


def test_committed_rows_survive_a_killed_postmaster(home: Path) -> None:
    found = ensure_servers(home)
    client = psycopg.connect(found.database_url)
    client.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    client.commit()
    client.execute("INSERT INTO kept VALUES (1001)")  # open transaction: must not survive
    killed = postmaster(home)
    killed.kill()
    wait_until_gone([killed], 5)
    repaired = ensure_servers(home)
    assert repaired.started
    with psycopg.connect(repaired.database_url) as owner:
        assert owner.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
    client.close()


def test_a_killed_cache_and_keeper_are_replaced(home: Path, places: Places) -> None:
    ensure_servers(home)
    keeper, server = servers.find_keeper(places), cache.find_cache(places)
    assert keeper is not None
    assert server is not None
    keeper.kill()
    server.kill()
    assert until(lambda: servers.find_keeper(places) is None)
    assert until(lambda: cache.find_cache(places) is None)
    found = running_servers(home)
    assert found is not None
    assert found.redis_url is None
    assert ensure_servers(home).redis_url is not None
    assert servers.find_keeper(places) is not None


def test_servers_outlive_a_killed_starter_and_end_when_idle(
    home: Path, places: Places, leftovers: Leftovers, python: Python
) -> None:
    starter = python(ENSURE + WAIT_FOREVER, home, environment={servers.IDLE_VARIABLE: "0.03"})
    assert starter.stdout is not None
    url = starter.stdout.readline().split()[1]
    starter.kill()
    # Reason: reads to the end of the pipe; a server that had inherited it would keep it open.
    starter.communicate(timeout=5)
    shared = ensure_servers(home)
    assert not shared.started
    assert shared.database_url == url
    with psycopg.connect(url) as client:
        time.sleep(3)  # longer than the idle time: a connected client keeps the servers up
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert until(lambda: leftovers(home) == [])
    assert running_servers(home) is None
    assert until(lambda: "ended: idle" in (places.run_dir / "keeper.log").read_text())


def test_a_deleted_home_ends_its_servers(
    home: Path, places: Places, leftovers: Leftovers, python: Python
) -> None:
    starter = python(ENSURE, home, environment={servers.IDLE_VARIABLE: "0.1"})
    assert starter.wait(30) == 0
    # Reason: without root the data are in it, and a server may write while it is being deleted.
    shutil.rmtree(home, ignore_errors=True)
    try:
        assert until(lambda: leftovers(home) == [])
    finally:
        for folder in (home, places.base):
            shutil.rmtree(folder, ignore_errors=True)


def test_a_taken_port_is_left_to_its_holder(home: Path, python: Python) -> None:
    first = ensure_servers(home)
    stop_servers(home)
    port = int(psycopg.conninfo.conninfo_to_dict(first.database_url)["port"])
    holder = python(
        "import socket,sys,time; s=socket.create_server(('127.0.0.1',int(sys.argv[1])));"
        "print('up',flush=True); time.sleep(60)",
        port,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    moved = ensure_servers(home)
    holder.kill()
    holder.communicate()
    assert f":{port}/" not in moved.database_url
    with psycopg.connect(moved.database_url):
        pass


def test_data_of_another_major_version_is_refused_with_the_way_out(
    home: Path, places: Places
) -> None:
    ensure_servers(home)
    stop_servers(home)
    (places.data_dir / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError) as caught:
        ensure_servers(home)
    for part in ("PostgreSQL 17", "PostgreSQL 18", "adlab backup", "adlab restore", "==17.*"):
        assert part in str(caught.value)


def test_an_interrupted_first_start_is_begun_again(home: Path, places: Places) -> None:
    draft = places.base / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    found = ensure_servers(home)
    with psycopg.connect(found.database_url):
        pass
    assert not draft.exists()


def test_a_stale_pid_file_does_not_fool_us(home: Path, places: Places) -> None:
    ensure_servers(home)
    stop_servers(home)
    pid_file = places.data_dir / "postmaster.pid"
    lines = f"{os.getpid()}\n{places.data_dir}\n0\n5432\n\n127.0.0.1\n0 0\nready\n"
    pid_file.write_text(lines)  # our own pid stands for one used again after a reboot
    assert running_servers(home) is None


def test_a_missing_password_file_is_named_and_nothing_is_left_running(
    home: Path, places: Places, leftovers: Leftovers
) -> None:
    first = ensure_servers(home)
    stop_servers(home)
    admin = places.secrets_dir / "admin"
    admin.rename(home / "admin-elsewhere")
    with pytest.raises(EmbeddedServerError, match=str(places.secrets_dir)):
        ensure_servers(home)
    assert leftovers(home) == []
    (home / "admin-elsewhere").rename(admin)
    (places.secrets_dir / "owner").unlink()  # this one can be made anew
    healed = ensure_servers(home)
    assert healed.database_url != first.database_url
    with psycopg.connect(healed.database_url):
        pass


def test_a_wrong_idle_time_names_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(servers.IDLE_VARIABLE, "soon")
    with pytest.raises(SettingsError, match="ADLAB_LOCAL_IDLE_MINUTES is 'soon'"):
        ensure_servers(home)


def test_an_unusable_home_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EmbeddedServerError, match=str(file)):
        ensure_servers(file / "home")
    with pytest.raises(EmbeddedServerError, match="/proc/adlab"):
        ensure_servers(Path("/proc/adlab"))
