"""Webhooks in: 200 a second for twenty seconds, sender and receiver and store on one machine.

The sender is a process of its own that keeps to its timetable whatever the answers take, so a slow
answer delays none of the following ones and counts in full. One message in twenty is sent twice;
once a second a message holds a thousand updates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, embedded

RATE, SECONDS = 200, 20
SECRET = "secret-of-the-benchmark"  # Reason: made up here, opens nothing.

SENDER = """
import asyncio, hashlib, hmac, json, os, socket, sys, time
url, secret, rate, seconds, big = sys.argv[1], os.environ["SECRET"].encode(), *map(int, sys.argv[2:5])
port = int(url.rsplit(":", 1)[1])
now = int(time.time())
def message(first, count):
    changes = [{"field": "creative_fatigue", "value": {"ad_account_id": "1001",
        "adgroup_id": str(10**9 + first + n), "creative_fatigue_level": "HIGH",
        "creative_fatigue_message": "Zu oft gesehen: \\u00fcber 5/7"}} for n in range(count)]
    body = json.dumps({"object": "ad_account", "entry": [
        {"id": "1001", "time": now, "changes": changes}]}, separators=(",", ":")).replace("/", "\\\\/")
    raw = body.encode()
    sign = hmac.new(secret, raw, hashlib.sha256).hexdigest()
    return (f"POST /meta/webhooks HTTP/1.1\\r\\nhost: x\\r\\ncontent-type: application/json\\r\\n"
        f"content-length: {len(raw)}\\r\\nx-hub-signature-256: sha256={sign}\\r\\n\\r\\n").encode() + raw
plan, updates = [], 0
for n in range(rate * seconds):
    if n % 20 == 19:
        plan.append((plan[-1][0], 0))
    elif big and n % rate == rate // 2:
        plan.append((message(updates, big), big)); updates += big
    else:
        plan.append((message(updates, 1), 1)); updates += 1
took, statuses, lines, late = [], {}, [], 0.0
async def post(at, raw):
    global late
    await asyncio.sleep(max(0.0, at - time.perf_counter()))
    # Reason: counted from when it was due, so that queueing at the sender is not hidden.
    late = max(late, time.perf_counter() - at)
    line = lines.pop() if lines else await asyncio.open_connection("127.0.0.1", port)
    reader, writer = line
    writer.write(raw)
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    length = [int(h.split(b":")[1]) for h in head.split(b"\\r\\n") if h.lower().startswith(b"content-length")]
    await reader.readexactly(length[0])
    took.append(time.perf_counter() - at)
    code = head.split()[1].decode()
    statuses[code] = statuses.get(code, 0) + 1
    lines.append(line)
async def main():
    began = time.perf_counter() + 0.5
    await asyncio.gather(*(post(began + n / rate, raw) for n, (raw, _) in enumerate(plan)))
asyncio.run(main())
took.sort()
at = lambda share: took[min(len(took) - 1, int(len(took) * share))] * 1000
print(json.dumps({"p50": at(.5), "p95": at(.95), "p99": at(.99), "max": took[-1] * 1000,
    "statuses": statuses, "updates": updates, "late_ms": late * 1000}))
"""

PREPARE = """
import json
from adlab.core.entities import AccountId, AccountInfo
from adlab.runtime import build
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.objects import store_account
rt = build()
with transaction(rt.engine) as c:
    client = store_client(c, "Bench", "bench", "USD", "UTC")
    store_account(c, AccountInfo(AccountId(1001), "Bench", "USD", "UTC", 1), client.client_id)
print(json.dumps(rt.hooks_environment()))
"""

COUNT = """
import json
from adlab.runtime import build
from adlab.storage import inbox
from adlab.storage.engine import transaction
with transaction(build().engine) as c:
    print(json.dumps([[r["kept"], r["repeats"]] for r in inbox.load_counts(c)]))
"""


def measure(folder: Path) -> list[Figure]:
    """How long an acknowledgement takes, and whether each one is kept, once."""
    from adlab.local import free_port
    from adlab.local.process import Supervisor

    home = folder / "home"
    found = []
    with embedded(home):
        given = _python(home, PREPARE)
        for big in (0, 1000):
            before = _python(home, COUNT)
            port = free_port()
            with Supervisor() as parts:
                parts.start(
                    "receiver",
                    [sys.executable, "-m", "adlab.web.hooks", "--port", str(port)],
                    log=folder / "receiver.log", environment=given,
                    ready_url=f"http://127.0.0.1:{port}/alive",
                )  # fmt: skip
                url = f"http://127.0.0.1:{port}"
                _python(home, SENDER, url, "20", "2", "0")
                started = _python(home, COUNT)
                ran = _python(home, SENDER, url, str(RATE), str(SECONDS), str(big))
            after = _python(home, COUNT)
            found.append((big, ran, _kept(after) - _kept(started)))
            assert _kept(started) >= _kept(before)
    figures = []
    for big, ran, kept in found:
        what = "webhooks 200/s" + (f", {big:,} updates once a second" if big else "")
        refused = sum(n for code, n in ran["statuses"].items() if code != "200")
        bar = None if big else 50.0
        figures += [
            Figure(f"{what}: p50 of the answer", ran["p50"], "ms"),
            Figure(f"{what}: p95", ran["p95"], "ms"),
            Figure(f"{what}: p99", ran["p99"], "ms", bar),
            Figure(f"{what}: not acknowledged", refused, "", 0.0),
            Figure(f"{what}: updates lost or kept twice", abs(ran["updates"] - kept), "", 0.0),
        ]
    return figures


def _kept(counts: Any) -> int:
    return sum(int(kept) for kept, _ in counts)


def _python(home: Path, code: str, *arguments: str) -> Any:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ADLAB_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**kept, "ADLAB_HOME": str(home), "ADLAB_META__APP_SECRET": SECRET, "SECRET": SECRET},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])
