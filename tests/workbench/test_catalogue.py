"""What stands beside the ads, as frames of one client, and the words for what Meta has not."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import MOMENT, Agency
from tests.workbench.conftest import _login

from adlab.core.roles import Role
from adlab.services.catalogue import CatalogueRequest, refresh_catalogue, refresh_objects
from adlab.storage import access
from adlab.storage.engine import transaction
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench


@pytest.fixture
def agency(owner_engine: Engine, simulator: Simulator) -> Agency:
    return Agency(owner_engine, simulator)


@pytest.fixture
def lab(agency: Agency) -> Iterator[Workbench]:
    with transaction(agency.engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        access.grant(c, "ann", "tokyo", Role.ANALYST)
    lab = Workbench(LoginReader(_login(agency.engine, "ann")), now=lambda: MOMENT)
    yield lab
    lab.close()


def _load(agency: Agency) -> None:
    refresh_objects(agency.parts())
    refresh_catalogue(agency.parts(), CatalogueRequest())


def test_each_kind_is_a_frame_of_this_client_only(agency: Agency, lab: Workbench) -> None:
    _load(agency)
    tokyo = lab.client("tokyo")
    frames = {
        "audiences": tokyo.audiences(), "activities": tokyo.activities(last="90d"),
        "recommendations": tokyo.recommendations(), "pixels": tokyo.pixels(),
        "creatives": tokyo.creatives(),
    }  # fmt: skip
    for name, frame in frames.items():
        assert len(frame) > 0, name
        assert set(frame["account_id"]) == {"1002"}, name
        assert frame.attrs["not_served"] == {}
        assert frame.attrs["as_of"]
    assert frames["audiences"].index.name == "audience_id"
    assert frames["creatives"]["object_story_spec"].notna().all()
    assert tokyo.issues().empty
    assert list(tokyo.issues().columns)[:3] == ["level", "name", "source"]
    changes = frames["activities"]
    assert str(changes.index.dtype).startswith("datetime64")
    assert changes.index.is_monotonic_decreasing
    only = tokyo.activities(last="90d", event_type="update_campaign_budget")
    assert set(only["event_type"]) == {"update_campaign_budget"}
    assert (only["old"] != only["new"]).all()


def test_issues_of_an_ad_come_from_all_three_places(agency: Agency, lab: Workbench) -> None:
    ad = agency.simulator.truth(account=1002, level="ad", since="2026-11-20", until="2026-11-20")
    agency.simulator.control("POST", "/__objects", {"id": ad[0]["id"], "state": "DISAPPROVED"})
    _load(agency)
    found = lab.client("tokyo").issues()
    assert set(found.index) == {ad[0]["id"]}
    assert set(found["source"]) == {"issue", "delivery check", "review"}
    assert found["message"].notna().all()


def test_a_pixels_events_are_counted_by_day_and_hour(agency: Agency, lab: Workbench) -> None:
    _load(agency)
    tokyo = lab.client("tokyo")
    days, hours = tokyo.pixel_events(), tokyo.pixel_events(by="hour")
    pd.testing.assert_series_equal(days.sum(), hours.sum())
    assert days.sum().sum() > 0
    assert days.attrs["timezone"] == "Asia/Tokyo"
    (pixel,) = tokyo.pixels().itertuples()
    assert 0 <= pixel.silent_hours < 1
    assert pixel.events_24h > 0
    with pytest.raises(ValueError, match="neither 'hour' nor 'day'"):
        tokyo.pixel_events(by="week")


def test_an_account_shows_its_money_in_major_units(agency: Agency, lab: Workbench) -> None:
    agency.simulator.control(
        "POST", "/__accounts", {"account": "1002", "spend_cap": "500000", "amount_spent": "1234"}
    )
    _load(agency)
    (account,) = lab.client("tokyo").accounts().itertuples()
    assert (account.spend_cap, account.amount_spent) == (500_000.0, 1234.0)
    assert (account.prepay, account.status) == (False, "active")


def test_what_is_not_served_or_not_read_says_so(agency: Agency, lab: Workbench) -> None:
    tokyo = lab.client("tokyo")
    assert tokyo.audiences().attrs["remedy"].endswith("adlab sync --client tokyo --catalogue")
    agency.simulator.control(
        "POST", "/__faults",
        {"kind": "no_app_permission", "match": "act_1002/customaudiences", "count": 100},
    )  # fmt: skip
    _load(agency)
    frame = tokyo.audiences()
    assert frame.empty
    assert "does not have permission" in frame.attrs["not_served"]["1002"]
