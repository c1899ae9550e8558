"""What notebooks ask the database: counted by PostgreSQL itself, kept in the audit log.

The server's own `pg_stat_statements` sees every statement of every login, however it was sent, with
its constants taken out. What people's notebook logins ran is moved to the audit log from time to
time, and before a login is dropped. Where the extension is not loaded nothing of this is known, and
`adlab doctor` says so.
"""

from __future__ import annotations

import re
from itertools import groupby

from sqlalchemy import Connection, text

from adlab.storage import audit
from adlab.storage.engine import OWNER_ROLE
from adlab.storage.statements import statement

EXTENSION = "pg_stat_statements"
REMEDY = (
    "Add pg_stat_statements to shared_preload_libraries of the database server, restart it, and "
    "run adlab doctor again."
)
LONGEST_QUERY = 1000
# Reason: nobody reads a thousand statements of one minute, and a flood must not fill the log.
STATEMENTS_A_TIME = 200
# Reason: constants of statements that are not queries stay in their text, passwords among them.
_SECRET = re.compile(r"(password\s+)('(?:[^']|'')*'|\$(\w*)\$.*?\$\3\$)", re.I | re.S)


def prepare(connection: Connection) -> None:
    """Create the extension where the server has it, for the owner alone.

    Needs a superuser's connection. Safe to run again.
    """
    offered = connection.scalar(
        text("SELECT 1 FROM pg_available_extensions WHERE name = :name"), {"name": EXTENSION}
    )
    if not offered or not _loaded(connection):
        return
    if _schema(connection) is None:
        connection.execute(text(f"CREATE EXTENSION {EXTENSION} SCHEMA sec"))
    schema = _schema(connection)
    for name in (EXTENSION, f"{EXTENSION}_info"):
        connection.execute(text(f"REVOKE ALL ON {schema}.{name} FROM PUBLIC"))
        connection.execute(text(f"GRANT SELECT ON {schema}.{name} TO {OWNER_ROLE}"))
    for routine in connection.scalars(
        text(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid "
            "AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' "
            "JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = :name"
        ),
        {"name": EXTENSION},
    ).all():
        connection.execute(text(f"REVOKE ALL ON FUNCTION {routine} FROM PUBLIC"))
        if "reset" not in routine:
            connection.execute(text(f"GRANT EXECUTE ON FUNCTION {routine} TO {OWNER_ROLE}"))
    # Reason: the owner must see the text of statements that are not its own.
    connection.execute(text(f"GRANT pg_read_all_stats TO {OWNER_ROLE}"))


def is_on(connection: Connection) -> bool:
    """Whether the server counts statements and the owner may read them."""
    schema = _schema(connection)
    return (
        schema is not None
        and _loaded(connection)
        and bool(
            connection.scalar(
                text(
                    "SELECT has_table_privilege(:owner, :name, 'SELECT') "
                    "AND pg_has_role(:owner, 'pg_read_all_stats', 'USAGE')"
                ),
                {"owner": OWNER_ROLE, "name": f"{schema}.{EXTENSION}"},
            )
        )
    )


def collect(connection: Connection) -> int:
    """Move what notebook logins ran since the last time into the audit log.

    Args:
        connection: An operator's transaction.

    Returns:
        How many different statements; 0 too where the server does not count them.
    """
    if not is_on(connection):
        return 0
    # Reason: two collectors at once would both write the same calls down.
    connection.execute(text("SELECT pg_advisory_xact_lock(7204118531)"))
    connection.execute(text(f"SET LOCAL search_path = pg_catalog, {_schema(connection)}"))
    rows = connection.execute(statement("queries_take")).mappings().all()
    connection.execute(statement("queries_forget"))
    connection.execute(text("RESET search_path"))
    for login, group in groupby(rows, key=lambda r: r["login"]):
        ran = list(group)
        for row in ran[:STATEMENTS_A_TIME]:
            audit.record(
                connection, "notebook.sql", actor=row["person"], client_id=row["client_id"],
                login=login,
                query=_SECRET.sub(r"\1'…'", row["query"])[:LONGEST_QUERY], calls=int(row["calls"]),
                rows=int(row["rows"]),
            )  # fmt: skip
        if left := ran[STATEMENTS_A_TIME:]:
            audit.record(
                connection, "notebook.sql", actor=left[0]["person"],
                client_id=left[0]["client_id"], login=login,
                further_statements=len(left), calls=sum(int(r["calls"]) for r in left),
                rows=sum(int(r["rows"]) for r in left),
            )  # fmt: skip
    return len(rows)


def _loaded(connection: Connection) -> bool:
    return bool(
        connection.scalar(
            # Reason: the setting exists only where the library was loaded at the server's start.
            text("SELECT current_setting('pg_stat_statements.max', true) IS NOT NULL")
        )
    )


def _schema(connection: Connection) -> str | None:
    found: str | None = connection.scalar(
        text(
            "SELECT quote_ident(n.nspname) FROM pg_extension e "
            "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = :name"
        ),
        {"name": EXTENSION},
    )
    return found
