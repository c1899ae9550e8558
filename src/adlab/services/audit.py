"""The audit log's chain: checked, signed, searched, taken away.

The database links every entry to the one before with SHA-256 over the entry's text. Whoever can
write the database's files could compute the whole chain anew; so its state is signed from time to
time with a key of the vault, which the database does not hold, and a chain that was replaced no
longer fits its signatures.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from adlab.storage import query_log
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.statements import statement
from adlab.vault import Vault

log = logging.getLogger(__name__)

_PURPOSE = "audit anchor"


@dataclass(frozen=True)
class Problem:
    """Something in the log that is not as it was written.

    Attributes:
        what: In words.
        chain_no: Place in the chain, if it has one.
        audit_id: The entry, if it is known.
        at: When the entry says it was written.
    """

    what: str
    chain_no: int | None = None
    audit_id: int | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        where = [f"entry {self.audit_id}" if self.audit_id is not None else "",
                 f"place {self.chain_no}" if self.chain_no is not None else "",
                 f"{self.at:%Y-%m-%d %H:%M} UTC" if self.at is not None else ""]  # fmt: skip
        told = ", ".join(w for w in where if w)
        return f"{self.what} ({told})" if told else self.what


@dataclass(frozen=True)
class Verdict:
    """What a check of the chain found.

    Attributes:
        entries: Length of the chain.
        head: Hash at its end (hex); written down elsewhere, it proves the log later.
        newest: When its last entry was written (aware UTC).
        anchors: How many signed states fit.
        problems: What does not fit; empty when all is as it was written. At most 20 of the chain.
    """

    entries: int
    head: str
    newest: datetime | None
    anchors: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was changed."""
        return not self.problems


def verify(engine: Engine, vault: Vault | None) -> Verdict:
    """Check every entry, the chain between them, its end, and the signed states.

    Args:
        engine: The owner's engine.
        vault: Signs states of the chain; None leaves the signatures unchecked.
    """
    link_waiting(engine)
    with transaction(engine) as connection:
        problems = [
            Problem(r["problem"], r["chain_no"], r["audit_id"], r["at"])
            for r in connection.execute(statement("audit_broken")).mappings()
        ]
        head = connection.execute(statement("audit_head")).mappings().first()
        anchors = connection.execute(statement("audit_anchors")).mappings().all()
    good = 0
    for anchor in anchors if vault is not None else ():
        assert vault is not None
        if not _is_signed(vault, anchor["chain_no"], anchor["hash"], anchor["signature"]):
            problems.append(Problem("a signature does not fit the key ring", anchor["chain_no"],
                                    at=anchor["signed_at"]))  # fmt: skip
        elif anchor["now_hash"] is None or bytes(anchor["now_hash"]) != bytes(anchor["hash"]):
            problems.append(Problem("the chain was written anew since it was signed",
                                    anchor["chain_no"], at=anchor["signed_at"]))  # fmt: skip
        else:
            good += 1
    if head is None:
        return Verdict(0, "", None, good, tuple(problems))
    return Verdict(head["chain_no"], head["hash"], head["newest"], good, tuple(problems))


def link_waiting(engine: Engine) -> int:
    """Link what people's own logins wrote since the last time; done every few seconds.

    Returns:
        How many entries were linked.
    """
    with transaction(engine) as connection:
        return int(connection.scalar(statement("audit_link_waiting")) or 0)


def sign(engine: Engine, vault: Vault) -> int:
    """Sign the chain as it stands, if it has grown.

    Returns:
        How many entries the signature covers; 0 when there is nothing new.
    """
    with transaction(engine) as connection:
        head = connection.execute(statement("audit_head")).mappings().first()
        if head is None or head["chain_no"] == 0:
            return 0
        digest = bytes.fromhex(head["hash"])
        kept = connection.execute(
            statement("audit_anchor_insert"),
            {
                "chain_no": head["chain_no"], "hash": digest,
                "signature": _signature(vault.derive(_PURPOSE), head["chain_no"], digest),
            },
        ).rowcount  # fmt: skip
    return int(head["chain_no"]) if kept else 0


def keep(engine: Engine, vault: Vault) -> int:
    """Move what notebooks asked into the log and sign its state; done every few minutes.

    Returns:
        How many different statements of notebooks were moved.
    """
    with transaction(engine) as connection:
        moved = query_log.collect(connection)
    link_waiting(engine)
    covered = sign(engine, vault)
    if covered:
        log.info("audit_signed entries=%d", covered)
    return moved


def export(
    engine: Engine, path: Path, *, client: str | None = None, since: datetime | None = None,
    until: datetime | None = None,
) -> int:  # fmt: skip
    """Write entries as JSON lines that can be checked without adlab.

    Each line has the place in the chain, the hash before, its own hash, and the text it covers:
    SHA-256 over the 32 bytes of the hash before and the text in UTF-8.

    Args:
        engine: The owner's engine.
        path: The file; must not exist.
        client: Only entries that concern this client.
        since: First moment, included (aware).
        until: Last moment, not included (aware).

    Returns:
        How many entries were written.

    Raises:
        FileExistsError: If the file exists.
        UnknownObjectError: If there is no such client.
    """
    link_waiting(engine)
    with transaction(engine) as connection:
        client_id = load_client(connection, client).client_id if client is not None else None
        with path.open("x", encoding="utf-8") as file:
            count = 0
            for line in export_lines(connection, client_id, since, until):
                file.write(line + "\n")
                count += 1
    return count


def export_lines(
    connection: Connection, client_id: int | None, since: datetime | None, until: datetime | None
) -> Iterator[str]:
    """The lines of an export, in the chain's order."""
    found = connection.execution_options(yield_per=1000).execute(
        statement("audit_export"), {"client_id": client_id, "since": since, "until": until}
    )
    for row in found.mappings():
        told: dict[str, Any] = dict(row)
        yield json.dumps({**told, "entry": json.loads(row["text"])}, ensure_ascii=False)


def _signature(key: str, chain_no: int, digest: bytes) -> bytes:
    return hmac.digest(bytes.fromhex(key), b"%d:" % chain_no + digest, "sha256")


def _is_signed(vault: Vault, chain_no: int, digest: bytes, signature: bytes) -> bool:
    return any(
        hmac.compare_digest(_signature(key, chain_no, bytes(digest)), bytes(signature))
        for key in vault.derive_all(_PURPOSE).split(",")
    )
