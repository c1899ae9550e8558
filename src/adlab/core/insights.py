"""The insights table: its stored columns, their units and how they are read from Meta.

One row is one object on one day of its account's timezone. `STORED` is the single list that
migrations, ingestion, file import, SQL and frames share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["count", "micro"]


@dataclass(frozen=True)
class StoredColumn:
    """A stored hot metric.

    Attributes:
        name: Column in the store; ends in `_micro` when it is money.
        unit: `count`, or `micro` units of the account's currency.
        additive: Whether rows may be added over days and objects.
        field: Scalar field of Meta's insights row that holds it, or None.
        actions: For values of action lists: the list's field and the action types to look for,
            in order of preference. The first type present wins; types overlap and are never added.
        whole: Whether it is an integer by nature (actions may be fractions under data-driven
            attribution).
    """

    name: str
    unit: Unit = "count"
    additive: bool = True
    field: str | None = None
    actions: tuple[str, tuple[str, ...]] | None = None
    whole: bool = False


def _scalar(name: str, field: str, unit: Unit = "count", additive: bool = True) -> StoredColumn:
    return StoredColumn(name, unit, additive, field=field, whole=True)


def _action(name: str, *types: str, source: str = "actions", unit: Unit = "count") -> StoredColumn:
    return StoredColumn(name, unit, actions=(source, types))


_PURCHASE = (
    "omni_purchase",
    "purchase",
    "onsite_web_purchase",
    "offsite_conversion.fb_pixel_purchase",
)

STORED: tuple[StoredColumn, ...] = (
    _scalar("spend_micro", "spend", "micro"),
    _scalar("impressions", "impressions"),
    _scalar("reach", "reach", additive=False),
    _scalar("clicks", "clicks"),
    _scalar("link_clicks", "inline_link_clicks"),
    _action("outbound_clicks", "outbound_click", source="outbound_clicks"),
    _action("landing_page_views", "omni_landing_page_view", "landing_page_view"),
    _action("post_engagements", "post_engagement"),
    _action("content_views", "omni_view_content", "view_content",
            "offsite_conversion.fb_pixel_view_content"),
    _action("searches", "omni_search", "search", "offsite_conversion.fb_pixel_search"),
    _action("adds_to_cart", "omni_add_to_cart", "add_to_cart",
            "offsite_conversion.fb_pixel_add_to_cart"),
    _action("checkouts", "omni_initiated_checkout", "initiate_checkout",
            "offsite_conversion.fb_pixel_initiate_checkout"),
    _action("purchases", *_PURCHASE),
    _action("revenue_micro", *_PURCHASE, source="action_values", unit="micro"),
    _action("leads", "lead", "onsite_conversion.lead_grouped",
            "offsite_conversion.fb_pixel_lead"),
    _action("video_3s_plays", "video_view"),
    _action("thruplays", "video_view", source="video_thruplay_watched_actions"),
)  # fmt: skip

STORED_BY_NAME = {column.name: column for column in STORED}
STORED_NAMES = tuple(column.name for column in STORED)
ADDITIVE_NAMES = tuple(column.name for column in STORED if column.additive)

# Lists kept whole, by action type and attribution window, in the column `actions`.
ACTION_LISTS = (
    "actions",
    "action_values",
    "conversions",
    "conversion_values",
    "outbound_clicks",
    "video_play_actions",
    "video_thruplay_watched_actions",
)

# Reason: 7d_view and 28d_view are still accepted but empty since 2026-01-12.
ATTRIBUTION_WINDOWS = ("default", "1d_click", "7d_click", "28d_click", "1d_view", "1d_ev")
