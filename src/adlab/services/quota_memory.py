"""What a run learns of an account's quota and report sizes, kept for the next and for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine

from adlab.core.entities import AccountId
from adlab.core.quota import ADS_USES, Caller, Priority
from adlab.meta.client import GraphClient
from adlab.meta.insights import InsightsReader
from adlab.meta.splits import Learned, SafeSize
from adlab.storage import quota
from adlab.storage.engine import transaction


def open_reader(
    engine: Engine,
    client: GraphClient,
    account_id: AccountId,
    client_id: int,
    priority: Priority,
    now: datetime,
) -> InsightsReader:
    """A reader of an account that calls in its name and knows what earlier runs learned."""
    client.serve(Caller(int(account_id), client_id, priority))
    return InsightsReader(client, account_id, learned=recall(engine, account_id, now))


class _Account(Protocol):
    client: GraphClient
    account_id: AccountId
    client_id: int
    reader: InsightsReader


def remember_all(engine: Engine, accounts: Iterable[_Account], now: datetime) -> None:
    """Store what a run learned of each of its accounts; see `remember`."""
    for account in accounts:
        remember(
            engine, account.client, client_id=account.client_id,
            account_id=int(account.account_id), learned=account.reader.learned, now=now,
        )  # fmt: skip


def recall(engine: Engine, account_id: int, now: datetime) -> Learned:
    """What earlier runs learned of an account's reports."""
    with transaction(engine) as connection:
        rows = quota.load_sizes(connection, account_id, now)
    return Learned({r.pop("kind"): SafeSize(**r) for r in rows})


def remember(
    engine: Engine,
    client: GraphClient,
    *,
    client_id: int,
    account_id: int,
    learned: Learned,
    now: datetime,
) -> None:
    """Store how the account's meters stand, and what was learned of its reports in this run.

    Args:
        engine: The owner's engine.
        client: The one the run called with.
        client_id: Tenant.
        account_id: Ad account.
        learned: What its readers shared.
        now: Aware UTC.
    """
    account = f"act:{account_id}"
    scopes = ["app", "app:ads_insights", account, *(f"{account}:{use}" for use in ADS_USES)]
    standings = client.pace.budget.standing(scopes)
    with transaction(engine) as connection:
        quota.store_standings(
            connection, client_id=client_id, account_id=account_id, standings=standings, as_of=now
        )
        quota.store_sizes(
            connection, client_id=client_id, account_id=account_id, now=now,
            sizes={kind: asdict(learned.of(kind)) for kind in learned.changed},
        )  # fmt: skip
    learned.changed.clear()
