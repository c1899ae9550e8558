"""A house for benchmarks: starts it, waits for its pages, and visits them as people do."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adlab.local import free_port
from tests.benchmarks.figures import environment

LINK = re.compile(r"http://\S+/hub/link/\S+")
ONE_USER = {"ADLAB_HUB__SPAWNER": "local", "ADLAB_HUB__TRUST_EVERYBODY": "1"}
START_SECONDS = 180.0
STOP_SECONDS = 60.0


@dataclass
class Visited:
    """A house that runs.

    Attributes:
        process: `adlab demo` or `adlab hub`.
        url: The public address.
        began: When it was started, by `time.perf_counter`.
        login_seconds: Until the hub's login page answered; 0 before.
        links: One-time login links, in the order printed; the first is the owner's.
        said: What it told on stderr, line by line.
    """

    process: subprocess.Popen[str]
    url: str
    began: float
    login_seconds: float = 0.0
    links: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def board(self, client: str) -> str:
        """Address of a client's board."""
        return f"{self.url}/services/boards/client?client={client}"

    def wait_said(self, words: str, timeout: float = 300.0) -> None:
        """Wait until it tells something.

        Raises:
            TimeoutError: If it does not; with what it told last.
        """
        give_up = time.monotonic() + timeout
        while not any(words in line for line in self.said):
            if time.monotonic() > give_up or self.process.poll() is not None:
                raise TimeoutError(f"never said {words!r}: {self.said[-5:]}")
            time.sleep(0.05)


@contextmanager
def visited(home: Path, *command: str, links: int = 0, **extra: str) -> Iterator[Visited]:
    """Run `adlab …` on a free port until the block ends; ready when it printed its links.

    Args:
        home: Its ADLAB_HOME.
        command: `demo`, `--no-browser` or `hub`; the port is added.
        links: How many login links to wait for.
        extra: Variables beside ADLAB_HOME; one system user for all unless they say otherwise.
    """
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", *command, "--port", str(port)],
        env=environment(home, **{**ONE_USER, **extra}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    house = Visited(process, f"http://127.0.0.1:{port}", began)
    readers = [
        threading.Thread(target=work, args=(house,), daemon=True)
        for work in (_read_errors, _wait_login)
    ]
    for reader in readers:
        reader.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            house.links += LINK.findall(line)
            if "adlab hub:" in line or (links and len(house.links) >= links):
                break
        else:
            raise RuntimeError(f"adlab {' '.join(command)} ended: {house.said[-5:]}")
        threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
        readers[1].join(START_SECONDS)
        yield house
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _drain(stream: Any) -> None:
    for _ in stream:
        pass


def _read_errors(house: Visited) -> None:
    assert house.process.stderr is not None
    for line in house.process.stderr:
        house.said.append(line.strip())


def _wait_login(house: Visited) -> None:
    wait_answer(f"{house.url}/hub/login", START_SECONDS)
    house.login_seconds = time.perf_counter() - house.began


def wait_answer(url: str, timeout: float, cookies: httpx.Cookies | None = None) -> float:
    """Seconds until an address answers 200, redirects followed.

    Raises:
        TimeoutError: If it does not.
    """
    began = time.perf_counter()
    while time.perf_counter() - began < timeout:
        # Reason: a client of its own each time; a kept connection would hide a dead server.
        with httpx.Client(follow_redirects=True, timeout=5, cookies=cookies) as client:
            try:
                if client.get(url).status_code == 200:
                    return time.perf_counter() - began
            except (httpx.HTTPError, OSError):
                pass
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer within {timeout:g} seconds")


@contextmanager
def chrome() -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, chromium

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def logged_in(browser: Any, house: Visited, board: str) -> dict[str, Any]:
    """Use the first link up and open a board once; the browser's state, for other contexts."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(house.links.pop(0))
    page.wait_for_url("**/services/web/")
    page.goto(board)
    page.wait_for_selector("[data-kpi]")
    state: dict[str, Any] = context.storage_state()
    context.close()
    return state
