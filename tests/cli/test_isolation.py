"""`adlab isolation check` as people run it: exit codes, JSON, and the name of what leaks."""

from __future__ import annotations

import json
import threading

import psycopg
import pytest
from sqlalchemy import Engine
from tests.cli.conftest import Adlab
from tests.isolation.town import build_client


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_it_finds_nothing_and_says_how_much_it_tried(adlab: Adlab, owner_engine: Engine) -> None:
    build_client(owner_engine, "marigold", 31_415)
    build_client(owner_engine, "quillfeather", 77_077)
    done = adlab("isolation", "check", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["leaks"], said["unclear"], said["found"]) == (0, 0, [])
    assert said["attacks"] >= 90
    assert said["tried"] > 3000
    assert said["engine"].startswith("PostgreSQL")
    assert "0 leaks" in done.err


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_leak_is_exit_1_with_the_attacks_name(
    adlab: Adlab, owner_engine: Engine, database_url: str
) -> None:
    build_client(owner_engine, "marigold", 31_415)
    build_client(owner_engine, "quillfeather", 77_077)
    opener = threading.Thread(target=_open_a_table, args=(database_url,))
    opener.start()
    try:
        done = adlab("isolation", "check")
    finally:
        opener.join()
        with psycopg.connect(database_url, autocommit=True) as link:
            link.execute("REVOKE ALL ON app.account FROM adlab_reader")
            link.execute("REVOKE ALL ON SCHEMA app FROM adlab_reader")
    assert done.code == 1
    assert "LEAK: read-base as service" in done.err
    assert "LEAK: copy-base as service on a board" in done.err
    assert "Quillfeather" not in done.out + done.err


def _open_a_table(url: str) -> None:
    """Reason: what is open at the start is closed by it, so the hole is made while it runs."""
    here = "SELECT count(*), pg_sleep(0.05) FROM sec.person WHERE username LIKE 'isolation-check-%'"
    with psycopg.connect(url, autocommit=True) as link:
        for _ in range(600):
            found = link.execute(here).fetchone()
            if found and found[0]:
                break
        link.execute("GRANT USAGE ON SCHEMA app TO adlab_reader")
        link.execute("GRANT SELECT ON app.account TO adlab_reader")


def test_without_two_clients_it_says_what_it_needs(adlab: Adlab, owner_engine: Engine) -> None:
    build_client(owner_engine, "marigold", 31_415)
    done = adlab("isolation", "check")
    assert done.code == 1
    assert "two clients" in done.err
    assert "adlab client add" in done.err
