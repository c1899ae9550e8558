"""Fetch ad accounts and their campaigns, ad sets, ads and creatives."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.core.errors import MetaError, MetaUnavailableError, RejectedRequestError
from adlab.meta import fields, parsing
from adlab.meta.batch import Read, read_all
from adlab.meta.client import GraphClient
from adlab.meta.paging import pages

log = logging.getLogger(__name__)

T = TypeVar("T")

_EDGES = {
    Level.CAMPAIGN: ("campaigns", fields.CAMPAIGN),
    Level.AD_SET: ("adsets", fields.AD_SET),
    Level.AD: ("ads", fields.AD),
}
# Reason: object edges with nested creatives answer "reduce the amount of data" above this.
_PAGE = 500
_NO_FIELD = re.compile(r"nonexisting field \((\w+)\)|(\w+) is not valid for fields param")
_PLAIN = re.compile(r"[.{]")
_ACCOUNT_EXTRA = (
    "created_time", "business", "timezone_id", "timezone_offset_hours_utc", "user_tasks",
    "opportunity_score",
)  # fmt: skip


def fetch_account(client: GraphClient, account_id: AccountId) -> AccountInfo:
    """One ad account, read directly: listing `/me/adaccounts` fails for tokens with many.

    Raises:
        RejectedRequestError: If there is no such account for this token.
        MetaError: As the client raises.
    """
    return without_missing_fields(
        fields.ACCOUNT,
        lambda names: _account(client.get(f"act_{account_id}", {"fields": ",".join(names)})),
    )


def fetch_accounts(client: GraphClient) -> list[AccountInfo]:
    """Ad accounts the token may read."""
    return without_missing_fields(
        fields.ACCOUNT,
        lambda names: [
            _account(r)
            for page in pages(client, "me/adaccounts", {"fields": ",".join(names)}, 100)
            for r in page
        ],
    )


def fetch_objects(
    client: GraphClient,
    account_id: AccountId,
    level: Level,
    updated_since: datetime | None = None,
) -> Iterator[list[AdObject]]:
    """Objects of a level, archived ones included, page by page; ads bring their creatives.

    Args:
        client: The signed client.
        account_id: Ad account.
        level: campaign, ad set or ad.
        updated_since: Only objects whose own fields changed after this (aware). Delivery does not
            count as a change, and what vanished does not show: a full listing stays needed.
    """
    edge, names = _EDGES[level]
    params: dict[str, Any] = {"effective_status": list(fields.EDGE_STATUSES[level])}
    if updated_since is not None:
        params["filtering"] = [
            {
                "field": f"{level.word}.updated_time",
                "operator": "GREATER_THAN",
                "value": int(updated_since.timestamp()),
            }
        ]
    size = min(_PAGE, client.page_size)

    def first(asked: Sequence[str]) -> tuple[list[dict[str, Any]], Iterator[list[dict[str, Any]]]]:
        found = pages(
            client, f"act_{account_id}/{edge}", {**params, "fields": ",".join(asked)}, size
        )
        return next(found, []), found

    page, rest = without_missing_fields(names, first)
    yield _read(page, level)
    for page in rest:
        yield _read(page, level)


def fetch_object(client: GraphClient, level: Level, object_ids: Sequence[int]) -> list[AdObject]:
    """Objects by their own ids, fifty to a call: the only way to see deleted ones.

    Ids that Meta shows to nobody any more give nothing.

    Raises:
        MetaError: As the client raises.
    """

    def read(asked: Sequence[str]) -> list[AdObject]:
        wanted = {"fields": ",".join(asked)}
        found = []
        for answer in read_all(client, [Read(str(i), wanted) for i in object_ids]):
            if isinstance(answer, MetaError):
                if (answer.code, answer.subcode) == (100, 33):
                    continue
                raise answer
            found.append(parsing.ad_object(answer, level))
        return found

    return without_missing_fields(_EDGES[level][1], read)


def without_missing_fields(names: Sequence[str], ask: Callable[[Sequence[str]], T]) -> T:
    """Ask with these fields; what this Graph API does not have is left out and asked again.

    Reason: one field that an API version or app lacks fails the whole call.

    Raises:
        RejectedRequestError: If the call is refused for another reason.
    """
    left = list(names)
    while True:
        try:
            return ask(left)
        except RejectedRequestError as error:
            match = _NO_FIELD.search(error.reason) if error.code == 100 else None
            missing = (match[1] or match[2]) if match else ""
            kept = [n for n in left if _PLAIN.split(n)[0] != missing]
            if len(kept) == len(left):
                raise
            log.warning("meta_field_missing field=%s", missing)
            left = kept


def _read(page: list[dict[str, Any]], level: Level) -> list[AdObject]:
    found = [parsing.ad_object(r, level) for r in page]
    if level is Level.AD:
        found += [c for r in page if (c := parsing.creative_of(r)) is not None]
    return found


def _account(row: Mapping[str, Any]) -> AccountInfo:
    capabilities = row.get("capabilities")
    return replace(
        parsing.account(row),
        extra={k: row[k] for k in _ACCOUNT_EXTRA if k in row},
        # Reason: Meta writes "no cap" as zero.
        spend_cap_minor=_minor(row, "spend_cap") or None,
        amount_spent_minor=_minor(row, "amount_spent"),
        balance_minor=_minor(row, "balance"),
        min_daily_budget_minor=_minor(row, "min_daily_budget"),
        is_prepay=row.get("is_prepay_account"),
        capabilities=None if capabilities is None else tuple(str(c) for c in capabilities),
    )


def _minor(row: Mapping[str, Any], name: str) -> int | None:
    value = row.get(name)
    try:
        return None if value in (None, "") else int(str(value))
    except ValueError:
        raise MetaUnavailableError(
            f"An ad account cannot be read: {name} is {value!r}, not whole units.",
            "Nothing was kept; try again later.",
        ) from None
