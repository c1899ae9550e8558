"""The database's copy of `core.roles`, and the limits each login gets from it."""

from __future__ import annotations

import json
import logging

from sqlalchemy import Connection, text

from adlab.core.roles import ROLES, Limits
from adlab.storage.engine import OWNER_ROLE
from adlab.storage.statements import statement

log = logging.getLogger(__name__)

# Reason: sorts and joins of one statement on two cores beside others; more spills to disk, and the
# disk one session may fill is bounded as well.
WORK_MEM = "64MB"
TEMP_FILES = "4GB"


def apply(connection: Connection) -> bool:
    """Copy `core.roles` into the database; people, grants and logins follow at once.

    Does nothing on a schema that has no table of roles yet.

    Args:
        connection: A transaction of an operator's login.

    Returns:
        Whether anything was changed.
    """
    if connection.scalar(text("SELECT to_regclass('sec.role')")) is None:
        return False
    wanted = {
        "roles": json.dumps(
            [{"role": d.role.value, "purpose": d.purpose, **vars(d.limits)} for d in ROLES.values()]
        ),
        "rights": json.dumps(
            [{"role": d.role.value, "right": r.value} for d in ROLES.values() for r in d.rights]
        ),
    }
    changed = int(connection.scalar(statement("role_sync"), wanted) or 0)
    if not changed:
        return False
    connection.execute(statement("role_settle_people"))
    connection.execute(statement("role_settle_grants"))
    connection.execute(text(f"SET LOCAL ROLE {OWNER_ROLE}"))
    for login, role in connection.execute(statement("login_notebooks")).all():
        limit_login(connection, login, _limits(role))
    connection.execute(text("RESET ROLE"))
    connection.execute(statement("access_analyze"))
    log.info("roles_copied rows=%d", changed)
    return True


def _limits(role: str) -> Limits:
    from adlab.core.roles import limits_of

    return limits_of(role)


def limit_login(connection: Connection, login: str, limits: Limits) -> None:
    """Give a login of one's own the limits of a role: time, idle transactions, sessions, memory.

    Args:
        connection: A transaction of the owner's.
        login: A login made by adlab.
        limits: From `core.roles`.
    """
    settings = [
        f"statement_timeout = '{limits.statement_seconds}s'",
        f"idle_in_transaction_session_timeout = '{limits.idle_seconds}s'",
        f"work_mem = '{WORK_MEM}'",
    ]
    # Reason: only a superuser may bound temporary files, or give the owner the right to.
    if connection.scalar(text("SELECT has_parameter_privilege('temp_file_limit', 'SET')")):
        settings.append(f"temp_file_limit = '{TEMP_FILES}'")
    connection.execute(text(f"ALTER ROLE {login} CONNECTION LIMIT {limits.connections}"))
    for setting in settings:
        connection.execute(text(f"ALTER ROLE {login} SET {setting}"))
