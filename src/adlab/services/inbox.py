"""Process what webhooks told: an update names an object, and what is true of it is read from Meta.

Updates carry no new values and come in any order, so none is believed for its content: the object
is read, stored, and its history names the change. Only signals that exist nowhere else (creative
fatigue) are kept as they came. Each update ends with what followed from it, or why nothing did.

An update is claimed for ten minutes; a processor that dies leaves it `new`, and the next one takes
it. What is stored for an account and what is noted on its updates is one transaction.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from adlab.core.errors import (
    AdlabError,
    DatabaseUnavailableError,
    DiskFullError,
    TokenExpiredError,
)
from adlab.core.quota import Caller
from adlab.services.inbox_follow import Account, follow, retried
from adlab.services.sync_run import IngestParts
from adlab.storage import connections, inbox, objects
from adlab.storage.engine import transaction
from adlab.storage.inbox import Settled, Update

log = logging.getLogger(__name__)

CLAIM = 1_000
ROUNDS = 20
LEASE = timedelta(minutes=10)
KEEP = timedelta(days=30)


@dataclass
class Processed:
    """What a run did.

    Attributes:
        claimed: Updates taken.
        done: Something followed.
        ignored: Nothing had to, with the reason on the update.
        again: They failed for now and come again.
        failed: They failed for good.
        calls: Requests to the Graph API.
        changed: Objects that turned out new or different.
    """

    claimed: int = 0
    done: int = 0
    ignored: int = 0
    again: int = 0
    failed: int = 0
    calls: int = 0
    changed: int = 0

    def count(self, settled: list[Settled]) -> None:
        """Count what came of some updates."""
        for s in settled:
            if s.state == "done":
                self.done += 1
            elif s.state == "ignored":
                self.ignored += 1
            elif s.state == "failed":
                self.failed += 1
            else:
                self.again += 1


def process(parts: IngestParts, now: datetime | None = None) -> Processed:
    """Process every update that waits; safe to run twice at once.

    Args:
        parts: See `IngestParts`.
        now: Current aware time.

    Raises:
        DatabaseUnavailableError: If the store went away; claimed updates come again.
        DiskFullError: If its disk is full; likewise.
    """
    at = now or parts.now()
    total = Processed()
    for _ in range(ROUNDS):
        with transaction(parts.engine) as connection:
            updates = inbox.claim(connection, at, at + LEASE, CLAIM)
        if not updates:
            break
        total.claimed += len(updates)
        _process(parts, updates, at, total)
    if total.claimed:
        log.info(
            "inbox_processed claimed=%d done=%d ignored=%d again=%d failed=%d calls=%d",
            total.claimed, total.done, total.ignored, total.again, total.failed, total.calls,
        )  # fmt: skip
    return total


def _process(parts: IngestParts, updates: list[Update], at: datetime, total: Processed) -> None:
    by_account: dict[int, list[Update]] = {}
    for update in updates:
        by_account.setdefault(update.account_id, []).append(update)
    with ThreadPoolExecutor(parts.concurrency, thread_name_prefix="inbox") as pool:
        work = partial(_account, parts, at)
        for settled, account in pool.map(lambda item: work(*item), by_account.items()):
            total.count(settled)
            total.calls += account.calls
            total.changed += account.changed


def _account(
    parts: IngestParts, at: datetime, account_id: int, updates: list[Update]
) -> tuple[list[Settled], Account]:
    """Process one account's updates; never raises for what is wrong with the account."""
    account = Account(account_id, 0)
    try:
        found = _open(parts, account_id)
        if isinstance(found, str):
            settled = [Settled(u.event_id, "ignored", error=found) for u in updates]
            _note(parts, settled, at)
            return settled, account
        account = found
        return follow(parts, account, updates, at), account
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AdlabError as error:
        log.warning(
            "inbox_failed account_id=%s updates=%d error=%s",
            account_id, len(updates), type(error).__name__,
        )  # fmt: skip
        settled = _failed(parts, account, updates, error, at)
        _note(parts, settled, at)
        return settled, account
    finally:
        account.close()


def _open(parts: IngestParts, account_id: int) -> Account | str:
    """The account with a client to read it, or why there is nothing to be done for it."""
    with transaction(parts.engine) as connection:
        owner = objects.load_account(connection, account_id)
        rows = objects.load_accounts(connection, account_id=account_id)
    if owner is None:
        return "No client has this account."
    if not rows or rows[0]["token_sealed"] is None:
        return "The account is disconnected."
    row = rows[0]
    if row["connection_status"] != "ok":
        return f"The account's connection does not work: {row['connection_status']}."
    graph = parts.open_client(row["token_sealed"], row["client_id"])
    graph.serve(Caller(account_id, row["client_id"], parts.priority))
    return Account(account_id, row["client_id"], row["slug"], row["connection_id"], graph)


def _failed(
    parts: IngestParts, account: Account, updates: list[Update], error: AdlabError, at: datetime
) -> list[Settled]:
    """Again later, or failed for good; a dead token is noted on its connection."""
    if isinstance(error, TokenExpiredError) and account.connection_id is not None:
        with transaction(parts.engine) as connection:
            connections.mark_connection(
                connection, account.connection_id, "reauth_required", error.message
            )
        why = f"The account's connection does not work: {error.message}"
        return [Settled(u.event_id, "ignored", error=why) for u in updates]
    return [retried(u, str(error), at) for u in updates]


def _note(parts: IngestParts, settled: list[Settled], at: datetime) -> None:
    with transaction(parts.engine) as connection:
        inbox.settle(connection, settled, at)


def prune(parts: IngestParts, now: datetime | None = None) -> int:
    """Forget updates, and counters of refusals, of more than 30 days ago; how many updates."""
    with transaction(parts.engine) as connection:
        return inbox.prune(connection, (now or parts.now()) - KEEP)
