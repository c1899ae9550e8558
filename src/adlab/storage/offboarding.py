"""Everything of one client, wherever it lies: found through the catalog, counted, taken out.

A table belongs to clients when it has a column `client_id`; one with `account_id` alone belongs to
the client of the account. So a table that comes later is walked as well. What stays is `KEPT`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from adlab.core.errors import ConflictError, StorageError
from adlab.storage import timescale
from adlab.storage.engine import transaction
from adlab.storage.statements import statement

Step = Literal[
    "begun", "stopped", "exported", "verified", "revoked", "purged", "shredded", "done"
]  # fmt: skip
STEPS: tuple[Step, ...] = (
    "begun", "stopped", "exported", "verified", "revoked", "purged", "shredded", "done",
)  # fmt: skip
# The audit log is chained and the proof; an off-boarding outlives its client.
KEPT = ("sec.audit", "app.offboarding")


@dataclass(frozen=True)
class ClientTable:
    """A table with rows of clients.

    Attributes:
        name: `schema.table`.
        columns: Its columns with their types, in order.
        where: Which rows are a client's, with binds `client_id` and `accounts`.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    where: str


@dataclass(frozen=True)
class Offboarding:
    """How far an off-boarding is.

    Attributes:
        client_id: Whose.
        slug: Likewise.
        name: Likewise.
        step: What was finished last.
        actor: Who began it.
        folder: Where the export goes.
        begun_at: Aware UTC.
        done_at: Aware UTC, or None.
        accounts: Ad accounts it takes with it.
        key_name: Name of the client's key.
        key_fingerprint: How that key was recognised; None when none was ever made.
        manifest_sha256: Of the export's manifest, once it is written.
        exported: Rows a table.
        revoked: Counts and words.
        purged: Rows a table.
        certificate: What was certified.
    """

    client_id: int
    slug: str
    name: str
    step: Step
    actor: str
    folder: str
    begun_at: datetime
    done_at: datetime | None
    accounts: tuple[int, ...]
    key_name: str
    key_fingerprint: str | None
    manifest_sha256: str | None
    exported: dict[str, int]
    revoked: dict[str, Any]
    purged: dict[str, int]
    certificate: dict[str, Any] | None

    def is_past(self, step: Step) -> bool:
        """Whether a step is finished."""
        return STEPS.index(self.step) >= STEPS.index(step)


def load_tables(connection: Connection) -> list[ClientTable]:
    """Tables with rows of clients, those that point at others first."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for row in connection.execute(statement("client_tables")):
        found.setdefault(row.name, []).append((row.column_name, row.type, row.required))
    tables = {}
    for name, columns in found.items():
        types = {c: (kind, required) for c, kind, required in columns}
        if name in KEPT:
            continue
        if "client_id" in types:
            where = "client_id = :client_id"
            if not types["client_id"][1] and "account_id" in types:
                where = f"({where} OR (client_id IS NULL AND account_id = ANY (:accounts)))"
        elif "account_id" in types:
            where = "account_id = ANY (:accounts)"
        else:
            continue
        tables[name] = ClientTable(name, tuple((c, k) for c, k, _ in columns), where)
    return _children_first(connection, tables)


def _children_first(connection: Connection, tables: dict[str, ClientTable]) -> list[ClientTable]:
    points_at: dict[str, set[str]] = {name: set() for name in tables}
    for row in connection.execute(statement("table_references")):
        if row.child in points_at and row.parent in points_at and row.child != row.parent:
            points_at[row.child].add(row.parent)
    order: list[ClientTable] = []
    left = sorted(tables)
    while left:
        free = [n for n in left if not any(n in points_at[other] for other in left)]
        if not free:
            raise StorageError("Tables point at each other in a circle.", "Report this to us.")
        order += [tables[n] for n in free]
        left = [n for n in left if n not in free]
    return order


def count_rows(connection: Connection, of: Offboarding | Mapping[str, Any]) -> dict[str, int]:
    """Rows a client still has, a table; tables without any are left out."""
    scope = _scope(of)
    counts = {}
    for table in load_tables(connection):
        sql = f"SELECT count(*) FROM {table.name} WHERE {table.where}"  # noqa: S608
        if found := connection.scalar(text(sql), scope):
            counts[table.name] = int(found)
    return counts


def delete_rows(connection: Connection, table: ClientTable, of: Offboarding) -> int:
    """Take a client's rows out of a table."""
    timescale.allow_old_rows(connection)
    sql = f"DELETE FROM {table.name} WHERE {table.where}"  # noqa: S608
    return connection.execute(text(sql), _scope(of)).rowcount


def _scope(of: Offboarding | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(of, Offboarding):
        return {"client_id": of.client_id, "accounts": list(of.accounts)}
    return dict(of)


def load_offboarding(connection: Connection, slug: str) -> Offboarding | None:
    """The off-boarding of the client that has or had a slug."""
    row = connection.execute(statement("offboarding_of"), {"slug": slug}).mappings().first()
    return None if row is None else _read(dict(row))


def list_offboardings(connection: Connection) -> list[Offboarding]:
    """Every off-boarding, the newest first."""
    return [_read(dict(r)) for r in connection.execute(statement("offboarding_list")).mappings()]


def _read(row: Mapping[str, Any]) -> Offboarding:
    values = dict(row)
    for name in ("exported", "revoked", "purged"):
        values[name] = values[name] or {}
    return Offboarding(**{**values, "accounts": tuple(values["accounts"])})


def begin(connection: Connection, slug: str, folder: str, actor: str, now: datetime) -> Offboarding:
    """Note that a client leaves; nothing of it is read from Meta any more."""
    connection.execute(
        statement("offboarding_begin"),
        {"slug": slug, "folder": folder, "actor": actor, "now": now},
    )
    connection.execute(statement("client_leaves"), {"slug": slug})
    found = load_offboarding(connection, slug)
    assert found is not None
    return found


def finish_step(connection: Connection, slug: str, step: Step, **found: Any) -> None:
    """Note that a step is finished, with what it found; belongs into the step's transaction."""
    connection.execute(
        statement("offboarding_step"),
        {
            "slug": slug, "step": step, "manifest_sha256": found.get("manifest_sha256"),
            "key_fingerprint": found.get("key_fingerprint"), "done_at": found.get("done_at"),
            **{n: _json(found.get(n)) for n in ("exported", "revoked", "purged", "certificate")},
        },
    )  # fmt: skip


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=str)


def stop_jobs(connection: Connection, client_id: int) -> int:
    """Take what waits out of the queue; how many jobs still run."""
    return int(connection.scalar(statement("client_jobs_stop"), {"client_id": client_id}) or 0)


def drop_jobs(connection: Connection, client_id: int) -> int:
    """Take running jobs away from their workers, which stop at their next renewal."""
    return connection.execute(statement("client_jobs_drop"), {"client_id": client_id}).rowcount


def load_people(connection: Connection, client_id: int) -> list[dict[str, Any]]:
    """People with a grant of their own on a client, and whether they belong `elsewhere` as well."""
    rows = connection.execute(statement("client_people"), {"client_id": client_id}).mappings()
    return [dict(r) for r in rows]


def load_logins(connection: Connection, client_id: int) -> list[str]:
    """Logins that are for this client only."""
    return list(connection.scalars(statement("client_logins"), {"client_id": client_id}))


def revoke_access(connection: Connection, client_id: int) -> dict[str, int]:
    """End grants, invitations and API tokens; how many of each."""
    row = connection.execute(statement("client_revoke"), {"client_id": client_id}).mappings().one()
    return {name: int(n) for name, n in row.items()}


def load_chain_head(connection: Connection) -> tuple[int, str]:
    """How long the audit chain is, and the hash it ends with, as hex."""
    row = connection.execute(statement("audit_chain_head")).one()
    return int(row.chain_no), bytes(row.hash).hex()


@contextmanager
def only_one(engine: Engine, client_id: int) -> Iterator[None]:
    """Let nobody else off-board the same client at the same time.

    Raises:
        ConflictError: If somebody does.
    """
    with engine.connect() as connection:
        got = connection.scalar(
            text("SELECT pg_try_advisory_lock(hashtext('adlab offboarding'), :client_id)"),
            {"client_id": client_id},
        )
        connection.commit()
        if not got:
            raise ConflictError(
                "This client is being off-boarded by another process.", "Wait for it to end."
            )
        try:
            yield
        finally:
            connection.execute(
                text("SELECT pg_advisory_unlock(hashtext('adlab offboarding'), :client_id)"),
                {"client_id": client_id},
            )
            connection.commit()


def delete_of_table(engine: Engine, table: ClientTable, of: Offboarding) -> int:
    """Take a client's rows out of a table and note how many, in one transaction."""
    with transaction(engine) as connection:
        gone = delete_rows(connection, table, of)
        if gone:
            connection.execute(
                statement("offboarding_count"),
                {"slug": of.slug, "name": table.name, "rows": gone},
            )
    return gone


def columns_of(table: ClientTable, without: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Columns of a table but those named and binary ones."""
    return [(c, kind) for c, kind in table.columns if c not in without and kind != "bytea"]
