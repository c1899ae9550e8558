"""Budgets and goals of clients, read and set with a person's own rights.

The database decides who may plan for whom; here its refusals become errors people understand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from adlab.core.errors import (
    AccessDeniedError,
    AdlabError,
    ConflictError,
    UnknownObjectError,
)
from adlab.core.periods import DateRange
from adlab.storage.tenancy import Reader

WHOLE_CLIENT = "client"


@dataclass(frozen=True)
class Budget:
    """What may be spent on some days.

    Attributes:
        client_id: The client.
        slug: Its short name.
        scope: `client`, or one account of it: `act_…`.
        period: The days, both ends included.
        currency: ISO code.
        amount_micro: For all days, in micro units.
        note: Free text, or None.
        set_by: Who set it.
        set_at: When (aware UTC).
        replaced_at: When it was replaced or withdrawn, or None.
    """

    client_id: int
    slug: str
    scope: str
    period: DateRange
    currency: str
    amount_micro: int
    note: str | None
    set_by: str
    set_at: datetime
    replaced_at: datetime | None = None


@dataclass(frozen=True)
class Goal:
    """What a metric should reach; fields as for `Budget`.

    Attributes:
        client_id: The client.
        slug: Its short name.
        metric: Name in the registry; old rows may name what is no longer there.
        target: Money in major units, rates as shares.
        currency: ISO code for money, else None.
        set_by: Who set it.
        set_at: When (aware UTC).
        replaced_at: When it was replaced or withdrawn, or None.
    """

    client_id: int
    slug: str
    metric: str
    target: Decimal
    currency: str | None
    set_by: str
    set_at: datetime
    replaced_at: datetime | None = None


def load_budgets(
    reader: Reader, client_ids: Sequence[int], days: DateRange | None = None, history: bool = False
) -> list[Budget]:
    """Budgets that touch some days, by client, scope, currency and first day.

    Args:
        reader: Whose rights decide what is found.
        client_ids: Tenants.
        days: Only budgets of these days; all when omitted.
        history: Whether replaced ones come too.
    """
    since, until = (days.since, days.until) if days else (date.min, date.max)
    rows = reader.rows(
        "read_budgets", client_ids=list(client_ids), since=since, until=until, history=history
    )
    return [
        Budget(r["client_id"], r["slug"], r["scope"], DateRange(r["since"], r["until"]),
               r["currency"], r["amount_micro"], r["note"], r["set_by"], r["set_at"],
               r["replaced_at"])
        for r in rows
    ]  # fmt: skip


def load_goals(reader: Reader, client_ids: Sequence[int], history: bool = False) -> list[Goal]:
    """Goals by client and metric; replaced ones too when history is wanted."""
    rows = reader.rows("read_goals", client_ids=list(client_ids), history=history)
    return [Goal(**r) for r in rows]


def set_budgets(reader: Reader, plans: Sequence[Mapping[str, Any]]) -> int:
    """Replace budgets; all or nothing.

    Args:
        reader: The person who plans.
        plans: Each with client (slug), scope, since, until, currency, amount_micro (None only
            withdraws), note.

    Returns:
        How many were set or withdrawn.

    Raises:
        UnknownObjectError: If a client or account is unknown, or not theirs to see.
        AccessDeniedError: If their role on a client does not include planning.
        ConflictError: If somebody stored a budget of overlapping days meanwhile.
    """
    return _set(reader, "call_set_budgets", plans)


def set_goals(reader: Reader, plans: Sequence[Mapping[str, Any]]) -> int:
    """Replace goals, each with client (slug), metric, target (None only withdraws) and currency.

    Raises:
        UnknownObjectError: If a client is unknown, or not theirs to see.
        AccessDeniedError: If their role on a client does not include planning.
    """
    return _set(reader, "call_set_goals", plans)


def _set(reader: Reader, call: str, plans: Sequence[Mapping[str, Any]]) -> int:
    try:
        count: int = reader.call(call, plans=json.dumps(list(plans), default=str))
    except AdlabError as error:
        raise _understood(error) from error
    return count


def _understood(error: AdlabError) -> AdlabError:
    origin = getattr(error.__cause__, "orig", None)
    state = getattr(origin, "sqlstate", None)
    told = str(origin).strip().splitlines()[0] if origin is not None else ""
    text = f"{told[:1].upper()}{told[1:]}"
    if state == "P0002":
        return UnknownObjectError(text, "Nothing was stored.")
    if state == "42501":
        return AccessDeniedError(
            text, "Nothing was stored. Ask an admin for a grant that includes planning."
        )
    if state == "23505":
        return ConflictError(text, "Nothing was stored. Look at lab.budgets.get() and try again.")
    return error
