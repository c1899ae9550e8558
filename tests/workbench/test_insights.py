"""Frames of insights: their shape, their numbers, and the questions they refuse."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from adlab.core.entities import Level
from adlab.core.errors import (
    DataError,
    NotAdditiveError,
    UnknownMetricError,
    UnknownObjectError,
)
from adlab.core.metrics import metrics
from adlab.core.periods import DateRange
from adlab.services.insights import InsightsQuery
from adlab.storage.engine import connect_engine
from adlab.storage.tenancy import Reader
from adlab.workbench import InsightsFrame, Workbench
from adlab.workbench.insights import _partner_days

from .conftest import ALPHA, NOW, Agency

TWO_DAYS: dict[str, Any] = {"since": "2026-11-18", "until": "2026-11-19"}


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Index and cells, as plain tuples."""
    plain = frame.reset_index()
    if "date" in plain:
        plain["date"] = plain["date"].dt.strftime("%Y-%m-%d")
    return [tuple(r) for r in plain.itertuples(index=False)]


def test_one_row_a_campaign_and_day_with_its_name_first(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("roas", "spend", "purchases"))
    assert isinstance(f, InsightsFrame)
    assert list(f.index.names) == ["date", "campaign_id"]
    assert list(f.columns) == ["campaign_name", "roas", "spend", "purchases"]
    assert rows(f)[:2] == [
        ("2026-11-18", str(ALPHA), "Alpha", 5.0, 10.0, 1),
        ("2026-11-19", "12", "Beta", 0.0, 20.5, 0),
    ]
    assert rows(f)[2] == ("2026-11-19", str(ALPHA), "Alpha", 1.0, 90.0, 3)
    assert isinstance(f.index.levels[0], pd.DatetimeIndex)  # type: ignore[attr-defined]


def test_all_days_make_one_row_a_campaign(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, time_increment="all_days", metrics=("spend", "roas"))
    assert list(f.index.names) == ["campaign_id"]
    assert rows(f) == [("12", "Beta", 20.5, 0.0), (str(ALPHA), "Alpha", 100.0, 1.4)]


def test_counts_are_integers_and_money_and_rates_are_floats(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("spend", "impressions", "ctr"))
    assert [str(t) for t in f.dtypes[1:]] == ["float64", "int64", "float64"]


def test_rates_are_shares_and_not_percent(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, time_increment="all_days", metrics=("ctr", "link_ctr"))
    assert rows(f)[1] == (str(ALPHA), "Alpha", 50 / 4000, 40 / 4000)


def test_aliases_give_the_column_its_registered_name(lab: Workbench) -> None:
    f = lab.insights("acme", **TWO_DAYS, metrics=("cost", "purchase_value", "spend"))
    assert list(f.columns) == ["campaign_name", "spend", "revenue"]
    assert list(lab.insights("acme", metrics="spend").columns) == ["campaign_name", "spend"]


@pytest.mark.parametrize(
    ("level", "name", "expected"),
    [
        ("account", "account_name", [("1001", "Acme DE", 120.5)]),
        ("adset", "adset_name", [("21", "Set 1", 90.0)]),
        ("ad", "ad_name", [("31", "Ad 1", 90.0)]),
        ("Ad Sets", "adset_name", [("21", "Set 1", 90.0)]),
    ],
)
def test_every_level_names_its_objects(
    lab: Workbench, level: str, name: str, expected: list[tuple[object, ...]]
) -> None:
    f = lab.insights("acme", level=level, **TWO_DAYS, time_increment="all_days", metrics=("spend",))
    assert f.columns[0] == name
    assert rows(f) == expected


def test_parents_stand_after_the_name_when_asked(lab: Workbench) -> None:
    f = lab.insights("acme", level="ad", **TWO_DAYS, metrics=("spend",), parents=True)
    assert rows(f) == [("2026-11-19", "31", "Ad 1", "Acme DE", "Alpha", "Set 1", 90.0)]


def test_months_are_named_by_their_first_day_within_the_period(lab: Workbench) -> None:
    f = lab.insights(
        "acme", since="2026-10-05", until="2026-11-20", time_increment="monthly", metrics=("spend",)
    )
    assert rows(f) == [
        ("2026-10-05", str(ALPHA), "Alpha", 7.0),
        ("2026-11-01", "12", "Beta", 20.5),
        ("2026-11-01", str(ALPHA), "Alpha", 105.0),
    ]


def test_weeks_begin_with_the_period(lab: Workbench) -> None:
    f = lab.insights(
        "acme", since="2026-11-04", until="2026-11-20", time_increment=7,
        metrics=("spend", "roas"), filters={"campaign_name": "Alpha"},
    )  # fmt: skip
    assert rows(f) == [
        ("2026-11-11", str(ALPHA), "Alpha", 5.0, 2.0),
        ("2026-11-18", str(ALPHA), "Alpha", 100.0, 1.4),
    ]


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        ({}, "2026-10-22", "2026-11-20"),
        ({"last": "7d"}, "2026-11-14", "2026-11-20"),
        ({"last": "7d", "include_today": True}, "2026-11-15", "2026-11-21"),
        ({"since": "2026-11-02"}, "2026-11-02", "2026-11-20"),
        ({"since": "2026-11-02", "until": "2026-12-01"}, "2026-11-02", "2026-12-01"),
        ({"since": NOW, "until": NOW.date()}, "2026-11-21", "2026-11-21"),
    ],
)
def test_periods_end_yesterday_of_the_account(
    lab: Workbench, asked: dict[str, Any], since: str, until: str
) -> None:
    attrs = lab.insights("acme", **asked).attrs
    assert (attrs["since"], attrs["until"]) == (since, until)


def test_accounts_in_several_timezones_share_the_days_all_have_completed(
    agency: Agency,
) -> None:
    from datetime import UTC, datetime

    from adlab.storage.tenancy import LoginReader

    late = Workbench(LoginReader(agency.boss), now=lambda: datetime(2026, 11, 22, 3, tzinfo=UTC))
    assert late.insights("mixed", last="1d").attrs["until"] == "2026-11-20"
    assert late.insights("acme", last="1d").attrs["until"] == "2026-11-21"
    late.close()


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"campaign_id": str(ALPHA)}, ["Alpha"]),
        ({"campaign_id": [ALPHA, "12"]}, ["Alpha", "Beta"]),
        ({"campaign_name": "Beta"}, ["Beta"]),
        ({"effective_status": "ACTIVE"}, ["Alpha"]),
        ({"objective": ["OUTCOME_TRAFFIC", "OUTCOME_LEADS"]}, ["Beta"]),
        ({"account_id": "act_1001"}, ["Alpha", "Beta"]),
        ({"account_id": "act_1001", "effective_status": "PAUSED"}, ["Beta"]),
        ({"campaign_id": "999"}, []),
        ({"campaign_id": []}, []),
    ],
)
def test_filters_keep_what_passes_all_of_them(
    lab: Workbench, filters: dict[str, Any], names: list[str]
) -> None:
    f = lab.insights("acme", **TWO_DAYS, filters=filters, metrics=("spend",))
    assert sorted(set(f["campaign_name"])) == names


def test_filters_by_parent_keep_long_ids_exact(lab: Workbench) -> None:
    f = lab.insights("acme", level="adset", **TWO_DAYS, filters={"campaign_id": str(ALPHA)})
    assert [i for _, i in f.index] == ["21"]
    assert lab.insights("acme", level="adset", **TWO_DAYS, filters={"campaign_id": ALPHA + 3}).empty


@pytest.mark.parametrize(
    ("level", "filters"),
    [
        ("campaign", {"colour": "red"}),
        ("campaign", {"adset_id": "21"}),
        ("campaign", {"ad_id": "31"}),
        ("account", {"campaign_id": "12"}),
        ("account", {"objective": "OUTCOME_SALES"}),
    ],
)
def test_a_filter_that_the_level_does_not_have_is_refused(
    lab: Workbench, level: str, filters: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"there is no filter .* at level {level}; use account_id"):
        lab.insights("acme", level=level, filters=filters)


def test_a_filter_by_something_that_is_no_id_is_refused(lab: Workbench) -> None:
    with pytest.raises(ValueError, match="'Alpha' is not an identifier"):
        lab.insights("acme", filters={"campaign_id": "Alpha"})


def test_the_previous_period_stands_beside(lab: Workbench) -> None:
    f = lab.insights(
        "acme", **TWO_DAYS, time_increment="all_days", metrics=("spend", "roas"),
        compare="previous_period", filters={"campaign_id": ALPHA},
    )  # fmt: skip
    assert list(f.columns) == [
        "campaign_name", "spend", "roas", "spend_prev", "spend_change", "roas_prev", "roas_change",
    ]  # fmt: skip
    assert rows(f) == [
        (str(ALPHA), "Alpha", 100.0, 1.4, 5.0, 19.0, 2.0, pytest.approx(-0.3)),
    ]  # fmt: skip


def test_days_are_compared_by_their_place_in_the_period(lab: Workbench) -> None:
    f = lab.insights(
        "acme", **TWO_DAYS, metrics=("spend",), compare="previous_period",
        filters={"campaign_id": ALPHA},
    )  # fmt: skip
    assert f["spend_prev"].isna().tolist() == [True, False]
    assert f["spend_change"].iloc[1] == 17.0


def test_growth_from_nothing_is_unknown_and_not_infinite(lab: Workbench) -> None:
    f = lab.insights(
        "acme", since="2026-11-19", until="2026-11-19", metrics=("spend",),
        time_increment="all_days", compare="previous_year",
    )  # fmt: skip
    assert f["spend_prev"].isna().all()
    assert f["spend_change"].isna().all()
    assert f.attrs["epochs"] == ["View windows removed", "Click means link click"]


def test_an_empty_period_is_an_empty_frame_with_its_columns(lab: Workbench) -> None:
    f = lab.insights("acme", since="2025-01-01", until="2025-01-20", metrics=("spend", "ctr"))
    assert f.empty
    assert list(f.columns) == ["campaign_name", "spend", "ctr"]
    assert list(f.index.names) == ["date", "campaign_id"]
    assert f.total().isna().all()
    assert f.by("campaign_name").empty
    assert f.top().empty


@pytest.mark.parametrize("level", ["account", "campaign", "ad"])
@pytest.mark.parametrize("increment", [1, "monthly", "all_days"])
@pytest.mark.parametrize("last", ["7d", "30d"])
def test_a_client_without_any_account_is_an_empty_frame(
    lab: Workbench, level: str, increment: Any, last: str
) -> None:
    f = lab.insights("newco", level=level, last=last, time_increment=increment, metrics=("spend",))
    assert f.empty
    assert list(f.columns) == [f"{level}_name", "spend"]


def test_a_person_without_clients_gets_an_empty_frame(eve: Workbench) -> None:
    assert eve.insights(metrics=("spend",)).empty
    assert eve.insights(level="account", last="7d").empty


def test_yen_come_in_major_units(lab: Workbench) -> None:
    f = lab.insights("tokyo", **TWO_DAYS, metrics=("spend", "cpm"))
    assert rows(f) == [("2026-11-19", "61", "春", 1980.0, 4950.0)]
    assert f.attrs["currency"] == "JPY"


def test_reach_is_told_per_day_and_refused_for_more(lab: Workbench) -> None:
    f = lab.insights("acme", level="account", **TWO_DAYS, metrics=("reach", "frequency"))
    assert f["reach"].tolist() == [900, 3200]
    assert f["frequency"].tolist() == [1000 / 900, 5000 / 3200]
    for increment in (7, "monthly", "all_days"):
        with pytest.raises(NotAdditiveError) as caught:
            lab.insights("acme", **TWO_DAYS, metrics=("reach",), time_increment=increment)
        assert 'metrics=("reach",), time_increment=1' in str(caught.value)


def test_reach_of_a_single_day_may_be_all_days(lab: Workbench) -> None:
    f = lab.insights("acme", since="2026-11-19", until="2026-11-19", metrics=("reach",),
                     time_increment="all_days")  # fmt: skip
    assert f["reach"].tolist() == [1500, 2000]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"client": "nobody"}, UnknownObjectError, "There is no client 'nobody' that you may see"),
    ({"metrics": ("raos",)}, UnknownMetricError, "Did you mean roas"),
    ({"metrics": ()}, ValueError, "at least one metric"),
    ({"level": "adgroup"}, ValueError, "levels are account, campaign, adset, ad"),
    ({"level": "creative"}, ValueError, "levels account, campaign, adset and ad"),
    ({"breakdowns": ("age",)}, DataError, "adlab sync --client acme --breakdown age_gender"),
    ({"last": "fortnight"}, ValueError, "is not a period"),
    ({"last": "7d", "since": "2026-11-01"}, ValueError, "not both"),
    ({"until": "2026-11-01"}, ValueError, "until= needs since="),
    ({"since": "01.11.2026"}, ValueError, "since='01.11.2026' is not a day"),
    ({"since": "2026-11-02", "until": "2026-11-01"}, ValueError, "ends .* before it starts"),
    ({"time_increment": 0}, ValueError, "none of 1 to 90 days"),
    ({"time_increment": 91}, ValueError, "none of 1 to 90 days"),
    ({"time_increment": True}, ValueError, "none of 1 to 90 days"),
    ({"time_increment": "weekly"}, ValueError, "none of 1 to 90 days"),
    ({"compare": "last_week"}, ValueError, "neither 'previous_period' nor 'previous_year'"),
    ({"compare": "previous_year", "time_increment": "monthly"}, ValueError, "compare= needs"),
    ({"currency": "USD"}, DataError, "There is no exchange rate from EUR to USD for 2026-1"),
]


@pytest.mark.parametrize(("asked", "kind", "told"), WRONG, ids=lambda v: str(v)[:40])
def test_a_question_that_has_no_answer_says_what_to_ask(
    lab: Workbench, asked: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        lab.insights(**{"client": "acme", **asked})


def test_the_accounts_own_currency_may_be_named(lab: Workbench) -> None:
    assert not lab.insights("acme", **TWO_DAYS, currency="eur").empty


def test_a_frame_says_where_its_numbers_come_from(lab: Workbench) -> None:
    attrs = lab.insights("acme", **TWO_DAYS).attrs
    assert attrs["clients"] == ["acme"]
    assert (attrs["level"], attrs["since"], attrs["until"], attrs["time_increment"]) == (
        "campaign", "2026-11-18", "2026-11-19", 1,
    )  # fmt: skip
    assert (attrs["currency"], attrs["timezone"]) == ("EUR", ["Europe/Berlin"])
    assert attrs["settled_through"] == "2026-10-23"
    assert attrs["as_of"] is not None
    assert attrs["epochs"] == []
    assert lab.insights("mixed", **TWO_DAYS).attrs["currency"] == ["EUR", "USD"]
    assert lab.insights("newco").attrs["as_of"] is None


def test_several_clients_stand_in_one_frame(lab: Workbench) -> None:
    f = lab.insights(["acme", "tokyo"], **TWO_DAYS, time_increment="all_days", metrics=("spend",))
    assert sorted(f["campaign_name"]) == ["Alpha", "Beta", "春"]
    everything = lab.insights(**TWO_DAYS, time_increment="all_days", metrics=("impressions",))
    assert len(everything) == 7


@pytest.mark.parametrize("increment", [1, 7, "monthly", "all_days"])
@pytest.mark.parametrize("level", ["account", "campaign", "ad"])
def test_the_fast_way_of_long_periods_gives_the_same_frame(
    agency: Agency, lab: Workbench, level: str, increment: Any
) -> None:
    slow = Workbench(Reader(connect_engine(agency.boss)), now=lambda: NOW)
    asked: dict[str, Any] = {
        "level": level, "since": "2026-10-01", "until": "2026-11-20", "time_increment": increment,
        "metrics": ("spend", "impressions", "purchases", "roas", "cpa", "ctr"),
    }  # fmt: skip
    fast = lab.insights(**asked)
    pd.testing.assert_frame_equal(pd.DataFrame(fast), pd.DataFrame(slow.insights(**asked)))
    assert len(fast) > 0
    slow.reader.close()


def test_days_are_compared_with_the_same_days_a_year_before() -> None:
    """After 29 February, counting days would compare 1 March with 2 March."""
    days = pd.DatetimeIndex(["2028-02-28", "2028-02-29", "2028-03-01"])
    period = DateRange(date(2028, 2, 28), date(2028, 3, 1))
    query = InsightsQuery((1,), Level.CAMPAIGN, period, metrics(("spend",)), 1)
    found = _partner_days(days, query, period.previous_year(), "previous_year")
    assert [None if d is pd.NaT else str(d.date()) for d in found] == [
        "2027-02-28", None, "2027-03-01",
    ]  # fmt: skip
    before = _partner_days(days, query, period.previous(), "previous_period")
    assert [str(d.date()) for d in before] == ["2028-02-25", "2028-02-26", "2028-02-27"]
