"""New objects, copies, labels, rules and schedules."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Caller
from .test_writes import ids, own_budget, refusal, with_campaign_budget, write

CAMPAIGN: dict[str, Any] = {
    "name": "Launch",
    "objective": "OUTCOME_SALES",
    "special_ad_categories": [],
    "status": "PAUSED",
    "daily_budget": "5000",
}
AD_SET: dict[str, Any] = {
    "name": "Broad",
    "optimization_goal": "OFFSITE_CONVERSIONS",
    "billing_event": "IMPRESSIONS",
    "targeting": {"geo_locations": {"countries": ["DE"]}},
    "status": "PAUSED",
}
STORY = {"page_id": "661001", "link_data": {"link": "https://shop.example/", "name": "New"}}
RULE: dict[str, Any] = {
    "name": "stop high CPA",
    "schedule_spec": {"schedule_type": "SEMI_HOURLY"},
    "evaluation_spec": {
        "evaluation_type": "SCHEDULE",
        "filters": [{"field": "entity_type", "value": "ADSET", "operator": "EQUAL"}],
    },
    "execution_spec": {"execution_type": "PAUSE"},
}


def test_a_whole_campaign_is_made_read_and_started(tiny: Caller) -> None:
    campaign = write(tiny, "act_1001/campaigns", **CAMPAIGN)["id"]
    ad_set = write(tiny, "act_1001/adsets", **AD_SET, campaign_id=campaign)["id"]
    creative = write(tiny, "act_1001/adcreatives", name="C", object_story_spec=STORY)["id"]
    ad = write(
        tiny,
        "act_1001/ads",
        name="Ad",
        adset_id=ad_set,
        creative={"creative_id": creative},
        status="PAUSED",
    )["id"]
    found = tiny.get(
        ad,
        fields="name,status,effective_status,created_time,campaign{name,daily_budget,objective},"
        "adset{name,targeting},creative{id,object_story_spec}",
    )
    assert (found["name"], found["effective_status"]) == ("Ad", "PAUSED")
    assert found["campaign"] == {
        "name": "Launch",
        "daily_budget": "5000",
        "objective": "OUTCOME_SALES",
        "id": campaign,
    }
    assert found["adset"]["targeting"] == AD_SET["targeting"]
    assert found["creative"]["object_story_spec"] == STORY
    assert found["created_time"] == "2026-11-21T11:07:00+0100"
    assert campaign in ids(tiny, "campaigns")
    assert ad in {row["id"] for row in tiny.get(f"{campaign}/ads")["data"]}
    assert creative in {row["id"] for row in tiny.pages("act_1001/adcreatives", limit="2")}
    for number in (campaign, ad_set, ad):
        write(tiny, number, status="ACTIVE")
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "ACTIVE"
    assert tiny.get(f"{ad}/insights")["data"] == []
    kinds = {e["event_type"] for e in tiny.get("act_1001/activities", limit="100")["data"]}
    assert {"create_campaign_group", "create_ad_set", "create_ad"} <= kinds


def test_making_objects_leaves_every_number_as_it_was(tiny: Caller) -> None:
    asked = {"level": "ad", "time_increment": "1", "fields": "ad_id,spend,actions"}
    before = tiny.rows("act_1001", "2026-11-01", "2026-11-21", **asked)
    campaign = write(tiny, "act_1001/campaigns", **CAMPAIGN)["id"]
    write(tiny, "act_1001/adsets", **AD_SET, campaign_id=campaign)
    first = ids(tiny, "ads")[0]
    write(tiny, f"{first}/copies")
    assert tiny.rows("act_1001", "2026-11-01", "2026-11-21", **asked) == before


@pytest.mark.parametrize(
    ("changed", "subcode"),
    [
        ({"special_ad_categories": None}, None),
        ({"objective": "CONVERSIONS"}, None),
        ({"name": ""}, None),
        ({"daily_budget": None}, None),
        ({"daily_budget": "1"}, 1885272),
        ({"status": "ARCHIVED"}, 1487561),
        ({"smart_promotion_type": "AUTOMATED_SHOPPING_ADS"}, None),
    ],
)
def test_campaigns_that_are_not_made(
    tiny: Caller, changed: dict[str, Any], subcode: int | None
) -> None:
    sent = {k: v for k, v in {**CAMPAIGN, **changed}.items() if v is not None}
    problem = refusal(tiny, "act_1001/campaigns", **sent)
    assert (problem["code"], problem.get("error_subcode")) == (100, subcode)
    assert len(ids(tiny, "campaigns")) == 3


def test_without_a_budget_the_sharing_must_be_stated(tiny: Caller) -> None:
    sent = {k: v for k, v in CAMPAIGN.items() if k != "daily_budget"}
    problem = refusal(tiny, "act_1001/campaigns", **sent)
    assert "is_adset_budget_sharing_enabled" in problem["error_user_msg"]
    made = write(tiny, "act_1001/campaigns", **sent, is_adset_budget_sharing_enabled="false")
    assert refusal(tiny, "act_1001/adsets", **AD_SET, campaign_id=made["id"])["code"] == 100
    write(tiny, "act_1001/adsets", **AD_SET, campaign_id=made["id"], daily_budget="5000")


def test_ad_sets_and_ads_that_are_not_made(tiny: Caller) -> None:
    campaign = write(tiny, "act_1001/campaigns", **CAMPAIGN)["id"]
    both = refusal(tiny, "act_1001/adsets", **AD_SET, campaign_id=campaign, daily_budget="5000")
    assert both["error_subcode"] == 1885621
    assert refusal(tiny, "act_1001/adsets", **AD_SET, campaign_id="5")["code"] == 100
    bare = {k: v for k, v in AD_SET.items() if k != "targeting"}
    assert refusal(tiny, "act_1001/adsets", **bare, campaign_id=campaign)["code"] == 100
    foreign = ids(tiny, "adsets", "act_1002")[0]
    ad = {"name": "A", "adset_id": foreign, "creative": {"creative_id": "1"}}
    assert refusal(tiny, "act_1001/ads", **ad)["code"] == 100
    own = {**ad, "adset_id": ids(tiny, "adsets")[0]}
    assert refusal(tiny, "act_1001/ads", **own)["code"] == 100
    assert refusal(tiny, "act_1001/adcreatives", name="empty")["code"] == 100
    write(tiny, campaign, status="ARCHIVED")
    closed = refusal(tiny, "act_1001/adsets", **AD_SET, campaign_id=campaign)
    assert closed["error_subcode"] == 1487566


def test_a_dry_run_makes_nothing(tiny: Caller) -> None:
    dry = write(tiny, "act_1001/campaigns", **CAMPAIGN, execution_options=["validate_only"])
    assert dry == {"success": True}
    assert len(ids(tiny, "campaigns")) == 3


def test_a_lost_response_still_made_the_object_and_a_retry_makes_another(tiny: Caller) -> None:
    tiny.fault("lost_response", method="POST", match="campaigns$", params={"how": "500"})
    assert tiny.post("act_1001/campaigns", **CAMPAIGN).status_code == 500
    write(tiny, "act_1001/campaigns", **CAMPAIGN)
    names = [r["name"] for r in tiny.get("act_1001/campaigns", fields="name")["data"]]
    assert names.count("Launch") == 2


def test_a_new_ad_waits_for_its_review(tiny: Caller) -> None:
    tiny.config(review_seconds=600)
    ad_set = ids(tiny, "adsets")[0]
    ad = write(
        tiny, "act_1001/ads", name="A", adset_id=ad_set, creative={"object_story_spec": STORY}
    )["id"]
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "PENDING_REVIEW"
    tiny.clock(advance_seconds=601)
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "ACTIVE"


def test_an_ad_set_holds_fifty_ads(tiny: Caller) -> None:
    ad_set = ids(tiny, "adsets")[0]
    creative = tiny.get("act_1001/adcreatives")["data"][0]["id"]
    sent = {"name": "A", "adset_id": ad_set, "creative": {"creative_id": creative}}
    present = len(tiny.get(f"{ad_set}/ads", limit="100")["data"])
    for _ in range(50 - present):
        write(tiny, "act_1001/ads", **sent)
    assert refusal(tiny, "act_1001/ads", **sent)["code"] == 100


def test_a_deep_copy_tells_every_new_id(tiny: Caller) -> None:
    source = ids(tiny, "campaigns")[0]
    answer = write(
        tiny,
        f"{source}/copies",
        deep_copy="true",
        status_option="PAUSED",
        rename_options={"rename_strategy": "DEEP_RENAME", "rename_suffix": " v2"},
    )
    kinds = [item["ad_object_type"] for item in answer["ad_object_ids"]]
    assert kinds[0] == "campaign"
    assert {"ad_set", "ad"} <= set(kinds)
    copy = answer["copied_campaign_id"]
    fields = "name,status,daily_budget,objective,source_campaign_id"
    made, old = tiny.get(copy, fields=fields), tiny.get(source, fields=fields)
    assert made["name"] == f"{old['name']} v2"
    assert (made["status"], made["source_campaign_id"]) == ("PAUSED", source)
    assert made.get("daily_budget") == old.get("daily_budget")
    children = tiny.get(f"{copy}/ads", fields="name,creative")["data"]
    assert len(children) == len(tiny.get(f"{source}/ads")["data"])
    assert all(row["name"].endswith(" v2") for row in children)
    stage = tiny.get(f"{copy}/adsets", fields="learning_stage_info")["data"][0]
    assert stage["learning_stage_info"]["status"] == "LEARNING"


def test_copies_can_be_flat_inherited_too_large_or_wrong(tiny: Caller) -> None:
    source = ids(tiny, "campaigns")[0]
    flat = write(tiny, f"{source}/copies", status_option="INHERITED_FROM_SOURCE")
    assert len(flat["ad_object_ids"]) == 1
    assert tiny.get(flat["copied_campaign_id"], fields="status")["status"] == "ACTIVE"
    tiny.config(copy_objects_limit=2)
    assert refusal(tiny, f"{source}/copies", deep_copy="true")["code"] == 100
    assert refusal(tiny, f"{source}/copies", status_option="DELETED")["code"] == 100
    ad_set, ad = ids(tiny, "adsets")[-1], ids(tiny, "ads")[0]
    moved = write(tiny, f"{ad}/copies", adset_id=ad_set)
    assert tiny.get(moved["copied_ad_id"], fields="adset_id")["adset_id"] == ad_set
    assert refusal(tiny, f"{ad}/copies", adset_id="5")["code"] == 100


def test_labels_mark_objects_and_find_them(tiny: Caller) -> None:
    label = write(tiny, "act_1001/adlabels", name="adlab")["id"]
    campaign = ids(tiny, "campaigns")[0]
    write(tiny, f"{campaign}/adlabels", adlabels=[{"id": label}])
    assert tiny.get(campaign, fields="adlabels")["adlabels"] == [{"id": label, "name": "adlab"}]
    found = tiny.get("act_1001/campaignsbylabels", ad_label_ids=[label], fields="id")["data"]
    assert [row["id"] for row in found] == [campaign]
    assert tiny.get("act_1001/adsbylabels", ad_label_ids=[label])["data"] == []
    assert refusal(tiny, f"{campaign}/adlabels", adlabels=[{"id": "5"}])["code"] == 100
    assert tiny.get("act_1001/adlabels", fields="name")["data"][0]["name"] == "adlab"


def test_rules_are_kept_changed_and_removed(tiny: Caller) -> None:
    rule = write(tiny, "act_1001/adrules_library", **RULE)["id"]
    found = tiny.get(rule, fields="name,status,evaluation_spec,execution_spec")
    assert (found["status"], found["execution_spec"]) == ("ENABLED", {"execution_type": "PAUSE"})
    write(tiny, rule, status="DISABLED")
    listed = tiny.get("act_1001/adrules_library", fields="status")["data"]
    assert [row["status"] for row in listed] == ["DISABLED"]
    assert tiny.get(f"{rule}/history")["data"] == []
    token = {"access_token": "sim-token-tests"}
    assert tiny.http.delete(f"/v26.0/{rule}", params=token).json() == {"success": True}
    assert tiny.error(rule)["error_subcode"] == 33


@pytest.mark.parametrize(
    "changed",
    [
        {"evaluation_spec": {"evaluation_type": "SCHEDULE", "filters": []}},
        {"evaluation_spec": {"evaluation_type": "SOMETIMES"}},
        {"execution_spec": {"execution_type": "EXPLODE"}},
        {"name": ""},
    ],
)
def test_rules_that_contradict_themselves_are_refused(
    tiny: Caller, changed: dict[str, Any]
) -> None:
    assert refusal(tiny, "act_1001/adrules_library", **{**RULE, **changed})["code"] == 100


def test_budget_schedules_have_limits(tiny: Caller) -> None:
    ad_set, _ = own_budget(tiny)
    start = int(tiny.http.get("/__clock").json()["unix"]) + 86_400
    good = {
        "budget_value": "2",
        "budget_value_type": "MULTIPLIER",
        "time_start": str(start),
        "time_end": str(start + 4 * 3600),
    }
    made = write(tiny, f"{ad_set}/budget_schedules", **good)["id"]
    listed = tiny.get(f"{ad_set}/budget_schedules", fields="budget_value,ad_object_id")["data"]
    assert listed == [{"id": made, "budget_value": 2, "ad_object_id": ad_set}]
    for wrong in (
        {},
        {"time_end": str(start + 3600)},
        {"budget_value": "9", "time_start": str(start + 90_000), "time_end": str(start + 180_000)},
        {"budget_value_type": "SOME"},
    ):
        assert refusal(tiny, f"{ad_set}/budget_schedules", **{**good, **wrong})["code"] == 100


def test_a_campaign_without_a_daily_budget_has_no_schedules(launch: Any) -> None:
    world = launch("demo")
    _, _ = with_campaign_budget(world)
    for row in world.get("act_1001/campaigns", fields="daily_budget", limit="100")["data"]:
        if "daily_budget" not in row:
            problem = refusal(
                world,
                f"{row['id']}/budget_schedules",
                budget_value="2",
                budget_value_type="MULTIPLIER",
                time_start="1800000000",
                time_end="1800020000",
            )
            assert problem["code"] == 100
            return
    raise AssertionError("every campaign has a budget")
