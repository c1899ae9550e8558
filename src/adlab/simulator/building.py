"""Builds an account's objects from a short plan.

Campaigns run in *lanes*: in a lane one campaign follows another at a fixed period, counted from a
fixed day, without beginning or end. The world on another start date therefore holds the same
campaigns with the same ids and numbers; only the oldest drop out and newer ones join.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from adlab.simulator import periods
from adlab.simulator.hashing import (
    U64,
    Bools,
    Floats,
    Ints,
    join_keys,
    key_of,
    keys_for,
    normal,
    uniform,
)
from adlab.simulator.world import (
    NEVER,
    STORIES,
    AccountWorld,
    Ads,
    AdSets,
    Campaigns,
    Profile,
)

EPOCH = date(2022, 1, 3).toordinal()
PLANNED_AHEAD_DAYS = 45
OLDEST_START_DAYS = 1200
ENDLESS_DAYS = 40_000
AB_LIFT = 0.12


@dataclass(frozen=True)
class LaneGroup:
    """Several lanes of campaigns of one kind; ranges are inclusive.

    `refresh_days` is the life of an ad before the next one takes its slot (0: the campaign's
    life). A `life` longer than the period is cut to it. An endless group has one campaign to a
    lane, from `EPOCH` on.
    """

    name: str
    lanes: int
    period: tuple[int, int]
    life: tuple[int, int]
    ad_sets: tuple[int, int] = (1, 2)
    slots: tuple[int, int] = (1, 2)
    refresh_days: int = 0
    budget_usd: tuple[float, float] = (20.0, 80.0)
    story: str = ""
    only_sales: bool = False
    is_steady: bool = False
    is_endless: bool = False


@dataclass(frozen=True)
class AccountPlan:
    """What to build for one account.

    `keep` limits the campaigns to that many, those that ended longest ago go first. `settings`
    are indexes into `world.SETTINGS`; ad sets of mixed campaigns take them in turn.
    """

    profile: Profile
    groups: tuple[LaneGroup, ...]
    keep: int | None = None
    setting: int = 0
    archived_campaign_rate: float = 0.0
    deleted_campaign_rate: float = 0.0
    archived_ad_rate: float = 0.05
    deleted_ad_rate: float = 0.03
    wear: float = 1.0
    forced_ad_ends: tuple[tuple[int, str, int], ...] = field(default=())
    """(ad index, "archived" or "deleted", days before the anchor) for small test worlds."""


@dataclass(frozen=True)
class _Rows:
    key: U64
    group: Ints
    start: Ints
    end: Ints


def _lane_campaigns(group: LaneGroup, number: int, base: int, anchor: int) -> _Rows:
    lanes = keys_for(key_of(base, group.name), np.arange(group.lanes))
    if group.is_endless:
        first_day = np.full(group.lanes, EPOCH)
        return _Rows(lanes, np.full(group.lanes, number), first_day, first_day + ENDLESS_DAYS)
    low, high = group.period
    period = low + (uniform(lanes, 1) * (high - low + 1)).astype(np.int64)
    shift = (uniform(lanes, 2) * period).astype(np.int64)
    first = (anchor - OLDEST_START_DAYS - EPOCH - shift) // period
    last = (anchor + PLANNED_AHEAD_DAYS - EPOCH - shift) // period
    count = np.maximum(last - first + 1, 0)
    lane = np.repeat(np.arange(group.lanes), count)
    turn = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[lane]
    key = join_keys(lanes[lane], turn)
    start = EPOCH + shift[lane] + turn * period[lane]
    life_low, life_high = group.life
    life = life_low + (uniform(key, 3) * (life_high - life_low + 1)).astype(np.int64)
    end = start + np.minimum(life, period[lane]) - 1
    return _Rows(key, np.full(len(key), number), start, end)


def _campaign_rows(plan: AccountPlan, base: int, anchor: int) -> _Rows:
    parts = [_lane_campaigns(g, n, base, anchor) for n, g in enumerate(plan.groups)]
    rows = _Rows(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("key", "group", "start", "end")
        )
    )
    order = np.lexsort((rows.key, -rows.end))
    if plan.keep is not None:
        order = order[: plan.keep]
    order = order[np.lexsort((rows.key[order], rows.start[order]))]
    return _Rows(rows.key[order], rows.group[order], rows.start[order], rows.end[order])


def _between(keys: U64, stream: int, low: Ints, high: Ints) -> Ints:
    return low + (uniform(keys, stream) * (high - low + 1)).astype(np.int64)


def _ids(level: int, keys: U64) -> Ints:
    numbers = (keys % np.uint64(10**13)).astype(np.int64) + (120 + level) * 10**13
    while len(np.unique(numbers)) < len(numbers):
        order = np.argsort(numbers, kind="stable")
        same = np.flatnonzero(np.diff(numbers[order]) == 0) + 1
        numbers[order[same]] += 1
    return numbers


def _late_life(key: U64, end: Ints, archived: float, deleted: float) -> tuple[Ints, Ints]:
    draw = uniform(key, 8)
    archived_on = np.where(
        draw < archived, end + 8 + (uniform(key, 9) * 10).astype(np.int64), NEVER
    )
    is_deleted = (draw >= archived) & (draw < archived + deleted)
    deleted_on = np.where(is_deleted, end + 4 + (uniform(key, 10) * 20).astype(np.int64), NEVER)
    return archived_on, deleted_on


def _normalised(weights: Floats, parent: Ints, parents: int) -> Floats:
    total = np.bincount(parent, weights=weights, minlength=parents)
    return np.asarray(weights / total[parent], dtype=np.float64)


def _group_values(plan: AccountPlan, name: str, group: Ints) -> Ints:
    return np.array([int(getattr(g, name)) for g in plan.groups], dtype=np.int64)[group]


def _pair_values(plan: AccountPlan, name: str, group: Ints) -> tuple[Ints, Ints]:
    table = np.array([getattr(g, name) for g in plan.groups])
    return table[group, 0], table[group, 1]


def _campaigns(plan: AccountPlan, rows: _Rows) -> Campaigns:
    key = rows.key
    archived_on, deleted_on = _late_life(
        key, rows.end, plan.archived_campaign_rate, plan.deleted_campaign_rate
    )
    low, high = _pair_values(plan, "budget_usd", rows.group)
    usd = low * (high / low) ** uniform(key, 11)
    step = 5.0 if plan.profile.units_per_usd < 10 else 500.0
    budget = np.maximum(np.round(usd * plan.profile.units_per_usd / step), 1.0) * step
    sales = _group_values(plan, "only_sales", rows.group).astype(bool)
    objective = np.searchsorted(np.array([0.72, 0.82, 0.92, 0.95]), uniform(key, 12))
    story = np.array([STORIES.index(g.story) for g in plan.groups])[rows.group]
    created = [periods.month_start(int(day) - PLANNED_AHEAD_DAYS) for day in rows.start]
    return Campaigns(
        id=_ids(2, key),
        key=key,
        start=rows.start,
        end=rows.end,
        archived_on=archived_on,
        deleted_on=deleted_on,
        created_on=np.array(created, dtype=np.int64),
        budget=budget,
        objective=np.where(sales | (story > 0), 0, objective),
        has_campaign_budget=(uniform(key, 13) < 0.55) & (story != STORIES.index("ab_pair")),
        exponent=0.62 + 0.26 * uniform(key, 14),
        story=story,
        is_steady=_group_values(plan, "is_steady", rows.group).astype(bool),
    )


def _ad_sets(plan: AccountPlan, rows: _Rows, campaigns: Campaigns) -> AdSets:
    low, high = _pair_values(plan, "ad_sets", rows.group)
    count = _between(rows.key, 15, low, high)
    parent = np.repeat(np.arange(len(rows.key)), count)
    turn = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count)
    key = join_keys(rows.key[parent], turn + 1000)
    is_pair = campaigns.story[parent] == STORIES.index("ab_pair")
    weight = np.where(is_pair, 1.0, np.exp(0.4 * normal(key, 16)))
    mixed = campaigns.story[parent] == STORIES.index("mixed_attribution")
    never = np.full(len(key), NEVER)
    return AdSets(
        id=_ids(3, key),
        key=key,
        start=campaigns.start[parent],
        end=campaigns.end[parent],
        archived_on=never,
        deleted_on=never.copy(),
        campaign=parent,
        share=_normalised(weight, parent, len(rows.key)),
        setting=np.where(mixed, turn % 3, plan.setting),
    )


@dataclass(frozen=True)
class _Slots:
    ad_set: Ints
    key: U64
    start: Ints
    end: Ints
    share: Floats


def _ad_slots(plan: AccountPlan, rows: _Rows, ad_sets: AdSets) -> _Slots:
    group = rows.group[ad_sets.campaign]
    low, high = _pair_values(plan, "slots", group)
    slots = _between(ad_sets.key, 17, low, high)
    parent = np.repeat(np.arange(len(ad_sets)), slots)
    turn = np.arange(len(parent)) - np.repeat(np.cumsum(slots) - slots, slots)
    slot_key = join_keys(ad_sets.key[parent], turn + 2000)
    share = _normalised(np.exp(0.5 * normal(slot_key, 18)), parent, len(ad_sets))
    refresh = _group_values(plan, "refresh_days", group)[parent]
    life = ad_sets.end[parent] - ad_sets.start[parent] + 1
    stagger = turn * refresh // slots[parent]
    every = np.maximum(refresh, 1)
    later = np.where(refresh > 0, np.maximum((life - 1 - stagger) // every, 0), 0)
    slot = np.repeat(np.arange(len(parent)), later + 1)
    generation = np.arange(len(slot)) - np.repeat(np.cumsum(later + 1) - later - 1, later + 1)
    begins = np.where(generation > 0, generation * every[slot] + stagger[slot], 0)
    ends = np.where(
        generation < later[slot], (generation + 1) * every[slot] + stagger[slot] - 1, life[slot] - 1
    )
    first = ad_sets.start[parent][slot]
    return _Slots(
        parent[slot],
        join_keys(slot_key[slot], generation + 3000),
        first + begins,
        first + ends,
        share[slot],
    )


def _ads(plan: AccountPlan, rows: _Rows, campaigns: Campaigns, ad_sets: AdSets) -> Ads:
    slots = _ad_slots(plan, rows, ad_sets)
    key, ad_set = slots.key, slots.ad_set
    campaign = ad_sets.campaign[ad_set]
    parent_key = rows.key[campaign]
    is_pair = campaigns.story[campaign] == STORIES.index("ab_pair")
    calm = np.where(is_pair, 0.0, 1.0)
    cpm_usd = np.clip(
        11.0 * np.exp(0.22 * normal(parent_key, 20) + calm * 0.1 * normal(key, 21)), 6.5, 18.0
    )
    ctr = np.clip(
        0.0145 * np.exp(0.28 * normal(parent_key, 22) + calm * 0.2 * normal(key, 23)), 0.0085, 0.028
    )
    order_usd = 60.0 * np.exp(0.45 * normal(parent_key, 24))
    roas = np.clip(
        2.3 * np.exp(0.38 * normal(parent_key, 25) + calm * 0.15 * normal(key, 26)), 1.0, 5.2
    )
    cvr = np.clip(roas * (cpm_usd / 1000.0 / (ctr * 0.72)) / order_usd, 0.001, 0.14)
    objective = campaigns.objective[campaign]
    cvr = cvr * np.array([1.0, 0.0, 0.12, 0.05, 0.08])[objective]
    in_b = is_pair & _is_second(ad_set, ad_sets)
    archived_on, deleted_on = _late_life(
        key, slots.end, plan.archived_ad_rate, plan.deleted_ad_rate
    )
    is_worn = (campaigns.story[campaign] == STORIES.index("fatigued_ad")) & _is_first(ad_set)
    return Ads(
        id=_ids(4, key),
        key=key,
        start=slots.start,
        end=slots.end,
        archived_on=archived_on,
        deleted_on=deleted_on,
        ad_set=ad_set,
        campaign=campaign,
        share=slots.share * ad_sets.share[ad_set],
        cpm=cpm_usd * plan.profile.units_per_usd,
        ctr=ctr,
        cvr=np.where(in_b, cvr * (1.0 + AB_LIFT), cvr),
        lead_rate=np.where(objective == 1, 0.06 * np.exp(0.3 * normal(parent_key, 27)), 0.0),
        order_value=order_usd * plan.profile.units_per_usd,
        wear=plan.wear * np.where(is_worn, 1.0, 0.12 * np.exp(0.4 * normal(key, 28))),
        is_video=uniform(key, 29) < 0.4,
        creative_id=_ids(5, key),
    )


def _is_first(parent: Ints) -> Bools:
    first = np.ones(len(parent), dtype=bool)
    first[1:] = parent[1:] != parent[:-1]
    return first


def _is_second(ad_set: Ints, ad_sets: AdSets) -> Bools:
    return ~_is_first(ad_sets.campaign)[ad_set]


def build_account(plan: AccountPlan, seed: int, anchor: int) -> AccountWorld:
    """Build an account's objects.

    Args:
        plan: What to build.
        seed: The world's seed.
        anchor: First day of the month the world is started in, an ordinal.
    """
    base = key_of(seed, plan.profile.number)
    rows = _campaign_rows(plan, base, anchor)
    campaigns = _campaigns(plan, rows)
    ad_sets = _ad_sets(plan, rows, campaigns)
    ads = _ads(plan, rows, campaigns, ad_sets)
    for index, what, days in plan.forced_ad_ends:
        target = ads.archived_on if what == "archived" else ads.deleted_on
        target[index] = anchor - days
        ads.end[index] = anchor - days - 3
    return AccountWorld(plan.profile, base, campaigns, ad_sets, ads)
