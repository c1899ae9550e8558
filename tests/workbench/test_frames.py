"""Adding up frames: ratios from sums, unknown is not zero, currencies never mixed."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from adlab.core.entities import public_id
from adlab.core.errors import DataError, MixedCurrencyError, NotAdditiveError
from adlab.workbench import Workbench

from .conftest import ALPHA, CONTROL, TEST

TWO_DAYS: dict[str, Any] = {"since": "2026-11-18", "until": "2026-11-19"}


def test_a_total_ratio_is_a_ratio_of_sums_and_no_mean_of_ratios(lab: Workbench) -> None:
    """Alpha: 50/10 = 5 on one day, 90/90 = 1 on the next; together 140/100 = 1.4, not 3."""
    f = lab.insights(
        "acme", **TWO_DAYS, metrics=("spend", "revenue", "roas"), filters={"campaign_id": ALPHA}
    )
    assert f["roas"].tolist() == [5.0, 1.0]
    assert f.total().to_dict() == {"spend": 100.0, "revenue": 140.0, "roas": 1.4}


def test_a_ratio_adds_up_although_its_parts_were_not_asked_for(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("cpm", "ctr"))
    assert f.total().to_dict() == {
        "cpm": pytest.approx(120.5 / 6000 * 1000),
        "ctr": pytest.approx(60 / 6000),
    }


def test_an_unknown_cell_is_neither_zero_nor_in_the_ratios_pair(lab: Workbench) -> None:
    """Worked by hand, from a file whose empty cells are unknown.

    Control: 100 spent for 4 purchases, then 300 spent for an unknown number. Spend is 400 and
    purchases are at least 4, yet cost per purchase is 100/4 = 25 and not 400/4 = 100.
    Test: 50 spent for 0 purchases, then an unknown amount for 2: 50/0 says nothing.
    Together the known pairs are 150 spent for 4 purchases: 37.5.
    """
    f = lab.insights(
        "filed", **TWO_DAYS, metrics=("spend", "purchases", "cpa", "cpm"), time_increment="all_days"
    )
    control: Any = f.loc[public_id(CONTROL)]
    test: Any = f.loc[public_id(TEST)]
    assert control[["spend", "purchases", "cpa", "cpm"]].tolist() == [400.0, 4.0, 25.0, 100.0]
    assert test[["spend", "purchases", "cpm"]].tolist() == [50.0, 2.0, 100.0]
    assert math.isnan(test["cpa"])
    assert f.total().to_dict() == {"spend": 450.0, "purchases": 6.0, "cpa": 37.5, "cpm": 100.0}


def test_unknown_days_stay_unknown_row_by_row(lab: Workbench) -> None:
    f = lab.insights("filed", **TWO_DAYS, metrics=("purchases", "cpa", "clicks"))
    of_control = f.xs(public_id(CONTROL), level="campaign_id")
    assert of_control["purchases"].tolist()[0] == 4.0
    assert of_control[["purchases", "cpa"]].isna().to_numpy().tolist() == [
        [False, False], [True, True],
    ]  # fmt: skip
    assert f["clicks"].isna().all()
    assert math.isnan(f.total()["clicks"])


def test_an_imported_account_adds_up_to_the_same_by_hand(lab: Workbench) -> None:
    f = lab.insights(
        "filed", level="account", **TWO_DAYS, metrics=("spend", "purchases", "cpa"),
        time_increment="all_days",
    )  # fmt: skip
    assert f[["spend", "purchases", "cpa"]].to_numpy().tolist() == [[450.0, 6.0, 37.5]]


def test_division_by_zero_is_unknown_and_never_infinite(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("cpa",), filters={"campaign_name": "Beta"})
    assert f["cpa"].isna().all()
    assert math.isnan(f.total()["cpa"])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("campaign_name", {"Alpha": (100.0, 1.4), "Beta": (20.5, 0.0)}),
        ("campaign_id", {str(ALPHA): (100.0, 1.4), "12": (20.5, 0.0)}),
        ("objective", {"OUTCOME_SALES": (100.0, 1.4), "OUTCOME_TRAFFIC": (20.5, 0.0)}),
        ("effective_status", {"ACTIVE": (100.0, 1.4), "PAUSED": (20.5, 0.0)}),
        ("client", {"acme": (120.5, 140 / 120.5)}),
        ("currency", {"EUR": (120.5, 140 / 120.5)}),
        ("account_name", {"Acme DE": (120.5, 140 / 120.5)}),
    ],
)
def test_groups_recompute_their_ratios(
    lab: Workbench, key: str, expected: dict[str, tuple[float, float]]
) -> None:
    g = lab.insights("acme", **TWO_DAYS, metrics=("spend", "roas")).by(key)
    assert {k: tuple(v) for k, v in zip(g.index, g.to_numpy().tolist(), strict=True)} == {
        k: pytest.approx(v) for k, v in expected.items()
    }
    assert g.index.name == key


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("date", [("2026-10-30", 7.0), ("2026-11-17", 5.0), ("2026-11-18", 10.0),
                  ("2026-11-19", 110.5)]),
        ("week", [("2026-10-26", 7.0), ("2026-11-16", 125.5)]),
        ("month", [("2026-10-01", 7.0), ("2026-11-01", 125.5)]),
    ],
)  # fmt: skip
def test_groups_of_days_weeks_and_months(
    lab: Workbench, key: str, expected: list[tuple[str, float]]
) -> None:
    g = lab.insights("acme", last="30d", metrics=("spend",)).by(key)
    assert [(str(k.date()), v) for k, v in g["spend"].items()] == expected  # type: ignore[attr-defined]


def test_groups_by_several_keys(lab: Workbench) -> None:
    g = lab.insights(["acme", "mixed"], **TWO_DAYS, metrics=("spend",)).by(["client", "currency"])
    assert g["spend"].to_dict() == {
        ("acme", "EUR"): 120.5, ("mixed", "EUR"): 40.0, ("mixed", "USD"): 30.0,
    }  # fmt: skip


def test_an_unknown_key_lists_those_there_are(lab: Workbench) -> None:
    with pytest.raises(ValueError, match=r"there is no key 'colour'; keys are .*campaign_name"):
        lab.insights("acme", **TWO_DAYS).by("colour")


def test_the_best_come_first_and_for_costs_the_smallest(lab: Workbench) -> None:
    f = lab.insights(["acme"], **TWO_DAYS, metrics=("spend", "roas", "cpm"))
    assert f.top()["campaign_name"].tolist() == ["Alpha", "Beta"]
    assert f.top(1, by="cpm")["campaign_name"].tolist() == ["Beta"]
    top = f.top(1)
    assert list(top.columns) == ["campaign_name", "spend", "roas", "cpm"]
    assert top.index.tolist() == [str(ALPHA)]
    assert top.iloc[0, 1:].tolist() == [100.0, 1.4, 25.0]


def test_the_best_may_have_to_spend_enough(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "cpm"))
    assert f.top(by="cpm", min_spend=50)["campaign_name"].tolist() == ["Alpha"]
    with pytest.raises(ValueError, match='min_spend needs "spend"'):
        lab.insights("acme", **TWO_DAYS, metrics=("cpm",)).top(min_spend=1)


def test_the_best_by_something_not_asked_for_is_refused(lab: Workbench) -> None:
    with pytest.raises(ValueError, match="'ctr' is not in this frame"):
        lab.insights("acme", **TWO_DAYS, metrics=("spend",)).top(by="ctr")


def test_money_of_two_currencies_is_never_added_and_the_way_out_is_shown(lab: Workbench) -> None:
    f = lab.insights("mixed", **TWO_DAYS, metrics=("spend", "impressions"))
    with pytest.raises(MixedCurrencyError, match="EUR, USD") as caught:
        f.total()
    assert '.by("currency")' in caught.value.remedy
    assert f.by("currency")["spend"].to_dict() == {"EUR": 40.0, "USD": 30.0}
    with pytest.raises(MixedCurrencyError):
        f.by("client")
    with pytest.raises(MixedCurrencyError):
        f.top(by="spend")


def test_counts_and_rates_of_two_currencies_do_add(lab: Workbench) -> None:
    f = lab.insights("mixed", **TWO_DAYS, metrics=("impressions", "ctr"))
    assert f.total().to_dict() == {"impressions": 400.0, "ctr": 8 / 400}
    assert f.top(1, by="ctr")["campaign_name"].tolist() == ["EU"]


def test_reach_is_never_added(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "reach", "frequency"))
    for wrong in (f.total, lambda: f.by("campaign_name"), f.top):
        with pytest.raises(NotAdditiveError, match="Reach does not add up"):
            wrong()
    assert f.drop(columns=["reach", "frequency"]).total()["spend"] == 120.5


def test_groups_of_single_rows_may_show_reach(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("reach",))
    g = f.by(["date", "campaign_name"])
    assert g["reach"].tolist() == [900.0, 2000.0, 1500.0]


def test_a_filtered_frame_adds_up_what_is_left(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "roas"))
    rich = f[f["spend"] > 15]
    assert rich.total().to_dict() == {"spend": 110.5, "roas": pytest.approx(90 / 110.5)}
    assert f.head(1).total()["roas"] == 5.0
    assert f[f["campaign_name"] == "Alpha"].by("date")["roas"].tolist() == [5.0, 1.0]
    assert f.sort_values("spend").total()["spend"] == 120.5


def test_columns_left_out_are_left_out_of_the_total(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "clicks", "ctr"))
    assert list(f.drop(columns="clicks").total().index) == ["spend", "ctr"]


@pytest.mark.parametrize(
    "reshape",
    [
        lambda f: f.reset_index(),
        lambda f: f.rename(index={"12": "other"}),
        lambda f: f.groupby("campaign_name")[["spend"]].sum(),
        lambda f: f.set_index("campaign_name"),
        lambda f: pd.concat([f, f]),
    ],
    ids=["reset", "renamed", "grouped", "reindexed", "doubled"],
)
def test_a_reshaped_frame_says_that_it_no_longer_knows(lab: Workbench, reshape: Any) -> None:
    f = reshape(lab.insights("acme", **TWO_DAYS, metrics=("spend", "roas")))
    with pytest.raises(DataError, match="was reshaped"):
        f.total()


def test_totals_and_groups_keep_saying_where_they_come_from(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend",))
    assert f.total().attrs["currency"] == "EUR"
    assert f.by("date").attrs["clients"] == ["acme"]
    assert f.top().attrs["level"] == "campaign"


def test_a_frame_explains_itself_in_words(lab: Workbench) -> None:
    told = lab.insights("acme", **TWO_DAYS, metrics=("roas",)).explain()
    assert "since: 2026-11-18" in told
    assert "roas = revenue / spend. Recomputed" in told


def test_comparison_columns_do_not_disturb_the_totals(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "roas"), compare="previous_period")
    assert f.total().to_dict() == {"spend": 120.5, "roas": pytest.approx(140 / 120.5)}


def test_counts_of_groups_are_whole_numbers_where_nothing_is_missing(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("impressions", "purchases"))
    assert f.by("date")["impressions"].dtype == "int64"
    assert f.top(2)["impressions"].tolist() == [4000, 2000]
    assert f.top(2)["impressions"].dtype == "int64"
    filed = lab.insights("filed", **TWO_DAYS, metrics=("impressions",))
    assert filed.by("campaign_name")["impressions"].tolist() == [1000, 1200]
