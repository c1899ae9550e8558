"""Edits and deletions: what they answer, what they refuse, and what is read afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Caller

TODAY, TOMORROW = "2026-11-21", "2026-11-22"


def ids(tiny: Caller, edge: str, account: str = "act_1001") -> list[str]:
    return [row["id"] for row in tiny.get(f"{account}/{edge}", limit="100")["data"]]


def write(tiny: Caller, path: str, **params: Any) -> Any:
    answer = tiny.post(path, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(tiny: Caller, path: str, **params: Any) -> dict[str, Any]:
    answer = tiny.post(path, **params)
    assert answer.status_code >= 400, answer.text
    return answer.json()["error"]


def own_budget(tiny: Caller, account: str = "act_1001") -> tuple[str, int]:
    """An ad set with a budget of its own, and that budget."""
    for row in tiny.get(f"{account}/adsets", fields="daily_budget", limit="100")["data"]:
        if int(row["daily_budget"]):
            return row["id"], int(row["daily_budget"])
    raise AssertionError("no ad set with a budget")


def with_campaign_budget(tiny: Caller, account: str = "act_1001") -> tuple[str, int]:
    for row in tiny.get(f"{account}/campaigns", fields="daily_budget", limit="100")["data"]:
        if "daily_budget" in row:
            return row["id"], int(row["daily_budget"])
    raise AssertionError("no campaign with a budget")


def spends(tiny: Caller, node: str, since: str, until: str) -> dict[str, float]:
    rows = tiny.rows(node, since, until, fields="spend", time_increment="1")
    return {row["date_start"]: float(row["spend"]) for row in rows}


def test_a_paused_campaign_cascades_and_moves_updated_time(tiny: Caller) -> None:
    campaign = ids(tiny, "campaigns")[0]
    before = tiny.get(campaign, fields="updated_time")["updated_time"]
    assert write(tiny, campaign, status="PAUSED") == {"success": True}
    found = tiny.get(campaign, fields="status,effective_status,updated_time")
    assert (found["status"], found["effective_status"]) == ("PAUSED", "PAUSED")
    assert before < found["updated_time"] == "2026-11-21T11:07:00+0100"
    for edge, at_least in (("adsets", 1), ("ads", 1)):
        rows = tiny.get(f"{campaign}/{edge}", fields="status,effective_status")["data"]
        assert len(rows) >= at_least
        assert {row["status"] for row in rows} == {"ACTIVE"}
        assert {row["effective_status"] for row in rows} == {"CAMPAIGN_PAUSED"}
    write(tiny, campaign, status="ACTIVE")
    assert tiny.get(campaign, fields="effective_status")["effective_status"] == "ACTIVE"


def test_a_pause_stops_delivery_from_its_moment_and_keeps_what_was(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    other = ids(tiny, "ads")[1]
    before = tiny.rows(ad, "2026-11-18", TODAY, time_increment="1", fields="spend,impressions")
    untouched = spends(tiny, other, TODAY, TODAY)
    write(tiny, ad, status="PAUSED")
    assert tiny.rows(ad, "2026-11-18", TODAY, time_increment="1", fields="spend,impressions") == (
        before
    )
    tiny.clock(advance_seconds=2 * 86_400)
    after = spends(tiny, ad, "2026-11-18", "2026-11-23")
    assert max(after) == TODAY
    assert after[TODAY] < 1.1 * float(before[-1]["spend"])
    assert spends(tiny, other, TODAY, TODAY)[TODAY] > untouched[TODAY]
    write(tiny, ad, status="ACTIVE")
    tiny.clock(advance_seconds=2 * 86_400)
    assert "2026-11-24" in spends(tiny, ad, "2026-11-18", "2026-11-25")
    hours = tiny.rows(
        ad,
        TODAY,
        TODAY,
        breakdowns="hourly_stats_aggregated_by_advertiser_time_zone",
        fields="spend",
    )
    assert sum(round(float(row["spend"]) * 100) for row in hours) == round(after[TODAY] * 100)


def test_numbers_only_grow_after_a_pause(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    write(tiny, ad, status="PAUSED")
    seen: list[tuple[int, float]] = []
    for _ in range(6):
        row = tiny.rows(ad, TODAY, TODAY, fields="impressions,actions")[0]
        bought = [a["value"] for a in row["actions"] if a["action_type"] == "omni_purchase"]
        seen.append((int(row["impressions"]), float(bought[0]) if bought else 0.0))
        tiny.clock(advance_seconds=21_600)
    assert seen == sorted(seen)


def test_a_budget_scales_later_days_and_leaves_earlier_ones(tiny: Caller) -> None:
    campaign, budget = with_campaign_budget(tiny, "act_1002")
    earlier = spends(tiny, campaign, "2026-11-10", "2026-11-20")
    tiny.clock(advance_seconds=3 * 86_400)
    plain = spends(tiny, campaign, "2026-11-22", "2026-11-23")
    tiny.clock(now="2026-11-21T10:07:00Z")
    assert write(tiny, campaign, daily_budget=str(budget * 2)) == {"success": True}
    assert tiny.get(campaign, fields="daily_budget")["daily_budget"] == str(budget * 2)
    tiny.clock(advance_seconds=3 * 86_400)
    assert spends(tiny, campaign, "2026-11-10", "2026-11-20") == earlier
    doubled = spends(tiny, campaign, "2026-11-22", "2026-11-23")
    for day, amount in plain.items():
        assert doubled[day] == pytest.approx(2 * amount, rel=0.02)


def test_truth_and_insights_agree_after_writes(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    write(tiny, ad, status="PAUSED")
    tiny.clock(advance_seconds=86_400)
    truth = tiny.truth(account="1001", level="ad", since=TODAY, until=TOMORROW)["rows"]
    rows = tiny.rows(
        "act_1001", TODAY, TOMORROW, level="ad", time_increment="1", fields="ad_id,spend"
    )
    known = {(row["id"], row["date"]): row["spend"] for row in truth}
    for row in rows:
        assert known[row["ad_id"], row["date_start"]] == row["spend"]
    assert (ad, TOMORROW) not in known


def test_names_bids_and_histories(tiny: Caller) -> None:
    ad_set, budget = own_budget(tiny)
    write(tiny, ad_set, name="Größer", bid_strategy="COST_CAP", bid_amount="450")
    found = tiny.get(ad_set, fields="name,bid_strategy,bid_amount")
    assert (found["name"], found["bid_strategy"], found["bid_amount"]) == (
        "Größer",
        "COST_CAP",
        450,
    )
    write(tiny, ad_set, daily_budget=str(budget + 100))
    write(tiny, ad_set, status="PAUSED")
    rows = tiny.rows("act_1001", TODAY, TODAY, level="adset", fields="adset_id,adset_name")
    assert {r["adset_name"] for r in rows if r["adset_id"] == ad_set} == {"Größer"}
    events = tiny.get("act_1001/activities", limit="100")["data"]
    own = {e["event_type"]: json.loads(e["extra_data"]) for e in events if e["object_id"] == ad_set}
    assert own["update_ad_set_budget"] == {
        "old_value": budget,
        "new_value": budget + 100,
        "currency": "EUR",
        "type": "daily_budget",
    }
    assert own["update_ad_set_name"]["new_value"] == "Größer"
    assert own["update_ad_set_bidding"]["new_value"] == 450
    assert own["update_ad_set_run_status"] == {
        "old_value": "Active",
        "new_value": "Inactive",
        "type": "run_status",
    }
    budgets = tiny.get("act_1001/activities", category="BUDGET")["data"]
    assert ad_set in {event["object_id"] for event in budgets}


def test_incremental_reads_see_a_write(tiny: Caller) -> None:
    ad_set = ids(tiny, "adsets")[0]
    now = int(tiny.http.get("/__clock").json()["unix"])
    assert tiny.get("act_1001/adsets", updated_since=str(now - 60))["data"] == []
    write(tiny, ad_set, name="new")
    assert [r["id"] for r in tiny.get("act_1001/adsets", updated_since=str(now - 60))["data"]] == [
        ad_set
    ]


@pytest.mark.parametrize(
    ("params", "code", "subcode"),
    [
        ({"status": "RUNNING"}, 100, 1487561),
        ({"status": "CAMPAIGN_PAUSED"}, 100, 1487561),
        ({"daily_budget": "1"}, 100, 1885272),
        ({"daily_budget": "-5"}, 100, None),
        ({"daily_budget": "5000", "lifetime_budget": "9000"}, 100, None),
        ({"lifetime_budget": "900000"}, 100, None),
        ({"name": " "}, 100, None),
        ({"bid_strategy": "COST_CAP"}, 100, None),
        ({"bid_strategy": "CHEAP"}, 100, None),
        ({"bid_strategy": "LOWEST_COST_WITH_MIN_ROAS"}, 100, None),
        ({"campaign_id": "1"}, 100, None),
    ],
)
def test_refused_edits_change_nothing(
    tiny: Caller, params: dict[str, str], code: int, subcode: int | None
) -> None:
    ad_set, budget = own_budget(tiny)
    problem = refusal(tiny, ad_set, **{"status": "PAUSED", **params})
    assert (problem["code"], problem.get("error_subcode")) == (code, subcode)
    found = tiny.get(ad_set, fields="status,daily_budget")
    assert (found["status"], found["daily_budget"]) == ("ACTIVE", str(budget))


def test_a_validation_error_blames_its_field(tiny: Caller) -> None:
    ad_set, _ = own_budget(tiny)
    problem = refusal(tiny, ad_set, daily_budget="1")
    assert problem["error_data"] == {"blame_field_specs": [["daily_budget"]]}
    assert problem["error_user_title"]
    assert problem["error_user_msg"]


def test_budgets_on_both_levels_are_1885621(launch: Any) -> None:
    world = launch("demo")
    campaign, _ = with_campaign_budget(world)
    child = world.get(f"{campaign}/adsets")["data"][0]["id"]
    assert refusal(world, child, daily_budget="5000")["error_subcode"] == 1885621
    ad_set, _ = own_budget(world)
    parent = world.get(ad_set, fields="campaign_id")["campaign_id"]
    assert refusal(world, parent, daily_budget="5000")["error_subcode"] == 1885621


def test_a_campaign_sets_the_budgets_of_its_ad_sets(tiny: Caller) -> None:
    ad_set, budget = own_budget(tiny)
    parent = tiny.get(ad_set, fields="campaign_id")["campaign_id"]
    listed = [{"adset_id": ad_set, "daily_budget": budget + 300}]
    write(tiny, parent, adset_budgets=listed, adset_bid_amounts={ad_set: 77})
    found = tiny.get(ad_set, fields="daily_budget,bid_amount")
    assert (found["daily_budget"], found["bid_amount"]) == (str(budget + 300), 77)
    foreign = [{"adset_id": "1", "daily_budget": 5000}]
    assert refusal(tiny, parent, adset_budgets=foreign)["code"] == 100


def test_a_dry_run_validates_and_stores_nothing(tiny: Caller) -> None:
    ad_set, budget = own_budget(tiny)
    for _ in range(6):
        dry = write(tiny, ad_set, daily_budget=str(budget * 2), execution_options=["validate_only"])
        assert dry == {"success": True}
    assert tiny.get(ad_set, fields="daily_budget")["daily_budget"] == str(budget)
    problem = refusal(tiny, ad_set, daily_budget="1", execution_options=["validate_only"])
    assert problem["error_subcode"] == 1885272


def test_the_fifth_budget_change_of_an_hour_blocks_for_an_hour(tiny: Caller) -> None:
    ad_set, budget = own_budget(tiny)
    for step in range(1, 5):
        write(tiny, ad_set, daily_budget=str(budget + step))
    problem = refusal(tiny, ad_set, daily_budget=str(budget + 9))
    assert (problem["code"], problem["error_subcode"]) == (613, 1487632)
    write(tiny, ad_set, name="names are free")
    tiny.clock(advance_seconds=3500)
    assert refusal(tiny, ad_set, daily_budget=str(budget + 9))["code"] == 613
    tiny.clock(advance_seconds=101)
    write(tiny, ad_set, daily_budget=str(budget + 9))
    assert tiny.get(ad_set, fields="daily_budget")["daily_budget"] == str(budget + 9)


def test_the_budget_limit_on_campaigns_is_a_switch(launch: Any) -> None:
    world = launch("demo")
    campaign, budget = with_campaign_budget(world)
    for step in range(6):
        write(world, campaign, daily_budget=str(budget + step))
    world.config(budget_limit_on_campaigns=True)
    for step in range(4):
        write(world, campaign, daily_budget=str(budget + step))
    assert refusal(world, campaign, daily_budget=str(budget))["error_subcode"] == 1487632


def test_the_eleventh_spend_cap_of_a_day_is_refused(tiny: Caller) -> None:
    for step in range(10):
        write(tiny, "act_1001", spend_cap=str(500_000 + step))
    problem = refusal(tiny, "act_1001", spend_cap="1")
    assert (problem["code"], problem["error_subcode"]) == (17, 1885172)
    assert tiny.get("act_1001", fields="spend_cap")["spend_cap"] == "500009"
    tiny.clock(advance_seconds=86_400)
    write(tiny, "act_1001", spend_cap_action="reset")
    assert tiny.get("act_1001", fields="spend_cap")["spend_cap"] == "0"


def test_the_hundred_and_first_write_of_a_second_is_refused(launch: Any) -> None:
    tiny = launch(monotonic=lambda: 5.0, mutations_per_second=3)
    ad = ids(tiny, "ads")[0]
    for name in "abc":
        write(tiny, ad, name=name)
    problem = refusal(tiny, ad, name="d")
    assert (problem["code"], problem["error_subcode"]) == (613, 5044001)
    assert tiny.get(ad, fields="name")["name"] == "c"


def test_a_write_costs_three_points_of_the_score(launch: Any) -> None:
    tiny = launch(quota="limited")
    ad = ids(tiny, "ads")[0]
    codes = [tiny.post(ad, name=str(n)).status_code for n in range(21)]
    assert codes.count(200) == 19
    assert tiny.error("act_1001")["error_subcode"] == 2446079


def test_writes_need_the_scope_and_an_open_account(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    answer = tiny.http.post(
        f"/v26.0/{ad}", data={"status": "PAUSED", "access_token": "sim-readonly-x"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 200)
    tiny.http.post("/__accounts", json={"account": "1001", "account_status": 2})
    assert refusal(tiny, ad, status="PAUSED")["code"] == 200
    assert tiny.get(ad, fields="status")["status"] == "ACTIVE"


@pytest.mark.parametrize("how", ["500", "reset"])
def test_a_lost_response_still_changed_the_object(tiny: Caller, how: str) -> None:
    ad = ids(tiny, "ads")[0]
    tiny.fault("lost_response", method="POST", match=ad, params={"how": how})
    if how == "500":
        assert tiny.post(ad, status="PAUSED").status_code == 500
    else:
        lost = tiny.post(ad, status="PAUSED")
        assert lost.content != b'{"success":true}'
    assert tiny.get(ad, fields="status")["status"] == "PAUSED"


def test_creative_swaps_are_seen_and_restart_learning(tiny: Caller) -> None:
    first, second = ids(tiny, "ads")[:2]
    other = tiny.get(second, fields="creative")["creative"]["id"]
    write(tiny, first, creative={"creative_id": other})
    found = tiny.get(first, fields="creative{id,name},adset{learning_stage_info}")
    assert found["creative"]["id"] == other
    assert found["adset"]["learning_stage_info"]["status"] == "LEARNING"
    assert [r["id"] for r in tiny.get(f"{first}/adcreatives")["data"]] == [other]
    assert refusal(tiny, first, creative={"creative_id": "99"})["code"] == 100


def test_only_large_budget_steps_restart_learning(tiny: Caller) -> None:
    ad_set, budget = own_budget(tiny)
    write(tiny, ad_set, daily_budget=str(round(budget * 1.1)))
    stage = tiny.get(ad_set, fields="learning_stage_info")["learning_stage_info"]
    assert stage["status"] == "SUCCESS"
    write(tiny, ad_set, daily_budget=str(budget * 2))
    stage = tiny.get(ad_set, fields="learning_stage_info")["learning_stage_info"]
    assert stage["status"] == "LEARNING"
    assert stage["last_sig_edit_ts"] == int(tiny.http.get("/__clock").json()["unix"])
    tiny.clock(advance_seconds=8 * 86_400)
    stage = tiny.get(ad_set, fields="learning_stage_info")["learning_stage_info"]
    assert stage["status"] == "SUCCESS"


def test_creatives_are_immutable_but_for_name_and_status(tiny: Caller) -> None:
    creative = tiny.get("act_1001/adcreatives")["data"][0]["id"]
    write(tiny, creative, name="renamed")
    assert tiny.get(creative, fields="name")["name"] == "renamed"
    assert refusal(tiny, creative, body="other words")["code"] == 100
    assert refusal(tiny, creative, status="PAUSED")["error_subcode"] == 1487561


def test_archived_and_deleted_objects_are_nearly_closed(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    write(tiny, ad, status="ARCHIVED")
    assert ad not in ids(tiny, "ads")
    write(tiny, ad, name="allowed")
    assert refusal(tiny, ad, status="ACTIVE")["error_subcode"] == 1487566
    assert refusal(tiny, ad, conversion_domain="x.example")["error_subcode"] == 1487566
    write(tiny, ad, status="DELETED")
    write(tiny, ad, name="still allowed")
    assert refusal(tiny, ad, status="ARCHIVED")["error_subcode"] == 1487056
    found = tiny.get(ad, fields="name,effective_status")
    assert (found["name"], found["effective_status"]) == ("still allowed", "DELETED")


def test_deleting_a_campaign_hides_its_children(tiny: Caller) -> None:
    campaign = ids(tiny, "campaigns")[0]
    children = {row["id"] for row in tiny.get(f"{campaign}/ads")["data"]}
    url = f"/v26.0/{campaign}"
    answer = tiny.http.delete(url, params={"access_token": "sim-token-tests"})
    assert answer.json() == {"success": True}
    assert campaign not in ids(tiny, "campaigns")
    assert not children & set(ids(tiny, "ads"))
    assert tiny.get(campaign, fields="effective_status")["effective_status"] == "DELETED"
    again = tiny.http.delete(url, params={"access_token": "sim-token-tests"})
    assert again.json()["error"]["error_subcode"] == 1487056
    assert spends(tiny, "act_1001", "2026-11-20", "2026-11-20")


def test_processing_and_review_last_as_long_as_switched(tiny: Caller) -> None:
    tiny.config(in_process_seconds=120, review_seconds=900)
    ad_set = ids(tiny, "adsets")[0]
    ad = ids(tiny, "ads")[0]
    creative = tiny.get(ids(tiny, "ads")[1], fields="creative")["creative"]["id"]
    write(tiny, ad_set, name="x")
    assert tiny.get(ad_set, fields="effective_status")["effective_status"] == "IN_PROCESS"
    write(tiny, ad, creative={"creative_id": creative})
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "PENDING_REVIEW"
    tiny.clock(advance_seconds=121)
    assert tiny.get(ad_set, fields="effective_status")["effective_status"] == "ACTIVE"
    tiny.clock(advance_seconds=900)
    assert tiny.get(ad, fields="effective_status")["effective_status"] == "ACTIVE"


def test_a_batch_writes_each_item(tiny: Caller) -> None:
    first, second = ids(tiny, "ads")[:2]
    answer = tiny.post(
        "",
        batch=[
            {"method": "POST", "relative_url": first, "body": "status=PAUSED"},
            {"method": "POST", "relative_url": second, "body": "status=RUNNING"},
            {"method": "DELETE", "relative_url": second},
        ],
    ).json()
    assert [item["code"] for item in answer] == [200, 400, 200]
    assert tiny.get(first, fields="status")["status"] == "PAUSED"
    assert tiny.get(second, fields="status")["status"] == "DELETED"


def test_a_lost_answer_inside_a_batch_is_an_error_of_its_item(tiny: Caller) -> None:
    ad = ids(tiny, "ads")[0]
    tiny.fault("lost_response", match=f"/{ad}$")
    item = {"method": "POST", "relative_url": ad, "body": "status=PAUSED"}
    assert tiny.post("", batch=[item]).json()[0]["code"] == 500
    assert tiny.get(ad, fields="status")["status"] == "PAUSED"


def test_a_renamed_account_is_renamed_in_reports(tiny: Caller) -> None:
    write(tiny, "act_1001", name="Neuer Name")
    assert tiny.get("act_1001", fields="name")["name"] == "Neuer Name"
    row = tiny.rows("act_1001", TODAY, TODAY, fields="account_name,spend")[0]
    assert row["account_name"] == "Neuer Name"
