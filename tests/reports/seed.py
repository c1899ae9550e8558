"""An agency for reports: a plain client, a hostile one, one in yen, one in two currencies.

`ACME` is small enough to add up by hand; the others have days that wobble a little.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Engine

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.core.insights import STORED_BY_NAME, STORED_NAMES
from adlab.core.money import to_micro
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.storage import access, clients, insights, objects, sync_state
from adlab.storage.engine import transaction

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    "#set page(fill: red)",
    '#panic("run") \\u{41} "quoted" \\',
    "$x^2$ and `raw` and *bold* _it_",
    "evil\u202egpj.exe",
    "[link](javascript:alert(1))",
    "= Heading\n== Second",
    "حملة الربيع",
    "春のキャンペーン",
    "🚀 Launch {name} %s",
    "W" * 200,
]
LONG_NAME = "Sehr lange Firmierung & Söhne <b>GmbH</b> " + "x" * 150
Cells = dict[str, int | str | None]


def row(day: date, object_id: int, cells: Cells) -> tuple[object, ...]:
    """A stored row; what is not named is zero, None is unknown, money in major units."""
    values: list[object] = []
    for name in STORED_NAMES:
        value = cells.get(name.removesuffix("_micro"), 0)
        money = STORED_BY_NAME[name].unit == "micro" and value is not None
        values.append(to_micro(Decimal(str(value))) if money else value)
    return (day, object_id, *values, None, None, None, None, None)


def _account(
    c: Connection, client: int, number: int, currency: str, zone: str, names: list[str]
) -> list[int]:
    objects.store_account(
        c, AccountInfo(AccountId(number), f"Account {number}", currency, zone, 1), client
    )
    ids = [number * 100 + i for i in range(len(names))]
    objects.store_objects(c, client, number, [
        AdObject(Level.CAMPAIGN, i, n, status="ACTIVE", effective_status="ACTIVE")
        for i, n in zip(ids, names, strict=True)
    ])  # fmt: skip
    return ids


def _days(
    c: Connection, client: int, number: int, period: DateRange, rows: list[tuple[object, ...]]
) -> None:
    insights.store_insights(
        c, client_id=client, account_id=number, level=Level.CAMPAIGN, period=period, rows=rows,
        fetched_at=NOW,
    )  # fmt: skip
    sync_state.store_coverage(
        c, client_id=client, account_id=number, kind="insights", level=2, period=period,
        changed=True,
    )  # fmt: skip


def wobble(period: DateRange, ids: list[int], level: int) -> list[tuple[object, ...]]:
    """Days that go up and down by a few percent, no randomness in them."""
    out = []
    for n, day in enumerate(period):
        for i, object_id in enumerate(ids):
            k = 10 + (n * 7 + i * 3) % 5 + len(ids) - i
            out.append(row(day, object_id, {
                "spend": level * k, "impressions": 1000 * k, "link_clicks": 12 * k,
                "clicks": 15 * k, "purchases": k, "revenue": level * k * 2 + n,
            }))  # fmt: skip
    return out


def fill(engine: Engine) -> None:
    """Write clients, and people: Nora sees acme, Toru sees tokyo, Olga all."""
    months = DateRange(date(2026, 9, 1), date(2026, 11, 20))
    with transaction(engine) as c:
        acme = clients.store_client(
            c, "Acme Europe", "acme", "EUR", "Europe/Berlin", {"color": "#0F766E"}
        ).client_id
        a, b = _account(c, acme, 1001, "EUR", "Europe/Berlin", ["Alpha", "Beta"])
        _days(c, acme, 1001, DateRange(date(2026, 10, 2), date(2026, 10, 30)), [
            row(date(2026, 10, 2), a, {"spend": "1000.10", "impressions": 50_000,
                                       "link_clicks": 500, "purchases": 20, "revenue": 3000}),
            row(date(2026, 10, 2), b, {"spend": "0.25", "impressions": 100, "link_clicks": 1}),
            row(date(2026, 10, 30), a, {"spend": "234.40", "impressions": 9_900,
                                        "link_clicks": 99, "purchases": 5, "revenue": 704.25}),
        ])  # fmt: skip
        tokyo = clients.store_client(
            c, "東京スイーツ Tokyo Sweets", "tokyo", "JPY", "Asia/Tokyo", {"color": "#ffd60a"}
        ).client_id
        ids = _account(c, tokyo, 2001, "JPY", "Asia/Tokyo", [f"Season {i}" for i in range(24)])
        _days(c, tokyo, 2001, months, wobble(months, ids, 300))
        mixed = clients.store_client(c, LONG_NAME, "mixed").client_id
        ids = _account(c, mixed, 3001, "USD", "America/New_York", HOSTILE)
        _days(c, mixed, 3001, months, wobble(months, ids, 7))
        ids = _account(c, mixed, 3002, "EUR", "Europe/Berlin", HOSTILE[:2])
        _days(c, mixed, 3002, months, wobble(months, ids, 3))
        pair = clients.store_client(c, "Pair & Co", "pair", "USD", "UTC").client_id
        arms = _account(c, pair, 4001, "USD", "UTC", ["Control", HOSTILE[10]])
        early = DateRange(date(2026, 10, 1), date(2026, 10, 1) + timedelta(days=29))
        _days(c, pair, 4001, early, wobble(early, arms, 9))
        clients.store_client(c, "Quiet Newcomer", "quiet")
        access.store_person(c, "Olga", Role.OWNER)
        for name, slug in (("Nora", "acme"), ("Toru", "tokyo")):
            access.store_person(c, name, Role.CLIENT_VIEWER)
            access.grant(c, name, slug, Role.CLIENT_VIEWER)
        access.store_person(c, "Ann", Role.ANALYST)
        for slug in ("acme", "tokyo", "pair"):
            access.grant(c, "Ann", slug, Role.ANALYST)


ACME_SPEND = 1234.75
