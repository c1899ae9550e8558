"""Roles and database of a new embedded PostgreSQL; every step may run twice.

`adlab_admin` is the superuser made by initdb. `adlab_owner` owns the database `adlab`, may create
login roles for people, and is no superuser. Tables and grants are made by the migrations.
"""

from __future__ import annotations

from urllib.parse import quote

from adlab.core.errors import EmbeddedServerError
from adlab.local.postgres import ADMIN, HOST

OWNER = "adlab_owner"
DATABASE = "adlab"


def database_url(user: str, password: str, port: int, database: str = DATABASE) -> str:
    """Return a `postgresql://` address on the loopback interface."""
    return f"postgresql://{user}:{quote(password, safe='')}@{HOST}:{port}/{database}"


def make_roles_and_database(port: int, admin_password: str, owner_password: str) -> None:
    """Create (or repair) `adlab_owner` with this password, and its database.

    Raises:
        EmbeddedServerError: If the superuser's password does not open the server.
    """
    import psycopg  # Reason: 0.2 s and 20 MB that a start of existing data does not need
    from psycopg import sql

    try:
        connection = psycopg.connect(
            database_url(ADMIN, admin_password, port, "postgres"), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise EmbeddedServerError(
            "PostgreSQL does not accept the password of its administrator.",
            "Bring back the files of the folder 'passwords' in adlab's home from a copy.",
        ) from error
    with connection as admin:
        # Reason: the server receives the SCRAM verifier, so the password is in no log.
        verifier = admin.pgconn.encrypt_password(
            owner_password.encode(), OWNER.encode(), b"scram-sha-256"
        ).decode()
        role = sql.Identifier(OWNER)
        exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
        verb = sql.SQL("ALTER" if exists else "CREATE")
        admin.execute(
            sql.SQL(
                "{} ROLE {} WITH LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION"
                " NOBYPASSRLS PASSWORD {}"
            ).format(verb, role, sql.Literal(verifier))
        )
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            create_database(admin, DATABASE)
        # Reason: people's logins have business in the database `adlab` only.
        admin.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")


def create_database(admin: object, name: str) -> None:
    """Create an empty database that belongs to `adlab_owner`.

    Args:
        admin: A psycopg connection of the superuser, in autocommit mode.
        name: Name of the database.
    """
    import psycopg
    from psycopg import sql

    assert isinstance(admin, psycopg.Connection)
    admin.execute(
        sql.SQL(
            "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        ).format(sql.Identifier(name), sql.Identifier(OWNER))
    )
