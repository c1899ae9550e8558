"""The fields and filters asked for, per object and level. Never "all": one bad field fails a call.

Names of fields and statuses come from `facebook-business`, the best list there is; a test holds
these constants against it, so the package is not imported on the hot path.
"""

from __future__ import annotations

from adlab.core.entities import Level

ACCOUNT = (
    "id", "account_id", "name", "currency", "timezone_name", "account_status", "disable_reason",
    "amount_spent", "balance", "spend_cap", "min_daily_budget", "is_prepay_account",
    "capabilities", "user_tasks", "business", "timezone_id", "timezone_offset_hours_utc",
    "opportunity_score", "created_time",
)  # fmt: skip

CAMPAIGN = (
    "id", "name", "objective", "status", "effective_status", "buying_type", "bid_strategy",
    "daily_budget", "lifetime_budget", "start_time", "stop_time", "created_time", "updated_time",
    "special_ad_categories", "configured_status", "budget_remaining", "spend_cap",
    "smart_promotion_type", "advantage_state_info", "is_adset_budget_sharing_enabled",
    "is_budget_schedule_enabled", "issues_info", "adlabels", "promoted_object",
    "source_campaign_id",
)  # fmt: skip

AD_SET = (
    "id", "campaign_id", "name", "status", "effective_status", "daily_budget", "lifetime_budget",
    "bid_strategy", "billing_event", "optimization_goal", "attribution_spec", "start_time",
    "end_time", "created_time", "updated_time", "learning_stage_info", "configured_status",
    "budget_remaining", "bid_amount", "bid_constraints", "destination_type", "promoted_object",
    "targeting", "issues_info", "pacing_type", "frequency_control_specs", "is_dynamic_creative",
    "is_incremental_attribution_enabled", "low_creative_reach", "creative_diversity_label",
)  # fmt: skip

CREATIVE = ("id", "name", "status", "object_type", "title", "body", "image_hash", "video_id")

AD = (
    "id", "adset_id", "campaign_id", "name", "status", "effective_status", "created_time",
    "updated_time", "configured_status", "ad_review_feedback", "issues_info",
    "failed_delivery_checks", "tracking_specs", "conversion_specs", "preview_shareable_link",
    "last_updated_by_app_id", f"creative{{{','.join(CREATIVE)}}}",
)  # fmt: skip

# The whole of a creative; read apart from ads, because the edge is heavy.
CREATIVE_WHOLE = (
    *CREATIVE, "call_to_action_type", "object_story_spec", "asset_feed_spec",
    "effective_object_story_id", "effective_instagram_media_id", "instagram_user_id",
    "instagram_permalink_url", "url_tags", "template_url", "product_set_id", "thumbnail_url",
    "degrees_of_freedom_spec",
)  # fmt: skip

AUDIENCE = (
    "id", "name", "subtype", "description", "approximate_count_lower_bound",
    "approximate_count_upper_bound", "delivery_status", "operation_status", "retention_days",
    "time_created", "time_updated", "time_content_updated", "lookalike_spec", "pixel_id",
    "data_source", "is_value_based",
)  # fmt: skip

STUDY = (
    "id", "name", "description", "type", "start_time", "end_time", "canceled_time",
    "cooldown_start_time", "observation_end_time", "confidence_level", "created_time",
    "updated_time",
)  # fmt: skip
# Reason: a cell holds up to 100 of each, and a nested edge gives 25 unless told.
CELL = (
    "id", "name", "treatment_percentage", "control_percentage", "ad_ids", "adsets.limit(100)",
    "campaigns.limit(100)",
)  # fmt: skip

PIXEL = (
    "id", "name", "last_fired_time", "is_unavailable", "creation_time", "data_use_setting",
    "first_party_cookie_status", "enable_automatic_matching", "automatic_matching_fields",
)  # fmt: skip

ACTIVITY = (
    "actor_id", "actor_name", "application_id", "event_type", "translated_event_type",
    "event_time", "object_id", "object_type", "object_name", "extra_data",
)  # fmt: skip

# Columns of ours; everything else read goes to `extra`.
KNOWN = frozenset({
    "id", "account_id", "campaign_id", "adset_id", "name", "status", "effective_status",
    "objective", "optimization_goal", "bid_strategy", "daily_budget", "lifetime_budget",
    "created_time", "updated_time", "start_time", "stop_time", "end_time", "creative",
})  # fmt: skip

# Reason: naming DELETED on an edge is an error, and a status of another level is 100/1487561.
EDGE_STATUSES: dict[Level, tuple[str, ...]] = {
    Level.CAMPAIGN: ("ACTIVE", "PAUSED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"),
    Level.AD_SET: ("ACTIVE", "PAUSED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES", "CAMPAIGN_PAUSED"),
    Level.AD: (
        "ACTIVE", "PAUSED", "ADSET_PAUSED", "CAMPAIGN_PAUSED", "ARCHIVED", "DISAPPROVED",
        "PENDING_REVIEW", "PREAPPROVED", "PENDING_BILLING_INFO", "IN_PROCESS", "WITH_ISSUES",
    ),
}  # fmt: skip

_INSIGHTS_COMMON = (
    "spend", "impressions", "reach", "clicks", "inline_link_clicks", "attribution_setting",
    "actions", "action_values", "conversions", "conversion_values", "outbound_clicks",
    "video_play_actions", "video_thruplay_watched_actions",
)  # fmt: skip

INSIGHTS: dict[Level, tuple[str, ...]] = {
    Level.ACCOUNT: ("account_id", *_INSIGHTS_COMMON),
    Level.CAMPAIGN: ("campaign_id", "campaign_name", *_INSIGHTS_COMMON),
    Level.AD_SET: ("campaign_id", "adset_id", "adset_name", *_INSIGHTS_COMMON),
    Level.AD: (
        "campaign_id", "adset_id", "ad_id", "ad_name", *_INSIGHTS_COMMON,
        "quality_ranking", "engagement_rate_ranking", "conversion_rate_ranking",
    ),
}  # fmt: skip


def insights_filter(level: Level, with_deleted: bool) -> list[dict[str, object]]:
    """Names every status, because the listing hides archived objects unless they are named."""
    if level is Level.ACCOUNT:
        return []
    statuses = [*EDGE_STATUSES[level], *(["DELETED"] if with_deleted else [])]
    return [{"field": f"{level.word}.effective_status", "operator": "IN", "value": statuses}]
