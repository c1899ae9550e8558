"""The open house: a notebook server of one's own, and how soon a killed part answers again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.benchmarks.figures import Figure
from tests.benchmarks.visiting import Visited, chrome, visited, wait_answer

# Part → what its command line holds, and the address that shows it is back.
PARTS = {
    "hub": ("jupyterhub", "/hub/login"),
    "boards": ("adlab.web.boards", "/services/boards/client?client=nordlicht-outdoor"),
    "web": ("adlab.web.app", "/services/web/"),
    "proxy": ("adlab.local.proxy", "/hub/login"),
}


def measure(folder: Path) -> list[Figure]:
    """Open a notebook through the browser, then kill one part after the other."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        with visited(home, "demo", "--no-browser", links=4) as house:
            house.wait_said("All history is loaded")
            with chrome() as browser:
                context = browser.new_context()
                notebook = _notebook(context.new_page(), house)
                again = {name: _killed(context, house, name) for name in PARTS}
    finally:
        reset_data(home)
    return [
        Figure("notebooks: click to notebook visible", notebook, "s", 20.0),
        *(
            Figure(f"kill -9 {name}: answers again after", took, "s")
            for name, took in again.items()
        ),
    ]


def _notebook(page: Any, house: Visited) -> float:
    page.goto(house.links.pop(0))
    page.wait_for_url("**/services/web/")
    page.goto(house.board("nordlicht-outdoor"))
    page.goto(f"{house.url}/services/web/")
    began = time.perf_counter()
    page.click("text=Open notebooks")
    page.wait_for_url("**/user/*/lab/**", timeout=120_000)
    page.wait_for_selector(".jp-Notebook", timeout=120_000)
    return time.perf_counter() - began


def _killed(context: Any, house: Visited, name: str) -> float:
    words, path = PARTS[name]
    cookies = httpx.Cookies()
    for c in context.cookies():
        cookies.set(c["name"], c["value"], c["domain"], c["path"])
    wait_answer(house.url + path, 30, cookies)
    _part(house, words).kill()
    # Reason: until the dead process is gone its socket may still accept a connection.
    time.sleep(0.2)
    took = 0.2 + wait_answer(house.url + path, 120, cookies)
    # Reason: the next death should be no consequence of this one.
    time.sleep(3)
    return took


def _part(house: Visited, words: str) -> psutil.Process:
    """The child of ours with these words; children only, for notebook servers say jupyterhub too."""
    for child in psutil.Process(house.process.pid).children():
        if words in " ".join(child.cmdline()):
            return child
    raise RuntimeError(f"no {words} process")
