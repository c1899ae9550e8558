"""Breakdowns, attribution windows, settings and reconciliation, from the simulator to frames."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pandas as pd
import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import MOMENT, Agency
from tests.workbench.conftest import _login

from adlab.core.errors import DataError, NotAdditiveError
from adlab.core.roles import Role
from adlab.services.breakdowns import BreakdownRequest, refresh_breakdowns
from adlab.services.ingest import SyncRequest
from adlab.services.reconciliation import spend_warnings
from adlab.storage import access
from adlab.storage.engine import transaction
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench

SINCE, UNTIL = date(2026, 11, 1), date(2026, 11, 20)
DAYS = {"since": "2026-11-01", "until": "2026-11-20"}


@pytest.fixture
def agency(owner_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(owner_engine, simulator)


@pytest.fixture
def lab(agency: Agency) -> Iterator[Workbench]:
    with transaction(agency.engine) as c:
        access.store_person(c, "boss", Role.OWNER)
    lab = Workbench(LoginReader(_login(agency.engine, "boss")), now=lambda: MOMENT)
    yield lab
    lab.close()


def _break(agency: Agency, *kinds: str) -> None:
    request = BreakdownRequest(kinds, since=SINCE, until=UNTIL)
    assert refresh_breakdowns(agency.parts(), request).complete


def test_breakdowns_become_index_levels_and_add_up_to_the_rows_without(
    agency: Agency, lab: Workbench
) -> None:
    agency.sync(SyncRequest(since=SINCE, until=UNTIL, levels=("account", "campaign")))
    _break(agency, "age_gender")
    metrics = ("spend", "impressions", "clicks", "purchases", "roas")
    plain = lab.insights("berlin", metrics=metrics, **DAYS)
    broken = lab.insights("berlin", metrics=metrics, breakdowns=("age", "gender"), **DAYS)
    assert list(broken.index.names) == ["date", "campaign_id", "age", "gender"]
    assert set(broken.index.get_level_values("gender")) == {"female", "male", "unknown"}
    additive = ["spend", "impressions", "clicks"]
    summed = broken[additive].groupby(level=["date", "campaign_id"]).sum()
    pd.testing.assert_frame_equal(
        pd.DataFrame(summed), pd.DataFrame(plain[additive]), check_dtype=False, rtol=1e-12
    )
    assert broken.total()["spend"] == pytest.approx(plain.total()["spend"])
    # One of the parts, and another level, are sums of the same rows.
    ages = lab.insights("berlin", breakdowns="age", level="account", time_increment="all_days",
                        metrics=metrics, **DAYS)  # fmt: skip
    assert list(ages.index.names) == ["account_id", "age"]
    assert len(ages) == 6
    assert ages["spend"].sum() == pytest.approx(plain.total()["spend"])
    assert broken.by("age")["spend"].sum() == pytest.approx(plain.total()["spend"])
    best = broken[["campaign_name", "spend"]].top(1)
    assert best.index.name == "campaign_id"


def test_reach_is_never_added_over_rows_of_a_breakdown(agency: Agency, lab: Workbench) -> None:
    _break(agency, "age_gender")
    kept = lab.insights("berlin", metrics=("reach",), breakdowns=("age", "gender"), **DAYS)
    assert kept["reach"].sum() > 0
    for asked in (
        {"breakdowns": ("age",)},
        {"breakdowns": ("age", "gender"), "level": "account"},
        {"breakdowns": ("age", "gender"), "time_increment": "all_days"},
    ):
        with pytest.raises(NotAdditiveError, match="does not add up"):
            lab.insights("berlin", metrics=("reach",), **DAYS, **asked)
    with pytest.raises(NotAdditiveError):
        kept.total()


def test_hours_do_not_know_purchases_and_say_so(agency: Agency, lab: Workbench) -> None:
    _break(agency, "hourly")
    hours = lab.insights("tokyo", breakdowns="hour", metrics=("spend", "purchases", "roas"), **DAYS)
    assert hours["purchases"].isna().all()
    assert hours["roas"].isna().all()
    assert hours["spend"].sum() > 0
    assert hours.attrs["withheld"] == "Meta does not return purchases, roas by hourly."
    assert list(hours.index.names) == ["date", "campaign_id", "hour"]


def test_what_is_not_loaded_says_the_command_that_loads_it(agency: Agency, lab: Workbench) -> None:
    with pytest.raises(DataError, match="adlab sync --client berlin --breakdown country --since"):
        lab.insights("berlin", breakdowns="country", **DAYS)
    _break(agency, "country")
    assert len(lab.insights("berlin", breakdowns="country", **DAYS)) > 0
    with pytest.raises(DataError, match=r"country is not loaded for 2026-09-01\.\.2026-11-20"):
        lab.insights("berlin", breakdowns="country", since="2026-09-01", until="2026-11-20")
    with pytest.raises(DataError, match="13 months back only, from 2025-10-22"):
        lab.insights("berlin", breakdowns="hour", since="2025-01-01", until="2025-01-31")
    with pytest.raises(DataError, match="compare='previous_period' does not go together"):
        lab.insights("berlin", breakdowns="country", compare="previous_period", **DAYS)
    with pytest.raises(ValueError, match="do not go together"):
        lab.insights("berlin", breakdowns=("age", "country"), **DAYS)


def test_a_window_counts_what_meta_counted_in_it(agency: Agency, lab: Workbench) -> None:
    agency.sync(SyncRequest(since=SINCE, until=UNTIL, levels=("account", "campaign", "ad")))
    metrics = ("spend", "purchases", "revenue", "roas")

    def asked(window: str, level: str = "ad") -> pd.Series:
        return lab.insights(
            "berlin", level=level, metrics=metrics, attribution=window, **DAYS
        ).total()

    by_hand = agency.rows(
        "SELECT sum((e ->> '1d_click')::numeric) FROM app.insights_daily i,"
        " jsonb_array_elements(i.actions -> 'actions') e"
        " WHERE account_id = 1001 AND level = 4 AND e ->> 'action_type' = 'omni_purchase'"
        " AND date BETWEEN '2026-11-01' AND '2026-11-20'"
    )
    day, week, month = asked("1d_click"), asked("7d_click"), asked("28d_click")
    assert day["purchases"] == float(by_hand[0][0]) > 0
    assert day["purchases"] < week["purchases"] <= month["purchases"]
    assert day["revenue"] < week["revenue"]
    assert day["spend"] == month["spend"]
    assert day["roas"] == pytest.approx(day["revenue"] / day["spend"])
    plain = lab.insights("berlin", level="ad", metrics=metrics, **DAYS)
    pd.testing.assert_series_equal(asked("default"), plain.total())
    assert asked("7d_click", "account")["spend"] == pytest.approx(week["spend"])
    frame = lab.insights("berlin", attribution="1d_view", **DAYS)
    assert frame.attrs["attribution"] == "1d_view"
    with pytest.raises(DataError, match="nothing for it since 2026-01-12"):
        lab.insights("berlin", attribution="7d_view", **DAYS)
    with pytest.raises(ValueError, match="no attribution window 'forever'"):
        lab.insights("berlin", attribution="forever", **DAYS)


def test_settings_and_rankings_stand_beside_the_metrics(agency: Agency, lab: Workbench) -> None:
    agency.sync(SyncRequest(since=SINCE, until=UNTIL, levels=("campaign", "ad")))
    ads = lab.insights("berlin", level="ad", with_settings=True, time_increment="all_days", **DAYS)
    assert ads["attribution_setting"].notna().all()
    assert set(ads.columns) >= {"quality_ranking", "conversion_rate_ranking"}
    campaigns = lab.insights("berlin", with_settings=True, **DAYS)
    assert "quality_ranking" not in campaigns
    assert "attribution_setting" in campaigns
    assert campaigns.total()["spend"] == pytest.approx(ads.total()["spend"])


def test_levels_that_agree_have_no_gap_and_a_lost_row_is_a_named_number(
    agency: Agency, lab: Workbench
) -> None:
    agency.sync(SyncRequest(since=date(2026, 10, 1), until=UNTIL))
    asked = {"since": "2026-10-01", "until": "2026-11-20"}
    whole = lab.reconcile("berlin", **asked)
    assert whole.attrs["gaps"] == 0
    assert set(whole.index.get_level_values("level")) == {"campaign", "adset", "ad"}
    assert (whole["expected"] == whole["found"])[whole["gap"].notna()].all()
    assert set(whole[whole["gap"].isna()]["reason"]) <= {"mixed attribution withheld"}
    assert spend_warnings(agency.engine, "berlin", None, MOMENT) == []
    # An ad's day is lost, as when its listing did not show it.
    with transaction(agency.engine) as c:
        lost = c.exec_driver_sql(
            "DELETE FROM app.insights_daily WHERE level = 4 AND account_id = 1001"
            " AND date = '2026-10-05' AND object_id = (SELECT min(object_id)"
            " FROM app.insights_daily WHERE level = 4 AND date = '2026-10-05'"
            " AND account_id = 1001) RETURNING spend_micro, impressions"
        ).one()
        c.exec_driver_sql(
            "UPDATE app.account_daily SET spend_micro = spend_micro - %s,"
            " impressions = impressions - %s"
            " WHERE level = 4 AND account_id = 1001 AND date = '2026-10-05'",
            (lost.spend_micro, lost.impressions),
        )
    gaps = lab.reconcile("berlin", only_gaps=True, **asked)
    spend = gaps.loc[(pd.Timestamp("2026-10-05"), "1001", "ad", "spend")]
    assert spend["gap"] == pytest.approx(-lost.spend_micro / 1e6)
    assert spend["share"] == pytest.approx(spend["gap"] / spend["expected"])
    assert bool(spend["settled"])
    assert spend["reason"] in ("deleted objects not listed", "unknown")
    (warning,) = spend_warnings(agency.engine, "berlin", "act_1001", MOMENT)
    assert "spend by ad is €" in warning
    assert "below the account's own on 1 settled day (2026-10-05 to 2026-10-05)" in warning
