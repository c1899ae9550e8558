"""What TimescaleDB adds where it is installed: hypertable, columnstore, retention.

The migrations make the same tables on both engines; this module turns the fact table into a
hypertable when the extension is there. It may run any number of times, also on a filled table and
after the extension was added later. Nothing of TimescaleDB is shipped or installed by adlab.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, text

from adlab.storage.engine import OWNER_ROLE

log = logging.getLogger(__name__)

CHUNK_DAYS = 30
# Reason: Meta restates 28 days; a compressed chunk must not be rewritten by every daily re-read.
COLUMNSTORE_AFTER_DAYS = 45
# Reason: Meta serves 37 months, imported files reach further back; dropping sooner would lose
# rows that cannot be fetched again. `adlab import` refuses days beyond this on both engines.
RETENTION_YEARS = 12


def version(connection: Connection) -> str | None:
    """The extension's version in this database, or None."""
    found: str | None = connection.scalar(
        text("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    )
    return found


def create_extension(connection: Connection) -> None:
    """Create the extension where the server offers it; without it everything works as well."""
    offered = connection.scalar(
        text("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    )
    loaded = connection.scalar(
        text("SELECT current_setting('shared_preload_libraries') LIKE '%timescaledb%'")
    )
    if offered and loaded and version(connection) is None:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public"))
        log.info("timescaledb_created version=%s", version(connection))


def apply(connection: Connection) -> bool:
    """Make the fact table a hypertable with columnstore and retention policies.

    Returns:
        Whether TimescaleDB is there.
    """
    if version(connection) is None:
        return False
    done = connection.scalar(
        text(
            "SELECT count(*) FROM timescaledb_information.jobs "
            "WHERE hypertable_schema = 'app' AND hypertable_name = 'insights_daily' "
            "AND proc_name IN ('policy_retention', 'policy_compression')"
        )
    )
    if done == 2:
        return True
    _grant_to_owner(connection)
    connection.execute(text(f"SET LOCAL ROLE {OWNER_ROLE}"))
    connection.execute(
        text(
            "SELECT public.create_hypertable('app.insights_daily', "
            f"public.by_range('date', INTERVAL '{CHUNK_DAYS} days'), "
            "create_default_indexes => false, if_not_exists => true, migrate_data => true)"
        )
    )
    # Reason: the measured layout, with `level` added to the segments: boards ask for one level at
    # a time, and without it a campaign query would decompress every ad of the account.
    connection.execute(
        text(
            "ALTER TABLE app.insights_daily SET (timescaledb.enable_columnstore, "
            "timescaledb.segmentby = 'client_id, account_id, level', "
            "timescaledb.orderby = 'object_id, date')"
        )
    )
    connection.execute(
        text(
            "CALL public.add_columnstore_policy('app.insights_daily', "
            f"after => INTERVAL '{COLUMNSTORE_AFTER_DAYS} days', if_not_exists => true)"
        )
    )
    connection.execute(
        text(
            "SELECT public.add_retention_policy('app.insights_daily', "
            f"drop_after => INTERVAL '{RETENTION_YEARS} years', if_not_exists => true)"
        )
    )
    connection.execute(text("RESET ROLE"))
    log.info("hypertable_ready table=app.insights_daily")
    return True


def _grant_to_owner(connection: Connection) -> None:
    superuser = connection.scalar(
        text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    )
    if superuser:
        from adlab.storage.hardening import grant_extension_to_owner

        grant_extension_to_owner(connection)


def allow_old_rows(connection: Connection) -> None:
    """Let this transaction change compressed rows without a limit on how many are unpacked."""
    if version(connection) is not None:
        connection.execute(
            text("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        )
