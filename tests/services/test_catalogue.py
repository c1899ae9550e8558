"""What stands beside the ads, over HTTP from the simulator: whole, deduplicated, never in the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import MOMENT, Agency

from adlab.services.catalogue import KINDS, CatalogueRequest, refresh_catalogue, refresh_objects
from adlab.services.ingest import SyncReport, SyncRequest


@pytest.fixture
def agency(any_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(any_engine, simulator)


def _load(agency: Agency, **asked: Any) -> SyncReport:
    return refresh_catalogue(agency.parts(), CatalogueRequest(**asked))


def test_every_kind_arrives_for_every_account(agency: Agency) -> None:
    report = _load(agency)
    assert (report.complete, report.warnings, report.accounts) == (True, [], 2)
    for table in ("creative", "audience", "activity", "recommendation", "pixel", "pixel_stat"):
        found = agency.rows(f"SELECT DISTINCT account_id FROM app.{table} ORDER BY 1")
        assert found == [(1001,), (1002,)], table
    states = agency.rows("SELECT kind, status FROM app.sync_state WHERE kind LIKE 'catalogue:%'")
    assert {k for k, _ in states} == {f"catalogue:{k}" for k in (*KINDS, "pixel_stats")}
    assert {s for _, s in states} == {"ok"}
    again = _load(agency)
    assert again.changed == 0
    assert 0 < again.rows < report.rows


def test_creatives_keep_their_whole_specification(agency: Agency) -> None:
    _load(agency, kinds=("creatives",))
    (counts,) = agency.rows(
        "SELECT count(*), count(object_story_spec), count(asset_feed_spec),"
        " count(coalesce(image_hash, video_id)) FROM app.creative"
    )
    assert counts[0] == counts[1] == counts[3] > 5
    assert 0 < counts[2] < counts[0]


def test_a_study_holds_its_cells_and_what_lies_in_them(agency: Agency) -> None:
    _load(agency, kinds=("studies",))
    rows = agency.rows("SELECT type, start_at < end_at, cells FROM app.study")
    assert rows
    for kind, in_order, cells in rows:
        assert (kind, in_order) == ("SPLIT_TEST", True)
        assert [c["treatment_percentage"] for c in cells] == [50, 50]
        assert all(len(c["adset_ids"]) == 1 for c in cells)


def test_a_change_is_kept_once_with_old_and_new_value(agency: Agency) -> None:
    _load(agency, kinds=("activities",))
    (before,) = agency.rows("SELECT count(*), min(happened_at) FROM app.activity")
    assert before[0] > 5
    assert before[1] > MOMENT - timedelta(days=92)
    budgets = agency.rows(
        "SELECT old, new FROM app.activity WHERE event_type = 'update_campaign_budget'"
    )
    assert budgets
    assert all(isinstance(o, int) and isinstance(n, int) for o, n in budgets)
    agency.simulator.control("DELETE", "/__calls")
    again = _load(agency, kinds=("activities",))
    # Only the newest days are asked for again, and what came before is known.
    assert (again.rows < before[0], again.changed) == (True, 0)
    assert agency.rows("SELECT count(*) FROM app.activity") == [(before[0],)]


def test_hours_of_a_pixel_are_counted_once(agency: Agency) -> None:
    _load(agency, kinds=("pixels",))
    (first,) = agency.rows("SELECT count(*), sum(events) FROM app.pixel_stat")
    _load(agency, kinds=("pixels",))
    assert agency.rows("SELECT count(*), sum(events) FROM app.pixel_stat") == [first]
    assert agency.rows("SELECT count(*) FROM app.pixel WHERE last_fired_at IS NULL") == [(0,)]


@pytest.mark.parametrize("code", [3, 10, 100, 200])
def test_an_edge_that_is_not_served_is_noted_and_the_rest_goes_on(
    agency: Agency, code: int
) -> None:
    agency.simulator.control(
        "POST", "/__faults",
        {"kind": "error", "match": "act_1001/customaudiences", "count": 100,
         "params": {"code": code, "message": f"(#{code}) No audiences here"}},
    )  # fmt: skip
    report = _load(agency, kinds=("audiences", "pixels"))
    assert report.complete
    (warning,) = report.warnings
    assert "act_1001: audiences is not served" in warning
    assert agency.rows(
        "SELECT account_id, status FROM app.sync_state WHERE kind = 'catalogue:audiences'"
        " ORDER BY 1"
    ) == [(1001, "not_served"), (1002, "ok")]
    assert agency.rows("SELECT count(*) FROM app.pixel") == [(2,)]
    assert agency.rows("SELECT DISTINCT status FROM sec.connection") == [("ok",)]


def test_an_outage_is_a_failure_of_that_kind_only(agency: Agency) -> None:
    agency.simulator.control(
        "POST", "/__faults", {"kind": "unknown", "match": "act_1001/adspixels", "count": 100}
    )
    report = _load(agency, kinds=("audiences", "pixels"))
    assert not report.complete
    assert [a for a, _ in report.failures] == ["act_1001"]
    assert agency.rows("SELECT count(DISTINCT account_id) FROM app.audience") == [(2,)]


def test_what_is_no_longer_listed_has_vanished_and_comes_back(agency: Agency) -> None:
    _load(agency, kinds=("audiences",))
    with agency.engine.begin() as c:
        c.exec_driver_sql(
            "INSERT INTO app.audience (client_id, account_id, audience_id, name, seen_at)"
            " VALUES (1, 1001, 7, 'Old list', now())"
        )
        c.exec_driver_sql("UPDATE app.audience SET vanished_at = now() WHERE account_id = 1002")
    report = _load(agency, kinds=("audiences",))
    assert agency.rows("SELECT audience_id FROM app.audience WHERE vanished_at IS NOT NULL") == [
        (7,)
    ]
    assert report.changed > 1


def test_an_unknown_kind_is_refused(agency: Agency) -> None:
    with pytest.raises(ValueError, match="no catalogue kind 'dreams'"):
        _load(agency, kinds=("dreams",))


def test_objects_are_read_by_what_changed_and_the_deleted_by_their_ids(agency: Agency) -> None:
    whole = refresh_objects(agency.parts())
    assert whole.complete
    assert whole.objects > 20
    agency.sync(SyncRequest(levels=("ad",), with_objects=False))
    nameless = agency.rows("SELECT count(*) FROM app.object WHERE level = 4 AND status IS NULL")
    assert nameless[0][0] > 0
    refresh_objects(agency.parts())
    assert agency.rows("SELECT count(*) FROM app.object WHERE level = 4 AND status IS NULL") == [
        (0,)
    ]
    gone = agency.rows(
        "SELECT vanished_at IS NOT NULL FROM app.object WHERE effective_status = 'DELETED'"
    )
    assert gone
    assert all(g for (g,) in gone)
    part = refresh_objects(agency.parts(), updated_since=MOMENT + timedelta(seconds=1))
    assert (part.complete, part.objects) == (True, 0)
    some = refresh_objects(agency.parts(), "act_1001", datetime(2000, 1, 1, tzinfo=MOMENT.tzinfo))
    assert 0 < some.objects < whole.objects


def test_an_accounts_money_is_kept_and_its_cap_has_a_history(agency: Agency) -> None:
    for cap in ("500000", "800000"):
        agency.simulator.control("POST", "/__accounts", {"account": "1001", "spend_cap": cap})
        refresh_objects(agency.parts(), "act_1001")
    assert agency.rows("SELECT spend_cap_minor FROM app.account WHERE account_id = 1001") == [
        (800_000,)
    ]
    kept = agency.rows(
        "SELECT state -> 'spend_cap_minor' FROM app.object_history"
        " WHERE level = 1 AND object_id = 1001 ORDER BY valid_from"
    )
    assert [k for (k,) in kept][-2:] == [500_000, 800_000]
    # What is spent moves all day and is no change of the account.
    agency.simulator.control("POST", "/__accounts", {"account": "1001", "amount_spent": "1"})
    refresh_objects(agency.parts(), "act_1001")
    assert len(kept) == len(
        agency.rows("SELECT 1 FROM app.object_history WHERE level = 1 AND object_id = 1001")
    )


def test_an_issue_of_an_object_is_there_to_read(agency: Agency) -> None:
    ad = agency.simulator.truth(account=1001, level="ad", since="2026-11-20", until="2026-11-20")
    agency.simulator.control("POST", "/__objects", {"id": ad[0]["id"], "state": "DISAPPROVED"})
    refresh_objects(agency.parts(), "act_1001")
    stored = agency.rows(
        "SELECT effective_status, extra ? 'issues_info', extra ? 'ad_review_feedback'"
        " FROM app.object WHERE level = 4 AND object_id = :id", id=int(ad[0]["id"]),
    )  # fmt: skip
    assert stored == [("DISAPPROVED", True, True)]
