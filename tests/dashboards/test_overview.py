"""The overview drawn from a real store: the store's own numbers, for the right people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import owner_engine, transaction
from adlab.ui.live import REDRAW
from adlab.ui.shared import Shared
from adlab.web.viewers import Viewers
from tests.conftest import create_database, drop_database
from tests.dashboards.conftest import load_dashboard, visit_of
from tests.ui.seed import HOSTILE, fill

FILE = Path(__file__).parents[2] / "dashboards" / "overview.py"


@pytest.fixture(scope="module")
def store(plain_server: str) -> Iterator[Engine]:
    """The owner's engine on a small agency, two analysts in it."""
    from adlab.storage.migrate import migrate

    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    fill(engine, date.today(), campaigns=12, days=61)
    with transaction(engine) as c:
        for name, slugs in (("Al One", ["nordlicht"]), ("Al Two", ["tokyo", "atelier"])):
            access.store_person(c, name, Role.ANALYST)
            for slug in slugs:
                access.grant(c, name, slug, Role.ANALYST)
    yield engine
    engine.dispose()
    drop_database(plain_server, url)


@pytest.fixture
def module() -> ModuleType:
    """The dashboard's file, loaded but not served."""
    return load_dashboard(FILE)


def _board(module: ModuleType, viewers: Viewers, store: Engine, person: str) -> Any:
    board = module.OverviewBoard(visit_of(viewers, store, person))
    board.shared = Shared()
    return board


def _spend(store: Engine, since: date, until: date) -> dict[tuple[str, str], float]:
    """What the fact rows say, by slug and currency."""
    with transaction(store) as c:
        rows = c.execute(
            text("SELECT c.slug, a.currency, sum(i.spend_micro) / 1e6 AS spend"
                 " FROM app.insights_daily i JOIN app.account a USING (account_id)"
                 " JOIN app.client c ON c.client_id = a.client_id"
                 " WHERE i.date BETWEEN :s AND :u AND i.level = 2 GROUP BY 1, 2"),
            {"s": since, "u": until},
        )  # fmt: skip
        return {(r.slug, r.currency): float(r.spend) for r in rows}


def _file(board: Any, query: str = "") -> list[dict[str, str]]:
    _, body = board.download(query, "csv")
    lines = [r for r in csv.reader(io.StringIO(body.removeprefix("\ufeff"))) if r]
    rows = [r for r in lines if not r[0].startswith("#")]
    return [dict(zip(rows[0], r, strict=True)) for r in rows[1:]]


@pytest.mark.parametrize("query", ["", "range=30d", "range=mtd", "range=last_month"])
def test_numbers_are_the_stores_own(
    module: ModuleType, viewers: Viewers, store: Engine, query: str
) -> None:
    board = _board(module, viewers, store, "Ana Weiss")
    board.draw(query, 10)
    name, _ = board.download(query, "csv")
    since, until = (date.fromisoformat(t) for t in name.removesuffix(".csv").split("_")[1:])
    found = {(r["slug"], r["currency"]): float(r["spend"])
             for r in _file(board, query) if r["spend"]}  # fmt: skip
    exact = _spend(store, since, until)
    assert found.keys() == exact.keys()
    for key, amount in exact.items():
        assert found[key] == pytest.approx(amount, abs=0.005)


def test_totals_stand_per_currency_and_convert_when_asked(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Ana Weiss")
    drawn = board.draw("", 10)
    assert "All in" not in drawn.regions["controls"]
    with transaction(store) as c:
        c.execute(
            text("INSERT INTO app.fx_rate (date, base, quote, rate, source) SELECT d::date, 'EUR',"
                 " q.code, q.rate, 'ECB' FROM (VALUES ('USD', 2), ('JPY', 100)) q(code, rate),"
                 " generate_series(current_date - 40, current_date, '1 day') d")
        )  # fmt: skip
    board.shared = Shared()
    name, _ = board.download("", "csv")
    since, until = (date.fromisoformat(t) for t in name.removesuffix(".csv").split("_")[1:])
    rates = {"EUR": 1.0, "USD": 2.0, "JPY": 100.0}
    exact = sum(v / rates[k[1]] for k, v in _spend(store, since, until).items())
    tiles = board.draw("currency=EUR", 10).regions["tiles"]
    assert f"≈ €{exact:,.0f}" in tiles
    assert "≈ at daily rates of ECB" in tiles
    assert "¥" not in tiles
    assert "¥" in board.draw("", 10).regions["tiles"]


def test_each_analyst_sees_their_clients_only(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    one = "".join(_board(module, viewers, store, "Al One").draw("", 10).regions.values())
    two = "".join(_board(module, viewers, store, "Al Two").draw("", 10).regions.values())
    assert "Nordlicht" in one
    assert "Tokyo" not in one
    assert "¥" not in one
    assert "Tokyo" in two
    assert "Nordlicht" not in two
    assert {r["slug"] for r in _file(_board(module, viewers, store, "Al Two"))} == {
        "tokyo", "atelier",
    }  # fmt: skip


def test_a_clients_people_read_a_message_and_get_no_file(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Nora Client")
    drawn = board.draw("", 10)
    page = "".join(drawn.regions.values())
    assert "The overview is for the agency’s own people." in page
    assert "Nordlicht" not in page
    assert drawn.client_ids == frozenset()
    with pytest.raises(Exception, match="own people"):
        board.download("", "csv")


def test_a_lost_grant_draws_again_and_a_lost_role_ends(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Al Two")
    ids = board.draw("", 10).client_ids
    assert board.lost(ids) == ""
    assert board.lost(ids | {999}) == REDRAW
    with transaction(store) as c:
        c.execute(text("UPDATE sec.person SET role = 'client_viewer' WHERE name = 'Al Two'"))
    assert "no longer open" in board.lost(ids)
    with transaction(store) as c:
        c.execute(text("UPDATE sec.person SET role = 'analyst' WHERE name = 'Al Two'"))


def test_one_change_is_seen_for_one_client(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    board = _board(module, viewers, store, "Ana Weiss")
    ids = board.draw("", 10).client_ids
    before = board.changed_at(ids)
    assert before.keys() == ids
    with transaction(store) as c:
        c.execute(text("UPDATE app.sync_state SET changed_at = now() + interval '1 minute'"
                       " WHERE account_id = 2001"))  # fmt: skip
    after = board.changed_at(ids)
    assert len([i for i in ids if after[i] != before[i]]) == 1


def test_hostile_names_harm_neither_page_nor_files(
    module: ModuleType, viewers: Viewers, store: Engine
) -> None:
    with transaction(store) as c:
        c.execute(text("UPDATE app.client SET name = '=HYPERLINK(1)' WHERE slug = 'newcomer'"))
    board = _board(module, viewers, store, "Ana Weiss")
    drawn = board.draw("", 10)
    assert HOSTILE not in "".join(drawn.regions.values())
    names = [r["client"] for r in _file(board)]
    assert "'=HYPERLINK(1)" in names
    assert isinstance(board.download("", "xlsx")[1], bytes)
