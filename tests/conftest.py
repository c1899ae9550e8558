"""Fixtures of all tests: an embedded server a worker, a fresh database a test, a simulator.

Nothing here reaches outside this machine, and nothing touches the developer's own `ADLAB_HOME`.
`ADLAB_TEST_TIMESCALE_URL` (a superuser's URL) adds TimescaleDB as a second engine.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, make_url

for _name in [n for n in os.environ if n.startswith("ADLAB_") and "TEST" not in n]:
    del os.environ[_name]

NOW = "2026-11-21T10:00:00Z"
TOKEN = "sim-token-test"


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with running embedded servers, for this worker."""
    from adlab.local import ensure_servers, reset_data

    home = tmp_path_factory.mktemp("adlab-home")
    ensure_servers(home)
    yield home
    reset_data(home)


@pytest.fixture(scope="session")
def plain_server(server_home: Path) -> str:
    """Superuser URL of the embedded PostgreSQL."""
    from adlab.local import ensure_servers

    return ensure_servers(server_home).admin_url


@pytest.fixture(scope="session")
def redis_url(server_home: Path) -> str | None:
    """URL of the embedded cache, or None where there is none."""
    from adlab.local import ensure_servers

    return ensure_servers(server_home).redis_url


@pytest.fixture(
    params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)], scope="session"
)
def any_server(request: pytest.FixtureRequest) -> str:
    """Superuser URL of each engine in turn."""
    if request.param == "plain":
        url: str = request.getfixturevalue("plain_server")
        return url
    url = os.environ.get("ADLAB_TEST_TIMESCALE_URL", "")
    if not url:
        pytest.skip("no TimescaleDB here: set ADLAB_TEST_TIMESCALE_URL to a superuser's URL")
    return url


def create_database(server: str) -> str:
    """A fresh, empty database on a server; its superuser URL."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    url = make_url(server).set(drivername="postgresql", database=name)
    return url.render_as_string(hide_password=False)


def drop_database(server: str, url: str) -> None:
    """Drop a database made by `create_database`."""
    with psycopg.connect(server, autocommit=True) as connection:
        name = make_url(url).database
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[call-overload]


@pytest.fixture
def empty_database(plain_server: str) -> Iterator[str]:
    """Superuser URL of a fresh, empty database."""
    url = create_database(plain_server)
    yield url
    drop_database(plain_server, url)


@pytest.fixture
def database_url(plain_server: str) -> Iterator[str]:
    """Superuser URL of a fresh, migrated database on plain PostgreSQL."""
    yield from _migrated(plain_server)


@pytest.fixture
def any_database(any_server: str) -> Iterator[str]:
    """The same on each engine in turn."""
    yield from _migrated(any_server)


def _migrated(server: str) -> Iterator[str]:
    from adlab.storage.migrate import migrate

    url = create_database(server)
    migrate(url)
    yield url
    drop_database(server, url)


@pytest.fixture
def owner_engine(database_url: str) -> Iterator[Engine]:
    """The owner's engine on `database_url`."""
    yield from _owner(database_url)


@pytest.fixture
def any_engine(any_database: str) -> Iterator[Engine]:
    """The owner's engine on each engine in turn."""
    yield from _owner(any_database)


def _owner(url: str) -> Iterator[Engine]:
    from adlab.storage.engine import owner_engine as make

    engine = make(url)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Simulator:
    """A running Graph API simulator."""

    url: str

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call its control plane."""
        answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def truth(self, **params: Any) -> list[dict[str, Any]]:
        """What it knows to be true, one row an object and day."""
        params = {"group": "object_day", **params}
        answer = httpx.get(f"{self.url}/__truth/insights", params=params, timeout=60)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows


def start_simulator(scenario: str, *extra: str) -> tuple[subprocess.Popen[str], str]:
    """Start a simulator process; returns it and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.simulator", "--port", "0", "--scenario", scenario, *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "ADLAB_PARENT_PID": str(os.getpid())},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.search(r"http://\S+", line)
    if match is None:
        process.kill()
        raise RuntimeError(f"the simulator did not start: {line!r}")
    return process, match[0]


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    """One simulator of the tiny world for this worker, its clock standing still."""
    process, url = start_simulator("tiny", "--now", NOW)
    yield Simulator(url)
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def simulator(simulator_process: Simulator) -> Iterator[Simulator]:
    """The simulator in its first state: no faults, the clock at `NOW`."""
    simulator_process.control("POST", "/__reset")
    simulator_process.control("POST", "/__clock", {"now": NOW})
    yield simulator_process


@pytest.fixture
def run(
    server_home: Path, database_url: str, redis_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run an `adlab` command in this process against `database_url`; returns its exit code."""
    monkeypatch.setenv("ADLAB_HOME", str(server_home))
    monkeypatch.setenv("ADLAB_DATABASE__URL", database_url)
    if redis_url:
        monkeypatch.setenv("ADLAB_REDIS__URL", redis_url)
    monkeypatch.setenv("ADLAB_SECRET_KEY", "0f" * 32)
    monkeypatch.setenv("TEST_TOKEN", TOKEN)

    def call(*arguments: str) -> int:
        from adlab.cli import run as run_command

        return run_command(list(arguments))

    return call
