"""Rows that tell of one person, found and emptied through the data map."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.privacy import DATA_MAP, Held
from adlab.storage.statements import statement

# Chained, or the proof of an off-boarding: shown to a person, and kept.
KEPT = ("sec.audit", "app.offboarding")
# Who connected and planned is written as a name; a login's name is no person's.
_NAMES = tuple(
    h for h in DATA_MAP
    if h.whose == "staff" and h.table not in (*KEPT, "sec.person", "sec.password")
    and h.column != "reason"
)  # fmt: skip
_BINARY = ("bytea",)


def staff_columns() -> tuple[Held, ...]:
    """Columns in which a person of ours stands by name, and which can be emptied."""
    return _NAMES


def load_rows(connection: Connection, held: Held, value: str) -> list[dict[str, Any]]:
    """Rows whose column holds that text; without binary columns, keys and tokens are such."""
    columns = [
        c for c, kind in load_columns(connection, held.table) if kind not in _BINARY
    ]  # fmt: skip
    picked = ", ".join(f'"{c}"' for c in columns)
    rows = connection.execute(
        text(f'SELECT {picked} FROM {held.table} WHERE "{held.column}" = :value'),  # noqa: S608
        {"value": value},
    ).mappings()
    return [{k: plain(v) for k, v in r.items()} for r in rows]


def load_person_rows(connection: Connection, table: str, person_id: int) -> list[dict[str, Any]]:
    """Rows of a table of `sec` that belong to a person, without what is secret in them."""
    hidden = ("hash", "nonce_hash")
    columns = [
        c for c, kind in load_columns(connection, table) if kind not in _BINARY and c not in hidden
    ]  # fmt: skip
    picked = ", ".join(f'"{c}"' for c in columns)
    rows = connection.execute(
        text(f"SELECT {picked} FROM {table} WHERE person_id = :person_id"),  # noqa: S608
        {"person_id": person_id},
    ).mappings()
    return [{k: plain(v) for k, v in r.items()} for r in rows]


def load_columns(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Columns of a table with their types, in order."""
    schema, _, name = table.partition(".")
    rows = connection.execute(
        text(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position"
        ),
        {"schema": schema, "name": name},
    )
    return [(r.column_name, r.data_type) for r in rows]


def rename(connection: Connection, held: Held, before: str, after: str) -> int:
    """Put another text in the place of a person's name; how many rows that was."""
    return connection.execute(
        text(
            f'UPDATE {held.table} SET "{held.column}" = :after '  # noqa: S608
            f'WHERE "{held.column}" = :before'
        ),
        {"before": before, "after": after},
    ).rowcount


def load_logins(connection: Connection, person_id: int) -> list[str]:
    """A person's logins in the database."""
    return list(connection.scalars(statement("person_logins"), {"person_id": person_id}))


def delete_person(connection: Connection, person_id: int) -> None:
    """Forget a person, with grants, password, links, tokens and logins."""
    for login in load_logins(connection, person_id):
        # Reason: logins of ours are v_… and nb_…; DDL takes no parameters.
        connection.execute(text(f'DROP ROLE IF EXISTS "{login}"'))
    connection.execute(statement("person_delete"), {"person_id": person_id})


def load_audit(connection: Connection, name: str) -> list[dict[str, Any]]:
    """Entries of the audit log that a person wrote or that name them."""
    rows = connection.execute(statement("audit_naming"), {"name": name}).mappings()
    return [{k: plain(v) for k, v in r.items()} for r in rows]


def _naming(meta_user_id: str) -> dict[str, Any]:
    is_number = meta_user_id.isascii() and meta_user_id.isdigit()
    # Reason: Meta writes ids as text and as numbers; NULL equals nothing.
    return {"meta_user_id": meta_user_id, "number": meta_user_id if is_number else None}


def load_webhooks_naming(connection: Connection, meta_user_id: str) -> list[dict[str, Any]]:
    """What Meta told by itself where it names a user."""
    rows = connection.execute(statement("webhooks_naming"), _naming(meta_user_id)).mappings()
    return [{k: plain(v) for k, v in r.items()} for r in rows]


def forget_in_webhooks(connection: Connection, meta_user_id: str) -> int:
    """Empty what Meta told by itself where it names a user; how many updates that was."""
    return connection.execute(statement("deletion_webhooks"), _naming(meta_user_id)).rowcount


def plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
