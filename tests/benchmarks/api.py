"""The REST API: 100 requests a second for a minute, of mixed kinds, over 2,000 campaigns × 90 days.

The caller is a process of its own that keeps to its timetable whatever the answers take, so a slow
answer delays none of the following ones and counts in full. Web process, store, Redis and caller
share the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure, embedded

RATE, SECONDS = 100, 60
CAMPAIGNS, DAYS = 2_000, 90

PREPARE = """
import json, sys
from datetime import UTC, datetime, timedelta
from adlab.core.roles import Role
from adlab.runtime import build
from adlab.storage.access import create_boards_login, grant, store_person
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.tokens import store_token
from adlab.vault import signing_keys
from adlab.web.api.tokens import Claims, TokenSigner
from tests.ui.seed import fill
rt = build()
now = datetime.now(UTC)
fill(rt.engine, now.date(), campaigns=int(sys.argv[1]), days=int(sys.argv[2]))
key = rt.vault.derive_all("web session")
tokens = []
with transaction(rt.engine) as c:
    login, password = create_boards_login(c)
    for n in range(4):
        store_person(c, f"Service {n}", Role.SERVICE)
        for slug in ("nordlicht", "tokyo", "atelier"):
            grant(c, f"Service {n}", slug, Role.SERVICE)
        made = store_token(c, f"Service {n}", name="bench", scopes=("read", "propose"),
                           clients=None, expires_at=now + timedelta(days=1))
        tokens.append(TokenSigner(signing_keys(key)).make(
            Claims(made.jti, made.person_id, frozenset(("read", "propose")), None,
                   made.expires_at), now))
    c.execute(__import__("sqlalchemy").text("ANALYZE"))
print(json.dumps({"tokens": tokens, "environment": {
    "ADLAB_DATABASE__URL": libpq_url(rt.engine.url.set(username=login, password=password)),
    "ADLAB_REDIS__URL": rt.redis_url or "", "ADLAB_WEB__SESSION_KEY": key,
    "ADLAB_WEB__API_PER_MINUTE": "1000000"}}))
"""

# Kind of request → its share, and addresses; {n} counts campaigns.
MIX = {
    "summary": (24, ["/accounts/1001/summary?last=30d", "/accounts/3001/summary?last=7d"]),
    "live": (20, ["/accounts/1001/live", "/accounts/2001/live"]),
    "campaigns": (14, ["/accounts/1001/campaigns?limit=100", "/accounts/2001/campaigns"]),
    "account insights": (14, ["/insights?client=nordlicht&last=30d", "/insights?last=7d"]),
    "one campaign": (10, ["/insights?level=campaign&last=30d&object_id=1001000{n:03d}"]),
    "a page of days": (8, ["/insights?client=nordlicht&level=campaign&last=30d&limit=100"]),
    "clients": (5, ["/clients", "/me"]),
    "a page of totals": (
        3, ["/insights?client=nordlicht&level=campaign&last=30d&time_increment=all_days&limit=100"]
    ),
    "alias": (2, ["/api/meta/performance/act_1001"]),
}  # fmt: skip

CALLER = """
import asyncio, json, random, sys, time
port, rate, seconds = map(int, sys.argv[1:4])
given = json.loads(sys.stdin.read())
tokens, mix = given["tokens"], given["mix"]
chance = random.Random(7)
kinds, weights = list(mix), [mix[k][0] for k in mix]
plan = []
for n in range(rate * seconds):
    kind = chance.choices(kinds, weights)[0]
    path = chance.choice(mix[kind][1]).format(n=chance.randrange(1000))
    path = path if path.startswith("/api") else "/api/v1" + path
    token = chance.choice(tokens)
    plan.append((kind, f"GET {path} HTTP/1.1\\r\\nhost: x\\r\\nauthorization: Bearer {token}\\r\\n\\r\\n".encode()))
took, by, statuses, lines, sizes, late = [], {}, {}, [], 0, 0.0
async def ask(at, kind, raw):
    global late, sizes
    await asyncio.sleep(max(0.0, at - time.perf_counter()))
    late = max(late, time.perf_counter() - at)
    while True:
        kept = bool(lines)
        reader, writer = lines.pop() if lines else await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        try:
            writer.write(raw)
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            break
        except (asyncio.IncompleteReadError, OSError):
            # Reason: servers close a kept connection that rests; a fresh one must answer.
            if not kept:
                raise
    length = [int(h.split(b":")[1]) for h in head.split(b"\\r\\n") if h.lower().startswith(b"content-length")]
    body = await reader.readexactly(length[0]) if length else b""
    sizes += len(body)
    # Reason: counted from when it was due, so that queueing at the caller is not hidden.
    spent = time.perf_counter() - at
    took.append(spent)
    by.setdefault(kind, []).append(spent)
    code = head.split()[1].decode()
    statuses[code] = statuses.get(code, 0) + 1
    lines.append((reader, writer))
async def main():
    began = time.perf_counter() + 0.5
    await asyncio.gather(*(ask(began + n / rate, *one) for n, one in enumerate(plan)))
asyncio.run(main())
def at(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))] * 1000
print(json.dumps({"p50": at(took, .5), "p95": at(took, .95), "p99": at(took, .99),
    "max": max(took) * 1000, "statuses": statuses, "late_ms": late * 1000, "bytes": sizes,
    "by": {k: [at(v, .5), at(v, .99)] for k, v in by.items()}}))
"""


def measure(folder: Path) -> list[Figure]:
    """How long answers take, and whether all are answered."""
    from adlab.local import free_port
    from adlab.local.process import Supervisor

    home = folder / "home"
    with embedded(home), Supervisor() as parts:
        given = _python(home, PREPARE, str(CAMPAIGNS), str(DAYS))
        port = free_port()
        parts.start(
            "web", [sys.executable, "-m", "adlab.web.app", "--port", str(port)],
            log=folder / "web.log", environment=given["environment"],
            ready_url=f"http://127.0.0.1:{port}/api/v1/healthz",
        )  # fmt: skip
        said = json.dumps({"tokens": given["tokens"], "mix": MIX})
        _python(home, CALLER, str(port), "20", "5", said=said)
        ran = _python(home, CALLER, str(port), str(RATE), str(SECONDS), said=said)
    what = f"REST API {RATE}/s, {CAMPAIGNS:,} campaigns × {DAYS} days"
    other = sum(n for code, n in ran["statuses"].items() if code != "200")
    return [
        Figure(f"{what}: p50", ran["p50"], "ms"),
        Figure(f"{what}: p95", ran["p95"], "ms"),
        Figure(f"{what}: p99", ran["p99"], "ms", 300.0),
        Figure(f"{what}: longest", ran["max"], "ms"),
        Figure(f"{what}: not answered 200", other, "", 0.0),
        *(
            figure
            for kind, (half, nearly) in sorted(ran["by"].items())
            for figure in (
                Figure(f"  {kind}: p50", half, "ms"), Figure(f"  {kind}: p99", nearly, "ms")
            )
        ),
        Figure(f"{what}: the caller was late by at most", ran["late_ms"], "ms"),
    ]  # fmt: skip


def _python(home: Path, code: str, *arguments: str, said: str = "") -> Any:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ADLAB_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=said,
        env={**kept, "ADLAB_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])
