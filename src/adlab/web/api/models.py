"""What the API answers, as models: the schema of OpenAPI follows from them.

Ids are text, because they have more digits than a program's numbers hold. Amounts of budgets are
exact decimals as text; metrics are numbers. Whatever is money stands beside its currency. What is
not known is null, never 0.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Amounts as text; and text for people, without what only machines send.
AMOUNT = r"^[0-9]{1,13}([.][0-9]{1,2})?$"
PRINTABLE = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"

Id = Annotated[str, Field(description="An id, as text.", examples=["120210000000000001"])]
Amount = Annotated[
    str | None,
    Field(description="Exact amount in major units of the currency.", examples=["25.00"]),
]
Cursor = Annotated[
    str | None, Field(description="Pass it as `cursor` for the next page; null on the last.")
]
Metrics = Annotated[
    dict[str, float | None],
    Field(description="Values by metric. Shares run from 0 to 1: a ctr of 0.0123 is 1.23 %. "
          "Ratios are sums over sums. null: not known, or a ratio over nothing."),
]  # fmt: skip


Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, strip_whitespace=True, pattern=PRINTABLE),
    Field(description="Why, for whoever decides."),
]


class Model(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid")


class Client(Model):
    """A client, the tenant of an agency."""

    slug: str
    name: str
    currency: str | None
    timezone: str | None
    status: str
    accounts: int = Field(description="Ad accounts.")
    currencies: list[str] = Field(description="Currencies of its accounts.")
    timezones: list[str] = Field(description="Timezones of its accounts.")
    checked_at: datetime | None = Field(description="When its numbers were last read.")
    changed_at: datetime | None = Field(description="When they last changed.")


class Clients(Model):
    """Clients, by name."""

    data: list[Client]


class Account(Model):
    """An ad account."""

    id: Id
    client: str
    name: str
    currency: str
    timezone: str
    account_status: int = Field(description="Meta's number: 1 active, 2 disabled, …")
    disable_reason: int
    source: Literal["meta", "import"]
    amount_spent: Amount = None
    spend_cap: Amount = None
    seen_at: datetime


class Accounts(Model):
    """A page of ad accounts, by id."""

    data: list[Account]
    next: Cursor = None


class AdObject(Model):
    """A campaign, an ad set or an ad."""

    id: Id
    level: Literal["campaign", "adset", "ad"]
    client: str
    account_id: Id
    campaign_id: str | None
    adset_id: str | None
    creative_id: str | None
    name: str
    status: str | None
    effective_status: str | None
    objective: str | None
    optimization_goal: str | None
    bid_strategy: str | None
    currency: str = Field(description="Currency of the budgets.")
    daily_budget: Amount = None
    lifetime_budget: Amount = None
    created_at: datetime | None
    updated_at: datetime | None
    start_at: datetime | None
    stop_at: datetime | None
    deleted: bool = Field(description="Whether Meta no longer lists it.")


class AdObjects(Model):
    """A page of objects, by id."""

    data: list[AdObject]
    next: Cursor = None


class InsightRow(Model):
    """One object in one period."""

    date_start: date
    date_stop: date
    level: Literal["account", "campaign", "adset", "ad"]
    object_id: Id
    name: str | None
    account_id: Id
    client: str
    currency: str = Field(description="Currency of every amount in `metrics`.")
    metrics: Metrics


class Insights(Model):
    """A page of insights, by period and object."""

    since: date
    until: date
    time_increment: int | Literal["monthly", "all_days"]
    data: list[InsightRow]
    next: Cursor = None


class Summary(Model):
    """An account's totals over some days."""

    account_id: Id
    client: str
    name: str
    currency: str = Field(description="Currency of every amount in `metrics`.")
    timezone: str = Field(description="Whose days these are.")
    since: date
    until: date
    metrics: Metrics


class Live(Model):
    """An account today, as the store has it; Meta renews it every 15 minutes or so."""

    account_id: Id
    client: str
    currency: str
    timezone: str
    date: date
    active_campaigns: int
    metrics: Metrics
    checked_at: datetime | None = Field(description="When the numbers were last read.")
    changed_at: datetime | None = Field(description="When they last changed.")


class AccountFreshness(Model):
    """How fresh the numbers of an account are."""

    account_id: Id
    name: str
    timezone: str
    read_at: datetime | None
    changed_at: datetime | None
    objects_at: datetime | None
    since: date | None = Field(description="First day that is stored.")
    newest_day: date | None
    spent_on: date | None = Field(description="Newest day with spend.")
    connection: str | None
    problem: str | None


class Freshness(Model):
    """How fresh a client is."""

    client: str
    data: list[AccountFreshness]


class ConnectionHealth(Model):
    """Whether a connection to Meta works, as last looked at."""

    connection_id: Id
    client: str
    valid: bool
    status: Literal["ok", "reauth_required", "revoked"]
    reason: str | None
    warning: str | None
    token_type: str | None
    scopes: list[str]
    expires_at: datetime | None
    data_expires_at: datetime | None
    checked_at: datetime
    asked_meta: bool = Field(description="Whether Meta was asked just now.")


class ConnectionIdentity(Model):
    """Who granted a connection."""

    connection_id: Id
    client: str
    name: str | None = Field(description="The person or system user at Meta.")
    token_type: str | None
    scopes: list[str]
    connected_by: str | None


class StatusChange(BaseModel):
    """Pause or run an object."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["status"]
    object_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
    status: Literal["ACTIVE", "PAUSED"]
    reason: Reason


class BudgetChange(BaseModel):
    """Another amount for a budget the object has."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["budget"]
    object_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
    amount: Annotated[
        str,
        StringConstraints(pattern=AMOUNT),
        Field(description="Major units of the account's currency, exactly.", examples=["25.00"]),
    ]
    period: Literal["daily", "lifetime"] = "daily"
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None, description="Checked against the account's, when given."
    )
    reason: Reason


ChangeRequest = Annotated[StatusChange | BudgetChange, Field(discriminator="kind")]


class ChangeSet(Model):
    """A change that was proposed: checked, kept, and not sent."""

    id: Id
    state: Literal["proposed", "replaced"] = Field(
        description="replaced: a newer proposal for the same took its place."
    )
    client: str
    account_id: Id
    level: Literal["campaign", "adset", "ad"]
    object_id: Id
    kind: Literal["status", "budget"]
    change: dict[str, Any] = Field(description="What is wanted.")
    before: dict[str, Any] = Field(description="The fields concerned, as they were; money exact.")
    wanted: dict[str, Any] = Field(description="The same, as they would be.")
    currency: str
    reason: str
    proposed_by: str
    proposed_at: datetime


class ChangeSets(Model):
    """A page of proposals, newest first."""

    data: list[ChangeSet]
    next: Cursor = None


class AuditEntry(Model):
    """An entry of the audit log."""

    id: Id
    at: datetime
    actor: str
    action: str
    client: str | None
    details: dict[str, Any]


class AuditLog(Model):
    """A page of the audit log, newest first."""

    data: list[AuditEntry]
    next: Cursor = None


class LoginRequest(BaseModel):
    """Begin to connect ad accounts of a client."""

    model_config = ConfigDict(extra="forbid")
    client: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    write: bool = Field(default=False, description="Whether changes shall be possible, too.")


class LoginStart(Model):
    """Where to send the person who grants access, and what the answer needs."""

    url: str = Field(description="Facebook's login dialog; open it in a browser.")
    login: str = Field(description="Send it as header X-Adlab-Login with Meta's answer. A secret.")


class LoginAccount(Model):
    """An ad account that the login can read."""

    account_id: Id
    name: str
    currency: str
    timezone: str
    state: Literal["free", "here", "elsewhere"]


class LoginDone(Model):
    """How the login at Facebook ended."""

    outcome: Literal["choose", "denied", "missing"]
    client: str
    missing: list[str] = Field(description="Permissions that were not granted.")
    accounts: list[LoginAccount] = Field(description="Connect some with POST …/accounts.")


class AccountChoice(BaseModel):
    """Which ad accounts to connect."""

    model_config = ConfigDict(extra="forbid")
    accounts: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^(act_)?[0-9]{1,18}$")]],
        Field(min_length=1, max_length=200),
    ]


class ConnectedAccount(Model):
    """An account that was connected."""

    id: Id
    name: str


class Connected(Model):
    """What was connected."""

    client: str
    accounts: list[ConnectedAccount]


class Identity(Model):
    """Who calls, and what they may do with this token."""

    name: str
    role: str
    scopes: list[str]
    clients: list[str]


class Health(Model):
    """Whether the API answers."""

    status: Literal["ok", "down"]
