"""Fields of accounts, campaigns, ad sets, ads and creatives as the Graph API writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from adlab.simulator import naming, periods
from adlab.simulator.account_fields import account_fields
from adlab.simulator.assets import feed_spec
from adlab.simulator.delivery import budget_level
from adlab.simulator.hashing import Ints
from adlab.simulator.periods import DayRange
from adlab.simulator.reporting import Aggregator, ReportEngine
from adlab.simulator.world import GOALS, OBJECTIVES, SETTINGS, STATUS_NAMES, AccountWorld

_SPECS: dict[str, list[dict[str, Any]]] = {
    "7d_click_1d_view": [
        {"event_type": "CLICK_THROUGH", "window_days": 7},
        {"event_type": "VIEW_THROUGH", "window_days": 1},
    ],
    "1d_click": [{"event_type": "CLICK_THROUGH", "window_days": 1}],
    "7d_click": [{"event_type": "CLICK_THROUGH", "window_days": 7}],
}


@dataclass
class Moment:
    """An account at a time, with what is worth computing only once per call."""

    account: AccountWorld
    engine: ReportEngine
    now: float
    tick: int

    @cached_property
    def today(self) -> int:
        """The account's local day."""
        return self.account.today(self.now)

    @cached_property
    def _cache(self) -> dict[tuple[str, str], Ints]:
        return {}

    def column(self, what: str, level: str) -> Ints:
        """Give statuses or times of all objects of a level."""
        name = (what, level)
        if name not in self._cache:
            account = self.account
            self._cache[name] = {
                "effective": lambda: account.effective_status(level, self.today),
                "configured": lambda: account.configured_status(level, self.today),
                "created": lambda: naming.created_at(account, level),
                "updated": lambda: naming.updated_at(account, level, self.now),
            }[what]()
        return self._cache[name]

    def status(self, what: str, level: str, index: int) -> str:
        """Give a status by its name."""
        return STATUS_NAMES[self.column(what, level)[index]]

    def time(self, what: str, level: str, index: int) -> str:
        """Give a time in the account's timezone."""
        return periods.local_text(self.account.zone, int(self.column(what, level)[index]))

    def day_time(self, day: int) -> str:
        """Give a local midnight as text."""
        return periods.local_text(self.account.zone, periods.day_start(self.account.zone, day))

    def daily_budget(self, campaign: int) -> int:
        """Give a campaign's daily budget today, in minor units."""
        campaigns = self.account.campaigns
        day = min(max(self.today, int(campaigns.start[campaign])), int(campaigns.end[campaign]))
        at = campaigns.start[campaign : campaign + 1]
        who = at * 0 + campaign
        level = float(budget_level(self.account, who, at * 0 + day)[0])
        return round(float(campaigns.budget[campaign]) * level) * (
            self.account.profile.minor_per_major
        )

    def month_spend(self) -> int:
        """Give the spend of the current month so far, in minor units."""
        days = DayRange(periods.month_start(self.today), self.today)
        table = Aggregator(self.engine.delivery, self.account, self.tick).table(
            "account", [days], frozenset({"spend"})
        )
        return int(table.columns["spend"].sum())


Reader = Callable[[Moment, int], Any]


def _common(level: str) -> dict[str, Reader]:
    return {
        "id": lambda m, i: str(m.account.objects(level).id[i]),
        "account_id": lambda m, i: str(m.account.profile.number),
        "name": lambda m, i: naming.name_of(m.account, level, i),
        "status": lambda m, i: m.status("configured", level, i),
        "configured_status": lambda m, i: m.status("configured", level, i),
        "effective_status": lambda m, i: m.status("effective", level, i),
        "created_time": lambda m, i: m.time("created", level, i),
        "updated_time": lambda m, i: m.time("updated", level, i),
    }


def _when(condition: Any, value: Callable[[], Any]) -> Any:
    return value() if condition else None


def _campaign_fields() -> dict[str, Reader]:
    def has_end(m: Moment, i: int) -> bool:
        c = m.account.campaigns
        return bool(c.end[i] - c.start[i] < 200)

    def budget(m: Moment, i: int) -> Any:
        return _when(m.account.campaigns.has_campaign_budget[i], lambda: str(m.daily_budget(i)))

    return {
        **_common("campaign"),
        "objective": lambda m, i: OBJECTIVES[m.account.campaigns.objective[i]],
        "buying_type": lambda m, i: "AUCTION",
        "bid_strategy": lambda m, i: _when(
            m.account.campaigns.has_campaign_budget[i], lambda: "LOWEST_COST_WITHOUT_CAP"
        ),
        "daily_budget": budget,
        "budget_remaining": lambda m, i: budget(m, i) or "0",
        "start_time": lambda m, i: m.day_time(int(m.account.campaigns.start[i])),
        "stop_time": lambda m, i: _when(
            has_end(m, i), lambda: m.day_time(int(m.account.campaigns.end[i]) + 1)
        ),
        "special_ad_categories": lambda m, i: [],
        "smart_promotion_type": lambda m, i: "GUIDED_CREATION",
        "is_adset_budget_sharing_enabled": lambda m, i: False,
        "is_budget_schedule_enabled": lambda m, i: False,
        "source_campaign_id": lambda m, i: "0",
    }


def _ad_set_fields() -> dict[str, Reader]:
    def parent(m: Moment, i: int) -> int:
        return int(m.account.ad_sets.campaign[i])

    def budget(m: Moment, i: int) -> str:
        if m.account.campaigns.has_campaign_budget[parent(m, i)]:
            return "0"
        return str(round(m.daily_budget(parent(m, i)) * float(m.account.ad_sets.share[i])))

    def sales(m: Moment, i: int) -> int:
        return int(m.account.campaigns.objective[parent(m, i)])

    return {
        **_common("adset"),
        "campaign_id": lambda m, i: str(m.account.campaigns.id[parent(m, i)]),
        "daily_budget": budget,
        "lifetime_budget": lambda m, i: "0",
        "budget_remaining": budget,
        "bid_strategy": lambda m, i: "LOWEST_COST_WITHOUT_CAP",
        "billing_event": lambda m, i: "IMPRESSIONS",
        "optimization_goal": lambda m, i: GOALS[sales(m, i)],
        "attribution_spec": lambda m, i: _SPECS[SETTINGS[m.account.ad_sets.setting[i]]],
        "destination_type": lambda m, i: "WEBSITE",
        "promoted_object": lambda m, i: _when(
            sales(m, i) == 0,
            lambda: {
                "pixel_id": str(880_000 + m.account.profile.number),
                "custom_event_type": "PURCHASE",
            },
        ),
        "targeting": lambda m, i: {
            "age_min": 18,
            "age_max": 65,
            "targeting_automation": {"advantage_audience": 1},
        },
        "start_time": lambda m, i: m.day_time(int(m.account.ad_sets.start[i])),
        "end_time": lambda m, i: _when(
            m.account.ad_sets.end[i] - m.account.ad_sets.start[i] < 200,
            lambda: m.day_time(int(m.account.ad_sets.end[i]) + 1),
        ),
        "learning_stage_info": _learning,
        "pacing_type": lambda m, i: ["standard"],
        "is_dynamic_creative": lambda m, i: False,
        "source_adset_id": lambda m, i: "0",
        "is_incremental_attribution_enabled": lambda m, i: False,
    }


def _learning(m: Moment, i: int) -> dict[str, Any]:
    """Describe the learning phase: seven days from the start or the last significant edit."""
    start = periods.day_start(m.account.zone, int(m.account.ad_sets.start[i]))
    since = m.account.edits.resets.get(i, start)
    is_new = m.now - since < 7 * 86_400
    return {
        "status": "LEARNING" if is_new else "SUCCESS",
        "conversions": 0,
        "last_sig_edit_ts": since,
    }


def _ad_fields() -> dict[str, Reader]:
    return {
        **_common("ad"),
        "adset_id": lambda m, i: str(m.account.ad_sets.id[m.account.ads.ad_set[i]]),
        "campaign_id": lambda m, i: str(m.account.campaigns.id[m.account.ads.campaign[i]]),
        "creative": lambda m, i: {
            "id": str(m.account.edits.creative_of.get(i, m.account.ads.creative_id[i]))
        },
        "source_ad_id": lambda m, i: "0",
        "tracking_specs": lambda m, i: [
            {
                "action.type": ["offsite_conversion"],
                "fb_pixel": [str(880_000 + m.account.profile.number)],
            }
        ],
        "conversion_specs": lambda m, i: [{"action.type": ["offsite_conversion"]}],
        "preview_shareable_link": lambda m, i: (
            f"https://fb.example/p/{int(m.account.ads.id[i]) % 10**8}"
        ),
        "last_updated_by_app_id": lambda m, i: "555",
    }


def _creative_fields() -> dict[str, Reader]:
    def number(m: Moment, i: int) -> int:
        return int(m.account.ads.creative_id[i])

    def video(m: Moment, i: int) -> bool:
        return bool(m.account.ads.is_video[i])

    def story(m: Moment, i: int) -> dict[str, Any]:
        call = {"type": "SHOP_NOW", "value": {"link": "https://shop.example/"}}
        page = {"page_id": str(660_000 + m.account.profile.number)}
        if video(m, i):
            return {
                **page,
                "video_data": {
                    "video_id": str(number(m, i) // 7),
                    "title": _title(m, i),
                    "call_to_action": call,
                },
            }
        return {
            **page,
            "link_data": {
                "link": "https://shop.example/",
                "name": _title(m, i),
                "call_to_action": call,
            },
        }

    return {
        "id": lambda m, i: str(number(m, i)),
        "account_id": lambda m, i: str(m.account.profile.number),
        "name": lambda m, i: f"{naming.name_of(m.account, 'ad', i)} creative",
        "status": lambda m, i: "ACTIVE",
        "object_type": lambda m, i: "VIDEO" if video(m, i) else "SHARE",
        "title": _title,
        "body": lambda m, i: f"{m.account.profile.client}: see what is new this season.",
        "call_to_action_type": lambda m, i: "SHOP_NOW",
        "asset_feed_spec": lambda m, i: feed_spec(m.account, i),
        "image_hash": lambda m, i: _when(not video(m, i), lambda: f"{number(m, i):032x}"),
        "image_url": lambda m, i: _when(
            not video(m, i), lambda: f"https://images.example/{number(m, i)}.jpg"
        ),
        "thumbnail_url": lambda m, i: f"https://images.example/t/{number(m, i)}.jpg?x={m.tick}",
        "video_id": lambda m, i: _when(video(m, i), lambda: str(number(m, i) // 7)),
        "object_story_spec": story,
        "effective_object_story_id": lambda m, i: (
            f"{660_000 + m.account.profile.number}_{number(m, i) // 3}"
        ),
        "url_tags": lambda m, i: "utm_source=meta&utm_medium=paid",
    }


def _title(m: Moment, i: int) -> str:
    return naming.name_of(m.account, "campaign", int(m.account.ads.campaign[i])).split(" | ")[1]


FIELDS: dict[str, dict[str, Reader]] = {
    "account": account_fields(),
    "campaign": _campaign_fields(),
    "adset": _ad_set_fields(),
    "ad": _ad_fields(),
    "creative": _creative_fields(),
}
UNSET: dict[str, frozenset[str]] = {
    "account": frozenset(
        {
            "opportunity_score",
            "end_advertiser",
            "media_agency",
            "fb_entity",
            "tax_id_status",
            "io_number",
        }
    ),
    "campaign": frozenset(
        {
            "lifetime_budget",
            "spend_cap",
            "issues_info",
            "adlabels",
            "promoted_object",
            "advantage_state_info",
            "recommendations",
            "pacing_type",
            "last_budget_toggling_time",
            "topline_id",
        }
    ),
    "adset": frozenset(
        {
            "bid_amount",
            "bid_constraints",
            "issues_info",
            "recommendations",
            "frequency_control_specs",
            "low_creative_reach",
            "creative_diversity_label",
            "adlabels",
            "daily_min_spend_target",
            "daily_spend_cap",
            "lifetime_min_spend_target",
            "lifetime_spend_cap",
            "campaign_attribution",
            "rf_prediction_id",
            "use_new_app_click",
            "adset_schedule",
        }
    ),
    "ad": frozenset(
        {
            "ad_review_feedback",
            "issues_info",
            "failed_delivery_checks",
            "adlabels",
            "recommendations",
            "bid_amount",
            "engagement_audience",
            "display_sequence",
            "ad_active_time",
            "ad_schedule_start_time",
            "ad_schedule_end_time",
            "conversion_domain",
        }
    ),
    "creative": frozenset(
        {
            "call_to_action",
            "image_crops",
            "adlabels",
            "effective_instagram_media_id",
            "instagram_user_id",
            "link_url",
            "instagram_permalink_url",
            "template_url",
            "product_set_id",
            "degrees_of_freedom_spec",
            "contextual_multi_ads",
            "object_id",
            "source_instagram_media_id",
            "object_url",
            "link_og_id",
            "object_story_id",
            "actor_id",
            "enable_direct_install",
        }
    ),
}
"""Fields that exist and are never set here: asking for them is fine, the key stays away."""
NODE_TYPES = {
    "account": "AdAccount",
    "campaign": "AdCampaignGroup",
    "adset": "AdCampaign",
    "ad": "Adgroup",
    "creative": "AdCreative",
}
