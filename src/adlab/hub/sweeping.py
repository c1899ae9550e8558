"""What ends by itself: servers that idle, whose client was taken away, or whose login is over.

Every few seconds the store is asked once about all people of the hub. Whoever it no longer knows
loses servers, sessions and tokens; a server whose grant is gone is stopped. Idle servers are
asked what they do before they are stopped.
"""

# Reason: not jupyterhub-idle-culler (2.0). It looks at the hub's last activity, which a server
# reports every five minutes and which a long silent calculation does not move; the server itself
# knows that its kernel is busy. And it is a process with a token over everybody's servers.

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyterhub import orm
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from adlab.hub.authenticator import in_store, store
from adlab.hub.people import Person, load_people
from adlab.hub.plan import Servers
from adlab.services.people import watch_sessions
from adlab.storage import query_log
from adlab.storage.statements import statement

log = logging.getLogger(__name__)

SWEEP_SECONDS = 10.0
IDLE_LOOK_SECONDS = 60.0
ASK_SECONDS = 5.0
_RUNNING: dict[int, asyncio.Task[None]] = {}


def begin_sweeping(app: Any, servers: Servers) -> None:
    """Sweep for as long as the hub runs.

    Args:
        app: The hub.
        servers: How long is idle.
    """
    sweeper = Sweeper(app, servers)
    # Reason: held, because the loop alone does not keep a task from being collected.
    _RUNNING[id(app)] = asyncio.get_running_loop().create_task(sweeper.go_on())


def why_end(server: str, until: float, person: Person | None, now: float) -> str:
    """Why a server must end whether or not it is used; "" while it may go on.

    Args:
        server: Its name; "" sees all of the person's clients.
        until: When its database login ends (epoch seconds); 0 when that is unknown.
        person: What the store says of its person; None when they are disabled or unknown.
        now: Epoch seconds.
    """
    if person is None or not person.has_notebooks:
        return "no longer allowed"
    if server and person.client_of(server) is None:
        return "client taken away"
    if until and now >= until:
        return "login over"
    return ""


class Sweeper:
    """Looks at people and servers of a hub.

    Args:
        app: The hub.
        servers: How long is idle, and whether teams share folders.
    """

    def __init__(self, app: Any, servers: Servers) -> None:
        self._app, self._servers = app, servers
        self._idle_look = min(IDLE_LOOK_SECONDS, servers.idle_seconds / 3)
        self._looked = 0.0

    async def go_on(self) -> None:
        """Sweep until cancelled; what fails is tried again the next time."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception as error:
                log.warning("hub_sweep_failed error=%s", type(error).__name__)

    async def sweep(self) -> None:
        """Look once."""
        users = self._app.db.query(orm.User).all()
        people = await in_store(lambda c: load_people(c, [user.name for user in users]))
        for user in users:
            if user.name not in people:
                self._log_out(user)
        idle_too = time.monotonic() - self._looked >= self._idle_look
        if idle_too:
            self._looked = time.monotonic()
            await in_store(query_log.collect)
            await asyncio.get_running_loop().run_in_executor(None, watch_sessions, store())
        await in_store(lambda c: c.scalar(statement("audit_link_waiting")))
        await asyncio.gather(*(
            self._look_at(user, name, people, idle_too)
            for user in list(self._app.users.values())
            for name in list(user.spawners)
        ))  # fmt: skip
        self._forget_names(people)

    async def _look_at(
        self, user: Any, name: str, people: Mapping[str, Person], idle_too: bool
    ) -> None:
        spawner = user.spawners[name]
        if not spawner.ready or spawner.pending:
            return
        person = people.get(user.name)
        why = why_end(name, spawner.adlab_until, person, time.time())
        if not why and person is not None and await self._left_a_team(spawner, person):
            why = "left a client's team"
        if not why and idle_too and await self._is_idle(user, spawner):
            why = "idle"
        if why:
            log.warning("server_ended person=%s server=%s why=%s", user.name, name or "-", why)
            await self._app.proxy.delete_user(user, name)
            await user.stop(name)

    async def _left_a_team(self, spawner: Any, person: Person) -> bool:
        """Whether a server was given a group of a client its person no longer sees."""
        if not spawner.adlab_teams:
            return False
        from adlab.hub.homes import accounts_of
        from adlab.hub.plan import read_plan

        def groups() -> set[int]:
            accounts = accounts_of(read_plan())
            return {accounts.team(client.client_id).gid for client in person.clients}

        allowed = await asyncio.get_running_loop().run_in_executor(None, groups)
        return not set(spawner.adlab_teams) <= allowed

    async def _is_idle(self, user: Any, spawner: Any) -> bool:
        edge = datetime.now(UTC) - timedelta(seconds=self._servers.idle_seconds)
        last = spawner.orm_spawner.last_activity
        if last is not None and last.replace(tzinfo=UTC) > edge:
            return False
        try:
            status, kernels = await self._ask(user, spawner)
        except (HTTPClientError, OSError, TimeoutError, ValueError) as error:
            # Reason: a server that does not answer now may be busy; the next look asks again.
            log.warning("server_silent person=%s error=%s", user.name, type(error).__name__)
            return False
        if any(kernel.get("execution_state") in ("busy", "starting") for kernel in kernels):
            return False
        return datetime.fromisoformat(status["last_activity"]) <= edge

    async def _ask(self, user: Any, spawner: Any) -> tuple[Any, Any]:
        """What a server says of itself, with a token that opens this server for a minute."""
        scope = f"access:servers!server={user.name}/{spawner.name}"
        token = user.new_api_token(note="idle?", expires_in=60, scopes=[scope])
        try:
            answers = [
                await AsyncHTTPClient().fetch(
                    f"{spawner.server.url}api/{what}?no_track_activity=1",
                    headers={"Authorization": f"token {token}"}, request_timeout=ASK_SECONDS,
                )
                for what in ("status", "kernels")
            ]  # fmt: skip
        finally:
            known = orm.APIToken.find(self._app.db, token)
            if known is not None:
                self._app.db.delete(known)
                self._app.db.commit()
        status, kernels = (json.loads(answer.body) for answer in answers)
        return status, kernels

    def _log_out(self, user: Any) -> None:
        """End a person's sessions and tokens at the hub; services ask it and let go as well."""
        tokens = list(user.api_tokens)
        running = any(spawner.server is not None for spawner in user.orm_spawners.values())
        if not tokens and not running:
            return
        for token in tokens:
            self._app.db.delete(token)
        # Reason: the login cookie holds this; whoever is enabled again logs in anew.
        user.cookie_id = orm.new_token()
        self._app.db.commit()
        log.warning("person_logged_out person=%s", user.name)

    def _forget_names(self, people: Mapping[str, Person]) -> None:
        """Forget names of servers that stand for no client of their person."""
        for user in list(self._app.users.values()):
            person = people.get(user.name)
            for name, row in list(user.orm_user.orm_spawners.items()):
                known = person is not None and person.client_of(name) is not None
                spawner = user.spawners.get(name)
                if name and not known and row.server is None and not (spawner and spawner.active):
                    user.spawners.pop(name, None)
                    self._app.db.delete(row)
                    self._app.db.commit()
