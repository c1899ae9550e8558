"""Rates of two arms: reference values to the digits given, properties, calibration."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adlab.stats.aggregates import RateTotals, rate_totals
from adlab.stats.comparison import ArmComparison
from adlab.stats.proportions import compare_rates, newcombe_interval

DATA = Path(__file__).resolve().parents[1] / "exports/data"


def _arm(name: str, above: str, below: str) -> RateTotals:
    with (DATA / f"{name}_group.csv").open(newline="") as file:
        table = [{k.strip(): v for k, v in r.items()} for r in csv.DictReader(file)]
    return rate_totals(
        [float(r[above] or "nan") for r in table], [float(r[below] or "nan") for r in table]
    )


def _pair(above: str, below: str) -> tuple[RateTotals, RateTotals]:
    return _arm("control", above, below), _arm("test", above, below)


CTR = ("of Website Clicks", "of Impressions")
CVR = ("of Purchase", "of Website Clicks")


def total(y: float, n: float, days: int = 1) -> RateTotals:
    return RateTotals(days, y, n, y * y / n)


def test_ctr_of_the_pair() -> None:
    a, b = _pair(*CTR)
    assert (a.numerator, a.denominator, a.days, a.left_out) == (154303, 3177233, 29, 1)
    assert (b.numerator, b.denominator, b.days) == (180970, 2237544, 30)
    z = compare_rates(a, b, method="z")
    assert round(z.statistic, 3) == 153.630
    assert np.round(z.ratio_interval, 6).tolist() == [1.654456, 1.676347]
    r = compare_rates(a, b)
    assert (r.method, round(r.dispersion, 1), round(r.ratio, 4)) == ("quasi", 1812.8, 1.6654)
    assert np.round(r.ratio_interval, 4).tolist() == [1.2512, 2.2165]
    assert (round(r.p_value, 6), r.verdict) == (0.000728, "b better")
    assert r.interval == (r.ratio_interval[0] - 1, r.ratio_interval[1] - 1)


def test_purchases_per_click_of_the_pair() -> None:
    a, b = _pair(*CVR)
    assert (a.numerator, b.numerator) == (15161, 15637)
    z = compare_rates(a, b, method="score")
    assert round(z.statistic, 5) == -11.83867
    assert np.round(z.ratio_interval, 6).tolist() == [0.860897, 0.898331]
    assert any("too narrow" in c for c in z.caveats)
    r = compare_rates(a, b)
    assert (round(r.dispersion, 1), round(r.ratio, 4)) == (165.9, 0.8794)
    assert np.round(r.ratio_interval, 4).tolist() == [0.6646, 1.1637]
    assert (round(r.p_value, 6), r.verdict) == (0.362138, "no difference shown")


@pytest.mark.parametrize(
    ("y_a", "y_b", "z", "p"),
    [(10006, 10001, -1.594254, 0.110879), (4289, 4040, -3.845984, 0.000120070)],
)
def test_cookie_cats_retention(y_a: int, y_b: int, z: float, p: float) -> None:
    found = compare_rates(total(y_a, 22414), total(y_b, 22783), method="newcombe")
    assert found.statistic == pytest.approx(z, abs=5e-7)
    assert found.p_value == pytest.approx(p, rel=5e-6)
    if y_a == 4289:
        assert found.difference_interval == pytest.approx((-0.0211786, -0.0068790), abs=5e-8)


def test_newcombe_of_the_paper() -> None:
    # Newcombe 1998, table II, example (a): 56/70 - 48/80, method 10.
    assert newcombe_interval(total(48, 80), total(56, 70)) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )


def test_mid_p_by_hand() -> None:
    # 1 of 10 events in B under equal exposure: 2 * (1/1024 + 10/1024 / 2).
    found = compare_rates(total(9, 5000, 14), total(1, 5000, 14), method="mid-p")
    assert found.p_value == pytest.approx(2 * (1 + 5) / 1024)


@pytest.mark.parametrize(("y_a", "y_b", "lift"), [(0, 12, math.inf), (12, 0, -1.0)])
def test_an_arm_without_events(y_a: int, y_b: int, lift: float) -> None:
    found = compare_rates(total(y_a, 5000, 14), total(y_b, 5000, 14))
    assert found.method == "mid-p"
    assert found.lift == lift
    assert found.interval[0] <= lift <= found.interval[1]
    assert found.p_value < 0.05


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (rate_totals([], []), total(5, 100, 7), "Arm A has no day"),
        (total(0, 100, 7), total(0, 100, 7), "0 events"),
        (total(3, 5000, 7), total(5, 5000, 7), "8 events"),
        (total(400, 9000), total(500, 9000), "Fewer than two days"),
    ],
)
def test_too_little_data_is_a_verdict(a: RateTotals, b: RateTotals, reason: str) -> None:
    found = compare_rates(a, b)
    assert found.verdict == "not enough data"
    assert reason in found.reason


def test_days_that_never_differ_do_not_prove_anything() -> None:
    a, b = rate_totals([50] * 7, [1000] * 7), rate_totals([52] * 7, [1000] * 7)
    found = compare_rates(a, b)
    assert found.dispersion == pytest.approx(0, abs=1e-9)
    assert found.verdict == "no difference shown"
    assert compare_rates(a, rate_totals([90] * 7, [1000] * 7)).verdict == "b better"


def test_more_counted_than_counted_over() -> None:
    a = rate_totals([120, 90, 130], [100, 100, 100])
    b = rate_totals([220, 190, 230], [100, 100, 100])
    found = compare_rates(a, b)
    assert any("Poisson" in c for c in found.caveats)
    assert found.lift == pytest.approx(640 / 340 - 1)


def test_less_may_be_better() -> None:
    a, b = _pair(*CTR)
    assert compare_rates(a, b, better="down").verdict == "a better"


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="confidence_level"):
        compare_rates(total(1, 2), total(1, 2), confidence_level=95)
    with pytest.raises(ValueError, match="method"):
        compare_rates(total(1, 2), total(1, 2), method="welch")  # type: ignore[arg-type]


def test_the_result_speaks() -> None:
    found = compare_rates(*_pair(*CTR), metric="CTR", labels=("<A>", "B"))
    frame = found.to_frame()
    assert list(frame.columns[:5]) == ["arm", "numerator", "denominator", "days", "rate"]
    assert frame.loc["b", "lift"] == pytest.approx(found.lift)
    html = found._repr_html_()
    assert "&lt;A&gt;" in html
    assert "<A>" not in html
    assert "b better" in str(found)
    more = found.with_caveats("one", "one")
    assert more.caveats[-1] == "one"
    assert isinstance(more, ArmComparison)


COUNTS = st.lists(st.tuples(st.integers(5, 60), st.integers(200, 900)), min_size=3, max_size=10)


@settings(max_examples=60, deadline=None)
@given(COUNTS, COUNTS)
def test_swapping_the_arms_inverts_the_ratio(
    x: list[tuple[int, int]], y: list[tuple[int, int]]
) -> None:
    a, b = (rate_totals(*zip(*d, strict=True)) for d in (x, y))
    there, back = compare_rates(a, b), compare_rates(b, a)
    assert there.p_value == pytest.approx(back.p_value, rel=1e-6, abs=1e-12)
    assert there.ratio_interval[0] == pytest.approx(1 / back.ratio_interval[1], rel=1e-6)
    inside = there.ratio_interval[0] <= 1 <= there.ratio_interval[1]
    assert inside == (there.p_value >= 0.05) or abs(there.p_value - 0.05) < 1e-6


def _rejected(
    days: int, events: float, wobble: float, runs: int, seed: int, method: str = "auto"
) -> tuple[float, float]:
    """Share of true nulls rejected at 5 %, and cover of the interval, at a rate of 2 %."""
    random = np.random.default_rng(seed)
    rejected = covered = 0
    for _ in range(runs):
        arms = []
        for _arm in range(2):
            rate = 0.02 * np.exp(random.normal(0, wobble, days) - wobble**2 / 2)
            shown = random.poisson(events / days / 0.02, days)
            arms.append(rate_totals(random.binomial(shown, rate), shown))
        found = compare_rates(*arms, method=method)  # type: ignore[arg-type]
        rejected += found.p_value < 0.05
        covered += found.ratio_interval[0] <= 1 <= found.ratio_interval[1]
    return rejected / runs, covered / runs


@pytest.mark.parametrize(
    ("days", "events", "wobble"),
    [(14, 5600, 0.1), (14, 200, 0.1), (7, 2000, 0.2), (14, 5, 0.1), (14, 10, 0.0), (28, 40, 0.2)],
)
def test_a_true_null_is_rejected_five_times_in_a_hundred(
    days: int, events: int, wobble: float
) -> None:
    rejected, covered = _rejected(days, events, wobble, runs=800, seed=20261121)
    # Reason: 800 runs have a standard error of 0.8 points.
    assert rejected <= 0.065
    assert covered >= 0.935


def test_the_plain_z_test_is_fooled_by_a_wobble() -> None:
    rejected, _ = _rejected(14, 5600, 0.1, runs=300, seed=20261121, method="z")
    assert rejected > 0.2
