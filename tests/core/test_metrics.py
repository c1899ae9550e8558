"""The registry is the one definition of every metric; nothing in it may contradict itself."""

from __future__ import annotations

import re

import pytest

from adlab.core.errors import NotAdditiveError, UnknownMetricError
from adlab.core.insights import ADDITIVE_NAMES, STORED, STORED_BY_NAME, STORED_NAMES
from adlab.core.metrics import METRICS, MetricDef, components, metric, metrics, refuse_sum

RATIOS = [m for m in METRICS.values() if m.kind == "ratio"]


@pytest.mark.parametrize(
    ("name", "numerator", "denominator", "scale", "unit", "better"),
    [
        ("ctr", "clicks", "impressions", 1, "share", "up"),
        ("link_ctr", "link_clicks", "impressions", 1, "share", "up"),
        ("cpm", "spend_micro", "impressions", 1000, "currency", "down"),
        ("cpc", "spend_micro", "clicks", 1, "currency", "down"),
        ("link_cpc", "spend_micro", "link_clicks", 1, "currency", "down"),
        ("cpa", "spend_micro", "purchases", 1, "currency", "down"),
        ("cpl", "spend_micro", "leads", 1, "currency", "down"),
        ("roas", "revenue_micro", "spend_micro", 1, "ratio", "up"),
        ("aov", "revenue_micro", "purchases", 1, "currency", "up"),
        ("cvr", "purchases", "link_clicks", 1, "share", "up"),
        ("frequency", "impressions", "reach", 1, "ratio", "neither"),
        ("cpp", "spend_micro", "reach", 1000, "currency", "down"),
        ("hook_rate", "video_3s_plays", "impressions", 1, "share", "up"),
        ("hold_rate", "thruplays", "video_3s_plays", 1, "share", "up"),
    ],
)
def test_definitions_that_people_rely_on(
    name: str, numerator: str, denominator: str, scale: int, unit: str, better: str
) -> None:
    m = METRICS[name]
    assert (m.numerator, m.denominator, m.scale) == (numerator, denominator, scale)
    assert (m.unit, m.better) == (unit, better)


@pytest.mark.parametrize("m", RATIOS, ids=lambda m: m.name)
def test_every_ratio_is_a_sum_over_a_sum_of_stored_columns(m: MetricDef) -> None:
    assert m.numerator in STORED_BY_NAME
    assert m.denominator in STORED_BY_NAME
    assert m.column == ""
    assert m.columns == (m.numerator, m.denominator)
    assert not m.additive
    above, below = m.numerator.removesuffix("_micro"), m.denominator.removesuffix("_micro")
    assert m.formula.startswith(f"{above} / {below}")
    assert ("× 1000" in m.formula) == (m.scale == 1000)


@pytest.mark.parametrize("m", RATIOS, ids=lambda m: m.name)
def test_a_ratio_is_money_exactly_when_money_stands_above_counts(m: MetricDef) -> None:
    micro = [STORED_BY_NAME[c].unit == "micro" for c in m.columns]
    assert m.is_money == (micro == [True, False])


def test_sums_point_at_one_additive_column_each() -> None:
    sums = [m for m in METRICS.values() if m.kind == "sum"]
    assert all(m.additive and STORED_BY_NAME[m.column].additive for m in sums)
    assert len({m.column for m in sums}) == len(sums)
    assert {m.column for m in sums} == set(ADDITIVE_NAMES)


def test_reach_is_the_only_unique_and_everything_over_it_knows() -> None:
    assert [m.name for m in METRICS.values() if m.kind == "unique"] == ["reach"]
    assert {m.name for m in METRICS.values() if m.over_reach} == {"reach", "frequency", "cpp"}


def test_names_and_aliases_are_unique_and_typable() -> None:
    spoken = [n for m in METRICS.values() for n in (m.name, *m.aliases)]
    assert len(spoken) == len(set(spoken))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", n) for n in spoken)


def test_every_metric_is_described() -> None:
    for m in METRICS.values():
        assert m.label, m.name
        assert m.formula, m.name
        assert all(m.fields), m.name
        assert m.why_not_additive() or m.additive


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("spend", "spend"),
        (" Spend ", "spend"),
        ("amount_spent", "spend"),
        ("inline_link_clicks", "link_clicks"),
        ("conversion_value", "revenue"),
        ("purchase_roas", "roas"),
        ("COST_PER_PURCHASE", "cpa"),
    ],
)
def test_a_metric_is_found_by_name_and_alias(asked: str, found: str) -> None:
    assert metric(asked).name == found


def test_an_unknown_metric_suggests_near_names_and_lists_all() -> None:
    with pytest.raises(UnknownMetricError, match="Did you mean roas") as caught:
        metric("raos")
    assert "'raos'" in str(caught.value)
    assert all(name in caught.value.remedy for name in METRICS)


def test_a_metric_like_no_other_still_gets_the_list() -> None:
    with pytest.raises(UnknownMetricError) as caught:
        metric("zzzzzzzz")
    assert "Did you mean" not in str(caught.value)
    assert "Known: spend" in str(caught.value)


def test_several_metrics_keep_their_order_and_lose_repeats() -> None:
    found = metrics(["roas", "spend", "cost", "purchase_roas", "ctr"])
    assert [m.name for m in found] == ["roas", "spend", "ctr"]


def test_no_metric_is_no_question() -> None:
    with pytest.raises(ValueError, match='metrics=\\("spend",\\)'):
        metrics([])


def test_components_name_each_stored_column_once() -> None:
    assert components(metrics(["spend", "roas", "cpa"])) == (
        "spend_micro",
        "revenue_micro",
        "purchases",
    )


def test_adding_reach_is_refused_with_the_reason_and_the_right_call() -> None:
    error = refuse_sum(METRICS["reach"], "days", 'metrics=("reach",), time_increment=1')
    assert isinstance(error, NotAdditiveError)
    assert str(error) == (
        "Reach does not add up over days: reach counts distinct people, and the same person "
        'comes back on other days. metrics=("reach",), time_increment=1'
    )


def test_adding_a_ratio_is_refused_with_its_formula() -> None:
    assert "roas is a ratio (revenue / spend)" in str(refuse_sum(METRICS["roas"], "rows", ""))


def test_only_rows_that_add_money_must_share_a_currency() -> None:
    adds = {m.name for m in METRICS.values() if m.adds_money}
    assert {"spend", "revenue", "roas", "cpa", "cpm", "aov"} <= adds
    assert not adds & {"impressions", "ctr", "cvr", "frequency", "hook_rate"}


def test_stored_columns_have_exactly_one_source_in_metas_rows() -> None:
    assert len(set(STORED_NAMES)) == len(STORED)
    for column in STORED:
        assert (column.field is None) != (column.actions is None), column.name
        assert (column.unit == "micro") == column.name.endswith("_micro")
    assert [c.name for c in STORED if not c.additive] == ["reach"]


def test_link_clicks_come_from_the_scalar_and_purchases_from_one_ordered_list() -> None:
    assert STORED_BY_NAME["link_clicks"].field == "inline_link_clicks"
    assert STORED_BY_NAME["purchases"].actions == (
        "actions",
        (
            "omni_purchase",
            "purchase",
            "onsite_web_purchase",
            "offsite_conversion.fb_pixel_purchase",
        ),
    )
    assert STORED_BY_NAME["revenue_micro"].actions == (
        "action_values",
        STORED_BY_NAME["purchases"].actions[1],
    )
