"""Accounts, objects and edges: fields, nesting, statuses, cursors."""

from __future__ import annotations

from datetime import datetime

import pytest

from adlab.simulator.expansion import parse_fields

from .conftest import Caller


def test_accounts_depend_on_the_token(demo: Caller) -> None:
    everything = demo.get("me/adaccounts", fields="id,currency,timezone_name", summary="true")
    assert len(everything["data"]) >= 7
    assert everything["summary"] == {"total_count": len(everything["data"])}
    two = demo.get("me/adaccounts", access_token="sim-token-acct-1001+1003")
    assert [row["account_id"] for row in two["data"]] == ["1001", "1003"]
    assert demo.error("act_1002", access_token="sim-token-acct-1001")["code"] == 200
    campaign = demo.get("act_1002/campaigns")["data"][0]["id"]
    hidden = demo.error(campaign, access_token="sim-token-acct-1001")
    assert (hidden["code"], hidden["error_subcode"]) == (100, 33)


def test_account_pages(demo: Caller) -> None:
    pages = demo.pages("me/adaccounts", fields="account_id", limit="4")
    assert [row["account_id"] for row in pages] == [str(n) for n in range(1001, 1010)]


def test_account_fields(tiny: Caller) -> None:
    account = tiny.get(
        "act_1002",
        fields="name,account_status,currency,timezone_name,"
        "timezone_offset_hours_utc,business{id},amount_spent,min_daily_budget,"
        "created_time,opportunity_score",
    )
    assert account["id"] == "act_1002"
    assert account["timezone_offset_hours_utc"] == 9.0
    assert account["amount_spent"].isdigit()
    assert "opportunity_score" not in account
    assert account["created_time"].endswith("+0900")


def test_the_big_account_lists_exactly_2000_campaigns(demo: Caller) -> None:
    rows = demo.pages("act_1003/campaigns", fields="id,name,daily_budget,updated_time", limit="500")
    assert len({row["id"] for row in rows}) == len(rows) == 2000
    assert all(15 <= len(row["id"]) <= 17 for row in rows)
    assert any("daily_budget" in row for row in rows)


def test_archived_and_deleted_objects_hide_from_edges_but_not_from_ids(tiny: Caller) -> None:
    listed = {row["id"] for row in tiny.pages("act_1001/ads")}
    archived = tiny.get(
        "act_1001/ads", effective_status=["ARCHIVED"], fields="id,effective_status"
    )["data"]
    assert len(listed) == 6
    assert [row["effective_status"] for row in archived] == ["ARCHIVED"]
    assert archived[0]["id"] not in listed
    assert tiny.get(archived[0]["id"], fields="status")["status"] == "ARCHIVED"
    assert tiny.error("act_1001/ads", effective_status=["DELETED"])["code"] == 100
    tiny.config(deleted_filter_is_error=False)
    deleted = tiny.get("act_1001/ads", effective_status=["DELETED"])["data"]
    assert tiny.get(deleted[0]["id"], fields="effective_status")["effective_status"] == "DELETED"


def test_a_status_of_another_edge_is_1487561(tiny: Caller) -> None:
    problem = tiny.error("act_1001/campaigns", effective_status=["ADSET_PAUSED"])
    assert problem["error_subcode"] == 1487561


def test_statuses_cascade_to_children(demo: Caller) -> None:
    paused = demo.get("act_1003/campaigns", effective_status=["PAUSED"], limit="1")["data"][0]
    sets = demo.get(f"{paused['id']}/adsets", fields="status,effective_status")["data"]
    ads = demo.get(f"{paused['id']}/ads", fields="status,effective_status")["data"]
    assert {row["effective_status"] for row in sets} == {"CAMPAIGN_PAUSED"}
    assert {row["status"] for row in sets} == {"ACTIVE"}
    assert {row["effective_status"] for row in ads} <= {"CAMPAIGN_PAUSED", "ARCHIVED", "DELETED"}


def test_nested_fields_have_their_own_limits_and_cursors(tiny: Caller) -> None:
    rows = tiny.get(
        "act_1001/campaigns",
        limit="1",
        fields=(
            "id,adsets.limit(1){id,daily_budget,ads{id,creative{id,title,object_story_spec}}},"
            "insights.date_preset(last_7d){spend}"
        ),
    )["data"]
    sets = rows[0]["adsets"]
    assert len(sets["data"]) == 1
    assert "cursors" in sets["paging"]
    creative = sets["data"][0]["ads"]["data"][0]["creative"]
    assert creative["title"]
    direct = tiny.get(f"{rows[0]['id']}/insights", date_preset="last_7d", fields="spend")
    assert rows[0]["insights"]["data"][0]["spend"] == direct["data"][0]["spend"]


def test_creatives_are_reached_by_ad_by_edge_and_by_id(tiny: Caller) -> None:
    ad = tiny.get("act_1001/ads", fields="creative")["data"][0]
    assert tiny.get(ad["creative"]["id"], fields="name,status")["status"] == "ACTIVE"
    listed = tiny.pages("act_1001/adcreatives", fields="id,thumbnail_url", limit="3")
    assert ad["creative"]["id"] in {row["id"] for row in listed}


def test_updated_time_filter_and_since(demo: Caller) -> None:
    every = demo.pages("act_1001/campaigns", fields="updated_time", limit="100")
    moments = sorted(datetime.fromisoformat(row["updated_time"]).timestamp() for row in every)
    middle = int(moments[len(moments) // 2])
    newer = demo.pages(
        "act_1001/campaigns",
        limit="100",
        filtering=[{"field": "campaign.updated_time", "operator": "GREATER_THAN", "value": middle}],
    )
    assert len(newer) == sum(1 for moment in moments if moment > middle)
    assert len(demo.pages("act_1001/ads", updated_since=str(middle), limit="500")) < len(
        demo.pages("act_1001/ads", limit="500")
    )


def test_edges_filter_by_id_and_parent(tiny: Caller) -> None:
    campaigns = [row["id"] for row in tiny.get("act_1001/campaigns")["data"]]
    one = tiny.get(
        "act_1001/campaigns", filtering=[{"field": "id", "operator": "IN", "value": campaigns[:2]}]
    )["data"]
    assert [row["id"] for row in one] == campaigns[:2]
    ads = tiny.get(
        "act_1001/ads",
        fields="campaign_id",
        filtering=[{"field": "campaign.id", "operator": "IN", "value": [campaigns[0]]}],
    )["data"]
    assert {row["campaign_id"] for row in ads} == {campaigns[0]}


def test_a_cursor_of_another_edge_is_2642(tiny: Caller) -> None:
    after = tiny.get("act_1001/campaigns", limit="1")["paging"]["cursors"]["after"]
    assert tiny.error("act_1001/ads", after=after)["code"] == 2642
    assert tiny.error("act_1001/ads", after="nonsense")["code"] == 2642


def test_activities_show_budget_steps(demo: Caller) -> None:
    events = demo.pages("act_1001/activities", since="2026-10-22", until="2026-11-21", limit="50")
    kinds = {event["event_type"] for event in events}
    assert "update_campaign_budget" in kinds
    assert all(isinstance(event["extra_data"], str) for event in events)


@pytest.mark.parametrize("path", ["act_1001", "act_1001/campaigns", "me/adaccounts"])
def test_an_unknown_field_is_named(tiny: Caller, path: str) -> None:
    problem = tiny.error(path, fields="id,nonsense")
    assert problem["code"] == 100
    assert "nonsense" in problem["message"]


def test_small_reads(tiny: Caller) -> None:
    assert tiny.get("me")["id"] == "9001"
    granted = {row["permission"] for row in tiny.get("me/permissions")["data"]}
    assert {"ads_read", "ads_management"} <= granted
    assert tiny.get("act_1001/ads_volume")["data"] == [{"ads_running_or_in_review_count": 6}]
    assert tiny.get("act_1002/minimum_budgets")["data"][0]["currency"] == "JPY"
    assert tiny.error("act_1001/unknown_edge")["code"] == 100
    assert tiny.error("123456")["error_subcode"] == 33


def test_unknown_writes_are_refused_honestly(tiny: Caller) -> None:
    answer = tiny.post("act_1001/customaudiences", name="x")
    assert answer.status_code == 400
    assert "COVERAGE.md" in answer.json()["error"]["message"]


def test_field_expansion_is_read_as_a_tree() -> None:
    tree = parse_fields('id,adsets.limit(5).filtering([{"a":1}]){id,ads{id}},name')
    assert [item.name for item in tree] == ["id", "adsets", "name"]
    assert tree[1].modifiers == {"limit": "5", "filtering": '[{"a":1}]'}
    assert tree[1].children[1].children[0].name == "id"


def test_broken_field_expansion_is_2500(tiny: Caller) -> None:
    assert tiny.error("act_1001", fields="campaigns{id")["code"] == 2500
