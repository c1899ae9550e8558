"""Prints every benchmark as a table `figure | value | bar | holds`, with the machine named."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    api,
    board,
    connector,
    demo,
    filters,
    history,
    hooks,
    house,
    ingest,
    overview,
)
from tests.benchmarks.figures import Figure

BENCHMARKS: dict[str, Callable[[Path], list[Figure]]] = {
    "demo": demo.measure,
    "house": house.measure,
    "ingest": ingest.measure,
    "connector": connector.measure,
    "history": history.measure,
    "hooks": hooks.measure,
    "api": api.measure,
    "board": board.measure,
    "filters": filters.measure,
    "overview": overview.measure,
}


def machine() -> str:
    """The machine in one line."""
    import psutil

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores {model}, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    unknown = [n for n in given.names if n not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    figures: list[Figure] = []
    where = machine()
    for name in given.names or BENCHMARKS:
        print(f"running {name} …", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="adlab-bench-") as folder:
            figures += BENCHMARKS[name](Path(folder))
    if given.json:
        print(json.dumps({"machine": where, "figures": [f.record() for f in figures]}, indent=2))
    else:
        print(f"machine: {where}\n")
        width = max(len(f.name) for f in figures)
        print(f"{'figure':<{width}} | {'value':>14} | {'bar':>14} | holds")
        for f in figures:
            print(f"{f.name:<{width}} | {f.shown():>14} | {f.bar_shown():>14} | {f.verdict()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
