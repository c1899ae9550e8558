"""The connector under latency, size, faults, reports and restatement, each in one run of its own.

Everything goes through `services.ingest.refresh` in a process of its own, so that memory and CPU are
the client's alone. The plain facebook-business loop is that of `ingest`. With
`ADLAB_TEST_TIMESCALE_URL` days of compressed chunks are restated as well.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.benchmarks.figures import Figure, embedded, simulator
from tests.benchmarks.ingest import PLAIN, ROWS, process

NOW = "2026-11-21T12:00:00Z"
PAGE = 1000
# One kind of trouble a call, five calls in a hundred, for as long as the run takes.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "error", "params": {"code": 1}},
    {"kind": "error", "params": {"code": 2}},
    {"kind": "error", "params": {"code": 80000, "subcode": 2446079}},
    {"kind": "service_unavailable"}, {"kind": "html"}, {"kind": "empty"}, {"kind": "reset"},
    {"kind": "truncated"}, {"kind": "success_false"}, {"kind": "null_items"},
)  # fmt: skip

BEGIN = """
import json, os, resource, time
from dataclasses import replace
from datetime import date, datetime, timedelta
from adlab.runtime import build
from adlab.services.access import connect_account
from adlab.services.ingest import SyncRequest, refresh
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from sqlalchemy import text
import adlab.meta.insights, orjson, httpx
rt = build()
account = os.environ.get("ACCOUNT", "act_1000")
now = datetime.fromisoformat(os.environ.get("AT", "2026-11-21T12:00:00+00:00"))
with transaction(rt.engine) as c:
    fresh = c.scalar(text("SELECT count(*) FROM app.client")) == 0
if fresh:
    with transaction(rt.engine) as c:
        store_client(c, "Bench", "bench", "USD", "UTC")
    connect_account(rt.engine, rt.vault, rt.meta, account, "bench", "sim-system-bench", lambda: now)
parts = replace(rt.ingest, now=lambda: now)
def run(request):
    before, began = os.times(), time.perf_counter()
    report = refresh(parts, request)
    after = os.times()
    return {"rows": report.rows, "changed": report.changed, "calls": report.calls,
        "failures": len(report.failures), "seconds": time.perf_counter() - began,
        "cpu": after.user + after.system - before.user - before.system,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "said": str(report.failures[:1])[:300]}
def days(name):
    return date.fromisoformat(os.environ[name])
"""

READ = (
    BEGIN
    + """
print(json.dumps(run(SyncRequest(since=days("SINCE"), until=days("UNTIL"),
    levels=tuple(os.environ["LEVELS"].split(",")), with_objects=False))))
"""
)

CYCLE = (
    BEGIN
    + """
from adlab.core.entities import Level
from adlab.services.schedule import levels_that_fit
from adlab.storage import objects
number = int(account.removeprefix("act_"))
run(SyncRequest(since=days("UNTIL"), until=days("UNTIL")))
with transaction(rt.engine) as c:
    rows = objects.load_daily_rows(c, number)
fits, rest = levels_that_fit(rows, 1000, 45.0)
one = run(SyncRequest(account=account, since=days("UNTIL"), until=days("UNTIL"), levels=fits,
    with_objects=False, with_account=False, resume=False))
print(json.dumps(one | {"rest": len(rest), "levels": len(fits)}))
"""
)

SUMS = (
    BEGIN
    + """
with transaction(rt.engine) as c:
    found = c.execute(text("SELECT count(*), count(DISTINCT (level, object_id, date)), "
        "sum(spend_micro)::bigint, sum(impressions)::bigint, sum(purchases) "
        "FROM app.insights_daily WHERE level = 4")).one()
print(json.dumps({"rows": found[0], "distinct": found[1], "spend": found[2],
    "impressions": found[3], "purchases": float(found[4])}))
"""
)

REPORTS = (
    BEGIN
    + """
first, last = days("SINCE"), days("UNTIL")
print(json.dumps(run(SyncRequest(since=first, until=last, levels=("campaign",), with_objects=False))))
"""
)


def measure(folder: Path) -> list[Figure]:
    """Every figure, one after the other."""
    return [
        *_latency(folder / "latency"), *_large(folder / "large"), *_cycle(folder / "cycle"),
        *_faults(folder / "faults"),
        *_reports(folder / "reports"), *_restated(folder / "restated"),
    ]  # fmt: skip


def _latency(folder: Path) -> list[Figure]:
    with embedded(folder) as servers, simulator("bench", "--now", NOW) as url:
        extra = {"ADLAB_META__BASE_URL": url, "SINCE": "2026-08-23", "UNTIL": "2026-11-20",
                 "LEVELS": "ad", "DSN": servers.database_url}  # fmt: skip
        process(folder, PLAIN.replace("plain_ads", "warm_ads"), extra)
        httpx.post(f"{url}/__config", json={"latency_ms": 300})
        ours = process(folder, READ, extra)
        plain = process(folder, PLAIN, extra)
    assert ours["rows"] == plain["rows"] == ROWS, (ours, plain)
    least = ROWS / PAGE + 1
    return [
        Figure("300 ms a call: ours, rows per second", ours["rows"] / ours["seconds"], "rows/s"),
        Figure("300 ms a call: plain loop", plain["rows"] / plain["seconds"], "rows/s"),
        Figure("300 ms a call: ours / plain", plain["seconds"] / ours["seconds"], "x", 4.0, "more"),
        Figure("calls / fewest possible", ours["calls"] / least, "x", 1.5),
        Figure("client CPU per row", 1000 * ours["cpu"] / ours["rows"], "ms", 0.065),
    ]


def _large(folder: Path) -> list[Figure]:
    """300,000 rows at once, beside 90,000; the simulator's ads, because few of its campaigns run."""
    with embedded(folder), simulator("bench", "--now", NOW) as url:
        extra = {"ADLAB_META__BASE_URL": url, "UNTIL": "2026-11-20", "LEVELS": "ad"}
        process(folder, PLAIN.replace("plain_ads", "warm_ads"),
                {**extra, "SINCE": "2026-01-25", "DSN": _dsn(folder)})  # fmt: skip
        small = process(folder, READ, {**extra, "SINCE": "2026-08-23"})
        with psycopg.connect(_dsn(folder), autocommit=True) as link:
            link.execute("DELETE FROM app.insights_daily")
        large = process(folder, READ, {**extra, "SINCE": "2026-01-25"})
    return [
        Figure("rows read at once", large["rows"]),
        Figure("… peak memory", large["rss"], "MiB", 300),
        Figure("… client CPU per row", 1000 * large["cpu"] / large["rows"], "ms", 0.065),
        Figure(
            "… seconds per row / of 90,000 rows",
            (large["seconds"] / large["rows"]) / (small["seconds"] / small["rows"]), "x", 1.1,
        ),
    ]  # fmt: skip


def _dsn(folder: Path) -> str:
    from adlab.local import ensure_servers

    return ensure_servers(folder).database_url


def _cycle(folder: Path) -> list[Figure]:
    """10,000 campaigns: a quarter of an hour in which nothing changes, on the Limited tier."""
    with embedded(folder), simulator("big", "--now", NOW) as url:
        account = "act_" + str(httpx.get(f"{url}/__truth").json()["accounts"][0]["account_id"])
        extra = {"ADLAB_META__BASE_URL": url, "UNTIL": "2026-11-21", "ACCOUNT": account}
        cycle = process(folder, CYCLE, extra)
    return [
        Figure("nothing changed, 10,000 campaigns: calls of a turn", cycle["calls"], "", 60),
        Figure("… rows looked at", cycle["rows"]),
        Figure("… changed", cycle["changed"], "", 0),
        Figure("… seconds", cycle["seconds"], "s"),
        Figure("… levels left to an hourly turn", cycle["rest"]),
    ]  # fmt: skip


def _faults(folder: Path) -> list[Figure]:
    with embedded(folder), simulator("bench", "--now", NOW) as url:
        extra = {"ADLAB_META__BASE_URL": url, "SINCE": "2026-08-23", "UNTIL": "2026-11-20",
                 "LEVELS": "ad", "ADLAB_META__PAGE_SIZE": "250"}  # fmt: skip
        for fault in FAULTS:
            rule = {"match": "", "probability": 0.05 / len(FAULTS), "count": 100_000, **fault}
            httpx.post(f"{url}/__faults", json=rule).raise_for_status()
        done = process(folder, READ, extra)
        struck = sum(f["struck"] for f in httpx.get(f"{url}/__faults").json()["faults"])
        httpx.request("DELETE", f"{url}/__faults")
        sums = process(folder, SUMS, extra)
        truth = httpx.get(
            f"{url}/__truth/insights", timeout=120,
            params={"account": 1000, "level": "ad", "since": extra["SINCE"],
                    "until": extra["UNTIL"], "group": "total"},
        ).json()["rows"][0]  # fmt: skip
    assert done["failures"] == 0, done
    return [
        Figure("5 % faults: calls that met one", struck),
        Figure("… rows missing or twice", abs(sums["rows"] - ROWS) + sums["rows"] - sums["distinct"], "", 0),
        Figure("… impressions off", abs(sums["impressions"] - truth["impressions"]), "", 0),
        Figure("… spend off, micro units", abs(sums["spend"] - 10_000 * truth["spend_minor"]), "", 0),
        Figure("… seconds", done["seconds"], "s"),
    ]  # fmt: skip


def _reports(folder: Path) -> list[Figure]:
    """One report of three seconds, then twelve."""
    with embedded(folder), simulator("bench", "--now", NOW) as url:
        httpx.post(
            f"{url}/__config",
            json={"async_start_seconds": 0.3, "async_run_seconds": 2.5, "async_full_seconds": 0.2,
                  "sync_row_limit": 1},
        )  # fmt: skip
        extra = {"ADLAB_META__BASE_URL": url, "UNTIL": "2026-11-20"}
        # Reason: campaigns, so that the time is that of reports and not of reading their rows; of
        # an account nothing is known of, slices are 7 days, then 10 each.
        one = process(folder, REPORTS, {**extra, "SINCE": "2026-11-14"})
        with psycopg.connect(_dsn(folder), autocommit=True) as link:
            link.execute("SET ROLE adlab_owner")
            link.execute("DELETE FROM app.report_size")
            link.execute("DELETE FROM app.account_daily")
        twelve = process(folder, REPORTS, {**extra, "SINCE": "2026-07-27"})
    return [
        Figure("one report of 3 s: seconds", one["seconds"], "s"),
        Figure("twelve reports: seconds", twelve["seconds"], "s"),
        Figure("… rows", twelve["rows"]),
        Figure("twelve reports / one", twelve["seconds"] / one["seconds"], "x", 3.0),
    ]


def _restated(folder: Path) -> list[Figure]:
    server = os.environ.get("ADLAB_TEST_TIMESCALE_URL")
    if not server:
        return []
    from adlab.storage.engine import owner_engine, transaction
    from adlab.storage.migrate import migrate
    from tests.benchmarks.history import database

    with (
        embedded(folder), database(server) as store,
        simulator("bench", "--now", "2026-11-08T12:00:00Z") as url,
    ):  # fmt: skip
        migrate(store)
        extra = {"ADLAB_META__BASE_URL": url, "ADLAB_DATABASE__URL": store, "LEVELS": "ad",
                 "ADLAB_SECRET_KEY": "7" * 64, "SINCE": "2026-10-12", "UNTIL": "2026-11-08"}  # fmt: skip
        fresh = process(folder, READ, {**extra, "AT": "2026-11-08T12:00:00+00:00"})
        engine = owner_engine(store)
        with transaction(engine) as c:
            from sqlalchemy import text

            c.execute(
                text(
                    "SELECT public.compress_chunk(c) FROM public.show_chunks('app.insights_daily') c"
                )
            )
        engine.dispose()
        httpx.post(f"{url}/__clock", json={"now": "2026-11-15T12:00:00+00:00"})
        again = process(folder, READ, {**extra, "AT": "2026-11-15T12:00:00+00:00"})
    rate, first = again["rows"] / again["seconds"], fresh["rows"] / fresh["seconds"]
    return [
        Figure("28 compressed days restated: rows per second", rate, "rows/s"),
        Figure("… rows changed", again["changed"]),
        Figure("… of the rate of a first load", 100 * rate / first, "%", 25, "more"),
    ]
