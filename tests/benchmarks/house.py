"""The open house: a board, a notebook server of one's own, how soon a killed part answers again."""

from __future__ import annotations

import os
import shutil
import tempfile
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
    """Open a board and a notebook through the browser, then kill one part after the other."""
    from adlab.local import reset_data

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        with visited(home, "demo", "--no-browser", links=4) as house:
            house.wait_said("All history is loaded")
            with chrome() as browser:
                context = browser.new_context()
                page = context.new_page()
                board = _board(page, house)
                notebook = _notebook(page, house)
                again = {name: _killed(context, house, name) for name in PARTS}
        own = _own_account(home)
    finally:
        reset_data(home)
    return [
        Figure("login link to live board", board, "s"),
        Figure("notebooks, one system user: click to notebook visible", notebook, "s", 10.0),
        *(
            Figure(f"notebooks, {name}: click to notebook visible", took, "s", 10.0)
            for name, took in own.items()
        ),
        *(
            Figure(f"kill -9 {name}: answers again after", took, "s")
            for name, took in again.items()
        ),
    ]


def _own_account(home: Path) -> dict[str, float]:
    """The same where each person has a system user; only root can measure that."""
    from tests.hub.accounts import forget_accounts, open_interpreter

    if os.geteuid() != 0:
        return {}
    people = Path(tempfile.mkdtemp(prefix="adl", dir="/var/lib"))
    try:
        with (
            open_interpreter() as python,
            visited(home, "demo", "--no-browser", links=4, ADLAB_HUB__SPAWNER="users",
                    ADLAB_HUB__PYTHON=python, ADLAB_HUB__PEOPLE=str(people)) as house,
            chrome() as browser,
        ):  # fmt: skip
            page = browser.new_context().new_page()
            _board(page, house)
            first = _notebook(page, house)
            page.goto(f"{house.url}/hub/home")
            page.click("#stop")
            page.wait_for_selector("#stop", state="hidden", timeout=60_000)
            page.goto(f"{house.url}/services/web/")
            return {"own system user, account made": first,
                    "own system user, later": _notebook(page, house)}  # fmt: skip
    finally:
        forget_accounts(people)
        shutil.rmtree(people, ignore_errors=True)


def _board(page: Any, house: Visited) -> float:
    link = house.links.pop(0)
    began = time.perf_counter()
    page.goto(link)
    page.wait_for_url("**/services/web/")
    page.goto(house.board("nordlicht-outdoor"))
    page.wait_for_selector("html[data-live=yes]", state="attached")
    return time.perf_counter() - began


def _notebook(page: Any, house: Visited) -> float:
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
