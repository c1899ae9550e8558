"""The simulator as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

NOW = "2026-11-21T10:07:00Z"


def launch(*more: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.simulator", "--scenario", "tiny", "--now", NOW, *more],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("simulator ready http://127.0.0.1:"), line
    return process, line.split()[-1]


def test_it_serves_breaks_connections_and_ends_cleanly(tmp_path: Path) -> None:
    ready = tmp_path / "url"
    process, url = launch("--ready-file", str(ready), "--quota", "full")
    try:
        assert ready.read_text() == url
        assert httpx.get(f"{url}/__config").json()["quota"] == "full"
        params = {"access_token": "sim-token-x"}
        found = httpx.get(
            f"{url}/v26.0/act_1001/insights", params={**params, "limit": "1", "level": "ad"}
        ).json()
        assert found["paging"]["next"].startswith(url)
        httpx.post(f"{url}/__faults", json={"kind": "reset"})
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/v26.0/me", params=params)
        httpx.post(f"{url}/__faults", json={"kind": "slow", "params": {"seconds": 5}})
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{url}/v26.0/me", params=params, timeout=0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_it_ends_when_its_parent_is_gone() -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process, _ = launch(ADLAB_PARENT_PID=str(parent.pid))
    parent.kill()
    began = time.monotonic()
    # The parent stays unreaped on purpose: a dead process with a pid must count as gone.
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5
    parent.wait()


def test_a_wrong_time_is_a_misuse() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "adlab.simulator", "--now", "yesterday"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "yesterday" in ended.stderr
