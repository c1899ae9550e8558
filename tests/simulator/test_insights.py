"""Insights over the wire: shape, sums, paging, statuses, breakdowns, refusals."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from typing import Any

import pytest

from .conftest import WINDOWS, Caller

FIELDS = (
    "account_id,campaign_id,adset_id,ad_id,impressions,reach,frequency,spend,clicks,ctr,"
    "inline_link_clicks,outbound_clicks,actions,action_values,purchase_roas,"
    "attribution_setting,quality_ranking,account_currency,video_play_actions"
)
SINCE, UNTIL = "2026-11-10", "2026-11-20"


def minor(rows: list[dict[str, Any]], offset: int = 100) -> int:
    return sum(round(float(row["spend"]) * offset) for row in rows)


def action(row: dict[str, Any], name: str, key: str = "value", field: str = "actions") -> float:
    found = [a for a in row.get(field, []) if a["action_type"] == name]
    return float(found[0].get(key, 0)) if found else 0.0


@pytest.mark.parametrize("level", ["ad", "adset", "campaign", "account"])
def test_every_level_adds_up_to_the_truth(tiny: Caller, level: str) -> None:
    filters = [
        {
            "field": "ad.effective_status",
            "operator": "IN",
            "value": ["ACTIVE", "ARCHIVED", "DELETED"],
        }
    ]
    rows = tiny.rows(
        "act_1001",
        "2026-10-20",
        UNTIL,
        level=level,
        time_increment="1",
        fields="impressions,spend,clicks,inline_link_clicks",
        filtering=filters,
    )
    total = tiny.truth(
        account="1001", level="account", since="2026-10-20", until=UNTIL, group="total"
    )["rows"][0]
    assert sum(int(row["impressions"]) for row in rows) == total["impressions"]
    assert minor(rows) == total["spend_minor"]
    assert sum(int(row["inline_link_clicks"]) for row in rows) == total["link_clicks"]


def test_each_ad_row_equals_the_truth_row(tiny: Caller) -> None:
    rows = tiny.rows(
        "act_1002",
        SINCE,
        UNTIL,
        level="ad",
        time_increment="1",
        fields=FIELDS,
        action_attribution_windows=WINDOWS,
    )
    truth = {
        (row["id"], row["date"]): row
        for row in tiny.truth(account="1002", level="ad", since=SINCE, until=UNTIL)["rows"]
    }
    assert len(rows) == len(truth) == 33
    for row in rows:
        true = truth[row["ad_id"], row["date_start"]]
        assert row["spend"] == true["spend"]
        assert int(row["impressions"]) == true["impressions"]
        assert int(row["reach"]) == true["reach"]
        assert action(row, "omni_purchase") == true["purchases"]
        assert action(row, "purchase", field="action_values") == true["revenue_minor"]
        for window in WINDOWS:
            assert action(row, "purchase", window) == true[f"purchases_{window}"]


def test_truth_equals_a_plain_loop_over_the_ads(tiny: Caller) -> None:
    """Settled days, added up one ad at a time without the report code."""
    graph = tiny.http.app.state.graph
    account = graph.world.accounts[1002]
    sums: Counter[tuple[str, str, str]] = Counter()
    for chunk in range(date(2026, 9, 1).toordinal() // 16, date(2026, 9, 30).toordinal() // 16 + 1):
        block = graph.engine.delivery.block(account, chunk)
        for cell in range(len(block.day)):
            day = date.fromordinal(int(block.day[cell])).isoformat()
            parent = str(account.campaigns.id[account.ads.campaign[block.ad[cell]]])
            for name, columns in {
                "spend_minor": ["spend"],
                "clicks": ["clicks"],
                "purchases": ["purchase_c1", "purchase_c7", "purchase_v1"],
                "revenue_minor": ["revenue_c1", "revenue_c7", "revenue_v1"],
            }.items():
                sums[parent, day, name] += int(sum(block.columns[c][cell] for c in columns))
    truth = tiny.truth(account="1002", level="campaign", since="2026-09-01", until="2026-09-30")
    assert len(truth["rows"]) == 60
    for row in truth["rows"]:
        for name in ("spend_minor", "clicks", "purchases", "revenue_minor"):
            assert row[name] == sums[row["id"], row["date"], name]


def test_yen_has_no_decimals_and_euro_has_cents(tiny: Caller) -> None:
    yen = tiny.rows("act_1002", SINCE, UNTIL, level="ad", fields="spend,account_currency")
    assert all("." not in row["spend"] for row in yen)
    assert {row["account_currency"] for row in yen} == {"JPY"}
    euro = tiny.rows("act_1001", SINCE, UNTIL, level="ad", time_increment="1", fields="spend")
    assert any("." in row["spend"] for row in euro)


def test_all_values_are_text_and_empty_keys_are_absent(tiny: Caller) -> None:
    rows = tiny.rows("act_1001", SINCE, UNTIL, level="ad", time_increment="1", fields=FIELDS)
    for row in rows:
        for name, value in row.items():
            assert isinstance(value, str | list), name
            assert value not in ("", "0", []), name
        assert {"date_start", "date_stop"} <= set(row)


def test_one_purchase_has_many_names_and_windows_only_on_request(tiny: Caller) -> None:
    bare = tiny.rows("act_1002", SINCE, UNTIL, level="ad", fields="actions")[0]
    assert all(set(entry) == {"action_type", "value"} for entry in bare["actions"])
    names = {entry["action_type"]: entry["value"] for entry in bare["actions"]}
    same = (
        "omni_purchase",
        "purchase",
        "offsite_conversion.fb_pixel_purchase",
        "onsite_web_purchase",
    )
    assert len({names[name] for name in same}) == 1
    assert int(names["page_engagement"]) >= int(names["post_engagement"]) > int(names["link_click"])
    full = tiny.rows(
        "act_1002",
        SINCE,
        UNTIL,
        level="ad",
        fields="actions",
        action_attribution_windows=[*WINDOWS, "7d_view"],
    )[0]
    entry = next(e for e in full["actions"] if e["action_type"] == "purchase")
    assert int(entry["1d_click"]) <= int(entry["7d_click"]) <= int(entry["28d_click"])
    assert "7d_view" not in entry


def test_reach_does_not_add_up(tiny: Caller) -> None:
    daily = tiny.rows(
        "act_1001", SINCE, UNTIL, level="campaign", time_increment="1", fields="reach"
    )
    whole = tiny.rows("act_1001", SINCE, UNTIL, level="campaign", fields="reach,impressions")
    ads = tiny.rows("act_1001", SINCE, UNTIL, level="ad", fields="reach")
    assert sum(int(r["reach"]) for r in daily) > sum(int(r["reach"]) for r in whole)
    assert sum(int(r["reach"]) for r in ads) > sum(int(r["reach"]) for r in whole)
    assert all(int(r["reach"]) <= int(r["impressions"]) for r in whole)


def test_archived_ads_need_a_filter_and_parents_count_them(tiny: Caller) -> None:
    span = ("2026-10-10", "2026-10-26")
    plain = tiny.rows("act_1001", *span, level="ad", fields="ad_id,spend")
    archived = tiny.rows(
        "act_1001",
        *span,
        level="ad",
        fields="ad_id,spend",
        filtering=[{"field": "ad.effective_status", "operator": "IN", "value": ["ARCHIVED"]}],
    )
    account = tiny.rows("act_1001", *span, level="account", fields="spend")
    truth = tiny.truth(account="1001", level="ad", since=span[0], until=span[1], group="object")
    hidden = {row["id"]: row for row in truth["rows"] if row["is_hidden"]}
    assert {row["effective_status"] for row in hidden.values()} == {"ARCHIVED", "DELETED"}
    assert not {row["ad_id"] for row in plain} & set(hidden)
    assert len(archived) == 1
    assert minor(account) == minor(plain) + sum(row["spend_minor"] for row in hidden.values())
    for name, row in hidden.items():
        own = tiny.rows(name, *span, fields="spend")
        assert own[0]["spend"] == row["spend"]


def test_mixed_settings_withhold_actions_unless_windows_are_named(tiny: Caller) -> None:
    rows = tiny.rows(
        "act_1001",
        SINCE,
        UNTIL,
        level="campaign",
        fields="campaign_id,actions,attribution_setting,inline_link_clicks",
    )
    mixed = [row for row in rows if row["attribution_setting"] == "mixed"]
    assert len(mixed) == 1
    assert "actions" not in mixed[0]
    named = tiny.rows(
        mixed[0]["campaign_id"],
        SINCE,
        UNTIL,
        fields="actions",
        action_attribution_windows=["1d_click", "7d_click"],
    )
    assert action(named[0], "purchase", "7d_click") > 0
    default = tiny.rows(
        mixed[0]["campaign_id"],
        SINCE,
        UNTIL,
        fields="actions",
        action_attribution_windows=["7d_click", "default"],
    )
    assert "actions" not in default[0]


def test_default_page_has_25_rows_and_paging_visits_every_row_once(tiny: Caller) -> None:
    first = tiny.get(
        "act_1001/insights",
        level="ad",
        time_increment="1",
        fields="ad_id",
        time_range={"since": SINCE, "until": UNTIL},
    )
    assert len(first["data"]) == 25
    rows = tiny.pages(
        "act_1001/insights",
        level="ad",
        time_increment="1",
        fields="ad_id",
        time_range={"since": SINCE, "until": UNTIL},
        limit="7",
    )
    keys = Counter((row["ad_id"], row["date_start"]) for row in rows)
    assert len(keys) == 66
    assert set(keys.values()) == {1}
    last = tiny.get("act_1001/insights", level="account", date_preset="yesterday")
    assert "after" in last["paging"]["cursors"]
    assert "next" not in last["paging"]


def test_pages_show_the_same_moment_even_when_the_clock_moves_on(tiny: Caller) -> None:
    query = {"level": "ad", "date_preset": "today", "fields": "ad_id,impressions", "limit": "2"}
    first = tiny.get("act_1001/insights", **query)
    tiny.clock(advance_seconds=3600)
    second = tiny.http.get(first["paging"]["next"]).json()
    fresh = tiny.get("act_1001/insights", **{**query, "limit": "25"})
    seen = [row["impressions"] for row in first["data"] + second["data"]]
    assert seen != [row["impressions"] for row in fresh["data"][:4]]


def test_foreign_and_old_cursors_are_2642(tiny: Caller) -> None:
    query = {"level": "ad", "date_preset": "last_7d", "limit": "2"}
    after = tiny.get("act_1001/insights", **query)["paging"]["cursors"]["after"]
    assert tiny.error("act_1001/insights", **query, after="nonsense")["code"] == 2642
    assert tiny.error("act_1002/insights", **query, after=after)["code"] == 2642
    tiny.clock(advance_seconds=5 * 3600)
    assert tiny.error("act_1001/insights", **query, after=after)["code"] == 2642


@pytest.mark.parametrize(
    ("increment", "rows"), [("all_days", 1), ("monthly", 3), ("7", 8), ("1", 51)]
)
def test_time_increments_cut_the_same_total(tiny: Caller, increment: str, rows: int) -> None:
    found = tiny.rows(
        "act_1002",
        "2026-09-20",
        "2026-11-09",
        level="account",
        fields="spend",
        time_increment=increment,
    )
    assert len(found) == rows
    whole = tiny.rows("act_1002", "2026-09-20", "2026-11-09", level="account", fields="spend")
    assert minor(found, 1) == minor(whole, 1)


def test_several_ranges_may_overlap(tiny: Caller) -> None:
    ranges = [
        {"since": "2026-11-01", "until": "2026-11-10"},
        {"since": "2026-11-05", "until": "2026-11-15"},
    ]
    both = tiny.get("act_1002/insights", level="account", fields="spend", time_ranges=ranges)
    alone = [
        tiny.rows("act_1002", r["since"], r["until"], level="account", fields="spend")[0]
        for r in ranges
    ]
    assert [row["spend"] for row in both["data"]] == [row["spend"] for row in alone]


@pytest.mark.parametrize(
    ("breakdowns", "names"),
    [
        ("age", {"age"}),
        ("gender", {"gender"}),
        ("age,gender", {"age", "gender"}),
        ("country", {"country"}),
        ("publisher_platform", {"publisher_platform"}),
        ("publisher_platform,platform_position", {"publisher_platform", "platform_position"}),
        ("device_platform", {"device_platform"}),
        (
            "hourly_stats_aggregated_by_advertiser_time_zone",
            {"hourly_stats_aggregated_by_advertiser_time_zone"},
        ),
    ],
)
def test_breakdown_rows_sum_to_the_plain_row(
    tiny: Caller, breakdowns: str, names: set[str]
) -> None:
    for day in ("2026-11-20", "2026-11-21", "2026-03-29", "2026-10-25"):
        cut = tiny.rows(
            "act_1001",
            day,
            day,
            level="campaign",
            breakdowns=breakdowns,
            fields="campaign_id,spend,impressions,clicks",
        )
        plain = tiny.rows(
            "act_1001", day, day, level="campaign", fields="campaign_id,spend,impressions,clicks"
        )
        assert all(names <= set(row) for row in cut)
        for row in plain:
            own = [r for r in cut if r["campaign_id"] == row["campaign_id"]]
            assert minor(own) == minor([row])
            for name in ("impressions", "clicks"):
                assert sum(int(r.get(name, 0)) for r in own) == int(row.get(name, 0))


def test_hourly_rows_have_no_web_conversions_and_no_reach(tiny: Caller) -> None:
    hourly = "hourly_stats_aggregated_by_advertiser_time_zone"
    rows = tiny.rows(
        "act_1001",
        "2026-11-20",
        "2026-11-20",
        level="campaign",
        breakdowns=hourly,
        fields="reach,frequency,actions,impressions",
    )
    assert rows[0][hourly] == "00:00:00 - 00:59:59"
    assert {row["reach"] for row in rows} == {"0"}
    names = {entry["action_type"] for row in rows for entry in row.get("actions", [])}
    assert "link_click" in names
    assert not names & {"purchase", "omni_purchase", "landing_page_view"}
    assert tiny.error("act_1001/insights", breakdowns=hourly, fields="unique_clicks")["code"] == 100


@pytest.mark.parametrize(
    ("breakdowns", "code"),
    [
        ("age,country", 100),
        ("dma", 100),
        ("nonsense", 100),
        ("region,publisher_platform", 100),
        ("product_id", 3),
        ("image_asset", 100),
    ],
)
def test_breakdowns_that_are_refused(tiny: Caller, breakdowns: str, code: int) -> None:
    assert tiny.error("act_1001/insights", breakdowns=breakdowns)["code"] == code


def test_breakdowns_that_need_an_opt_in_are_empty(tiny: Caller) -> None:
    assert tiny.get("act_1001/insights", breakdowns="frequency_value", fields="reach") == {
        "data": []
    }


def test_reach_with_a_breakdown_ends_after_13_months(tiny: Caller) -> None:
    old = tiny.rows(
        "act_1001",
        "2025-06-01",
        "2025-06-02",
        level="account",
        breakdowns="age",
        fields="reach,impressions",
    )
    assert old
    assert not any("reach" in row for row in old)
    plain = tiny.rows("act_1001", "2025-06-01", "2025-06-02", level="account", fields="reach")
    assert "reach" in plain[0]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"fields": "impressions,nonsense"}, 100),
        ({"date_preset": "lifetime"}, 100),
        ({"time_increment": "91"}, 100),
        ({"time_range": {"since": "2026-11-20", "until": "2026-11-10"}}, 100),
        ({"time_range": {"since": "2023-01-01", "until": "2023-01-10"}}, 3018),
        ({"action_attribution_windows": ["3d_click"]}, 100),
        ({"filtering": [{"field": "ad.nonsense", "operator": "IN", "value": []}]}, 3),
        ({"filtering": [{"field": "ad.id", "operator": "LIKE", "value": []}]}, 100),
        (
            {"filtering": [{"field": "ad.effective_status", "operator": "IN", "value": ["GONE"]}]},
            100,
        ),
        ({"sort": ["nonsense_descending"]}, 100),
        ({"sort": ["ctr_descending"]}, 3),
        ({"filtering": [{"field": "spend", "operator": "EQUAL", "value": "much"}]}, 100),
        ({"filtering": [{"field": "ad.updated_time", "operator": "AFTER", "value": []}]}, 100),
        ({"level": "adgroup"}, 100),
        ({"limit": "0"}, 100),
        ({"date_format": "U"}, 100),
    ],
)
def test_wrong_parameters_are_refused(tiny: Caller, params: dict[str, Any], code: int) -> None:
    assert tiny.error("act_1001/insights", **params)["code"] == code


def test_a_level_above_the_node_is_1_99(tiny: Caller) -> None:
    campaign = tiny.get("act_1001/campaigns")["data"][0]["id"]
    problem = tiny.error(f"{campaign}/insights", level="account")
    assert (problem["code"], problem["error_subcode"]) == (1, 99)


def test_too_many_rows_are_refused_unless_ids_narrow_them(tiny: Caller) -> None:
    tiny.config(sync_row_limit=20)
    wide = {"level": "ad", "time_increment": "1", "date_preset": "last_7d"}
    assert tiny.error("act_1001/insights", **wide)["error_subcode"] == 1487534
    ad = tiny.get("act_1001/ads")["data"][0]["id"]
    narrow = tiny.get(
        "act_1001/insights", **wide, filtering=[{"field": "ad.id", "operator": "IN", "value": [ad]}]
    )
    assert len(narrow["data"]) == 7


def test_reduce_the_data_depends_on_limit_and_fields(tiny: Caller) -> None:
    tiny.config(reduce_data_above=1000)
    answer = tiny.raw("act_1001/insights", fields="spend,clicks", limit="600")
    assert answer.status_code == 500
    assert "reduce the amount of data" in answer.json()["error"]["message"]
    assert tiny.get("act_1001/insights", fields="spend,clicks", limit="300")["data"]


def test_filters_sort_and_summary(tiny: Caller) -> None:
    rows = tiny.get(
        "act_1001/insights",
        level="ad",
        fields="ad_id,spend",
        date_preset="last_7d",
        sort=["spend_descending"],
        summary="spend,impressions",
    )
    spends = [float(row["spend"]) for row in rows["data"]]
    assert spends == sorted(spends, reverse=True)
    total = tiny.get("act_1001/insights", fields="spend", date_preset="last_7d")["data"][0]
    assert rows["summary"]["spend"] == total["spend"]
    above = tiny.get(
        "act_1001/insights",
        level="ad",
        fields="spend",
        date_preset="last_7d",
        filtering=[{"field": "spend", "operator": "GREATER_THAN", "value": spends[2]}],
    )
    assert len(above["data"]) == 2


def test_quality_rankings_are_unknown_for_few_impressions(demo: Caller) -> None:
    rows = demo.rows(
        "act_1003", "2026-11-19", "2026-11-19", level="ad", fields="quality_ranking,impressions"
    )
    few = {row["quality_ranking"] for row in rows if int(row["impressions"]) < 500}
    many = {row["quality_ranking"] for row in rows if int(row["impressions"]) >= 500}
    assert few == {"UNKNOWN"}
    assert "UNKNOWN" not in many


def test_pages_are_plain_ascii_json(demo: Caller) -> None:
    answer = demo.raw(
        "act_1002/insights", level="campaign", fields="campaign_name", date_preset="last_30d"
    )
    assert answer.content.isascii()
    assert any(not row["campaign_name"].isascii() for row in json.loads(answer.text)["data"])


def test_demo_campaign_rows_equal_the_truth(demo: Caller) -> None:
    rows = demo.rows(
        "act_1003",
        "2026-10-18",
        "2026-11-21",
        level="campaign",
        time_increment="1",
        fields="campaign_id,spend,clicks",
    )
    total = demo.truth(
        account="act_1003", level="campaign", since="2026-10-18", until="2026-11-21", group="total"
    )
    assert minor(rows) == total["rows"][0]["spend_minor"] == total["listed_rows"][0]["spend_minor"]
    per_day = Counter(row["date_start"] for row in rows)
    assert all(60 <= count <= 150 for count in per_day.values())
