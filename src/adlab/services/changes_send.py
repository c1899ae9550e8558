"""Sends a change that is in the journal, reads back what is there, and settles the entry.

The order never varies: commit what is about to be called, call, read, commit what was found. What
makes something is looked for before it is ever sent again; what edits something is read instead.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adlab.core.changes import (
    CreateAd,
    Observed,
    Remove,
    SetBudget,
    difference,
    inverse,
    observe,
    remarks,
)
from adlab.core.entities import AdObject, Level
from adlab.core.errors import (
    BlockedForNowError,
    MetaError,
    MissingPermissionError,
    RateLimitedError,
    RejectedRequestError,
    RetryableMetaError,
)
from adlab.meta import writes
from adlab.services.changes_desk import HOUR, MARGIN, Desk, WriteParts, budget_wait, describe
from adlab.storage import audit, objects
from adlab.storage import changes as store
from adlab.storage.changes import Entry
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)

# Reason: clocks differ, and Meta's times have whole seconds; what was there before is known.
SINCE = timedelta(hours=1)
_TRIES = 2


@dataclass(frozen=True)
class Applied:
    """What became of a change.

    Attributes:
        change_id: Its number in the journal.
        state: `verified`: read back as wanted; `differs`: done, and not as wanted, see
            `difference`; `waiting` until `not_before`; `unknown`: it may have been done, and
            `recover` will tell; `failed`: not done, see `error`; `sent`: still open.
        kind: Which kind of change.
        object_id: Of what.
        before: The fields concerned, before; money in whole offset units (`…_minor`).
        after: The same, read back.
        difference: Field → wanted and found value.
        remarks: What a person should know, such as a review that is under way.
        made_id: What was made.
        can_undo: Whether an inverse is recorded.
        not_before: Aware UTC.
        error: Why it failed.
    """

    change_id: int
    state: str
    kind: str
    object_id: int
    before: Observed
    after: Observed | None
    difference: dict[str, Any] | None
    remarks: tuple[str, ...]
    made_id: int | None
    can_undo: bool
    not_before: datetime | None
    error: str | None


def applied(parts: WriteParts, change_id: int) -> Applied:
    """What the journal says of a change."""
    with transaction(parts.engine) as c:
        e = store.load_one(c, change_id)
    return Applied(
        e.change_id, e.state, e.kind, e.object_id, e.before, e.after, e.difference, e.remarks,
        e.made_id, e.inverse is not None and e.state in ("verified", "differs"), e.not_before,
        e.error,
    )  # fmt: skip


def carry_out(parts: WriteParts, desk: Desk, change_id: int, source: AdObject) -> Applied:
    """Send a planned change and settle it.

    Args:
        parts: See `WriteParts`.
        desk: The account; the object's lock is held.
        change_id: In state `planned` or `waiting`.
        source: The object as just read.

    Raises:
        MetaError: If Meta refused it, or nothing was sent; the entry is `failed` then.
    """
    with transaction(parts.engine) as c:
        entry = store.load_one(c, change_id)
    try:
        if entry.change.makes:
            _create(parts, desk, entry, source)
        else:
            _edit(parts, desk, entry)
    except BlockedForNowError as error:
        if not isinstance(entry.change, SetBudget):
            _fail(parts, entry, error)
            raise
        # Reason: our own clock, the one `apply_waiting` looks at.
        later = parts.now() + HOUR + MARGIN
        _settle(parts, entry, "waiting", error=describe(error), not_before=later, uncount=True)
    except MissingPermissionError as error:
        _fail(parts, entry, error)
        raise MissingPermissionError(
            f"The token may not change {entry.object_id}: {error.reason}",
            "Connect again with ads_management, and give the token's user the task Manage "
            "campaigns on the account.",
            code=error.code, subcode=error.subcode, trace_id=error.trace_id,
        ) from None  # fmt: skip
    except MetaError as error:
        _fail(parts, entry, error)
        raise
    return applied(parts, change_id)


def _edit(parts: WriteParts, desk: Desk, entry: Entry) -> None:
    """Edit, read back, and send once more when the first try left no trace.

    Raises:
        MetaError: If nothing was done.
    """
    lost: MetaError | None = None
    for attempt in range(1, _TRIES + 1):
        if attempt > 1 and (later := budget_wait(parts, entry.change)) is not None:
            _settle(parts, entry, "waiting", not_before=later)
            return
        with transaction(parts.engine) as c:
            store.mark_sent(c, entry.change_id, parts.now())
        lost = None
        try:
            writes.send_edit(desk.graph, entry.change, desk.currency)
        except RetryableMetaError as error:
            # Reason: a deletion is repeated inside its call, and an earlier try may have arrived.
            if isinstance(error, RateLimitedError) and not isinstance(entry.change, Remove):
                raise
            lost = error
        except MetaError as error:
            if not (isinstance(entry.change, Remove) and (error.code, error.subcode) == (100, 33)):
                raise
        if settle_edit(parts, desk, entry, lost):
            return
        parts.sleep(parts.looks[0] if parts.looks else 0.0)
        if lost is None or attempt == _TRIES:
            break
    # Reason: an answer that said yes, and a value that is not there yet: look once more.
    settle_edit(parts, desk, entry, lost, last=True)


def settle_edit(
    parts: WriteParts, desk: Desk, entry: Entry, lost: Exception | None, *, last: bool = False
) -> bool:
    """Read an edited object and settle its entry; False while nothing can be said.

    Args:
        parts: See `WriteParts`.
        desk: The account.
        entry: What was sent.
        lost: Why it is not known whether it was done, if it is not.
        last: Say what is there, even when it is not what was wanted.
    """
    try:
        found = writes.fetch_one(desk.graph, Level(entry.level), entry.object_id)
    except MetaError as error:
        if not last and lost is None and isinstance(error, RetryableMetaError):
            return False
        if isinstance(entry.change, Remove) and isinstance(error, RejectedRequestError):
            _settle(parts, entry, "verified", after=entry.wanted, remarks=("Nobody sees it now.",))
        else:
            _settle(parts, entry, "unknown", error=f"It could not be read back: {describe(error)}")
        return True
    now_so = observe(entry.change, found)
    apart = difference(entry.wanted, now_so)
    if not apart:
        _finish(parts, desk, entry, "verified", now_so, {}, [found])
        return True
    if not last:
        return False
    if lost is not None and now_so == {k: entry.before.get(k) for k in now_so}:
        _settle(parts, entry, "unknown", after=now_so, error=describe(lost))
    else:
        _finish(parts, desk, entry, "differs", now_so, apart, [found])
    return True


def _create(parts: WriteParts, desk: Desk, entry: Entry, source: AdObject) -> None:
    """Make something exactly once.

    Raises:
        MetaError: If nothing was made.
    """
    label = _mark(parts, desk, entry, source)
    with transaction(parts.engine) as c:
        entry = store.load_one(c, entry.change_id)
    lost: MetaError | None = None
    for _ in range(_TRIES):
        with transaction(parts.engine) as c:
            store.mark_sent(c, entry.change_id, parts.now())
        try:
            made = writes.send_creation(desk.graph, entry.change, Level(entry.level), label)
        except RateLimitedError:
            raise
        except RetryableMetaError as error:
            lost = error
        else:
            _note_made(parts, desk, entry, made)
            settle_made(parts, desk, entry, source, made, is_retry=lost is not None)
            return
        if settle_lost(parts, desk, entry, source):
            return
    _settle(parts, entry, "unknown", error=describe(lost) if lost else None)


def _mark(parts: WriteParts, desk: Desk, entry: Entry, source: AdObject) -> str | None:
    """Make sure that what is about to be made can be told from everything else.

    Returns:
        The label it will carry; None where labels are of no use, and what is there already is
        written down instead.
    """
    since = parts.now() - SINCE
    label: str | None = None
    known: list[int] = []
    if isinstance(entry.change, CreateAd):
        try:
            label = writes.ensure_label(desk.graph, entry.account_id, entry.key)
        except MetaError as error:
            log.warning("change_without_label change_id=%d error=%s", entry.change_id, error.code)
    if label is None:
        known = writes.find_made(desk.graph, entry.change, Level(entry.level), source, since)
    before = {"known": known, "since": since.isoformat(), "source_name": source.name}
    with transaction(parts.engine) as c:
        store.store_mark(c, entry.change_id, label, before)
    return label


def settle_lost(parts: WriteParts, desk: Desk, entry: Entry, source: AdObject) -> bool:
    """Look for what a creation without an answer made; True when that settled it."""
    for seconds in parts.looks:
        parts.sleep(seconds)
        try:
            ids = look_for(desk, entry, source)
        except RetryableMetaError:
            continue
        if ids:
            settle_found(parts, desk, entry, source, ids)
            return True
    try:
        ids = look_for(desk, entry, source)
    except RetryableMetaError as error:
        # Reason: not having been able to look is no proof that there is nothing.
        _settle(parts, entry, "unknown", error=f"It could not be looked for: {describe(error)}")
        return True
    if ids:
        settle_found(parts, desk, entry, source, ids)
    return bool(ids)


def look_for(desk: Desk, entry: Entry, source: AdObject) -> list[int]:
    """Ids of what an attempt made.

    Raises:
        MetaError: As the client raises.
    """
    if entry.label_id is not None:
        return writes.find_labelled(desk.graph, entry.account_id, entry.label_id)
    since = datetime.fromisoformat(entry.before["since"])
    found = writes.find_made(desk.graph, entry.change, Level(entry.level), source, since)
    return [i for i in found if i not in entry.before["known"]]


def settle_found(
    parts: WriteParts, desk: Desk, entry: Entry, source: AdObject, ids: Sequence[int]
) -> None:
    """Settle a creation by what was found of it."""
    level = _made_level(entry)
    if len(ids) > 1:
        listed = ", ".join(str(i) for i in ids)
        _settle(
            parts, entry, "differs", difference={"copies": [1, len(ids)]},
            error=f"More than one fits: {listed} (all paused). Delete what is too much.",
        )  # fmt: skip
        return
    made = [writes.Made(level, ids[0])]
    _note_made(parts, desk, entry, made)
    settle_made(parts, desk, entry, source, made)


def _made_level(entry: Entry) -> Level:
    return Level.AD if isinstance(entry.change, CreateAd) else Level(entry.level)


def _note_made(parts: WriteParts, desk: Desk, entry: Entry, made: Sequence[writes.Made]) -> None:
    back = inverse(entry.change, {}, desk.currency, made[0].object_id)
    rows = [{"level": m.level.word, "object_id": m.object_id} for m in made]
    with transaction(parts.engine) as c:
        store.store_made(c, entry.change_id, made[0].object_id, rows, back)


def settle_made(
    parts: WriteParts,
    desk: Desk,
    entry: Entry,
    source: AdObject,
    made: Sequence[writes.Made],
    *,
    is_retry: bool = False,
) -> None:
    """Read what was made and settle its entry."""
    notes: list[str] = []
    try:
        found = writes.fetch_made(desk.graph, made)
        twice = look_for(desk, entry, source) if is_retry else []
    except MetaError as error:
        _settle(parts, entry, "unknown", error=f"It could not be read back: {describe(error)}")
        return
    if not found or found[0].object_id != made[0].object_id:
        _settle(parts, entry, "unknown", error=f"{made[0].object_id} could not be read back.")
        return
    extra = [i for i in twice if i != made[0].object_id]
    if extra:
        notes.append(f"Made twice: {', '.join(map(str, extra))} is one too many (paused).")
    now_so = {**observe(entry.change, found[0]), "name": found[0].name}
    apart = difference(entry.wanted, now_so)
    if extra:
        apart["copies"] = [1, 1 + len(extra)]
    state = "differs" if apart else "verified"
    _finish(parts, desk, entry, state, now_so, apart, found, notes)
    if entry.label_id is not None and not extra:
        try:
            writes.drop_label(desk.graph, entry.label_id)
        except MetaError as error:
            log.warning("change_label_left change_id=%d error=%s", entry.change_id, error.code)


def _finish(
    parts: WriteParts,
    desk: Desk,
    entry: Entry,
    state: str,
    after: Observed,
    apart: dict[str, Any],
    found: Sequence[AdObject],
    notes: Sequence[str] = (),
) -> None:
    """Settle a change that was read back, and refresh its objects in the store."""
    told = [*notes, *remarks(found[0])]
    with transaction(parts.engine) as c:
        objects.store_objects(c, desk.client_id, entry.account_id, found)
        _write(parts, c, entry, state, after=after, difference=apart or None, remarks=told)
    _tell(parts, entry, state)


def _settle(parts: WriteParts, entry: Entry, state: str, **more: Any) -> None:
    with transaction(parts.engine) as c:
        _write(parts, c, entry, state, **more)
    _tell(parts, entry, state)


def settle_failed(parts: WriteParts, entry: Entry, reason: str) -> None:
    """Settle a change that was not done."""
    _settle(parts, entry, "failed", error=reason)


def _fail(parts: WriteParts, entry: Entry, error: MetaError) -> None:
    """Settle a change whose newest call surely did nothing."""
    with transaction(parts.engine) as c:
        earlier = len(store.load_one(c, entry.change_id).sends) > 1
    # Reason: an earlier call without an answer may still take effect; `recover` will tell.
    state = "unknown" if earlier else "failed"
    _settle(parts, entry, state, error=describe(error), trace_id=error.trace_id, uncount=True)


def _write(parts: WriteParts, connection: Any, entry: Entry, state: str, **more: Any) -> None:
    still_open = state in ("waiting", "unknown", "sent")
    store.settle(
        connection, entry.change_id, state, settled_at=None if still_open else parts.now(), **more
    )
    audit.record(
        connection, f"change.{state}", actor=entry.actor, client_id=entry.client_id,
        change_id=entry.change_id, kind=entry.kind, account_id=entry.account_id,
        object_id=entry.object_id,
    )  # fmt: skip


def _tell(parts: WriteParts, entry: Entry, state: str) -> None:
    log.info(
        "change_settled change_id=%d kind=%s object_id=%d state=%s", entry.change_id, entry.kind,
        entry.object_id, state,
    )  # fmt: skip
    parts.tell(
        entry.client_id,
        {"kind": "changes", "change_id": entry.change_id, "state": state,
         "object_id": str(entry.object_id)},
    )  # fmt: skip
