"""What tests of every dashboard need: its file loaded, and a visit of a person in the store."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine, text

from adlab.storage.access import create_boards_login
from adlab.storage.engine import connect_engine, parse_url, transaction
from adlab.ui.visit import Visit
from adlab.web.viewers import Viewers


@pytest.fixture(scope="module")
def viewers(store: Engine) -> Iterator[Viewers]:
    """People, looked up with the boards' own login; each file brings its own `store`."""
    with transaction(store) as connection:
        login, password = create_boards_login(connection)
    url = parse_url(store.url.render_as_string(hide_password=False))
    engine = connect_engine(
        url.set(username=login, password=password).render_as_string(hide_password=False)
    )
    yield Viewers(engine)
    engine.dispose()


def load_dashboard(file: Path) -> ModuleType:
    """A dashboard's file, loaded but not served."""
    spec = importlib.util.spec_from_file_location(f"{file.stem}_file", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def visit_of(viewers: Viewers, store: Engine, person: str) -> Visit:
    """A person's visit, as the boards process would prove it."""
    with transaction(store) as connection:
        number = connection.scalar(
            text("SELECT person_id FROM sec.person WHERE name = :n"), {"n": person}
        )
    viewer = viewers.find(number)
    assert viewer is not None
    return Visit(viewer.name, viewer.role, viewer.login, viewers.reader(viewer), lambda: "")
