"""What was known when, in a notebook: as_of, restatements, and definition changes as data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.workbench.conftest import ALPHA, BETA, NOW, Agency, row

from adlab.core.entities import Level
from adlab.core.errors import ConflictError, UnknownMetricError
from adlab.core.periods import DateRange, Epoch
from adlab.storage import insights
from adlab.storage.engine import transaction
from adlab.storage.epochs import store_epoch
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench
from adlab.workbench.moments import read_moment, thinning_note

DAY = date(2026, 11, 19)
LATER = NOW + timedelta(hours=3)


def restate(engine: Engine, at: datetime, level: Level, object_id: int, **cells: object) -> None:
    with transaction(engine) as c:
        insights.store_insights(
            c, client_id=1, account_id=1001, level=level, period=DateRange(DAY, DAY),
            rows=[row(DAY.isoformat(), object_id, **cells)], fetched_at=at, today=at.date(),  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.fixture
def moved(agency: Agency) -> Iterator[Workbench]:
    """Acme's 19 November, restated three hours after it was first read, in a lab a day later."""
    restate(
        agency.engine,
        LATER,
        Level.ACCOUNT,
        1001,
        spend="112.50",
        impressions=5000,
        reach=3200,
        purchases=2,
    )
    restate(agency.engine, LATER, Level.CAMPAIGN, ALPHA, spend=92, impressions=3000, clicks=30,
            link_clicks=30, purchases=5, revenue=90, reach=2000)  # fmt: skip
    lab = Workbench(LoginReader(agency.boss), now=lambda: NOW + timedelta(days=1))
    yield lab
    lab.close()
    with transaction(agency.engine) as c:
        c.execute(text("DELETE FROM app.insights_version"))
    restate(agency.engine, NOW, Level.ACCOUNT, 1001, spend="110.50", impressions=5000, reach=3200)
    restate(agency.engine, NOW, Level.CAMPAIGN, ALPHA, spend=90, impressions=3000, clicks=30,
            link_clicks=30, purchases=3, revenue=90, reach=2000)  # fmt: skip
    with transaction(agency.engine) as c:
        c.execute(text("DELETE FROM app.insights_version"))


def spend(lab: Workbench, level: str, as_of: datetime | str | None, **more: object) -> list[float]:
    frame = lab.insights("acme", level=level, since=DAY, until=DAY, metrics=("spend", "cpa"),
                         as_of=as_of, **more)  # type: ignore[arg-type]  # fmt: skip
    return [float(v) for v in frame["spend"]]


def test_as_of_shows_what_was_known_then(moved: Workbench) -> None:
    assert spend(moved, "campaign", None) == [20.5, 92.0]
    assert spend(moved, "campaign", LATER) == [20.5, 92.0]
    assert spend(moved, "campaign", LATER - timedelta(seconds=1)) == [20.5, 90.0]
    assert spend(moved, "campaign", NOW - timedelta(seconds=1)) == []
    assert spend(moved, "account", LATER - timedelta(seconds=1)) == [110.5]
    assert spend(moved, "account", LATER) == [112.5]


def test_as_of_recomputes_ratios_from_what_was_known(moved: Workbench) -> None:
    def cpa(as_of: datetime) -> float:
        frame = moved.insights("acme", since=DAY, until=DAY, metrics=("cpa",), as_of=as_of,
                               time_increment="all_days", filters={"campaign_id": str(ALPHA)})  # fmt: skip
        return float(frame["cpa"].iloc[0])

    assert cpa(NOW) == pytest.approx(90 / 3)
    assert cpa(LATER) == pytest.approx(92 / 5)


def test_as_of_says_the_moment_and_a_day_means_its_end(moved: Workbench) -> None:
    exact = moved.insights("acme", since=DAY, until=DAY, as_of=NOW)
    assert (exact.attrs["as_of"], exact.attrs["thinning"]) == (NOW.isoformat(), None)
    whole = moved.insights("acme", since=DAY, until=DAY, as_of="2026-11-20")
    # Reason: the 20th ends in Berlin at 23:00 UTC, before the row was first seen.
    assert whole.attrs["as_of"] == "2026-11-20T22:59:59.999999+00:00"
    assert len(whole) == 0


def test_as_of_converts_currencies_and_compares_as_it_was(moved: Workbench) -> None:
    compared = moved.insights(
        "acme", since=DAY, until=DAY, metrics=("spend",), compare="previous_period",
        as_of=LATER - timedelta(seconds=1), filters={"campaign_id": str(ALPHA)},
    )  # fmt: skip
    assert compared["spend"].tolist() == [90.0]
    assert compared["spend_prev"].tolist() == [10.0]


@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("yesterday", "is no moment; write it as 2026-11-03"),
        ("2026-11-20T10:00", "has no timezone"),
        (datetime(2027, 1, 1, tzinfo=UTC), "lies ahead of now"),
    ],
)
def test_a_moment_that_means_nothing_is_refused(as_of: datetime | str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_moment(as_of, ["UTC"], NOW)


def test_the_answer_names_the_thinning_it_hit() -> None:
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    week = DateRange(date(2026, 11, 4), date(2026, 11, 10))

    def said(after: timedelta, period: DateRange = week) -> str | None:
        return thinning_note(at, period, ["Europe/Berlin"], at + after)

    assert said(timedelta(hours=48)) is None
    assert "2026-11-10 was still running: its values are kept by the hour" in (
        said(timedelta(days=3)) or ""
    )
    assert "only the last version is kept" in (said(timedelta(days=10)) or "")
    assert said(timedelta(days=10), DateRange(date(2026, 11, 4), date(2026, 11, 9))) is None


def test_restatements_show_how_a_day_moved_and_whether_it_is_settled(moved: Workbench) -> None:
    frame = moved.restatements("2026-11-19", "acme", metrics=("spend", "purchases", "cpa"))
    assert frame.index.names == ["account_id", "seen_at"]
    assert frame["spend"].tolist() == [110.5, 112.5]
    assert frame["purchases"].tolist() == [0.0, 2.0]
    assert frame["cpa"].isna().tolist() == [True, False]
    # Reason: Berlin's 19 November ended on the 19th at 23:00 UTC.
    assert frame["hours_after_day"].tolist() == [35.0, 38.0]
    assert frame.attrs["settled"] is False
    assert frame.attrs["may_move_until"] == "2026-12-17"
    assert frame.attrs["last_change"] == LATER.isoformat()
    assert frame.attrs["currency"] == "EUR"


def test_restatements_leave_out_what_did_not_move_and_know_each_object(moved: Workbench) -> None:
    frame = moved.restatements(DAY, "acme", level="campaign", metrics=("spend", "revenue"))
    assert [i for i, _ in frame.index] == [str(BETA), str(ALPHA), str(ALPHA)]
    assert moved.restatements(DAY, "acme", level="campaign", metrics=("impressions",)).shape[0] == 2


def test_a_settled_day_says_when_it_settled(agency: Agency) -> None:
    from adlab.storage.tenancy import LoginReader

    lab = Workbench(LoginReader(agency.boss), now=lambda: NOW + timedelta(days=60))
    frame = lab.restatements(DAY, "acme")
    lab.close()
    assert (frame.attrs["settled"], frame.attrs["settled_at"]) == (True, NOW.isoformat())


def test_a_day_without_rows_is_an_empty_frame(moved: Workbench) -> None:
    frame = moved.restatements("2020-01-01", "acme", metrics=("spend",))
    assert list(frame.columns) == ["account_name", "hours_after_day", "spend"]
    assert len(frame) == 0
    assert frame.attrs["last_change"] is None


def test_nobody_learns_of_restatements_of_others(agency: Agency) -> None:
    from adlab.storage.tenancy import LoginReader

    reader = LoginReader(agency.nobody)
    assert reader.rows(text("SELECT count(*) AS n FROM api.insights_versions")) == [{"n": 0}]
    reader.close()


def test_definition_changes_are_rows_that_an_agency_can_add_to(
    lab: Workbench, agency: Agency
) -> None:
    assert lab.epochs()["title"].tolist() == [
        "Unified attribution", "View windows removed", "Click means link click",
    ]  # fmt: skip
    ours = Epoch(
        date(2026, 11, 18),
        "New pixel",
        "The shop's pixel was rebuilt.",
        metrics=("purchases",),
        source="Acme",
    )
    with transaction(agency.engine) as c:
        store_epoch(c, ours)
    try:
        fresh = Workbench(lab.reader, lab.now)
        frame = fresh.insights("acme", since="2026-11-17", until="2026-11-19", metrics=("spend",))
        assert frame.attrs["epochs"] == ["New pixel"]
        with pytest.raises(ConflictError, match="New pixel"), transaction(agency.engine) as c:
            store_epoch(c, ours)
        with pytest.raises(UnknownMetricError), transaction(agency.engine) as c:
            store_epoch(c, Epoch(DAY, "x", "", metrics=("nonsense",)))
        with pytest.raises(ValueError, match="before it starts"), transaction(agency.engine) as c:
            store_epoch(c, Epoch(DAY, "x", "", last_on=date(2026, 1, 1)))
    finally:
        with transaction(agency.engine) as c:
            c.execute(text("DELETE FROM app.epoch WHERE title = 'New pixel'"))


@pytest.fixture
def mixed(agency: Agency) -> Iterator[None]:
    """Acme's 19 November as Meta gives it when ad sets differ in their attribution setting."""
    kept = {"spend": "110.50", "impressions": 5000, "reach": 3200}
    restate(agency.engine, NOW, Level.ACCOUNT, 1001, **kept, purchases=None, revenue=None)
    yield
    restate(agency.engine, NOW, Level.ACCOUNT, 1001, **kept)
    with transaction(agency.engine) as c:
        c.execute(text("DELETE FROM app.insights_version"))


@pytest.mark.parametrize(
    "more",
    [{}, {"metrics": ("spend", "purchases", "revenue", "reach")}, {"as_of": LATER}],
    ids=["newest", "with reach", "as of"],
)
def test_withheld_actions_of_an_account_are_the_same_however_they_are_asked(
    mixed: None, agency: Agency, more: dict[str, Any]
) -> None:
    lab = Workbench(LoginReader(agency.boss), now=lambda: NOW + timedelta(days=1))
    asked = {"metrics": ("spend", "purchases", "revenue"), **more}
    day = lab.insights("acme", level="account", since=DAY, until=DAY, **asked).iloc[0]
    lab.close()
    assert (day["spend"], day["purchases"], day["revenue"]) == (110.5, 3, 90.0)


def test_a_day_that_is_none_is_refused_with_how_to_write_one(agency: Agency) -> None:
    lab = Workbench(LoginReader(agency.boss), now=lambda: NOW)
    with pytest.raises(ValueError, match=r"day='19\.11\.2026' is not a day; write it as"):
        lab.restatements("19.11.2026", "acme")
    lab.close()
