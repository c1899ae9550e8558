"""What TimescaleDB adds where it is installed: hypertables, columnstore, retention.

The migrations make the same tables on both engines; this module turns those of `TABLES` into
hypertables when the extension is there. It may run any number of times, also on a filled table and
after the extension was added later. Nothing of TimescaleDB is shipped or installed by adlab.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, text

from adlab.storage.engine import OWNER_ROLE

log = logging.getLogger(__name__)

# Reason: Meta serves 37 months, imported files reach further back; dropping sooner would lose
# rows that cannot be fetched again. `adlab import` refuses days beyond this on both engines.
RETENTION_YEARS = 12


@dataclass(frozen=True)
class Hypertable:
    """How a large table is cut and compressed, by its column `date`.

    Attributes:
        name: Table in schema `app`.
        segment_by: Columns whose values share a compressed batch.
        order_by: Order inside a batch.
        chunk_days: Days in a chunk.
        columnstore_after_days: Age from which a chunk is compressed.
    """

    name: str
    segment_by: str
    order_by: str
    chunk_days: int = 30
    # Reason: Meta restates 28 days; a compressed chunk must not be rewritten by each re-read.
    columnstore_after_days: int = 45


TABLES = (
    # Reason: the measured layout, with `level` added to the segments: boards ask for one level at
    # a time, and without it a campaign query would decompress every ad of the account.
    Hypertable("insights_daily", "client_id, account_id, level", "object_id, date"),
    # Reason: after two days only a day's thinning touches a version; later ones are added beside
    # the compressed ones. So chunks are small and compressed early.
    Hypertable(
        "insights_version", "client_id, account_id, level", "object_id, date, seen_at",
        chunk_days=7, columnstore_after_days=4,
    ),
    # Reason: as the daily rows; breakdowns are asked for one kind at a time as well.
    Hypertable(
        "insights_breakdown", "client_id, account_id, breakdown, level",
        "object_id, date, value, value2",
    ),
)  # fmt: skip


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
    """Make the tables of `TABLES` hypertables with columnstore and retention policies.

    Returns:
        Whether TimescaleDB is there.
    """
    if version(connection) is None:
        return False
    done = {
        row.name: row.policies
        for row in connection.execute(
            text(
                "SELECT hypertable_name AS name, count(*) AS policies "
                "FROM timescaledb_information.jobs WHERE hypertable_schema = 'app' "
                "AND proc_name IN ('policy_retention', 'policy_compression') GROUP BY 1"
            )
        )
    }
    todo = [t for t in TABLES if done.get(t.name) != 2]
    if not todo:
        return True
    _grant_to_owner(connection)
    connection.execute(text(f"SET LOCAL ROLE {OWNER_ROLE}"))
    for table in todo:
        _make(connection, table)
    connection.execute(text("RESET ROLE"))
    return True


def _make(connection: Connection, table: Hypertable) -> None:
    name = f"app.{table.name}"
    connection.execute(
        text(
            f"SELECT public.create_hypertable('{name}', "
            f"public.by_range('date', INTERVAL '{table.chunk_days} days'), "
            "create_default_indexes => false, if_not_exists => true, migrate_data => true)"
        )
    )
    connection.execute(
        text(
            f"ALTER TABLE {name} SET (timescaledb.enable_columnstore, "
            f"timescaledb.segmentby = '{table.segment_by}', "
            f"timescaledb.orderby = '{table.order_by}')"
        )
    )
    connection.execute(
        text(
            f"CALL public.add_columnstore_policy('{name}', "
            f"after => INTERVAL '{table.columnstore_after_days} days', if_not_exists => true)"
        )
    )
    connection.execute(
        text(
            f"SELECT public.add_retention_policy('{name}', "
            f"drop_after => INTERVAL '{RETENTION_YEARS} years', if_not_exists => true)"
        )
    )
    log.info("hypertable_ready table=%s", name)


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
