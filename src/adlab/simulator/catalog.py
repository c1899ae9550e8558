"""Which insights fields exist, which stored numbers each needs, and the action types.

The wire text of a value is made in `rows.py` and `actions.py`.
"""

from __future__ import annotations

from adlab.simulator.delivery import CLASSES

WINDOW_CLASSES: dict[str, tuple[str, ...]] = {
    "1d_click": ("c1",),
    "7d_click": ("c1", "c7"),
    "28d_click": ("c1", "c7", "c28"),
    "1d_view": ("v1",),
    "1d_ev": ("ev",),
}
"""Classes counted by each window; windows are counts of their own, 7d_click includes 1d_click."""
SETTING_CLASSES: tuple[tuple[str, ...], ...] = (("c1", "c7", "v1"), ("c1",), ("c1", "c7"))
"""Classes counted by `value`, per ad set attribution setting (`world.SETTINGS`)."""
CLICK_WINDOWS = ("1d_click", "7d_click", "28d_click")
_SILENT = (
    "7d_view",
    "28d_view",
    "7d_view_first_conversion",
    "1d_view_all_conversions",
    "1d_click_all_conversions",
    "7d_click_all_conversions",
    "28d_click_all_conversions",
    "1d_click_first_conversion",
    "7d_click_first_conversion",
    "28d_click_first_conversion",
    "dda",
    "custom",
    "incrementality",
    "skan_view",
    "skan_click",
)
WINDOWS = (*WINDOW_CLASSES, "default", *_SILENT)

EVENT_TYPES: dict[str, tuple[str, ...]] = {
    "purchase": (
        "omni_purchase",
        "purchase",
        "offsite_conversion.fb_pixel_purchase",
        "onsite_web_purchase",
        "onsite_web_app_purchase",
        "web_in_store_purchase",
    ),
    "checkout": (
        "omni_initiated_checkout",
        "initiate_checkout",
        "offsite_conversion.fb_pixel_initiate_checkout",
        "onsite_web_initiate_checkout",
    ),
    "cart": (
        "omni_add_to_cart",
        "add_to_cart",
        "offsite_conversion.fb_pixel_add_to_cart",
        "onsite_web_add_to_cart",
    ),
    "view": (
        "omni_view_content",
        "view_content",
        "offsite_conversion.fb_pixel_view_content",
        "onsite_web_view_content",
    ),
    "lead": ("lead", "offsite_conversion.fb_pixel_lead", "onsite_web_lead"),
}
"""Every name under which the same conversion is reported; summing over them counts it again."""

POST_ENGAGEMENT = ("link_clicks", "reactions", "comments", "shares", "saves", "video_views")
FLOW_TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "link_click": ("link_click", ("link_clicks",)),
    "landing_page_view": ("landing_page_view", ("landing_views",)),
    "omni_landing_page_view": ("omni_landing_page_view", ("landing_views",)),
    "video_view": ("video_view", ("video_views",)),
    "post_reaction": ("post_reaction", ("reactions",)),
    "comment": ("comment", ("comments",)),
    "post": ("post", ("shares",)),
    "post_save": ("onsite_conversion.post_save", ("saves",)),
    "post_engagement": ("post_engagement", POST_ENGAGEMENT),
    "page_engagement": ("page_engagement", POST_ENGAGEMENT),
}
OFF_META_FLOWS = frozenset({"landing_page_view", "omni_landing_page_view"})

_CONVERSIONS = tuple(f"{event}_{c}" for event in EVENT_TYPES for c in CLASSES)
_PURCHASES = tuple(f"purchase_{c}" for c in CLASSES)
_REVENUES = tuple(f"revenue_{c}" for c in CLASSES)
_ACTIONS = (*_CONVERSIONS, *POST_ENGAGEMENT, "landing_views")
_RESULTS = (*_PURCHASES, *(f"lead_{c}" for c in CLASSES), *POST_ENGAGEMENT, "fresh")

KEY_FIELDS = (
    "account_id",
    "account_name",
    "account_currency",
    "campaign_id",
    "campaign_name",
    "adset_id",
    "adset_name",
    "ad_id",
    "ad_name",
    "objective",
    "optimization_goal",
    "buying_type",
    "created_time",
    "updated_time",
)

_NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(KEY_FIELDS, ()),
    "attribution_setting": (),
    "date_start": (),
    "date_stop": (),
    "impressions": (),
    "spend": ("spend",),
    "clicks": ("clicks",),
    "reach": ("fresh",),
    "frequency": ("fresh",),
    "cpp": ("fresh", "spend"),
    "full_view_impressions": (),
    "full_view_reach": ("fresh",),
    "unique_clicks": ("clicks",),
    "unique_ctr": ("clicks", "fresh"),
    "cost_per_unique_click": ("clicks", "spend"),
    "ctr": ("clicks",),
    "cpc": ("clicks", "spend"),
    "cpm": ("spend",),
    "inline_link_clicks": ("link_clicks",),
    "inline_link_click_ctr": ("link_clicks",),
    "cost_per_inline_link_click": ("link_clicks", "spend"),
    "unique_inline_link_clicks": ("link_clicks",),
    "unique_inline_link_click_ctr": ("link_clicks", "fresh"),
    "cost_per_unique_inline_link_click": ("link_clicks", "spend"),
    "inline_post_engagement": POST_ENGAGEMENT,
    "cost_per_inline_post_engagement": (*POST_ENGAGEMENT, "spend"),
    "outbound_clicks": ("outbound_clicks",),
    "outbound_clicks_ctr": ("outbound_clicks",),
    "unique_outbound_clicks": ("outbound_clicks",),
    "unique_outbound_clicks_ctr": ("outbound_clicks", "fresh"),
    "cost_per_outbound_click": ("outbound_clicks", "spend"),
    "website_ctr": ("link_clicks",),
    "actions": _ACTIONS,
    "action_values": (*_REVENUES, *_PURCHASES),
    "cost_per_action_type": (*_ACTIONS, "spend"),
    "purchase_roas": (*_REVENUES, "spend"),
    "website_purchase_roas": (*_REVENUES, "spend"),
    "results": _RESULTS,
    "objective_results": _RESULTS,
    "cost_per_result": (*_RESULTS, "spend"),
    "cost_per_objective_result": (*_RESULTS, "spend"),
    "video_play_actions": ("video_views",),
    "video_thruplay_watched_actions": ("thruplays",),
    "cost_per_thruplay": ("thruplays", "spend"),
    "video_p25_watched_actions": ("video_p25",),
    "video_p50_watched_actions": ("video_p50",),
    "video_p75_watched_actions": ("video_p75",),
    "video_p95_watched_actions": ("video_p100",),
    "video_p100_watched_actions": ("video_p100",),
    "video_30_sec_watched_actions": ("thruplays",),
    "video_avg_time_watched_actions": ("video_views", "thruplays"),
    "video_play_curve_actions": (
        "video_views",
        "video_p25",
        "video_p50",
        "video_p75",
        "video_p100",
    ),
    "quality_ranking": (),
    "engagement_rate_ranking": (),
    "conversion_rate_ranking": (),
    "landing_page_view_per_link_click": ("landing_views", "link_clicks"),
    "purchase_per_landing_page_view": ("landing_views", *_PURCHASES),
    "purchases_per_link_click": ("link_clicks", *_PURCHASES),
}
_NEVER_FILLED = (
    "social_spend",
    "unique_actions",
    "conversions",
    "conversion_values",
    "cost_per_conversion",
    "cost_per_unique_action_type",
    "mobile_app_purchase_roas",
    "catalog_segment_actions",
    "catalog_segment_value",
    "canvas_avg_view_percent",
    "canvas_avg_view_time",
    "video_continuous_2_sec_watched_actions",
    "video_time_watched_actions",
    "video_play_retention_0_to_15s_actions",
    "video_play_retention_20_to_60s_actions",
    "video_play_retention_graph_actions",
    "estimated_ad_recallers",
    "estimated_ad_recall_rate",
    "cost_per_estimated_ad_recallers",
    "landing_page_view_per_purchase_rate",
    "result_rate",
    "objective_result_rate",
    "auction_bid",
    "auction_competitiveness",
    "auction_max_competitor_bid",
    "instant_experience_clicks_to_open",
    "instant_experience_clicks_to_start",
    "instant_experience_outbound_clicks",
    "dda_results",
    "qualifying_question_qualify_answer_rate",
    "shops_assisted_purchases",
    "creative_fatigue_summary",
    "creative_fatigued_ads",
    "creative_diversity_score",
    "creative_diversity_label",
    "creative_diversity_data",
    "creative_media_type",
    "video_15_sec_watched_actions",
    "video_6_sec_watched_actions",
    "unique_link_clicks_ctr",
    "video_view_per_impression",
    "marketing_messages_delivered",
    "onsite_conversion_messaging_detected_purchase_deduped",
    "multi_event_conversion_attribution_setting",
)
FIELDS: dict[str, tuple[str, ...]] = {**_NEEDS, **dict.fromkeys(_NEVER_FILLED, ())}
"""Accepted fields and the stored columns each needs; some are accepted and never have a value."""

UNIQUE_FIELDS = frozenset(name for name in FIELDS if "unique_" in name)
REACH_FIELDS = frozenset({"reach", "frequency", "cpp"})
VIDEO_FIELDS = frozenset(name for name in FIELDS if name.startswith("video_"))


def columns_for(fields: tuple[str, ...]) -> frozenset[str]:
    """Give the stored columns that a set of fields needs; impressions always belong to them."""
    return frozenset({"impressions"}.union(*(FIELDS[name] for name in fields)))
