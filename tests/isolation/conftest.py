"""A town to attack, built once a module on each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conftest import create_database, drop_database
from tests.isolation.town import Town, build

from adlab.storage.engine import owner_engine
from adlab.storage.migrate import migrate


@pytest.fixture(scope="module")
def town(any_server: str) -> Iterator[Town]:
    """The town, on each engine in turn."""
    url = create_database(any_server)
    migrate(url)
    engine = owner_engine(url)
    built = build(engine, url)
    yield built
    engine.dispose()
    drop_database(any_server, url)
