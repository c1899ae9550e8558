"""What `adlab doctor` asks about the embedded servers. Reads only; starts and changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adlab.core.errors import AdlabError
from adlab.local import cache, postgres, servers
from adlab.local.account import SERVICE_USER
from adlab.local.places import Places, absolute, find_places
from adlab.local.ports import is_free, port_holder
from adlab.local.programs import wheel_programs

LOW_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Check:
    """One answer.

    Args:
        name: What was looked at.
        ok: True fine, False a problem, None not known or not needed.
        detail: What was seen.
        remedy: What to do; "" when nothing.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def check(home: Path) -> list[Check]:
    """Return the state of a home's embedded servers, one line to a subject."""
    home = absolute(home)
    results = [_guarded("server programs", _programs), _guarded("disk", lambda: _disk(home))]
    try:
        places = find_places(home)
    except AdlabError as error:
        return [*results, Check("data folder", False, error.message, error.remedy)]
    if places is None:
        detail = f"{home} is not in use yet"
        return [*results, Check("data folder", None, detail, "Any command creates it.")]
    found = places
    return [
        *results,
        _guarded("data folder", lambda: _data(found)),
        _guarded("passwords", lambda: _passwords(found)),
        _guarded("owners", lambda: _owners(found)),
        _guarded("port", lambda: _port(found)),
        _guarded("PostgreSQL", lambda: _postgres(found)),
        _guarded("cache", lambda: _cache(found)),
        _guarded("keeper", lambda: _keeper(found)),
    ]


def _guarded(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except AdlabError as error:
        return Check(name, False, error.message, error.remedy)
    except OSError as error:
        return Check(name, False, f"{error.filename}: {error.strerror}", "Check its permissions.")


def _programs() -> Check:
    found = wheel_programs()
    extra = "with a cache server" if found.cache else "no cache server for this system"
    return Check("server programs", True, f"PostgreSQL {found.postgres_version}, {extra}")


def _disk(home: Path) -> Check:
    folder = next(path for path in (home, *home.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    remedy = "" if free > LOW_BYTES else "Free some space: PostgreSQL stops when the disk is full."
    return Check("disk", free > LOW_BYTES, f"{free / 1024**3:.1f} GiB free at {folder}", remedy)


def _data(places: Places) -> Check:
    found = postgres.data_version(places)
    if found is None:
        return Check("data folder", None, f"no data in {places.data_dir}", "")
    postgres.require_same_version(places, wheel_programs())
    mode = stat.S_IMODE(places.data_dir.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        return Check(
            "data folder",
            False,
            f"{places.data_dir} is open to others (mode {mode:o})",
            f"Close it: chmod 700 {places.data_dir}",
        )
    owner = f", run as {places.user.name}" if places.user else ""
    return Check("data folder", True, f"{places.data_dir}, PostgreSQL {found}{owner}")


def _owners(places: Places) -> Check:
    """Say plainly which accounts could read everything, whatever the database grants."""
    if os.name != "posix":
        return Check("owners", None, "not looked at on this system")
    if not places.data_dir.exists():
        return Check("owners", None, "no data yet")
    data, secrets = (_account(path.stat().st_uid) for path in (places.data_dir, places.secrets_dir))
    me = _account(os.geteuid())
    told = f"data belongs to {data}, passwords to {secrets}"
    if me in (data, secrets) and os.geteuid() != 0:
        return Check(
            "owners",
            None,
            f"{told}: whoever runs code as {me} reads everything",
            "Right for one person. With more, run adlab as root: data then belongs to an account "
            f"of its own ({SERVICE_USER}), and people's servers to theirs.",
        )
    return Check("owners", True, f"{told}; people's servers must run as neither")


def _account(uid: int) -> str:
    import pwd  # Reason: not on Windows

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _passwords(places: Places) -> Check:
    files = [places.secrets_dir / name for name in ("admin", "owner", "cache")]
    if (places.home / "secret.key").exists():
        files.append(places.home / "secret.key")
    present = [file for file in files if file.is_file()]
    if os.name == "posix":
        wide = [str(file) for file in present if stat.S_IMODE(file.stat().st_mode) & 0o077]
        if wide:
            names = " ".join(wide)
            return Check("passwords", False, f"readable by others: {names}", f"chmod 600 {names}")
    missing = [file.name for file in files[:2] if file not in present]
    if missing and postgres.data_version(places) is not None:
        return Check(
            "passwords",
            False,
            f"missing in {places.secrets_dir}: {', '.join(missing)}",
            "Bring the files back from a copy.",
        )
    return Check("passwords", True, f"{len(present)} files, readable by their owner only")


def _port(places: Places) -> Check:
    running = postgres.find_postgres(places)
    if running is not None:
        return Check("port", True, f"{postgres.HOST}:{running.port}")
    file = places.run_dir / "postgres.port"
    if not file.is_file():
        return Check("port", None, "none chosen yet")
    port = int(file.read_text())
    if is_free(port, postgres.HOST):
        return Check("port", True, f"{port} is free for the next start")
    holder = port_holder(port) or "another program"
    return Check("port", None, f"{port} is held by {holder}; the next start takes another")


def _postgres(places: Places) -> Check:
    running = postgres.find_postgres(places)
    if running is None:
        return Check("PostgreSQL", None, "not running", "Any command starts it.")
    ready = running.state == "ready"
    remedy = "" if ready else f"Wait a moment; then look at {places.log_dir / 'postgres.log'}."
    return Check("PostgreSQL", ready, f"{running.state} (pid {running.process.pid})", remedy)


def _cache(places: Places) -> Check:
    process = cache.find_cache(places)
    if process is not None:
        return Check("cache", True, f"running (pid {process.pid})")
    return Check("cache", None, "not running; everything works without it, only slower")


def _keeper(places: Places) -> Check:
    keeper = servers.find_keeper(places)
    if keeper is not None:
        return Check("keeper", True, f"running (pid {keeper.pid})")
    if postgres.find_postgres(places) is None:
        return Check("keeper", None, "not needed: nothing runs")
    return Check("keeper", False, "gone; idle servers are not stopped", "Any command starts it.")
