"""Clients, accounts, campaigns, ad sets, ads, and how fresh they are."""

from __future__ import annotations

from typing import Any

from adlab.core.entities import Level
from adlab.web.api import models
from adlab.web.api.auth import Caller, Reading
from adlab.web.api.params import AccountId, Cursor, Limit, ObjectId, Slug, Status
from adlab.web.api.reading import (
    LARGEST_ID,
    account_model,
    account_of,
    object_model,
    object_number,
    object_of,
    parse_slug,
    read_cursor,
    write_cursor,
)
from adlab.web.api.session import Router

router = Router(tags=["Objects"])


@router.get("/me")
def me(caller: Reading) -> models.Identity:
    """Who calls, and which clients this token sees."""
    return models.Identity(
        name=caller.viewer.name, role=caller.viewer.role, scopes=sorted(caller.found.scopes),
        clients=sorted(caller.clients),
    )  # fmt: skip


@router.get("/clients")
def clients(caller: Reading) -> models.Clients:
    """The clients this token sees, by name."""
    return models.Clients(data=load_clients(caller, caller.client_ids))


@router.get("/clients/{slug}")
def client(caller: Reading, slug: Slug) -> models.Client:
    """One client."""
    return load_clients(caller, [caller.client(parse_slug(slug))])[0]


@router.get("/clients/{slug}/accounts")
def accounts(
    caller: Reading, slug: Slug, limit: Limit = 100, cursor: Cursor = None
) -> models.Accounts:
    """Ad accounts of a client."""
    return load_accounts(caller, [caller.client(parse_slug(slug))], limit, cursor)


@router.get("/clients/{slug}/freshness")
def freshness(caller: Reading, slug: Slug) -> models.Freshness:
    """When each connected account was read, and what is wrong."""
    number = caller.client(parse_slug(slug))
    rows = caller.reader.rows("read_freshness", client_ids=[number])
    return models.Freshness(
        client=slug,
        data=[
            models.AccountFreshness(
                account_id=f"act_{r['account_id']}", name=r["name"], timezone=r["timezone"],
                read_at=r["read_at"], changed_at=r["changed_at"], objects_at=r["objects_at"],
                since=r["since"], newest_day=r["newest_day"], spent_on=r["spent_on"],
                connection=r["connection"], problem=r["problem"] or r["error"],
            )
            for r in rows
        ],
    )  # fmt: skip


@router.get("/accounts/{account_id}")
def account(caller: Reading, account_id: AccountId) -> models.Account:
    """One ad account."""
    return account_model(account_of(caller, account_id))


@router.get("/accounts/{account_id}/campaigns")
def campaigns(
    caller: Reading, account_id: AccountId, status: Status = None, limit: Limit = 100,
    cursor: Cursor = None,
) -> models.AdObjects:  # fmt: skip
    """Campaigns of an ad account."""
    number = account_of(caller, account_id)["account_id"]
    return load_objects(caller, Level.CAMPAIGN, limit, cursor, account=number, status=status)


@router.get("/campaigns/{object_id}/adsets")
def adsets(
    caller: Reading, object_id: ObjectId, status: Status = None, limit: Limit = 100,
    cursor: Cursor = None,
) -> models.AdObjects:  # fmt: skip
    """Ad sets of a campaign."""
    object_of(caller, object_id, Level.CAMPAIGN)
    parent = object_number(object_id)
    return load_objects(caller, Level.AD_SET, limit, cursor, parent=parent, status=status)


@router.get("/adsets/{object_id}/ads")
def ads(
    caller: Reading, object_id: ObjectId, status: Status = None, limit: Limit = 100,
    cursor: Cursor = None,
) -> models.AdObjects:  # fmt: skip
    """Ads of an ad set."""
    object_of(caller, object_id, Level.AD_SET)
    parent = object_number(object_id)
    return load_objects(caller, Level.AD, limit, cursor, parent=parent, status=status)


def load_clients(caller: Caller, numbers: list[int]) -> list[models.Client]:
    """Clients of these numbers, by name."""
    found = [r for r in caller.reader.rows("read_clients") if r["client_id"] in numbers]
    caller.about(*(r["slug"] for r in found))
    return [
        models.Client(
            slug=r["slug"], name=r["name"], currency=r["currency"], timezone=r["timezone"],
            status=r["status"], accounts=r["accounts"], currencies=list(r["currencies"] or ()),
            timezones=list(r["timezones"] or ()), checked_at=r["checked_at"],
            changed_at=r["changed_at"],
        )
        for r in found
    ]  # fmt: skip


def load_accounts(
    caller: Caller, numbers: list[int], limit: int, cursor: str | None
) -> models.Accounts:
    """A page of accounts of these clients."""
    limit = min(limit, caller.most_rows)
    after = read_cursor(cursor, [int])
    rows = caller.reader.rows(
        "api_accounts", client_ids=numbers, after=after[0] if after else 0, limit=limit
    )
    last = write_cursor(rows[-1]["account_id"]) if len(rows) == limit else None
    return models.Accounts(data=[account_model(r) for r in rows], next=last)


def load_objects(
    caller: Caller, level: Level, limit: int, cursor: str | None, *,
    account: int | None = None, parent: int | None = None, status: str | None = None,
) -> models.AdObjects:  # fmt: skip
    """A page of objects of one level, below an account or an object."""
    limit = min(limit, caller.most_rows)
    after = read_cursor(cursor, [int])
    rows = object_rows(
        caller, level, limit, after[0] if after else None, account=account, parent=parent,
        status=status,
    )  # fmt: skip
    last = write_cursor(rows[-1]["object_id"]) if len(rows) == limit else None
    return models.AdObjects(data=[object_model(r) for r in rows], next=last)


def object_rows(
    caller: Caller, level: Level, limit: int, after: int | None = None, *,
    account: int | None = None, parent: int | None = None, status: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of objects of one level, by number."""
    asked = {
        "client_ids": caller.client_ids, "level": int(level), "status": status,
        "after": -LARGEST_ID if after is None else after, "limit": limit,
    }  # fmt: skip
    if account is not None:
        return caller.reader.rows("api_objects", account_id=account, **asked)
    return caller.reader.rows("api_objects_below", parent_id=parent, **asked)
