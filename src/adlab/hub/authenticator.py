"""Who is it? Passwords, one-time links and invitations, all checked in the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from jupyterhub.auth import Authenticator
from sqlalchemy import Connection, Engine
from tornado.web import HTTPError

from adlab.core.errors import AdlabError
from adlab.hub.plan import read_plan
from adlab.hub.roles import may_log_in
from adlab.hub.throttle import Throttle, UnknownNames
from adlab.storage import audit, passwords
from adlab.storage.access import hash_token
from adlab.storage.engine import owner_engine, transaction
from adlab.storage.passwords import Known, LockedError
from adlab.storage.statements import statement

T = TypeVar("T")
# Reason: people type passwords into the field of names; what nobody is called is not kept.
UNKNOWN = "somebody unknown"


@cache
def store() -> Engine:
    """The owner's engine of the hub's process."""
    return owner_engine(read_plan().database_url, pool_size=3)


async def in_store(work: Callable[[Connection], T]) -> T:
    """Do something in a transaction of the store, off the event loop.

    Raises:
        HTTPError: 503 when the store cannot be reached.
    """

    def run() -> T:
        with transaction(store()) as connection:
            return work(connection)

    try:
        return await asyncio.get_running_loop().run_in_executor(None, run)
    except LockedError:
        raise
    except AdlabError as error:
        raise HTTPError(503, "The store cannot be reached. Try again in a minute.") from error


def model_of(known: Known) -> dict[str, Any] | None:
    """What the hub keeps of a person; None for whom it does not serve."""
    if not may_log_in(known.role):
        return None
    return {
        "name": known.username,
        # Reason: see `roles.OPERATOR`; also takes it from people an earlier version gave it to.
        "admin": False,
        "groups": [known.role],
    }


def address_of(handler: Any) -> str:
    """Where a request comes from, as far as the proxy can tell."""
    return str(handler.request.remote_ip)


async def note_login(action: str, actor: str, handler: Any, by: str) -> None:
    """Write a login, or an attempt, into the audit log."""
    address = address_of(handler)
    await in_store(lambda c: audit.record(c, action, actor=actor, by=by, address=address))


def withhold_typed_names(record: logging.LogRecord) -> bool:
    """Take what was typed as a name out of the hub's own line on a failed login.

    Reason: people type passwords there. Who it was stands in the audit log, if it was somebody.
    """
    if str(record.msg).startswith("Failed login for"):
        record.msg, record.args = "Failed login", ()
    return True


class FromStore:
    """What every authenticator of ours does: the store says who people are, again and again."""

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> dict[str, Any] | bool:
        """Look again whether the store still knows somebody, and as what."""
        known = await in_store(lambda c: passwords.load_known(c, user.name))
        model = model_of(known) if known is not None else None
        return False if model is None else model

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Addresses below `/hub/`; also where the hub shows itself, so the sweep begins here."""
        from adlab.hub.sweeping import begin_sweeping

        begin_sweeping(app, read_plan().servers)
        found: list[tuple[str, Any]] = super().get_handlers(app)  # type: ignore[misc]
        return found


class AdlabAuthenticator(FromStore, Authenticator):  # type: ignore[misc]
    """Asks the store. Everyone it knows may log in; what they may do there their role says."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._throttle, self._strangers = Throttle(), UnknownNames()
        self.log.addFilter(withhold_typed_names)

    async def authenticate(self, handler: Any, data: dict[str, Any]) -> dict[str, Any] | None:
        """Check a login form, a link or an invitation just accepted.

        Raises:
            HTTPError: 403 with the reason when a name is locked, 429 when an address was wrong too
                often, 503 without a store.
        """
        # Reason: form fields are text, so nobody can post somebody "proved".
        proved = data.get("proved")
        if isinstance(proved, Known):
            await note_login("login.ok", proved.name, handler, "link")
            return model_of(proved)
        who, password = str(data.get("username", "")), str(data.get("password", ""))
        seconds = self._throttle.take(address_of(handler))
        if seconds:
            error = HTTPError(429, f"Too many attempts from here. Try again in {seconds} seconds.")
            error.headers = {"Retry-After": str(seconds)}
            raise error
        try:
            until = self._strangers.locked_until(who)
            if until is not None:
                raise passwords.locked_error(until)
            known = await in_store(lambda c: passwords.check_password(c, who, password))
        except LockedError as error:
            await note_login("login.locked", await self._name_of(who), handler, "password")
            raise HTTPError(403, f"{error.message} {error.remedy}") from None
        if known is None:
            name = await self._name_of(who)
            if name == UNKNOWN:
                self._strangers.failed(who)
            await note_login("login.fail", name, handler, "password")
            return None
        self._throttle.give_back(address_of(handler))
        await note_login("login.ok", known.name, handler, "password")
        return model_of(known)

    async def _name_of(self, who: str) -> str:
        """The person of a name that was typed; withheld when there is none."""
        row = await in_store(
            lambda c: c.execute(statement("password_of"), {"who": who.strip()}).mappings().first()
        )
        return UNKNOWN if row is None else str(row["name"])

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The login form, one-time links, invitations."""
        from adlab.hub.doors import Link, Welcome

        return [*super().get_handlers(app), (r"/link/([^/]+)", Link),
                (r"/welcome/([^/]+)", Welcome)]  # fmt: skip


async def person_of_link(token: str) -> Known | None:
    """Whom a one-time link logs in; the link is used up."""

    def use(connection: Connection) -> Known | None:
        person_id = connection.scalar(statement("login_link_use"), {"hash": hash_token(token)})
        if person_id is None:
            return None
        row = connection.execute(
            statement("person_of_id"), {"person_id": person_id}
        ).mappings().first()  # fmt: skip
        return None if row is None else Known(**row)

    return await in_store(use)
