"""A small agency whose every number can be added up by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, Engine
from tests.conftest import create_database, drop_database

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level, imported_id
from adlab.core.insights import STORED_BY_NAME, STORED_NAMES
from adlab.core.money import to_micro
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.storage import access, clients, insights, objects, sync_state
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.engine import owner_engine as make_engine
from adlab.storage.migrate import migrate
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ALPHA, BETA = 120208888888880123, 12
CONTROL, TEST = imported_id("file", 2, "Control"), imported_id("file", 2, "Test")
Cell = int | str | None
Fact = tuple[str, int, dict[str, Cell]]


@dataclass(frozen=True)
class Agency:
    """Where the store is, and logins of its people."""

    engine: Engine
    owner: str
    ann: str
    boss: str
    nobody: str


def row(day: str, object_id: int, **cells: Cell) -> tuple[object, ...]:
    """A stored row; what is not named is zero, None is unknown, money in major units."""
    values: list[Cell] = []
    for name in STORED_NAMES:
        value = cells.get(name.removesuffix("_micro"), 0)
        money = STORED_BY_NAME[name].unit == "micro" and value is not None
        values.append(to_micro(Decimal(str(value))) if money else value)
    return (day, object_id, *values, "7d_click_1d_view", None, None, None, None)


def facts(c: Connection, client_id: int, account_id: int, level: Level, rows: list[Fact]) -> None:
    """Store rows of one level and note that they were read."""
    days = [date.fromisoformat(r[0]) for r in rows]
    period = DateRange(min(days), max(days))
    insights.store_insights(
        c, client_id=client_id, account_id=account_id, level=level, period=period,
        rows=[row(day, number, **cells) for day, number, cells in rows], fetched_at=NOW,
    )  # fmt: skip
    sync_state.store_coverage(
        c, client_id=client_id, account_id=account_id, kind="insights", level=int(level),
        period=period, changed=True,
    )  # fmt: skip


def day(spend: Cell, impressions: Cell = 0, **more: Cell) -> dict[str, Cell]:
    return {"spend": spend, "impressions": impressions, **more}


ACME: list[Fact] = [
    ("2026-10-02", ALPHA, day(1, 100)),
    ("2026-10-30", ALPHA, day(7, 700)),
    ("2026-11-17", ALPHA, day(5, 500, link_clicks=5, purchases=1, revenue=10)),
    ("2026-11-18", ALPHA, day(10, 1000, clicks=20, link_clicks=10, purchases=1, revenue=50,
                              reach=900)),
    ("2026-11-19", ALPHA, day(90, 3000, clicks=30, link_clicks=30, purchases=3, revenue=90,
                              reach=2000)),
    ("2026-11-19", BETA, day("20.50", 2000, clicks=10, link_clicks=10, reach=1500)),
]  # fmt: skip


def _account(c: Connection, client: int, number: int, name: str, currency: str, zone: str) -> None:
    objects.store_account(c, AccountInfo(AccountId(number), name, currency, zone, 1), client)


def _acme(c: Connection) -> None:
    client = clients.store_client(c, "Acme Europe", "acme", "EUR", "Europe/Berlin").client_id
    _account(c, client, 1001, "Acme DE", "EUR", "Europe/Berlin")
    campaigns = [
        AdObject(Level.CAMPAIGN, ALPHA, "Alpha", status="ACTIVE", effective_status="ACTIVE",
                 objective="OUTCOME_SALES", daily_budget_minor=5000),
        AdObject(Level.CAMPAIGN, BETA, "Beta", status="PAUSED", effective_status="PAUSED",
                 objective="OUTCOME_TRAFFIC"),
    ]  # fmt: skip
    objects.store_objects(c, client, 1001, campaigns)
    objects.store_objects(c, client, 1001, [
        AdObject(Level.AD_SET, 21, "Set 1", campaign_id=ALPHA, effective_status="ACTIVE",
                 lifetime_budget_minor=123456),
        AdObject(Level.AD_SET, 22, "Set 2", effective_status="PAUSED"),
        AdObject(Level.AD, 31, "Ad 1", campaign_id=ALPHA, ad_set_id=21, creative_id=41,
                 effective_status="ACTIVE"),
        AdObject(Level.CREATIVE, 41, "Creative 1", status="ACTIVE"),
    ])  # fmt: skip
    facts(c, client, 1001, Level.CAMPAIGN, ACME)
    facts(c, client, 1001, Level.ACCOUNT, [
        ("2026-11-18", 1001, day(10, 1000, reach=900)),
        ("2026-11-19", 1001, day("110.50", 5000, reach=3200)),
    ])  # fmt: skip
    facts(c, client, 1001, Level.AD_SET, [("2026-11-19", 21, day(90, 3000))])
    facts(c, client, 1001, Level.AD, [("2026-11-19", 31, day(90, 3000))])


def _rest(c: Connection) -> None:
    mixed = clients.store_client(c, "Mixed Ltd", "mixed").client_id
    _account(c, mixed, 2001, "Mixed US", "USD", "America/New_York")
    _account(c, mixed, 2002, "Mixed EU", "EUR", "Europe/Berlin")
    objects.store_objects(c, mixed, 2001, [AdObject(Level.CAMPAIGN, 51, "US")])
    objects.store_objects(c, mixed, 2002, [AdObject(Level.CAMPAIGN, 52, "EU")])
    facts(c, mixed, 2001, Level.CAMPAIGN, [("2026-11-19", 51, day(30, 300, clicks=3))])
    facts(c, mixed, 2002, Level.CAMPAIGN, [("2026-11-19", 52, day(40, 100, clicks=5))])
    tokyo = clients.store_client(c, "東京スイーツ", "tokyo", "JPY", "Asia/Tokyo").client_id
    _account(c, tokyo, 3001, "Tokyo", "JPY", "Asia/Tokyo")
    objects.store_objects(
        c, tokyo, 3001, [AdObject(Level.CAMPAIGN, 61, "春", daily_budget_minor=5000)]
    )
    facts(c, tokyo, 3001, Level.CAMPAIGN, [("2026-11-19", 61, day(1980, 400))])
    clients.store_client(c, "New & Empty", "newco", "CHF", "Europe/Zurich")
    _imported(c)


def _imported(c: Connection) -> None:
    """A file of which some cells were empty: unknown, which is neither zero nor in a ratio."""
    client = clients.store_client(c, "From a file", "filed", "USD", "America/New_York").client_id
    info = AccountInfo(AccountId(4001), "Import: A/B", "USD", "America/New_York", 1)
    objects.store_account(c, info, client, source="import")
    objects.store_objects(c, client, 4001, [
        AdObject(Level.CAMPAIGN, CONTROL, "Control"), AdObject(Level.CAMPAIGN, TEST, "Test"),
    ])  # fmt: skip
    empty: dict[str, Cell] = {n.removesuffix("_micro"): None for n in STORED_NAMES}
    facts(c, client, 4001, Level.CAMPAIGN, [
        ("2026-11-18", CONTROL, {**empty, **day(100, 1000, purchases=4)}),
        ("2026-11-19", CONTROL, {**empty, **day(300, None, purchases=None)}),
        ("2026-11-18", TEST, {**empty, **day(50, 500, purchases=0)}),
        ("2026-11-19", TEST, {**empty, **day(None, 700, purchases=2)}),
    ])  # fmt: skip


def _login(engine: Engine, name: str) -> str:
    with transaction(engine) as c:
        user, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=user, password=password))


@pytest.fixture(scope="session")
def agency(plain_server: str) -> Iterator[Agency]:
    """The agency, written once; tests only read it."""
    url = create_database(plain_server)
    migrate(url)
    engine = make_engine(url)
    with transaction(engine) as c:
        _acme(c)
        _rest(c)
        for name, role in (("ann", Role.ANALYST), ("boss", Role.OWNER), ("eve", Role.ANALYST)):
            access.store_person(c, name, role)
        for slug in ("acme", "filed"):
            access.grant(c, "ann", slug, Role.ANALYST)
    yield Agency(engine, url, *(_login(engine, n) for n in ("ann", "boss", "eve")))
    engine.dispose()
    drop_database(plain_server, url)


def _lab(url: str) -> Iterator[Workbench]:
    lab = Workbench(LoginReader(url), now=lambda: NOW)
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def lab(agency: Agency) -> Iterator[Workbench]:
    """The workbench of somebody who sees every client."""
    yield from _lab(agency.boss)


@pytest.fixture(scope="session")
def ann(agency: Agency) -> Iterator[Workbench]:
    """The workbench of an analyst with two clients."""
    yield from _lab(agency.ann)


@pytest.fixture(scope="session")
def eve(agency: Agency) -> Iterator[Workbench]:
    """The workbench of somebody without a grant."""
    yield from _lab(agency.nobody)
