"""Reading 1,000 ads x 90 days, beside a plain facebook-business loop with executemany, in one run.

Both read the same account of the same simulator into the same server, each in a process of its own;
client CPU is that of the process, imports included for neither (measured after them).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.figures import Figure, embedded, environment, simulator

NOW = "2026-11-21T12:00:00Z"
SINCE, UNTIL = "2026-08-23", "2026-11-20"
ROWS = 90_000

OURS = """
import json, os, time
from datetime import date
from adlab.runtime import build
from adlab.services.access import connect_account
from adlab.services.ingest import SyncRequest, refresh
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
import adlab.meta.insights, orjson, httpx
rt = build()
with transaction(rt.engine) as c:
    store_client(c, "Bench", "bench", "USD", "UTC")
connect_account(rt.engine, rt.vault, rt.meta, "act_1000", "bench", "sim-token-bench")
parts = rt.ingest
before, began = os.times(), time.perf_counter()
report = refresh(parts, SyncRequest(since=date.fromisoformat(os.environ["SINCE"]),
    until=date.fromisoformat(os.environ["UNTIL"]), levels=("ad",), with_objects=False))
seconds, after = time.perf_counter() - began, os.times()
print(json.dumps({"rows": report.rows, "calls": report.calls, "seconds": seconds,
    "cpu": after.user + after.system - before.user - before.system, "complete": report.complete}))
"""

PLAIN = """
import json, os, time
import psycopg
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from facebook_business.adobjects.adaccount import AdAccount
FacebookSession.GRAPH = os.environ["ADLAB_META__BASE_URL"]
FacebookAdsApi.init(access_token="sim-token-bench", crash_log=False, api_version="v26.0")
fields = ["campaign_id","adset_id","ad_id","ad_name","spend","impressions","reach","clicks",
    "inline_link_clicks","attribution_setting","actions","action_values","conversions",
    "conversion_values","outbound_clicks","video_play_actions","video_thruplay_watched_actions",
    "quality_ranking","engagement_rate_ranking","conversion_rate_ranking"]
link = psycopg.connect(os.environ["DSN"])
link.execute("CREATE TABLE plain_ads (ad_id bigint, date date, spend numeric, impressions bigint,"
    " reach bigint, clicks bigint, link_clicks bigint, actions jsonb, action_values jsonb,"
    " raw jsonb, PRIMARY KEY (ad_id, date))")
before, began = os.times(), time.perf_counter()
from datetime import date, timedelta
since, until = (date.fromisoformat(os.environ[k]) for k in ("SINCE", "UNTIL"))
def pages():
    day = since
    while day <= until:
        end = min(until, day + timedelta(days=29))
        yield from AdAccount("act_1000").get_insights(fields=fields, params={"level": "ad",
            "time_range": {"since": str(day), "until": str(end)}, "time_increment": 1, "limit": 1000,
            "action_attribution_windows":
                ["default","1d_click","7d_click","28d_click","1d_view","1d_ev"]}, is_async=False)
        day = end + timedelta(days=1)
rows, batch = 0, []
def flush():
    with link.cursor() as c:
        c.executemany("INSERT INTO plain_ads VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)", batch)
    link.commit()
for r in pages():
    d = r.export_all_data()
    batch.append((d["ad_id"], d["date_start"], d["spend"], d["impressions"], d.get("reach"),
        d.get("clicks"), d.get("inline_link_clicks"), json.dumps(d.get("actions")),
        json.dumps(d.get("action_values")), json.dumps({k: d[k] for k in d if k not in
        ("actions", "action_values")})))
    rows += 1
    if len(batch) >= 1000:
        flush(); batch.clear()
flush()
seconds, after = time.perf_counter() - began, os.times()
print(json.dumps({"rows": rows, "seconds": seconds,
    "cpu": after.user + after.system - before.user - before.system}))
"""


def measure(folder: Path) -> list[Figure]:
    """Rows per second and CPU per row of both, and their ratios."""
    with embedded(folder / "home") as servers, simulator("bench", "--now", NOW) as url:
        extra = {
            "ADLAB_META__BASE_URL": url, "SINCE": SINCE, "UNTIL": UNTIL, "DSN": servers.database_url,
        }  # fmt: skip
        # Reason: the simulator computes each day once; a first plain read warms it for both.
        warm = process(folder / "home", PLAIN.replace("plain_ads", "warm_ads"), extra)
        ours = process(folder / "home", OURS, extra)
        plain = process(folder / "home", PLAIN, extra)
    assert ours["rows"] == plain["rows"] == warm["rows"] == ROWS, (ours, plain)
    rate, other = ours["rows"] / ours["seconds"], plain["rows"] / plain["seconds"]
    cost, others = ours["cpu"] / ours["rows"], plain["cpu"] / plain["rows"]
    return [
        Figure("sync 90,000 ad rows: rows per second", rate, "rows/s"),
        Figure("sync 90,000 ad rows: client CPU", ours["cpu"], "s"),
        Figure("sync 90,000 ad rows: calls", ours["calls"]),
        Figure("plain facebook-business loop: rows per second", other, "rows/s"),
        Figure("plain facebook-business loop: client CPU", plain["cpu"], "s"),
        Figure("rows per second, ours / plain", rate / other, "x", 2.0, "more"),
        Figure("client CPU per row, ours / plain", cost / others, "x", 0.5),
    ]


def process(home: Path, code: str, extra: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment(home), **extra, "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
