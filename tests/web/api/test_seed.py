"""The first specification's paths and field names, one test a path, with its status codes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from adlab.storage.engine import transaction
from tests.web.api.conftest import ADSET, ALL_SCOPES, CAMPAIGN, Api, problem

INSIGHTS = {"date_start", "date_stop", "spend", "impressions", "clicks", "ctr", "cpc", "cpm",
            "reach", "frequency"}  # fmt: skip


@pytest.fixture(autouse=True)
def connection_of_nordlicht(api: Api) -> int:
    """A connection of the analyst's client."""
    with transaction(api.engine) as c:
        found = c.scalar(text("SELECT min(connection_id) FROM sec.connection"))
        if found is None:
            found = c.scalar(text(
                "INSERT INTO sec.connection (client_id, token_sealed, meta_user_name, scopes, "
                "token_type) SELECT client_id, 'x', 'Greta', '{ads_read}', 'USER' "
                "FROM app.client WHERE slug = 'nordlicht' RETURNING connection_id"
            ))  # fmt: skip
        return int(found or 0)


def get(api: Api, path: str) -> Any:
    """What an alias answers."""
    answer = api(f"/api/meta/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(api: Api, path: str, **body: Any) -> httpx.Response:
    """What an alias that writes answers."""
    return api(f"/api/meta/{path}", method="POST", token=api.token(scopes=ALL_SCOPES), json=body)


def test_validate_token(api: Api) -> None:
    found = get(api, "validate-token")
    assert (found["valid"], found["status"], found["scopes"]) == (True, "ok", ["ads_read"])


def test_user_info(api: Api, connection_of_nordlicht: int) -> None:
    assert get(api, "user-info") == {
        "connection_id": str(connection_of_nordlicht), "name": "Greta"
    }  # fmt: skip


def test_ad_accounts(api: Api) -> None:
    found = get(api, "ad-accounts?client=nordlicht")
    assert found == [
        {"id": "act_1001", "name": "Nordlicht EU", "account_status": 1, "currency": "EUR",
         "timezone_name": "Europe/Berlin", "business_name": None, "account_type": None}
    ]  # fmt: skip
    assert len(get(api, "ad-accounts")) == 4


def test_performance(api: Api) -> None:
    found = get(api, "performance/act_1001?last=7d")
    assert set(found) == INSIGHTS | {"currency"}
    same = api("/accounts/1001/summary?last=7d").json()["metrics"]
    assert {k: found[k] for k in ("spend", "ctr", "cpm")} == {
        k: same[k] for k in ("spend", "ctr", "cpm")
    }


def test_campaigns(api: Api) -> None:
    found = get(api, "campaigns/act_1001")
    assert set(found[0]) == {
        "id", "name", "status", "objective", "daily_budget", "lifetime_budget", "spend",
        "impressions", "clicks", "ctr", "cpc", "created_time", "updated_time", "currency",
    }  # fmt: skip
    rows = api("/insights?client=nordlicht&level=campaign&last=30d&time_increment=all_days").json()
    spend = {r["object_id"]: r["metrics"]["spend"] for r in rows["data"]}
    assert {c["id"]: c["spend"] for c in found if c["spend"] is not None} == spend


def test_insights_of_any_object(api: Api) -> None:
    found = get(api, f"insights/{CAMPAIGN}?last=7d")
    assert set(found) == INSIGHTS | {"currency"}
    assert found["spend"] > 0
    assert get(api, "insights/act_1001?last=7d") == get(api, "performance/1001?last=7d")
    one_day = get(api, f"insights/{CAMPAIGN}?last=yesterday")
    assert one_day["reach"] > 0
    assert found["reach"] is None


def test_realtime(api: Api) -> None:
    found = get(api, "realtime/act_1001")
    assert found["date_start"] == found["date_stop"]
    assert found["spend"] == api("/accounts/1001/live").json()["metrics"]["spend"]


def test_ad_sets_and_ads(api: Api) -> None:
    assert [s["name"] for s in get(api, f"ad-sets/{CAMPAIGN}")] == ["Set 0", "Set 2", "Set 4"]
    assert [a["name"] for a in get(api, f"ads/{ADSET}")] == ["Ad 0", "Ad 1", "Ad 2"]


def test_a_status_is_proposed(api: Api) -> None:
    answer = post(api, f"campaigns/{CAMPAIGN}/status", status="PAUSED")
    assert answer.status_code == 202
    assert answer.json()["wanted"] == {"status": "PAUSED"}
    assert post(api, f"campaigns/{CAMPAIGN}/status", status="GONE").status_code == 422
    assert post(api, f"campaigns/{ADSET}/status", status="PAUSED").status_code == 404


def test_a_budget_is_proposed(api: Api) -> None:
    answer = post(api, f"campaigns/{CAMPAIGN}/budget", daily_budget="40.00", reason="more")
    assert answer.status_code == 202
    assert answer.json()["wanted"] == {"daily_budget": "40.00"}
    assert post(api, f"campaigns/{CAMPAIGN}/budget").status_code == 422
    both = post(api, f"campaigns/{CAMPAIGN}/budget", daily_budget="4", lifetime_budget="5")
    assert both.status_code == 422


def test_strategies_are_not_there_and_asking_makes_none(api: Api) -> None:
    assert api("/api/meta/strategies/act_1001").status_code == 409
    assert post(api, "strategies/execute").status_code == 409


def test_auth_needs_a_desk(api: Api) -> None:
    answer = post(api, "auth", client="nordlicht")
    assert answer.status_code == 409
    assert problem(answer)["type"] == "urn:adlab:problem:no-desk"
    ended = api("/api/meta/auth?state=x&code=y", token=api.token(scopes=ALL_SCOPES))
    assert ended.status_code == 422


@pytest.mark.parametrize(
    "path",
    ["validate-token", "user-info", "ad-accounts", "performance/1001", "campaigns/1001",
     f"insights/{CAMPAIGN}", "realtime/1001", f"ad-sets/{CAMPAIGN}", f"ads/{ADSET}",
     "strategies/1001", "auth?state=x"],
)  # fmt: skip
def test_every_path_asks_who_calls(api: Api, path: str) -> None:
    assert api(f"/api/meta/{path}", token=None).status_code == 401
    wrong = api(f"/api/meta/{path}", token=api.token(scopes=("audit",)))
    assert wrong.status_code == 403


def test_all_paths_of_the_first_specification_are_described(api: Api) -> None:
    described = api("/openapi.json").json()["paths"]
    wanted = {
        "validate-token": "get", "user-info": "get", "ad-accounts": "get",
        "performance/{account_id}": "get", "campaigns/{account_id}": "get",
        "campaigns/{campaign_id}/status": "post", "campaigns/{campaign_id}/budget": "post",
        "insights/{object_id}": "get", "realtime/{account_id}": "get",
        "ad-sets/{campaign_id}": "get", "ads/{adset_id}": "get",
        "strategies/{account_id}": "get", "strategies/execute": "post", "auth": "get",
    }  # fmt: skip
    for path, method in wanted.items():
        assert method in described[f"/api/meta/{path}"], path
    assert "post" in described["/api/meta/auth"]
