"""`adlab demo`: seconds to login page and first board, cold and warm; `--once`; memory; a report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil

from tests.benchmarks.figures import Figure, command, tree_memory
from tests.benchmarks.visiting import chrome, visited

PEOPLE = 4
CLIENT = "nordlicht-outdoor"


def measure(folder: Path) -> list[Figure]:
    """Cold start, second start and memory with pages; then the whole of `--once` and a report."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        cold, memory = _first_board(home, settle=20.0)
        warm, _ = _first_board(home, settle=0.0)
        left = _ours_alive(home)
    finally:
        reset_data(home)
    once_home = folder / "once"
    once_home.mkdir(mode=0o755)
    try:
        once = command(once_home, "demo", "--once")
        report = _report(once_home)
    finally:
        reset_data(once_home)
    return [
        Figure("demo: seconds to hub login page, cold", cold[0], "s", 30.0),
        Figure("demo: seconds to first board painted, cold", cold[1], "s", 30.0),
        Figure("demo: seconds to hub login page, second start", warm[0], "s", 10.0),
        Figure("demo: seconds to first board painted, second start", warm[1], "s", 10.0),
        Figure("demo: processes left after Ctrl-C", left, "", 0.0),
        Figure("demo: peak memory of all processes", memory, "MiB"),
        Figure("demo --once: seconds", once.seconds, "s", 90.0),
        *report,
    ]


def _first_board(home: Path, settle: float) -> tuple[tuple[float, float], float]:
    """Start, log in with the first link, wait until a board's tiles are painted; then Ctrl-C."""
    with chrome() as browser, visited(home, "demo", "--no-browser", links=PEOPLE) as house:
        page = browser.new_page()
        page.goto(house.links[0])
        page.wait_for_url("**/services/web/")
        page.goto(house.board(CLIENT), wait_until="commit")
        page.wait_for_selector("[data-kpi]")
        seconds = time.perf_counter() - house.began
        peak, until = 0.0, time.perf_counter() + settle
        while time.perf_counter() < until:
            peak = max(peak, tree_memory(psutil.Process(house.process.pid), _servers(home)))
            time.sleep(0.5)
        return (house.login_seconds, seconds), peak


def _report(home: Path) -> list[Figure]:
    """A monthly report by command, embedded servers started for it; then its stages."""
    arguments = ("report", "render", "monthly", "--client", CLIENT, "--json")
    done = command(home, *arguments, "--out", str(home / "bench.pdf"))
    stages = json.loads(done.stdout)["seconds"]
    return [
        Figure("report render monthly: whole command", done.seconds, "s", 20.0),
        *(Figure(f"report render monthly: {name}", took, "s") for name, took in stages.items()),
    ]


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
