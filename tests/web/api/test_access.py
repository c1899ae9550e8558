"""Whose data: foreign and missing things read the same, in paths, queries and bodies."""

from __future__ import annotations

import re
import time
from statistics import median
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from adlab.core.errors import AccessDeniedError
from adlab.core.roles import Role
from adlab.storage import access
from adlab.storage.engine import transaction
from tests.web.api.conftest import AD, ADSET, ALL_SCOPES, CAMPAIGN, Api, problem

FOREIGN_CAMPAIGN = 2001_000_000
NOBODYS = 9_999_000_000

# What is asked, with the foreign thing and the missing one in the same place.
PAIRS = [
    ("/clients/{}", "tokyo", "nowhere"),
    ("/clients/{}/accounts", "tokyo", "nowhere"),
    ("/clients/{}/freshness", "tokyo", "nowhere"),
    ("/clients/{}/connections", "tokyo", "nowhere"),
    ("/accounts/{}", "act_2001", "act_9999"),
    ("/accounts/{}/summary", "2001", "9999"),
    ("/accounts/{}/campaigns", "2001", "9999"),
    ("/accounts/{}/live", "2001", "9999"),
    ("/campaigns/{}/adsets", FOREIGN_CAMPAIGN, NOBODYS),
    ("/adsets/{}/ads", FOREIGN_CAMPAIGN, NOBODYS),
    ("/connections/{}/health", 1, 999),
    ("/connections/{}/identity", 1, 999),
    ("/changesets/{}", 1, 999),
    ("/insights?client={}", "tokyo", "nowhere"),
    ("/insights?level=campaign&object_id={}", FOREIGN_CAMPAIGN, NOBODYS),
    ("/insights?level=account&object_id={}", 2001, 9999),
    ("/changesets?client={}", "tokyo", "nowhere"),
    ("/audit?client={}", "tokyo", "nowhere"),
    ("/api/meta/performance/{}", "2001", "9999"),
    ("/api/meta/campaigns/{}", "2001", "9999"),
    ("/api/meta/insights/{}", FOREIGN_CAMPAIGN, NOBODYS),
    ("/api/meta/insights/{}", "act_2001", "act_9999"),
    ("/api/meta/realtime/{}", "2001", "9999"),
    ("/api/meta/ad-sets/{}", FOREIGN_CAMPAIGN, NOBODYS),
    ("/api/meta/ads/{}", FOREIGN_CAMPAIGN, NOBODYS),
    ("/api/meta/strategies/{}", "2001", "9999"),
    ("/api/meta/ad-accounts?client={}", "tokyo", "nowhere"),
    ("/api/meta/validate-token?connection_id={}", 1, 999),
    ("/api/meta/user-info?connection_id={}", 1, 999),
]
POSTS: list[tuple[str, str, Any, Any]] = [
    ("/changesets", "object_id", str(FOREIGN_CAMPAIGN), str(NOBODYS)),
    ("/strategies:generate", "account_id", "2001", "9999"),
    ("/oauth/meta/start", "client", "tokyo", "nowhere"),
    ("/api/meta/auth", "client", "tokyo", "nowhere"),
]


@pytest.fixture(autouse=True)
def foreign_things(api: Api) -> None:
    """A connection and a proposal of the other client."""
    with transaction(api.engine) as c:
        if c.scalar(text("SELECT count(*) FROM sec.connection")) == 0:
            c.execute(
                text("INSERT INTO sec.connection (client_id, token_sealed, meta_user_name) "
                     "SELECT client_id, 'x', 'Toru' FROM app.client WHERE slug = 'tokyo'")
            )  # fmt: skip
            c.execute(text(
                "INSERT INTO app.change_proposal (client_id, account_id, level, object_id, kind, "
                "change, before, wanted, reason, proposed_by) SELECT client_id, 2001, 2, "
                "2001000000, 'status', '{\"status\":\"PAUSED\"}', '{}', '{}', 'secret plan', "
                "'Tom Tokyo' FROM app.client WHERE slug = 'tokyo'"
            ))  # fmt: skip


def _bare(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """An answer without the number of its request and what counts calls."""
    body = re.sub(rb"urn:adlab:request:[0-9a-f]+", b"", answer.content)
    kept = {k: v for k, v in answer.headers.items()
            if k not in ("x-request-id", "ratelimit-remaining", "ratelimit-reset")}  # fmt: skip
    return answer.status_code, body, kept


@pytest.mark.parametrize(("path", "foreign", "missing"), PAIRS)
def test_foreign_and_missing_read_the_same(
    api: Api, path: str, foreign: object, missing: object
) -> None:
    token = api.token(scopes=ALL_SCOPES)
    one, other = (api(path.format(x), token=token) for x in (foreign, missing))
    assert _bare(one) == _bare(other)
    assert one.status_code == 404 or one.json()["data"] == []
    # It is there, for whoever may see it; so the test would notice a leak.
    owner = api(path.format(foreign), token=api.token("Ana Weiss", ALL_SCOPES))
    assert owner.status_code in (200, 409) or "adsets/" in path or "meta/ads/" in path


@pytest.mark.parametrize(("path", "field", "foreign", "missing"), POSTS)
def test_foreign_and_missing_read_the_same_in_bodies(
    api: Api, path: str, field: str, foreign: str, missing: str
) -> None:
    token = api.token(scopes=ALL_SCOPES)
    more = {"kind": "status", "status": "PAUSED", "reason": "r"} if "change" in path else {}
    one, other = (
        api(path, method="POST", token=token, json={field: x, **more}) for x in (foreign, missing)
    )
    assert _bare(one) == _bare(other)
    assert one.status_code == 404


@pytest.mark.parametrize("what", ["status", "budget"])
def test_foreign_and_missing_read_the_same_in_aliases_that_write(api: Api, what: str) -> None:
    token = api.token(scopes=ALL_SCOPES)
    wish = {"status": "PAUSED"} if what == "status" else {"daily_budget": "10.00"}
    one, other = (
        api(f"/api/meta/campaigns/{x}/{what}", method="POST", token=token, json=wish)
        for x in (FOREIGN_CAMPAIGN, NOBODYS)
    )
    assert _bare(one) == _bare(other)
    assert one.status_code == 404


def test_time_tells_nothing_of_what_is_there(api: Api) -> None:
    """Medians of interleaved asks, so that a busy machine slows both."""
    took: dict[int, list[float]] = {2001: [], 9999: []}
    for _ in range(60):
        for number, times in took.items():
            began = time.perf_counter()
            api(f"/accounts/{number}/summary")
            times.append(time.perf_counter() - began)
    one, other = median(took[2001]), median(took[9999])
    assert abs(one - other) < 0.5 * min(one, other)


def test_no_answer_names_another_client(api: Api) -> None:
    """All that a token of one client can list, searched for words of the others."""
    token = api.token("Nan Analyst", ALL_SCOPES, ("nordlicht",))
    paths = [
        "/me", "/clients", "/insights", "/insights?level=campaign&limit=5000&last=30d",
        "/changesets", "/audit?limit=5000", "/accounts/1001/campaigns?limit=5000",
        "/api/meta/ad-accounts", "/clients/nordlicht/accounts", "/clients/nordlicht/freshness",
        "/clients/nordlicht/connections",
    ]  # fmt: skip
    for path in paths:
        answer = api(path, token=token)
        assert answer.status_code == 200, answer.text
        for word in ("tokyo", "atelier", "Toru", "newcomer", "act_2001", "act_300", "secret plan"):
            assert word not in answer.text, (path, word)


def test_a_client_list_narrows_and_never_widens(api: Api) -> None:
    narrowed = api.token("Nan Analyst", clients=("nordlicht",))
    assert api("/me", token=narrowed).json()["clients"] == ["nordlicht"]
    assert api("/clients/atelier", token=narrowed).status_code == 404
    assert api("/accounts/3001", token=narrowed).status_code == 404
    assert {r["account_id"] for r in api("/insights", token=narrowed).json()["data"]} == {
        "act_1001"
    }
    with pytest.raises(AccessDeniedError, match="does not see client 'tokyo'"):
        api.token("Nan Analyst", clients=("tokyo",))


@pytest.mark.parametrize("path", ["/insights", "/insights?level=campaign&object_id=1001000000"])
def test_a_client_list_holds_in_every_query_that_names_objects(api: Api, path: str) -> None:
    token = api.token("Export", clients=("tokyo",))
    rows = api(path, token=token).json()["data"]
    assert {r["client"] for r in rows} <= {"tokyo"}
    assert api(f"/campaigns/{CAMPAIGN}/adsets", token=token).status_code == 404


def test_a_grant_that_ends_shows_nothing_at_once(api: Api) -> None:
    """What the API remembers for seconds never shows what the database no longer does."""
    with transaction(api.engine) as c:
        access.grant(c, "Tom Tokyo", "newcomer", Role.ANALYST)
        access.grant(c, "Tom Tokyo", "nordlicht", Role.ANALYST)
    token = api.token("Tom Tokyo")
    assert "nordlicht" in api("/me", token=token).json()["clients"]
    with transaction(api.engine) as c:
        c.execute(text(
            "DELETE FROM sec.access a USING sec.person p, app.client c "
            "WHERE a.person_id = p.person_id AND c.client_id = a.client_id "
            "AND p.name = 'Tom Tokyo' AND c.slug IN ('nordlicht', 'newcomer')"
        ))  # fmt: skip
    for path in ("/accounts/1001", "/accounts/1001/summary", f"/campaigns/{CAMPAIGN}/adsets"):
        assert api(path, token=token).status_code == 404
    rows = api("/insights?level=campaign", token=token).json()["data"]
    assert {r["client"] for r in rows} == {"tokyo"}


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("read", "GET", "/clients", None),
        ("propose", "POST", "/changesets",
         {"kind": "status", "object_id": str(CAMPAIGN), "status": "PAUSED", "reason": "r"}),
        ("connect", "POST", "/oauth/meta/start", {"client": "nordlicht"}),
        ("audit", "GET", "/audit", None),
    ],
)  # fmt: skip
def test_a_scope_that_is_missing_is_named(
    api: Api, scope: str, method: str, path: str, body: dict[str, str] | None
) -> None:
    token = api.token(scopes=tuple(s for s in ALL_SCOPES if s != scope))
    answer = api(path, method=method, token=token, json=body)
    assert answer.status_code == 403
    assert problem(answer)["detail"] == f"This access token lacks the scope {scope}."
    assert f'scope="{scope}"' in answer.headers["www-authenticate"]


def test_the_log_shows_each_their_share(api: Api) -> None:
    """An analyst what concerns their clients, an admin all, a narrowed token its client's."""

    def entries(token: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api("/audit?limit=5000", token=token).json()["data"]
        return found

    everything = entries(api.token("Ana Weiss", ALL_SCOPES))
    assert {e["client"] for e in everything} >= {None, "tokyo", "nordlicht"}
    mine = entries(api.token(scopes=ALL_SCOPES))
    assert mine
    assert {e["client"] for e in mine} <= {"nordlicht", "atelier", None}
    assert not [e for e in mine if "Toru" in str(e)]
    narrowed = entries(api.token("Ana Weiss", ALL_SCOPES, ("tokyo",)))
    assert {e["client"] for e in narrowed} == {"tokyo"}


def test_neighbouring_ids_are_nobodys(api: Api) -> None:
    """Counting up from one's own: everything beyond is not found, one way for all."""
    seen = set()
    for number in [*range(995, 1001), *range(1002, 1010), *range(2000, 2003)]:
        seen.add(_bare(api(f"/accounts/act_{number}"))[:2])
    assert len(seen) == 1
    assert {_bare(api(f"/adsets/{n}/ads"))[0] for n in (CAMPAIGN, AD, ADSET + 99)} == {404}
