"""Where the API lies: beside the pages, with and without a hub; tokens of the hub; a login at Meta."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from adlab.core.errors import SettingsError
from adlab.services.access import MetaAccess
from adlab.storage.engine import transaction
from adlab.vault import Vault
from adlab.web.api.app import V1, Beside, make_api
from adlab.web.app import make_site
from adlab.web.config import WebConfig, read_config
from adlab.web.desk import Desk, DeskParts, run_desk_in_thread
from adlab.web.hub import HubIdentity
from tests.conftest import Simulator
from tests.ui.seed import Seeded
from tests.web.api.conftest import ALL_SCOPES, Api, nothing, open_api, problem
from tests.web.conftest import KEY, boards_url
from tests.web.test_hub_identity import FakeHub

APP_ID, SECRET = "555", "simulated-" + "app-secret"
NAN, ANA, NORA, AUD = "n" * 32, "a" * 32, "c" * 32, "d" * 32


@pytest.mark.parametrize("prefix", ["", "/services/web"])
def test_pages_and_api_lie_side_by_side(agency: tuple[str, Seeded], api: Api, prefix: str) -> None:
    config = WebConfig(boards_url(agency[0]), None, KEY, prefix=prefix)
    client = TestClient(make_site(config), follow_redirects=False)
    mine = {"Authorization": f"Bearer {api.token()}"}
    assert client.get("/api/v1/me", headers=mine).json()["name"] == "Nan Analyst"
    assert client.get("/api/meta/ad-accounts", headers=mine).status_code == 200
    assert client.get("/api/v1/me").status_code == 401
    assert client.get(f"{prefix}/healthz").json()["status"] == "ok"
    assert client.get(f"{prefix}/").status_code == 303
    described = client.get("/api/v1/openapi.json").json()
    assert all(p.startswith(("/api/v1/", "/api/meta/")) for p in described["paths"])
    if prefix:
        assert client.get("/healthz").status_code == 404


def test_requests_a_minute_are_read_from_the_environment() -> None:
    given = {"ADLAB_DATABASE__URL": "postgresql://x", "ADLAB_WEB__SESSION_KEY": KEY}
    assert read_config(given).api_per_minute == 120
    assert read_config(given | {"ADLAB_WEB__API_PER_MINUTE": "7"}).api_per_minute == 7
    for wrong in ("0", "-1", "many", "1e3", "9999999"):
        with pytest.raises(SettingsError, match="ADLAB_WEB__API_PER_MINUTE"):
            read_config(given | {"ADLAB_WEB__API_PER_MINUTE": wrong})


# ---- tokens of the hub --------------------------------------------------------------------------


@pytest.fixture
def behind_hub(agency: tuple[str, Seeded]) -> Iterator[tuple[Api, FakeHub]]:
    """The API where a hub says who people are."""
    hub = FakeHub()
    may = ["access:services!service=boards"]
    hub.users = {
        NAN: {"name": "nan-analyst", "scopes": may}, NORA: {"name": "nora-client", "scopes": may},
        ANA: {"name": "ana-weiss", "scopes": ["users"]}, AUD: {"name": "stranger", "scopes": may},
    }  # fmt: skip
    found = open_api(*agency)
    found.parts.gate._hub = HubIdentity(bytes.fromhex(KEY), hub, found.clock)
    yield found, hub
    found.parts.notes.flush()
    found.engine.dispose()


def test_a_token_of_the_hub_lets_its_person_in(behind_hub: tuple[Api, FakeHub]) -> None:
    api, hub = behind_hub
    for kind in ("token", "Bearer"):
        answer = api("/me", token=None, headers={"Authorization": f"{kind} {NAN}"})
        assert answer.json()["clients"] == ["atelier", "nordlicht"]
    assert hub.asked == 1
    assert api("/clients/tokyo", token=NAN).status_code == 404


@pytest.mark.parametrize(
    ("token", "status"), [("x" * 32, 401), (ANA, 401), (AUD, 401), (NORA, 403), ("x", 401)]
)
def test_a_token_of_the_hub_needs_the_service_a_person_and_their_role(
    behind_hub: tuple[Api, FakeHub], token: str, status: int
) -> None:
    """Unknown; without the service's scope; of nobody here; of a client's viewer; too short."""
    answer = behind_hub[0]("/me", token=token)
    assert answer.status_code == status
    assert token * 2 not in problem(answer)["detail"] * 2


def test_a_token_revoked_at_the_hub_ends_here(behind_hub: tuple[Api, FakeHub]) -> None:
    api, hub = behind_hub
    assert api("/me", token=NAN).status_code == 200
    del hub.users[NAN]
    api.clock.ahead = 31
    assert api("/me", token=NAN).status_code == 401


def test_a_silent_hub_is_told_as_such(behind_hub: tuple[Api, FakeHub]) -> None:
    api, hub = behind_hub
    hub.trouble = OSError()
    answer = api("/me", token=NAN)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert api("/me").status_code == 200


# ---- a login at Meta ----------------------------------------------------------------------------


@pytest.fixture
def with_desk(agency: tuple[str, Seeded], simulator: Simulator) -> Iterator[tuple[Api, Desk]]:
    """The API with a desk before the simulator."""
    found = open_api(*agency)
    meta = MetaAccess(simulator.url, "v26.0", APP_ID, SECRET, dialog_url=simulator.url)
    desk = run_desk_in_thread(
        DeskParts(found.engine, Vault(b"v" * 32), meta, address=lambda: "http://adlab.test")
    )
    config = replace(found.parts.config, desk_url=desk.url, desk_key=desk.key)
    v1, _ = make_api(replace(found.parts, config=config))
    found.app = Beside({V1: v1}, nothing)
    yield found, desk
    desk.stop()
    found.parts.notes.flush()
    found.engine.dispose()


def _answer_of_meta(url: str) -> dict[str, str]:
    """What the dialog sends the browser back with, when the person agrees."""
    back = httpx.get(url, params={**dict(httpx.URL(url).params), "sim": "allow"})
    assert back.status_code in (302, 303), back.text
    target = urlsplit(back.headers["location"].removesuffix("#_=_"))
    assert f"{target.scheme}://{target.netloc}{target.path}" == (
        "http://adlab.test/api/v1/oauth/meta/callback"
    )
    return {k: v[0] for k, v in parse_qs(target.query).items()}


def test_accounts_are_connected_through_the_api(
    with_desk: tuple[Api, Desk], simulator: Simulator
) -> None:
    api, _ = with_desk
    token = api.token("Ana Weiss", ALL_SCOPES)
    begun = api("/oauth/meta/start", method="POST", token=token, json={"client": "newcomer"})
    assert begun.status_code == 200, begun.text
    answer = _answer_of_meta(begun.json()["url"])
    login = {"X-Adlab-Login": begun.json()["login"]}
    # Neither without the secret of the start, nor with another, nor as somebody else.
    path = "/oauth/meta/callback"
    assert api(path, token=token, params=answer).status_code == 422
    wrong = {"X-Adlab-Login": "x" * 43}
    assert api(path, token=token, params=answer, headers=wrong).status_code == 403
    other = api.token("Export", ALL_SCOPES)
    assert api(path, token=other, params=answer, headers=login).status_code == 403
    done = api(path, token=token, params=answer, headers=login)
    assert done.status_code == 200, done.text
    assert (done.json()["outcome"], done.json()["client"]) == ("choose", "newcomer")
    again = api(path, token=token, params=answer, headers=login)
    assert again.status_code == 403
    free = [a["account_id"] for a in done.json()["accounts"] if a["state"] == "free"]
    narrowed = api.token("Ana Weiss", ALL_SCOPES, ("tokyo",))
    body = {"accounts": free[:1]}
    refused = api("/oauth/meta/accounts", method="POST", token=narrowed, headers=login, json=body)
    assert refused.status_code == 404
    made = api("/oauth/meta/accounts", method="POST", token=token, headers=login, json=body)
    assert made.status_code == 200, made.text
    assert [a["id"] for a in made.json()["accounts"]] == free[:1]
    (connection,) = api("/clients/newcomer/connections", token=token).json()
    place = f"/connections/{connection['connection_id']}/health"
    health = api(f"{place}?check=true", token=token).json()
    assert (health["valid"], health["status"]) == (True, "ok")
    assert health["asked_meta"] in (True, False)
    code = answer["code"]
    for secret in (code, begun.json()["login"], SECRET):
        assert secret not in json.dumps([done.json(), made.json(), health])
        with transaction(api.engine) as c:
            log = "".join(c.scalars(text("SELECT details::text FROM sec.audit")).all())
        assert secret not in log


def test_only_operators_connect(with_desk: tuple[Api, Desk]) -> None:
    api, _ = with_desk
    answer = api("/oauth/meta/start", method="POST", token=api.token(scopes=ALL_SCOPES),
                 json={"client": "nordlicht"})  # fmt: skip
    assert answer.status_code == 403
    assert "owner or admin" in problem(answer)["detail"]


def test_a_check_at_meta_needs_the_scope(with_desk: tuple[Api, Desk]) -> None:
    api, _ = with_desk
    with transaction(api.engine) as c:
        number = c.scalar(text(
            "INSERT INTO sec.connection (client_id, token_sealed) SELECT client_id, 'x' "
            "FROM app.client WHERE slug = 'nordlicht' RETURNING connection_id"
        ))  # fmt: skip
    place = f"/connections/{number}/health"
    assert api(place).json()["asked_meta"] is False
    assert api(f"{place}?check=true").status_code == 403
