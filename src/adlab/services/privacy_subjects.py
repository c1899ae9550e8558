"""What is held of one person, for them to have; and its erasure.

A person is somebody of ours with a login, a user at Meta by their app-scoped id, or a client's
customer by their e-mail address, which is looked for by its hash in events that wait to be sent.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from adlab.core.errors import ConflictError, SettingsError, UnknownObjectError
from adlab.core.privacy import DATA_MAP
from adlab.services import deletion
from adlab.storage import audit, conversions, privacy
from adlab.storage.access import keep_an_owner, load_person
from adlab.storage.engine import transaction
from adlab.vault import Vault

log = logging.getLogger(__name__)

Kind = Literal["person", "meta_user", "email"]
ERASED = "Erased at the person's request."
_OF_PERSON = ("sec.access", "sec.login", "sec.password", "sec.login_link", "sec.api_token")


@dataclass(frozen=True)
class Subject:
    """Whose data.

    Attributes:
        kind: What the text names.
        text: A name, an id at Meta, or an e-mail address in lower case.
    """

    kind: Kind
    text: str


@dataclass
class Erased:
    """What an erasure did, or would do.

    Attributes:
        kind: Kind of subject.
        counts: Rows removed or emptied, by place.
        kept: What stays, and why.
        reference: A number for the person's letter; None when nothing was done.
    """

    kind: Kind
    counts: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    reference: str | None = None


def find_subject(engine: Engine, given: str) -> Subject:
    """Read who is meant: a name or username of ours, digits for Meta's id, an e-mail address.

    Raises:
        UnknownObjectError: If it is none of these.
        ValueError: If nothing is given.
    """
    words = given.strip()
    if not words:
        raise ValueError("name a person: a username, an e-mail address or an id at Meta")
    with transaction(engine) as connection:
        try:
            return Subject("person", load_person(connection, words)["name"])
        except UnknownObjectError:
            pass
    if words.isascii() and words.isdigit() and len(words) <= 30:
        return Subject("meta_user", words)
    if "@" in words.strip("@") and not any(c.isspace() for c in words):
        return Subject("email", words.lower())
    raise UnknownObjectError(
        f"There is no person {given!r} here, and it is no e-mail address and no id at Meta.",
        "People: adlab user list",
    )


def export_subject(engine: Engine, vault: Vault, given: str, now: datetime) -> dict[str, Any]:
    """Everything held of a person, as JSON holds it; never a password, key or token.

    Args:
        engine: The owner's engine.
        vault: Opens what is sealed.
        given: Who; see `find_subject`.
        now: Current aware time.

    Raises:
        UnknownObjectError: If nobody is meant.
    """
    subject = find_subject(engine, given)
    with transaction(engine) as connection:
        held = _COLLECT[subject.kind](connection, vault, subject.text)
        audit.record(connection, "privacy.export", kind=subject.kind, places=len(held))
    purposes = {h.place: {"what": h.what, "basis": h.basis, "kept": h.kept} for h in DATA_MAP}
    used = {place: p for place, p in purposes.items() if place.rpartition(".")[0] in held}
    return {
        "subject": subject.text, "kind": subject.kind, "made_at": now.isoformat(),
        "held": held, "purposes": used,
    }  # fmt: skip


def erase_subject(
    engine: Engine,
    vault: Vault,
    given: str,
    now: datetime,
    *,
    dry_run: bool = False,
    actor: str = audit.LOCAL_OWNER,
) -> Erased:
    """Remove or empty what is held of a person; the audit log keeps names of staff and says why.

    Args:
        engine: The owner's engine.
        vault: Opens what is sealed.
        given: Who; see `find_subject`.
        now: Current aware time.
        dry_run: Only count.
        actor: Who does it, for the audit log.

    Raises:
        UnknownObjectError: If nobody is meant.
        ConflictError: If it is the local owner, or the last owner who can log in.
    """
    subject = find_subject(engine, given)
    if subject.kind == "meta_user" and not dry_run:
        # Reason: one way for a request of Meta and one of ours, with the same proof.
        done = Erased("meta_user")
        done.counts = _count_meta_user(engine, vault, subject.text)
        done.reference = deletion.request_deletion(engine, subject.text, now)
        deletion.perform_deletions(engine, now)
    else:
        with transaction(engine) as connection:
            if subject.kind == "person":
                done = _erase_person(connection, subject.text, dry_run)
            elif subject.kind == "email":
                done = _erase_email(connection, vault, subject.text, now, dry_run)
            else:
                done = Erased("meta_user", _counts(_meta_user(connection, vault, subject.text)))
            if not dry_run:
                done.reference = _reference(subject, now)
                audit.record(
                    connection, "privacy.erase", actor=actor, kind=subject.kind,
                    reference=done.reference, removed=done.counts,
                )  # fmt: skip
    if not dry_run:
        log.info("subject_erased kind=%s rows=%d", subject.kind, sum(done.counts.values()))
    return done


def _person(connection: Connection, vault: Vault, name: str) -> dict[str, list[dict[str, Any]]]:
    person = load_person(connection, name)
    held = {
        table: privacy.load_person_rows(connection, table, person["person_id"])
        for table in ("sec.person", *_OF_PERSON)
    }
    for column in privacy.staff_columns():
        rows = privacy.load_rows(connection, column, person["name"])
        held[column.table] = held.get(column.table, []) + [
            r for r in rows if r not in held.get(column.table, [])
        ]
    held["sec.audit"] = privacy.load_audit(connection, person["name"])
    return {table: rows for table, rows in held.items() if rows}


def _meta_user(
    connection: Connection, vault: Vault, meta_user_id: str
) -> dict[str, list[dict[str, Any]]]:
    held: dict[str, list[dict[str, Any]]] = {}
    for column in DATA_MAP:
        if column.whose == "meta_user" and column.column in ("meta_user_id", "actor_id"):
            rows = privacy.load_rows(connection, column, meta_user_id)
            held[column.table] = held.get(column.table, []) + rows
    held["app.webhook_event"] = privacy.load_webhooks_naming(connection, meta_user_id)
    return {table: rows for table, rows in held.items() if rows}


def _email(connection: Connection, vault: Vault, email: str) -> dict[str, list[dict[str, Any]]]:
    rows = [
        {"client_id": r["client_id"], "event_name": r["event_name"],
         "event_time": privacy.plain(r["event_time"]),
         "accepted_at": privacy.plain(r["accepted_at"]), "payload": payload}
        for r, payload in _events_of(connection, vault, email)
    ]  # fmt: skip
    return {"app.conversion_event": rows} if rows else {}


_COLLECT = {"person": _person, "meta_user": _meta_user, "email": _email}


def _events_of(
    connection: Connection, vault: Vault, email: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Waiting events of the person with that address; those that do not open are passed over."""
    wanted = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    for row in conversions.load_waiting(connection):
        if row["payload_sealed"] is None:
            payload = row["payload"]
        else:
            try:
                payload = conversions.read_payload(
                    vault.open(bytes(row["payload_sealed"]), row["client_id"])
                )
            except SettingsError:
                log.warning("event_does_not_open conversion_id=%s", row["conversion_id"])
                continue
        if wanted in (payload.get("user_data") or {}).get("em", ()):
            yield row, payload


def _erase_person(connection: Connection, name: str, dry_run: bool) -> Erased:
    person = load_person(connection, name)
    if person["name"] == audit.LOCAL_OWNER:
        raise ConflictError(
            "The local owner is no person: it is whoever runs adlab here.", "Name somebody else."
        )
    keep_an_owner(connection, person)
    done = Erased("person")
    for table in ("sec.person", *_OF_PERSON):
        done.counts[table] = len(privacy.load_person_rows(connection, table, person["person_id"]))
    after = f"erased person {person['person_id']}"
    for column in privacy.staff_columns():
        count = (
            len(privacy.load_rows(connection, column, person["name"])) if dry_run
            else privacy.rename(connection, column, person["name"], after)
        )  # fmt: skip
        done.counts[column.table] = done.counts.get(column.table, 0) + count
    done.counts = {table: n for table, n in done.counts.items() if n}
    if mentions := len(privacy.load_audit(connection, person["name"])):
        done.kept.append(
            f"{mentions} entries of the audit log name this person: it is chained and proves who "
            "did what (legitimate interest)."
        )
    done.kept.append(
        "Their home folder and account in JupyterHub are outside the store: remove them there."
    )
    if not dry_run:
        privacy.delete_person(connection, person["person_id"])
    return done


def _erase_email(
    connection: Connection, vault: Vault, email: str, now: datetime, dry_run: bool
) -> Erased:
    ids = [r["conversion_id"] for r, _ in _events_of(connection, vault, email)]
    gone = len(ids) if dry_run else len(conversions.erase(connection, ids, ERASED, now))
    done = Erased("email", {"app.conversion_event": gone} if gone else {})
    if gone < len(ids):
        done.kept.append(
            f"{len(ids) - gone} event(s) are being sent just now and are erased right after."
        )
    done.kept.append(
        "Events that Meta has are not held here any more; ask Meta to delete them there."
    )
    return done


def _count_meta_user(engine: Engine, vault: Vault, meta_user_id: str) -> dict[str, int]:
    with transaction(engine) as connection:
        return _counts(_meta_user(connection, vault, meta_user_id))


def _counts(held: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    return {table: len(rows) for table, rows in held.items()}


def _reference(subject: Subject, now: datetime) -> str:
    told = f"adlab erasure|{subject.kind}|{subject.text}|{now.isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
