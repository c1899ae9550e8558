"""What the tenant filter costs: one question on the table and through the view, interleaved."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import psycopg

from tests.benchmarks.figures import Figure, embedded

PAIRS = 200
CLIENTS, CAMPAIGNS, DAYS = 20, 50, 365

FILL = f"""
INSERT INTO app.client (slug, name)
  SELECT 'c' || i, 'Client ' || i FROM generate_series(1, {CLIENTS}) i;
INSERT INTO app.account (account_id, client_id, name, currency, timezone, source)
  SELECT client_id, client_id, name, 'EUR', 'UTC', 'meta' FROM app.client;
INSERT INTO app.insights_daily (date, client_id, account_id, level, object_id, spend_micro,
                                impressions, clicks, link_clicks, purchases, revenue_micro,
                                fetched_at)
  SELECT DATE '2026-11-20' - d, c, c, 2, c * 1000 + o, 1000000 + d * 17, 1000 + o, 20, 10, 1,
         3000000, now()
  FROM generate_series(1, {CLIENTS}) c, generate_series(1, {CAMPAIGNS}) o,
       generate_series(0, {DAYS - 1}) d;
ANALYZE app.insights_daily, sec.access, sec.login, sec.person;
"""

QUESTION = (
    "SELECT date, sum(spend_micro)::float8, sum(impressions), sum(purchases) FROM {0} "
    "WHERE client_id = ANY (%s) AND level = 2 AND date BETWEEN %s AND %s GROUP BY date"
)


def measure(folder: Path) -> list[Figure]:
    """Median milliseconds of interleaved pairs, for one client and for the whole book."""
    from adlab.storage.engine import owner_engine, transaction
    from adlab.storage.migrate import migrate

    with embedded(folder / "home") as servers:
        migrate(servers.database_url)
        engine = owner_engine(servers.database_url)
        with transaction(engine) as connection:
            connection.exec_driver_sql(FILL)
        engine.dispose()
        with psycopg.connect(servers.database_url, autocommit=True) as link:
            one = _pairs(link, [3], "2026-10-22", "2026-11-20", PAIRS)
            book = _pairs(link, list(range(1, CLIENTS + 1)), "2025-11-21", "2026-11-20", 20)
    return [
        Figure("one client, 30 days: table", one[0], "ms"),
        Figure(
            "one client, 30 days: view minus table", one[1] - one[0], "ms", max(4.0, 0.15 * one[0])
        ),
        Figure("whole book, 365 days: table", book[0], "ms"),
        Figure("whole book, 365 days: view / table", book[1] / book[0], "x", 1.7),
    ]


def _pairs(
    link: psycopg.Connection, clients: list[int], since: str, until: str, pairs: int
) -> tuple[float, float]:
    times: dict[str, list[float]] = {"app.insights_daily": [], "api.insights_daily": []}
    for i in range(pairs + 3):
        for relation, taken in times.items():
            began = time.perf_counter()
            link.execute(QUESTION.format(relation), (clients, since, until)).fetchall()
            if i >= 3:
                taken.append(1000 * (time.perf_counter() - began))
    return (
        statistics.median(times["app.insights_daily"]),
        statistics.median(times["api.insights_daily"]),
    )
