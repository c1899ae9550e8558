"""Named worlds. Each lists its accounts, and the stories planted in them can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from adlab.simulator import periods
from adlab.simulator.building import AB_LIFT, AccountPlan, LaneGroup, build_account
from adlab.simulator.delivery import outage_day, tracking_drop_days
from adlab.simulator.world import STORIES, AccountWorld, Profile, World

_USUAL_CAMPAIGNS = 60
_SHORT = LaneGroup("short", 138, (26, 44), (10, 40), (1, 2), (1, 3), 0, (22, 85))


def _evergreen(lanes: int, budget: tuple[float, float]) -> LaneGroup:
    return LaneGroup("evergreen", lanes, (240, 520), (220, 520), (1, 3), (1, 3), 60, budget)


def _bursts(lanes: int, budget: tuple[float, float]) -> LaneGroup:
    return LaneGroup("burst", lanes, (70, 130), (30, 90), (1, 3), (1, 3), 45, budget)


def _story(name: str, period: int, ad_sets: int, slots: int, budget: float) -> LaneGroup:
    return LaneGroup(
        f"story_{name}",
        1,
        (period, period),
        (period, period),
        (ad_sets, ad_sets),
        (slots, slots),
        0,
        (budget, budget * 1.2),
        name,
        only_sales=True,
    )


def _profile(
    number: int,
    client: str,
    currency: str,
    timezone: str,
    timezone_id: int,
    per_usd: float,
    *,
    drops: bool = False,
    outages: bool = False,
) -> Profile:
    return Profile(
        number,
        f"{client} {currency}",
        client,
        currency,
        timezone,
        1 if currency == "JPY" else 100,
        per_usd,
        str(700_000 + number),
        timezone_id,
        has_tracking_drops=drops,
        has_outages=outages,
    )


def _demo() -> list[AccountPlan]:
    return [
        replace(plan, archived_campaign_rate=0.06, deleted_campaign_rate=0.03)
        if plan.keep == _USUAL_CAMPAIGNS
        else plan
        for plan in _demo_plans()
    ]


def _demo_plans() -> list[AccountPlan]:
    return [
        AccountPlan(
            _profile(1001, "Nordlicht Outdoor", "EUR", "Europe/Berlin", 47, 0.92),
            (
                _evergreen(14, (30, 105)),
                _bursts(3, (30, 90)),
                _story("fatigued_ad", 60, 1, 2, 160.0),
            ),
            _USUAL_CAMPAIGNS,
            0,
        ),
        AccountPlan(
            _profile(1002, "Sakura Cosmetics", "JPY", "Asia/Tokyo", 75, 151.0),
            (_evergreen(15, (30, 112)), _bursts(3, (30, 100))),
            _USUAL_CAMPAIGNS,
            1,
        ),
        AccountPlan(
            _profile(1003, "Harbor & Pine", "USD", "America/New_York", 7, 1.0), (_SHORT,), 2000, 0
        ),
        AccountPlan(
            _profile(1004, "Thames Tailors", "GBP", "Europe/London", 58, 0.79),
            (_evergreen(13, (30, 105)), _bursts(3, (30, 90)), _story("ab_pair", 56, 2, 1, 420.0)),
            _USUAL_CAMPAIGNS,
            0,
        ),
        AccountPlan(
            _profile(1005, "Solara Home", "USD", "America/Los_Angeles", 1, 1.0, drops=True),
            (_evergreen(16, (30, 120)), _bursts(4, (30, 110))),
            _USUAL_CAMPAIGNS,
            0,
        ),
        AccountPlan(
            _profile(1006, "Bondi Surf Supply", "AUD", "Australia/Sydney", 13, 1.52, outages=True),
            (_evergreen(14, (26, 90)), _bursts(3, (25, 80))),
            _USUAL_CAMPAIGNS,
            2,
        ),
        AccountPlan(
            _profile(1007, "Atelier Lumière", "EUR", "Europe/Paris", 57, 0.92),
            (
                _evergreen(13, (30, 112)),
                _bursts(3, (30, 90)),
                _story("overspending_campaign", 75, 2, 2, 150.0),
            ),
            _USUAL_CAMPAIGNS,
            0,
        ),
        AccountPlan(
            _profile(1008, "Kite & Key Education", "USD", "America/Chicago", 6, 1.0),
            (_evergreen(11, (26, 97)), _bursts(3, (25, 80))),
            _USUAL_CAMPAIGNS,
            0,
        ),
        AccountPlan(
            _profile(1009, "Maple Kitchen", "CAD", "America/Toronto", 14, 1.38),
            (_evergreen(13, (26, 97)), _bursts(3, (25, 80))),
            _USUAL_CAMPAIGNS,
            0,
        ),
    ]


def _bench() -> list[AccountPlan]:
    group = LaneGroup(
        "bench",
        10,
        (1, 1),
        (1, 1),
        (10, 10),
        (10, 10),
        0,
        (1500, 3000),
        only_sales=True,
        is_steady=True,
        is_endless=True,
    )
    return [
        AccountPlan(
            _profile(1000, "Bench Works", "USD", "America/New_York", 7, 1.0),
            (group,),
            10,
            0,
            archived_ad_rate=0.0,
            deleted_ad_rate=0.0,
            wear=0.2,
        )
    ]


def _tiny() -> list[AccountPlan]:
    def steady(name: str, ad_sets: int, slots: int, story: str = "") -> LaneGroup:
        return LaneGroup(
            name,
            1,
            (1, 1),
            (1, 1),
            (ad_sets, ad_sets),
            (slots, slots),
            0,
            (90, 150),
            story,
            only_sales=True,
            is_steady=True,
            is_endless=True,
        )

    return [
        AccountPlan(
            _profile(1001, "Tiny Berlin", "EUR", "Europe/Berlin", 47, 0.92),
            (steady("one", 2, 2), steady("two", 1, 2), steady("mixed", 2, 1, "mixed_attribution")),
            3,
            0,
            archived_ad_rate=0.0,
            deleted_ad_rate=0.0,
            forced_ad_ends=((1, "archived", 2), (3, "deleted", 3)),
        ),
        AccountPlan(
            _profile(1002, "Tiny Tokyo", "JPY", "Asia/Tokyo", 75, 151.0),
            (steady("one", 1, 2), steady("two", 1, 1)),
            2,
            0,
            archived_ad_rate=0.0,
            deleted_ad_rate=0.0,
        ),
    ]


def _big() -> list[AccountPlan]:
    group = LaneGroup("big", 620, (50, 90), (30, 80), (1, 2), (1, 2), 0, (30, 120))
    return [
        AccountPlan(
            _profile(1000, "Big Retail", "USD", "America/New_York", 7, 1.0), (group,), 10_000, 0
        )
    ]


SCENARIOS: dict[str, Callable[[], list[AccountPlan]]] = {
    "demo": _demo,
    "bench": _bench,
    "tiny": _tiny,
    "big": _big,
}


def build_world(scenario: str, seed: int, now: float) -> World:
    """Build a named world.

    Args:
        scenario: One of `SCENARIOS`.
        seed: Every number follows from it.
        now: Unix time the world is started at; its month decides which campaigns exist already.

    Raises:
        ValueError: If there is no such scenario.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"no scenario {scenario!r}; known are {', '.join(sorted(SCENARIOS))}")
    anchor = periods.month_start(periods.local_day(ZoneInfo("UTC"), now))
    plans = SCENARIOS[scenario]()
    return World(
        scenario, seed, {plan.profile.number: build_account(plan, seed, anchor) for plan in plans}
    )


def planted_stories(world: World, now: float) -> list[dict[str, object]]:
    """List what was planted and is visible in the 396 days before a Unix time."""
    found: list[dict[str, object]] = []
    for account in world.accounts.values():
        today = account.today(now)
        found.extend(_campaign_stories(account, today))
        found.extend(_account_stories(account, today))
    return found


def _campaign_stories(account: AccountWorld, today: int) -> list[dict[str, object]]:
    campaigns, ads = account.campaigns, account.ads
    seen = (campaigns.story > 0) & (campaigns.start <= today) & (campaigns.end >= today - 396)
    found: list[dict[str, object]] = []
    for index in np.flatnonzero(seen).tolist():
        story: dict[str, object] = {
            "kind": STORIES[campaigns.story[index]],
            "account_id": str(account.profile.number),
            "campaign_id": str(campaigns.id[index]),
            "since": periods.day_text(int(campaigns.start[index])),
            "until": periods.day_text(int(campaigns.end[index])),
        }
        own = np.flatnonzero(ads.campaign == index)
        if story["kind"] == "fatigued_ad":
            story["ad_id"] = str(ads.id[own[int(np.argmax(ads.wear[own]))]])
        if story["kind"] == "ab_pair":
            story["control_ad_id"], story["treatment_ad_id"] = (str(ads.id[i]) for i in own[:2])
            story["cvr_lift"] = AB_LIFT
        found.append(story)
    return found


def _account_stories(account: AccountWorld, today: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    month = periods.month_start(today - 396)
    while month <= today:
        spans = []
        if account.profile.has_tracking_drops:
            spans.append(("tracking_drop", *tracking_drop_days(account, month)))
        if account.profile.has_outages:
            spans.append(("outage_day", outage_day(account, month), outage_day(account, month)))
        found.extend(
            {
                "kind": kind,
                "account_id": str(account.profile.number),
                "since": periods.day_text(low),
                "until": periods.day_text(high),
            }
            for kind, low, high in spans
            if low <= today and high >= today - 396
        )
        month = periods.next_month(month)
    return found
