"""The `/api/meta` paths of the first specification: aliases of `/api/v1`, with its field names.

What they share with it is everything else: tokens, scopes, problems, limits. Two things differ from
that specification, because they must: a status or budget is proposed and not set (202), and asking
for strategies makes none (409). A ctr is a share, as everywhere here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from adlab.core.entities import Level, public_id
from adlab.core.periods import DateRange, today_in
from adlab.services.insights import InsightsQuery, load_page
from adlab.web.api import changes, connections, models, numbers, objects
from adlab.web.api.auth import Caller, Connecting, Proposing, Reading
from adlab.web.api.params import AccountId, Last, Limit, ObjectId, Since, Until
from adlab.web.api.problems import Problem, not_found
from adlab.web.api.reading import (
    account_of,
    amount,
    metric_list,
    metric_values,
    object_number,
    object_of,
    parse_slug,
    period_of,
)
from adlab.web.api.session import Router

router = Router(tags=["Seed"])

TOTALS = ("spend", "impressions", "clicks", "ctr", "cpc", "cpm")
USUAL_DAYS = 30
ConnectionQuery = Annotated[
    str | None,
    Query(description="Needed where there are several.", pattern=r"^[0-9]{1,9}$"),
]


class Validity(models.Model):
    """Whether the token of a connection works."""

    valid: bool
    status: str
    scopes: list[str]
    expires_at: str | None
    error: str | None


class UserInfo(models.Model):
    """Who granted a connection."""

    connection_id: models.Id
    name: str | None


class AdAccount(models.Model):
    """An ad account."""

    id: models.Id
    name: str
    account_status: int
    currency: str
    timezone_name: str
    business_name: str | None
    account_type: str | None


class Campaign(models.Model):
    """A campaign with its totals of 30 complete days."""

    id: models.Id
    name: str
    status: str | None
    objective: str | None
    currency: str
    daily_budget: models.Amount
    lifetime_budget: models.Amount
    spend: float | None
    impressions: float | None
    clicks: float | None
    ctr: float | None
    cpc: float | None
    created_time: str | None
    updated_time: str | None


class InsightsRow(models.Model):
    """Totals over some days. reach and frequency: of one day, else null, as people do not add."""

    date_start: str
    date_stop: str
    currency: str
    spend: float | None
    impressions: float | None
    clicks: float | None
    ctr: float | None
    cpc: float | None
    cpm: float | None
    reach: float | None
    frequency: float | None


class StatusWish(BaseModel):
    """Another status."""

    model_config = ConfigDict(extra="forbid")
    status: Annotated[str, StringConstraints(pattern=r"^(ACTIVE|PAUSED)$")]
    reason: models.Reason = "asked for through /api/meta"


class BudgetWish(BaseModel):
    """Another budget, exactly one of both, in major units of the account's currency."""

    model_config = ConfigDict(extra="forbid")
    daily_budget: Annotated[str, StringConstraints(pattern=models.AMOUNT)] | None = None
    lifetime_budget: Annotated[str, StringConstraints(pattern=models.AMOUNT)] | None = None
    reason: models.Reason = "asked for through /api/meta"


@router.get("/validate-token")
def validate_token(
    caller: Reading, connection_id: ConnectionQuery = None, check: bool = False
) -> Validity:
    """Alias of `GET /connections/{id}/health`."""
    found = connections.health(caller, _connection(caller, connection_id), check)
    ends = found.expires_at.isoformat() if found.expires_at else None
    return Validity(valid=found.valid, status=found.status, scopes=found.scopes, expires_at=ends,
                    error=found.reason)  # fmt: skip


@router.get("/user-info")
def user_info(caller: Reading, connection_id: ConnectionQuery = None) -> UserInfo:
    """Alias of `GET /connections/{id}/identity`."""
    found = connections.identity(caller, _connection(caller, connection_id))
    return UserInfo(connection_id=found.connection_id, name=found.name)


@router.get("/ad-accounts")
def ad_accounts(
    caller: Reading, client: Annotated[str | None, Query(max_length=80)] = None, limit: Limit = 1000
) -> list[AdAccount]:
    """Alias of `GET /clients/{c}/accounts`; of all clients when none is named."""
    chosen = caller.client_ids if client is None else [caller.client(parse_slug(client))]
    found = objects.load_accounts(caller, chosen, limit, None).data
    caller.about(*(a.client for a in found))
    return [
        AdAccount(id=a.id, name=a.name, account_status=a.account_status, currency=a.currency,
                  timezone_name=a.timezone, business_name=None, account_type=None)
        for a in found
    ]  # fmt: skip


@router.get("/performance/{account_id}")
def performance(
    caller: Reading, account_id: AccountId, last: Last = None, since: Since = None,
    until: Until = None,
) -> InsightsRow:  # fmt: skip
    """Alias of `GET /accounts/{a}/summary`."""
    row = account_of(caller, account_id)
    period = period_of(caller, [row["timezone"]], last, since, until)
    return _totals(caller, row, Level.ACCOUNT, row["account_id"], period)


@router.get("/campaigns/{account_id}")
def campaigns(caller: Reading, account_id: AccountId, limit: Limit = 100) -> list[Campaign]:
    """Alias of `GET /accounts/{a}/campaigns`, with totals of 30 complete days."""
    account = account_of(caller, account_id)
    rows = objects.object_rows(
        caller, Level.CAMPAIGN, min(limit, caller.most_rows), account=account["account_id"]
    )
    until = today_in(account["timezone"], caller.now()) - timedelta(days=1)
    period = DateRange(until - timedelta(days=USUAL_DAYS - 1), until)
    wanted = metric_list(("spend", "impressions", "clicks", "ctr", "cpc"))
    ids = [r["object_id"] for r in rows]
    sums = numbers.totals_of(caller, account["client_id"], Level.CAMPAIGN, ids, period, wanted)
    nothing = {m.name: None for m in wanted}
    return [
        Campaign(
            id=public_id(r["object_id"]), name=r["name"], status=r["status"],
            objective=r["objective"], currency=r["currency"],
            daily_budget=amount(r["daily_budget_minor"], r["currency"]),
            lifetime_budget=amount(r["lifetime_budget_minor"], r["currency"]),
            created_time=_moment(r["created_at"]), updated_time=_moment(r["updated_at"]),
            **sums.get(r["object_id"], nothing),
        )
        for r in rows
    ]  # fmt: skip


@router.post("/campaigns/{campaign_id}/status", status_code=202)
def set_status(
    caller: Proposing, campaign_id: Annotated[str, Path(max_length=40)], wish: StatusWish
) -> models.ChangeSet:
    """Alias of `POST /changesets` with kind=status: kept as a proposal, not sent."""
    object_of(caller, campaign_id, Level.CAMPAIGN)
    return changes.keep(
        caller,
        models.StatusChange.model_validate(
            {"kind": "status", "object_id": _plain(campaign_id), "status": wish.status,
             "reason": wish.reason}
        ),
    )  # fmt: skip


@router.post("/campaigns/{campaign_id}/budget", status_code=202)
def set_budget(
    caller: Proposing, campaign_id: Annotated[str, Path(max_length=40)], wish: BudgetWish
) -> models.ChangeSet:
    """Alias of `POST /changesets` with kind=budget: kept as a proposal, not sent."""
    object_of(caller, campaign_id, Level.CAMPAIGN)
    if (wish.daily_budget is None) == (wish.lifetime_budget is None):
        raise Problem(422, "Give daily_budget or lifetime_budget, exactly one of them.")
    period = "daily" if wish.daily_budget is not None else "lifetime"
    return changes.keep(
        caller,
        models.BudgetChange.model_validate(
            {"kind": "budget", "object_id": _plain(campaign_id), "period": period,
             "amount": wish.daily_budget or wish.lifetime_budget, "reason": wish.reason}
        ),
    )  # fmt: skip


@router.get("/insights/{object_id}")
def insights(
    caller: Reading, object_id: ObjectId, last: Last = None, since: Since = None,
    until: Until = None,
) -> InsightsRow:  # fmt: skip
    """Alias of `GET /insights`: totals of an account, a campaign, an ad set or an ad."""
    account = caller.reader.rows(
        "api_account", account_id=abs(object_number(object_id)), client_ids=caller.client_ids
    )
    if account and (object_id.startswith("act_") or object_number(object_id) > 0):
        row, level, number = account[0], Level.ACCOUNT, account[0]["account_id"]
        caller.about(row["slug"])
    else:
        found = object_of(caller, object_id)
        level, number = Level(found["level"]), found["object_id"]
        row = account_of(caller, str(found["account_id"]))
    period = period_of(caller, [row["timezone"]], last, since, until)
    return _totals(caller, row, level, number, period)


@router.get("/realtime/{account_id}")
def realtime(caller: Reading, account_id: AccountId) -> InsightsRow:
    """Alias of `GET /accounts/{a}/live`."""
    row = account_of(caller, account_id)
    today = today_in(row["timezone"], caller.now())
    return _totals(caller, row, Level.ACCOUNT, row["account_id"], DateRange(today, today))


@router.get("/ad-sets/{campaign_id}")
def ad_sets(
    caller: Reading, campaign_id: Annotated[str, Path(max_length=40)], limit: Limit = 100
) -> list[models.AdObject]:
    """Alias of `GET /campaigns/{id}/adsets`."""
    return objects.adsets(caller, campaign_id, None, limit, None).data


@router.get("/ads/{adset_id}")
def ads(
    caller: Reading, adset_id: Annotated[str, Path(max_length=40)], limit: Limit = 100
) -> list[models.AdObject]:
    """Alias of `GET /adsets/{id}/ads`."""
    return objects.ads(caller, adset_id, None, limit, None).data


@router.get(
    "/strategies/{account_id}", status_code=409,
    responses={409: changes.NOT_AVAILABLE},
)  # fmt: skip
def strategies(caller: Reading, account_id: AccountId) -> Response:
    """Not available in this version: answers 409, and never makes anything."""
    account_of(caller, account_id)
    raise Problem(409, changes.NO_STRATEGIES, "not-available")


@router.post(
    "/strategies/execute", status_code=409,
    responses={409: changes.NOT_AVAILABLE},
)  # fmt: skip
def execute(caller: Proposing) -> Response:
    """Not available in this version: answers 409."""
    raise Problem(409, changes.NO_STRATEGIES, "not-available")


@router.post("/auth")
def begin_login(caller: Connecting, wanted: models.LoginRequest) -> models.LoginStart:
    """Alias of `POST /oauth/meta/start`."""
    return connections.start(caller, wanted)


@router.get("/auth")
def end_login(
    caller: Connecting,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str, Query(max_length=2000)] = "",
    error: Annotated[str, Query(max_length=100)] = "",
    error_reason: Annotated[str, Query(max_length=100)] = "",
    login: connections.Login = None,
) -> models.LoginDone:
    """Alias of `GET /oauth/meta/callback`."""
    return connections.callback(caller, state, code, error, error_reason, login)


def _connection(caller: Caller, named: str | None) -> str:
    if named is not None:
        return named
    rows = caller.reader.rows("api_connection", connection_id=None, client_ids=caller.client_ids)
    if not rows:
        raise not_found()
    if len(rows) > 1:
        raise Problem(422, "There are several connections; name one: connection_id=…")
    return str(rows[0]["connection_id"])


def _totals(
    caller: Caller, row: dict[str, Any], level: Level, number: int, period: DateRange
) -> InsightsRow:
    names = (*TOTALS, "reach", "frequency") if period.days == 1 else TOTALS
    wanted = metric_list(names)
    query = InsightsQuery((row["client_id"],), level, period, wanted, "all_days", (number,))
    rows = [r for r in load_page(caller.reader, query, 10) if r["account_id"] == row["account_id"]]
    found: dict[str, float | None] = dict.fromkeys((*TOTALS, "reach", "frequency"))
    if rows:
        found |= metric_values(rows[0], wanted)
    return InsightsRow(
        date_start=period.since.isoformat(), date_stop=period.until.isoformat(),
        currency=row["currency"], **found,
    )  # fmt: skip


def _plain(text: str) -> str:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(409, "This object came from a file; there is nothing at Meta to change.")
    return text


def _moment(value: Any) -> str | None:
    return None if value is None else value.isoformat()
