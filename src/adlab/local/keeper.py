"""The keeper: stops the embedded servers of one home when nobody uses them.

`python -m adlab.local.keeper --home DIR --base DIR` is started by `ensure_servers`, one to a home.
It restarts nothing. It ends itself once it has stopped the servers, or when somebody else has.

In use means: a file touched by `ensure_servers`, a client connected, or a connection made since the
last look. The looks themselves go to the database `postgres` and are not counted.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

from adlab.local import cache, postgres, servers
from adlab.local.account import service_user
from adlab.local.commands import run
from adlab.local.places import Places
from adlab.local.programs import wheel_programs

LONGEST_PAUSE = 60.0
QUESTION = """
SELECT (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
    || ' ' || (SELECT coalesce(sum(sessions), 0) FROM pg_stat_database WHERE datname <> 'postgres')
"""


@dataclass(frozen=True)
class Look:
    """What one look at the servers saw.

    Args:
        clients: Connections open at this moment, ours not counted.
        sessions: Connections PostgreSQL has counted so far, ours not counted.
        cache_connections: Connections the cache has counted so far, ours counted.
    """

    clients: int
    sessions: int
    cache_connections: int

    def is_in_use(self, before: Look | None) -> bool:
        """Say whether somebody is connected, or was since the look before."""
        if self.clients > 0 or before is None:
            return True
        # Reason: our own look at the cache counts as one connection.
        cache_moved = self.cache_connections - before.cache_connections not in (0, 1)
        return cache_moved or self.sessions != before.sessions


def look(places: Places, psql: str, port: int) -> Look:
    """Ask both servers who is connected; a server that does not answer counts as unused."""
    answer = run(
        [psql, "-XAtqw", "-h", postgres.HOST, "-p", str(port), "-U", postgres.ADMIN, "postgres"],
        extra_environment={"PGPASSWORD": servers.admin_password(places) or ""},
        given=QUESTION,
        timeout=60,
    )
    numbers = answer.text.split()
    known = answer.code == 0 and len(numbers) == 2
    clients, sessions = (int(numbers[0]), int(numbers[1])) if known else (0, 0)
    use = cache.read_use(places, servers.cache_password(places) or "")
    if use is not None:
        clients += use.clients - 1
    return Look(clients, sessions, use.connections if use else 0)


def keep(places: Places, idle_seconds: float) -> str:
    """Watch until the servers are idle or gone; return why the watch ended."""
    psql = wheel_programs().client("psql")
    pause = min(LONGEST_PAUSE, max(0.2, idle_seconds / 10))
    before: Look | None = None
    last_use = time.time()
    while True:
        time.sleep(pause)
        if not places.lock_file.parent.is_dir():
            # Reason: somebody deleted the whole home; nobody could ever stop these servers again.
            servers.stop_both(places)
            return "home deleted"
        running = postgres.find_postgres(places)
        if running is None:
            if _leave_when_alone(places):
                return "servers gone"
            continue
        now = look(places, psql, running.port)
        if now.is_in_use(before):
            last_use = time.time()
        before = now
        if time.time() - max(last_use, _touched_at(places)) > idle_seconds:
            with servers.held(places):
                if time.time() - _touched_at(places) > idle_seconds:
                    servers.stop_both(places)
                    servers.keeper_note(places).unlink(missing_ok=True)
                    return "idle"


def _leave_when_alone(places: Places) -> bool:
    """End the watch if PostgreSQL is really gone and not just being started by somebody."""
    with servers.held(places):
        if postgres.find_postgres(places) is not None:
            return False
        servers.stop_both(places)
        servers.keeper_note(places).unlink(missing_ok=True)
        return True


def _touched_at(places: Places) -> float:
    try:
        return places.last_use.stat().st_mtime
    except OSError:
        return 0.0


def main() -> None:
    """Read the arguments and keep."""
    parser = argparse.ArgumentParser(prog="python -m adlab.local.keeper", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="adlab's home")
    parser.add_argument("--base", type=Path, required=True, help="folder of the data")
    parser.add_argument(
        "--idle-minutes", type=float, default=servers.IDLE_MINUTES, help="minutes without a client"
    )
    given = parser.parse_args()
    # Reason: given, not looked up; the home may be deleted before we have begun.
    places = Places(home=given.home, base=given.base, user=service_user(create=False))
    reason = keep(places, given.idle_minutes * 60)
    print(f"{time.strftime('%FT%TZ', time.gmtime())} keeper {os.getpid()} ended: {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
