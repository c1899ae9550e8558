"""A person's server: a folder, the notebooks, and a database login of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner
from tornado.web import HTTPError

from adlab.core.errors import AdlabError
from adlab.hub.accounts import Account, end_processes
from adlab.hub.authenticator import in_store, store
from adlab.hub.homes import Home, home_of, kernels_path, settle_home
from adlab.hub.limits import limits_to_apply, thread_variables
from adlab.hub.people import OneClient, Person, load_people
from adlab.hub.plan import read_plan
from adlab.hub.spawners import systemd_unit
from adlab.storage import audit
from adlab.storage.access import CREDENTIAL_HOURS, create_credential, drop_credential
from adlab.storage.engine import libpq_url

T = TypeVar("T")
# What the audit log calls the server without a name.
ALL = "all clients"
_NO_CLIENT = "You have no server of that name. The start page lists yours."


class KeepsLogin:
    """What every spawner of ours remembers of a server, also over a restart of the hub.

    Attributes:
        adlab_person: Whose it is, by name, for the audit log.
        adlab_client: The one client it sees; None means all of the person's.
        adlab_login: Database login to drop when the server ends.
        adlab_until: When that login ends (epoch seconds), and the server with it.
        adlab_teams: Groups of the system the server was given.
        adlab_account: Name, uid and gid of the person's account; None without one.
    """

    adlab_person = ""
    adlab_client: int | None = None
    adlab_login = ""
    adlab_until = 0.0
    adlab_teams: tuple[int, ...] = ()
    adlab_account: tuple[str, int, int] | None = None

    def get_state(self) -> dict[str, Any]:
        """What must outlive a restart of the hub."""
        state: dict[str, Any] = super().get_state()  # type: ignore[misc]
        return {
            **state, "adlab_person": self.adlab_person, "adlab_client": self.adlab_client,
            "adlab_login": self.adlab_login, "adlab_until": self.adlab_until,
            "adlab_teams": list(self.adlab_teams), "adlab_account": self.adlab_account,
        }  # fmt: skip

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what an earlier hub knew."""
        super().load_state(state)  # type: ignore[misc]
        self.adlab_person = state.get("adlab_person", "")
        self.adlab_client = state.get("adlab_client")
        self.adlab_login = state.get("adlab_login", "")
        self.adlab_until = state.get("adlab_until", 0.0)
        self.adlab_teams = tuple(state.get("adlab_teams", ()))
        known = state.get("adlab_account")
        self.adlab_account = (str(known[0]), int(known[1]), int(known[2])) if known else None

    # Reason: clear_state keeps them; the hub calls it before `post_stop`, which uses them.


class AdlabSpawner(KeepsLogin, SimpleLocalProcessSpawner):  # type: ignore[misc]
    """Starts servers as children of the hub, all under the hub's own system user.

    Reason: enough for the demo and for one trusting team. People of one system user can read each
    other's environment; walls between clients are the database's.
    """

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Limits first, then what the hub does."""
        begin: Callable[[], None] = super().make_preexec_fn(name)
        limit = limits_to_apply(read_plan().servers)

        def both() -> None:
            limit()
            begin()

        return both


class PersonSpawner(KeepsLogin, LocalProcessSpawner):  # type: ignore[misc]
    """Starts each person's servers under an account of the system that is theirs alone."""

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Who a server is, for programs that ask."""
        name = self._account()[0]
        env.update(HOME=str(self.notebook_dir), USER=name, LOGNAME=name, SHELL="/bin/sh")
        if os.access("/bin/bash", os.X_OK):
            env["SHELL"] = "/bin/bash"
        return env

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Limits only: the account is changed by the system call that starts the program."""
        return limits_to_apply(read_plan().servers, self._account()[1])

    async def start(self) -> tuple[str, int]:
        """Start the server under its account."""
        _, uid, gid = self._account()
        self.popen_kwargs = {
            "user": uid, "group": gid, "extra_groups": list(self.adlab_teams),
            "cwd": self.notebook_dir,
            # Reason: their own group is theirs alone; in a team's folder the team writes as well.
            "umask": 0o007,
        }  # fmt: skip
        started: tuple[str, int] = await super().start()
        return started

    def _account(self) -> tuple[str, int, int]:
        if self.adlab_account is None or 0 in self.adlab_account:
            # Reason: then nothing starts, least of all as root.
            raise RuntimeError("a server without an account of its own")
        return self.adlab_account


async def pre_spawn(spawner: Any) -> None:
    """Prepare a server that is about to start.

    Raises:
        HTTPError: 403 for roles without notebooks and for names that are none of the person's
            clients; 409 when they run as many as they may.
    """
    person, client = await _who(spawner)
    servers = read_plan().servers
    others = [s for s in spawner.user.spawners.values() if s is not spawner and s.active]
    if len(others) >= servers.each:
        raise _refused(409, f"You run {len(others)} servers already. Stop one of them first.")
    if spawner.adlab_login:
        await post_stop(spawner)
    local = servers.spawner in ("local", "users", "systemd")
    home: Home | None = None
    if local:
        home = await _off_loop(lambda: home_of(read_plan(), person, client))
        try:
            await _off_loop(lambda: settle_home(read_plan(), home))
        except (AdlabError, OSError) as error:
            # Reason: a server without the starters is of more use than none.
            spawner.log.warning("notebooks_not_copied reason=%s", error)
        spawner.notebook_dir = str(home.folder)
        account: Account | None = home.account
        spawner.adlab_account = (account.name, account.uid, account.gid) if account else None
        spawner.adlab_teams = tuple(team.gid for team in home.teams.values())
        if servers.spawner == "systemd":
            for name, value in systemd_unit(home, spawner.name).items():
                setattr(spawner, name, value)

    spawner.adlab_person = person.name
    spawner.adlab_client = client.client_id if client else None

    def begin(connection: Any) -> tuple[str, str]:
        audit.record(
            connection, "server.start", actor=person.name, client_id=spawner.adlab_client,
            server=spawner.name or ALL,
        )  # fmt: skip
        return create_credential(
            connection, person.username, CREDENTIAL_HOURS, client.slug if client else None
        )

    login, password = await in_store(begin)
    spawner.adlab_login = login
    spawner.adlab_until = time.time() + CREDENTIAL_HOURS * 3600
    spawner.environment = {
        # The one secret of a server: this person's own login, which ends by itself.
        "ADLAB_DATABASE__URL": libpq_url(store().url.set(username=login, password=password)),
        **thread_variables(servers.cpus),
        **(_variables(home.folder, private=home.account is not None) if home else {}),
    }


def _refused(status: int, told: str) -> HTTPError:
    error = HTTPError(status, told)
    # Reason: the hub puts a word of its own in place of other messages of a failed start.
    error.jupyterhub_message = told
    return error


async def _who(spawner: Any) -> tuple[Person, OneClient | None]:
    username = spawner.user.name
    person = (await in_store(lambda c: load_people(c, [username]))).get(username)
    if person is None or not person.has_notebooks:
        raise _refused(403, "Your role has no notebooks. The boards are open to you.")
    client = person.client_of(spawner.name) if spawner.name else None
    if spawner.name and client is None:
        raise _refused(403, _NO_CLIENT)
    return person, client


def _variables(folder: Path, *, private: bool) -> dict[str, str]:
    # Reason: nothing in a kernel should write bytecode or settings outside its own folder.
    found = {"IPYTHONDIR": str(folder / ".ipython"), "MPLCONFIGDIR": str(folder / ".matplotlib")}
    if private:
        # Reason: what `!pip` and other programs of a notebook find is their interpreter's.
        beside = str(Path(read_plan().servers.python).parent)
        found["PATH"] = f"{beside}:/usr/local/bin:/usr/bin:/bin"
        # Reason: sockets of kernels lie there, and their addresses must be short.
        found["JUPYTER_RUNTIME_DIR"] = str(folder / ".run")
        found["JUPYTER_PATH"] = str(kernels_path(Path(read_plan().servers.people)))
    return found


async def post_stop(spawner: Any) -> None:
    """Drop a server's login when it ends, and end what its person left behind."""
    login, spawner.adlab_login = spawner.adlab_login, ""
    if login:

        def end(connection: Any) -> None:
            drop_credential(connection, login)
            audit.record(
                connection, "server.stop", actor=spawner.adlab_person or spawner.user.name,
                client_id=spawner.adlab_client, server=spawner.name or ALL,
            )  # fmt: skip

        await in_store(end)
    if spawner.adlab_account:
        _, uid, _ = spawner.adlab_account
        others = [s for s in spawner.user.spawners.values() if s is not spawner and s.active]
        kept = {gid for s in others for gid in s.adlab_teams}
        gone = set(spawner.adlab_teams) - kept
        if not others:
            await _off_loop(lambda: end_processes(uid))
        elif gone:
            await _off_loop(lambda: end_processes(uid, gone))


async def _off_loop(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def command() -> list[str]:
    """What a server runs: an interpreter in which `adlab` is importable."""
    servers = read_plan().servers
    if servers.spawner in ("docker", "kubernetes"):
        return ["jupyterhub-singleuser"]
    return [servers.python or sys.executable, "-m", "jupyterhub.singleuser"]


def arguments() -> list[str]:
    """Arguments of a server."""
    kind = read_plan().servers.spawner
    if kind in ("users", "systemd"):
        # Reason: over TCP every account of the machine could listen to what a kernel prints.
        return ["--KernelManager.transport=ipc"]
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Reason: Jupyter refuses to run as root unasked; in a container there is often nobody else.
    return ["--allow-root"] if as_root and kind == "local" else []
