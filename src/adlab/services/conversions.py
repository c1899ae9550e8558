"""Take conversion events in: check each, hash what is personal, seal it, and queue what is good.

An event that is bad is told with its reasons and never holds up the others. What is queued is safe
in the store before the caller hears of it; `services.conversions_send` brings it to Meta.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adlab.core.errors import ConflictError, SettingsError, TokenExpiredError
from adlab.meta.conversions import Event, Problem, build
from adlab.services.changes_desk import WriteParts
from adlab.storage import audit
from adlab.storage import conversions as store
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.vault import Vault

log = logging.getLogger(__name__)

_AT_ONCE = 1000


@dataclass(frozen=True)
class Accepted:
    """What became of events that were handed in.

    Attributes:
        queued: How many will be sent.
        duplicate: How many were handed in before, or twice now.
        rejected: Place in the list, counted from 0, and what is wrong; never a value.
        test_code: Under which test code they are sent.
    """

    queued: int
    duplicate: int
    rejected: tuple[tuple[int, tuple[Problem, ...]], ...]
    test_code: str | None = None


def parse_dataset_id(text: str | int) -> int:
    """Read the number of a pixel or dataset.

    Raises:
        ValueError: If it is none.
    """
    digits = str(text).strip()
    if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) < 2**63:
        raise ValueError(f"{text!r} is not the number of a dataset (pixel)")
    return int(digits)


def accept(
    parts: WriteParts,
    dataset: str | int,
    client: str,
    events: Iterable[Mapping[str, Any]],
    *,
    test_code: str | None = None,
    actor: str = audit.LOCAL_OWNER,
    dry_run: bool = False,
) -> Accepted:
    """Check events and queue the good ones.

    Args:
        parts: See `WriteParts`.
        dataset: Number of the pixel or dataset.
        client: Slug of the client whose connection sends them.
        events: With Meta's keys; see `meta.conversions.build`.
        test_code: Shows them under Test Events at Meta, where they count all the same.
        actor: Who hands them in, for the audit log.
        dry_run: Check only.

    Returns:
        How many are queued, known already, and refused with their reasons. Queued ones are
        committed.

    Raises:
        UnknownObjectError: If there is no such client.
        ConflictError: If the dataset is known to be another client's.
        TokenExpiredError: If no connection of the client works.
        SettingsError: If the client's key, which seals the events, is not to be found.
        ValueError: If the dataset or the test code is none.
    """
    dataset_id = parse_dataset_id(dataset)
    if test_code is not None and (not test_code.strip() or len(test_code) > 64):
        raise ValueError("a test code is a short text, such as TEST12345")
    with transaction(parts.engine) as c:
        client_id = load_client(c, client).client_id
        _check_dataset(store.load_accounts(c, client_id, dataset_id), dataset_id, client)
    good: list[Event] = []
    bad: list[tuple[int, tuple[Problem, ...]]] = []
    names: list[tuple[str | None, str]] = []
    for place, raw in enumerate(events):
        found = build(raw, parts.now())
        if isinstance(found, Event):
            good.append(found)
        else:
            bad.append((place, tuple(found)))
            names.append((_shown_name(raw), "; ".join(str(p) for p in found)[:1000]))
    if dry_run:
        once = {(e.event_name, e.event_id) for e in good}
        return Accepted(len(once), len(good) - len(once), tuple(bad), test_code)
    sealed = seal_payloads(parts, client_id, [e.payload for e in good])
    queued = 0
    with transaction(parts.engine) as c:
        for start in range(0, len(good), _AT_ONCE):
            rows = [
                {"event_name": e.event_name, "event_id": e.event_id, "event_time": e.event_time,
                 "expires_at": e.expires_at, "payload_sealed": shut.hex()}
                for e, shut in list(zip(good, sealed, strict=True))[start : start + _AT_ONCE]
            ]  # fmt: skip
            queued += len(
                store.insert(c, client_id=client_id, dataset_id=dataset_id, test_code=test_code,
                             events=rows, now=parts.now())
            )  # fmt: skip
        if names:
            store.insert_rejected(
                c, client_id=client_id, dataset_id=dataset_id, rows=names, now=parts.now()
            )
        audit.record(
            c, "conversions.accept", actor=actor, client_id=client_id, dataset_id=dataset_id,
            queued=queued, duplicate=len(good) - queued, rejected=len(bad), test_code=test_code,
        )  # fmt: skip
    parts.tell(client_id, {"kind": "conversions", "queued": queued})
    return Accepted(queued, len(good) - queued, tuple(bad), test_code)


def seal_payloads(
    parts: WriteParts, client_id: int, payloads: Sequence[Mapping[str, Any]]
) -> list[bytes]:
    """Events sealed with their client's key, in the order given.

    Raises:
        SettingsError: If that key is not to be found.
    """
    return _vault(parts).seal_all([json.dumps(p) for p in payloads], client_id)


def open_payload(parts: WriteParts, sealed: bytes, client_id: int) -> dict[str, Any]:
    """An event as it is sent.

    Raises:
        SettingsError: If its client's key is not to be found.
    """
    return store.read_payload(_vault(parts).open(sealed, client_id))


def seal_waiting(parts: WriteParts) -> int:
    """Seal what releases before sealing left waiting in the clear; how many events that was."""
    done = 0
    while True:
        with transaction(parts.engine) as c:
            rows = store.load_plain(c)
            for row in rows:
                (shut,) = seal_payloads(parts, row["client_id"], [row["payload"]])
                store.store_sealed(c, row["conversion_id"], shut)
        if not rows:
            return done
        done += len(rows)


def _vault(parts: WriteParts) -> Vault:
    if parts.vault is None:
        raise SettingsError("Conversion events need the vault.", "Run it where adlab is set up.")
    return parts.vault


def _check_dataset(accounts: list[dict[str, Any]], dataset_id: int, client: str) -> None:
    if any(a["is_of_others"] for a in accounts):
        raise ConflictError(
            f"Dataset {dataset_id} is known, and of no account of {client!r}.",
            "Check the number; events must not reach another client's dataset.",
        )
    if not any(a["connection_status"] == "ok" and a["token_sealed"] for a in accounts):
        raise TokenExpiredError(
            f"No connection of {client!r} works, so nothing could be sent.",
            "Connect: adlab account connect act_… --client SLUG --token-env VAR",
        )


def _shown_name(raw: Any) -> str | None:
    """The event's name, where it is plainly one."""
    name = raw.get("event_name") if isinstance(raw, Mapping) else None
    plain = isinstance(name, str) and name.isascii() and len(name) <= 50
    return name if plain and str(name).replace("_", "").replace(" ", "").isalpha() else None


def status(parts: WriteParts, client: str | None = None) -> list[dict[str, Any]]:
    """Counts a client, dataset, event name and state.

    Raises:
        UnknownObjectError: If there is no such client.
    """
    with transaction(parts.engine) as c:
        client_id = load_client(c, client).client_id if client else None
        return store.load_status(c, client_id)
