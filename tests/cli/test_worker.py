"""`adlab backfill`, `adlab freshness`, `adlab worker`: a plan first, the truth after, a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
from tests.conftest import Simulator

from .conftest import Adlab


def test_a_history_is_planned_asked_for_and_stopped(adlab: Adlab, connected: Simulator) -> None:
    plan = adlab("backfill", "start", "--account", "act_1001", "--months", "2", "--plan", "--json")
    assert plan.code == 0
    (found,) = plan.json
    assert (found["account"], found["tier"], found["calls"] > 0) == ("act_1001", "limited", True)
    assert adlab("backfill", "status", "--json").json == []
    assert adlab("backfill", "start", "--months", "2", "--yes").code == 0
    (load,) = adlab("backfill", "status", "--json").json
    assert (load["account"], load["share"], load["reached"]) == ("act_1001", "0%", None)
    assert adlab("backfill", "stop", "act_1001").code == 0
    assert adlab("backfill", "stop", "act_1001").code == 1


def test_what_cannot_be_loaded_is_refused_with_a_reason(adlab: Adlab, connected: Simulator) -> None:
    too_far = adlab("backfill", "start", "--months", "40", "--yes")
    assert (too_far.code, "37 months" in too_far.err) == (2, True)
    unknown = adlab("backfill", "start", "--account", "act_77", "--yes")
    assert (unknown.code, "act_77 has no working connection" in unknown.err) == (1, True)


def test_freshness_fails_until_everything_is_fresh(adlab: Adlab, connected: Simulator) -> None:
    before = adlab("freshness", "--json")
    assert (before.code, before.json[0]["status"]) == (1, "never read")
    assert adlab("sync", "--levels", "account").code == 0
    after = adlab("freshness", "--json")
    assert (after.code, after.json[0]["status"]) == (0, "fresh")


def test_a_worker_reads_what_is_due_serves_figures_and_leaves_on_a_signal(
    adlab: Adlab, connected: Simulator, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "adlab.cli", "worker", "--metrics-port", "0"],
            stdout=subprocess.DEVNULL, stderr=out,
            env={**os.environ, "ADLAB_LOG_LEVEL": "info", "ADLAB_META__BASE_URL": connected.url},
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and "kind=today key=today:1001" not in log.read_text():
            time.sleep(0.2)
        text = log.read_text()
        address = next(line for line in text.splitlines() if "/metrics" in line).split()[-1]
        figures = httpx.get(address, timeout=10).text
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=40)
    assert 'adlab_jobs_total{kind="today",outcome="done"} 1.0' in figures, text
    assert "adlab_worker_leads 1.0" in figures
    assert code in (0, 1)
    (line,) = [x for x in text.splitlines() if "kind=today key=today:1001" in x]
    for part in ("outcome=done", "rows=", "changed=", "calls=", "seconds=", "late_seconds="):
        assert part in line
    assert "sim-token" not in text
    assert adlab("freshness", "--json").json[0]["status"] == "fresh"
