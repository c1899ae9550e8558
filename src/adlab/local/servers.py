"""Start, share and stop the embedded servers of a home.

Servers outlive the command that needed them. They end with `stop_servers`, or after 30 minutes
without a client, which the keeper process watches. Everything that starts or stops holds one file
lock, so any number of processes may call these functions at once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from adlab.core.errors import EmbeddedServerError, SettingsError
from adlab.local import cache, postgres
from adlab.local.bootstrap import OWNER, database_url, make_roles_and_database
from adlab.local.commands import start_module
from adlab.local.passwords import make_password, read_password, write_private
from adlab.local.places import Places, explained, find_places, prepare_places, remove_data
from adlab.local.programs import usable_programs
from adlab.local.watching import end, same_process

LOCK_SECONDS = 300
MADE_FROM_DATA = ("hub", "logs", "reports", "demo")
IDLE_MINUTES = 30.0
IDLE_VARIABLE = "ADLAB_LOCAL_IDLE_MINUTES"


@dataclass(frozen=True)
class Servers:
    """Running embedded servers and how to reach them.

    Args:
        database_url: The database `adlab` as `adlab_owner`, over TCP. Holds a password.
        admin_url: The same as superuser. Holds a password.
        redis_url: The cache, or None when there is none. Holds a password.
        started: Whether this call started a server.
        data_dir: PostgreSQL's data folder.
    """

    # Reason: not in repr, so that a log line of this object carries no password.
    database_url: str = field(repr=False)
    admin_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    started: bool
    data_dir: Path


def ensure_servers(home: Path) -> Servers:
    """Return running servers, starting, creating or repairing what is needed.

    Args:
        home: adlab's home; created (mode 0700) when missing.

    Raises:
        DiskFullError: If the disk is full.
        EmbeddedServerError: If a server cannot be started; says why and what to do.
        SettingsError: If ADLAB_LOCAL_IDLE_MINUTES is no number.
    """
    places = prepare_places(home)
    with held(places):
        touch(places.home)
        # Reason: first, so that a starter killed in the middle leaves no server unwatched.
        _ensure_keeper(places)
        try:
            started = _ensure_postgres(places)
        except BaseException:
            if postgres.find_postgres(places) is None:
                _stop_keeper(places)
            raise
        started |= _ensure_cache(places)
        return _servers(places, started=started)


def running_servers(home: Path) -> Servers | None:
    """Return the servers of a home if PostgreSQL is up and ready. Starts nothing."""
    places = find_places(home)
    if places is None:
        return None
    running = postgres.find_postgres(places)
    if running is None or running.state != "ready":
        return None
    return _servers(places, started=False)


def stop_servers(home: Path) -> list[str]:
    """Stop everything of a home and return the names of what was stopped."""
    places = find_places(home)
    if places is None:
        return []
    with held(places):
        stopped = ["keeper"] if _stop_keeper(places) else []
        return stopped + stop_both(places)


def reset_data(home: Path) -> None:
    """Stop the servers and delete their data for good, with what was made from it.

    Logs, reports, the hub's memory and people's notebook folders go, too: they hold what the data
    held. `secret.key` stays, because a backup may need it.
    """
    for name in MADE_FROM_DATA:
        shutil.rmtree(home / name, ignore_errors=True)
    places = find_places(home)
    if places is None:
        return
    with held(places):
        _stop_keeper(places)
        stop_both(places)
        remove_data(places)


def touch(home: Path) -> None:
    """Note that somebody uses the servers, which puts off the idle stop."""
    with explained(home):
        (home / "run" / "last-use").touch(mode=0o600)


@contextmanager
def held(places: Places) -> Iterator[None]:
    """Hold the home's start-and-stop lock."""
    from filelock import FileLock, Timeout

    lock = FileLock(places.lock_file, timeout=LOCK_SECONDS)
    with explained(places.lock_file):
        try:
            lock.acquire()
        except Timeout as error:
            raise EmbeddedServerError(
                f"Another adlab process has been starting or stopping the servers of "
                f"{places.home} for {LOCK_SECONDS // 60} minutes.",
                "End that process, then try again.",
            ) from error
    try:
        yield
    finally:
        lock.release()


def stop_both(places: Places) -> list[str]:
    """Stop PostgreSQL and the cache; the caller holds the lock."""
    stopped = []
    if postgres.stop_postgres(places):
        stopped.append("PostgreSQL")
    if cache.stop_cache(places):
        stopped.append("cache")
    return stopped


def keeper_note(places: Places) -> Path:
    """Return the file that names the keeper process."""
    return places.run_dir / "keeper.json"


def find_keeper(places: Places) -> psutil.Process | None:
    """Return the living keeper process of this home."""
    try:
        note = json.loads(keeper_note(places).read_text())
        return same_process(int(note["pid"]), float(note["created"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def admin_password(places: Places) -> str | None:
    """Return the superuser's password."""
    return read_password(places.secrets_dir / "admin")


def cache_password(places: Places) -> str | None:
    """Return the cache's password."""
    return read_password(places.secrets_dir / "cache")


def _ensure_postgres(places: Places) -> bool:
    running = postgres.wait_until_settled(places)
    started = running is None
    owner_file = places.secrets_dir / "owner"
    if running is None:
        programs = usable_programs(places)
        if postgres.data_version(places) is None:
            places.bootstrapped.unlink(missing_ok=True)
            password = admin_password(places) or make_password(places.secrets_dir / "admin")
            postgres.initialise(places, programs, password)
        _known(admin_password(places), places)
        running = postgres.start_postgres(places, programs)
    if not places.bootstrapped.is_file() or read_password(owner_file) is None:
        owner = read_password(owner_file) or make_password(owner_file)
        make_roles_and_database(running.port, _known(admin_password(places), places), owner)
        places.bootstrapped.touch(mode=0o600)
    return started


def _ensure_cache(places: Places) -> bool:
    password_file = places.secrets_dir / "cache"
    password = read_password(password_file)
    if password is not None and cache.find_cache(places):
        return False
    password = password or make_password(password_file)
    return cache.start_cache(places, usable_programs(places), password)


def _ensure_keeper(places: Places) -> None:
    if find_keeper(places) is not None:
        return
    minutes = _idle_minutes()
    log = places.run_dir / "keeper.log"
    with explained(log):
        log.write_bytes(b"")
        pid = start_module(
            "adlab.local.keeper",
            ["--home", str(places.home), "--base", str(places.base), "--idle-minutes", minutes],
            log=log,
        )
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:
        return
    write_private(keeper_note(places), json.dumps({"pid": pid, "created": created}))


def _idle_minutes() -> str:
    text = os.environ.get(IDLE_VARIABLE) or str(IDLE_MINUTES)
    try:
        return str(float(text))
    except ValueError:
        raise SettingsError(
            f"{IDLE_VARIABLE} is {text!r}, which is no number.",
            f"Write minutes, for example {IDLE_VARIABLE}=30.",
        ) from None


def _stop_keeper(places: Places) -> bool:
    keeper = find_keeper(places)
    if keeper is not None:
        end([keeper])
    keeper_note(places).unlink(missing_ok=True)
    return keeper is not None


def _servers(places: Places, *, started: bool) -> Servers:
    running = postgres.find_postgres(places)
    if running is None:
        raise EmbeddedServerError(
            "PostgreSQL stopped again just after its start.",
            f"Look at {places.log_dir / 'postgres.log'}, or run `adlab doctor`.",
        )
    owner = _known(read_password(places.secrets_dir / "owner"), places)
    admin = _known(admin_password(places), places)
    secret = cache_password(places)
    has_cache = secret is not None and cache.find_cache(places) is not None
    return Servers(
        database_url=database_url(OWNER, owner, running.port),
        admin_url=database_url(postgres.ADMIN, admin, running.port),
        redis_url=cache.cache_url(places, secret) if secret and has_cache else None,
        started=started,
        data_dir=places.data_dir,
    )


def _known(password: str | None, places: Places) -> str:
    if password is None:
        raise EmbeddedServerError(
            f"A password file is missing from {places.secrets_dir}, and the database needs it.",
            "Bring it back from a copy, or restore a backup after `adlab reset`.",
        )
    return password
