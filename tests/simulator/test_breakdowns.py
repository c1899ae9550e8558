"""Breakdowns beyond the usual ones: regions, markets, assets, and those that need an opt-in."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import TOKEN, Caller

SINCE, UNTIL = "2026-11-10", "2026-11-20"
WEB = {"purchase", "omni_purchase", "landing_page_view", "view_content"}


def minor(rows: list[dict[str, Any]]) -> int:
    return sum(round(float(row["spend"]) * 100) for row in rows)


def opt_in(tiny: Caller, account: str = "1001") -> None:
    body = {"account": account, "breakdown_opt_in": True}
    assert tiny.http.post("/__accounts", json=body).status_code == 200


@pytest.mark.parametrize("breakdown", ["region", "comscore_market"])
@pytest.mark.parametrize("account", ["act_1001", "act_1002"])
def test_places_sum_to_the_plain_row_and_lose_web_conversions(
    tiny: Caller, account: str, breakdown: str
) -> None:
    fields = "campaign_id,impressions,spend,clicks,actions,action_values,purchase_roas"
    cut = tiny.rows(account, SINCE, UNTIL, level="campaign", breakdowns=breakdown, fields=fields)
    plain = tiny.rows(account, SINCE, UNTIL, level="campaign", fields=fields)
    for row in plain:
        own = [r for r in cut if r["campaign_id"] == row["campaign_id"]]
        assert minor(own) == minor([row])
        for name in ("impressions", "clicks"):
            assert sum(int(r.get(name, 0)) for r in own) == int(row[name])
    kinds = {entry["action_type"] for row in cut for entry in row.get("actions", [])}
    assert "link_click" in kinds
    assert not kinds & WEB
    assert not any("action_values" in row or "purchase_roas" in row for row in cut)
    assert any("action_values" in row for row in plain)


def test_german_regions_are_escaped_like_all_text(tiny: Caller) -> None:
    answer = tiny.raw("act_1001/insights", breakdowns="region", limit="500")
    assert b"Baden-W\\u00fcrttemberg" in answer.content
    assert {row["region"] for row in answer.json()["data"]} >= {"Bayern", "Vienna"}


def test_markets_outside_the_united_states_are_unknown(demo: Caller) -> None:
    euro = demo.get("act_1001/insights", breakdowns="comscore_market", date_preset="last_3d")
    assert [row["comscore_market"] for row in euro["data"]] == ["Unknown"]
    usd = demo.get("act_1008/insights", breakdowns="comscore_market", date_preset="last_3d")
    assert {"New York, NY", "Unknown"} <= {row["comscore_market"] for row in usd["data"]}


@pytest.mark.parametrize(
    ("breakdown", "keys"),
    [
        ("body_asset", {"id", "text"}),
        ("title_asset", {"id", "text"}),
        ("image_asset", {"id", "hash", "url"}),
        ("video_asset", {"id", "video_id", "url", "thumbnail_url"}),
    ],
)
def test_assets_are_objects_and_sum_to_their_dynamic_ads(
    demo: Caller, breakdown: str, keys: set[str]
) -> None:
    fields = "ad_id,impressions,spend,clicks"
    cut = demo.rows(
        "act_1001", "2026-11-15", UNTIL, level="ad", breakdowns=breakdown, fields=fields
    )
    plain = {
        r["ad_id"]: r for r in demo.rows("act_1001", "2026-11-15", UNTIL, level="ad", fields=fields)
    }
    dynamic = {row["ad_id"] for row in cut}
    assert dynamic
    assert dynamic < set(plain)
    for ad in dynamic:
        own = [row for row in cut if row["ad_id"] == ad]
        assert all(keys <= set(row[breakdown]) for row in own)
        assert sum(int(row["impressions"]) for row in own) == int(plain[ad]["impressions"])
        assert minor(own) == minor([plain[ad]])
        creative = demo.get(ad, fields="creative{asset_feed_spec}")["creative"]
        assert creative["asset_feed_spec"]["bodies"]
    other = next(ad for ad in plain if ad not in dynamic)
    found = demo.get(other, fields="creative{asset_feed_spec,object_type}")["creative"]
    if breakdown in {"body_asset", "title_asset"}:
        assert "asset_feed_spec" not in found


def test_a_body_of_a_report_stands_in_the_ads_feed(demo: Caller) -> None:
    rows = demo.rows(
        "act_1001", UNTIL, UNTIL, level="ad", breakdowns="body_asset", fields="ad_id,impressions"
    )
    first = rows[0]
    spec = demo.get(first["ad_id"], fields="creative{asset_feed_spec}")["creative"]
    texts = {body["text"] for body in spec["asset_feed_spec"]["bodies"]}
    own = {row["body_asset"]["text"] for row in rows if row["ad_id"] == first["ad_id"]}
    assert own <= texts


@pytest.mark.parametrize(
    "params",
    [
        {"breakdowns": "body_asset", "fields": "ctr", "level": "ad"},
        {"breakdowns": "image_asset", "level": "account"},
        {"breakdowns": "video_asset"},
        {"breakdowns": "region", "fields": "video_p50_watched_actions"},
        {"breakdowns": "region", "fields": "video_avg_time_watched_actions"},
        {"breakdowns": "region,country"},
        {"breakdowns": "body_asset,title_asset"},
        {"breakdowns": "frequency_value", "fields": "impressions"},
        {"breakdowns": "impression_device,age"},
    ],
)
def test_what_does_not_go_together_is_100(tiny: Caller, params: dict[str, str]) -> None:
    assert tiny.error("act_1001/insights", **params)["code"] == 100


def test_region_allows_other_video_fields(tiny: Caller) -> None:
    assert tiny.get("act_1001/insights", breakdowns="region", fields="video_play_actions")["data"]


def test_gated_breakdowns_fill_after_the_accounts_opt_in(tiny: Caller) -> None:
    audience = "hourly_stats_aggregated_by_audience_time_zone"
    asked = [
        {"breakdowns": "impression_device", "fields": "impressions"},
        {"breakdowns": "publisher_platform,impression_device", "fields": "impressions"},
        {"breakdowns": audience, "fields": "impressions"},
        {"breakdowns": "frequency_value", "fields": "reach"},
    ]
    assert all(tiny.get("act_1001/insights", **item)["data"] == [] for item in asked)
    opt_in(tiny)
    assert all(tiny.get("act_1001/insights", **item)["data"] for item in asked)
    assert tiny.get("act_1002/insights", **asked[0])["data"] == []
    devices = tiny.rows("act_1001", UNTIL, UNTIL, **asked[0])
    plain = tiny.rows("act_1001", UNTIL, UNTIL, fields="impressions")
    assert sum(int(row["impressions"]) for row in devices) == int(plain[0]["impressions"])
    old = tiny.rows("act_1001", "2026-03-01", "2026-03-02", **asked[3])
    assert old == []


def test_an_unknown_account_switch_is_refused(tiny: Caller) -> None:
    for body in ({"account": "1001", "nonsense": 1}, {"account": "9"}, {}):
        assert tiny.http.post("/__accounts", json=body).status_code == 400
    assert TOKEN not in tiny.http.get("/__accounts").text
