"""Numbers: the workbench's, to the last digit, page by page; money beside its currency."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from adlab.storage.access import create_credential
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench
from tests.web.api.conftest import CAMPAIGN, Api, problem

METRICS = ("spend", "impressions", "clicks", "ctr", "cpc", "cpm", "purchases", "roas", "cpa")


@pytest.fixture(scope="module")
def lab(shared_api: Api) -> Iterator[Workbench]:
    """The analyst's notebook on the same store."""
    with transaction(shared_api.engine) as connection:
        login, password = create_credential(connection, "Nan Analyst")
    reader = LoginReader(libpq_url(shared_api.engine.url.set(username=login, password=password)))
    yield Workbench(reader)
    reader.close()


def pages(api: Api, path: str, limit: int) -> list[dict[str, Any]]:
    """All rows of a listing, read in pages."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(500):
        found = api(f"{path}&limit={limit}{cursor}").json()
        assert len(found["data"]) <= limit
        rows += found["data"]
        if found["next"] is None:
            return rows
        cursor = f"&cursor={found['next']}"
    raise AssertionError("pages without an end")


def same(one: float | None, other: float) -> bool:
    """Whether a number of JSON is one of a frame; null is what is not known."""
    return one is None if other is None or math.isnan(other) else one == other


@pytest.mark.parametrize("level", ["account", "campaign"])
@pytest.mark.parametrize("increment", [1, 7, "monthly", "all_days"])
@pytest.mark.parametrize("client", ["nordlicht", "atelier"])
def test_numbers_are_those_of_the_workbench(
    api: Api, lab: Workbench, level: str, increment: Any, client: str
) -> None:
    frame = lab.insights(client, level=level, last="30d", time_increment=increment, metrics=METRICS)
    path = f"/insights?client={client}&level={level}&last=30d&time_increment={increment}"
    rows = pages(api, f"{path}&metrics={','.join(METRICS)}", 23)
    assert len(rows) == len(frame) > 0
    for row in rows:
        number = row["object_id"].removeprefix("act_")
        if increment == "all_days":
            line = frame.loc[number]
        else:
            line = frame.loc[(row["date_start"], number)]
        assert row["name"] == line[f"{level}_name"]
        for name in METRICS:
            assert same(row["metrics"][name], line[name]), (row, name)


def test_a_summary_is_the_workbenchs_total(api: Api, lab: Workbench) -> None:
    total = lab.insights("nordlicht", level="account", last="14d", metrics=METRICS).total()
    found = api(f"/accounts/1001/summary?last=14d&metrics={','.join(METRICS)}").json()
    assert found["currency"] == "EUR"
    for name in METRICS:
        assert found["metrics"][name] == pytest.approx(total[name], rel=1e-12), name


def test_currencies_stay_apart(api: Api) -> None:
    """A client with accounts in three currencies gets rows of each, and no sum."""
    rows = api("/insights?client=atelier&level=account&time_increment=all_days").json()["data"]
    assert {(r["account_id"], r["currency"]) for r in rows} == {
        ("act_3001", "USD"), ("act_3002", "EUR"), ("act_3003", "USD")
    }  # fmt: skip


@pytest.mark.parametrize("limit", [1, 7, 12, 13, 500, 5000])
def test_pages_hold_each_row_once_in_order(api: Api, limit: int) -> None:
    path = "/insights?client=nordlicht&level=campaign&last=7d&metrics=spend"
    rows = pages(api, path, limit)
    keys = [(r["date_start"], int(r["object_id"])) for r in rows]
    assert keys == sorted(set(keys))
    assert keys == [
        (r["date_start"], int(r["object_id"])) for r in api(f"{path}&limit=5000").json()["data"]
    ]


def test_pages_of_one_object_follow_its_days(api: Api) -> None:
    path = f"/insights?level=campaign&object_id={CAMPAIGN}&last=30d&metrics=spend"
    rows = pages(api, path, 4)
    assert len({r["date_start"] for r in rows}) == len(rows) == 30
    assert {r["object_id"] for r in rows} == {str(CAMPAIGN)}


def test_a_cursor_of_another_question_is_refused(api: Api) -> None:
    path = "/insights?client=nordlicht&level=campaign&limit=3"
    cursor = api(f"{path}&last=7d").json()["next"]
    assert api(f"{path}&last=7d&cursor={cursor}").status_code == 200
    for other in ("last=7d&time_increment=all_days", "since=2026-01-01&until=2026-01-31"):
        answer = api(f"{path}&{other}&cursor={cursor}")
        assert answer.status_code == 422
        assert "cursor" in problem(answer)["detail"]


def test_reach_is_refused_where_people_would_be_added(api: Api) -> None:
    answer = api("/insights?level=campaign&metrics=reach&time_increment=7")
    assert answer.status_code == 422
    assert "does not add up" in problem(answer)["detail"]
    assert api("/insights?level=campaign&metrics=reach").status_code == 200
    assert api("/accounts/1001/summary?metrics=frequency").status_code == 422


def test_what_only_campaigns_know_of_people_is_not_made_the_accounts(api: Api) -> None:
    """The account has no row of its own, so its reach is unknown, and so is what needs it."""
    found = api("/accounts/1001/summary?last=yesterday&metrics=spend,reach,frequency,cpp").json()
    assert found["metrics"]["spend"] > 0
    assert {found["metrics"][n] for n in ("reach", "frequency", "cpp")} == {None}


def test_unknown_is_null_and_not_zero(api: Api) -> None:
    found = api("/accounts/1001/summary?since=2020-01-01&until=2020-01-31").json()
    assert set(found["metrics"].values()) == {None}


def test_live_answers_304_until_something_changed(api: Api) -> None:
    first = api("/accounts/1001/live")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, max-age=30"
    assert first.json()["metrics"]["spend"] > 0
    again = api("/accounts/1001/live", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    with transaction(api.engine) as connection:
        from sqlalchemy import text

        connection.execute(
            text("UPDATE app.sync_state SET changed_at = now() WHERE account_id = 1001")
        )
    changed = api("/accounts/1001/live", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_ids_are_text_and_budgets_exact(api: Api) -> None:
    (first, *_) = api("/accounts/1001/campaigns").json()["data"]
    assert first["id"] == str(CAMPAIGN)
    assert (first["daily_budget"], first["lifetime_budget"], first["currency"]) == (
        "25.00", None, "EUR"
    )  # fmt: skip


def test_objects_are_listed_below_their_parents(api: Api) -> None:
    sets = api(f"/campaigns/{CAMPAIGN}/adsets").json()["data"]
    assert [s["name"] for s in sets] == ["Set 0", "Set 2", "Set 4"]
    ads = pages(api, f"/adsets/{sets[0]['id']}/ads?status=ACTIVE", 2)
    assert [a["name"] for a in ads] == ["Ad 0", "Ad 1", "Ad 2"]
    assert {a["adset_id"] for a in ads} == {sets[0]["id"]}
    assert api(f"/adsets/{sets[0]['id']}/ads?status=PAUSED").json()["data"] == []


def test_each_call_is_in_the_log_once_a_minute_with_its_client(api: Api) -> None:
    before = len(api.audit("api.call"))
    token = api.token(fresh=True)
    for _ in range(5):
        assert api("/accounts/1001/summary", token=token).status_code == 200
    assert api("/accounts/9999/summary", token=token).status_code == 404
    found = api.audit("api.call")[before:]
    call = "GET /api/v1/accounts/{account_id}/summary"
    assert [e["details"].get("calls") for e in found if e["details"]["call"] == call] == [None, 5]
    assert {e["actor"] for e in found} == {"Nan Analyst"}
    assert {e["client_id"] for e in found} == {api.seeded.clients["nordlicht"]}
