"""What stands beside campaigns, ad sets and ads: audiences, media, pixels, studies, signals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Caller


def change(tiny: Caller, **body: Any) -> Any:
    answer = tiny.http.post("/__objects", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def first(tiny: Caller, edge: str = "ads") -> str:
    return str(tiny.get(f"act_1001/{edge}")["data"][0]["id"])


def test_account_fields_can_be_switched(tiny: Caller) -> None:
    fields = (
        "account_status,disable_reason,spend_cap,balance,is_prepay_account,capabilities,"
        "funding_source_details,min_daily_budget,business"
    )
    before = tiny.get("act_1001", fields=fields)
    assert (before["account_status"], before["disable_reason"], before["spend_cap"]) == (1, 0, "0")
    tiny.http.post(
        "/__accounts",
        json={
            "account": "1001",
            "account_status": 3,
            "disable_reason": 3,
            "spend_cap": "500000",
            "is_prepay_account": True,
        },
    )
    after = tiny.get("act_1001", fields=fields)
    assert (after["account_status"], after["disable_reason"]) == (3, 3)
    assert after["spend_cap"] == "500000"
    assert after["is_prepay_account"] is True
    assert after["balance"] == before["balance"]
    events = tiny.get("act_1001/activities")["data"]
    assert "ad_account_update_status" in {event["event_type"] for event in events}
    tiny.http.post("/__accounts", json={"account": "1001", "account_status": None})
    assert tiny.get("act_1001", fields="account_status")["account_status"] == 1


def test_a_disabled_account_stops_delivering_from_that_moment(tiny: Caller) -> None:
    before = tiny.rows("act_1001", "2026-11-21", "2026-11-21", fields="spend")[0]["spend"]
    tiny.http.post("/__accounts", json={"account": "1001", "account_status": 2})
    tiny.clock(advance_seconds=2 * 86_400)
    after = tiny.rows("act_1001", "2026-11-21", "2026-11-23", fields="spend", time_increment="1")
    assert [row["date_start"] for row in after] == ["2026-11-21"]
    assert float(before) <= float(after[0]["spend"]) < 1.1 * float(before)


def test_audiences_are_metadata_only(tiny: Caller) -> None:
    rows = tiny.pages(
        "act_1001/customaudiences",
        fields="id,name,subtype,description,approximate_count_lower_bound,"
        "approximate_count_upper_bound,delivery_status,operation_status,retention_days,"
        "time_created,time_updated,rule",
        limit="2",
    )
    assert len(rows) == 6
    assert {"WEBSITE", "CUSTOM", "LOOKALIKE"} <= {row["subtype"] for row in rows}
    assert all("rule" not in row for row in rows)
    small = [row for row in rows if row["approximate_count_lower_bound"] == -1]
    assert small[0]["delivery_status"]["code"] == 300
    assert tiny.get(rows[0]["id"], fields="name")["name"] == rows[0]["name"]
    assert tiny.error("act_1001/customaudiences", fields="emails")["code"] == 100
    hidden = tiny.error(rows[0]["id"], access_token="sim-token-acct-1002")
    assert hidden["error_subcode"] == 33


def test_images_and_videos_of_creatives_are_found(tiny: Caller) -> None:
    creatives = tiny.pages("act_1001/adcreatives", fields="image_hash,video_id,thumbnail_url")
    still = next(row for row in creatives if "image_hash" in row)
    images = tiny.get(
        "act_1001/adimages", hashes=[still["image_hash"]], fields="hash,url,width,permalink_url"
    )["data"]
    assert [row["hash"] for row in images] == [still["image_hash"]]
    moving = next(row for row in creatives if "video_id" in row)
    video = tiny.get(moving["video_id"], fields="source,length,status")
    assert video["status"] == {"video_status": "ready"}


def test_pixels_and_their_hourly_counts(tiny: Caller) -> None:
    pixel = tiny.get(
        "act_1001/adspixels",
        fields="id,name,last_fired_time,is_unavailable,data_use_setting,"
        "first_party_cookie_status,automatic_matching_fields,creation_time",
    )["data"][0]
    assert pixel["is_unavailable"] is False
    now = int(tiny.http.get("/__clock").json()["unix"])
    hours = tiny.get(
        f"{pixel['id']}/stats",
        aggregation="event",
        start_time=str(now - 86_400),
        end_time=str(now),
    )["data"]
    assert 20 <= len(hours) <= 25
    names = {item["value"] for hour in hours for item in hour["data"]}
    assert "ViewContent" in names
    refused = tiny.error(f"{pixel['id']}/stats", aggregation="browser_type")
    assert refused["code"] == 100


def test_studies_have_cells_with_their_ad_sets(tiny: Caller) -> None:
    study = tiny.get("act_1001/ad_studies", fields="id,name,type,start_time,cells")["data"][0]
    assert study["type"] == "SPLIT_TEST"
    cells = tiny.get(f"{study['id']}/cells", fields="name,treatment_percentage,adsets")["data"]
    assert sum(cell["treatment_percentage"] for cell in cells) == 100
    ad_set = cells[0]["adsets"]["data"][0]["id"]
    assert tiny.get(ad_set, fields="campaign_id")["campaign_id"]
    assert tiny.get(study["id"], fields="name")["name"] == study["name"]


def test_the_planted_pair_has_a_study(demo: Caller) -> None:
    studies = demo.pages("act_1004/ad_studies", fields="name,cells", limit="500")
    assert len(studies) > 3
    assert all(len(study["cells"]["data"]) == 2 for study in studies)


def test_recommendations_are_one_object(demo: Caller) -> None:
    found = demo.get("act_1001/recommendations")["data"]
    assert len(found) == 1
    kinds = {item["type"] for item in found[0]["recommendations"]}
    assert "BUDGET_LIMITED" in kinds
    assert all(item["recommendation_signature"] for item in found[0]["recommendations"])


@pytest.mark.parametrize(
    ("state", "key"), [("WITH_ISSUES", "issues_info"), ("DISAPPROVED", "ad_review_feedback")]
)
def test_states_carry_their_reasons(tiny: Caller, state: str, key: str) -> None:
    ad = first(tiny)
    fields = "status,effective_status,issues_info,failed_delivery_checks,ad_review_feedback"
    assert key not in tiny.get(ad, fields=fields)
    assert change(tiny, id=ad, state=state)["effective_status"] == state
    found = tiny.get(ad, fields=fields)
    assert (found["status"], found["effective_status"]) == ("ACTIVE", state)
    assert found[key]
    listed = tiny.get("act_1001/ads", effective_status=[state])["data"]
    assert [row["id"] for row in listed] == [ad]
    change(tiny, id=ad, state=None)
    found = tiny.get(ad, fields=fields)
    assert found["effective_status"] == "ACTIVE"
    assert key not in found


def test_a_review_ends_by_itself_as_switched(tiny: Caller) -> None:
    ad = first(tiny)
    change(tiny, id=ad, state="PENDING_REVIEW", seconds=600)
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "PENDING_REVIEW"
    tiny.clock(advance_seconds=601)
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "ACTIVE"
    tiny.config(review_outcome="disapprove")
    change(tiny, id=ad, state="PENDING_REVIEW", seconds=600)
    tiny.clock(advance_seconds=601)
    found = tiny.get(ad, fields="effective_status,failed_delivery_checks")
    assert found["effective_status"] == "DISAPPROVED"
    assert found["failed_delivery_checks"][0]["check_name"] == "disapproved"


def test_changes_behind_the_apis_back_show_in_fields(tiny: Caller) -> None:
    ad_set = first(tiny, "adsets")
    change(tiny, id=ad_set, set={"learning_stage_info": {"status": "FAIL"}})
    assert tiny.get(ad_set, fields="learning_stage_info")["learning_stage_info"] == {
        "status": "FAIL"
    }
    for body in (
        {"id": ad_set, "set": {"nonsense": 1}},
        {"id": ad_set, "state": "DISAPPROVED"},
        {"id": "12", "state": None},
        {"id": ad_set, "other": 1},
    ):
        assert tiny.http.post("/__objects", json=body).status_code == 400


def test_reset_takes_every_change_back(tiny: Caller) -> None:
    ad = first(tiny)
    change(tiny, id=ad, state="DISAPPROVED", set={"name": "other"})
    tiny.http.post("/__accounts", json={"account": "1001", "account_status": 2})
    tiny.http.post("/__reset")
    found = tiny.get(ad, fields="name,effective_status")
    assert found["effective_status"] == "ACTIVE"
    assert found["name"] != "other"
    assert tiny.get("act_1001", fields="account_status")["account_status"] == 1


def test_estimates_are_a_list_and_an_object(tiny: Caller) -> None:
    spec = {"geo_locations": {"countries": ["DE"]}, "age_min": 25, "age_max": 44}
    listed = tiny.get(
        "act_1001/delivery_estimate", targeting_spec=spec, optimization_goal="LINK_CLICKS"
    )["data"]
    single = tiny.get("act_1001/reachestimate", targeting_spec=spec)["data"]
    assert isinstance(listed, list)
    assert single["users_lower_bound"] == listed[0]["estimate_mau_lower_bound"] > 0
    wider = tiny.get("act_1001/reachestimate", targeting_spec={**spec, "age_max": 65})["data"]
    assert wider["users_lower_bound"] > single["users_lower_bound"]
    unplaced = tiny.get("act_1001/reachestimate", targeting_spec={"age_min": 20})["data"]
    assert unplaced == {
        "users_lower_bound": -1,
        "users_upper_bound": -1,
        "estimate_ready": False,
    }
    assert tiny.error("act_1001/delivery_estimate", targeting_spec=spec)["code"] == 100
    assert tiny.error("act_1001/reachestimate")["code"] == 100
    ad_set = first(tiny, "adsets")
    assert tiny.get(f"{ad_set}/delivery_estimate")["data"][0]["targeting_optimization_types"] == []
    assert tiny.get(f"{ad_set}/targetingsentencelines")["targetingsentencelines"]


def test_targeting_is_searched_and_validated(tiny: Caller) -> None:
    found = tiny.get("act_1001/targetingsearch", q="yoga")["data"]
    assert [row["name"] for row in found] == ["Yoga"]
    assert found[0]["audience_size_lower_bound"] < found[0]["audience_size_upper_bound"]
    assert tiny.error("act_1001/targetingsearch")["code"] == 100
    checked = tiny.get("act_1001/targetingvalidation", id_list=[found[0]["id"], "1"])["data"]
    assert sorted(row["valid"] for row in checked) == [False, True]
    places = tiny.get("search", type="adgeolocation", q="ber")["data"]
    assert [row["name"] for row in places] == ["Berlin"]
    assert tiny.error("search", type="nonsense", q="a")["code"] == 100


def test_activities_tell_what_was_made(demo: Caller) -> None:
    events = demo.pages("act_1001/activities", since="2026-09-01", until="2026-11-21", limit="500")
    kinds = {event["event_type"] for event in events}
    assert {"create_campaign_group", "create_ad_set", "create_ad"} <= kinds
    assert all(isinstance(json.loads(event["extra_data"]), dict) for event in events)
