"""The hub as identity: a login needs its own browser, answers are asked again, silence is bridged."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tornado.web import HTTPError

from adlab.core.errors import AccessDeniedError, HubUnavailableError
from adlab.web.hub import HubIdentity

KEY = b"k" * 32


class FakeHub:
    """What `HubOAuth` offers, without a hub."""

    oauth_client_id = "service-boards"
    base_url = "/services/boards/"
    login_url = "/hub/api/oauth2/authorize?client_id=service-boards"
    access_scopes = frozenset({"access:services!service=boards"})

    def __init__(self) -> None:
        self.asked = 0
        self.verifiers: list[str] = []
        self.users: dict[str, dict[str, Any]] = {
            "token-ann": {"name": "ann", "scopes": ["access:services!service=boards"]}
        }
        self.trouble: Exception | None = None

    def generate_pkce_code_challenge(self) -> tuple[str, str, str]:
        return "verifier", "challenge", "S256"

    async def token_for_code(self, code: str, *, code_verifier: str, sync: bool) -> str:
        self.verifiers.append(code_verifier)
        if code != "good":
            raise HTTPError(500, "Failed to check authorization: invalid_grant")
        return "token-ann"

    async def user_for_token(self, token: str, **_: Any) -> dict[str, Any] | None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return self.users.get(token)

    def check_scopes(self, needed: set[str], user: dict[str, Any]) -> bool:
        return bool(needed & set(user["scopes"]))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def identity(hub: FakeHub, clock: Clock) -> HubIdentity:
    return HubIdentity(KEY, hub, clock)


def logged_in(identity: HubIdentity, session: str = "s1") -> dict[str, str]:
    """A browser's cookies after a login."""
    address, sealed = identity.begin("/services/boards/client?client=acme")
    state = parse_qs(urlsplit(address).query)["state"][0]
    cookies = {identity.state_cookie: sealed, "jupyterhub-session-id": session}
    value, _ = identity.finish("good", state, cookies)
    return {identity.cookie: value, "jupyterhub-session-id": session}


def test_a_login_goes_to_the_hub_and_comes_back_to_the_page(
    identity: HubIdentity, hub: FakeHub
) -> None:
    address, sealed = identity.begin("/services/boards/client?client=acme")
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge"] == ["challenge"]
    assert "verifier" not in address
    assert "verifier" not in sealed
    value, target = identity.finish("good", asked["state"][0], {identity.state_cookie: sealed})
    assert target == "/services/boards/client?client=acme"
    assert hub.verifiers == ["verifier"]
    assert "token-ann" not in value


def test_a_login_begun_elsewhere_is_refused(identity: HubIdentity, clock: Clock) -> None:
    address, sealed = identity.begin("/")
    state = parse_qs(urlsplit(address).query)["state"][0]
    for cookies, given in (({}, state), ({identity.state_cookie: "forged"}, state),
                           ({identity.state_cookie: sealed}, "another"),
                           ({identity.state_cookie: sealed}, "")):  # fmt: skip
        with pytest.raises(AccessDeniedError, match="expired"):
            identity.finish("good", given, cookies)
    clock.now += 601
    with pytest.raises(AccessDeniedError, match="expired"):
        identity.finish("good", state, {identity.state_cookie: sealed})


def test_a_code_the_hub_refuses_logs_nobody_in(identity: HubIdentity) -> None:
    address, sealed = identity.begin("/")
    state = parse_qs(urlsplit(address).query)["state"][0]
    with pytest.raises(AccessDeniedError, match="refused"):
        identity.finish("stolen", state, {identity.state_cookie: sealed})


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil", "x"])
def test_no_login_leads_to_another_host(identity: HubIdentity, target: str) -> None:
    address, sealed = identity.begin(target)
    state = parse_qs(urlsplit(address).query)["state"][0]
    _, after = identity.finish("good", state, {identity.state_cookie: sealed})
    assert after == "/services/boards/"


def test_the_hub_is_asked_again_every_half_minute(
    identity: HubIdentity, hub: FakeHub, clock: Clock
) -> None:
    key = identity.read(logged_in(identity))
    assert key is not None
    assert [identity.username(key) for _ in range(3)] == ["ann"] * 3
    assert hub.asked == 1
    clock.now += 31
    hub.users.clear()
    assert identity.username(key) is None
    assert hub.asked == 2


def test_a_logout_at_the_hub_is_noticed_at_once(identity: HubIdentity, hub: FakeHub) -> None:
    cookies = logged_in(identity)
    key = identity.read(cookies)
    assert key is not None
    assert identity.username(key) == "ann"
    del cookies["jupyterhub-session-id"]
    hub.users.clear()
    after = identity.read(cookies)
    assert after is not None
    assert identity.username(after) is None


def test_without_the_scope_of_this_service_nobody_is_known(
    identity: HubIdentity, hub: FakeHub
) -> None:
    hub.users["token-ann"]["scopes"] = ["access:services!service=web"]
    key = identity.read(logged_in(identity))
    assert key is not None
    assert identity.username(key) is None


def test_a_silent_hub_ends_no_visit_for_ten_minutes_and_starts_none(
    identity: HubIdentity, hub: FakeHub, clock: Clock
) -> None:
    key, other = identity.read(logged_in(identity)), identity.read(logged_in(identity, "s2"))
    assert key is not None
    assert other is not None
    assert identity.username(key) == "ann"
    hub.trouble = HTTPError(500, "Failed to connect to Hub API")
    clock.now += 300
    assert identity.username(key) == "ann"
    with pytest.raises(HubUnavailableError, match="does not answer"):
        identity.username(other)
    clock.now += 400
    with pytest.raises(HubUnavailableError):
        identity.username(key)


def test_a_cookie_is_good_for_twelve_hours_and_this_service(
    identity: HubIdentity, hub: FakeHub, clock: Clock
) -> None:
    cookies = logged_in(identity)
    assert identity.read({identity.cookie: cookies[identity.cookie] + "x"}) is None
    hub.oauth_client_id = "service-web"
    web = HubIdentity(KEY, hub, clock)
    assert web.read({web.cookie: cookies[identity.cookie]}) is None
    clock.now += 12 * 3600 + 1
    assert identity.read(cookies) is None


def test_a_key_says_nothing_of_its_token(identity: HubIdentity) -> None:
    key = identity.read(logged_in(identity))
    assert "token-ann" not in repr(key)
    assert key is not None
    assert "token-ann" not in identity.seal_key(key)
    assert identity.open_key(identity.seal_key(key)) == key
    assert identity.open_key("x" * 5000) is None
    assert identity.open_key(None) is None


def test_while_keys_change_older_cookies_stay_good(hub: FakeHub, clock: Clock) -> None:
    before = logged_in(HubIdentity(KEY, hub, clock))
    ring = HubIdentity([b"n" * 32, KEY], hub, clock)
    assert ring.read(before) is not None
    assert HubIdentity(b"n" * 32, hub, clock).read(logged_in(ring)) is not None
    assert HubIdentity(KEY, hub, clock).read(logged_in(ring)) is None
