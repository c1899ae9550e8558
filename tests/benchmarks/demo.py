"""`adlab demo`: seconds to the first usable page, cold and warm; `--once`; peak memory."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.benchmarks.figures import Figure, command, environment, tree_memory


def measure(folder: Path) -> list[Figure]:
    """Cold start, second start and memory with pages; then the whole of `--once`."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        cold, memory = _first_page(home, settle=20.0)
        warm, _ = _first_page(home, settle=0.0)
        left = _ours_alive(home)
    finally:
        reset_data(home)
    once_home = folder / "once"
    once_home.mkdir(mode=0o755)
    try:
        once = command(once_home, "demo", "--once")
    finally:
        reset_data(once_home)
    return [
        Figure("demo: seconds to first page, cold", cold, "s", 30.0),
        Figure("demo: seconds to first page, second start", warm, "s", 10.0),
        Figure("demo: processes left after Ctrl-C", left, "", 0.0),
        Figure("demo: peak memory of all processes", memory, "MiB"),
        Figure("demo --once: seconds", once.seconds, "s", 90.0),
    ]


def _first_page(home: Path, settle: float) -> tuple[float, float]:
    """Start, log in with the first link, and wait until a board answers; then Ctrl-C."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "demo", "--no-browser", "--port", "8633"],
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        link = ""
        for line in process.stdout:
            if found := re.search(r"http://\S+/login/\S+", line):
                link = found[0]
                break
        if not link:
            raise RuntimeError("the demo printed no login link")
        with httpx.Client(follow_redirects=True, timeout=30) as browser:
            home_page = browser.get(link)
            home_page.raise_for_status()
            board = re.search(r'href="[^"]*(boards/client\?client=[^"&]+)', home_page.text)
            assert board is not None, home_page.text[:500]
            page = browser.get(f"{link.split('/login/')[0]}/{board[1]}")
            page.raise_for_status()
        seconds = time.perf_counter() - began
        peak, until = 0.0, time.perf_counter() + settle
        while time.perf_counter() < until:
            peak = max(peak, tree_memory(psutil.Process(process.pid), _servers(home)))
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    return seconds, peak


def _servers(home: Path) -> dict[int, psutil.Process]:
    """The embedded servers of this home and their children, which are nobody's children."""
    from adlab.local import running_servers

    running = running_servers(home)
    base = str(running.data_dir.parent) if running is not None else str(home)
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        if base in " ".join(process.info["cmdline"] or []):
            for one in (process, *process.children(recursive=True)):
                found[one.pid] = one
    return found


def _ours_alive(home: Path) -> int:
    time.sleep(1.0)
    alive = 0
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line and "tests.benchmarks" not in line:
            alive += 1
    return alive
