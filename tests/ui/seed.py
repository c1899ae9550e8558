"""A small agency with known numbers: one large client, one in yen, one awkward one.

`fill` writes through the store's own functions. Sizes and days come in, so that tests stay quick
and a measurement can ask for 2,000 campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy import Connection, Engine

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level, imported_id
from adlab.core.insights import STORED_NAMES
from adlab.core.money import MICRO
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.storage import access, clients, insights, objects, sync_state
from adlab.storage.engine import transaction

HOSTILE = '<img src=x onerror="alert(1)">'
STATUSES = ("ACTIVE", "ACTIVE", "ACTIVE", "PAUSED", "ARCHIVED")
OBJECTIVES = ("OUTCOME_SALES", "OUTCOME_TRAFFIC", "OUTCOME_LEADS")
THEMES = ("Prospecting", "Retargeting", "Brand", "Catalogue", "Lookalike", "Seasonal")
PLACES = ("DE", "AT", "CH", "NL", "FR", "Nordics")


@dataclass(frozen=True)
class Seeded:
    """What was written: client numbers by slug."""

    clients: dict[str, int]


def fill(engine: Engine, today: date, campaigns: int = 30, days: int = 60) -> Seeded:
    """Write three clients, three people and their grants."""
    period = DateRange(today - timedelta(days=days), today)
    with transaction(engine) as c:
        nord = clients.store_client(
            c, "Nordlicht Outdoor", "nordlicht", "EUR", "Europe/Berlin", {"color": "#1f6feb"}
        ).client_id
        sweets = clients.store_client(
            c, "東京スイーツ Tokyo Sweets", "tokyo", "JPY", "Asia/Tokyo", {"color": "#ffd60a"}
        ).client_id
        atelier = clients.store_client(c, f"Atelier & Sons {HOSTILE}", "atelier").client_id
        clients.store_client(c, "Quiet Newcomer", "newcomer", "USD", "America/New_York")
        _account(c, nord, 1001, "Nordlicht EU", "EUR", "Europe/Berlin", period, campaigns, 61.0, 7)
        _account(c, sweets, 2001, "Tokyo", "JPY", "Asia/Tokyo", period, 8, 9000.0, 8)
        _account(c, atelier, 3001, "Atelier US", "USD", "America/New_York", period, 4, 80.0, 9)
        _account(c, atelier, 3002, "Atelier EU", "EUR", "Europe/Berlin", period, 3, 40.0, 10)
        _imported(c, atelier, 3003, period)
        access.store_person(c, "Ana Weiss", Role.ADMIN)
        access.store_person(c, "Nora Client", Role.CLIENT_VIEWER)
        access.grant(c, "Nora Client", "nordlicht", Role.CLIENT_VIEWER)
        access.store_person(c, "Toru Client", Role.CLIENT_VIEWER)
        access.grant(c, "Toru Client", "tokyo", Role.CLIENT_VIEWER)
    return Seeded({"nordlicht": nord, "tokyo": sweets, "atelier": atelier})


def _account(
    c: Connection, client_id: int, account_id: int, name: str, currency: str, timezone: str,
    period: DateRange, campaigns: int, spend: float, seed: int,
) -> None:  # fmt: skip
    objects.store_account(
        c, AccountInfo(AccountId(account_id), name, currency, timezone, 1), client_id
    )
    found = [
        AdObject(
            Level.CAMPAIGN, account_id * 1_000_000 + i, _title(i),
            campaign_id=account_id * 1_000_000 + i, status=STATUSES[i % 5],
            effective_status=STATUSES[i % 5], objective=OBJECTIVES[i % 3],
        )
        for i in range(campaigns)
    ]  # fmt: skip
    objects.store_objects(c, client_id, account_id, found)
    rows = _rows(period, [o.object_id for o in found], spend, seed)
    insights.store_insights(
        c, client_id=client_id, account_id=account_id, level=Level.CAMPAIGN, period=period,
        rows=rows,
    )  # fmt: skip
    for kind, level in (("objects", 0), ("insights", 2)):
        sync_state.store_coverage(
            c, client_id=client_id, account_id=account_id, kind=kind,  # type: ignore[arg-type]
            level=level, period=period if level else None, changed=True,
        )  # fmt: skip


def _title(i: int) -> str:
    if i == 2:
        return HOSTILE
    if i == 5:
        return '=HYPERLINK("http://evil","x")'
    return f"{THEMES[i % 6]} | {PLACES[(i // 6) % 6]} | {i // 36 + 1:02d}"


def _rows(period: DateRange, ids: list[int], level: float, seed: int) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 1.0, len(ids))
    ctr = 0.009 * rng.lognormal(0, 0.3, len(ids))
    cvr = 0.03 * rng.lognormal(0, 0.4, len(ids))
    out: list[tuple[object, ...]] = []
    for n, day in enumerate(period):
        wave = (1.0, 0.97, 0.95, 1.0, 1.05, 1.15, 1.1)[day.weekday()] * (1 + 0.0015 * n)
        wave *= float(rng.lognormal(0, 0.05))
        spend = level * size * wave * rng.lognormal(0, 0.25, len(ids))
        shows = rng.poisson(spend / level * 9000 + 1)
        links = rng.binomial(shows, np.clip(ctr * wave, 0, 0.2))
        buys = rng.binomial(links, np.clip(cvr, 0, 0.5))
        value = buys * level * rng.lognormal(0.15, 0.2, len(ids))
        for i, object_id in enumerate(ids):
            if i % 5 == 4 and n < period.days - 20:
                continue
            hot = {
                "spend_micro": round(spend[i], 2 if level < 1000 else 0),
                "impressions": int(shows[i]), "reach": int(shows[i] * 0.8),
                "clicks": int(links[i] * 1.4), "link_clicks": int(links[i]),
                "purchases": int(buys[i]), "revenue_micro": round(float(value[i]), 2),
            }  # fmt: skip
            out.append(_row(day, object_id, hot))
    return out


def _row(day: date, object_id: int, hot: dict[str, float | int]) -> tuple[object, ...]:
    cells = [
        hot.get(n) if not n.endswith("_micro") or n not in hot else round(hot[n] * MICRO)
        for n in STORED_NAMES
    ]
    return (day.isoformat(), object_id, *cells, None, None, None, None, None)


def _imported(c: Connection, client_id: int, account_id: int, period: DateRange) -> None:
    """Two campaigns of an A/B file with a few missing cells, as real exports have."""
    objects.store_account(
        c, AccountInfo(AccountId(account_id), "Import: A/B file", "USD", "America/New_York", 1),
        client_id, source="import",
    )  # fmt: skip
    pair = [imported_id(account_id, 2, n) for n in ("Control", "Test")]
    objects.store_objects(
        c, client_id, account_id,
        [AdObject(Level.CAMPAIGN, i, n, campaign_id=i)
         for i, n in zip(pair, ("Control campaign", "Test campaign"), strict=True)],
    )  # fmt: skip
    rng = np.random.default_rng(3)
    rows = []
    for n, day in enumerate(period):
        for arm, object_id in enumerate(pair):
            shows = int(rng.normal(100_000 - 25_000 * arm, 9000))
            hot = {"spend_micro": round(float(rng.normal(2300 + 270 * arm, 300)), 2)}
            if not (arm == 0 and n in (5, 40)):
                links = int(shows * 0.05)
                hot |= {
                    "impressions": shows, "link_clicks": links, "clicks": links,
                    "purchases": int(links * 0.1),
                }  # fmt: skip
            rows.append(_row(day, object_id, hot))
    insights.store_insights(
        c, client_id=client_id, account_id=account_id, level=Level.CAMPAIGN, period=period,
        rows=rows,
    )  # fmt: skip
    sync_state.store_coverage(
        c, client_id=client_id, account_id=account_id, kind="insights", level=2, period=period,
        changed=True,
    )  # fmt: skip
