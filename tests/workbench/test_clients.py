"""Clients and their objects as a person sees them: ids as text, budgets in major units."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level, public_id
from adlab.core.errors import UnknownObjectError
from adlab.storage import clients, objects
from adlab.storage.engine import connect_engine, transaction
from adlab.storage.tenancy import Reader
from adlab.workbench import Workbench

from .conftest import ALPHA, CONTROL, NOW, TEST


def test_the_list_of_clients(lab: Workbench) -> None:
    f = lab.clients()
    assert f.index.name == "client_id"
    assert list(f.columns) == [
        "name", "accounts", "currency", "timezone", "spend_30d", "connection", "last_sync",
        "status",
    ]  # fmt: skip
    assert sorted(f.index) == ["acme", "filed", "mixed", "newco", "tokyo"]
    acme = f.loc["acme"]
    assert (acme["name"], acme["accounts"], acme["currency"]) == ("Acme Europe", 1, "EUR")
    assert (acme["timezone"], acme["connection"]) == ("Europe/Berlin", "not connected")
    assert acme["last_sync"] is not None


def test_spend_of_thirty_days_is_unknown_in_two_currencies_and_zero_without_rows(
    lab: Workbench,
) -> None:
    spend = lab.clients()["spend_30d"]
    assert (spend["acme"], spend["tokyo"], spend["newco"]) == (132.5, 1980.0, 0.0)
    assert pd.isna(spend["mixed"])
    assert lab.clients().loc["mixed", "currency"] == "EUR, USD"
    assert lab.clients().loc["newco", "currency"] == "CHF"


@pytest.mark.parametrize(
    ("search", "found"),
    [("ACME", ["acme"]), ("ltd", ["mixed"]), ("スイーツ", ["tokyo"]), ("new", ["newco"]),
     ("zzz", []), ("", ["acme", "filed", "mixed", "newco", "tokyo"])],
)  # fmt: skip
def test_clients_are_searched_by_name_and_slug(
    lab: Workbench, search: str, found: list[str]
) -> None:
    assert sorted(lab.clients(search=search).index) == found


def test_clients_of_another_status_are_left_out(lab: Workbench) -> None:
    assert lab.clients(status="archived").empty
    assert len(lab.clients(status=None)) == 5


def test_a_client_knows_its_name_and_timezones(lab: Workbench) -> None:
    mixed = lab.client("mixed")
    assert repr(mixed) == "Client('mixed', 'Mixed Ltd')"
    assert mixed.timezones == ("America/New_York", "Europe/Berlin")
    assert mixed.settled_through(NOW) == "2026-10-23"
    assert lab.client("newco").timezones == ("Europe/Zurich",)


def test_an_unknown_client_lists_those_you_may_see(ann: Workbench, eve: Workbench) -> None:
    with pytest.raises(UnknownObjectError) as caught:
        ann.client("nobody")
    assert str(caught.value) == (
        "There is no client 'nobody' that you may see. You may see: acme, filed."
    )
    with pytest.raises(UnknownObjectError, match="none; ask an admin for a grant"):
        eve.client("acme")


def test_a_client_not_granted_reads_like_one_that_does_not_exist(ann: Workbench) -> None:
    told = []
    for slug in ("tokyo", "zzzzz"):
        with pytest.raises(UnknownObjectError) as caught:
            ann.client(slug)
        told.append(str(caught.value).replace(slug, "…"))
    assert told[0] == told[1]


def test_accounts_of_a_client(lab: Workbench) -> None:
    f = lab.client("mixed").accounts()
    assert f.index.name == "account_id"
    known = ["name", "currency", "timezone", "status", "source"]
    assert f[known].to_dict("index") == {
        "2001": {"name": "Mixed US", "currency": "USD", "timezone": "America/New_York",
                 "status": "active", "source": "meta"},
        "2002": {"name": "Mixed EU", "currency": "EUR", "timezone": "Europe/Berlin",
                 "status": "active", "source": "meta"},
    }  # fmt: skip
    # What Meta never told is unknown, not zero.
    assert f["amount_spent"].isna().all()
    assert lab.client("newco").accounts().empty


def test_campaigns_with_budgets_in_major_units(lab: Workbench) -> None:
    f = lab.client("acme").campaigns()
    assert f.index.tolist() == [str(ALPHA), "12"]
    assert f.columns[0] == "name"
    assert "campaign_id" not in f
    assert f["daily_budget"].iloc[0] == 50.0
    assert pd.isna(f["daily_budget"].iloc[1])
    assert f["account_id"].tolist() == ["1001", "1001"]
    assert lab.client("tokyo").campaigns()["daily_budget"].tolist() == [5000.0]


@pytest.mark.parametrize(
    ("status", "names"),
    [("ACTIVE", ["Alpha"]), (["ACTIVE", "PAUSED"], ["Alpha", "Beta"]), ("ARCHIVED", []), ([], [])],
)
def test_objects_of_some_statuses(
    lab: Workbench, status: str | list[str], names: list[str]
) -> None:
    assert lab.client("acme").campaigns(status)["name"].tolist() == names


def test_ad_sets_name_their_campaign_with_every_digit(lab: Workbench) -> None:
    f: Any = lab.client("acme").adsets()
    assert f.index.name == "adset_id"
    assert list(f.columns[:3]) == ["name", "campaign_id", "campaign_name"]
    assert f.loc["21", "campaign_id"] == "120208888888880123"
    assert f.loc["21", "campaign_name"] == "Alpha"
    assert f.loc["21", "lifetime_budget"] == 1234.56
    assert f.loc["22", "campaign_id"] is None or pd.isna(f.loc["22", "campaign_id"])


def test_ads_name_both_parents(lab: Workbench) -> None:
    f = lab.client("acme").ads("ACTIVE")
    assert list(f.columns[:5]) == [
        "name", "campaign_id", "campaign_name", "adset_id", "adset_name",
    ]  # fmt: skip
    assert f.iloc[0, :5].tolist() == ["Ad 1", str(ALPHA), "Alpha", "21", "Set 1"]


def test_creatives(lab: Workbench) -> None:
    f = lab.client("acme").creatives()
    assert (f.index.name, f.index.tolist(), f["name"].tolist()) == (
        "creative_id", ["41"], ["Creative 1"],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["campaigns", "adsets", "ads", "creatives"])
def test_a_client_without_objects_has_empty_frames_with_columns(lab: Workbench, kind: str) -> None:
    f = getattr(lab.client("newco"), kind)()
    assert f.empty
    objects = {"name", "status", "currency", "daily_budget", "created_at"}
    creatives = {"name", "status", "body", "image_hash", "asset_feed_spec"}
    assert (creatives if kind == "creatives" else objects) <= set(f.columns)


def test_imported_objects_have_ids_of_their_own_kind(lab: Workbench) -> None:
    f = lab.client("filed").campaigns()
    assert set(f.index) == {public_id(CONTROL), public_id(TEST)}
    assert all(i.startswith("imp_") for i in f.index)
    kept = lab.insights("filed", filters={"campaign_id": public_id(CONTROL)}, metrics=("spend",))
    assert set(kept["campaign_name"]) == {"Control"}
    assert kept["spend"].sum() == 400.0


def test_insights_of_a_client_are_the_workbenchs(lab: Workbench) -> None:
    ours = lab.client("acme").insights(last="7d", metrics=("spend",))
    pd.testing.assert_frame_equal(ours, lab.insights("acme", last="7d", metrics=("spend",)))


def test_history_tells_field_by_field_what_changed(owner_engine: Engine, database_url: str) -> None:
    def put(**changed: object) -> None:
        with transaction(owner_engine) as c:
            found = AdObject(
                Level.CAMPAIGN,
                12,
                **{"name": "Beta", "status": "ACTIVE", **changed},  # type: ignore[arg-type]
            )
            objects.store_objects(c, client.client_id, 1001, [found])

    with transaction(owner_engine) as c:
        client = clients.store_client(c, "Acme", "acme", "EUR", "UTC")
        info = AccountInfo(AccountId(1001), "A", "EUR", "UTC", 1)
        objects.store_account(c, info, client.client_id)
    put(daily_budget_minor=5000)
    put(daily_budget_minor=5000)
    put(daily_budget_minor=7500, status="PAUSED")
    lab = Workbench(Reader(connect_engine(database_url)), now=lambda: NOW)
    frame = lab.client("acme").history("campaign", "12")
    lab.reader.close()
    assert list(frame.columns) == ["valid_from", "valid_to", "field", "old", "new"]
    changes = {(r.field, r.old, r.new) for r in frame.itertuples() if r.old is not None}
    assert ("status", "ACTIVE", "PAUSED") in changes
    assert ("daily_budget_minor", 5000, 7500) in changes
    assert len(changes) == 2
    assert frame["valid_from"].iloc[0].tzinfo is not None
    assert pd.isna(frame["valid_to"].iloc[-1])


def test_an_object_without_history_is_an_empty_frame(lab: Workbench) -> None:
    assert lab.client("acme").history("ad", "999").empty
    with pytest.raises(ValueError, match="levels are"):
        lab.client("acme").history("adgroup", "1")
    with pytest.raises(ValueError, match="is not an identifier"):
        lab.client("acme").history("ad", "Ad 1")
