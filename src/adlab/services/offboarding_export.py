"""Everything of a client as files: written once, then read back before anything is deleted.

One Parquet file a table, the archive of reports as PDF, and `MANIFEST.json` with rows and SHA-256
of each file. It is read in one snapshot of the database. Left out: tokens, keys, hashes of links,
and customers' data that only waited to be sent.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from adlab.core.errors import ConflictError
from adlab.storage.engine import raw, transaction
from adlab.storage.offboarding import (
    ClientTable,
    Offboarding,
    columns_of,
    load_people,
    load_tables,
)
from adlab.storage.privacy import plain

log = logging.getLogger(__name__)

MANIFEST = "MANIFEST.json"
BATCH = 20_000
# Secrets, and what means nothing outside this installation.
LEFT_OUT = {
    "sec.client_key": "names of keys mean nothing without them",
    "sec.connect_attempt": "dialogs under way; they hold tokens",
    "sec.login": "logins of this installation",
    "sec.access": "in people.json, by name",
}
_HIDDEN = ("payload", "token_sealed", "lease", "lease_until", "worker_id", "state_hash",
           "browser_hash", "nonce_hash", "digest", "value_digest")  # fmt: skip


def write_export(engine: Engine, of: Offboarding, check: Callable[[], None]) -> dict[str, Any]:
    """Write the files; a half-written folder of an earlier try is thrown away.

    Args:
        engine: The owner's engine.
        of: The off-boarding.
        check: Called between tables; may raise to stop.

    Returns:
        The manifest, which is in the folder as well.

    Raises:
        ConflictError: If the folder holds something else.
        ValueError: If it cannot be written.
    """
    folder = Path(of.folder)
    draft = folder.with_name(f".{folder.name}.partial")
    try:
        if folder.exists():
            _require_ours(folder, of)
            shutil.rmtree(folder)
        shutil.rmtree(draft, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Reason: it holds all of a client; whoever hands it over decides who else reads it.
        draft.mkdir(mode=0o700)
        (draft / "reports").mkdir()
        manifest = _write(engine, of, draft, check)
        draft.rename(folder)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror}") from None
    return manifest


def _require_ours(folder: Path, of: Offboarding) -> None:
    try:
        said = json.loads((folder / MANIFEST).read_text())
        ours = said.get("client") == of.slug and said.get("begun_at") == of.begun_at.isoformat()
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise ConflictError(
            f"{folder} exists and is not this export.", "Choose another folder: --out DIR"
        )


def _write(
    engine: Engine, of: Offboarding, folder: Path, check: Callable[[], None]
) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    with transaction(engine) as connection:
        # Reason: one moment for all tables; nothing of a client may fall between two of them.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        tables = load_tables(connection)
        scope = {"client_id": of.client_id, "accounts": list(of.accounts)}
        for table in tables:
            check()
            if table.name in LEFT_OUT:
                continue
            name = f"{table.name}.parquet"
            columns = columns_of(table, _HIDDEN)
            where = f"FROM {table.name} WHERE {table.where}"
            rows = _write_parquet(connection, columns, where, scope, folder / name)
            files.append({"file": name, "table": table.name, "rows": rows})
        files += _write_reports(connection, of, folder)
        people = [
            {k: plain(v) for k, v in p.items()} for p in load_people(connection, of.client_id)
        ]
        files.append({"file": "people.json", "rows": _write_json(folder / "people.json", people)})
        audit_columns = [
            ("audit_id", "bigint"), ("at", "timestamp with time zone"), ("actor", "text"),
            ("action", "text"), ("client_id", "integer"), ("details", "jsonb"),
        ]  # fmt: skip
        rows = _write_parquet(
            connection, audit_columns, "FROM sec.audit WHERE client_id = :client_id",
            scope, folder / "sec.audit.parquet",
        )  # fmt: skip
        files.append({"file": "sec.audit.parquet", "table": "sec.audit", "rows": rows})
    for entry in files:
        path = folder / entry["file"]
        entry["sha256"], entry["bytes"] = checksum(path), path.stat().st_size
    manifest = {
        "client": of.slug, "name": of.name, "client_id": of.client_id,
        "begun_at": of.begun_at.isoformat(), "accounts": [f"act_{a}" for a in of.accounts],
        "files": sorted(files, key=lambda f: f["file"]),
        "left_out": {t.name: LEFT_OUT[t.name] for t in tables if t.name in LEFT_OUT},
    }  # fmt: skip
    _write_json(folder / MANIFEST, manifest)
    return manifest


def _write_parquet(
    connection: Connection, columns: Sequence[tuple[str, str]], where: str,
    scope: dict[str, Any], path: Path,
) -> int:  # fmt: skip
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _arrow_type(pa, kind)) for name, kind in columns])
    picked = ", ".join(
        f'"{n}"' if not _is_text(kind) else f'"{n}"::text AS "{n}"' for n, kind in columns
    )
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(connection, f"SELECT {picked} {where}", scope):
            cells = zip(*batch, strict=True)
            arrays = [
                pa.array(list(c), type=f.type) for c, f in zip(cells, schema, strict=True)
            ]  # fmt: skip
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            rows += len(batch)
    return rows


def _batches(
    connection: Connection, sql: str, scope: dict[str, Any]
) -> Iterator[list[tuple[Any, ...]]]:
    # Reason: a cursor of the server's, because a client has millions of rows.
    with raw(connection).cursor(name="adlab_export") as cursor:
        wanted = sql.replace(":client_id", "%(client_id)s").replace(":accounts", "%(accounts)s")
        cursor.execute(wanted.encode(), scope)
        while batch := cursor.fetchmany(BATCH):
            yield batch


_EXACT = {"bigint": "int64", "integer": "int32", "smallint": "int16", "boolean": "bool_",
          "double precision": "float64", "date": "date32"}  # fmt: skip


def _is_text(kind: str) -> bool:
    """Whether a column is written as PostgreSQL's text of it: exact, also for numeric and JSON."""
    return kind not in _EXACT and kind != "timestamp with time zone"


def _arrow_type(pa: Any, kind: str) -> Any:
    if kind == "timestamp with time zone":
        return pa.timestamp("us", tz="UTC")
    return getattr(pa, _EXACT[kind])() if kind in _EXACT else pa.string()


def _write_reports(connection: Connection, of: Offboarding, folder: Path) -> list[dict[str, Any]]:
    files = []
    numbers = connection.scalars(
        text("SELECT report_id FROM app.report WHERE client_id = :c ORDER BY 1"),
        {"c": of.client_id},
    ).all()
    for number in numbers:
        pdf = connection.scalar(
            text("SELECT pdf FROM app.report WHERE report_id = :n"), {"n": number}
        )
        name = f"reports/{number}.pdf"
        (folder / name).write_bytes(bytes(pdf or b""))
        files.append({"file": name, "rows": 1})
    return files


def _write_json(path: Path, value: Any) -> int:
    with path.open("w") as stream:
        json.dump(value, stream, indent=1, ensure_ascii=False, default=str)
        stream.flush()
        os.fsync(stream.fileno())
    return len(value)


def verify_export(engine: Engine, of: Offboarding, *, against_store: bool = True) -> str:
    """Read the files back: each is whole, has the rows it says, and the store has no other.

    Args:
        engine: The owner's engine.
        of: The off-boarding.
        against_store: Whether the store is counted as well; not any more once rows went.

    Returns:
        SHA-256 of the manifest.

    Raises:
        ConflictError: If anything differs.
    """
    folder = Path(of.folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        listed = {f["file"]: f for f in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise _differs(folder, "its manifest cannot be read") from None
    if manifest.get("client") != of.slug or manifest.get("client_id") != of.client_id:
        raise _differs(folder, "it is another client's")
    for name, entry in listed.items():
        _verify_file(folder, name, entry)
    if against_store:
        with transaction(engine) as connection:
            for table in load_tables(connection):
                if table.name not in LEFT_OUT:
                    _verify_table(connection, table, of, listed, folder)
            archived = connection.execute(
                text("SELECT report_id, sha256 FROM app.report WHERE client_id = :c"),
                {"c": of.client_id},
            ).all()
        for report_id, digest in archived:
            entry = listed.get(f"reports/{report_id}.pdf")
            if entry is None or entry["sha256"] != digest:
                raise _differs(folder, f"report {report_id} is missing or changed")
    return checksum(folder / MANIFEST)


def _verify_file(folder: Path, name: str, entry: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
        raise _differs(folder, f"{name} is missing")
    if checksum(path) != entry["sha256"]:
        raise _differs(folder, f"{name} was changed")
    if path.suffix == ".parquet":
        try:
            with pq.ParquetFile(path) as file:
                read = sum(b.num_rows for b in file.iter_batches(batch_size=BATCH))
        except (pa.ArrowException, OSError):
            raise _differs(folder, f"{name} cannot be read") from None
        if read != entry["rows"]:
            raise _differs(folder, f"{name} has {read:,} rows, not {entry['rows']:,}")


def _verify_table(
    connection: Connection, table: ClientTable, of: Offboarding, listed: dict[str, Any],
    folder: Path,
) -> None:  # fmt: skip
    sql = f"SELECT count(*) FROM {table.name} WHERE {table.where}"  # noqa: S608
    stored = connection.scalar(
        text(sql), {"client_id": of.client_id, "accounts": list(of.accounts)}
    )
    entry = listed.get(f"{table.name}.parquet")
    if entry is None or entry["rows"] != stored:
        raise _differs(
            folder,
            f"{table.name} has {stored:,} rows, the export {entry['rows'] if entry else 0:,}",
        )


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _differs(folder: Path, why: str) -> ConflictError:
    return ConflictError(
        f"The export in {folder} is not good: {why}. Nothing was deleted.",
        "Run adlab client offboard again: it is written anew.",
    )
