"""The embedded cache: Valkey on a unix socket, with a password and a memory limit.

Its content may vanish at any time; nothing is written to disk. Where no wheel exists (Windows)
there is no cache, and everything above works without one.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from adlab.local.commands import run
from adlab.local.places import Places
from adlab.local.programs import Programs
from adlab.local.watching import end, find_process, processes_in

START_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheUse:
    """How much the cache is used: clients now (us included), and connections since its start."""

    clients: int
    connections: int


def socket_path(places: Places) -> Path:
    """Return the path of the cache's unix socket."""
    return places.socket_dir / "redis.sock"


def cache_url(places: Places, password: str) -> str:
    """Return the address for redis-py."""
    return f"unix://:{quote(password, safe='')}@{quote(str(socket_path(places)))}?db=0"


def find_cache(places: Places) -> psutil.Process | None:
    """Return the cache server of this home if it lives."""
    try:
        pid = int((places.cache_dir / "valkey.pid").read_text())
    except (OSError, ValueError):
        return None
    return find_process(pid, program="valkey", folder=places.cache_dir, user=places.user)


def start_cache(places: Places, programs: Programs, password: str) -> bool:
    """Start the cache and wait until it answers; say whether it does."""
    if programs.cache is None:
        return False
    end(processes_in(places.cache_dir, program="valkey", user=places.user))
    done = run(
        # Reason: the configuration holds the password, so it goes through standard input: no
        # file of the service user, nothing in the list of processes.
        [str(programs.cache), "-"],
        user=places.user,
        cwd=places.cache_dir,
        given=_configuration(places, password),
        timeout=START_SECONDS,
    )
    give_up = time.monotonic() + START_SECONDS
    while done.code == 0 and time.monotonic() < give_up:
        if find_cache(places) and _answers(places, password):
            return True
        time.sleep(0.01)
    # Reason: the cache makes things faster, never possible; work goes on without it.
    log.warning("cache_not_started code=%s log=%s", done.code, places.log_dir / "cache.log")
    return False


def stop_cache(places: Places) -> bool:
    """Stop the cache; say whether there was one."""
    found = processes_in(places.cache_dir, program="valkey", user=places.user)
    end(found)
    return bool(found)


def read_use(places: Places, password: str) -> CacheUse | None:
    """Ask the cache how much it is used; None when it does not answer."""
    answer = _ask(places, password, "INFO clients", "INFO stats")
    fields = dict(line.split(":", 1) for line in answer.splitlines() if ":" in line)
    try:
        return CacheUse(int(fields["connected_clients"]), int(fields["total_connections_received"]))
    except (KeyError, ValueError):
        return None


def _answers(places: Places, password: str) -> bool:
    return "+PONG" in _ask(places, password, "PING")


def _ask(places: Places, password: str, *questions: str) -> str:
    """Send commands on a connection of its own and return the raw answers, "" on trouble."""
    # Reason: redis-py costs 0.3 s and 30 MB to import; the keeper must stay small.
    text = "".join(f"{line}\r\n" for line in (f"AUTH {password}", *questions, "QUIT"))
    answer = b""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(socket_path(places)))
        connection.sendall(text.encode())
        while part := connection.recv(65536):
            answer += part
    return answer.decode(errors="replace")


def _configuration(places: Places, password: str) -> str:
    lines = [
        "port 0",
        f"unixsocket {_quoted(socket_path(places))}",
        "unixsocketperm 700",
        f"requirepass {password}",
        "maxmemory 256mb",
        "maxmemory-policy allkeys-lru",
        'save ""',
        "appendonly no",
        f"dir {_quoted(places.cache_dir)}",
        f"pidfile {_quoted(places.cache_dir / 'valkey.pid')}",
        f"logfile {_quoted(places.log_dir / 'cache.log')}",
        "hide-user-data-from-log yes",
        "daemonize yes",
    ]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
