"""What history costs: 1,000 ads polled every quarter of an hour for 90 days, as sizes in the store.

Real polls of a simulated account through the whole of ingestion. Days that end up thinned to their
last version are polled four times, which leaves exactly the same rows as 96 polls would; the newest
eleven days are polled 96 times. Every day the last 28 are read again, in the account's night. With
`ADLAB_TEST_TIMESCALE_URL` the same is measured with columnstore.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
from sqlalchemy import Engine, make_url, text

from tests.benchmarks.figures import Figure, embedded, simulator

DAYS = int(os.environ.get("BENCH_HISTORY_DAYS", "90"))
ENGINES = os.environ.get("BENCH_HISTORY_ENGINES", "plain,columnstore").split(",")
FIRST = datetime(2026, 8, 22, tzinfo=UTC)
EACH_POLL_DAYS = 11


def measure(folder: Path) -> list[Figure]:
    """Sizes on plain PostgreSQL, and with columnstore where a server with TimescaleDB is named."""
    figures: list[Figure] = []
    with embedded(folder / "home") as servers:
        if "plain" in ENGINES:
            figures += _measure(servers.admin_url, "plain", 3.0)
        url = os.environ.get("ADLAB_TEST_TIMESCALE_URL")
        if url and "columnstore" in ENGINES:
            figures += _measure(url, "columnstore", 0.6)
    return figures


def _measure(server: str, engine_name: str, bar: float) -> list[Figure]:
    from adlab.storage.engine import owner_engine
    from adlab.storage.migrate import migrate

    with database(server) as url:
        migrate(url)
        engine = owner_engine(url)
        began = time.perf_counter()
        _poll(engine)
        seconds = time.perf_counter() - began
        plain = _sizes(engine)
        if engine_name == "columnstore":
            _compress(engine)
        sizes = _sizes(engine)
        engine.dispose()
    current, history, rows, versions = sizes
    # Reason: the bar of 60 % is against the current tables as rows; both ways are printed.
    return [
        Figure(f"{engine_name}: ad rows kept", rows),
        Figure(f"{engine_name}: older versions kept", versions),
        Figure(f"{engine_name}: current tables", current / 2**20, "MiB"),
        Figure(f"{engine_name}: history", history / 2**20, "MiB"),
        Figure(f"{engine_name}: history / current tables as rows", history / plain[0], "x", bar),
        Figure(f"{engine_name}: history / current tables", history / current, "x"),
        Figure(f"{engine_name}: {DAYS} days of polling took", seconds, "s"),
    ]


def _poll(engine: Engine) -> None:
    from adlab.services.access import MetaAccess, connect_account
    from adlab.services.ingest import IngestParts, SyncRequest, refresh
    from adlab.storage.clients import store_client
    from adlab.storage.engine import transaction
    from adlab.vault import Vault

    now = FIRST
    with simulator("bench", "--now", FIRST.isoformat()) as url:
        meta, vault = MetaAccess(url, "v26.0", None, None), Vault(secrets.token_bytes(32))
        with transaction(engine) as c:
            store_client(c, "Bench", "bench", "USD", "UTC")
        connect_account(
            engine, vault, meta, "act_1000", "bench", "sim-system-bench", now=lambda: now
        )
        parts = IngestParts(
            engine=engine, tell=lambda *_: None, now=lambda: now, concurrency=1,
            open_client=lambda sealed, client, *_, **__: meta.client(vault.open(sealed, client)),
        )  # fmt: skip

        def read(back: int) -> None:
            day = now.date()
            request = SyncRequest(
                since=day - timedelta(days=back), until=day, levels=("ad",), with_objects=False
            )
            done = refresh(parts, request)
            assert done.complete, done.failures

        for n in range(DAYS):
            start = FIRST + timedelta(days=n)
            steps = 96 if n >= DAYS - EACH_POLL_DAYS else 4
            for step in range(1, steps + 1):
                now = start + timedelta(seconds=86_400 * step / steps - 300)
                httpx.post(f"{url}/__clock", json={"now": now.isoformat()})
                read(min(28, n) if step == steps // 4 else 0)


def _sizes(engine: Engine) -> tuple[int, int, int, int]:
    """Bytes of the current tables and of the history, then their rows."""
    from adlab.storage.engine import transaction
    from adlab.storage.timescale import version

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        for table in ("insights_daily", "insights_version", "account_daily"):
            # Reason: net sizes; what updates leave behind is reused and no cost of history.
            c.execute(text(f"VACUUM (FULL, ANALYZE) app.{table}"))
    with transaction(engine) as c:
        size = "public.hypertable_size" if version(c) else "pg_total_relation_size"

        def of(table: str) -> int:
            name = "pg_total_relation_size" if table == "account_daily" else size
            return int(c.scalar(text(f"SELECT {name}('app.{table}')")) or 0)

        counts = [
            int(c.scalar(text(f"SELECT count(*) FROM app.{t}")) or 0)
            for t in ("insights_daily", "insights_version")
        ]
        return of("insights_daily") + of("account_daily"), of("insights_version"), *counts  # type: ignore[return-value]


def _compress(engine: Engine) -> None:
    """Compress what the policies would have compressed by the last day."""
    from adlab.storage.timescale import TABLES

    last = FIRST + timedelta(days=DAYS)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        for table in TABLES[:2]:
            before = (last - timedelta(days=table.columnstore_after_days)).date()
            chunks = c.scalars(
                text(
                    f"SELECT public.show_chunks('app.{table.name}', older_than => DATE '{before}')"
                )
            ).all()
            for chunk in chunks:
                c.execute(text(f"CALL public.convert_to_columnstore('{chunk}')"))


@contextmanager
def database(server: str) -> Iterator[str]:
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    url = make_url(server).set(drivername="postgresql", database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as link:
            link.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[call-overload]
