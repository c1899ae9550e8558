"""Run short programs, and start long ones that must outlive us.

Lives here: the clean environment, the switch to the service user, and detaching. Children that
should end together with their starter are in `process`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adlab.core.errors import EmbeddedServerError
from adlab.local.account import ServiceUser


@dataclass(frozen=True)
class Done:
    """How a program ended: exit code and everything it said."""

    code: int
    text: str


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment without the caller's PG… variables, library paths and secrets."""
    kept = ("PATH", "HOME", "USER", "SYSTEMROOT", "TEMP", "TMP")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update({"LC_ALL": "C", "TZ": "UTC"})
    environment.update(extra or {})
    return environment


def run(
    arguments: Sequence[str],
    *,
    user: ServiceUser | None = None,
    cwd: Path | str = "/",
    extra_environment: Mapping[str, str] | None = None,
    given: str | None = None,
    timeout: float = 600.0,
) -> Done:
    """Run a program to its end and return what it said.

    Args:
        arguments: The program and its arguments; never a password.
        user: Account to run as; None means our own.
        cwd: Working folder.
        extra_environment: Variables beside the clean environment.
        given: Text for its standard input.
        timeout: Seconds after which it is killed.

    Raises:
        EmbeddedServerError: If it cannot be started, or takes too long.
    """
    name = Path(arguments[0]).name
    options: dict[str, Any] = user.popen_options if user else {}
    # Reason: files, not pipes. A server started by pg_ctl could keep a pipe open for ever.
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        source.write((given or "").encode())
        source.seek(0)
        try:
            done = subprocess.run(
                list(arguments),
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=clean_environment(extra_environment),
                timeout=timeout,
                start_new_session=True,
                check=False,
                **options,
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerError(
                f"{name} did not end within {timeout:.0f} seconds.", "Try again in a minute."
            ) from error
        except OSError as error:
            raise EmbeddedServerError(
                f"{name} could not be started ({error.strerror}).",
                "Install adlab again, or run `adlab doctor`.",
            ) from error
        output.seek(0)
        return Done(done.returncode, output.read().decode(errors="replace"))


def start_module(module: str, arguments: Sequence[str], *, log: Path) -> int:
    """Start `python -m module` so that it outlives us and holds nothing of ours; return its pid."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    environment = clean_environment(
        {"PYTHONPATH": os.pathsep.join(part for part in (root, known) if part)}
    )
    command = [sys.executable, "-m", module, *arguments]
    if os.name != "posix":
        flags = getattr(subprocess, "DETACHED_PROCESS", 0)
        with log.open("ab") as output:
            return subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, creationflags=flags
            ).pid
    # Reason: the shell in between ends at once, so the module is never our child and can neither
    # become a zombie of a long-lived notebook nor be waited for.
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(log), *command],
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
    )
    return int(done.stdout)
