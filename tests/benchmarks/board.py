"""The client board of the 2,000-campaign account: paint times in Chromium, CPU per session."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.figures import Figure
from tests.benchmarks.visiting import chrome, logged_in, visited

RUNS = 5
SESSIONS = 20
LARGEST = "harbor-pine"  # the account of 2,000 campaigns


def measure(folder: Path) -> list[Figure]:
    """Start the demo, wait for its history, open the largest client's board again and again."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        with visited(home, "demo", "--no-browser", links=4) as house:
            house.wait_said("All history is loaded")
            boards = _boards(house.process.pid)
            board = house.board(LARGEST)
            with chrome() as browser:
                state = logged_in(browser, house, board)
                cold, warm = _paint(browser, board, state)
                cpu = _sessions(browser, board, state, boards)
    finally:
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


def _paint(
    browser: Any, board: str, state: dict[str, Any]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median seconds from navigation to KPIs and to charts and table: cold, then warm."""
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
    for i in range(RUNS + 1):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, storage_state=state)
        page = context.new_page()
        for taken in (cold, warm):
            page.goto(board, wait_until="commit")
            page.wait_for_selector("[data-kpi]")
            kpi = page.evaluate(
                "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime "
                "?? performance.now()"
            )
            seen = page.evaluate(script)
            if i:
                taken.append((kpi / 1000, seen["all"] / 1000))
        context.close()
    return _median(cold), _median(warm)


def _median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _sessions(browser: Any, board: str, state: dict[str, Any], boards: psutil.Process) -> float:
    """Server CPU seconds per session opened by a real browser."""

    def cpu() -> float:
        times = boards.cpu_times()
        return float(times.user + times.system)

    context = browser.new_context(storage_state=state)
    page = context.new_page()
    before = cpu()
    for _ in range(SESSIONS):
        page.goto(board, wait_until="commit")
        page.wait_for_function("() => document.documentElement.dataset.live === 'yes'")
    spent = cpu() - before
    context.close()
    return spent / SESSIONS
