"""Reports as a service: whose eyes, how long, where the file goes, who may read it afterwards."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine, text
from tests.conftest import create_database, drop_database
from tests.reports.seed import NOW, fill

from adlab.core.errors import AccessDeniedError, ConflictError, TenantError, UnknownObjectError
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.services import reporting
from adlab.services.reporting import (
    ReportRequest,
    list_reports,
    load_report_file,
    load_reports,
    read_month,
    render_report,
    report_login,
    write_atomically,
)
from adlab.storage import access
from adlab.storage.clients import ClientRow, load_client
from adlab.storage.engine import owner_engine as make_engine
from adlab.storage.engine import transaction
from adlab.storage.migrate import migrate
from adlab.storage.tenancy import LoginReader, Reader

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def engine(plain_server: str) -> Iterator[Engine]:
    url = create_database(plain_server)
    migrate(url)
    made = make_engine(url)
    fill(made)
    yield made
    made.dispose()
    drop_database(plain_server, url)


def client(engine: Engine, slug: str) -> ClientRow:
    with transaction(engine) as connection:
        return load_client(connection, slug)


def logins(engine: Engine) -> list[str]:
    with transaction(engine) as c:
        return list(c.scalars(text("SELECT login FROM sec.login WHERE kind = 'notebook'")))


def viewer(engine: Engine, name: str) -> Reader:
    with transaction(engine) as c:
        return Reader(engine, access.load_person(c, name)["viewer"])


def test_the_writer_sees_one_client_and_its_login_ends_with_the_run(engine: Engine) -> None:
    before = logins(engine)
    with report_login(engine, client(engine, "acme")) as url:
        reader = LoginReader(url)
        who = reader.identity()
        assert (who.name, who.role, who.clients) == ("report writer (acme)", "service", ("acme",))
        assert [r["slug"] for r in reader.rows("read_clients")] == ["acme"]
        reader.close()
    assert logins(engine) == before
    late = LoginReader(url)
    with pytest.raises(AccessDeniedError):
        late.identity()
    late.close()


def test_the_login_ends_also_when_the_run_fails(engine: Engine) -> None:
    before = logins(engine)
    with pytest.raises(ZeroDivisionError), report_login(engine, client(engine, "acme")):
        raise ZeroDivisionError
    assert logins(engine) == before


def test_a_writer_who_sees_more_writes_nothing(engine: Engine) -> None:
    with report_login(engine, client(engine, "tokyo")):
        pass
    with transaction(engine) as c:
        access.grant(c, "report writer (tokyo)", "acme", Role.SERVICE)
    try:
        with (
            pytest.raises(TenantError, match="must see tokyo only"),
            report_login(engine, client(engine, "tokyo")),
        ):
            raise AssertionError
    finally:
        with transaction(engine) as c:
            c.execute(text(
                "DELETE FROM sec.access USING sec.person p, app.client k WHERE "
                "access.person_id = p.person_id AND p.name = 'report writer (tokyo)' AND "
                "access.client_id = k.client_id AND k.slug = 'acme'"
            ))  # fmt: skip


def test_a_person_who_took_the_writers_name_is_not_used(engine: Engine) -> None:
    with transaction(engine) as c:
        access.store_person(c, "report writer (mixed)", Role.OWNER)
    with (
        pytest.raises(ConflictError, match="role owner"),
        report_login(engine, client(engine, "mixed")),
    ):
        raise AssertionError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-10", DateRange(date(2026, 10, 1), date(2026, 10, 31))),
        ("last_month", DateRange(date(2026, 10, 1), date(2026, 10, 31))),
        ("last-month", DateRange(date(2026, 10, 1), date(2026, 10, 31))),
        ("2026-11", DateRange(date(2026, 11, 1), date(2026, 11, 20))),
        ("2024-02", DateRange(date(2024, 2, 1), date(2024, 2, 29))),
    ],
)
def test_months(given: str, expected: DateRange) -> None:
    assert read_month(given, TODAY) == expected


@pytest.mark.parametrize(
    "given", ["2026-13", "2026-1", "Oct 2026", "", "30d", "2026-12", "0000-01"]
)
def test_what_is_no_month_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="--period"):
        read_month(given, TODAY)


def test_a_month_without_a_complete_day_waits() -> None:
    from adlab.core.errors import DataError

    with pytest.raises(DataError, match="no complete day yet"):
        read_month("2026-11", date(2026, 11, 1))


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.pdf"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="cannot be written"):
        write_atomically(tmp_path / "nowhere" / "r.pdf", b"x")
    with pytest.raises(ValueError, match="cannot be written"):
        write_atomically(tmp_path, b"x")
    assert list(tmp_path.iterdir()) == [path]


def test_an_analysts_own_notebook_keeps_its_text_of_several_lines() -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
    executed = {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {},
        "cells": [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Why\n", "\n", "Text."]},
            {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": 1,
             "source": ["print()"], "outputs": [stream]},
        ],
    }  # fmt: skip
    pdf, notices = reporting.to_pdf(executed, "mine.ipynb", NOW)
    text = " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())
    assert text.startswith("Why Text. one two")
    assert notices == ()


@pytest.fixture
def published(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], reporting.Rendered]:
    def call(slug: str) -> reporting.Rendered:
        request = ReportRequest("monthly", slug, "2026-10", out=tmp_path / "r.pdf", publish=True)
        return render_report(engine, request, lambda: NOW)

    return call


def test_a_published_report_is_its_clients_and_nobody_elses(
    engine: Engine, published: Callable[[str], reporting.Rendered]
) -> None:
    done = published("acme")
    assert done.report_id is not None
    everyone = [client(engine, s).client_id for s in ("acme", "tokyo")]
    nora, toru = viewer(engine, "Nora"), viewer(engine, "Toru")
    rows = load_reports(nora, everyone)
    assert [r["report_id"] for r in rows] == [done.report_id]
    assert "pdf" not in rows[0]
    assert rows[0]["title"] == "Monthly report, October 2026"
    assert rows[0]["pages"] == done.pages
    assert rows[0]["as_of"] == datetime(2026, 11, 21, 10, tzinfo=UTC)
    name, content = load_report_file(nora, done.report_id)
    assert name == "acme_monthly_2026-10.pdf"
    assert content == done.path.read_bytes()
    assert load_reports(toru, everyone) == []
    with pytest.raises(UnknownObjectError, match="that you may see"):
        load_report_file(toru, done.report_id)
    assert [r["client"] for r in list_reports(engine)] == ["acme"]
    assert list_reports(engine, "tokyo") == []
    with transaction(engine) as c:
        entry: dict[str, Any] = dict(c.execute(text(
            "SELECT client_id, details FROM sec.audit WHERE action = 'report.publish'"
        )).mappings().one())  # fmt: skip
    assert entry["client_id"] == everyone[0]
    assert entry["details"]["sha256"] == done.sha256
    assert logins(engine) == []
