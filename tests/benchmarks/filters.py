"""What the tenant filter costs: one question on the table and through the view, interleaved.

The view is read with a person's own login, the table by a superuser, both with the same memory. A
third side is a barrier view without any filter: what it costs beside the table is the barrier, which
keeps people's functions from seeing rows and keeps TimescaleDB from adding up compressed batches.
`ADLAB_TEST_FILTERS=large` takes 10,000 campaigns × 730 days (7.3 million rows; minutes to fill),
and `ADLAB_TEST_TIMESCALE_URL` adds TimescaleDB with its columnstore.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.benchmarks.figures import Figure, embedded

LAST = "2026-11-20"


@dataclass(frozen=True)
class Size:
    """How big the book is, and how often each question is asked of either side."""

    clients: int
    accounts: int
    campaigns: int
    days: int
    pairs: int
    book_pairs: int

    @property
    def rows(self) -> int:
        """Rows of the fact table."""
        return self.clients * self.accounts * self.campaigns * self.days


SIZES = {
    "small": Size(clients=20, accounts=1, campaigns=50, days=365, pairs=200, book_pairs=40),
    "large": Size(clients=50, accounts=4, campaigns=50, days=730, pairs=200, book_pairs=60),
}

PEOPLE = """
INSERT INTO app.client (slug, name) SELECT 'c' || i, 'Client ' || i FROM generate_series(1, {0}) i;
INSERT INTO app.account (account_id, client_id, name, currency, timezone, source)
  SELECT client_id * 100 + a, client_id, name, 'EUR', 'UTC', 'meta'
  FROM app.client, generate_series(1, {1}) a
"""

# One client's rows; filled client by client, as ingestion does.
FILL = """
INSERT INTO app.insights_daily (date, client_id, account_id, level, object_id, spend_micro,
                                impressions, clicks, link_clicks, purchases, revenue_micro,
                                actions, fetched_at)
  SELECT DATE '{last}' - d, {client}, {client} * 100 + a, 2, {client} * 1000000 + a * 1000 + o,
         1000000 + (d * 17 + o * 13) % 5000 * 1000, 1000 + (o * d) % 977, 20 + d % 7, 10, d % 5,
         3000000, jsonb_build_object('actions', jsonb_build_array(
           jsonb_build_object('action_type', 'omni_purchase', 'value', (d % 5)::text),
           jsonb_build_object('action_type', 'link_click', 'value', '10'))), now()
  FROM generate_series(1, {accounts}) a, generate_series(1, {campaigns}) o,
       generate_series(0, {days} - 1) d
"""

SUMMARY = """
INSERT INTO app.account_daily (client_id, account_id, level, date, objects, spend_micro, impressions,
                               purchases, fetched_at)
  SELECT client_id, account_id, level, date, count(*), sum(spend_micro), sum(impressions),
         sum(purchases), now()
  FROM app.insights_daily GROUP BY client_id, account_id, level, date
"""

PER_DAY = (
    "SELECT date, sum(spend_micro)::float8, sum(impressions), sum(purchases) FROM {0} "
    "WHERE client_id = ANY (%s) AND level = 2 AND date BETWEEN %s AND %s GROUP BY date"
)
TOP = (
    "SELECT object_id, sum(spend_micro)::float8 AS spend, sum(purchases) FROM {0} "
    "WHERE client_id = ANY (%s) AND level = 2 AND date BETWEEN %s AND %s "
    "GROUP BY object_id ORDER BY spend DESC LIMIT 20"
)


def measure(folder: Path) -> list[Figure]:
    """Median milliseconds of interleaved pairs, for one client and for the whole book."""
    size = SIZES[os.environ.get("ADLAB_TEST_FILTERS", "small")]
    figures = []
    with embedded(folder / "home") as servers, _database(servers.admin_url) as url:
        figures += _engine("plain", url, size)
    timescale = os.environ.get("ADLAB_TEST_TIMESCALE_URL")
    if timescale:
        with _database(timescale) as url:
            figures += _engine("TimescaleDB", url, size)
    return figures


@contextmanager
def _database(server: str) -> Iterator[str]:
    from tests.conftest import create_database, drop_database

    url = create_database(server)
    try:
        yield url
    finally:
        drop_database(server, url)


def _engine(name: str, url: str, size: Size) -> list[Figure]:
    from adlab.core.roles import Role
    from adlab.storage import access
    from adlab.storage.engine import libpq_url, owner_engine, transaction
    from adlab.storage.migrate import migrate
    from adlab.storage.roles import WORK_MEM

    migrate(url)
    _fill(url, size)
    engine = owner_engine(url)
    with transaction(engine) as c:
        access.store_person(c, "one", Role.ANALYST)
        access.store_person(c, "all", Role.ANALYST)
        access.grant(c, "one", "c3", Role.ANALYST)
        for i in range(1, size.clients + 1):
            access.grant(c, "all", f"c{i}", Role.ANALYST)
        logins = {who: access.create_credential(c, who) for who in ("one", "all")}
    mine, book = (
        libpq_url(engine.url.set(username=user, password=password))
        for user, password in (logins["one"], logins["all"])
    )
    engine.dispose()
    everyone = list(range(1, size.clients + 1))
    figures = [Figure(f"{name}: rows", size.rows)]
    with psycopg.connect(url, autocommit=True) as table:
        table.execute(f"SET work_mem = '{WORK_MEM}'")  # type: ignore[call-overload]
        for relation in ("account_daily", "insights_daily"):
            table.execute(
                f"CREATE VIEW app.bare_{relation} WITH (security_barrier) AS "  # type: ignore[call-overload]
                f"SELECT * FROM app.{relation}"
            )
        with psycopg.connect(mine, autocommit=True) as view:
            for title, relation, question, since in (
                ("one client, 365 days by day (summary)", "account_daily", PER_DAY, "2025-11-21"),
                ("one client, top 20 of 30 days", "insights_daily", TOP, "2026-10-22"),
                ("one client, 30 days by day", "insights_daily", PER_DAY, "2026-10-22"),
                ("one client, 365 days by day", "insights_daily", PER_DAY, "2025-11-21"),
            ):
                binds = ([3], since, LAST)
                t, bare, v = _sides(table, view, relation, question, binds, size.pairs)
                figures += [
                    Figure(f"{name}: {title}: table", t, "ms"),
                    Figure(f"{name}: {title}: barrier alone minus table", bare - t, "ms"),
                    Figure(f"{name}: {title}: view minus table", v - t, "ms", max(4.0, 0.15 * t)),
                ]
        with psycopg.connect(book, autocommit=True) as view:
            for title, relation, since in (
                ("365 days (summary)", "account_daily", "2025-11-21"),
                ("30 days", "insights_daily", "2026-10-22"),
                ("365 days", "insights_daily", "2025-11-21"),
            ):
                binds = (everyone, since, LAST)
                t, bare, v = _sides(table, view, relation, PER_DAY, binds, size.book_pairs)
                figures += [
                    Figure(f"{name}: whole book, {title}: table", t, "ms"),
                    Figure(f"{name}: whole book, {title}: barrier alone / table", bare / t, "x"),
                    Figure(f"{name}: whole book, {title}: view / table", v / t, "x", 1.7),
                ]
    return figures


def _fill(url: str, size: Size) -> None:
    with psycopg.connect(url, autocommit=True) as link:
        # Reason: only the speed of filling depends on it, and the database is dropped afterwards.
        link.execute("SET synchronous_commit = off")
        link.execute(PEOPLE.format(size.clients, size.accounts))  # type: ignore[call-overload]
        for client in range(1, size.clients + 1):
            link.execute(
                FILL.format(client=client, accounts=size.accounts, campaigns=size.campaigns,
                            days=size.days, last=LAST)  # type: ignore[call-overload]
            )  # fmt: skip
        link.execute(SUMMARY)
        _compress(link)
        link.execute("VACUUM ANALYZE app.insights_daily, app.account_daily")
        link.execute("ANALYZE sec.access, sec.login, sec.person")
    print(f"filled {size.rows:,} rows", file=sys.stderr)


def _compress(link: psycopg.Connection) -> None:
    """Compress what the policy would: chunks that ended 45 days before the last day."""
    if not link.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone():
        return
    chunks = link.execute(
        "SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks "
        "WHERE hypertable_name = 'insights_daily' AND range_end < %s::date - 45",
        (LAST,),
    ).fetchall()
    for (chunk,) in chunks:
        link.execute("CALL public.convert_to_columnstore(%s::regclass, true)", (chunk,))


def _sides(
    table: psycopg.Connection, view: psycopg.Connection, relation: str, question: str,
    binds: tuple[list[int], str, str], pairs: int,
) -> tuple[float, float, float]:  # fmt: skip
    """Median milliseconds on the table, through a barrier without a filter, through the view."""
    sides: list[tuple[psycopg.Connection, str, list[float]]] = [
        (table, f"app.{relation}", []),
        (table, f"app.bare_{relation}", []),
        (view, f"api.{relation}", []),
    ]
    # Reason: the first questions fill caches, and psycopg prepares from the fifth on.
    for i in range(pairs + 8):
        for link, name, taken in sides:
            began = time.perf_counter()
            link.execute(question.format(name), binds).fetchall()  # type: ignore[call-overload]
            if i >= 8:
                taken.append(1000 * (time.perf_counter() - began))
    first, second, third = (statistics.median(taken) for _, _, taken in sides)
    return first, second, third
