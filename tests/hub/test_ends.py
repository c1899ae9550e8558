"""`adlab hub` ends as it should: nothing of it stays, and a taken port is explained."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from adlab.core.roles import Role
from adlab.local import free_port
from adlab.local.watching import wait_until_gone
from adlab.storage import access
from adlab.storage.engine import owner_engine, transaction
from adlab.storage.migrate import migrate
from adlab.vault import Vault
from adlab.web.sessions import Sessions
from tests.conftest import create_database, drop_database
from tests.hub.conftest import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
PATIENCE = 15.0


@pytest.fixture(scope="module")
def database(plain_server: str) -> Iterator[str]:
    """A store with one analyst."""
    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    with transaction(engine) as connection:
        access.store_person(connection, "Ann Analyst", Role.ANALYST, "ann")
    engine.dispose()
    yield url
    drop_database(plain_server, url)


def environment(home: Path, database: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ADLAB_")}
    return {**kept, "ADLAB_HOME": str(home), "ADLAB_DATABASE__URL": database,
            "ADLAB_SECRET_KEY": KEY, "ADLAB_HUB__PROXY": "python",
            "ADLAB_HUB__SPAWNER": "local", "ADLAB_HUB__TRUST_EVERYBODY": "1"}  # fmt: skip


@contextmanager
def started(home: Path, database: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """`adlab hub`, once it told its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "hub", "--port", str(port)],
        env=environment(home, database), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert f":{port}" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(30)


def open_notebooks(url: str, database: str) -> None:
    """Log Ann in by link and ask for her server."""
    engine = owner_engine(database)
    with transaction(engine) as connection:
        token = access.create_login_link(connection, "Ann Analyst")
    engine.dispose()
    signer = Sessions(Vault(bytes.fromhex(KEY)).derive("web session"))
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30,
                      headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}) as ann:  # fmt: skip
        assert ann.get(f"/hub/link/{signer.sign_link(token)}").status_code == 200
        assert ann.get("/hub/spawn").status_code == 200


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Everybody below it, a person's notebook server and its guard included."""
    give_up = time.monotonic() + 60
    while True:
        found = psutil.Process(process.pid).children(recursive=True)
        if any("jupyterhub.singleuser" in " ".join(p.cmdline()) for p in found):
            return found
        assert time.monotonic() < give_up, "no notebook server"
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_a_house_stays(number: signal.Signals, database: str, tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, database, port) as process:
        open_notebooks(f"http://127.0.0.1:{port}", database)
        all_of_it = family(process)
        assert len(all_of_it) >= 6  # proxy, hub, boards, web, the guard, Ann's server
        began = time.monotonic()
        process.send_signal(number)
        process.wait(PATIENCE)
        assert wait_until_gone(all_of_it, PATIENCE - (time.monotonic() - began)) == []
    if number != signal.SIGKILL:
        assert process.returncode in (0, 130)


def test_a_taken_port_is_explained(database: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        before = {p.pid for p in psutil.Process().children(recursive=True)}
        done = subprocess.run(
            [sys.executable, "-m", "adlab.cli", "hub", "--port", str(port)],
            env=environment(tmp_path, database), capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert f"Port {port} is taken by" in done.stderr
        assert f"pid {os.getpid()}" in done.stderr
        assert "--port" in done.stderr
        assert {p.pid for p in psutil.Process().children(recursive=True)} == before
        assert not (tmp_path / "run" / "hub.json").exists()


def test_one_system_user_for_all_is_refused_before_anything_starts(
    database: str, tmp_path: Path
) -> None:
    given = environment(tmp_path, database)
    del given["ADLAB_HUB__TRUST_EVERYBODY"]
    done = subprocess.run(
        [sys.executable, "-m", "adlab.cli", "hub", "--port", str(free_port())],
        env=given, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "read everybody's files and environment" in " ".join(done.stderr.split())
    assert "ADLAB_HUB__TRUST_EVERYBODY=1" in done.stderr
    assert "Starting" not in done.stderr + done.stdout
