"""Ask whether a process we once started still lives, and end it.

A pid alone proves nothing after a crash or a reboot: each question also names the program and its
working folder. A zombie counts as dead.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from adlab.local.account import ServiceUser


def find_process(
    pid: int, *, program: str, folder: Path, user: ServiceUser | None
) -> psutil.Process | None:
    """Return the living process `pid` if it is the program that works in `folder`."""
    try:
        process = psutil.Process(pid)
        return process if _is_ours(process, program, folder, user) else None
    except psutil.Error:
        return None


def processes_in(folder: Path, *, program: str, user: ServiceUser | None) -> list[psutil.Process]:
    """Return every living process of that program that works in `folder`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _is_ours(process, program, folder, user):
                found.append(process)
    return found


def same_process(pid: int, created: float) -> psutil.Process | None:
    """Return the living process `pid` if it is the one that began at `created` (epoch seconds)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - created) > 1.0:
            return None
    except psutil.Error:
        return None
    return process


def end(
    processes: Iterable[psutil.Process],
    *,
    ask: signal.Signals = signal.SIGTERM,
    patience: float = 10.0,
) -> None:
    """Ask processes to end, wait, and kill those that did not."""
    alive = list(processes)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.send_signal(ask)
    alive = wait_until_gone(alive, patience)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    wait_until_gone(alive, 5.0)


def wait_until_gone(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end and return those that still live."""
    # Reason: not psutil.wait_procs, which takes a zombie for alive; in a container nobody may
    # ever collect it.
    alive = list(processes)
    give_up = time.monotonic() + seconds
    while alive := [process for process in alive if is_alive(process)]:
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    return alive


def is_alive(process: psutil.Process) -> bool:
    """Say whether a process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_ours(process: psutil.Process, program: str, folder: Path, user: ServiceUser | None) -> bool:
    if program not in process.name() or process.status() == psutil.STATUS_ZOMBIE:
        return False
    if user is not None and process.uids().real != user.uid:
        return False
    return Path(process.cwd()) == folder
