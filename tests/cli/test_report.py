"""`adlab report`: exit codes, messages, and where things are printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.cli.conftest import Adlab
from tests.reports.seed import fill


@pytest.fixture
def agency(owner_engine: Engine) -> None:
    fill(owner_engine)


def test_a_report_is_rendered_published_and_listed(
    adlab: Adlab, agency: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = adlab("report", "render", "monthly", "--client", "acme", "--period", "2026-10",
                 "--publish", "--json")  # fmt: skip
    assert done.code == 0, done.err
    found = done.json
    assert found["path"] == "acme_monthly_2026-10.pdf"
    assert (tmp_path / found["path"]).read_bytes().startswith(b"%PDF-1.")
    assert found["pages"] >= 3
    assert set(found["seconds"]) == {"login", "notebook", "pdf", "archive"}
    assert "Published as report" in done.err
    listed = adlab("report", "list", "--client", "acme", "--json").json
    assert [(r["client"], r["period"], r["report_id"]) for r in listed] == [
        ("acme", "2026-10", found["report_id"])
    ]
    assert listed[0]["sha256"] == found["sha256"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("weekly", "--client", "acme"), 1, "There is no report 'weekly'. Reports: monthly"),
        (("monthly", "--client", "acne"), 1, "There is no client 'acne'. Clients: "),
        (("monthly", "--client", "acme", "--period", "Oct"), 2, "write 2026-10, or last_month"),
        (("monthly", "--client", "acme", "--period", "2023-01"), 1, "last month with delivery is"),
        (("monthly", "--client", "acme", "--pair", "Alpha"), 2, "--pair"),
        (("monthly",), 2, "--client"),
    ],
)
def test_what_cannot_be_rendered_is_explained(
    adlab: Adlab, agency: None, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = adlab("report", "render", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_nothing_is_published_yet(adlab: Adlab, agency: None) -> None:
    assert adlab("report", "list", "--json").json == []
    assert adlab("report", "list", "--client", "nobody").code == 1
