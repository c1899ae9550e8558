"""A client leaves: export everything, read it back, revoke, delete, destroy its key, certify.

Each step is finished in the store before the next begins, so that a process that dies goes on where
it was. Nothing is deleted before the export was read back.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adlab.core.errors import AdlabError, ConflictError, SettingsError, UnknownObjectError
from adlab.services.connections import ConnectionParts
from adlab.services.connections_end import disconnect
from adlab.services.offboarding_certificate import make_certificate
from adlab.services.offboarding_export import verify_export, write_export
from adlab.storage import audit, connections, privacy
from adlab.storage import offboarding as store
from adlab.storage.access import drop_credential
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.offboarding import Offboarding, Step
from adlab.storage.retention import load_accounts

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 2.0
CERTIFICATE = "certificate.json"


@dataclass(frozen=True)
class OffboardingParts:
    """What off-boarding needs; built by `runtime`.

    Attributes:
        connections: Engine, vault and where Meta is.
        forget: Forgets a client and its accounts in Redis; gives how many keys went.
        tell: Is told what is done, for people.
        now: Current aware time.
        sleep: Waits; tests hand in a fake.
        after: Called after each step that was finished; may raise to stop.
    """

    connections: ConnectionParts
    forget: Callable[[int, Sequence[int]], int] = lambda client_id, accounts: 0
    tell: Callable[[str], object] = lambda words: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    after: Callable[[Step], object] = lambda step: None


@dataclass(frozen=True)
class Plan:
    """What off-boarding a client would do.

    Attributes:
        client: Slug.
        name: Likewise.
        rows: Rows a table.
        people: Names whose access ends.
        accounts: Ad accounts.
        connections: Connections to Meta that end.
        step: What an interrupted off-boarding finished last; None when none was begun.
    """

    client: str
    name: str
    rows: dict[str, int]
    people: tuple[str, ...]
    accounts: tuple[int, ...]
    connections: int
    step: Step | None


def plan(parts: OffboardingParts, slug: str) -> Plan:
    """What would go; changes nothing.

    Raises:
        UnknownObjectError: If there is no such client.
        ConflictError: If it was off-boarded already.
    """
    with transaction(parts.connections.engine) as c:
        known = store.load_offboarding(c, slug)
        if known is not None and known.step == "done":
            raise _gone(known)
        if known is None:
            client = load_client(c, slug)
            client_id, name = int(client.client_id), client.name
            accounts = [a for a, _ in load_accounts(c, client_id)]
        else:
            client_id, name, accounts = known.client_id, known.name, list(known.accounts)
        rows = store.count_rows(c, {"client_id": client_id, "accounts": accounts})
        people = tuple(p["name"] for p in store.load_people(c, client_id))
        linked = len(connections.load_connections(c, client_id))
    return Plan(slug, name, rows, people, tuple(accounts), linked, known.step if known else None)


def offboard(
    parts: OffboardingParts, slug: str, folder: Path, actor: str = audit.LOCAL_OWNER
) -> Offboarding:
    """Off-board a client, or go on with it.

    Args:
        parts: See `OffboardingParts`.
        slug: The client.
        folder: Where the export goes; must not exist. One that was interrupted keeps its own.
        actor: Who does it.

    Returns:
        The off-boarding with its certificate, which is in the folder as well.

    Raises:
        UnknownObjectError: If there is no such client.
        ConflictError: If it was done already, somebody else is at it, or the export is not good.
        ValueError: If the folder cannot be written.
    """
    engine = parts.connections.engine
    _require_keys(parts)
    known = _load(parts, slug)
    if known is None:
        with transaction(engine) as c:
            client_id = int(load_client(c, slug).client_id)
    else:
        client_id = known.client_id
    with store.only_one(engine, client_id):
        known = _load(parts, slug)
        if known is None:
            folder = folder.expanduser().absolute()
            if folder.exists():
                raise ConflictError(f"{folder} exists already.", "Choose another: --out DIR")
            with transaction(engine) as c:
                store.begin(c, slug, str(folder), actor, parts.now())
                audit.record(c, "client.offboard_begin", actor=actor, client_id=client_id)
            parts.after("begun")
        elif known.step == "done":
            raise _gone(known)
        for step, act in _STEPS:
            found = _load(parts, slug)
            assert found is not None
            if not found.is_past(step):
                act(parts, found, actor)
                log.info("offboarding_step client_id=%s step=%s", client_id, step)
                parts.after(step)
    found = _load(parts, slug)
    assert found is not None
    return found


def _stop(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    """End the client's jobs: what waits at once, what runs after a while."""
    waited = 0.0
    while True:
        with transaction(parts.connections.engine) as c:
            running = store.stop_jobs(c, of.client_id)
            if not running or waited >= PATIENCE_SECONDS:
                dropped = store.drop_jobs(c, of.client_id)
                store.finish_step(c, of.slug, "stopped")
                break
        parts.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
    parts.tell("Jobs are stopped." + (f" {dropped} were forgotten." if dropped else ""))


def _export(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    engine = parts.connections.engine
    manifest = write_export(engine, of, lambda: None)
    rows = {f["table"]: f["rows"] for f in manifest["files"] if f.get("table") and f["rows"]}
    with transaction(engine) as c:
        store.finish_step(c, of.slug, "exported", exported=rows)
        audit.record(c, "client.export", actor=actor, client_id=of.client_id,
                     rows=sum(rows.values()), files=len(manifest["files"]))  # fmt: skip
    parts.tell(f"Exported {sum(rows.values()):,} rows to {of.folder}.")


def _verify(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    engine = parts.connections.engine
    try:
        digest = verify_export(engine, of)
    except ConflictError:
        with transaction(engine) as c:
            store.finish_step(c, of.slug, "stopped")
        raise
    with transaction(engine) as c:
        store.finish_step(c, of.slug, "verified", manifest_sha256=digest)
    parts.tell("The export was read back and is whole.")


def _revoke(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    """End every way in: people, logins, invitations, tokens, and Meta's side of connections."""
    engine = parts.connections.engine
    words: list[str] = []
    # Reason: the words name other clients whose connections share a login at Meta. Whoever runs
    # this reads them; the certificate goes to the client and says only what came of it.
    at_meta: dict[str, str] = {}
    with transaction(engine) as c:
        numbers = [r["connection_id"] for r in connections.load_connections(c, of.client_id)]
    for number in numbers:
        try:
            done = disconnect(parts.connections, connection_id=number, actor=actor)
            words.append(f"connection {number}: {done.words}")
            at_meta[str(number)] = done.revocation
        except AdlabError as error:
            words.append(f"connection {number}: {error.message}")
            at_meta[str(number)] = "owed"
            log.warning("offboarding_connection error=%s", type(error).__name__)
    with transaction(engine) as c:
        people = store.load_people(c, of.client_id)
        logins = [drop_credential(c, name) for name in store.load_logins(c, of.client_id)]
        counts = store.revoke_access(c, of.client_id)
        own = [p for p in people if not p["elsewhere"]]
        for person in own:
            privacy.delete_person(c, person["person_id"])
        told: dict[str, Any] = {**counts, "logins": sum(logins), "people_forgotten": len(own),
                "connections": len(numbers), "at_meta": at_meta}  # fmt: skip
        store.finish_step(c, of.slug, "revoked", revoked=told)
        audit.record(c, "client.revoke", actor=actor, client_id=of.client_id, ended=told)
    parts.tell(f"Access ended: {counts['grants']} grant(s), {len(numbers)} connection(s).")
    for line in words:
        parts.tell(f"  {line}")


def _purge(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    """Take out every row. Refuses when the export is not what was verified."""
    engine = parts.connections.engine
    if not of.is_past("verified") or of.manifest_sha256 is None:
        raise ConflictError("The export was not verified.", "Run adlab client offboard again.")
    if verify_export(engine, of, against_store=False) != of.manifest_sha256:
        raise ConflictError(
            f"The export in {of.folder} is not the one that was verified; nothing more is deleted.",
            "Bring the folder back as it was, then run it again.",
        )
    with transaction(engine) as c:
        tables = store.load_tables(c)
    for table in tables:
        # Reason: a table, a transaction: a large client is millions of rows.
        store.delete_of_table(engine, table, of)
    with transaction(engine) as c:
        left = store.count_rows(c, of)
        if left:
            raise ConflictError(
                f"Rows came in while the client was taken out: {', '.join(left)}.",
                "Run adlab client offboard again.",
            )
        store.finish_step(c, of.slug, "purged")
    done = _load(parts, of.slug)
    assert done is not None
    parts.tell(f"Deleted {sum(done.purged.values()):,} rows from {len(done.purged)} tables.")


def _shred(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    keys = parts.connections.vault.clients
    assert keys is not None
    gone = keys.destroy(of.key_name)
    forgotten = parts.forget(of.client_id, of.accounts)
    with transaction(parts.connections.engine) as c:
        store.finish_step(c, of.slug, "shredded")
        audit.record(c, "client.offboard", actor=actor, client_id=of.client_id, slug=of.slug,
                     rows=sum(of.purged.values()), key=of.key_fingerprint, key_was_here=gone,
                     manifest_sha256=of.manifest_sha256, cache_keys=forgotten)  # fmt: skip
    parts.tell("The client's key is destroyed: what was sealed with it stays shut in every backup.")


def _certify(parts: OffboardingParts, of: Offboarding, actor: str) -> None:
    engine, now = parts.connections.engine, parts.now()
    with transaction(engine) as c:
        for table in store.load_tables(c):
            # Reason: a job that was stopped late may have stored something since.
            store.delete_rows(c, table, of)
        if left := store.count_rows(c, of):
            raise ConflictError(
                f"Rows of the client are there again: {', '.join(left)}.",
                "Run adlab client offboard again.",
            )
        head = store.load_chain_head(c)
        made = make_certificate(of, parts.connections.vault, head, now, actor)
        _write_certificate(Path(of.folder), made)
        store.finish_step(c, of.slug, "done", certificate=made, done_at=now)


def _write_certificate(folder: Path, made: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CERTIFICATE).write_text(json.dumps(made, indent=1, ensure_ascii=False))
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror}") from None


_STEPS: tuple[tuple[Step, Callable[[OffboardingParts, Offboarding, str], None]], ...] = (
    ("stopped", _stop), ("exported", _export), ("verified", _verify), ("revoked", _revoke),
    ("purged", _purge), ("shredded", _shred), ("done", _certify),
)  # fmt: skip


def _load(parts: OffboardingParts, slug: str) -> Offboarding | None:
    with transaction(parts.connections.engine) as c:
        return store.load_offboarding(c, slug)


def _require_keys(parts: OffboardingParts) -> None:
    if parts.connections.vault.clients is None:
        raise SettingsError("There are no clients' keys here.", "Run it where adlab is set up.")


def _gone(of: Offboarding) -> ConflictError:
    return ConflictError(
        f"{of.slug!r} was off-boarded on {of.done_at:%Y-%m-%d}.",
        f"Its certificate: adlab client show {of.slug}",
    )


def load_certificate(parts: OffboardingParts, slug: str) -> dict[str, Any]:
    """The certificate of a client that left.

    Raises:
        UnknownObjectError: If there is none.
    """
    found = _load(parts, slug)
    if found is None or found.certificate is None:
        raise UnknownObjectError(f"There is no certificate of {slug!r}.", "adlab client list")
    return found.certificate
