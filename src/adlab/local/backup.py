"""Write one file that holds everything of an embedded database.

The file is a tar: `manifest.json`, `database.dump` (pg_dump's custom format), `roles.sql` (login
roles and memberships belong to the whole server, pg_dump leaves them out) and, only when asked for,
`secret.key`. It holds people's data and password verifiers, so it is readable by its owner only.
Bringing it back is in `restore`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from adlab.core.errors import ConflictError, EmbeddedServerError
from adlab.local.bootstrap import DATABASE
from adlab.local.commands import run
from adlab.local.places import absolute, explained
from adlab.local.programs import installed_version, wheel_programs
from adlab.local.servers import ensure_servers

FORMAT = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
ROLES = "roles.sql"
KEY = "secret.key"
DUMP_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Manifest:
    """What a backup says about itself.

    Args:
        format: Version of this layout.
        adlab_version: adlab that wrote it.
        postgres_major: PostgreSQL that wrote it; an older one cannot read it.
        made_at: When, UTC, ISO 8601.
        sha256: Checksum of each part.
    """

    format: int
    adlab_version: str
    postgres_major: int
    made_at: str
    sha256: dict[str, str]


@dataclass(frozen=True)
class BackupReport:
    """A backup that was written.

    Args:
        path: The file.
        size_bytes: Its size.
        made_at: When, UTC.
        parts: Names of what is inside.
        includes_key: Whether it holds the key that opens stored tokens.
    """

    path: Path
    size_bytes: int
    made_at: datetime
    parts: tuple[str, ...]
    includes_key: bool


def backup(home: Path, target: Path, *, include_key: bool = False) -> BackupReport:
    """Back up the embedded database of a home while it is in use.

    Args:
        home: adlab's home; its servers are started when needed.
        target: File to write; must not exist.
        include_key: Also put `secret.key` in. Whoever has that file can then read stored tokens.

    Raises:
        ConflictError: If the file exists.
        DiskFullError: If the disk is full.
        EmbeddedServerError: If the dump fails, or the key is wanted and missing.
    """
    target = absolute(target)
    if target.exists():
        raise ConflictError(f"{target} exists already.", "Choose another name for the backup.")
    key = absolute(home) / KEY
    if include_key and not key.is_file():
        raise EmbeddedServerError(
            f"There is no {key} to include.", "Back up without the key, or bring the file back."
        )
    servers = ensure_servers(home)
    made_at = datetime.now(UTC)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Reason: beside the target, so that the last step is a rename on the same disk.
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            parts = _dump(servers.admin_url, draft)
            if include_key:
                parts.append(Path(shutil.copy(key, draft / KEY)))
            manifest = Manifest(
                format=FORMAT,
                adlab_version=installed_version("adlab"),
                postgres_major=wheel_programs().postgres_major,
                made_at=made_at.isoformat(timespec="seconds"),
                sha256={part.name: checksum(part) for part in parts},
            )
            packed = _pack(draft, manifest, parts)
            _publish(packed, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    names = tuple(manifest.sha256)
    return BackupReport(target, target.stat().st_size, made_at, names, include_key)


def client(program: str, url: str, *arguments: str, database: str | None = DATABASE) -> str:
    """Run one of PostgreSQL's client programs and return what it said.

    Args:
        program: Such as "pg_dump".
        url: Address with the password, which goes through the environment only.
        *arguments: Arguments of the program.
        database: Database to connect to; None leaves the choice to the program.

    Raises:
        EmbeddedServerError: If the program fails; carries its last lines.
    """
    parts = urlsplit(url)
    connection = ["-h", parts.hostname or "", "-p", str(parts.port), "-U", parts.username or ""]
    done = run(
        [wheel_programs().client(program), *connection, "-w", *arguments]
        + (["-d", database] if database else []),
        extra_environment={"PGPASSWORD": unquote(parts.password or "")},
        timeout=DUMP_SECONDS,
    )
    if done.code != 0:
        lines = [line.strip() for line in done.text.splitlines() if line.strip()]
        raise EmbeddedServerError(
            f"{program} failed: {' | '.join(lines[-3:]) or f'exit code {done.code}'}",
            "Nothing was changed. Check the disk space with `adlab doctor` and try again.",
        )
    return done.text


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _dump(url: str, folder: Path) -> list[Path]:
    dump, roles = folder / DUMP, folder / ROLES
    client("pg_dump", url, "--format=custom", f"--file={dump}")
    # Reason: after the data. A role made in between is then in the file, and one that the data
    # names is never missing.
    client("pg_dumpall", url, "--roles-only", f"--file={roles}", database=None)
    return [dump, roles]


def _pack(folder: Path, manifest: Manifest, parts: list[Path]) -> Path:
    packed = folder / "backup.tar"
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    descriptor = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for part in [folder / MANIFEST, *parts]:
                archive.add(part, arcname=part.name)
        stream.flush()
        os.fsync(stream.fileno())
    return packed


def _publish(packed: Path, target: Path) -> None:
    """Give the finished file its name; never over another file."""
    try:
        # Reason: a link fails when the name was taken meanwhile; a rename would overwrite.
        os.link(packed, target)
    except FileExistsError:
        raise ConflictError(f"{target} exists already.", "Choose another name.") from None
    except OSError:  # a file system without links
        packed.replace(target)
