"""Proposals: checked as a change would be, kept, shown to the client's people, sent to nobody."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from adlab.core.errors import AccessDeniedError, AdlabError
from adlab.storage.engine import transaction
from tests.web.api.conftest import AD, ADSET, CAMPAIGN, Api, problem

PROPOSE = ("read", "propose")


def propose(api: Api, person: str = "Nan Analyst", **body: Any) -> httpx.Response:
    """Propose something."""
    given = {"reason": "because", "object_id": str(CAMPAIGN), **body}
    return api("/changesets", method="POST", token=api.token(person, PROPOSE), json=given)


def _count(api: Api, table: str) -> int:
    with transaction(api.engine) as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM app.{table}")) or 0)


def test_a_proposal_is_kept_and_nothing_is_sent(api: Api) -> None:
    answer = propose(api, kind="budget", amount="30.5")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/changesets/{made['id']}"
    assert (made["state"], made["before"], made["wanted"]) == (
        "proposed", {"daily_budget": "25.00"}, {"daily_budget": "30.50"}
    )  # fmt: skip
    assert (made["proposed_by"], made["client"]) == ("Nan Analyst", "nordlicht")
    assert api(f"/changesets/{made['id']}").json() == made
    assert made in api("/changesets").json()["data"]
    assert _count(api, "change_journal") == 0
    (entry,) = api.audit("change.proposed")[-1:]
    assert entry["actor"] == "Nan Analyst"
    assert entry["details"]["proposal_id"] == int(made["id"])


def test_a_newer_proposal_takes_the_place_of_the_older(api: Api) -> None:
    first = propose(api, kind="budget", amount="31").json()
    second = propose(api, kind="budget", amount="32").json()
    assert api(f"/changesets/{first['id']}").json()["state"] == "replaced"
    open_ones = [c["id"] for c in api("/changesets?state=proposed").json()["data"]
                 if c["kind"] == "budget" and c["object_id"] == str(CAMPAIGN)]  # fmt: skip
    assert open_ones == [second["id"]]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"kind": "status", "status": "ACTIVE"}, 409, "so already"),
        ({"kind": "budget", "amount": "25.00"}, 409, "so already"),
        ({"kind": "budget", "amount": "9", "period": "lifetime"}, 409, "has a daily budget"),
        ({"kind": "budget", "amount": "9", "currency": "USD"}, 409, "is in EUR"),
        ({"kind": "budget", "amount": "0"}, 422, "above zero"),
        ({"kind": "budget", "amount": "9", "object_id": str(CAMPAIGN + 1)}, 409, "no budget"),
        ({"kind": "budget", "amount": "9", "object_id": str(ADSET)}, 409, "lies on its campaign"),
        ({"kind": "budget", "amount": "9", "object_id": str(AD)}, 409, "does not fit the level"),
        ({"kind": "budget", "amount": "-9"}, 422, "errors"),
        ({"kind": "budget", "amount": "1e3"}, 422, "errors"),
        ({"kind": "budget", "amount": 9.5}, 422, "errors"),
        ({"kind": "status", "status": "DELETED"}, 422, "errors"),
        ({"kind": "delete"}, 422, "errors"),
        ({"kind": "status", "status": "PAUSED", "reason": ""}, 422, "errors"),
        ({"kind": "status", "status": "PAUSED", "reason": "x" * 501}, 422, "errors"),
        ({"kind": "status", "status": "PAUSED", "reason": "nul \0"}, 422, "errors"),
        ({"kind": "status", "status": "PAUSED", "more": 1}, 422, "errors"),
        ({"kind": "status", "status": "PAUSED", "object_id": "9" * 40}, 422, "errors"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_not_kept(
    api: Api, body: dict[str, Any], status: int, words: str
) -> None:
    before = _count(api, "change_proposal")
    answer = propose(api, **body)
    assert answer.status_code == status, answer.text
    assert words in problem(answer)["detail"]
    assert _count(api, "change_proposal") == before


def test_yen_have_no_decimals(api: Api) -> None:
    with transaction(api.engine) as connection:
        connection.execute(text(
            "UPDATE app.object SET daily_budget_minor = 5000 WHERE object_id = 2001000000"
        ))  # fmt: skip
    body = {"kind": "budget", "object_id": "2001000000"}
    assert propose(api, "Tom Tokyo", **body, amount="5000.50").status_code == 422
    made = propose(api, "Tom Tokyo", **body, amount="6000").json()
    assert (made["before"], made["wanted"]) == (
        {"daily_budget": "5000"}, {"daily_budget": "6000"}
    )  # fmt: skip


def test_a_grant_that_only_looks_does_not_propose(api: Api) -> None:
    """The analyst is a client viewer at this client, and the database knows."""
    answer = propose(api, kind="status", status="PAUSED", object_id="3001000000")
    assert answer.status_code == 403
    assert "Your role on this client" in problem(answer)["detail"]


def test_objects_from_files_are_not_changed(api: Api) -> None:
    row = api("/insights?client=atelier&level=campaign&last=30d&time_increment=all_days").json()
    imported = next(r["object_id"] for r in row["data"] if r["account_id"] == "act_3003")
    answer = api(f"/api/meta/campaigns/{imported}/status", method="POST",
                 token=api.token(scopes=PROPOSE), json={"status": "PAUSED"})  # fmt: skip
    assert answer.status_code == 409
    assert "came from a file" in problem(answer)["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "delete", "change": {}}, {"kind": "status", "change": {"status": "DELETED"}},
        {"kind": "budget", "change": {"period": "daily", "amount": "-1"}},
        {"kind": "budget", "change": {"period": "daily", "amount": "0"}},
        {"kind": "budget", "change": {"period": "daily"}}, {"kind": "status", "change": None},
        {"kind": "status", "change": {"status": "PAUSED"}, "account_id": 2001,
         "object_id": 2001000000},
        {"kind": "status", "change": {"status": "PAUSED"}, "object_id": 1},
        {"kind": "status", "change": {"status": "PAUSED"}, "reason": "x" * 9000},
    ],
)  # fmt: skip
def test_the_database_itself_keeps_no_nonsense(api: Api, wrong: dict[str, Any]) -> None:
    """Whoever calls the function in SQL gets no further than through the API."""
    import json

    caller = api.parts.gate.viewers.find_named("nan-analyst")
    assert caller is not None
    what = {"account_id": 1001, "object_id": CAMPAIGN, "reason": "r", **wrong}
    before = _count(api, "change_proposal")
    with pytest.raises(AdlabError):
        api.parts.gate.viewers.reader(caller).call("api_propose", what=json.dumps(what))
    assert _count(api, "change_proposal") == before


def test_viewers_do_not_propose_in_the_database_either(api: Api) -> None:
    import json

    viewer = api.parts.gate.viewers.find_named("nora-client")
    assert viewer is not None
    what = {"account_id": 1001, "object_id": CAMPAIGN, "kind": "status", "reason": "r",
            "change": {"status": "PAUSED"}}  # fmt: skip
    with pytest.raises(AccessDeniedError):
        api.parts.gate.viewers.reader(viewer).call("api_propose", what=json.dumps(what))


def test_strategies_say_that_they_are_not_there(api: Api) -> None:
    before = _count(api, "change_proposal")
    token = api.token(scopes=PROPOSE)
    answers = [
        api("/strategies:generate", method="POST", token=token, json={"account_id": "act_1001"}),
        api("/strategies/17:propose", method="POST", token=token),
        api("/api/meta/strategies/1001", token=token),
        api("/api/meta/strategies/execute", method="POST", token=token),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert problem(answer)["type"] == "urn:adlab:problem:not-available"
    assert _count(api, "change_proposal") == before
