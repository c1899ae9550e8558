"""The client board drawn from a real store: the right numbers, for the right people, only once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.periods import DateRange
from adlab.storage.engine import owner_engine, transaction
from adlab.ui.shared import Shared, StillLoadingError
from adlab.web import client_data
from adlab.web.viewers import Viewers
from tests.conftest import create_database, drop_database
from tests.dashboards.conftest import load_dashboard, visit_of
from tests.exports.sheets import Sheet
from tests.ui.seed import fill

TODAY = date(2026, 11, 21)
FILE = Path(__file__).parents[2] / "dashboards" / "client.py"


@pytest.fixture(scope="module")
def store(plain_server: str) -> Iterator[Engine]:
    """The owner's engine on a small agency."""
    from adlab.storage.migrate import migrate

    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    fill(engine, TODAY, campaigns=30, days=61)
    yield engine
    engine.dispose()
    drop_database(plain_server, url)


@pytest.fixture
def module() -> ModuleType:
    """The dashboard's file, loaded but not served."""
    return load_dashboard(FILE)


def _board(module: ModuleType, viewers: Viewers, store: Engine, person: str) -> Any:
    board = module.ClientBoard(visit_of(viewers, store, person))
    board.shared = Shared()
    board.draw("client=nordlicht&range=custom&since=2026-10-23&until=2026-11-20", 5)
    return board


def _exact(store: Engine, sql: str) -> Any:
    with transaction(store) as connection:
        return connection.execute(text(sql)).one()


DAYS = "range=custom&since=2026-10-22&until=2026-11-20"


def test_tiles_show_what_the_store_holds(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    row = _exact(
        store,
        "SELECT sum(spend_micro) / 1e6 AS spend, sum(revenue_micro) / sum(spend_micro) AS roas, "
        "sum(purchases) AS purchases FROM app.insights_daily WHERE account_id = 1001 "
        "AND date BETWEEN '2026-10-22' AND '2026-11-20'",
    )
    tiles = board.draw(f"client=nordlicht&{DAYS}", 5).regions["tiles"]
    assert f'data-kpi="spend">€{row.spend:,.0f}<' in tiles
    assert f'data-kpi="roas">{row.roas:.2f}<' in tiles
    assert f'data-kpi="purchases">{row.purchases:,.0f}<' in tiles


def test_choosing_a_campaign_leaves_its_own_numbers(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    row = _exact(
        store,
        "SELECT sum(spend_micro) / 1e6 AS spend FROM app.insights_daily "
        "WHERE object_id = 1001000003 AND date BETWEEN '2026-10-22' AND '2026-11-20'",
    )
    drawn = board.draw(f"client=nordlicht&{DAYS}&campaigns=1001000003", 5)
    assert f'data-kpi="spend">€{row.spend:,.2f}<' in drawn.regions["tiles"]
    assert 'class="chip"' in drawn.regions["controls"]
    assert drawn.regions["campaigns"].count("data-row") == 1


def test_no_comparison_is_claimed_before_the_history_begins(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    drawn = board.draw("client=nordlicht&range=custom&since=2026-10-01&until=2026-11-20", 5)
    assert "no comparison: history begins 21 Sep 2026" in drawn.regions["controls"]
    assert "before" not in drawn.regions["lead"]
    assert "better" not in drawn.regions["tiles"]


def test_a_foreign_client_is_not_there(module: ModuleType, viewers: Viewers, store: Engine) -> None:
    board = _board(module, viewers, store, "Nora Client")
    drawn = board.draw("client=tokyo", 5)
    assert "There is no such client that you may see." in drawn.regions["lead"]
    assert drawn.client_id == 0
    assert board.lost(frozenset({2})) == "Your access to this client has ended."
    assert board.lost(frozenset({1})) == ""


def test_a_second_look_asks_the_store_nothing(
    module: ModuleType, viewers: Viewers, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    first = board.draw(f"client=nordlicht&{DAYS}", 5)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(type(board.visit.reader), "connection", refuse)
    assert board.draw(f"client=nordlicht&{DAYS}", 5).regions == first.regions


def test_imported_files_with_gaps_say_what_they_cover(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Ana Weiss")
    drawn = board.draw(f"client=atelier&{DAYS}", 5)
    assert drawn.regions["tiles"].count('data-kpi="spend"') == 2
    assert "covers" in drawn.regions["tiles"]
    assert "Control campaign" in drawn.regions["campaigns"]


def test_a_store_that_does_not_answer_is_said_and_tried_again(
    module: ModuleType, viewers: Viewers, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = _board(module, viewers, store, "Nora Client")

    def late(*_: object, **__: object) -> None:
        raise StillLoadingError

    monkeypatch.setattr(board, "_get", late)
    drawn = board.draw("client=nordlicht", 5)
    assert drawn.pending
    assert "The store does not answer just now." in drawn.regions["lead"]


def test_the_file_has_every_campaign_that_passes_the_filter(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    name, content = board.download(f"client=nordlicht&{DAYS}&search=brand", "csv")
    assert name == "nordlicht_2026-10-22_2026-11-20.csv"
    assert isinstance(content, str)
    body = [line for line in content.splitlines() if not line.lstrip("\ufeff").startswith("#")]
    assert len(body) == 1 + 4
    name, sheet = board.download(f"client=nordlicht&{DAYS}&search=brand", "xlsx")
    assert name == "nordlicht_2026-10-22_2026-11-20.xlsx"
    assert isinstance(sheet, bytes)
    read = Sheet(sheet)
    assert len(read.column("Campaign")) == 4 + 1
    assert read.check() > 0


def test_the_plan_stands_between_tiles_and_trend_and_only_while_it_lasts(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    assert board.draw("client=nordlicht", 5).regions["plan"].strip() == ""
    with transaction(store) as c:
        c.execute(text(
            "INSERT INTO app.budget (client_id, since, until, currency, amount_micro, note, set_by) "
            "SELECT client_id, current_date - 20, current_date + 10, 'EUR', 90000000000, "
            "'<i>agreed</i>', 'x' FROM app.client WHERE slug = 'nordlicht'"
        ))  # fmt: skip
        c.execute(text(
            "INSERT INTO app.goal (client_id, metric, target, set_by) "
            "SELECT client_id, 'roas', 0.01, 'x' FROM app.client WHERE slug = 'nordlicht'"
        ))  # fmt: skip
    board.shared = Shared()
    drawn = board.draw(f"client=nordlicht&{DAYS}", 5)
    assert list(drawn.regions)[4:7] == ["tiles", "plan", "trend"]
    assert " of €90,000 (" in drawn.regions["plan"]
    assert re.search("1[01] days left", drawn.regions["plan"])
    assert "&lt;i&gt;agreed&lt;/i&gt;" in drawn.regions["plan"]
    assert "goal 0.01, met" in drawn.regions["tiles"]
    one = board.draw("client=nordlicht&range=custom&since=2026-11-19&until=2026-11-20", 5)
    assert "goal 0.01" not in one.regions["tiles"]
    assert one.regions["plan"] == drawn.regions["plan"]
    other = _board(module, viewers, store, "Toru Client").draw("client=tokyo", 5)
    assert "90,000" not in other.regions["plan"]


def test_weeks_in_long_ranges_are_whole(viewers: Viewers, store: Engine) -> None:
    viewer = viewers.find(2)
    assert viewer is not None
    period = DateRange(TODAY - timedelta(days=120), TODAY - timedelta(days=1))
    scope = client_data.Scope(1, period, None, TODAY)
    (figures,) = client_data.load_figures(viewers.reader(viewer), scope)
    assert figures.step == 7
    assert len(figures.now.buckets) == 17
    known = figures.now.buckets["spend"].dropna()
    assert known.iloc[1:].sum() <= figures.now.totals["spend"]
