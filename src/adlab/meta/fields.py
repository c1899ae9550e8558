"""The fields and filters asked for, per object and level. Never "all": one bad field fails a call.

Names of fields and statuses come from `facebook-business`, the best list there is; a test holds
these constants against it, so the package is not imported on the hot path.
"""

from __future__ import annotations

from adlab.core.entities import Level

ACCOUNT = (
    "id", "account_id", "name", "currency", "timezone_name", "account_status", "disable_reason",
    "amount_spent", "balance", "spend_cap", "created_time",
)  # fmt: skip

CAMPAIGN = (
    "id", "name", "objective", "status", "effective_status", "buying_type", "bid_strategy",
    "daily_budget", "lifetime_budget", "start_time", "stop_time", "created_time", "updated_time",
    "special_ad_categories",
)  # fmt: skip

AD_SET = (
    "id", "campaign_id", "name", "status", "effective_status", "daily_budget", "lifetime_budget",
    "bid_strategy", "billing_event", "optimization_goal", "attribution_spec", "start_time",
    "end_time", "created_time", "updated_time", "learning_stage_info",
)  # fmt: skip

CREATIVE = ("id", "name", "status", "object_type", "title", "body", "image_hash", "video_id")

AD = (
    "id", "adset_id", "campaign_id", "name", "status", "effective_status", "created_time",
    "updated_time", f"creative{{{','.join(CREATIVE)}}}",
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
