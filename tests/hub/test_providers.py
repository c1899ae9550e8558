"""Logins through an OpenID provider: whom the store knows comes in, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tornado.web import HTTPError

from adlab.core.errors import SettingsError
from adlab.core.roles import Role
from adlab.hub.entry import choose_provider
from adlab.hub.plan import Provider as Chosen
from adlab.hub.providers import username_of
from adlab.settings import HubSettings
from adlab.storage import access
from adlab.storage.engine import transaction
from tests.hub.conftest import Running, opened
from tests.hub.provider import CLIENT_ID, CLIENT_SECRET, Provider, open_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with open_provider() as found:
        yield found


@pytest.fixture(scope="module")
def house(
    plain_server: str, redis_url: str | None, provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:  # fmt: skip
    """A house that asks the provider, and demands a second factor."""
    with ExitStack() as stack:
        found = stack.enter_context(opened(
            plain_server, redis_url, tmp_path_factory.mktemp("oidc"), login="oidc",
            client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), issuer=provider.url,
            mfa_claim="amr=mfa",
        ))  # fmt: skip
        with transaction(found.engine) as connection:
            for name, username, role in (
                ("Olga Analyst", "olga@agency.example", Role.ANALYST),
                ("Olaf Owner", "olaf@agency.example", Role.OWNER),
            ):
                access.store_person(connection, name, role, username)
            access.grant(connection, "Olga Analyst", "nordlicht", Role.ANALYST)
        yield found


@pytest.fixture(autouse=True)
def somebody(provider: Provider) -> None:
    """Olga, with her second factor."""
    provider.person = {"sub": "s-1", "email": "olga@agency.example", "email_verified": True}
    provider.token, provider.plain = {"amr": ["pwd", "mfa"]}, False


def enter(house: Running) -> tuple[httpx.Response, httpx.Client]:
    """Go to the front door; the provider is asked on the way."""
    browser = httpx.Client(
        base_url=house.url, follow_redirects=True, timeout=30,
        headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"},
    )  # fmt: skip
    return browser.get("/services/web/"), browser


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_known_person_comes_in_as_what_the_store_says(house: Running, provider: Provider) -> None:
    page, browser = enter(house)
    assert page.url.path == "/services/web/", page.text[-800:]
    assert "Nordlicht Outdoor" in page.text
    assert "Tokyo" not in page.text
    assert provider.asked[-1]["code_challenge_method"] == "S256"
    assert browser.get("/services/boards/client?client=nordlicht").status_code == 200
    # No token of the provider is kept at the hub.
    assert provider.given
    for place in (house.house.plan.folder, str(house.house.logs)):
        from pathlib import Path

        for file in Path(place).rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert not any(token.encode() in content for token in provider.given), file
                assert CLIENT_SECRET.encode() not in content, file


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("person", "token", "plain", "told"), [
    ({"email": "stranger@agency.example", "email_verified": True}, {}, False, "not known here"),
    ({"email": "olga@agency.example", "email_verified": False}, {}, False, "not known here"),
    ({"email": "olga@agency.example"}, {}, False, "not known here"),
    ({"email": "root", "email_verified": True}, {}, False, "not known here"),
    ({}, {"amr": ["pwd"]}, False, "second factor"),
    ({}, {"amr": "pwd"}, False, "second factor"),
    ({}, {}, True, "no identity token"),
    ({}, {"aud": "another-app"}, False, "not meant for this login"),
    ({}, {"iss": "https://elsewhere.example"}, False, "not meant for this login"),
    ({}, {"exp": 1}, False, "not meant for this login"),
    ({}, {"sub": "s-2"}, False, "not meant for this login"),
])  # fmt: skip
def test_whoever_is_unknown_or_not_vouched_for_stays_out(
    house: Running, provider: Provider, person: dict[str, Any], token: dict[str, Any],
    plain: bool, told: str,
) -> None:  # fmt: skip
    provider.person = {"sub": "s-1", **(person or provider.person)}
    provider.token = {"amr": ["mfa"], **token}
    provider.plain = plain
    page, browser = enter(house)
    assert page.status_code == 403
    assert told in page.text
    assert browser.get("/hub/api/user").status_code == 403
    with transaction(house.engine) as connection:
        actor, details = connection.execute(text(
            "SELECT actor, details FROM sec.audit WHERE action = 'login.fail' "
            "ORDER BY audit_id DESC LIMIT 1"
        )).one()  # fmt: skip
    assert actor == "somebody unknown"
    assert "example" not in json.dumps(details)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nobody_becomes_an_admin_of_the_hub_and_links_lead_past_no_factor(
    house: Running, provider: Provider
) -> None:
    provider.person = {"sub": "s-9", "email": "OLAF@agency.example", "email_verified": True,
                       "admin": True, "groups": ["admin"]}  # fmt: skip
    page, browser = enter(house)
    assert page.url.path == "/services/web/"
    model = browser.get("/hub/api/user", headers={"Accept": "application/json"}).json()
    assert model["name"] == "olaf@agency.example"
    assert not model.get("admin")
    with house.browser() as stranger:
        assert stranger.get(house.link("Olaf Owner")).status_code == 404
        assert stranger.get(house.link("Olaf Owner", "password")).status_code == 404
        # The form of passwords is gone as well.
        posted = stranger.post("/hub/login", data={"username": "ann", "password": "x"})
        assert posted.status_code in (403, 405)
    with transaction(house.engine) as connection:
        seen = connection.scalar(text(
            "SELECT count(*) FROM sec.audit WHERE action = 'login.ok' AND actor = 'Olaf Owner' "
            "AND details->>'by' = 'oidc'"
        ))  # fmt: skip
    assert seen == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_code_of_another_browser_is_refused(house: Running, provider: Provider) -> None:
    with house.browser() as victim:
        answer = victim.get("/hub/oauth_callback?code=stolen&state=e30")
        assert answer.status_code == 400
        assert victim.get("/hub/api/user").status_code == 403


def settings(**wishes: object) -> HubSettings:
    return HubSettings(client_id="us", client_secret=SecretStr("hush"), **wishes)


def test_what_is_missing_is_named() -> None:
    assert choose_provider(HubSettings()) is None
    with pytest.raises(SettingsError, match="ADLAB_HUB__CLIENT_ID and ADLAB_HUB__CLIENT_SECRET"):
        choose_provider(HubSettings(login="google"))
    with pytest.raises(SettingsError, match="ADLAB_HUB__ORGANIZATION"):
        choose_provider(settings(login="github"))
    with pytest.raises(SettingsError, match="ADLAB_HUB__ISSUER"):
        choose_provider(settings(login="oidc", token_url="https://login.example/token"))
    with pytest.raises(SettingsError, match="ADLAB_HUB__MFA_CLAIM works with oidc"):
        choose_provider(settings(login="google", mfa_claim="amr=mfa"))


def test_an_issuer_that_is_silent_or_somebody_else_stops_the_start(provider: Provider) -> None:
    with pytest.raises(SettingsError, match="does not answer"):
        choose_provider(settings(login="oidc", issuer="http://127.0.0.1:9"))
    with pytest.raises(SettingsError, match="another login service"):
        choose_provider(
            settings(login="oidc", issuer=provider.url.replace("127.0.0.1", "localhost"))
        )
    found = choose_provider(settings(login="oidc", issuer=provider.url, mfa_claim="acr=gold"))
    assert found is not None
    assert found.token_url == f"{provider.url}/token"
    assert found.mfa == ("acr", "gold")


@pytest.mark.parametrize(("kind", "claim", "info", "name"), [
    ("github", "email", {"login": "Ann-Lee", "email": "x@y"}, "ann-lee"),
    ("google", "sub", {"email": "Ann@x.example", "verified_email": True}, "ann@x.example"),
    ("google", "sub", {"email": "ann@x.example", "verified_email": False}, None),
    ("google", "sub", {"email": "ann@x.example", "email_verified": "true"}, None),
    ("oidc", "preferred_username", {"preferred_username": "ann"}, "ann"),
    ("oidc", "preferred_username", {"email": "ann@x.example", "email_verified": True}, None),
    ("oidc", "preferred_username", {"preferred_username": ["ann"]}, None),
])  # fmt: skip
def test_names_are_taken_from_what_the_provider_vouches_for(
    kind: Any, claim: str, info: dict[str, Any], name: str | None
) -> None:
    chosen = Chosen(kind, "us", "hush", username_claim=claim, organization="agency")
    if name is None:
        with pytest.raises(HTTPError):
            username_of(chosen, info)
    else:
        assert username_of(chosen, info) == name
