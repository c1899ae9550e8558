"""The monthly report: its numbers are the store's, and hostile names stay names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adlab.core.errors import DataError, ReportFailedError
from adlab.core.metrics import METRICS
from adlab.services.reporting import ReportRequest, render_report, report_login
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.tenancy import LoginReader
from adlab.ui.formats import show
from adlab.workbench import Workbench, monthly
from tests.reports.conftest import Render, pages_of
from tests.reports.seed import ACME_SPEND, HOSTILE, NOW


def lab_of(engine: Engine, slug: str) -> tuple[Workbench, str]:
    with transaction(engine) as c:
        client = load_client(c, slug)
    with report_login(engine, client) as url:
        lab = Workbench(LoginReader(url), now=lambda: NOW)
        # Reason: everything is read before the login ends with the block.
        frame = lab.insights(slug, level="account", since="2026-10-01", until="2026-10-31",
                             metrics=monthly.RESULTS)  # fmt: skip
        lab.close()
    lab.__dict__["frame"] = frame
    return lab, slug


def test_numbers_on_paper_are_the_stores(render: Render, report_engine: Engine) -> None:
    text = " ".join(pages_of(render("acme").path))
    lab, _ = lab_of(report_engine, "acme")
    total = lab.__dict__["frame"].total()
    assert total["spend"] == pytest.approx(ACME_SPEND)
    assert "Spent €1,235 in October 2026" in text
    for name in monthly.RESULTS:
        line = f"{METRICS[name].label} {show(METRICS[name], total[name], 'EUR')}"
        assert line.replace("\u202f", " ") in text.replace("\u202f", " "), line
    assert "Total €1,234.75 100 % 600" in text.replace("\u202f", " ")


def test_yen_has_no_decimals_and_small_campaigns_stand_in_one_row(render: Render) -> None:
    pages = pages_of(render("tokyo").path)
    text = " ".join(pages)
    assert len(pages) == 4
    assert "4 smaller campaigns" in text
    assert re.search(r"¥\d{1,3}(,\d{3})* ", text)
    assert not re.search(r"¥[\d,]+\.\d\d\b(?!m)", text)
    assert "against 1 Sep – 30 Sep 2026 (30 days)" in text
    assert "Beyond usual variation, better: Link clicks +3" in text


def test_budgets_and_goals_stand_where_they_are_set(render: Render) -> None:
    text = " ".join(pages_of(render("tokyo").path)).replace("\u202f", " ")
    spent = "Budget, 1 Oct – 31 Oct 2026: spent ¥5,468,400 of ¥6,000,000 (91 %), as planned."
    assert spent in text
    assert "Goal for ROAS: 2.50; missed with 2.01." in text
    assert "Budget" not in " ".join(pages_of(render("acme").path))


def test_hostile_names_are_read_as_written_and_currencies_stay_apart(render: Render) -> None:
    pages = pages_of(render("mixed").path)
    text = " ".join(pages).replace("\u200b", "")
    assert len(pages) <= 7
    for name in (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[5]):
        assert name.replace(" ", "") in text.replace(" ", ""), name
    assert "Results in EUR" in text
    assert "Results in USD" in text
    assert "EUR, USD: each has its own section. Amounts are never added." in text
    assert "W" * 20 in text.replace(" ", "")


def test_a_pair_has_a_page_of_its_own(render: Render) -> None:
    text = " ".join(pages_of(render("pair", pair=("Control", "400101")).path))
    for part in ("A against B", "Common days: 1 Oct – 30 Oct 2026", "Lift of B over A",
                 "95% interval", "Not known to be randomised"):  # fmt: skip
        assert part in text, part


def test_a_month_that_is_not_over_says_so(render: Render) -> None:
    text = " ".join(pages_of(render("tokyo", "2026-11").path))
    assert "Monthly report, month to date" in text
    assert "1 Nov – 20 Nov 2026" in text
    assert "Month to date, not settled" in text
    assert "the same days of October" in text


def test_the_same_data_and_moment_give_the_same_bytes(
    render: Render, report_engine: Engine, tmp_path: Path
) -> None:
    first = render("acme")
    request = ReportRequest("monthly", "acme", "2026-10", out=tmp_path / "again.pdf")
    again = render_report(report_engine, request, lambda: NOW)
    assert again.sha256 == first.sha256
    assert again.path.read_bytes() == first.path.read_bytes()


def test_an_empty_month_makes_no_paper(report_engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "x.pdf"
    request = ReportRequest("monthly", "acme", "2026-08", out=out)
    with pytest.raises(DataError) as caught:
        render_report(report_engine, request, lambda: NOW)
    assert str(caught.value) == (
        "Nothing was delivered for Acme Europe in 2026-08. "
        "The last month with delivery is 2026-10: --period 2026-10"
    )
    with pytest.raises(DataError, match="No day of this client is loaded yet"):
        render_report(report_engine, ReportRequest("monthly", "quiet", "2026-10"), lambda: NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_campaign_is_named_and_near_ones_are_offered(
    report_engine: Engine, tmp_path: Path
) -> None:
    request = ReportRequest("monthly", "acme", "2026-10", ("Alpha", "Bta"), tmp_path / "x.pdf")
    with pytest.raises(ReportFailedError, match="There is no campaign 'Bta'"):
        render_report(report_engine, request, lambda: NOW)
    assert list(tmp_path.iterdir()) == []


def test_blocks_read_well_in_a_notebook_and_escape_names() -> None:
    from adlab.workbench import report

    block = report.text("{who} spent {amount}", who="<script>x</script>", amount="€5")
    html = block._repr_mimebundle_()["text/html"]
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert report.text("{a}", a="{b} {0.__class__}").data["text"] == "{b} {0.__class__}"
    with pytest.raises(ValueError, match="no style 'loud'"):
        report.text("x", "loud")
    with pytest.raises(ValueError, match="needs a timezone"):
        report.connect("2026-11-03T08:00:00")
