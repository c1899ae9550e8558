"""What is kept too long goes: every night, client by client, with a line in the audit log."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine

from adlab.core.periods import today_in
from adlab.core.privacy import LIMITS, Retention
from adlab.storage import audit, retention
from adlab.storage.clients import load_client, load_clients
from adlab.storage.engine import transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cleared:
    """What went of one client.

    Attributes:
        client: Its slug.
        retention: What it was measured by.
        counts: Rows a kind; only kinds of which something went.
    """

    client: str
    retention: Retention
    counts: dict[str, int]

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return sum(self.counts.values())


def set_retention(
    engine: Engine, client: str, actor: str = audit.LOCAL_OWNER, **wanted: int | None
) -> Retention:
    """Keep a client's data for a shorter time than the default.

    Args:
        engine: The owner's engine.
        client: Slug.
        actor: Who says so.
        **wanted: `insights_months`, `raw_days`, `webhooks_days`; what is left out stays as it is,
            and None is the default again.

    Returns:
        What holds now. Nothing is removed before the nightly job.

    Raises:
        UnknownObjectError: If there is no such client.
        ValueError: If a number is above the default or too small.
    """
    if unknown := set(wanted) - set(LIMITS):
        raise ValueError(f"there is no retention of {', '.join(sorted(unknown))}")
    with transaction(engine) as connection:
        client_id = load_client(connection, client).client_id
        before = retention.load_retention(connection, client_id)
        now = replace(before, **wanted)
        if now != before:
            retention.store_retention(connection, client_id, now, actor)
            audit.record(
                connection, "client.retention", actor=actor, client_id=client_id,
                before=vars(before), after=vars(now),
            )  # fmt: skip
    return now


def apply_retention(
    engine: Engine, now: datetime, client: str | None = None, *, dry_run: bool = False
) -> list[Cleared]:
    """Remove what is older than each client's retention.

    Each account is a transaction; stopped in between, the next night goes on. Imported days stay
    unless the client has a number of its own.

    Args:
        engine: The owner's engine.
        now: Current aware time.
        client: Slug, or None for all clients.
        dry_run: Only count.

    Returns:
        Clients of which something went, or would go.

    Raises:
        UnknownObjectError: If there is no such client.
    """
    with transaction(engine) as connection:
        found = [load_client(connection, client)] if client else load_clients(connection)
    done = []
    for one in found:
        counts: Counter[str] = Counter()
        with transaction(engine) as connection:
            kept = retention.load_retention(connection, one.client_id)
            accounts = retention.load_accounts(connection, one.client_id)
        for account_id, timezone in accounts:
            with transaction(engine) as connection:
                counts.update(
                    retention.clear_account(
                        connection, one.client_id, account_id,
                        kept.first_day(today_in(timezone, now)),
                        imported_too=kept.insights_months is not None, dry_run=dry_run,
                    )
                )  # fmt: skip
        with transaction(engine) as connection:
            counts.update(
                retention.clear_client(
                    connection, one.client_id, now - timedelta(days=kept.raw),
                    now - timedelta(days=kept.webhooks), dry_run=dry_run,
                )
            )  # fmt: skip
            gone = {name: n for name, n in sorted(counts.items()) if n}
            if gone and not dry_run:
                audit.record(
                    connection, "retention.apply", actor="adlab", client_id=one.client_id,
                    months=kept.months, raw_days=kept.raw, webhooks_days=kept.webhooks,
                    removed=gone,
                )  # fmt: skip
        if gone:
            done.append(Cleared(one.slug, kept, gone))
            if not dry_run:
                log.info("retention_applied client_id=%s rows=%d", one.client_id, done[-1].rows)
    return done
