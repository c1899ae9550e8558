"""From Meta's row to ours: overlapping actions once, missing is zero or unknown, money exact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adlab.core.entities import Level
from adlab.core.errors import MetaUnavailableError
from adlab.core.insights import STORED_NAMES
from adlab.meta import parsing

SIX_NAMES_OF_ONE_PURCHASE = [
    {"action_type": kind, "value": "5"}
    for kind in (
        "web_in_store_purchase", "offsite_conversion.fb_pixel_purchase", "onsite_web_purchase",
        "omni_purchase", "purchase", "onsite_web_app_purchase",
    )
]  # fmt: skip
ROW: dict[str, Any] = {
    "account_id": "1001", "campaign_id": "1201", "adset_id": "1301", "ad_id": "1401",
    "ad_name": "Autumn", "date_start": "2026-11-03", "date_stop": "2026-11-03",
    "impressions": "8123", "reach": "6042", "spend": "57.31", "clicks": "143",
    "inline_link_clicks": "96", "attribution_setting": "7d_click_1d_view",
    "actions": [
        {"action_type": "link_click", "value": "96"},
        *SIX_NAMES_OF_ONE_PURCHASE,
        {"action_type": "landing_page_view", "value": "61"},
        {"action_type": "lead", "value": "2.5"},
    ],
    "action_values": [{"action_type": "purchase", "value": "412.5", "7d_click": "330"}],
    "outbound_clicks": [{"action_type": "outbound_click", "value": "88"}],
    "video_thruplay_watched_actions": [{"action_type": "video_view", "value": "12"}],
    "quality_ranking": "AVERAGE", "engagement_rate_ranking": "BELOW_AVERAGE_35",
}  # fmt: skip


def read(row: dict[str, Any], level: Level = Level.AD) -> dict[str, Any]:
    cells = parsing.insight_tuple(row, level)
    names = ("date", "object_id", *STORED_NAMES, "attribution", "quality", "engagement",
             "conversion", "actions")  # fmt: skip
    assert len(cells) == len(names)
    return dict(zip(names, cells, strict=True))


def changed(**values: Any) -> dict[str, Any]:
    return {k: v for k, v in {**ROW, **values}.items() if v is not ...}


def test_a_row_of_meta_becomes_a_row_of_ours() -> None:
    cells = read(ROW)
    assert cells | {"actions": ...} == {
        "date": "2026-11-03", "object_id": 1401, "spend_micro": 57_310_000, "impressions": 8123,
        "reach": 6042, "clicks": 143, "link_clicks": 96, "outbound_clicks": "88",
        "landing_page_views": "61", "post_engagements": 0, "content_views": 0, "searches": 0,
        "adds_to_cart": 0, "checkouts": 0, "purchases": "5", "revenue_micro": 412_500_000,
        "leads": "2.5", "video_3s_plays": 0, "thruplays": "12",
        "attribution": "7d_click_1d_view", "quality": "AVERAGE",
        "engagement": "BELOW_AVERAGE_35", "conversion": None, "actions": ...,
    }  # fmt: skip


def test_the_lists_are_kept_whole_with_their_windows() -> None:
    kept = orjson.loads(read(ROW)["actions"])
    assert set(kept) == {
        "actions", "action_values", "outbound_clicks", "video_thruplay_watched_actions",
    }  # fmt: skip
    assert kept["action_values"] == [
        {"action_type": "purchase", "value": "412.5", "7d_click": "330"}
    ]


@pytest.mark.parametrize("first", range(6))
def test_one_purchase_under_six_names_is_counted_once(first: int) -> None:
    names = SIX_NAMES_OF_ONE_PURCHASE[first:] + SIX_NAMES_OF_ONE_PURCHASE[:first]
    assert read(changed(actions=names))["purchases"] == "5"


def test_the_first_known_name_wins_when_they_differ() -> None:
    actions = [
        {"action_type": "offsite_conversion.fb_pixel_purchase", "value": "3"},
        {"action_type": "omni_purchase", "value": "7"},
    ]
    assert read(changed(actions=actions))["purchases"] == "7"
    assert read(changed(actions=actions[:1]))["purchases"] == "3"


def test_link_clicks_come_from_their_field_and_not_from_the_actions() -> None:
    actions = [{"action_type": "post_engagement", "value": "4"}]
    cells = read(changed(actions=actions, inline_link_clicks="9"))
    assert (cells["link_clicks"], cells["post_engagements"]) == (9, "4")


def test_missing_keys_of_a_row_that_delivered_are_zero_except_reach() -> None:
    cells = read({"ad_id": "1401", "date_start": "2026-11-03"})
    assert {k: v for k, v in cells.items() if v != 0} == {
        "date": "2026-11-03", "object_id": 1401, "reach": None, "attribution": None,
        "quality": None, "engagement": None, "conversion": None, "actions": None,
    }  # fmt: skip


@pytest.mark.parametrize("setting", ["mixed", "multiple"])
def test_actions_withheld_for_mixed_attribution_are_unknown_and_not_zero(setting: str) -> None:
    cells = read(changed(attribution_setting=setting, actions=..., action_values=...))
    assert (cells["purchases"], cells["revenue_micro"], cells["leads"]) == (None, None, None)
    assert (cells["spend_micro"], cells["link_clicks"]) == (57_310_000, 96)


def test_no_actions_under_one_setting_are_zero() -> None:
    cells = read(changed(actions=..., action_values=...))
    assert (cells["purchases"], cells["revenue_micro"]) == (0, 0)


def test_an_entry_with_windows_only_counts_nothing_by_itself() -> None:
    actions = [{"action_type": "purchase", "28d_click": "2"}]
    assert read(changed(actions=actions))["purchases"] == 0


@pytest.mark.parametrize(
    ("spend", "micro"),
    [("0.07", 70_000), ("1980", 1_980_000_000), ("5339.5", 5_339_500_000), ("0", 0)],
)
def test_spend_is_exact(spend: str, micro: int) -> None:
    assert read(changed(spend=spend))["spend_micro"] == micro


def test_a_divided_value_of_purchases_is_rounded_to_a_millionth() -> None:
    values = [{"action_type": "omni_purchase", "value": "137.4999999999"}]
    assert read(changed(action_values=values))["revenue_micro"] == 137_500_000


@pytest.mark.parametrize("value", [7, "7", 7.0])
def test_counts_may_come_as_numbers(value: Any) -> None:
    cells = read(changed(actions=[{"action_type": "purchase", "value": value}]))
    assert float(cells["purchases"]) == 7.0


_GARBAGE = ["NaN", "Infinity", "-inf", "1e999", "abc", "", "1,5", "1_000", "٣", True, [], {}]


@pytest.mark.parametrize("value", _GARBAGE, ids=repr)
@pytest.mark.parametrize("place", ["spend", "impressions", "reach", "purchase", "revenue"])
def test_garbage_is_an_outage_and_never_a_number(place: str, value: Any) -> None:
    entry = [{"action_type": "purchase", "value": value}]
    broken = {"purchase": {"actions": entry}, "revenue": {"action_values": entry}}.get(
        place, {place: value}
    )
    with pytest.raises(MetaUnavailableError, match="A row of insights cannot be read"):
        read(changed(**broken))


@pytest.mark.parametrize(
    "broken",
    [
        {"ad_id": ...}, {"ad_id": ""}, {"ad_id": "x"}, {"date_start": ...},
        {"actions": [None]}, {"actions": [{"value": "1"}]}, {"impressions": "12.5"},
        {"impressions": "-1"}, {"spend": 57.31}, {"spend": "1.0000001"}, {"actions": 5},
    ],
    ids=repr,
)  # fmt: skip
def test_a_cut_or_misshapen_row_is_an_outage(broken: dict[str, Any]) -> None:
    with pytest.raises(MetaUnavailableError):
        read(changed(**broken))


@pytest.mark.parametrize(
    ("level", "number"),
    [(Level.ACCOUNT, 1001), (Level.CAMPAIGN, 1201), (Level.AD_SET, 1301), (Level.AD, 1401)],
)
def test_the_id_is_the_one_of_the_level(level: Level, number: int) -> None:
    assert read(ROW, level)["object_id"] == number


def test_a_row_names_its_object_and_parents() -> None:
    ad = parsing.named_object(ROW, Level.AD)
    assert (ad.object_id, ad.name, ad.ad_set_id, ad.campaign_id) == (1401, "Autumn", 1301, 1201)
    campaign = parsing.named_object(ROW, Level.CAMPAIGN)
    assert (campaign.name, campaign.campaign_id, campaign.ad_set_id) == ("1201", None, None)


def test_an_account_is_read() -> None:
    account = parsing.account(
        {"id": "act_1002", "name": "東京", "currency": "JPY", "timezone_name": "Asia/Tokyo",
         "account_status": 2, "disable_reason": 1, "balance": "5"}
    )  # fmt: skip
    assert (account.account_id, account.name, account.currency) == (1002, "東京", "JPY")
    assert (account.timezone, account.delivers, account.extra) == (
        "Asia/Tokyo", False, {"balance": "5"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        {"id": "act_1", "timezone_name": "UTC"},
        {"id": "act_1", "currency": "EUR"},
        {"currency": "EUR", "timezone_name": "UTC"},
        {"id": "act_x", "currency": "EUR", "timezone_name": "UTC"},
        {"id": "act_1", "currency": "EURO", "timezone_name": "UTC"},
    ],
)
def test_an_account_without_currency_or_timezone_is_an_outage(row: dict[str, Any]) -> None:
    with pytest.raises(MetaUnavailableError, match="An ad account cannot be read"):
        parsing.account(row)


def test_budgets_stay_integers_and_an_unused_one_is_none() -> None:
    ad_set = parsing.ad_object(
        {"id": "1301", "name": "Set", "campaign_id": "1201", "daily_budget": "5000",
         "lifetime_budget": "0", "created_time": "2026-01-05T10:00:00-0800",
         "end_time": "2026-12-01T00:00:00+0100", "billing_event": "IMPRESSIONS"},
        Level.AD_SET,
    )  # fmt: skip
    assert (ad_set.daily_budget_minor, ad_set.lifetime_budget_minor) == (5000, None)
    assert ad_set.created_at == datetime(2026, 1, 5, 18, 0, tzinfo=UTC)
    assert ad_set.stop_at == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    assert ad_set.extra == {"billing_event": "IMPRESSIONS"}


def test_an_ad_brings_its_creative() -> None:
    row = {"id": "1401", "adset_id": "1301", "creative": {"id": "77", "name": "C", "body": "Buy"}}
    assert parsing.ad_object(row, Level.AD).creative_id == 77
    creative = parsing.creative_of(row)
    assert creative is not None
    assert (creative.object_id, creative.level, creative.extra) == (
        77, Level.CREATIVE, {"body": "Buy"},
    )  # fmt: skip
    assert parsing.creative_of({"id": "1401"}) is None
    assert parsing.creative_of({"id": "1401", "creative": {}}) is None
