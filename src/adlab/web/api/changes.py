"""Proposals of changes: checked, kept, shown. Nothing here sends anything to Meta.

And strategies, which this version does not have: their addresses answer so.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from adlab.core import changes as core
from adlab.core.changes import Change, SetBudget, SetStatus
from adlab.core.entities import AccountId as AccountNumber
from adlab.core.entities import AdObject, Level, public_id
from adlab.core.errors import AccessDeniedError
from adlab.core.money import display_decimals, meta_offset
from adlab.web.api import models
from adlab.web.api.auth import Caller, Proposing, Reading
from adlab.web.api.params import Cursor, Limit
from adlab.web.api.problems import MEDIA_TYPE, Problem, not_found
from adlab.web.api.reading import (
    LARGEST_ID,
    account_of,
    object_of,
    parse_slug,
    read_cursor,
    word,
    write_cursor,
)
from adlab.web.api.session import Router

router = Router()

NO_STRATEGIES = (
    "Strategies are not available in this version. Nothing was made and nothing was changed."
)
NOT_AVAILABLE: dict[str, Any] = {
    "description": NO_STRATEGIES,
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
}
_FIELDS = (
    "level", "object_id", "name", "campaign_id", "ad_set_id", "creative_id", "status",
    "effective_status", "objective", "optimization_goal", "bid_strategy", "daily_budget_minor",
    "lifetime_budget_minor", "created_at", "updated_at", "start_at", "stop_at",
)  # fmt: skip


class StrategyRequest(BaseModel):
    """For which account strategies are wanted."""

    model_config = ConfigDict(extra="forbid")
    account_id: Annotated[str, Field(max_length=40)]


@router.post("/changesets", status_code=201, tags=["Changes"])
def propose(
    caller: Proposing, wanted: models.ChangeRequest, response: Response
) -> models.ChangeSet:
    """Propose another status or budget. It is checked against the object as last read, and kept.

    Nothing is sent to Meta. An older proposal of the same kind for the same object gives way.
    """
    made = keep(caller, wanted)
    response.headers["Location"] = f"/api/v1/changesets/{made.id}"
    return made


@router.get("/changesets", tags=["Changes"])
def proposals(
    caller: Reading,
    client: Annotated[str | None, Query(max_length=80)] = None,
    state: Annotated[Literal["proposed", "replaced"] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> models.ChangeSets:
    """Proposals, the newest first."""
    numbers = caller.client_ids if client is None else [caller.client(parse_slug(client))]
    limit = min(limit, caller.most_rows)
    before = read_cursor(cursor, [int])
    rows = _rows(caller, numbers, before[0] if before else LARGEST_ID, limit, state=state)
    caller.about(*(r["slug"] for r in rows))
    last = write_cursor(rows[-1]["proposal_id"]) if len(rows) == limit else None
    return models.ChangeSets(data=[_model(r) for r in rows], next=last)


@router.get("/changesets/{changeset_id}", tags=["Changes"])
def proposal(
    caller: Reading, changeset_id: Annotated[str, Path(max_length=40)]
) -> models.ChangeSet:
    """One proposal."""
    if not re.fullmatch(r"[0-9]{1,18}", changeset_id):
        raise not_found()
    return _one(caller, int(changeset_id))


@router.post(
    "/strategies:generate", status_code=409, tags=["Strategies"],
    responses={409: NOT_AVAILABLE},
)  # fmt: skip
def generate(caller: Proposing, wanted: StrategyRequest) -> Response:
    """Not available in this version: answers 409."""
    account_of(caller, wanted.account_id)
    raise Problem(409, NO_STRATEGIES, "not-available")


@router.post(
    "/strategies/{strategy_id}:propose", status_code=409, tags=["Strategies"],
    responses={409: NOT_AVAILABLE},
)  # fmt: skip
def execute(caller: Proposing, strategy_id: Annotated[str, Path(max_length=40)]) -> Response:
    """Not available in this version: answers 409."""
    raise Problem(409, NO_STRATEGIES, "not-available")


def keep(caller: Caller, wanted: models.StatusChange | models.BudgetChange) -> models.ChangeSet:
    """Check a change and keep it as a proposal.

    Raises:
        Problem: 404 if there is no such object; 403 if the caller's role on that client does not
            propose; 409 if the change does not fit the object; 422 if an amount has too many
            decimals or another currency.
    """
    row = object_of(caller, wanted.object_id)
    change, level = _change(wanted, row), Level(row["level"])
    if row["source"] != "meta":
        raise Problem(409, "This object came from a file; there is nothing at Meta to change.")
    if row["vanished_at"] is not None:
        raise Problem(409, "Meta no longer lists this object.")
    found = AdObject(**{n: row[n] for n in _FIELDS} | {"level": level})
    campaign = None
    if level is Level.AD_SET and row["campaign_id"]:
        above = object_of(caller, public_id(row["campaign_id"]), Level.CAMPAIGN)
        campaign = AdObject(**{n: above[n] for n in _FIELDS} | {"level": Level.CAMPAIGN})
    try:
        core.check(change, level, found, campaign, row["currency"], row["min_daily_budget_minor"])
        after = core.expected(change, row["currency"])
    except ValueError as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:300]}.") from None
    before = {n: v for n, v in core.observe(change, found).items() if n in after}
    if before == after:
        raise Problem(409, "It is so already; there is nothing to propose.", "no-change")
    document = {
        "account_id": row["account_id"], "object_id": row["object_id"], "kind": wanted.kind,
        "change": core.as_data(change), "before": before, "wanted": after,
        "reason": wanted.reason, "token": caller.found.token,
    }  # fmt: skip
    try:
        number = caller.reader.call("api_propose", what=json.dumps(document))
    except AccessDeniedError:
        raise Problem(403, "Your role on this client does not include proposals.", "role") from None
    return _one(caller, int(number))


def _change(wanted: models.StatusChange | models.BudgetChange, row: dict[str, Any]) -> Change:
    at = (AccountNumber(row["account_id"]), row["object_id"])
    try:
        if isinstance(wanted, models.StatusChange):
            return SetStatus(*at, wanted.status)
        return SetBudget(*at, Decimal(wanted.amount), wanted.period, wanted.currency)
    except ValueError as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:300]}.") from None


def _rows(
    caller: Caller, numbers: list[int], before: int, limit: int, *,
    number: int | None = None, state: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    return caller.reader.rows(
        "api_proposals", client_ids=numbers, proposal_id=number, state=state, before=before,
        limit=limit,
    )  # fmt: skip


def _one(caller: Caller, number: int) -> models.ChangeSet:
    rows = _rows(caller, caller.client_ids, LARGEST_ID, 1, number=number)
    if not rows:
        raise not_found()
    caller.about(rows[0]["slug"])
    return _model(rows[0])


def _model(row: dict[str, Any]) -> models.ChangeSet:
    return models.ChangeSet(
        id=str(row["proposal_id"]), state=row["state"], client=row["slug"],
        account_id=f"act_{row['account_id']}", level=word(row["level"]),
        object_id=public_id(row["object_id"]), kind=row["kind"], change=row["change"],
        before=_amounts(row["before"], row["currency"]),
        wanted=_amounts(row["wanted"], row["currency"]), currency=row["currency"],
        reason=row["reason"], proposed_by=row["proposed_by"], proposed_at=row["proposed_at"],
    )  # fmt: skip


def _amounts(fields: dict[str, Any], currency: str) -> dict[str, Any]:
    """Fields of an object with exact amounts instead of whole offset units."""
    return {
        n.removesuffix("_minor"): (
            f"{Decimal(v) / meta_offset(currency):.{display_decimals(currency)}f}"
            if n.endswith("_minor") and v is not None
            else v
        )
        for n, v in fields.items()
    }
