"""Asynchronous reports, faults, quotas, login and the control plane."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from .conftest import TOKEN, Caller

SECRET = "simulated-app-secret"


def new_run(tiny: Caller, **params: Any) -> str:
    made = tiny.post("act_1001/insights", level="ad", time_increment="1", **params).json()
    return str(made["report_run_id"])


def test_a_report_passes_through_its_states(launch: Any) -> None:
    passed = [0.0]
    tiny = launch(
        async_start_seconds=5.0,
        async_run_seconds=100.0,
        async_full_seconds=10.0,
        monotonic=lambda: passed[0],
    )
    run = new_run(tiny)
    seen = []
    for second in (0, 6, 60, 106, 114):
        passed[0] = float(second)
        found = tiny.get(run)
        seen.append((found["async_status"], found["async_percent_completion"]))
        early = tiny.error(f"{run}/insights")
        assert (early["code"], early["error_subcode"]) == (2601, 1815107)
    assert seen == [
        ("Job Not Started", 0),
        ("Job Started", 0),
        ("Job Running", 54),
        ("Job Running", 100),
        ("Job Running", 100),
    ]
    passed[0] = 115.0
    assert tiny.get(run)["async_status"] == "Job Completed"
    assert len(tiny.get(f"{run}/insights")["data"]) == 25
    assert len(tiny.pages(f"{run}/insights", limit="500")) == 180


def test_report_troubles(tiny: Caller) -> None:
    tiny.fault("job_fail", params={"error_code": -2})
    failed = tiny.get(new_run(tiny))
    assert failed["async_status"] == "Job Failed"
    assert failed["error_code"] == -2
    assert len([name for name in failed if name.startswith("error_")]) == 5
    tiny.fault("job_skip")
    assert tiny.get(new_run(tiny))["async_status"] == "Job Skipped"
    tiny.fault("job_stuck")
    stuck = tiny.get(new_run(tiny))
    assert (stuck["async_status"], stuck["async_percent_completion"]) == ("Job Running", 100)
    tiny.fault("job_race", params={"polls": 2})
    raced = new_run(tiny)
    assert [tiny.raw(raced).status_code for _ in range(3)] == [400, 400, 200]
    tiny.fault("job_early")
    done = new_run(tiny)
    assert tiny.error(f"{done}/insights")["code"] == 2601
    assert tiny.get(f"{done}/insights")["data"]
    tiny.config(async_row_limit=10)
    assert tiny.get(new_run(tiny))["error_subcode"] == 1504045


def test_reports_expire_after_30_days_and_belong_to_their_account(tiny: Caller) -> None:
    run = new_run(tiny)
    assert tiny.error(run, access_token="sim-token-acct-1002")["error_subcode"] == 33
    tiny.clock(advance_seconds=31 * 86_400)
    assert tiny.error(run)["error_subcode"] == 33


@pytest.mark.parametrize(
    ("kind", "code", "subcode"),
    [
        ("unknown", 1, 99),
        ("transient", 2, None),
        ("app_limit", 4, None),
        ("account_score", 17, 2446079),
        ("throttle_insights", 80000, 2446079),
        ("expired_token", 190, 463),
        ("too_many_rows", 100, 1487534),
        ("sync_timeout", 100, 1504018),
        ("no_permission", 200, None),
        ("bad_cursor", 2642, None),
    ],
)
def test_error_faults_strike_once_by_default(
    tiny: Caller, kind: str, code: int, subcode: int | None
) -> None:
    tiny.fault(kind, match="/insights$")
    assert tiny.get("act_1001")
    problem = tiny.error("act_1001/insights")
    assert (problem["code"], problem.get("error_subcode")) == (code, subcode)
    assert tiny.get("act_1001/insights")["data"]


def test_throttle_faults_tell_the_minutes(tiny: Caller) -> None:
    tiny.fault("throttle_insights", params={"minutes": 7})
    answer = tiny.raw("act_1001/insights")
    entries = json.loads(answer.headers["x-business-use-case-usage"])["1001"]
    assert max(entry["estimated_time_to_regain_access"] for entry in entries) == 7
    assert entries[0]["estimated_time_to_regain_access"] == 0


def test_transport_faults(tiny: Caller) -> None:
    for kind in ("service_unavailable", "html", "empty", "success_false", "truncated"):
        tiny.fault(kind)
    assert tiny.raw("me").text == "Service temporarily unavailable"
    assert tiny.raw("me").text.startswith("<!DOCTYPE")
    assert tiny.raw("me").content == b""
    assert tiny.raw("me").json() == {"success": False}
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        json.loads(tiny.raw("act_1001/campaigns").text)


def test_custom_errors_skips_counts_and_probability(tiny: Caller) -> None:
    tiny.fault("error", skip=1, count=2, params={"code": 368, "message": "no", "status": 403})
    assert [tiny.raw("me").status_code for _ in range(4)] == [200, 403, 403, 200]
    tiny.fault("transient", count=None, probability=0.5)
    codes = [tiny.raw("me").status_code for _ in range(60)]
    assert 10 < codes.count(500) < 50
    assert tiny.http.delete("/__faults").json() == {"faults": []}
    assert tiny.raw("me").status_code == 200
    assert tiny.http.post("/__faults", json={"kind": "nonsense"}).status_code == 400


def test_a_repeating_cursor_points_at_its_own_page(tiny: Caller) -> None:
    query = {"level": "ad", "date_preset": "last_7d", "limit": "2"}
    tiny.fault("repeating_cursor")
    first = tiny.get("act_1001/insights", **query)
    again = tiny.http.get(first["paging"]["next"]).json()
    assert again["data"] == first["data"]


def test_the_score_bucket_blocks_and_empties(launch: Any) -> None:
    tiny = launch(quota="limited")
    codes = [tiny.raw("act_1001").status_code for _ in range(62)]
    assert codes[:60] == [200] * 60
    problem = tiny.error("act_1001")
    assert (problem["code"], problem["error_subcode"]) == (17, 2446079)
    assert tiny.raw("act_1002").status_code == 200
    tiny.clock(advance_seconds=290)
    assert tiny.raw("act_1001").status_code == 400
    tiny.clock(advance_seconds=700)
    assert tiny.raw("act_1001").status_code == 200


def test_hourly_meters_answer_80000_with_minutes(launch: Any) -> None:
    tiny = launch(quota="full", quota_scale=0.0001, usage_header_every=0)
    codes = [tiny.raw("act_1001/insights") for _ in range(25)]
    problem = codes[-1].json()["error"]
    assert problem["code"] == 80000
    entries = json.loads(codes[-1].headers["x-business-use-case-usage"])["1001"]
    assert len(entries) == 2
    assert 1 <= max(e["estimated_time_to_regain_access"] for e in entries) <= 60
    tiny.clock(advance_seconds=3601)
    assert tiny.raw("act_1001/insights").status_code == 200


def test_usage_headers_are_on_most_answers_but_not_on_all(tiny: Caller) -> None:
    having = ["x-ad-account-usage" in tiny.raw("act_1001").headers for _ in range(14)]
    assert having.count(True) == 12


def test_the_login_flow(tiny: Caller) -> None:
    asked = {
        "client_id": "555",
        "redirect_uri": "http://127.0.0.1:8/back",
        "state": "s1",
        "scope": "ads_read",
        "response_type": "code",
    }

    def dialog(**more: str) -> dict[str, list[str]]:
        answer = tiny.http.get(
            "/v26.0/dialog/oauth", params={**asked, **more}, follow_redirects=False
        )
        assert answer.status_code == 302
        return parse_qs(urlsplit(answer.headers["location"]).query)

    assert "Simulated login" in tiny.http.get("/v26.0/dialog/oauth", params=asked).text
    assert dialog(sim="deny")["error"] == ["access_denied"]
    assert dialog(sim="wrong_state")["state"] != ["s1"]
    code = dialog(sim="allow", sim_accounts="1002")["code"][0]
    exchange = {
        "client_id": "555",
        "client_secret": SECRET,
        "code": code,
        "redirect_uri": asked["redirect_uri"],
    }

    def redeem(**more: str) -> httpx.Response:
        return tiny.http.get("/v26.0/oauth/access_token", params={**exchange, **more})

    assert redeem(redirect_uri="http://other/").json()["error"]["error_subcode"] == 36008
    assert redeem(client_secret="wrong").json()["error"]["code"] == 1
    short = redeem().json()["access_token"]
    assert redeem().json()["error"]["error_subcode"] == 36009
    long = tiny.http.get(
        "/v26.0/oauth/access_token",
        params={
            "grant_type": "fb_exchange_token",
            "client_id": "555",
            "client_secret": SECRET,
            "fb_exchange_token": short,
        },
    ).json()
    assert long["expires_in"] == 60 * 86_400
    owned = tiny.get("me/adaccounts", access_token=long["access_token"])["data"]
    assert [row["account_id"] for row in owned] == ["1002"]
    assert [
        row["permission"] for row in tiny.get("me/permissions", access_token=short)["data"]
    ] == ["ads_read"]
    tiny.clock(advance_seconds=3 * 3600)
    assert tiny.error("me", access_token=short)["error_subcode"] == 463
    late = dialog(sim="allow")["code"][0]
    tiny.clock(advance_seconds=3600)
    assert redeem(code=late).json()["error"]["error_subcode"] == 36007
    forged = long["access_token"][:-1] + "x"
    assert tiny.error("me", access_token=forged)["error_subcode"] == 467


def test_debug_token(tiny: Caller) -> None:
    def debug(token: str) -> dict[str, Any]:
        return tiny.get("debug_token", input_token=token, access_token=f"555|{SECRET}")["data"]

    user = debug("sim-token-acct-1001")
    assert user["is_valid"] is True
    assert user["type"] == "USER"
    assert user["granular_scopes"][0]["target_ids"] == ["1001"]
    assert debug("sim-system-1")["expires_at"] == 0
    gone = debug("sim-expired-1")
    assert gone["is_valid"] is False
    assert gone["error"]["subcode"] == 463


def test_the_call_log_counts_and_never_holds_a_token(tiny: Caller) -> None:
    tiny.get("act_1001/insights", level="ad")
    tiny.raw("act_1001", access_token="sim-expired-secretpart")
    tiny.post("", batch=[{"method": "GET", "relative_url": f"me?access_token={TOKEN}"}])
    log = tiny.http.get("/__calls")
    assert log.json()["total"] == 3
    assert log.json()["by_path"]["GET /v26.0/act_{id}/insights"] == 1
    assert TOKEN not in log.text
    assert "secretpart" not in log.text
    tiny.http.post("/__reset")
    assert tiny.http.get("/__calls").json()["total"] == 0


def test_clock_control(tiny: Caller) -> None:
    assert tiny.http.get("/__clock").json()["now"] == "2026-11-21T10:07:00Z"
    assert tiny.clock(advance_seconds=900)["tick"] == "2026-11-21T10:15:00Z"
    assert tiny.clock(now="2026-12-01T00:00:00+01:00")["now"] == "2026-11-30T23:00:00Z"
    assert tiny.clock(run=True)["is_frozen"] is False
    assert tiny.http.post("/__clock", json={"nonsense": 1}).status_code == 400


def test_truth_lists_the_planted_stories(demo: Caller) -> None:
    stories = demo.http.get("/__truth").json()["stories"]
    kinds = {story["kind"] for story in stories}
    assert kinds == {
        "fatigued_ad",
        "overspending_campaign",
        "ab_pair",
        "tracking_drop",
        "outage_day",
    }
    recent = {story["kind"] for story in stories if story["until"] >= "2026-10-18"}
    assert recent == kinds
    drop = [s for s in stories if s["kind"] == "tracking_drop" and s["until"] < "2026-11-20"][-1]
    days = demo.truth(
        account=drop["account_id"],
        level="account",
        group="day",
        since="2026-10-20",
        until="2026-11-20",
    )["rows"]
    inside = [r["purchases"] for r in days if drop["since"] <= r["date"] <= drop["until"]]
    outside = [r["purchases"] for r in days if not drop["since"] <= r["date"] <= drop["until"]]
    assert sum(inside) / len(inside) < 0.5 * sum(outside) / len(outside)


def test_truth_groups_agree(demo: Caller) -> None:
    span = {"account": "1006", "level": "ad", "since": "2026-11-01", "until": "2026-11-20"}
    sums = {
        group: sum(row["spend_minor"] for row in demo.truth(**span, group=group)["rows"])
        for group in ("object_day", "object", "day", "total")
    }
    assert len(set(sums.values())) == 1
    answer = demo.truth(**span, group="total")
    rows = demo.truth(**span)["rows"]
    assert answer["listed_rows"][0]["spend_minor"] == sum(
        row["spend_minor"] for row in rows if not row["is_hidden"]
    )
    assert demo.http.get("/__truth/insights", params={"account": "9"}).status_code == 400


def test_switches_are_checked(tiny: Caller) -> None:
    assert tiny.http.get("/__health").json()["status"] == "ok"
    assert tiny.config(latency_ms=1)["latency_ms"] == 1.0
    assert tiny.http.post("/__config", json={"quota": "huge"}).status_code == 400
    assert isinstance(tiny.http, TestClient)


def test_a_user_who_removes_the_app_takes_every_token_along(tiny: Caller) -> None:
    try:
        assert tiny.post("me/permissions", method="delete").json() == {"success": True}
        error = tiny.error("me")
        assert (error["code"], error["error_subcode"]) == (190, 458)
    finally:
        tiny.http.post("/__reset")
    assert "id" in tiny.get("me")
