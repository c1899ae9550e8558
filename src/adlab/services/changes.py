"""Change campaigns, ad sets and ads at Meta: dry run, apply, read back, undo.

Every change is in the journal before it is sent and settled by what is read afterwards, so that
whatever is interrupted can be told apart later (`services.changes_recover`). Who may change what is
decided by the caller.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from adlab.core.changes import Change, CreateAd, Observed, Remove, inverse, observe
from adlab.core.entities import AdObject, Level, parse_account_id
from adlab.core.errors import ChangeRefusedError, ConflictError
from adlab.meta import writes
from adlab.services.changes_desk import Desk, Look, WriteParts, budget_wait, examine, open_desk
from adlab.services.changes_recover import settle_orphans
from adlab.services.changes_send import Applied as Applied
from adlab.services.changes_send import applied, carry_out
from adlab.storage import audit
from adlab.storage import changes as store
from adlab.storage.changes import Entry
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DryRun:
    """What a change would do.

    Attributes:
        object_id: Of what.
        name: The object's name at Meta.
        currency: Of the account; money below is in whole offset units (`…_minor`).
        before: The fields concerned, as they are.
        wanted: The same, as they would be.
        is_so_already: Whether nothing would be sent.
        asked_meta: Whether Meta itself checked it (`validate_only`); copies and removals cannot be.
        not_before: When it would be sent, where that is later than now (aware UTC).
    """

    object_id: int
    name: str
    currency: str
    before: Observed
    wanted: Observed
    is_so_already: bool
    asked_meta: bool
    not_before: datetime | None


def dry_run(parts: WriteParts, change: Change) -> DryRun:
    """Have a change checked, here and by Meta, without doing it.

    Raises:
        ChangeRefusedError: If it does not fit the object.
        MetaError: If Meta would refuse it, with the fields it blames.
        UnknownObjectError, MissingPermissionError, TokenExpiredError: As `apply`.
        ValueError: If an amount has more decimals than the currency.
    """
    with open_desk(parts, change) as desk:
        look = examine(desk, change)
        asked = writes.has_dry_run(change) and not (look.before and look.is_so_already)
        if asked and isinstance(change, CreateAd):
            writes.check_creation(desk.graph, change)
        elif asked:
            writes.send_edit(desk.graph, change, desk.currency, dry_run=True)
        return DryRun(
            change.object_id, look.found.name, desk.currency, look.before, look.wanted,
            bool(look.before) and look.is_so_already, asked, budget_wait(parts, change),
        )  # fmt: skip


def apply(parts: WriteParts, change: Change, *, actor: str, reason: str) -> Applied:
    """Do a change, read back what is there, and refresh the store.

    A fifth change of a budget within an hour is not sent but waits, and takes the place of an
    older wish that waits.

    Args:
        parts: See `WriteParts`.
        change: What is wanted.
        actor: Who wants it.
        reason: Why, for people who ask later.

    Returns:
        What became of it.

    Raises:
        ChangeRefusedError: If it does not fit the object as it is.
        ConflictError: If another change of the object is under way or not settled.
        MissingPermissionError: If the connection may only read.
        TokenExpiredError: If the connection needs a person.
        UnknownObjectError: If account or object are not known here.
        MetaError: If Meta refused it; it is in the journal as failed.
        ValueError: If actor or reason are missing, or an amount has too many decimals.
    """
    if isinstance(change, Remove):
        raise ValueError("removing is only ever the undoing of a change that made something")
    return _apply(parts, change, actor=actor, reason=reason)


def _apply(
    parts: WriteParts, change: Change, *, actor: str, reason: str, undone: Entry | None = None
) -> Applied:
    if not actor.strip() or not reason.strip():
        raise ValueError("a change needs somebody who wants it, and a reason")
    level = _level_of_inverse(change, undone)
    with (
        open_desk(parts, change, level) as desk,
        store.hold(parts.engine, change.object_id, parts.patience),
    ):
        settle_orphans(parts, desk, change)
        look = examine(desk, change)
        if undone is not None:
            _check_untouched(parts, undone, change, look.found)
        number = _plan(parts, desk, change, look, actor, reason, undone)
        entry = applied(parts, number)
        if entry.state != "planned":
            parts.tell(desk.client_id, {"kind": "changes", "change_id": number,
                                        "state": entry.state})  # fmt: skip
            return entry
        return carry_out(parts, desk, number, look.found)


def _level_of_inverse(change: Change, undone: Entry | None) -> Level | None:
    """Level of an object that the store may not have yet."""
    if undone is None or not isinstance(change, Remove):
        return None
    return Level.AD if isinstance(undone.change, CreateAd) else Level(undone.level)


def _plan(
    parts: WriteParts,
    desk: Desk,
    change: Change,
    look: Look,
    actor: str,
    reason: str,
    undone: Entry | None,
) -> int:
    """Write a change down: planned, waiting, or done already."""
    nothing = bool(look.before) and look.is_so_already
    later = None if nothing else budget_wait(parts, change)
    state = "verified" if nothing else "planned" if later is None else "waiting"
    back = None if nothing or change.makes else inverse(change, look.before, desk.currency)
    with transaction(parts.engine) as c:
        number = store.insert(
            c, change, client_id=desk.client_id, level=int(desk.level), wanted=look.wanted,
            before=look.before, inverse=back, state=state, actor=actor, reason=reason,
            now=parts.now(), not_before=later, undoes=undone.change_id if undone else None,
            after=look.before if nothing else None,
            remarks=("It was so already; nothing was sent.",) if nothing else (),
        )  # fmt: skip
        audit.record(
            c, "change.planned", actor=actor, client_id=desk.client_id, change_id=number,
            kind=change.kind, account_id=int(change.account_id), object_id=change.object_id,
            reason=reason,
        )  # fmt: skip
    return number


def undo(parts: WriteParts, change_id: int, *, actor: str, reason: str | None = None) -> Applied:
    """Take a change back by its recorded inverse, which is a change of its own.

    Args:
        parts: See `WriteParts`.
        change_id: What to take back.
        actor: Who wants it.
        reason: Why; names the change when left out.

    Raises:
        ChangeRefusedError: If it cannot be undone, or the object was changed since.
        ConflictError: If it is undone already.
        UnknownObjectError: If there is no such change.
        MetaError: As `apply`.
    """
    with transaction(parts.engine) as c:
        entry = store.load_one(c, change_id)
        by = store.load_undo(c, change_id)
    if by is not None:
        raise ConflictError(f"Change {change_id} is undone already, by change {by}.")
    if entry.state not in ("verified", "differs") or entry.inverse is None:
        why = "has no inverse" if entry.state in ("verified", "differs") else f"is {entry.state}"
        raise ChangeRefusedError(
            f"Change {change_id} {why}, so there is nothing to undo.", "See: adlab change list"
        )
    return _apply(
        parts, entry.inverse, actor=actor, reason=reason or f"undo of change {change_id}",
        undone=entry,
    )  # fmt: skip


def _check_untouched(parts: WriteParts, undone: Entry, change: Change, found: AdObject) -> None:
    with transaction(parts.engine) as c:
        by = store.load_undo(c, undone.change_id)
    if by is not None:
        raise ConflictError(f"Change {undone.change_id} is undone already, by change {by}.")
    after = undone.after or {}
    now_so = observe(change, found)
    for name, value in now_so.items():
        if after.get(name) != value:
            raise ChangeRefusedError(
                f"{name} of {found.object_id} is {value!r} now and was {after.get(name)!r} after "
                f"change {undone.change_id}: somebody changed it since.",
                "Nothing was undone; look at it, and make a new change if it should be another.",
            )


def list_changes(
    parts: WriteParts,
    client: str | None = None,
    account: str | None = None,
    object_id: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Entries of the journal, newest first.

    Raises:
        UnknownObjectError: If there is no such client.
        ValueError: If the account id is malformed.
    """
    with transaction(parts.engine) as c:
        client_id = load_client(c, client).client_id if client else None
        account_id = parse_account_id(account) if account else None
        return store.load(
            c, client_id=client_id, account_id=account_id, object_id=object_id, limit=limit
        )
