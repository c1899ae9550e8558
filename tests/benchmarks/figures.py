"""What a benchmark returns, and the parts several benchmarks share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil


@dataclass(frozen=True)
class Figure:
    """One measured number beside its bar."""

    name: str
    value: float
    unit: str = ""
    bar: float | None = None
    better: Literal["less", "more"] = "less"

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None without a bar."""
        if self.bar is None:
            return None
        return self.value <= self.bar if self.better == "less" else self.value >= self.bar

    def shown(self) -> str:
        """The value for people."""
        return f"{self.value:,.2f} {self.unit}".strip()

    def bar_shown(self) -> str:
        """The bar for people."""
        sign = "≤" if self.better == "less" else "≥"
        return "" if self.bar is None else f"{sign} {self.bar:,.2f} {self.unit}".strip()

    def verdict(self) -> str:
        """yes, no, or nothing to hold against."""
        return {True: "yes", False: "NO", None: ""}[self.holds]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "holds": self.holds}


def environment(home: Path, **extra: str) -> dict[str, str]:
    """A clean environment for a command of adlab in `home`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ADLAB_")}
    return {**kept, "ADLAB_HOME": str(home), **extra}


@dataclass(frozen=True)
class Ran:
    """A finished command: wall and CPU seconds (children reaped included), and its stdout."""

    seconds: float
    cpu_seconds: float
    stdout: str


def command(home: Path, *arguments: str, **extra: str) -> Ran:
    """Run `adlab …` to its end.

    Raises:
        RuntimeError: If it fails; with what it said.
    """
    before = os.times()
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "adlab.cli", *arguments],
        env=environment(home, **extra), capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"adlab {' '.join(arguments)}: {done.stderr[-2000:]}")
    cpu = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Ran(seconds, cpu, done.stdout)


@contextmanager
def simulator(scenario: str, *extra: str) -> Iterator[str]:
    """A simulator process; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.simulator", "--port", "0", "--scenario", scenario, *extra],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def embedded(home: Path) -> Iterator[Any]:
    """Embedded servers for a benchmark, deleted afterwards."""
    from adlab.local import ensure_servers, reset_data

    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    try:
        yield ensure_servers(home)
    finally:
        reset_data(home)


def tree_memory(root: psutil.Process, also: Mapping[int, psutil.Process] | None = None) -> float:
    """MiB of a process and its children, shared pages counted once (PSS where there is one)."""
    total = 0
    family = {p.pid: p for p in [root, *root.children(recursive=True)]} | dict(also or {})
    for process in family.values():
        try:
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 2**20
