"""Puts a worker's parts together from the runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from adlab.jobs.measures import Measures
from adlab.jobs.tasks import TaskParts, TurnFailedError
from adlab.services import audit, inbox
from adlab.services.changes_recover import apply_waiting, recover
from adlab.services.connections import ConnectionParts, upkeep
from adlab.services.conversions import seal_waiting
from adlab.services.conversions_send import send_due
from adlab.services.deletion import perform_deletions
from adlab.services.inbox_subscriptions import reconcile
from adlab.services.keys import reseal
from adlab.services.people import watch_sessions
from adlab.services.privacy_retention import apply_retention

if TYPE_CHECKING:
    from adlab.runtime import Runtime

SLICES_A_JOB = 4


def task_parts(runtime: Runtime, measures: Measures) -> TaskParts:
    """What tasks need, with every request to Meta counted.

    Args:
        runtime: The process's runtime.
        measures: Where calls are counted.
    """
    runtime.observe_meta = measures.observe
    ingest = runtime.ingest
    # Reason: a slice holds a connection while its pages come, and several jobs run side by side.
    ingest = replace(ingest, concurrency=min(ingest.concurrency, SLICES_A_JOB))
    return TaskParts(
        ingest=ingest, page_size=runtime.settings.meta.page_size, agency=_agency(runtime)
    )


def _agency(runtime: Runtime) -> dict[str, Callable[[datetime], int]]:
    """Tasks that belong to no account: kind → what it did, as a count."""
    connections = ConnectionParts(runtime.engine, runtime.vault, runtime.meta)

    def look_after_tokens(now: datetime) -> int:
        return len(upkeep(connections, now))

    def delete_on_request(now: datetime) -> int:
        return len(perform_deletions(runtime.engine, now))

    def settle_changes(now: datetime) -> int:
        settled = [recover(runtime.writes), apply_waiting(runtime.writes, now)]
        failures = [why for s in settled for _, why in s.failures]
        if failures:
            raise TurnFailedError(f"{failures[0]} ({len(failures)} changes)")
        return sum(len(s.changes) for s in settled)

    def send_conversions(now: datetime) -> int:
        report = send_due(runtime.writes, now)
        if report.failures:
            dataset, why = report.failures[0]
            raise TurnFailedError(f"dataset {dataset}: {why} ({len(report.failures)} datasets)")
        return report.sent

    def follow_webhooks(now: datetime) -> int:
        return inbox.process(runtime.ingest, now).claimed

    def keep_subscriptions(now: datetime) -> int:
        inbox.prune(runtime.ingest, now)
        if runtime.meta.app is None:
            return 0
        return sum(a.state == "added" for a in reconcile(runtime.subscriptions()).accounts)

    def keep_audit(now: datetime) -> int:
        return audit.keep(runtime.engine, runtime.vault)

    def keep_no_longer(now: datetime) -> int:
        moved = reseal(runtime.engine, runtime.vault) + seal_waiting(runtime.writes)
        return moved + sum(c.rows for c in apply_retention(runtime.engine, now))

    def watch_logins(now: datetime) -> int:
        return watch_sessions(runtime.engine)

    return {
        "sessions": watch_logins,
        "retention": keep_no_longer,
        "audit": keep_audit,
        "inbox": follow_webhooks,
        "subscriptions": keep_subscriptions,
        "upkeep": look_after_tokens,
        "deletions": delete_on_request,
        "changes": settle_changes,
        "conversions": send_conversions,
    }
