"""Breakdowns over HTTP from the simulator: exact, honest about what Meta withholds, resumable."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import Agency

from adlab.core.entities import Level
from adlab.services.breakdowns import BreakdownRequest, refresh_breakdowns
from adlab.services.ingest import SliceDone, SyncReport, SyncRequest

SINCE, UNTIL = date(2026, 11, 1), date(2026, 11, 20)
SERVED = ("age_gender", "country", "region", "placement", "device", "hourly")


@pytest.fixture
def agency(any_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(any_engine, simulator)


def _load(agency: Agency, *kinds: str, **asked: Any) -> SyncReport:
    request = BreakdownRequest(kinds, **{"since": SINCE, "until": UNTIL, **asked})
    return refresh_breakdowns(agency.parts(), request)


def _daily(agency: Agency, level: str = "campaign") -> None:
    agency.sync(SyncRequest(since=SINCE, until=UNTIL, levels=(level,)))  # type: ignore[arg-type]


GAPS = """
SELECT account_id, object_id, date, d.s - b.s, d.i - b.i, d.c - b.c
FROM (SELECT account_id, object_id, date, sum(spend_micro) s, sum(impressions) i, sum(clicks) c
      FROM app.insights_daily WHERE level = 2 GROUP BY 1, 2, 3) d
FULL JOIN (SELECT account_id, object_id, date, sum(spend_micro) s, sum(impressions) i,
             sum(clicks) c FROM app.insights_breakdown WHERE level = 2 AND breakdown = :kind
           GROUP BY 1, 2, 3) b USING (account_id, object_id, date)
WHERE (d.s, d.i, d.c) IS DISTINCT FROM (b.s, b.i, b.c)
"""


@pytest.mark.parametrize("kind", SERVED)
def test_rows_of_a_breakdown_add_up_to_the_row_without_it(agency: Agency, kind: str) -> None:
    _daily(agency)
    report = _load(agency, kind)
    assert report.complete
    assert report.rows > 200
    assert agency.rows(GAPS, kind=kind) == []


def test_purchases_are_kept_by_age_and_unknown_by_hour(agency: Agency) -> None:
    _load(agency, "age_gender", "hourly")
    (bought,) = agency.rows(
        "SELECT sum(purchases), count(reach), count(*) FROM app.insights_breakdown"
        " WHERE breakdown = 'age_gender'"
    )
    assert bought[0] > 0
    assert bought[1] == bought[2]
    (hourly,) = agency.rows(
        "SELECT count(*), count(purchases), count(revenue_micro), count(leads), count(reach),"
        " count(thruplays), count(link_clicks) FROM app.insights_breakdown"
        " WHERE breakdown = 'hourly'"
    )
    assert hourly[0] == hourly[6] > 0
    assert hourly[1:6] == (0, 0, 0, 0, 0)


def test_assets_have_ids_and_texts_and_only_what_meta_tells_of_them(agency: Agency) -> None:
    kinds = ("image_asset", "video_asset", "body_asset", "title_asset")
    report = _load(agency, *kinds)
    assert (report.complete, report.warnings) == (True, [])
    for kind in kinds:
        (found,) = agency.rows(
            "SELECT count(*), count(label), count(link_clicks), count(thruplays),"
            " count(spend_micro), bool_and(level = 4) FROM app.insights_breakdown"
            " WHERE breakdown = :kind", kind=kind,
        )  # fmt: skip
        assert found[0] == found[1] == found[4] > 0, kind
        assert found[2:4] == (0, 0)
        assert found[5]
    at_campaign = _load(agency, "title_asset", level=Level.CAMPAIGN)
    assert at_campaign.complete
    assert at_campaign.rows > 0


def test_a_second_read_changes_nothing_and_tells_nobody(agency: Agency) -> None:
    first = _load(agency, "country")
    assert first.changed == first.rows
    agency.told.clear()
    again = _load(agency, "country")
    assert (again.rows, again.changed) == (first.rows, 0)
    assert agency.told == []


def test_what_an_interrupted_run_committed_is_not_read_again(agency: Agency) -> None:
    seen: list[SliceDone] = []

    def stop_after_two(piece: SliceDone) -> None:
        seen.append(piece)
        if len(seen) == 2:
            raise KeyboardInterrupt

    request = BreakdownRequest(("country", "device"), since=SINCE, until=UNTIL)
    with pytest.raises(KeyboardInterrupt):
        refresh_breakdowns(agency.parts(concurrency=1), request, stop_after_two)
    second = refresh_breakdowns(agency.parts(concurrency=1), request)
    assert second.complete
    assert second.skipped >= 2
    third = refresh_breakdowns(agency.parts(concurrency=1), request)
    assert third.skipped == 0
    _daily(agency)
    for kind in ("country", "device"):
        assert agency.rows(GAPS, kind=kind) == []


def test_what_meta_does_not_serve_is_noted_and_the_rest_goes_on(agency: Agency) -> None:
    agency.simulator.control(
        "POST", "/__faults",
        {"kind": "error", "match": "act_1001/insights", "count": 1000,
         "params": {"code": 100, "message": "Current combination is invalid"}},
    )  # fmt: skip
    report = _load(agency, "country")
    assert report.complete
    assert [w for w in report.warnings if "country is not served" in w and "act_1001" in w]
    states = agency.rows(
        "SELECT account_id, status, error, until FROM app.sync_state"
        " WHERE kind = 'breakdown:country' ORDER BY account_id"
    )
    assert states[0][:2] == (1001, "not_served")
    assert states[0][3] is None
    assert "invalid" in states[0][2]
    assert states[1] == (1002, "ok", None, UNTIL)


def test_pitfall_16_days_meta_no_longer_serves_are_not_asked_for_and_named(agency: Agency) -> None:
    report = _load(agency, "hourly", "country", since=date(2025, 9, 1), until=date(2025, 11, 10))
    assert [w for w in report.warnings if "hourly 13 months back" in w and "2025-10-22" in w]
    assert [w for w in report.warnings if "reach by country is not served up to 2025-10-21" in w]
    old, young = agency.rows(
        "SELECT date > '2025-10-21', count(*), count(reach) FROM app.insights_breakdown"
        " WHERE breakdown = 'country' GROUP BY 1 ORDER BY 1"
    )
    assert old[1] > 0
    assert old[2] == 0
    assert young[1] == young[2] > 0
    assert agency.rows("SELECT min(since) FROM app.sync_state WHERE kind = 'breakdown:hourly'") == [
        (date(2025, 10, 22),)
    ]


def test_a_kind_or_level_meta_does_not_have_is_refused_before_any_call(agency: Agency) -> None:
    with pytest.raises(ValueError, match="there is no breakdown 'mood'"):
        _load(agency, "mood")
    with pytest.raises(ValueError, match="image_asset at campaign, adset, ad, not at account"):
        _load(agency, "image_asset", level=Level.ACCOUNT)


def test_values_a_restated_day_no_longer_names_are_removed(agency: Agency) -> None:
    _load(agency, "country")
    with agency.engine.begin() as c:
        c.exec_driver_sql(
            "UPDATE app.insights_breakdown SET value = 'XX' WHERE breakdown = 'country'"
            " AND value = 'AT' AND date = '2026-11-10'"
        )
    _load(agency, "country")
    assert agency.rows("SELECT 1 FROM app.insights_breakdown WHERE value = 'XX'") == []
    _daily(agency)
    assert agency.rows(GAPS, kind="country") == []
