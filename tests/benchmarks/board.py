"""The client board of the 2,000-campaign account: paint times in Chromium, CPU per session."""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from tests.benchmarks.figures import Figure, environment

RUNS = 5
SESSIONS = 20


def measure(folder: Path) -> list[Figure]:
    """Start the demo, wait for its history, open the largest client's board again and again."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "demo", "--no-browser", "--port", "8634"],
        env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        link = ""
        for line in process.stdout:
            if found := re.search(r"http://\S+/login/\S+", line):
                link = found[0]
                break
        for line in process.stderr:
            if "All history is loaded" in line:
                break
        with httpx.Client(follow_redirects=True, timeout=30) as browser:
            browser.get(link).raise_for_status()
            cookie = browser.cookies.get("adlab_session")
        assert cookie
        url = link.split("/login/")[0]
        boards = _boards(process.pid)
        cold, warm = _paint(url, cookie)
        cpu = _sessions(url, cookie, boards)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        reset_data(home)
    return [
        Figure("board: KPIs painted, cold cache", cold[0], "s", 0.7),
        Figure("board: KPIs painted, warm cache", warm[0], "s", 0.7),
        Figure("board: charts and table painted, cold cache", cold[1], "s", 2.0),
        Figure("board: charts and table painted, warm cache", warm[1], "s", 2.0),
        Figure("board: server CPU per opened session", cpu, "s", 0.2),
    ]


def _boards(root: int) -> psutil.Process:
    for child in psutil.Process(root).children(recursive=True):
        if "adlab.web.boards" in " ".join(child.cmdline()):
            return child
    raise RuntimeError("no boards process")


def largest_board(url: str) -> str:
    """The board of the account of 2,000 campaigns."""
    return f"{url}/boards/client?client=harbor-pine"


def _paint(url: str, cookie: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median seconds from navigation to KPIs and to charts and table: cold, then warm."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, chromium

    script = """() => new Promise(done => {
      const seen = {};
      const look = () => {
        if (!seen.kpi && document.querySelector('[data-kpi]')) seen.kpi = performance.now();
        const chart = document.querySelector('[data-chart] svg, svg[data-chart]');
        if (chart && document.querySelector('tbody tr')) {
          requestAnimationFrame(() => { seen.all = performance.now(); done(seen); }); return;
        }
        requestAnimationFrame(look);
      };
      look();
    })"""
    cold: list[tuple[float, float]] = []
    warm: list[tuple[float, float]] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for i in range(RUNS + 1):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.add_cookies([{"name": "adlab_session", "value": cookie, "url": url}])
            page = context.new_page()
            for taken in (cold, warm):
                page.goto(largest_board(url), wait_until="commit")
                page.wait_for_selector("[data-kpi]")
                kpi = page.evaluate(
                    "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime "
                    "?? performance.now()"
                )
                seen = page.evaluate(script)
                if i:
                    taken.append((kpi / 1000, seen["all"] / 1000))
            context.close()
        browser.close()
    return _median(cold), _median(warm)


def _median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _sessions(url: str, cookie: str, boards: psutil.Process) -> float:
    """Server CPU seconds per session opened by a real browser."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, chromium

    def cpu() -> float:
        times = boards.cpu_times()
        return float(times.user + times.system)

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = browser.new_context()
        context.add_cookies([{"name": "adlab_session", "value": cookie, "url": url}])
        page = context.new_page()
        before = cpu()
        for _ in range(SESSIONS):
            page.goto(largest_board(url), wait_until="commit")
            page.wait_for_function("() => document.documentElement.dataset.live === 'yes'")
        spent = cpu() - before
        browser.close()
    return spent / SESSIONS
