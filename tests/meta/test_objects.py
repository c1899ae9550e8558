"""Accounts and objects: read directly, archived ones by name, ads with their creatives."""

from __future__ import annotations

import json

import pytest

from adlab.core.entities import AccountId, Level
from adlab.core.errors import RejectedRequestError
from adlab.meta import fields
from adlab.meta.objects import fetch_account, fetch_accounts, fetch_objects

from .wire import failure, graph, page

ACCOUNT = {"id": "act_1001", "account_id": "1001", "name": "A", "currency": "EUR",
           "timezone_name": "Europe/Berlin", "account_status": 1}  # fmt: skip


def test_an_account_is_read_by_its_id_and_not_from_a_list() -> None:
    client, wire, _ = graph(ACCOUNT)
    assert fetch_account(client, AccountId(1001)).timezone == "Europe/Berlin"
    assert [r.url.path for r in wire.requests] == ["/v26.0/act_1001"]


def test_an_account_that_is_not_there_is_refused() -> None:
    client, _, _ = graph(failure(100, 33))
    with pytest.raises(RejectedRequestError, match="Check the id"):
        fetch_account(client, AccountId(1))


def test_every_page_of_accounts_is_read() -> None:
    client, _, _ = graph(
        page(ACCOUNT, after="c", more=True), page({**ACCOUNT, "account_id": "1002"})
    )
    assert [a.account_id for a in fetch_accounts(client)] == [1001, 1002]


@pytest.mark.parametrize(
    ("level", "edge"),
    [(Level.CAMPAIGN, "campaigns"), (Level.AD_SET, "adsets"), (Level.AD, "ads")],
)
def test_each_edge_names_its_own_statuses_and_never_deleted(level: Level, edge: str) -> None:
    client, wire, _ = graph({"data": []})
    assert list(fetch_objects(client, AccountId(1001), level)) == [[]]
    assert wire.requests[0].url.path == f"/v26.0/act_1001/{edge}"
    statuses = json.loads(wire.asked[0]["effective_status"])
    assert "ARCHIVED" in statuses
    assert "DELETED" not in statuses
    assert set(statuses) == set(fields.EDGE_STATUSES[level])


def test_pages_of_objects_are_smaller_than_pages_of_rows() -> None:
    client, wire, _ = graph({"data": []}, page_size=1000)
    list(fetch_objects(client, AccountId(1), Level.AD))
    small, narrow, _ = graph({"data": []}, page_size=50)
    list(fetch_objects(small, AccountId(1), Level.AD))
    assert [wire.asked[0]["limit"], narrow.asked[0]["limit"]] == ["500", "50"]


def test_ads_bring_their_creatives_along() -> None:
    ads = [{"id": "1", "creative": {"id": "77", "name": "C"}}, {"id": "2"}]
    client, _, _ = graph(page(*ads))
    (found,) = fetch_objects(client, AccountId(1), Level.AD)
    assert [(o.level, o.object_id) for o in found] == [
        (Level.AD, 1), (Level.AD, 2), (Level.CREATIVE, 77),
    ]  # fmt: skip
