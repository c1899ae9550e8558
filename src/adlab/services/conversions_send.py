"""Bring queued conversion events to Meta: in calls of up to 1,000, again until an answer is clear.

Before a call it is committed that Meta may have its events from now on; after a clear answer that
it has, or has not. A sender that dies in between leaves a lease that ends, and the same events go
again under the same ids, which Meta counts once for 48 hours; after that they are parked as
`unknown`. One bad event that slipped through refuses its whole call: halves are sent then, until
the bad one stands alone.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adlab.core.errors import (
    AdlabError,
    AnswerLostError,
    AuthorizationError,
    BlockedForNowError,
    DatabaseUnavailableError,
    DiskFullError,
    MetaError,
    RateLimitedError,
    RejectedRequestError,
    TokenExpiredError,
)
from adlab.core.quota import Caller
from adlab.meta.client import GraphClient
from adlab.meta.conversions import DEDUPE, MOST_EVENTS, post
from adlab.services.changes_desk import WriteParts
from adlab.services.conversions import open_payload, parse_dataset_id
from adlab.storage import connections
from adlab.storage import conversions as store
from adlab.storage.clients import load_client
from adlab.storage.conversions import Claimed
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)

# Reason: longer than the client ever waits for one call and its quota.
LEASE = timedelta(minutes=30)
KEEP = timedelta(days=90)
CALLS_A_BATCH = 64
_EXPIRES_WITHIN = "5 minutes"
_DEDUPE_MARGIN = timedelta(hours=1)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_PERSON_PAUSE = timedelta(minutes=15)
# Refusals that are about the call, not about one of its events.
_OF_THE_CALL = {(100, 33), (2635, None), (3, None), (12, None)}


@dataclass
class SentReport:
    """What a turn of sending did.

    Attributes:
        sent: Events Meta has.
        test: How many of them under a test code.
        failed: Events Meta refused one by one; never sent again.
        expired: Events that became too old while they waited.
        unknown: Events that Meta may have or not, and would count twice by now.
        later: Events put back for a later turn.
        calls: Requests to Meta.
        failures: Dataset and reason of what was put back.
    """

    sent: int = 0
    test: int = 0
    failed: int = 0
    expired: int = 0
    unknown: int = 0
    later: int = 0
    calls: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing is left for a later turn."""
        return self.later == 0


@dataclass
class _Batch:
    lease: str
    client_id: int
    dataset_id: int
    test_code: str | None
    graph: GraphClient
    connection_id: int
    calls_left: int = CALLS_A_BATCH


def send_due(
    parts: WriteParts,
    now: datetime | None = None,
    *,
    client: str | None = None,
    dataset: str | int | None = None,
) -> SentReport:
    """Send every event that is due; may run in several processes at once, and be killed any time.

    Args:
        parts: See `WriteParts`.
        now: Aware; the clock of `parts` when left out.
        client: Slug, or None for all clients.
        dataset: Number of a dataset, or None for all.

    Returns:
        What was done; what failed is put back with a growing pause.

    Raises:
        UnknownObjectError: If there is no such client.
        DatabaseUnavailableError: If the store went away; what was posted is sent again later.
    """
    at = now or parts.now()
    report = SentReport()
    dataset_id = None if dataset is None else parse_dataset_id(dataset)
    with transaction(parts.engine) as c:
        client_id = load_client(c, client).client_id if client else None
        gone = store.expire(c, at, _EXPIRES_WITHIN, at - DEDUPE + _DEDUPE_MARGIN)
        store.prune(c, at - KEEP)
    report.expired, report.unknown = gone.get("expired", 0), gone.get("unknown", 0)
    if gone:
        log.warning("conversions_not_sent expired=%d unknown=%d", report.expired, report.unknown)
    told: set[int] = set()
    while True:
        lease = str(uuid.uuid4())
        with transaction(parts.engine) as c:
            events = store.claim(
                c, now=at, lease=lease, lease_until=at + LEASE, limit=MOST_EVENTS,
                client_id=client_id, dataset_id=dataset_id,
            )  # fmt: skip
        if not events:
            break
        told.add(events[0].client_id)
        _send_batch(parts, lease, events, at, report)
    for number in told:
        parts.tell(number, {"kind": "conversions", "sent": report.sent})
    if told:
        log.info(
            "conversions_sent sent=%d failed=%d later=%d calls=%d", report.sent, report.failed,
            report.later, report.calls,
        )  # fmt: skip
    return report


def _send_batch(
    parts: WriteParts, lease: str, events: list[Claimed], at: datetime, report: SentReport
) -> None:
    first = events[0]
    try:
        account = _account(parts, first)
        graph = parts.open_client(account["token_sealed"], first.client_id)
        events = [_opened(parts, e) for e in events]
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AdlabError as error:
        _put_back(parts, lease, first.dataset_id, events, at + _PERSON_PAUSE, error, report)
        return
    graph.serve(Caller(account["account_id"], first.client_id, "live"))
    batch = _Batch(
        lease, first.client_id, first.dataset_id, first.test_event_code, graph,
        account["connection_id"],
    )  # fmt: skip
    try:
        _send(parts, batch, events, at, report)
    finally:
        report.calls += graph.calls
        graph.close()


def _opened(parts: WriteParts, event: Claimed) -> Claimed:
    # Reason: events from before sealing wait in the clear until the nightly job or their posting.
    if event.payload_sealed is None:
        return event
    return replace(event, payload=open_payload(parts, event.payload_sealed, event.client_id))


def _account(parts: WriteParts, event: Claimed) -> dict[str, Any]:
    """The account whose token sends: one that is known to have the dataset, else any.

    Raises:
        TokenExpiredError: If none works.
    """
    with transaction(parts.engine) as c:
        accounts = store.load_accounts(c, event.client_id, event.dataset_id)
    for account in accounts:
        if account["connection_status"] == "ok" and account["token_sealed"] is not None:
            return account
    why = accounts[0]["status_reason"] if accounts else "no account is connected"
    raise TokenExpiredError(
        f"No connection of the client works: {why}", "Connect again: adlab account connect act_…"
    )


def _send(
    parts: WriteParts, batch: _Batch, events: Sequence[Claimed], at: datetime, report: SentReport
) -> None:
    """Post events, in halves where Meta refuses them together."""
    if batch.calls_left <= 0:
        why = RejectedRequestError("Meta refused many of these events; the rest goes on later.")
        _put_back(parts, batch.lease, batch.dataset_id, events, at + _FIRST_PAUSE, why, report)
        return
    posted_at = parts.now()
    with transaction(parts.engine) as c:
        mine = store.mark_posting(c, [e.conversion_id for e in events], batch.lease, posted_at)
    events = [e for e in events if e.conversion_id in mine]
    if not events:
        return
    batch.calls_left -= 1
    ids = [e.conversion_id for e in events]
    try:
        receipt = post(batch.graph, batch.dataset_id, [e.payload for e in events], batch.test_code)
    except AnswerLostError as error:
        _put_back(parts, batch.lease, batch.dataset_id, events, _later(at, events), error, report)
        return
    except MetaError as error:
        _refused(parts, batch, events, at, posted_at, error, report)
        return
    with transaction(parts.engine) as c:
        store.settle(
            c, ids, batch.lease, "sent", parts.now(), trace_id=receipt.trace_id,
            error="; ".join(receipt.messages)[:1000] or None,
        )  # fmt: skip
    report.sent += len(ids)
    report.test += len(ids) if batch.test_code else 0


def _refused(
    parts: WriteParts,
    batch: _Batch,
    events: Sequence[Claimed],
    at: datetime,
    posted_at: datetime,
    error: MetaError,
    report: SentReport,
) -> None:
    """Meta took none of the events, and said why."""
    is_of_an_event = (
        isinstance(error, RejectedRequestError)
        and not isinstance(error, BlockedForNowError)
        and error.code == 100
        and (error.code, error.subcode) not in _OF_THE_CALL
    )
    if not is_of_an_event:
        if isinstance(error, TokenExpiredError):
            with transaction(parts.engine) as c:
                connections.mark_connection(
                    c, batch.connection_id, "reauth_required", error.message
                )
        if isinstance(error, RateLimitedError):
            later = at + timedelta(seconds=error.retry_after)
        elif isinstance(error, AuthorizationError):
            later = at + _PERSON_PAUSE
        else:
            later = _later(at, events)
        _put_back(parts, batch.lease, batch.dataset_id, events, later, error, report, posted_at)
        return
    if len(events) == 1:
        with transaction(parts.engine) as c:
            store.settle(
                c, [events[0].conversion_id], batch.lease, "failed", parts.now(),
                error=error.reason, trace_id=error.trace_id,
            )  # fmt: skip
        report.failed += 1
        log.warning("conversion_refused dataset_id=%d subcode=%s", batch.dataset_id, error.subcode)
        return
    with transaction(parts.engine) as c:
        store.unpost(c, [e.conversion_id for e in events], batch.lease, posted_at)
    middle = len(events) // 2
    _send(parts, batch, events[:middle], at, report)
    _send(parts, batch, events[middle:], at, report)


def _later(at: datetime, events: Sequence[Claimed]) -> datetime:
    doubled = min(max(e.attempts for e in events) - 1, 10)
    return at + min(_LONGEST_PAUSE, _FIRST_PAUSE * int(2**doubled))


def _put_back(
    parts: WriteParts,
    lease: str,
    dataset_id: int,
    events: Sequence[Claimed],
    later: datetime,
    error: AdlabError,
    report: SentReport,
    surely_not: datetime | None = None,
) -> None:
    reason = error.reason if isinstance(error, MetaError) else str(error)
    with transaction(parts.engine) as c:
        store.put_back(
            c, [e.conversion_id for e in events], lease, not_before=later, error=reason,
            surely_not=surely_not,
        )  # fmt: skip
    report.later += len(events)
    report.failures.append((dataset_id, str(error)))
    log.warning(
        "conversions_put_back dataset_id=%d events=%d error=%s", dataset_id, len(events),
        type(error).__name__,
    )  # fmt: skip
