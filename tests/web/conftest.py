"""A whole site for a module of tests: database, web, boards and the proxy before them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psutil
import pytest
from sqlalchemy import Engine

from adlab.local import free_port
from adlab.storage.access import create_boards_login, create_login_link
from adlab.storage.engine import libpq_url, owner_engine, parse_url, transaction
from adlab.storage.migrate import migrate
from adlab.web.sessions import Sessions
from tests.conftest import create_database, drop_database
from tests.ui.seed import Seeded, fill

KEY = "ab" * 32


@dataclass
class Site:
    """A running site.

    Attributes:
        url: Its one address.
        engine: The owner's engine, to change things behind its back.
        seeded: Client numbers by slug.
        redis_url: Where to publish, or None.
        boards: The boards process.
    """

    url: str
    engine: Engine
    seeded: Seeded
    redis_url: str | None
    boards: psutil.Process
    boards_port: int

    def link(self, person: str) -> str:
        """A fresh one-time link."""
        with transaction(self.engine) as connection:
            token = create_login_link(connection, person)
        return f"{self.url}/login/{Sessions(KEY).sign_link(token)}"

    def browser(self, person: str | None = None) -> httpx.Client:
        """An HTTP client, logged in when a person is named."""
        cookies = httpx.get(self.link(person)).cookies if person else None
        return httpx.Client(base_url=self.url, follow_redirects=True, timeout=20, cookies=cookies,
                            headers={"Accept": "text/html"})  # fmt: skip


@pytest.fixture(scope="module")
def seeded_database(plain_server: str) -> Iterator[tuple[str, Seeded]]:
    """Superuser URL of a migrated database with the small agency in it."""
    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    seeded = fill(engine, datetime.now(UTC).date(), campaigns=45, days=70)
    engine.dispose()
    yield url, seeded
    drop_database(plain_server, url)


def boards_url(url: str) -> str:
    """A boards' service login on that database."""
    engine = owner_engine(url)
    with transaction(engine) as connection:
        login, password = create_boards_login(connection)
    engine.dispose()
    return libpq_url(parse_url(url).set(username=login, password=password))


def start_site(url: str, seeded: Seeded, redis_url: str | None, *options: str) -> Iterator[Site]:
    """Start the three processes; ends them afterwards."""
    ports = [free_port() for _ in range(3)]
    boards, web, front = ports
    environment = {
        **os.environ, "ADLAB_DATABASE__URL": boards_url(url), "ADLAB_WEB__SESSION_KEY": KEY,
        "ADLAB_REDIS__URL": redis_url or "", "ADLAB_DEMO": "1",
        "ADLAB_WEB__BOARDS_URL": f"http://127.0.0.1:{boards}",
    }  # fmt: skip
    commands = [
        ["adlab.web.boards", "--port", str(boards), "--public-origin", f"127.0.0.1:{front}",
         "--recheck-seconds", "1", *options],
        ["adlab.web.app", "--port", str(web)],
        ["adlab.local.proxy", "--port", str(front), "--default-target", f"http://127.0.0.1:{web}",
         "--route", f"/boards=http://127.0.0.1:{boards}"],
    ]  # fmt: skip
    processes = [subprocess.Popen([sys.executable, "-m", *c], env=environment) for c in commands]
    address = f"http://127.0.0.1:{front}"
    engine = owner_engine(url)
    try:
        _wait(f"{address}/boards/alive")
        _wait(f"{address}/healthz")
        yield Site(address, engine, seeded, redis_url, psutil.Process(processes[0].pid), boards)
    finally:
        engine.dispose()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=20)


def _wait(address: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{address} did not come up")


@pytest.fixture(scope="module")
def site(seeded_database: tuple[str, Seeded], redis_url: str | None) -> Iterator[Site]:
    """A site with live events."""
    yield from start_site(*seeded_database, redis_url)
