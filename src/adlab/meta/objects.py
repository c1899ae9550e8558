"""Fetch ad accounts and their campaigns, ad sets, ads and creatives."""

from __future__ import annotations

from collections.abc import Iterator

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.meta import fields, parsing
from adlab.meta.client import GraphClient
from adlab.meta.paging import pages

_EDGES = {
    Level.CAMPAIGN: ("campaigns", fields.CAMPAIGN),
    Level.AD_SET: ("adsets", fields.AD_SET),
    Level.AD: ("ads", fields.AD),
}
# Reason: object edges with nested creatives answer "reduce the amount of data" above this.
_PAGE = 500


def fetch_account(client: GraphClient, account_id: AccountId) -> AccountInfo:
    """One ad account, read directly: listing `/me/adaccounts` fails for tokens with many.

    Raises:
        RejectedRequestError: If there is no such account for this token.
        MetaError: As the client raises.
    """
    row = client.get(f"act_{account_id}", {"fields": ",".join(fields.ACCOUNT)})
    return parsing.account(row)


def fetch_accounts(client: GraphClient) -> list[AccountInfo]:
    """Ad accounts the token may read."""
    params = {"fields": ",".join(fields.ACCOUNT)}
    return [
        parsing.account(r) for page in pages(client, "me/adaccounts", params, 100) for r in page
    ]


def fetch_objects(
    client: GraphClient, account_id: AccountId, level: Level
) -> Iterator[list[AdObject]]:
    """Objects of a level, archived ones included, page by page; ads bring their creatives."""
    edge, names = _EDGES[level]
    params = {
        "fields": ",".join(names),
        "effective_status": list(fields.EDGE_STATUSES[level]),
    }
    for page in pages(client, f"act_{account_id}/{edge}", params, min(_PAGE, client.page_size)):
        found = [parsing.ad_object(r, level) for r in page]
        if level is Level.AD:
            found += [c for r in page if (c := parsing.creative_of(r)) is not None]
        yield found
