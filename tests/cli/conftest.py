"""Commands in this process: exit code, stdout and stderr of each, and an agency to try them on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator, create_database, drop_database

from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.migrate import migrate


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def cells(self, row: int = 1) -> list[str]:
        """Words of a line of the table."""
        return self.out.splitlines()[row].split()


Adlab = Callable[..., Done]


@pytest.fixture(scope="session")
def shared_database(plain_server: str) -> Iterator[str]:
    """One migrated database for all commands of this worker."""
    url = create_database(plain_server)
    migrate(url)
    yield url
    drop_database(plain_server, url)


@pytest.fixture
def database_url(shared_database: str) -> str:
    """That database, emptied: a fresh one a test would cost more than the test."""
    with psycopg.connect(shared_database) as link:
        # Reason: the audit log refuses to be emptied, which a test of its own shows elsewhere.
        link.execute("SET session_replication_role = replica")
        tables = link.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname"
            " IN ('app', 'sec') AND tablename NOT IN ('schema_version', 'person',"
            " 'role', 'role_right', 'audit_head')"
        ).fetchall()
        link.execute("; ".join(f"DELETE FROM {name}" for (name,) in tables))
        link.execute("UPDATE sec.audit_head SET chain_no = 0, hash = sha256('adlab audit')")
        link.execute("DELETE FROM sec.person WHERE name <> 'local owner'")
    return shared_database


@pytest.fixture
def adlab(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Adlab:
    """Run a command and keep what it printed."""

    def call(*arguments: str) -> Done:
        capsys.readouterr()
        code = run(*arguments)
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def meta(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """The simulator as the Graph API of every command."""
    monkeypatch.setenv("ADLAB_META__BASE_URL", simulator.url)
    before = simulator.control("GET", "/__config")
    yield simulator
    simulator.control("POST", "/__config", before)


@pytest.fixture
def acme(owner_engine: Engine) -> str:
    """A client."""
    with transaction(owner_engine) as connection:
        return store_client(connection, "Acme Europe", "acme").slug


@pytest.fixture
def connected(adlab: Adlab, meta: Simulator, acme: str) -> Simulator:
    """The client with its first account connected."""
    done = adlab("account", "connect", "act_1001", "--client", acme, "--token-env", "TEST_TOKEN")
    assert done.code == 0, done.err
    return meta
