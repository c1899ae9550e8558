"""Settle what was interrupted, and send what had to wait.

Nothing is ever sent again from here on a guess: an edit is read, a creation is looked for, and what
left no trace within ten minutes was not done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adlab.core.changes import Change, CreateAd, observe
from adlab.core.entities import AdObject, Level
from adlab.core.errors import (
    AdlabError,
    ChangeRefusedError,
    ConflictError,
    DatabaseUnavailableError,
    DiskFullError,
    MetaError,
)
from adlab.meta import writes
from adlab.services.changes_desk import Desk, WriteParts, budget_wait, examine, open_desk
from adlab.services.changes_send import (
    Applied,
    applied,
    carry_out,
    look_for,
    settle_edit,
    settle_failed,
    settle_found,
    settle_made,
)
from adlab.storage import changes as store
from adlab.storage.changes import Entry
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)

# Reason: a call that was under way when its sender died may take effect a little later.
SETTLED_AFTER = timedelta(minutes=10)
LONGEST_WAIT = timedelta(hours=24)


@dataclass
class Settled:
    """What a turn settled.

    Attributes:
        changes: Those that were looked at and what became of them.
        failures: Number and reason of those that could not be looked at.
        busy: Those that somebody else is working on, or that are too young to be judged.
    """

    changes: list[Applied] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)


def recover(parts: WriteParts) -> Settled:
    """Settle every change that is planned, sent or unknown by reading what is at Meta.

    May run at any time and anywhere: what another process works on is left alone.

    Raises:
        DatabaseUnavailableError: If the store went away.
    """
    with transaction(parts.engine) as c:
        left = store.load(c, states=store.OPEN)
    done = Settled()
    for entry in reversed(left):
        _guarded(parts, entry, done, _recover_one)
    return done


def apply_waiting(parts: WriteParts, now: datetime | None = None) -> Settled:
    """Send the changes that waited long enough.

    A wish that is a day old, or whose object somebody else changed meanwhile, is not sent but
    failed with the reason.

    Args:
        parts: See `WriteParts`.
        now: Aware; the clock of `parts` when left out.

    Raises:
        DatabaseUnavailableError: If the store went away.
    """
    with transaction(parts.engine) as c:
        due = store.load(c, states=("waiting",), due_at=now or parts.now())
    done = Settled()
    for entry in reversed(due):
        _guarded(parts, entry, done, _send_waiting)
    return done


Work = Callable[[WriteParts, Desk, Entry], bool]


def _guarded(parts: WriteParts, entry: Entry, done: Settled, work: Work) -> None:
    try:
        with (
            open_desk(parts, entry.change, Level(entry.level)) as desk,
            store.hold(parts.engine, entry.object_id, 0.0),
        ):
            with transaction(parts.engine) as c:
                fresh = store.load_one(c, entry.change_id)
            if fresh.state != entry.state:
                return
            settled = work(parts, desk, fresh)
    except ConflictError:
        done.busy.append(entry.change_id)
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except (AdlabError, ValueError) as error:
        done.failures.append((entry.change_id, str(error)))
        log.warning("change_not_settled change_id=%d error=%s", entry.change_id, error)
    else:
        if settled:
            done.changes.append(applied(parts, entry.change_id))
        else:
            done.busy.append(entry.change_id)


def _recover_one(parts: WriteParts, desk: Desk, entry: Entry) -> bool:
    """Settle one entry whose lock is held; False while it is too young to be judged."""
    if entry.state == "planned":
        settle_failed(parts, entry, "Interrupted before anything was sent; nothing was changed.")
        return True
    young = bool(entry.sends) and parts.now() - max(entry.sends) < SETTLED_AFTER
    if entry.change.makes:
        return _recover_made(parts, desk, entry, young)
    found = writes.fetch_one(desk.graph, Level(entry.level), entry.object_id)
    now_so = observe(entry.change, found)
    untouched = now_so == {k: entry.before.get(k) for k in now_so}
    if untouched and young:
        return False
    if untouched:
        settle_failed(parts, entry, "Nothing of it is at Meta; it was not done.")
        return True
    return settle_edit(parts, desk, entry, None, last=True)


def _recover_made(parts: WriteParts, desk: Desk, entry: Entry, young: bool) -> bool:
    # Reason: what was copied may have another name by now; the copy has the one of then.
    source = AdObject(Level(entry.level), entry.object_id, entry.before["source_name"])
    if entry.made:
        made = [writes.Made(Level.parse(m["level"]), m["object_id"]) for m in entry.made]
        settle_made(parts, desk, entry, source, made)
        return True
    if not isinstance(entry.change, CreateAd):
        now_so = writes.fetch_one(desk.graph, Level(entry.level), entry.object_id)
        source = AdObject(
            source.level, source.object_id, source.name, now_so.campaign_id, now_so.ad_set_id
        )
    ids = look_for(desk, entry, source)
    if ids:
        settle_found(parts, desk, entry, source, ids)
        return True
    if young:
        return False
    settle_failed(parts, entry, "Nothing of it is at Meta; it was not made.")
    return True


def _send_waiting(parts: WriteParts, desk: Desk, entry: Entry) -> bool:
    """Send one entry whose lock is held; False when it must wait on."""
    if parts.now() - entry.planned_at > LONGEST_WAIT:
        settle_failed(parts, entry, "It waited for more than a day and was not sent.")
        return True
    settle_orphans(parts, desk, entry.change)
    try:
        look = examine(desk, entry.change)
    except (ChangeRefusedError, MetaError) as error:
        if isinstance(error, ChangeRefusedError):
            settle_failed(parts, entry, str(error))
            return True
        raise
    if look.is_so_already:
        return settle_edit(parts, desk, entry, None, last=True)
    if look.before != entry.before:
        settle_failed(
            parts, entry, f"Somebody changed it while this waited: it was {entry.before} and is "
            f"{look.before} now; it was not sent.",
        )  # fmt: skip
        return True
    later = budget_wait(parts, entry.change, entry.change_id)
    if later is not None:
        with transaction(parts.engine) as c:
            store.settle(
                c, entry.change_id, "waiting", settled_at=None, not_before=later,
                error=entry.error,
            )  # fmt: skip
        return False
    try:
        carry_out(parts, desk, entry.change_id, look.found)
    except MetaError as error:
        # Reason: the journal has it as failed; the other wishes must still be sent.
        log.warning("change_refused change_id=%d error=%s", entry.change_id, error.code)
    return True


def settle_orphans(parts: WriteParts, desk: Desk, change: Change) -> None:
    """Settle what an interrupted process left of an object, whose lock is held.

    Creations that cannot be judged yet stand in the way of the very same creation only.

    Raises:
        ConflictError: If something of it cannot be judged yet.
        MetaError: If Meta cannot be asked.
    """
    with transaction(parts.engine) as c:
        left = store.load(
            c, account_id=change.account_id, object_id=change.object_id, states=store.OPEN
        )
    for entry in reversed(left):
        settled = _recover_one(parts, desk, entry)
        if settled and applied(parts, entry.change_id).state not in store.OPEN:
            continue
        if entry.change.makes and entry.change != change:
            continue
        raise ConflictError(
            f"Change {entry.change_id} of {change.object_id} is not settled yet: it may still "
            "take effect.",
            "Wait ten minutes, then: adlab change recover",
        )
