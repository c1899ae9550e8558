"""Homes that are stopped and deleted after each test, whatever the test did."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import adlab
from adlab.local import reset_data
from adlab.local.places import SYSTEM_BASE, Places, absolute, home_key, prepare_places

SOURCE = str(Path(adlab.__file__).parents[1])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "home"
    yield folder
    reset_data(folder)
    assert living(folder) == []
    assert not (SYSTEM_BASE / home_key(absolute(folder))).exists()


@pytest.fixture
def places(home: Path) -> Places:
    return prepare_places(home)


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    return living


@pytest.fixture
def python() -> Callable[..., subprocess.Popen[str]]:
    return start_python


def living(home: Path) -> list[str]:
    """Every living process that names the home or its data on its command line or works there."""
    marks = (str(absolute(home)), home_key(absolute(home)))
    me = psutil.Process()
    # Reason: whoever started the tests may have named the folder; a server's path has "pytest" in
    # it just as well, so the words of a command line tell nothing.
    ours = {me.pid, *(parent.pid for parent in me.parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            text = " ".join([process.cwd(), *process.cmdline()])
        except psutil.Error:
            continue
        if any(mark in text for mark in marks):
            found.append(f"{process.pid} {text}")
    return found


def start_python(
    code: str, *arguments: object, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Run a piece of Python in a process of its own that can import adlab."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": SOURCE, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
