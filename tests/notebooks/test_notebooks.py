"""Starter notebooks: clean as committed, and running for whoever is connected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.conftest import create_database, drop_database
from tests.ui.seed import fill

from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.engine import owner_engine as make_engine
from adlab.storage.migrate import migrate

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STARTERS = [
    "00_start_here.ipynb", "10_explore_a_client.ipynb", "21_read_an_ab_test.ipynb",
    "90_monthly_report.ipynb",
]  # fmt: skip


@pytest.fixture(scope="session")
def store(plain_server: str) -> Iterator[Engine]:
    """An agency whose days end today, with an analyst who has three clients."""
    url = create_database(plain_server)
    migrate(url)
    engine = make_engine(url)
    fill(engine, datetime.now(UTC).date(), campaigns=12, days=75)
    with transaction(engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        for slug in ("nordlicht", "tokyo", "atelier"):
            access.grant(c, "ann", slug, Role.ANALYST)
    yield engine
    engine.dispose()
    drop_database(plain_server, url)


def login(engine: Engine, name: str) -> str:
    with transaction(engine) as c:
        user, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=user, password=password))


def run_notebooks(url: str, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval-lax", "-o", "addopts=", "-p", "no:cacheprovider",
         "-q", "--timeout", "100", *(str(FOLDER / n) for n in names)],
        capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, "ADLAB_DATABASE__URL": url},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [p.name for p in NOTEBOOKS])
def test_a_notebook_runs_for_an_analyst(store: Engine, name: str) -> None:
    done = run_notebooks(login(store, "ann"), name)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.slow
def test_starters_run_for_the_owner_too(store: Engine) -> None:
    done = run_notebooks(
        login(store, "Ana Weiss"), "00_start_here.ipynb", "21_read_an_ab_test.ipynb"
    )
    assert done.returncode == 0, done.stdout[-4000:]


def executed(url: str, name: str, **parameters: Any) -> str:
    """What a notebook prints."""
    from adlab.reports.render import run_notebook

    done = run_notebook(FOLDER / name, parameters, {"ADLAB_DATABASE__URL": url})
    return "".join("".join(o.get("text", "")) for c in done["cells"] for o in c.get("outputs", ()))


@pytest.mark.slow
def test_spend_that_explore_prints_is_the_stores(store: Engine) -> None:
    with transaction(store) as c:
        truth = c.scalar(text(
            "SELECT sum(spend_micro) / 1e6 FROM app.insights_daily i JOIN app.client USING (client_id)"
            " WHERE slug = 'nordlicht' AND date BETWEEN :until - 29 AND :until"
        ), {"until": _yesterday()})  # fmt: skip
    printed = executed(login(store, "ann"), "10_explore_a_client.ipynb", client="nordlicht")
    assert f": {truth:,.2f} EUR" in printed


def _yesterday() -> Any:
    from datetime import timedelta

    from adlab.core.periods import today_in

    return today_in("Europe/Berlin", datetime.now(UTC)) - timedelta(days=1)


@pytest.mark.slow
def test_a_test_of_the_largest_campaigns_is_called_observational(store: Engine) -> None:
    ann = login(store, "ann")
    printed = executed(ann, "21_read_an_ab_test.ipynb", client="nordlicht")
    assert "observational, not randomised" in printed
    assert "lift" in printed
    printed = executed(ann, "21_read_an_ab_test.ipynb", client="atelier")
    assert "['Control campaign', 'Test campaign'] (a pair that came from files)" in printed


def test_the_starters_are_there() -> None:
    assert set(STARTERS) <= {p.name for p in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_is_committed_as_the_house_wants_it(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "**Question**" in "".join(cells[0]["source"])
    assert "**Running time**" in "".join(cells[0]["source"])
    assert "where next" in "".join(cells[-1]["source"]).lower()
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", ())]
    assert len(tagged) == 1
    for line in "".join(tagged[0]["source"]).splitlines():
        assert ": " in line.partition("=")[0], f"no type: {line}"
        assert "  # " in line, f"no comment: {line}"
    for cell in cells:
        assert len("".join(cell["source"]).splitlines()) < 25
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
