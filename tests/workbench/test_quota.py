"""The quota in a notebook: how it stood when last told, and what a configuration would cost."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from adlab.core.errors import UnknownObjectError
from adlab.core.quota import FULL, LIMITED, Standing
from adlab.storage.engine import transaction
from adlab.storage.quota import store_standings
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench

from .conftest import NOW, Agency


def lab_of(url: str) -> Workbench:
    return Workbench(LoginReader(url), lambda: NOW)


@pytest.fixture
def told(agency: Agency) -> Agency:
    """Meters of the first account, told ten minutes ago."""
    with transaction(agency.engine) as c:
        client_id = c.exec_driver_sql(
            "SELECT client_id FROM app.account WHERE account_id = 1001"
        ).scalar_one()
        store_standings(
            c, client_id=client_id, account_id=1001, as_of=NOW,
            standings=[
                Standing("app", 12.0, 60.0, 0.0, None, 99),
                Standing("act:1001", 82.5, 600.0, 120.0, LIMITED, 57, 83.25),
                Standing("act:1001:ads_insights", 40.0, 600.0, 0.0, LIMITED, 50),
                Standing("act:1001:ads_management"),
            ],
        )  # fmt: skip
    return agency


def test_the_meters_stand_as_meta_told_them(told: Agency) -> None:
    lab = lab_of(told.ann)
    frame = lab.quota("acme")
    assert [i[1:] for i in frame.index] == [
        (1001, "ads_insights"), (1001, "app"), (1001, "score")
    ]  # fmt: skip
    score = frame.loc[("acme", 1001, "score")]
    assert (score.percent, score.score_percent, score.tier) == (82.5, 83.25, "limited")
    assert score.calls_last_hour == 57
    assert score.regain_at == NOW + timedelta(minutes=2)
    assert score.as_of == NOW - timedelta(minutes=10)
    app = frame.loc[("acme", 1001, "app")]
    assert app.percent == 12.0
    assert pd.isna(app.calls_last_hour)
    assert pd.isna(app.regain_at)
    lab.close()


def test_a_wait_that_is_over_is_not_shown(told: Agency) -> None:
    lab = Workbench(LoginReader(told.ann), lambda: NOW + timedelta(minutes=3))
    assert lab.quota("acme")["regain_at"].isna().all()
    lab.close()


def test_others_meters_are_not_seen(told: Agency) -> None:
    lab = lab_of(told.nobody)
    assert lab.quota().empty
    with pytest.raises(UnknownObjectError):
        lab.quota("acme")
    with pytest.raises(UnknownObjectError):
        lab.quota.plan("acme")
    lab.close()


def test_a_plan_counts_what_is_in_the_store_and_takes_the_tier_meta_told(told: Agency) -> None:
    lab = lab_of(told.ann)
    plan = lab.quota.plan("acme", backfill_months=6)
    assert "act_1001" in plan.index
    row = plan.loc["act_1001"]
    assert row.tier == "limited"
    assert row.backfill_calls > 0
    assert row.backfill_hours > 0
    larger = lab.quota.plan("acme", ads=4000, hot_minutes=1, breakdowns=["region"]).loc["act_1001"]
    assert not larger.fits_limited
    assert larger["drop"].startswith("breakdown region")
    assert lab.quota.plan("acme", tier="full").loc["act_1001"].tier == "full"
    lab.close()


def test_a_plan_for_an_account_that_is_not_there_yet_needs_its_counts(told: Agency) -> None:
    lab = lab_of(told.ann)
    plan = lab.quota.plan(campaigns=5, ad_sets=20, ads=80, active_ads=40)
    assert plan.index.tolist() == ["new"]
    assert plan.loc["new"].calls_per_hour == 28.4
    with pytest.raises(ValueError, match="ad_sets, ads must be given"):
        lab.quota.plan(campaigns=5)
    assert FULL == "standard_access"
    lab.close()


def test_a_plan_refuses_a_breakdown_that_does_not_exist(told: Agency) -> None:
    lab = lab_of(told.ann)
    with pytest.raises(ValueError, match="there is no breakdown 'x'; there are age_gender"):
        lab.quota.plan("acme", breakdowns=("x",))
    lab.close()
