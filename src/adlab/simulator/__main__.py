"""Starts the simulator as a process of its own; see ``--help``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from adlab.simulator.app import create_app
from adlab.simulator.clock import SimulatorClock, parse_moment
from adlab.simulator.scenarios import SCENARIOS
from adlab.simulator.state import Settings
from adlab.simulator.tokens import DEFAULT_APP_SECRET


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m adlab.simulator",
        description="A simulated Graph API for Meta advertising.",
        epilog="Example: python -m adlab.simulator --port 9099 --scenario tiny "
        "--now 2026-11-21T10:00:00Z",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="demo")
    parser.add_argument("--seed", type=int, default=7, help="every number follows from it")
    parser.add_argument("--now", help="ISO time at which the clock stands still until moved")
    parser.add_argument("--run", action="store_true", help="let the clock run on from --now")
    parser.add_argument(
        "--quota",
        choices=["off", "limited", "full"],
        default="off",
        help="access tier whose limits are enforced",
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every answer")
    parser.add_argument("--ready-file", type=Path, help="file to write the address to when ready")
    parser.add_argument(
        "--app-secret", default=os.environ.get("ADLAB_SIMULATOR_APP_SECRET", DEFAULT_APP_SECRET)
    )
    parser.add_argument(
        "--parent-pid",
        type=int,
        default=int(os.environ.get("ADLAB_PARENT_PID", "0") or 0),
        help="exit when this process is gone",
    )
    return parser.parse_args(given)


class _Server(uvicorn.Server):
    """A server that leaves signals to us: it ends with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not touch signal handlers."""
        yield


def _stop_on_signals(server: uvicorn.Server) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


async def _serve(
    server: uvicorn.Server, listener: socket.socket, url: str, ready_file: Path | None, parent: int
) -> None:
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    if server.started:
        if ready_file is not None:
            draft = ready_file.with_name(ready_file.name + ".part")
            draft.write_text(url, encoding="utf-8")
            draft.replace(ready_file)
        sys.stdout.write(f"simulator ready {url}\n")
        sys.stdout.flush()
    watcher = asyncio.create_task(_watch(server, parent)) if parent else None
    await task
    if watcher is not None:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def _watch(server: uvicorn.Server, parent: int) -> None:
    while True:
        if not _is_alive(parent):
            server.should_exit = True
            return
        await asyncio.sleep(1.0)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        # Reason: on Windows `os.kill(pid, 0)` would end the process instead of looking at it.
        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Reason: a parent that died unreaped still has a pid; in a container nobody reaps it.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] not in {"Z", "X"}


def main(given: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; gives the exit code."""
    options = _arguments(given)
    try:
        moment = parse_moment(options.now) if options.now else None
    except ValueError as problem:
        sys.stderr.write(f"--now: {problem}\n")
        return 2
    clock = SimulatorClock(moment)
    if options.run:
        clock.run()
    settings = Settings(quota=options.quota, latency_ms=options.latency_ms)
    app = create_app(options.scenario, options.seed, clock, settings, options.app_secret)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as problem:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {problem}\n")
        return 1
    listener.listen(256)
    url = f"http://{options.host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    _stop_on_signals(server)
    asyncio.run(_serve(server, listener, url, options.ready_file, options.parent_pid))
    return 0


if __name__ == "__main__":
    sys.exit(main())
