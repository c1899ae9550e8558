"""One agency for the tests of reports, and PDFs rendered once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine

from adlab.services.reporting import Rendered, ReportRequest, render_report
from adlab.storage.access import create_credential
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.engine import owner_engine as make_engine
from adlab.storage.migrate import migrate
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench
from tests.conftest import create_database, drop_database
from tests.reports.seed import NOW, fill


@pytest.fixture(scope="session")
def report_engine(plain_server: str) -> Iterator[Engine]:
    """The owner's engine on that agency."""
    url = create_database(plain_server)
    migrate(url)
    engine = make_engine(url)
    fill(engine)
    _plan(engine)
    yield engine
    engine.dispose()
    drop_database(plain_server, url)


def _plan(engine: Engine) -> None:
    """A budget and a goal of the client in yen, set by the analyst."""
    with transaction(engine) as c:
        login, password = create_credential(c, "Ann")
    lab = Workbench(LoginReader(libpq_url(engine.url.set(username=login, password=password))))
    lab.budgets.set([{"client": "tokyo", "amount": 6_000_000, "month": "2026-10"}])
    lab.goals.set([{"client": "tokyo", "metric": "roas", "target": 2.5}])
    lab.close()


Render = Callable[..., Rendered]


@pytest.fixture(scope="session")
def render(report_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render a client's month at `NOW`; the same question is answered once."""
    folder = tmp_path_factory.mktemp("reports")
    made: dict[tuple[object, ...], Rendered] = {}

    def call(client: str, period: str = "2026-10", pair: tuple[str, str] | None = None) -> Rendered:
        key = (client, period, pair)
        if key not in made:
            out = folder / f"{client}_{period}_{len(made)}.pdf"
            request = ReportRequest("monthly", client, period, pair, out)
            made[key] = render_report(report_engine, request, lambda: NOW)
        return made[key]

    return call


def pages_of(path: Path) -> list[str]:
    """The text of each page, runs of space made one."""
    reader = PdfReader(path)
    return [" ".join((p.extract_text() or "").split()) for p in reader.pages]
