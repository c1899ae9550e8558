"""Supervise child processes that should end together with us.

Lives here: starting, waiting until ready, noticing a death, ending whole process trees. Does not
live here: the embedded servers, which outlive their starter (`servers`).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from adlab.core.errors import EmbeddedServerError
from adlab.local.places import explained
from adlab.local.watching import wait_until_gone

LOG_LINES = 10
GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class Child:
    """A child process.

    Args:
        name: What people call it.
        process: The process; also the leader of its process group.
        log: Everything it prints.
        log_start: Where in the log this run begins, in bytes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int

    @property
    def pid(self) -> int:
        """Process id, and id of its process group."""
        return self.process.pid

    def last_lines(self, count: int = LOG_LINES) -> list[str]:
        """Return the last lines this run has printed."""
        return self.said().splitlines()[-count:]

    def said(self) -> str:
        """Return what this run has printed, at most the last 100,000 bytes."""
        try:
            with self.log.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(self.log_start, size - 100_000))
                return stream.read().decode(errors="replace")
        except OSError:
            return ""


class Supervisor:
    """Starts children and ends them all: by `terminate`, at the end of `with`, or at our death.

    Example:
        >>> with Supervisor() as parts:  # doctest: +SKIP
        ...     parts.start("web", [sys.executable, "-m", "http.server"], log=Path("web.log"))
        ...     parts.wait(stop)
    """

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}
        self._starts: dict[str, Callable[[], Child]] = {}
        self._lock = threading.RLock()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()

    @property
    def children(self) -> tuple[Child, ...]:
        """All children started so far and not yet ended by us."""
        with self._lock:
            return tuple(self._children.values())

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready: Callable[[], bool] | None = None,
        ready_line: str | None = None,
        ready_url: str | None = None,
        timeout: float = 60.0,
    ) -> Child:
        """Start a child and wait until it is ready.

        Args:
            name: Unique name.
            arguments: Program and arguments; secrets belong into `environment`.
            log: File its output is appended to.
            environment: Variables added to our own.
            cwd: Working folder.
            ready: Asked until it says True.
            ready_line: Regular expression looked for in the output.
            ready_url: Asked until it answers with a status below 500.
            timeout: Seconds to become ready.

        Raises:
            EmbeddedServerError: If it cannot be started, dies first, or takes too long; it is
                ended then, and the message ends with its last lines.
            ValueError: If a child of that name runs already.
        """

        def begin() -> Child:
            with self._lock:
                if name in self._children:
                    raise ValueError(f"a child named {name!r} runs already")
                child = self._spawn(name, arguments, log, environment, cwd)
                self._children[name] = child
            try:
                self._wait_ready(child, _readiness(child, ready, ready_line, ready_url), timeout)
            except BaseException:
                self.stop(name)
                raise
            return child

        self._starts[name] = begin
        return begin()

    def restart(self, name: str) -> Child:
        """Start a child that has ended once more, as it was started before.

        Raises:
            EmbeddedServerError: As for `start`.
            ValueError: If no child of that name was ever started.
        """
        if name not in self._starts:
            raise ValueError(f"no child named {name!r} was started")
        self.stop(name)
        return self._starts[name]()

    def raise_if_dead(self) -> None:
        """Raise `EmbeddedServerError` if a child has ended by itself, with its last words."""
        for child in self.children:
            if child.process.poll() is not None:
                raise _death(child)

    def ended(self) -> tuple[Child, ...]:
        """Children that have ended by themselves."""
        return tuple(c for c in self.children if c.process.poll() is not None)

    def wait(self, stop: threading.Event, *, every: float = 0.5) -> None:
        """Watch until `stop` is set.

        Raises:
            EmbeddedServerError: As soon as a child has ended by itself.
        """
        while not stop.wait(every):
            self.raise_if_dead()

    def stop(self, name: str, *, patience: float = 10.0) -> None:
        """End one child with all its descendants."""
        with self._lock:
            child = self._children.pop(name, None)
        if child is not None:
            self._end([child], patience)

    def terminate(self, *, patience: float = 10.0) -> None:
        """End all children with all their descendants: first asked, later killed.

        Args:
            patience: Seconds between SIGTERM and SIGKILL.
        """
        with self._lock:
            children = list(reversed(self._children.values()))
            self._children.clear()
        self._end(children, patience)
        with self._lock:
            watcher, self._guard = self._guard, None
        if watcher is not None and watcher.stdin is not None:
            with contextlib.suppress(OSError):
                watcher.stdin.close()
            watcher.wait()

    def _spawn(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None,
        cwd: Path | None,
    ) -> Child:
        with explained(log):
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            output = log.open("ab")
        with output:
            begin = output.tell()
            try:
                process = subprocess.Popen(
                    list(arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise EmbeddedServerError(
                    f"{name} could not be started: {error.strerror} ({arguments[0]}).",
                    "Check that the program is installed; `adlab doctor` lists what is missing.",
                ) from error
        self._tell_guard(f"+{process.pid}")
        return Child(name, process, log, begin)

    def _tell_guard(self, line: str) -> None:
        # Reason: not PR_SET_PDEATHSIG. It fires when the *thread* that started the child ends,
        # reaches no grandchildren, and exists on Linux only; a pipe that closes has none of this.
        if os.name != "posix":
            return
        with self._lock, contextlib.suppress(OSError):
            if self._guard is None:
                self._guard = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(GUARD)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
            assert self._guard.stdin is not None
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()

    def _wait_ready(self, child: Child, is_ready: Callable[[], bool], timeout: float) -> None:
        give_up = time.monotonic() + timeout
        while not is_ready():
            if child.process.poll() is not None:
                raise _death(child)
            if time.monotonic() > give_up:
                raise EmbeddedServerError(
                    f"{child.name} was not ready after {timeout:.0f} seconds. {_last_words(child)}",
                    f"The whole log is in {child.log}.",
                )
            time.sleep(0.05)

    def _end(self, children: Sequence[Child], patience: float) -> None:
        tree = [process for child in children for process in _descendants(child)]
        for child in children:
            _signal_group(child, signal.SIGTERM)
        leaders = [child for child in children if not _ended(child, patience)]
        alive = wait_until_gone(tree, patience if leaders else min(patience, 1.0))
        for child in children:
            _signal_group(child, getattr(signal, "SIGKILL", signal.SIGTERM))
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for child in children:
            child.process.wait()
            self._tell_guard(f"-{child.pid}")
        wait_until_gone(alive, 5.0)


def _readiness(
    child: Child,
    ready: Callable[[], bool] | None,
    line: str | None,
    url: str | None,
) -> Callable[[], bool]:
    checks: list[Callable[[], bool]] = []
    if ready is not None:
        checks.append(ready)
    if line is not None:
        pattern = re.compile(line)
        checks.append(lambda: pattern.search(child.said()) is not None)
    if url is not None:
        address = url
        checks.append(lambda: answers(address))
    return lambda: all(check() for check in checks)


def answers(url: str) -> bool:
    """Say whether a web address answers with a status below 500."""
    import urllib.error
    import urllib.request

    # Reason: a proxy from the environment must not stand between us and our own child.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


def _descendants(child: Child) -> list[psutil.Process]:
    try:
        return psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:
        return []


def _signal_group(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(child.pid, number)
        else:
            child.process.terminate()


def _ended(child: Child, patience: float) -> bool:
    try:
        child.process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True


def _death(child: Child) -> EmbeddedServerError:
    code = child.process.poll()
    how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended ({code})"
    return EmbeddedServerError(
        f"{child.name} {how}. {_last_words(child)}", f"The whole log is in {child.log}."
    )


def _last_words(child: Child) -> str:
    lines = child.last_lines()
    return "Its last lines: " + " | ".join(lines) if lines else "It printed nothing."
