"""Versions, tokens, proofs, batches, headers, bodies and the SDK."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from .conftest import TOKEN, Caller

SECRET = "simulated-app-secret"


@pytest.mark.parametrize("version", ["v25.0", "v26.0"])
def test_living_versions_are_served(tiny: Caller, version: str) -> None:
    answer = tiny.raw("act_1001", version=version)
    assert answer.status_code == 200
    assert answer.headers["facebook-api-version"] == version
    assert answer.headers["x-fb-trace-id"]


def test_dead_versions_are_2635_or_upgraded(tiny: Caller) -> None:
    problem = tiny.raw("act_1001", version="v19.0").json()["error"]
    assert problem["code"] == 2635
    assert problem["fbtrace_id"]
    tiny.config(version_policy="upgrade")
    answer = tiny.raw("act_1001", version="v19.0")
    assert answer.status_code == 200
    assert "v19.0" in answer.headers["x-ad-api-version-warning"]
    assert answer.headers["facebook-api-version"] == "v25.0"
    assert (
        tiny.http.get("/act_1001", params={"access_token": TOKEN}).json()["error"]["code"] == 2635
    )


def test_graph_paths_live_longer_and_need_no_version(tiny: Caller) -> None:
    answer = tiny.raw("me", version="v19.0")
    assert answer.headers["facebook-api-version"] == "v21.0"
    assert tiny.http.get("/me", params={"access_token": TOKEN}).status_code == 200


@pytest.mark.parametrize(
    ("token", "subcode"),
    [
        ("sim-expired-1", 463),
        ("sim-revoked-1", 458),
        ("sim-checkpoint-1", 459),
        ("sim-password-1", 460),
        ("nonsense", 467),
    ],
)
def test_dead_tokens_say_why(tiny: Caller, token: str, subcode: int) -> None:
    answer = tiny.raw("me", access_token=token)
    assert answer.status_code == 401
    assert answer.json()["error"]["error_subcode"] == subcode
    assert "www-authenticate" in answer.headers


def test_the_token_may_stand_in_the_header_or_in_the_form(tiny: Caller) -> None:
    url = "/v26.0/act_1001"
    assert tiny.http.get(url).json()["error"]["code"] == 104
    assert tiny.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    made = tiny.http.post(f"{url}/insights", data={"access_token": TOKEN})
    assert "report_run_id" in made.json()
    several = tiny.http.post(
        f"{url}/insights", files={"access_token": (None, TOKEN), "level": (None, "ad")}
    )
    assert "report_run_id" in several.json()
    assert (
        "report_run_id"
        in tiny.http.post(
            f"{url}/insights", json={"access_token": TOKEN, "fields": ["spend"]}
        ).json()
    )


def test_a_token_without_ads_scopes_is_200(tiny: Caller) -> None:
    assert tiny.error("act_1001", access_token="sim-noscope-1")["code"] == 200
    assert tiny.get("act_1001", access_token="sim-readonly-1")["id"] == "act_1001"


def test_appsecret_proof_in_both_forms(tiny: Caller) -> None:
    def proof(message: str) -> str:
        return hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()

    assert tiny.get("me", appsecret_proof=proof(TOKEN))
    now = int(tiny.http.get("/__clock").json()["unix"])
    timed = {"appsecret_proof": proof(f"{TOKEN}|{now}"), "appsecret_time": str(now)}
    assert tiny.get("me", **timed)
    assert tiny.error("me", appsecret_proof="0" * 64)["code"] == 100
    tiny.config(require_appsecret_proof=True)
    assert tiny.error("me")["code"] == 100
    assert tiny.get("me", **timed)
    tiny.clock(advance_seconds=301)
    assert tiny.error("me", **timed)["code"] == 100


def test_multi_get_and_conditional_reads_are_gone(tiny: Caller) -> None:
    assert tiny.error("", ids="1,2")["code"] == 100
    answer = tiny.http.get(
        "/v26.0/me", params={"access_token": TOKEN}, headers={"If-None-Match": "*"}
    )
    assert answer.status_code == 200


def batch(tiny: Caller, items: list[dict[str, Any]]) -> Any:
    return tiny.post("", batch=items).json()


def test_batch_keeps_order_and_answers_in_strings(tiny: Caller) -> None:
    found = batch(
        tiny,
        [
            {"method": "GET", "relative_url": "act_1001?fields=name"},
            {"method": "GET", "relative_url": "v25.0/act_1002?fields=currency"},
            {"method": "GET", "relative_url": "act_404"},
        ],
    )
    assert [item["code"] for item in found] == [200, 200, 400]
    assert json.loads(found[1]["body"])["currency"] == "JPY"
    names = {header["name"] for header in found[0]["headers"]}
    assert "x-business-use-case-usage" in names


def test_batch_results_feed_later_items_and_parents_become_null(tiny: Caller) -> None:
    items = [
        {"method": "GET", "name": "first", "relative_url": "act_1001/campaigns?limit=1"},
        {"method": "GET", "relative_url": "{result=first:$.data.*.id}?fields=name"},
    ]
    found = batch(tiny, items)
    assert found[0] is None
    assert json.loads(found[1]["body"])["name"]
    items[0]["omit_response_on_success"] = False
    assert batch(tiny, items)[0]["code"] == 200


def test_batch_refuses_51_items_and_can_leave_nulls(tiny: Caller) -> None:
    item = {"method": "GET", "relative_url": "me"}
    assert batch(tiny, [item] * 51)["error"]["code"] == 100
    tiny.fault("null_items", params={"items": 2})
    found = batch(tiny, [item] * 5)
    assert [entry is None for entry in found] == [False, False, False, True, True]


def test_each_batch_item_is_billed(tiny: Caller) -> None:
    tiny.config(quota="limited")
    item = {"method": "GET", "relative_url": "act_1001"}
    codes = [entry["code"] for entry in batch(tiny, [item] * 50) + batch(tiny, [item] * 20)]
    assert codes[:60] == [200] * 60
    assert set(codes[61:]) == {400}


def test_the_sdk_walks_cursors(launch: Any) -> None:
    """The real SDK over a transport that hands its requests to the application."""
    from facebook_business.adobjects.adaccount import AdAccount
    from facebook_business.api import FacebookAdsApi
    from facebook_business.session import FacebookSession

    tiny = launch()
    session = FacebookSession(app_id="555", app_secret=SECRET, access_token=TOKEN)
    session.requests.mount("http://", _AppAdapter(tiny))
    previous = FacebookSession.GRAPH
    FacebookSession.GRAPH = "http://testserver"
    try:
        account = AdAccount("act_1001", api=FacebookAdsApi(session))
        rows = list(
            account.get_insights(
                fields=["ad_id", "spend"],
                params={"level": "ad", "time_increment": 1, "limit": 10, "date_preset": "last_7d"},
            )
        )
        campaigns = list(account.get_campaigns(fields=["name"], params={"limit": 1}))
        run = account.get_insights(fields=["spend"], params={"level": "ad"}, is_async=True)
        status = run.api_get()
        report = list(run.get_insights(params={"limit": 2}))
    finally:
        FacebookSession.GRAPH = previous
    assert len(rows) == 42
    assert len(campaigns) == 3
    assert status["async_status"] == "Job Completed"
    assert len(report) == 6


def _AppAdapter(tiny: Caller) -> Any:
    import requests
    from requests.adapters import BaseAdapter

    class Adapter(BaseAdapter):
        def send(self, request: Any, **kwargs: Any) -> Any:
            answer = tiny.http.request(
                request.method, request.url, content=request.body, headers=dict(request.headers)
            )
            made = requests.Response()
            made.status_code = answer.status_code
            made._content = answer.content
            made.headers.update(answer.headers)
            made.request, made.url = request, request.url
            return made

        def close(self) -> None:
            """Nothing to close."""

    return Adapter()
