"""The seeded numbers: additive, reproducible, any day computable alone, plausible."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from adlab.simulator.clock import parse_moment
from adlab.simulator.delivery import CHUNK_DAYS, CLASSES, DeliveryEngine, active_days
from adlab.simulator.hashing import binomial, keys_for, normal, poisson, split_exactly, uniform
from adlab.simulator.scenarios import build_world
from adlab.simulator.world import AccountWorld

NOW = parse_moment("2026-11-21T10:07:00Z").timestamp()
KEYS = keys_for(3, np.arange(40_000))


def test_uniform_draws_fill_the_unit_interval_and_streams_differ() -> None:
    first, second = uniform(KEYS, 1), uniform(KEYS, 2)
    assert first.min() > 0
    assert first.max() < 1
    assert abs(first.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


def test_normal_draws_have_mean_zero_and_deviation_one() -> None:
    draws = normal(KEYS, 1)
    assert abs(draws.mean()) < 0.02
    assert abs(draws.std() - 1) < 0.02


@pytest.mark.parametrize("mean", [0.3, 4.0, 25.0, 900.0])
def test_poisson_mean_equals_its_variance(mean: float) -> None:
    draws = poisson(np.full(len(KEYS), mean), KEYS, 1)
    assert draws.mean() == pytest.approx(mean, rel=0.03)
    assert draws.var() == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize(("trials", "share"), [(2, 0.3), (50, 0.9), (400, 0.015), (3000, 0.5)])
def test_binomial_has_its_moments_and_stays_within_trials(trials: int, share: float) -> None:
    draws = binomial(np.full(len(KEYS), trials), share, KEYS, 1)
    assert draws.min() >= 0
    assert draws.max() <= trials
    assert draws.mean() == pytest.approx(trials * share, rel=0.03)
    assert draws.var() == pytest.approx(trials * share * (1 - share), rel=0.06)


def test_split_parts_sum_to_the_total_exactly() -> None:
    total = np.arange(1000, dtype=np.int32)
    parts = split_exactly(total, np.array([0.2, 0.5, 0.3]), uniform(KEYS[:1000], 1) * 0.999)
    assert (sum(parts) == total).all()
    assert min(int(part.min()) for part in parts) >= 0


def test_the_same_seed_gives_the_same_world_and_another_does_not() -> None:
    worlds = [build_world("tiny", seed, NOW).accounts[1001] for seed in (7, 7, 8)]
    blocks = [DeliveryEngine().block(account, 739_500 // CHUNK_DAYS) for account in worlds]
    assert (worlds[0].ads.id == worlds[1].ads.id).all()
    assert (blocks[0].columns["spend"] == blocks[1].columns["spend"]).all()
    assert not np.array_equal(worlds[0].ads.id, worlds[2].ads.id)


def test_history_stays_when_the_world_is_started_two_months_later() -> None:
    early = build_world("demo", 7, NOW).accounts[1003]
    late = build_world("demo", 7, NOW + 61 * 86_400).accounts[1003]
    chunk = early.today(NOW) // CHUNK_DAYS - 3
    a, b = DeliveryEngine().block(early, chunk), DeliveryEngine().block(late, chunk)
    assert early.ads.id[a.ad].tolist() == late.ads.id[b.ad].tolist()
    assert (a.columns["impressions"] == b.columns["impressions"]).all()


def test_a_day_does_not_depend_on_other_days_being_computed() -> None:
    account = build_world("tiny", 7, NOW).accounts[1001]
    warm, cold = DeliveryEngine(), DeliveryEngine()
    for chunk in range(46_210, 46_218):
        warm.block(account, chunk)
    assert (
        warm.block(account, 46_217).columns["clicks"]
        == cold.block(account, 46_217).columns["clicks"]
    ).all()


def test_funnel_steps_never_grow() -> None:
    account = build_world("demo", 7, NOW).accounts[1005]
    found = DeliveryEngine().block(account, account.today(NOW) // CHUNK_DAYS - 2).columns
    assert (found["clicks"] <= found["impressions"]).all()
    assert (found["link_clicks"] <= found["clicks"]).all()
    assert (found["outbound_clicks"] <= found["link_clicks"]).all()
    assert (found["landing_views"] <= found["link_clicks"]).all()
    for name in CLASSES:
        assert (found[f"purchase_{name}"] <= found[f"checkout_{name}"]).all()
        assert (found[f"checkout_{name}"] <= found[f"cart_{name}"]).all()
        assert (found[f"cart_{name}"] <= found[f"view_{name}"]).all()
        assert ((found[f"revenue_{name}"] > 0) <= (found[f"purchase_{name}"] > 0)).all()


def test_active_days_lists_each_scheduled_pair_once() -> None:
    account = build_world("demo", 7, NOW).accounts[1003]
    today = account.today(NOW)
    day, ad = active_days(account, today - 3, today)
    assert len(set(zip(day.tolist(), ad.tolist(), strict=True))) == len(day)
    assert ((account.ads.start[ad] <= day) & (day <= account.ads.end[ad])).all()


def test_dst_days_are_shorter_and_longer() -> None:
    new_york = build_world("bench", 7, NOW).accounts[1000]
    utc = replace(new_york, profile=replace(new_york.profile, timezone="UTC"))

    def impressions(account: AccountWorld, day: int) -> int:
        block = DeliveryEngine().block(account, day // CHUNK_DAYS)
        return int(block.columns["impressions"][block.day == day].sum())

    for day, hours in (("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)):
        number = date.fromisoformat(day).toordinal()
        ratio = impressions(new_york, number) / impressions(utc, number)
        assert ratio == pytest.approx(hours / 24, rel=0.002)


def test_demo_has_the_promised_size_and_shape() -> None:
    world = build_world("demo", 7, NOW)
    engine = DeliveryEngine(max_cells=10**9)
    rows, dollars = 0, 0.0
    for account in world.accounts.values():
        today = account.today(NOW)
        since, recent = today - 395, today - 34
        for chunk in range(since // CHUNK_DAYS, today // CHUNK_DAYS + 1):
            block = engine.block(account, chunk)
            kept = (block.day >= since) & (block.day <= today)
            day, ad = block.day[kept], block.ad[kept]
            late = day >= recent
            rows += len(np.unique(day)) + len(np.unique(day * 10**6 + account.ads.campaign[ad]))
            rows += int(late.sum())
            rows += len(np.unique((day * 10**6 + account.ads.ad_set[ad])[late]))
            dollars += (
                block.columns["spend"][kept].sum()
                / account.profile.minor_per_major
                / account.profile.units_per_usd
            )
    sizes = [len(account.campaigns) for account in world.accounts.values()]
    assert sorted(sizes)[-1] == 2000
    assert all(10 <= size <= 60 for size in sorted(sizes)[:-1])
    assert {"USD", "EUR", "JPY", "GBP"} <= {a.profile.currency for a in world.accounts.values()}
    assert len({a.profile.timezone for a in world.accounts.values()}) >= 4
    assert 110_000 < rows < 185_000
    assert 3_000_000 < dollars < 6_000_000


def test_bench_has_a_thousand_ads_that_deliver_every_day() -> None:
    account = build_world("bench", 7, NOW).accounts[1000]
    today = account.today(NOW)
    block = DeliveryEngine().block(account, today // CHUNK_DAYS - 1)
    assert len(account.ads) == 1000
    assert len(block.day) == 1000 * CHUNK_DAYS
    assert account.campaigns.start.max() < today - 400


def test_big_has_ten_thousand_campaigns_over_37_months() -> None:
    account = build_world("big", 7, NOW).accounts[1000]
    assert len(account.campaigns) == 10_000
    assert account.campaigns.start.min() < account.today(NOW) - 1050


def test_the_worn_ad_loses_clicks_and_the_ab_pair_keeps_its_lift() -> None:
    world = build_world("demo", 7, NOW)
    pair = world.accounts[1004]
    mine = np.flatnonzero(pair.campaigns.story[pair.ads.campaign] == 3)[:2]
    assert pair.ads.cvr[mine[1]] / pair.ads.cvr[mine[0]] == pytest.approx(1.12)
    worn = world.accounts[1001]
    ads = worn.ads
    story = np.flatnonzero(worn.campaigns.story[ads.campaign] == 1)
    tired = story[int(np.argmax(ads.wear[story]))]
    engine = DeliveryEngine()
    rates = []
    for day in (int(ads.start[tired]) + 2, int(ads.end[tired]) - 2):
        found = engine.block(worn, day // CHUNK_DAYS)
        own = found.ad == tired
        rates.append(found.columns["clicks"][own].sum() / found.columns["impressions"][own].sum())
    assert rates[1] < 0.75 * rates[0]
