"""Sets of requests that are carried out later."""

from __future__ import annotations

from typing import Any

from .conftest import TOKEN, Caller
from .test_creation import CAMPAIGN
from .test_writes import ids, refusal, write


def counts(tiny: Caller, number: str) -> dict[str, Any]:
    return tiny.get(
        number,
        fields="is_completed,total_count,initial_count,success_count,error_count,canceled_count",
    )


def test_a_set_of_ads_is_made_later_and_tells_each_result(tiny: Caller) -> None:
    tiny.config(async_write_seconds=60)
    ad_set = ids(tiny, "adsets")[0]
    creative = tiny.get("act_1001/adcreatives")["data"][0]["id"]
    spec = {"name": "Later", "adset_id": ad_set, "creative": {"creative_id": creative}}
    made = write(tiny, "act_1001/asyncadrequestsets", name="s", ad_specs=[spec, {"name": "bad"}])
    found = counts(tiny, made["id"])
    assert (found["is_completed"], found["initial_count"]) == (False, 2)
    before = len(ids(tiny, "ads"))
    tiny.clock(advance_seconds=61)
    assert len(ids(tiny, "ads")) == before + 1
    found = counts(tiny, made["id"])
    assert (found["is_completed"], found["success_count"], found["error_count"]) == (True, 1, 1)
    requests = tiny.get(f"{made['id']}/requests")["data"]
    assert [item["status"] for item in requests] == ["SUCCESS", "ERROR"]
    assert requests[0]["result"]["id"] in ids(tiny, "ads")


def test_a_batch_resolves_what_depends_on_each_other(tiny: Caller) -> None:
    body = "name=Async&objective=OUTCOME_SALES&special_ad_categories=[]&daily_budget=5000"
    batch = [
        {"name": "c", "relative_url": "act_1001/campaigns", "body": body},
        {"name": "r", "relative_url": "{result=c:$.id}", "body": "name=Renamed"},
    ]
    made = write(tiny, "act_1001/async_batch_requests", name="b", adbatch=batch)
    assert counts(tiny, made["id"])["success_count"] == 2
    names = [r["name"] for r in tiny.get("act_1001/campaigns", fields="name")["data"]]
    assert "Renamed" in names
    assert "Async" not in names


def test_what_waits_can_be_cancelled(tiny: Caller) -> None:
    tiny.config(async_write_seconds=60)
    item = {"relative_url": "act_1001/campaigns", "body": "name=x"}
    made = write(tiny, "act_1001/async_batch_requests", name="b", adbatch=[item])
    tiny.http.delete(f"/v26.0/{made['id']}", params={"access_token": TOKEN})
    tiny.clock(advance_seconds=61)
    assert counts(tiny, made["id"])["canceled_count"] == 1
    assert len(ids(tiny, "campaigns")) == 3


def test_sets_that_are_refused(tiny: Caller) -> None:
    edge = "act_1001/async_batch_requests"
    assert refusal(tiny, edge, name="b", adbatch=[])["code"] == 100
    assert refusal(tiny, edge, name="b", adbatch=[{}] * 1001)["code"] == 100
    wrong = {"name": "b", "adbatch": [CAMPAIGN], "notification_mode": "LOUD"}
    assert refusal(tiny, edge, **wrong)["code"] == 100
