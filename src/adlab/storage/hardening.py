"""What PostgreSQL and TimescaleDB allow by default and people with a login must not do.

Measured in the project's notes: revoking USAGE on the extension's schemas breaks every query, so
EXECUTE on its volatile routines and SELECT on its catalogs are revoked instead. Must be applied
by a superuser, and again after each update of the extension; `adlab doctor` checks it.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from adlab.storage.engine import OWNER_ROLE, READER_ROLE

_CATALOGS = (
    "_timescaledb_catalog",
    "_timescaledb_config",
    "_timescaledb_cache",
    # Reason: statistics and errors of background jobs, readable by all unless revoked.
    "_timescaledb_internal",
    "timescaledb_information",
    "timescaledb_experimental",
)

# Reason: these three are volatile yet only shape a query's own output.
_HARMLESS = ("time_bucket_gapfill", "locf", "interpolate")

# Reason: stable, yet they tell of chunks, their ranges and sizes, and of the whole server.
_TELLING = (
    "chunk_columnstore_stats", "chunk_compression_stats", "chunk_id_from_relid",
    "chunk_statistics", "chunk_status_text", "compressed_chunk_local_stats",
    "estimate_compressed_batch_size", "get_chunk_info", "get_chunk_info_by_id",
    "get_chunk_primary_range", "get_chunk_primary_range_by_id", "get_hypertable_info",
    "get_hypertable_info_by_id", "get_telemetry_report", "hypertable_columnstore_stats",
    "hypertable_compression_stats", "hypertable_status_text", "show_chunks",
)  # fmt: skip

# Routines of the extension that change or tell things and that PUBLIC may execute.
_OPEN_ROUTINES = """
SELECT p.oid::regprocedure::text AS routine, p.prokind AS kind
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'timescaledb'
WHERE (p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype OR p.proname = ANY (:telling))
  AND p.proname <> ALL (:harmless)
  AND has_function_privilege(:role, p.oid, 'EXECUTE')
"""

# Large objects and messages in the write-ahead log fill the disk; with advisory locks one person
# could keep ingestion, changes and the scheduler waiting, which take theirs as the owner.
_BUILT_IN = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace
  AND (p.proname LIKE 'lo\\_%' OR p.proname ~ '^pg_(try_)?advisory_(xact_)?lock'
    OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message'))
  AND has_function_privilege(:role, p.oid, 'EXECUTE')
"""

_OPEN_CATALOGS = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (:schemas) AND c.relkind IN ('r', 'v', 'm', 'p', 'S')
  AND has_table_privilege(:role, c.oid, 'SELECT')
"""

_EXCEPTIONS = {"harmless": list(_HARMLESS), "telling": list(_TELLING)}


def findings(connection: Connection, role: str = READER_ROLE) -> list[str]:
    """Everything a plain reader could still reach and should not; empty when hardened."""
    open_routines = connection.execute(text(_OPEN_ROUTINES), {"role": role, **_EXCEPTIONS}).all()
    catalogs = connection.scalars(
        text(_OPEN_CATALOGS), {"role": role, "schemas": list(_CATALOGS)}
    ).all()
    built_in = connection.scalars(text(_BUILT_IN), {"role": role}).all()
    return [r.routine for r in open_routines] + list(catalogs) + list(built_in)


def harden(connection: Connection) -> None:
    """Revoke from PUBLIC what people must not reach, and keep it for the owner.

    Needs a superuser's connection. Safe to run again.
    """
    if not findings(connection):
        return
    routines = connection.execute(text(_OPEN_ROUTINES), {"role": READER_ROLE, **_EXCEPTIONS}).all()
    if routines:
        grant_extension_to_owner(connection)
    for routine, _ in routines:
        connection.execute(text(f"REVOKE EXECUTE ON ROUTINE {routine} FROM PUBLIC"))
    for relation in connection.scalars(
        text(_OPEN_CATALOGS), {"role": READER_ROLE, "schemas": list(_CATALOGS)}
    ).all():
        connection.execute(text(f"REVOKE SELECT ON {relation} FROM PUBLIC"))  # noqa: S608
    for name in connection.scalars(text(_BUILT_IN), {"role": READER_ROLE}).all():
        connection.execute(text(f"REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC"))
        if "advisory" in name:
            connection.execute(text(f"GRANT EXECUTE ON FUNCTION {name} TO {OWNER_ROLE}"))
    for schema in ("timescaledb_information", "timescaledb_experimental"):
        connection.execute(
            text(
                f"DO $$ BEGIN IF to_regnamespace('{schema}') IS NOT NULL THEN "
                f"REVOKE USAGE ON SCHEMA {schema} FROM PUBLIC; END IF; END $$"
            )
        )


def grant_extension_to_owner(connection: Connection) -> None:
    """Give `adlab_owner` by name what `harden` takes from PUBLIC: its policies need it."""
    owned = connection.scalars(
        text(
            "SELECT p.oid::regprocedure::text FROM pg_proc p "
            "JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass "
            "AND d.deptype = 'e' "
            "JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'timescaledb' "
            "WHERE p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype "
            "OR p.proname = ANY (:telling)"
        ),
        {"telling": list(_TELLING)},
    ).all()
    for routine in owned:
        connection.execute(text(f"GRANT EXECUTE ON ROUTINE {routine} TO {OWNER_ROLE}"))
    for schema in connection.scalars(
        text("SELECT nspname FROM pg_namespace WHERE nspname = ANY (:names)"),
        {"names": list(_CATALOGS)},
    ).all():
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {OWNER_ROLE}"))
        for kind in ("TABLES", "SEQUENCES"):
            connection.execute(
                text(f"GRANT SELECT ON ALL {kind} IN SCHEMA {schema} TO {OWNER_ROLE}")
            )
