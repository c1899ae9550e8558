"""What ads delivered: seeded integers per ad and day, computed on demand for a chunk of days.

The auction in short: a campaign spends about its budget (steps every two weeks, weekday and daily
noise); cost per thousand rises with the season and with spend; click rates wear off with the
repetition of an ad; conversions per click fall as spend rises (`Campaigns.exponent`), follow the
season, and fall into classes by how long after the click or view they happen. These are the final
numbers of a day; what is known of them at an earlier time is in `restatement.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date

import numpy as np

from adlab.simulator.hashing import (
    U64,
    Counts,
    Floats,
    Ints,
    binomial,
    join_keys,
    key_of,
    keys_for,
    normal,
    offsets,
    poisson,
    uniform,
)
from adlab.simulator.periods import hours_of_day
from adlab.simulator.world import STORIES, AccountWorld

CHUNK_DAYS = 16
CLASSES = ("c1", "c7", "c28", "v1", "ev")
"""Click within a day, within 2-7 days, within 8-28 days; view within a day; engaged view."""
EVENTS = ("purchase", "checkout", "cart", "view", "lead")
FLOWS = (
    "impressions",
    "fresh",
    "clicks",
    "link_clicks",
    "outbound_clicks",
    "landing_views",
    "spend",
    "video_views",
    "thruplays",
    "video_p25",
    "video_p50",
    "video_p75",
    "video_p100",
    "reactions",
    "comments",
    "shares",
    "saves",
)
"""Columns that are complete at the end of the day. `fresh` counts impressions that are not
repetitions within the ad's own audience; reach is a function of it."""
_CLASS_SHARES = (0.46, 0.25, 0.10, 0.14, 0.05)
_STORY_WORN = STORIES.index("fatigued_ad")
_STORY_OVERSPEND = STORIES.index("overspending_campaign")


@dataclass(frozen=True)
class Block:
    """Final numbers of one chunk of days; cells are sorted by day, then ad."""

    day: Ints
    ad: Ints
    columns: dict[str, Counts]
    flow_offset: Floats
    conversion_offset: Floats


def demand_of_day(day: int) -> float:
    """Give the season's demand around 1: November peak, December, a slow January and summer."""
    moment = date.fromordinal(day)
    thanks = date(moment.year, 11, 22 + (3 - date(moment.year, 11, 22).weekday()) % 7)
    gap = day - (thanks.toordinal() + 1)
    peak = 0.55 * float(np.exp(-((gap / 3.5) ** 2)))
    of_year = moment.timetuple().tm_yday
    slow = -0.12 * float(np.exp(-(((of_year - 20) / 18) ** 2)))
    summer = -0.08 * float(np.exp(-(((of_year - 205) / 35) ** 2)))
    advent = 0.25 * float(np.exp(-(((of_year - 345) / 9) ** 2)))
    return 1.0 + peak + slow + summer + advent


def tracking_drop_days(account: AccountWorld, day: int) -> tuple[int, int]:
    """Give the planted tracking drop of a day's month: first and last day, ordinals."""
    month = date.fromordinal(day).replace(day=1)
    first = month.toordinal() + 3 + key_of(account.key, "drop", month) % 12
    return first, first + 3


def outage_day(account: AccountWorld, day: int) -> int:
    """Give the planted outage day of a day's month."""
    month = date.fromordinal(day).replace(day=1)
    return month.toordinal() + 2 + key_of(account.key, "outage", month) % 16


class DeliveryEngine:
    """Computes and keeps blocks of final numbers.

    Args:
        max_cells: How many ad-days to keep; the least recently used chunks go first.
    """

    def __init__(self, max_cells: int = 400_000) -> None:
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()
        self._max_cells = max_cells
        self._cells = 0

    def block(self, account: AccountWorld, chunk: int) -> Block:
        """Give the block of days `chunk * CHUNK_DAYS` and following."""
        name = (account.profile.number, chunk)
        found = self._blocks.get(name)
        if found is not None:
            self._blocks.move_to_end(name)
            return found
        block = _compute(account, chunk * CHUNK_DAYS)
        self._blocks[name] = block
        self._cells += len(block.day)
        while self._cells > self._max_cells and len(self._blocks) > 1:
            self._cells -= len(self._blocks.popitem(last=False)[1].day)
        return block

    def clear(self) -> None:
        """Forget everything computed."""
        self._blocks.clear()
        self._cells = 0


def active_days(account: AccountWorld, since: int, until: int) -> tuple[Ints, Ints]:
    """List the (day, ad) pairs that are scheduled in a span, sorted by day, then ad."""
    ads = account.ads
    who = np.flatnonzero((ads.start <= until) & (ads.end >= since))
    first = np.maximum(ads.start[who], since)
    count = np.minimum(ads.end[who], until) - first + 1
    ad = np.repeat(who, count)
    turn = np.arange(len(ad)) - np.repeat(np.cumsum(count) - count, count)
    day = np.repeat(first, count) + turn
    order = np.argsort(day, kind="stable")
    return day[order], ad[order]


@dataclass(frozen=True)
class _DayFactors:
    demand: Floats
    cost: Floats
    tracking: Floats
    outage: Floats
    length: Floats
    weekday: Floats


def _day_factors(account: AccountWorld, first: int) -> _DayFactors:
    days = np.arange(first, first + CHUNK_DAYS)
    season = np.array([demand_of_day(int(day)) for day in days])
    base = np.array([0.97, 0.96, 0.98, 1.0, 1.03, 1.07, 1.01])
    base = base + 0.025 * normal(keys_for(account.key, np.arange(7)), 40)
    shock = np.exp(0.05 * normal(keys_for(account.key, days), 41))
    tracking, outage = np.ones(CHUNK_DAYS), np.ones(CHUNK_DAYS)
    for index, day in enumerate(days.tolist()):
        if account.profile.has_tracking_drops:
            low, high = tracking_drop_days(account, day)
            tracking[index] = 0.25 if low <= day <= high else 1.0
        if account.profile.has_outages and outage_day(account, day) == day:
            outage[index] = 0.03
    hours = np.array([len(hours_of_day(account.zone, day)) / 24 for day in days.tolist()])
    return _DayFactors(
        season * shock, 1.0 + 0.6 * (season - 1.0), tracking, outage, hours, base[(days - 1) % 7]
    )


def _compute(account: AccountWorld, first: int) -> Block:
    day, ad = active_days(account, first, first + CHUNK_DAYS - 1)
    ads, campaigns = account.ads, account.campaigns
    key = join_keys(ads.key[ad], day)
    if len(day):
        rests = (uniform(key, 0) < 0.015) & ~campaigns.is_steady[ads.campaign[ad]]
        day, ad, key = day[~rests], ad[~rests], key[~rests]
    factors = _day_factors(account, first)
    columns, level = _traffic(account, day, ad, key, factors, first)
    _conversions(account, columns, level, day, ad, key, factors, first)
    shown = columns["impressions"] > 0
    if not shown.all():
        columns = {name: values[shown] for name, values in columns.items()}
        day, ad, key = day[shown], ad[shown], key[shown]
    return Block(
        day,
        ad,
        {name: values.astype(np.int32) for name, values in columns.items()},
        offsets(key, 90),
        offsets(key, 91),
    )


def budget_level(account: AccountWorld, campaign: Ints, day: Ints) -> Floats:
    """Give the factor on a campaign's budget on a day; it steps every 14 days of its life."""
    campaigns = account.campaigns
    step = (day - campaigns.start[campaign]) // 14
    return np.exp(0.18 * normal(join_keys(campaigns.key[campaign], step + 50_000), 42))


def _wear(account: AccountWorld, day: Ints, ad: Ints) -> Floats:
    """Give how often the ad's audience has seen it beyond the first time, from its age."""
    age = (day - account.ads.start[ad]).astype(np.float64)
    return account.ads.wear[ad] * age / (12.0 + 0.25 * age)


def _traffic(
    account: AccountWorld, day: Ints, ad: Ints, key: U64, factors: _DayFactors, first: int
) -> tuple[dict[str, Ints], Floats]:
    ads, campaigns = account.ads, account.campaigns
    campaign, at = ads.campaign[ad], day - first
    level = budget_level(account, campaign, day)
    daily_key = join_keys(campaigns.key[campaign], day)
    pace = np.exp(0.10 * normal(daily_key, 43) + 0.12 * normal(key, 44))
    over = np.where((campaigns.story[campaign] == _STORY_OVERSPEND) & (pace > 0.95), 1.7, 1.0)
    target = (
        campaigns.budget[campaign]
        * ads.share[ad]
        * level
        * pace
        * over
        * factors.weekday[at]
        * factors.outage[at]
        * factors.length[at]
    )
    wear = _wear(account, day, ad)
    cost = (
        ads.cpm[ad]
        * factors.cost[at]
        * level**0.15
        * (1.0 + 0.10 * wear)
        * np.exp(0.07 * normal(key, 45))
    )
    impressions = poisson(target / cost * 1000.0, key, 46)
    minor = account.profile.minor_per_major
    spend = np.floor(impressions * cost * minor / 1000.0 * np.exp(0.03 * normal(key, 47)) + 0.5)
    ctr = ads.ctr[ad] * np.exp(-0.30 * wear + 0.06 * normal(key, 48))
    clicks = binomial(impressions, ctr, key, 49)
    link = binomial(clicks, 0.72, key, 50)
    views = binomial(impressions, np.where(ads.is_video[ad], 0.26, 0.0), key, 51)
    p25 = binomial(views, 0.62, key, 52)
    p50 = binomial(p25, 0.58, key, 53)
    p75 = binomial(p50, 0.62, key, 54)
    shown = impressions.astype(np.float64)
    columns = {
        "impressions": impressions,
        "fresh": np.maximum(np.floor(impressions / (1.0 + 0.35 * wear)), 1).astype(np.int64),
        "clicks": clicks,
        "link_clicks": link,
        "outbound_clicks": binomial(link, 0.93, key, 55),
        "landing_views": binomial(link, 0.82, key, 56),
        "spend": spend.astype(np.int64),
        "video_views": views,
        "thruplays": binomial(p50, 0.7, key, 57),
        "video_p25": p25,
        "video_p50": p50,
        "video_p75": p75,
        "video_p100": binomial(p75, 0.66, key, 58),
        "reactions": poisson(shown * 0.0032, key, 59),
        "comments": poisson(shown * 0.0003, key, 60),
        "shares": poisson(shown * 0.0004, key, 61),
        "saves": poisson(shown * 0.0005, key, 62),
    }
    return columns, level


def _conversions(
    account: AccountWorld,
    columns: dict[str, Ints],
    level: Floats,
    day: Ints,
    ad: Ints,
    key: U64,
    factors: _DayFactors,
    first: int,
) -> None:
    ads, at = account.ads, day - first
    link = columns["link_clicks"]
    curve = level ** (account.campaigns.exponent[ads.campaign[ad]] - 1.0)
    likely = factors.demand[at] * factors.tracking[at] * curve
    mean = np.asarray(link * ads.cvr[ad] * likely, dtype=np.float64)
    purchases = _by_class(poisson(mean, key, 63), key, 64)
    checkouts = _by_class(poisson(mean * 0.9, key, 66), key, 67)
    carts = _by_class(poisson(mean * 2.1, key, 69), key, 70)
    sells = ads.cvr[ad] > 0
    views = poisson(
        np.where(sells, columns["landing_views"] * 0.9 * factors.tracking[at], 0.0), key, 72
    )
    contents = _by_class(views, key, 73)
    expected_leads = np.asarray(link * ads.lead_rate[ad] * likely, dtype=np.float64)
    leads = _by_class(poisson(expected_leads, key, 75), key, 76)
    value = ads.order_value[ad] * account.profile.minor_per_major
    for index, name in enumerate(CLASSES):
        bought = purchases[index]
        columns[f"purchase_{name}"] = bought
        columns[f"checkout_{name}"] = bought + checkouts[index]
        columns[f"cart_{name}"] = bought + checkouts[index] + carts[index]
        columns[f"view_{name}"] = columns[f"cart_{name}"] + contents[index]
        columns[f"lead_{name}"] = leads[index]
        noise = np.exp(0.45 * normal(key, 78 + index) / np.sqrt(np.maximum(bought, 1)))
        columns[f"revenue_{name}"] = np.floor(bought * value * noise + 0.5).astype(np.int64)


def _by_class(total: Ints, key: U64, stream: int) -> list[Ints]:
    """Split a total over the five classes, each conversion falling into one at random."""
    left, parts, rest = total, [], 1.0
    for index, share in enumerate(_CLASS_SHARES[:-1]):
        part = binomial(left, share / rest, key, stream * 1000 + index)
        parts.append(part)
        left = left - part
        rest -= share
    return [*parts, left]
