"""What every change needs: the account and its token, the object as it is, the hourly rule."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from adlab.core.changes import (
    Change,
    Observed,
    SetBudget,
    check,
    expected,
    observe,
)
from adlab.core.entities import AdObject, Level
from adlab.core.errors import (
    MissingPermissionError,
    RejectedRequestError,
    TokenExpiredError,
    UnknownObjectError,
)
from adlab.core.quota import Caller
from adlab.meta import writes
from adlab.meta.client import GraphClient
from adlab.storage import changes as store
from adlab.storage import connections
from adlab.storage.engine import transaction
from adlab.vault import Vault

log = logging.getLogger(__name__)

BUDGET_CHANGES_PER_HOUR = 4
HOUR = timedelta(hours=1)
# Reason: Meta's clock is not ours; a change a moment early would close the budget for an hour.
MARGIN = timedelta(minutes=1)


@dataclass(frozen=True)
class WriteParts:
    """What writing needs; built by `runtime`.

    Attributes:
        engine: The owner's engine.
        open_client: Makes a signed client for a sealed token of a tenant.
        tell: Tells open pages that something of a tenant changed; never raises.
        vault: Seals what is personal in conversion events; nothing else needs it.
        now: Current aware time.
        sleep: Waits; tests hand in a fake.
        looks: Seconds before each look for something whose answer was lost.
        patience: Seconds to wait for another change of the same object.
    """

    engine: Engine
    open_client: Callable[[bytes, int], GraphClient]
    tell: Callable[[int, dict[str, Any]], object]
    vault: Vault | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    looks: tuple[float, ...] = (2.0, 5.0, 15.0)
    patience: float = 60.0


@dataclass(frozen=True)
class Desk:
    """An account opened for one change.

    Attributes:
        client_id: Tenant.
        slug: Its short name.
        currency: Of the account.
        least_budget_minor: Smallest daily budget, when known.
        level: Of the object.
        graph: The signed client.
        connection_id: Whose token it is.
    """

    client_id: int
    slug: str
    currency: str
    least_budget_minor: int | None
    level: Level
    graph: GraphClient
    connection_id: int


@dataclass(frozen=True)
class Look:
    """An object as it was just read, and what a change means for it."""

    found: AdObject
    before: Observed
    wanted: Observed

    @property
    def is_so_already(self) -> bool:
        """Whether the object is as wanted without doing anything."""
        return all(self.before.get(k) == v for k, v in self.wanted.items())


@contextmanager
def open_desk(parts: WriteParts, change: Change, level: Level | None = None) -> Iterator[Desk]:
    """Open the account of a change with a token that may write.

    Args:
        parts: See `WriteParts`.
        change: Whose account and object.
        level: Of the object, when it is known from elsewhere than the store.

    Raises:
        UnknownObjectError: If account or object are not in the store.
        MissingPermissionError: If the token may only read.
        TokenExpiredError: If the connection needs a person, now or on the way.
    """
    name = f"act_{change.account_id}"
    with transaction(parts.engine) as c:
        facts = store.load_account_facts(c, change.account_id)
        known = store.load_level(c, change.account_id, change.object_id)
    if facts is None or facts["source"] != "meta":
        raise UnknownObjectError(
            f"{name} is not connected.",
            "Connect it: adlab account connect act_… --client SLUG --token-env VAR",
        )
    number = level if level is not None else known
    if number is None:
        raise UnknownObjectError(
            f"{name} has no campaign, ad set or ad {change.object_id}, as far as is known here.",
            "Check the id, or read the account first: adlab sync --account act_…",
        )
    require_token(facts, name)
    if facts["scopes"] and "ads_management" not in facts["scopes"]:
        raise MissingPermissionError(
            f"The connection of {name} may only read; ads_management is missing.",
            "Connect again and grant ads_management; the token's user needs the task Manage "
            "campaigns on the account.",
        )
    graph = parts.open_client(facts["token_sealed"], facts["client_id"])
    graph.serve(Caller(change.account_id, facts["client_id"], "live"))
    try:
        yield Desk(
            facts["client_id"], facts["slug"], facts["currency"], facts["min_daily_budget_minor"],
            Level(number), graph, facts["connection_id"],
        )  # fmt: skip
    except TokenExpiredError as error:
        with transaction(parts.engine) as c:
            connections.mark_connection(c, facts["connection_id"], "reauth_required", error.message)
        raise
    finally:
        graph.close()


def require_token(facts: Mapping[str, Any], name: str) -> None:
    """Refuse a connection that does not work.

    Raises:
        TokenExpiredError: With what its owner must do.
    """
    if facts["token_sealed"] is None or facts["connection_status"] != "ok":
        why = facts["status_reason"] or facts["connection_status"] or "it has no connection"
        raise TokenExpiredError(
            f"{name} has no token that works: {why}",
            "Connect again: adlab account connect act_… --client SLUG --token-env VAR",
        )


def examine(desk: Desk, change: Change) -> Look:
    """Read the object from Meta and see whether the change fits it.

    Raises:
        ChangeRefusedError: If it does not fit.
        ValueError: If an amount has more decimals than the currency.
        MetaError: If Meta cannot be asked.
    """
    found = writes.fetch_one(desk.graph, desk.level, change.object_id)
    campaign = None
    if isinstance(change, SetBudget) and desk.level is Level.AD_SET and found.campaign_id:
        campaign = writes.fetch_one(desk.graph, Level.CAMPAIGN, found.campaign_id)
    check(change, desk.level, found, campaign, desk.currency, desk.least_budget_minor)
    if change.makes:
        return Look(found, {}, writes.wanted_of_made(change, found, desk.currency))
    return Look(found, observe(change, found), expected(change, desk.currency))


def budget_wait(parts: WriteParts, change: Change, but_for: int | None = None) -> datetime | None:
    """When a budget may be changed; None is now.

    Meta takes four changes an hour of an ad set, then closes it for an hour. Campaigns are held to
    the same here, because nobody knows whether Meta does.

    Args:
        parts: See `WriteParts`.
        change: The change.
        but_for: A waiting change that is not to be waited for: the one that is about to be sent.
    """
    if not isinstance(change, SetBudget):
        return None
    now = parts.now()
    with transaction(parts.engine) as c:
        made = store.load_budget_times(c, change.account_id, change.object_id, now - HOUR - MARGIN)
        waiting = store.load(
            c, account_id=change.account_id, object_id=change.object_id, states=("waiting",)
        )
    until = [e.not_before for e in waiting if e.not_before and e.change_id != but_for]
    if len(made) >= BUDGET_CHANGES_PER_HOUR:
        until.append(made[-BUDGET_CHANGES_PER_HOUR] + HOUR + MARGIN)
    latest = max(until, default=now)
    return latest if latest > now else None


def describe(error: Exception) -> str:
    """An error for the journal, with the fields Meta blames."""
    blamed = getattr(error, "blamed", ())
    text = error.reason if isinstance(error, RejectedRequestError) else str(error)
    return f"{text} ({', '.join(blamed)})" if blamed else text
