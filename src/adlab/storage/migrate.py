"""Bring a database to this version's schema, on plain PostgreSQL and with TimescaleDB alike.

Roles are made first, then the numbered migrations run as `adlab_owner` in one transaction, then
what depends on the engine (hypertables, hardening) is applied; every step may run twice.
"""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from adlab.core.errors import AccessDeniedError, SchemaOutOfDateError
from adlab.storage import hardening, query_log, roles, timescale, walls
from adlab.storage.engine import (
    BOARDS_ROLE,
    HOOKS_ROLE,
    OWNER_ROLE,
    READER_ROLE,
    connect_engine,
    transaction,
)
from adlab.storage.statements import statement

log = logging.getLogger(__name__)

_LOCK = 7_204_118_530


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest_version() -> str:
    """The schema version this adlab was written for."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current_version(connection: Connection) -> str | None:
    """The schema version of the database, or None when adlab was never set up there."""
    if connection.scalar(text("SELECT to_regclass('app.schema_version')")) is None:
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM app.schema_version"))
    return version


def migrate(url: str, *, target: str = "head") -> str:
    """Migrate the database at `url` forward; does nothing when it is up to date.

    Args:
        url: Database URL of a superuser, or of a login with CREATEROLE that owns the database.
        target: Version to stop at; for tests.

    Returns:
        The schema version reached.

    Raises:
        AccessDeniedError: If the login may not set adlab up; the remedy says what it needs.
        SchemaOutOfDateError: If the database is newer than this adlab.
    """
    engine = connect_engine(url, pool_size=1)
    try:
        return _migrate(engine, target)
    finally:
        engine.dispose()


def require_operator(url: str) -> None:
    """Refuse a person's login; changes nothing.

    Raises:
        AccessDeniedError: If the login may only read.
    """
    engine = connect_engine(url, pool_size=1)
    try:
        with transaction(engine) as connection:
            _may_look(connection)
    finally:
        engine.dispose()


def _migrate(engine: Engine, target: str) -> str:
    with transaction(engine) as connection:
        # Reason: before the lock, which people may not take and would be refused without a remedy.
        _may_look(connection)
        # Reason: two first starts at once must not both create the schema.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        known = {s.revision for s in ScriptDirectory.from_config(_config()).walk_revisions()}
        before = current_version(connection)
        if before is not None and before not in known:
            raise SchemaOutOfDateError(
                f"The database has schema {before}, which this adlab does not know.",
                "It was set up by a newer adlab: update this one.",
            )
        goal = newest_version() if target == "head" else target
        superuser = bool(
            connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
        )
        if before != goal:
            _prepare_roles(connection, superuser)
            if superuser:
                timescale.create_extension(connection)
            connection.execute(text(f"SET LOCAL ROLE {OWNER_ROLE}"))
            for schema in ("app", "sec", "api"):
                connection.execute(
                    text(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {OWNER_ROLE}")
                )
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, target)
            connection.execute(text("RESET ROLE"))
            log.info("database_migrated from=%s to=%s", before, goal)
        if target == "head":
            connection.execute(statement("login_operator"))
            roles.apply(connection)
            timescale.apply(connection)
            if superuser:
                query_log.prepare(connection)
                hardening.harden(connection)
                walls.mend(connection)
        return goal


def _may_look(connection: Connection) -> None:
    """Refuse a login that may not read the version table, once there is one."""
    exists = connection.scalar(text("SELECT to_regnamespace('app')")) is not None
    if not exists:
        return
    member = connection.scalar(
        text(
            "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :owner) "
            "AND pg_has_role(current_user, :owner, 'MEMBER')"
        ),
        {"owner": OWNER_ROLE},
    )
    if not member:
        raise AccessDeniedError(
            "This database login is a person's, not an operator's.",
            "Use the owner's ADLAB_DATABASE__URL for commands that manage adlab.",
        )


def _prepare_roles(connection: Connection, superuser: bool) -> None:
    may_create = connection.scalar(
        text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    )
    exists = connection.scalar(
        text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": OWNER_ROLE}
    )
    if not may_create:
        raise AccessDeniedError(
            "This database login may not create roles, and adlab gives each person a login.",
            "As a superuser: ALTER ROLE <login> CREATEROLE, or use a superuser for set-up.",
        )
    if not exists:
        # Reason: LOGIN without a password; TimescaleDB's policies refuse an owner that is NOLOGIN.
        connection.execute(text(f"CREATE ROLE {OWNER_ROLE} LOGIN CREATEROLE PASSWORD NULL"))
    me = connection.scalar(text("SELECT current_user"))
    if not superuser and me != OWNER_ROLE:
        connection.execute(text(f"GRANT {OWNER_ROLE} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE"))
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    connection.execute(text(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"))
    connection.execute(
        text(f"GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {database} TO {OWNER_ROLE}")
    )
    connection.execute(text(f"SET LOCAL ROLE {OWNER_ROLE}"))
    for role in (READER_ROLE, BOARDS_ROLE, HOOKS_ROLE):
        connection.execute(
            text(
                f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            )
        )
    connection.execute(text("RESET ROLE"))
    connection.execute(
        text(f"GRANT CONNECT ON DATABASE {database} TO {READER_ROLE}, {BOARDS_ROLE}, {HOOKS_ROLE}")
    )
    if superuser:
        connection.execute(text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {OWNER_ROLE}, {READER_ROLE}"))
        # Reason: so that the owner may bound how much of the disk a person's session fills.
        _grant_temp_files(connection)


def _grant_temp_files(connection: Connection) -> None:
    known = text("SELECT has_parameter_privilege(:owner, 'temp_file_limit', 'SET')")
    if not connection.scalar(known, {"owner": OWNER_ROLE}):
        # Reason: it belongs to the whole server; another database's set-up may be at it right now.
        connection.execute(
            text(
                f"DO $$ BEGIN GRANT SET ON PARAMETER temp_file_limit TO {OWNER_ROLE}; "
                "EXCEPTION WHEN internal_error THEN NULL; END $$"
            )
        )
