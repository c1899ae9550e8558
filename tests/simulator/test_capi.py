"""The Conversions API: all or nothing, times, hashes, deduplication, quality."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from .conftest import TOKEN, Caller

NOW = 1795255620
PIXEL = "881001"
EMAIL = hashlib.sha256(b"ada@example.com").hexdigest()


def event(**changed: Any) -> dict[str, Any]:
    made = {
        "event_name": "Purchase",
        "event_time": NOW - 60,
        "event_id": "order-1",
        "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {"em": [EMAIL], "client_user_agent": "Mozilla/5.0"},
        "custom_data": {"value": 59.9, "currency": "EUR"},
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def send(tiny: Caller, *events: dict[str, Any], version: str = "v26.0", **more: Any) -> Any:
    return tiny.http.post(
        f"/{version}/{PIXEL}/events",
        params={"access_token": TOKEN},
        json={"data": list(events), **more},
    )


def kept(tiny: Caller) -> Any:
    return tiny.http.get("/__events", params={"dataset": PIXEL}).json()


def test_events_are_received_as_json_and_as_form(tiny: Caller) -> None:
    answer = send(tiny, event(), event(event_id="order-2"), test_event_code="TEST1").json()
    assert answer["events_received"] == 2
    assert answer["messages"] == []
    assert answer["fbtrace_id"]
    form = tiny.post(f"{PIXEL}/events", data=[event(event_id="order-3")])
    assert form.json()["events_received"] == 1
    found = kept(tiny)
    assert (found["received"], found["counted"], found["by_name"]) == (3, 3, {"Purchase": 3})
    first = found["events"][0]
    assert (first["value"], first["currency"], first["test_event_code"]) == (59.9, "EUR", "TEST1")


def test_events_live_by_the_longer_clock(tiny: Caller) -> None:
    assert send(tiny, event(), version="v21.0").status_code == 200


@pytest.mark.parametrize(
    ("changed", "subcode"),
    [
        ({"event_time": NOW - 8 * 86_400}, 2804003),
        ({"event_time": NOW + 3600}, 2804003),
        ({"event_time": (NOW - 60) * 1000}, 2804003),
        ({"event_time": "yesterday"}, 2804003),
        ({"action_source": "physical_store", "event_time": NOW - 63 * 86_400}, 2804003),
        ({"user_data": {"client_user_agent": "Mozilla/5.0"}}, 2804050),
        ({"user_data": {"em": ["ada@example.com"], "client_user_agent": "x"}}, None),
        ({"user_data": {"em": [EMAIL.upper()], "client_user_agent": "x"}}, None),
        ({"user_data": {"em": [EMAIL]}}, None),
        ({"event_name": None}, None),
        ({"event_source_url": None}, None),
        ({"action_source": "tv"}, None),
        ({"custom_data": None}, None),
        ({"custom_data": {"value": "much", "currency": "EUR"}}, None),
        ({"custom_data": {"value": 1, "currency": "euros"}}, None),
        ({"data_processing_options": ["ALL"]}, None),
    ],
)
def test_one_wrong_event_rejects_the_whole_request(
    tiny: Caller, changed: dict[str, Any], subcode: int | None
) -> None:
    answer = send(tiny, event(), event(event_id="order-2", **changed))
    problem = answer.json()["error"]
    assert (answer.status_code, problem["code"]) == (400, 100)
    assert problem.get("error_subcode") == subcode
    assert problem["error_user_msg"].startswith("Event 1:")
    found = kept(tiny)
    assert (found["received"], found["rejected_requests"]) == (0, 1)


def test_stores_may_send_up_to_62_days_later(tiny: Caller) -> None:
    late = event(action_source="physical_store", event_time=NOW - 61 * 86_400)
    assert send(tiny, late).status_code == 200


def test_a_thousand_events_are_the_most(tiny: Caller) -> None:
    events = [event(event_id=str(n)) for n in range(1001)]
    assert send(tiny, *events).status_code == 400
    assert send(tiny, *events[:1000]).json()["events_received"] == 1000
    assert send(tiny).status_code == 400


def test_the_same_event_counts_once_within_48_hours(tiny: Caller) -> None:
    browser = {"dataset": PIXEL, "event_name": "Purchase", "event_id": "order-1"}
    assert tiny.http.post("/__events", json=browser).status_code == 200
    send(tiny, event())
    send(tiny, event())
    send(tiny, event(event_name="Lead"))
    found = kept(tiny)
    assert (found["received"], found["counted"], found["deduplicated"]) == (4, 2, 2)
    tiny.clock(advance_seconds=49 * 3600)
    send(tiny, event(event_time=NOW + 49 * 3600))
    assert kept(tiny)["counted"] == 3
    assert tiny.http.post("/__events", json={"dataset": PIXEL}).status_code == 400
    tiny.http.delete("/__events")
    assert kept(tiny)["received"] == 0


def test_events_show_in_the_pixels_counts(tiny: Caller) -> None:
    send(tiny, event(event_name="Subscribe", custom_data=None), event())
    hours = tiny.get(f"{PIXEL}/stats", aggregation="event")["data"]
    names = [item for hour in hours for item in hour["data"] if item["value"] == "Subscribe"]
    assert names == [{"value": "Subscribe", "count": 1}]


def test_quality_follows_the_keys_that_are_sent(tiny: Caller) -> None:
    ask = {"dataset_id": PIXEL, "fields": "web{event_name,event_match_quality}"}
    assert tiny.get("dataset_quality", **ask) == {"web": []}
    send(tiny, event())
    poor = tiny.get("dataset_quality", **ask)["web"][0]
    rich = {
        "em": [EMAIL],
        "ph": [EMAIL],
        "fbp": "fb.1.1.2",
        "client_ip_address": "192.0.2.1",
        "client_user_agent": "x",
    }
    for number in range(5):
        send(tiny, event(event_id=f"rich-{number}", user_data=rich))
    better = tiny.get("dataset_quality", **ask)["web"][0]
    assert set(better) == {"event_name", "event_match_quality"}
    score = better["event_match_quality"]["composite_score"]
    assert poor["event_match_quality"]["composite_score"] < score <= 10
    feedback = {
        item["identifier"]: item["coverage"]["percentage"]
        for item in better["event_match_quality"]["match_key_feedback"]
    }
    assert feedback["email"] == 100
    assert feedback["phone"] == 83
    assert tiny.error("dataset_quality", dataset_id=PIXEL)["code"] == 100


def test_foreign_pixels_and_tokens_are_refused(tiny: Caller) -> None:
    url = f"/v26.0/{PIXEL}/events"
    other = {"access_token": "sim-token-acct-1002"}
    answer = tiny.http.post(url, params=other, json={"data": [event()]})
    assert answer.json()["error"]["error_subcode"] == 33
    none = {"access_token": "sim-noscope-x"}
    answer = tiny.http.post(url, params=none, json={"data": [event()]})
    assert answer.json()["error"]["code"] == 200


def test_an_events_call_counts_as_one_marketing_call(launch: Any) -> None:
    tiny = launch(quota="limited")
    codes = [send(tiny, event(event_id=str(n))).status_code for n in range(61)]
    assert codes == [200] * 60 + [400]


def test_app_wide_meters(launch: Any) -> None:
    tiny = launch(app_calls_per_hour=5, app_insights_calls_per_hour=2)
    assert [tiny.raw("act_1001/insights").status_code for _ in range(3)] == [200, 200, 403]
    problem = tiny.error("act_1002/insights")
    assert (problem["code"], problem["error_subcode"]) == (4, 1504022)
    assert tiny.raw("act_1001").status_code == 200
    problem = tiny.error("act_1001")
    assert problem["code"] == 4
    assert "error_subcode" not in problem
    tiny.clock(advance_seconds=3601)
    assert tiny.raw("act_1001/insights").status_code == 200


def test_processor_time_is_a_meter_of_its_own(launch: Any) -> None:
    tiny = launch(quota="full", cputime_percent_per_call=30.0, usage_header_every=0)
    codes = [tiny.raw("act_1001/insights") for _ in range(4)]
    assert [answer.status_code for answer in codes] == [200, 200, 200, 400]
    assert codes[-1].json()["error"]["code"] == 80000
    assert '"total_cputime": 120' in codes[-1].headers["x-business-use-case-usage"]
