"""Connecting in the browser, with the simulator as Facebook: every step, refusal and page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from adlab.services.access import MetaAccess
from adlab.services.connections_invite import invite
from adlab.storage.engine import owner_engine, transaction
from adlab.vault import Vault
from adlab.web.app import make_app
from adlab.web.config import WebConfig
from adlab.web.connect_desk import sign_invitation
from adlab.web.desk import DeskParts, run_desk_in_thread
from adlab.web.sessions import COOKIE, Sessions
from tests.conftest import Simulator
from tests.ui.seed import Seeded

from .conftest import boards_url

VAULT = Vault(b"v" * 32)
# Reason: the desk signs invitations and the web process reads them with the same derived key.
KEY = VAULT.derive_all("web session")
# The simulator's own, documented defaults.
APP_ID, SECRET = "555", "simulated-" + "app-secret"
PUBLIC = "http://testserver"


@dataclass
class House:
    """The web process over a seeded store, a desk, and the simulator as Facebook."""

    engine: Engine
    parts: DeskParts
    config: WebConfig
    people: dict[str, int]
    heard: list[str]

    def visitor(self, person: str | None = None) -> TestClient:
        """A browser, logged in when a person is named."""
        cookies = {COOKIE: Sessions(KEY).issue(self.people[person])} if person else {}
        return TestClient(make_app(self.config), cookies=cookies, follow_redirects=False,
                          headers={"accept": "text/html"})  # fmt: skip

    def value(self, sql: str) -> Any:
        with transaction(self.engine) as c:
            return c.execute(text(sql)).scalar()

    def link(self, **more: Any) -> str:
        """The path of a fresh invitation for Quiet Newcomer."""
        made = invite(self.engine, "newcomer", now=self.parts.now(), actor="Ana Weiss", **more)
        return f"/invite/{sign_invitation(self.parts, made.nonce)}"


@pytest.fixture
def house(seeded_database: tuple[str, Seeded], simulator: Simulator) -> Iterator[House]:
    # Reason: tokens end by the real clock here, so the simulator keeps it, too.
    simulator.control(
        "POST", "/__clock", {"now": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    )
    url, _ = seeded_database
    engine = owner_engine(url)
    heard: list[str] = []
    meta = MetaAccess(simulator.url, "v26.0", APP_ID, SECRET)
    parts = DeskParts(engine, VAULT, meta, heard.append, address=lambda: PUBLIC)
    desk = run_desk_in_thread(parts)
    with transaction(engine) as c:
        people = {r.name: r.person_id for r in c.execute(text("SELECT * FROM sec.person"))}
        for table in ("sec.connect_attempt", "sec.connect_invite"):
            c.execute(text(f"DELETE FROM {table}"))
        c.execute(text("UPDATE app.account SET connection_id = NULL"))
        c.execute(text("DELETE FROM sec.connection"))
    config = WebConfig(boards_url(url), None, KEY, desk_url=desk.url, desk_key=desk.key)
    yield House(engine, parts, config, people, heard)
    desk.stop()
    engine.dispose()


def field(page: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def leave(visitor: TestClient, page: str, path: str, **given: str) -> str:
    """Send a form that leads to Facebook; the dialog's address."""
    answer = visitor.post(path, data={"form": field(page), **given})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def at_facebook(dialog: str, **choice: str) -> str:
    """What a person does at the dialog; the address the browser is sent back to."""
    answer = httpx.get(dialog, params={**dict(httpx.URL(dialog).params), **choice})
    assert answer.status_code == 302, answer.text
    back = answer.headers["location"]
    assert back.startswith(f"{PUBLIC}/connect/callback?")
    return back.removeprefix(PUBLIC).removesuffix("#_=_")


def come_back(visitor: TestClient, dialog: str, **choice: str) -> httpx.Response:
    return visitor.get(at_facebook(dialog, **choice))


def begin(house: House, visitor: TestClient, slug: str = "newcomer", **given: str) -> str:
    page = visitor.get(f"/clients/{slug}/connect").text
    return leave(visitor, page, f"/clients/{slug}/connect/facebook", **given)


def test_an_admin_logs_in_at_facebook_and_chooses(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    page = ana.get("/clients/newcomer/connect")
    assert "Continue with Facebook" in page.text
    assert (
        f"form-action 'self' {house.parts.meta.base_url};"
        in page.headers["content-security-policy"]
    )
    dialog = begin(house, ana)
    back = come_back(ana, dialog, sim="allow", sim_accounts="1002")
    assert (back.status_code, back.headers["location"]) == (303, "/connect/choose")
    choices = ana.get("/connect/choose").text
    assert 'value="1002" checked' in choices
    assert "Quiet Newcomer" in choices
    done = ana.post("/connect/choose", data={"form": field(choices), "account": "1002"})
    assert done.headers["location"] == "/clients/newcomer/connected?account=act_1002"
    assert house.heard == ["newcomer"]
    assert house.value("SELECT connected_by FROM sec.connection") == "Ana Weiss"
    page = ana.get("/clients/newcomer/connect").text
    assert "Demo Buyer" in page
    assert "Connected by Ana Weiss, reads only, works until" in page


def test_cookie_and_addresses_hold_nothing_but_a_random_text(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    dialog = begin(house, ana)
    back = at_facebook(dialog, sim="allow")
    answer = ana.get(back)
    cookies = {c.name: c.value or "" for c in ana.cookies.jar}
    assert set(cookies) == {COOKIE, "adlab_connect"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookies["adlab_connect"])
    assert "code" not in answer.headers["location"]
    set_cookie = ana.post(
        "/clients/newcomer/connect/facebook",
        data={"form": field(ana.get("/clients/newcomer/connect").text)},
    ).headers["set-cookie"]
    assert "httponly" in set_cookie.lower()
    assert "samesite=lax" in set_cookie.lower()


def test_writing_is_asked_for_by_a_tick(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    assert httpx.URL(begin(house, ana)).params["scope"] == "ads_read"
    asked = httpx.URL(begin(house, ana, write="1")).params
    assert asked["scope"] == "ads_read,ads_management"
    assert asked["redirect_uri"] == f"{PUBLIC}/connect/callback"


def test_who_declines_is_told_so_and_can_try_again(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    page = come_back(ana, begin(house, ana), sim="deny")
    assert page.status_code == 200
    assert "You did not allow access at Facebook." in page.text
    again = leave(ana, page.text, "/connect/again")
    assert httpx.URL(again).params["auth_type"] == "rerequest"
    assert come_back(ana, again, sim="allow").headers["location"] == "/connect/choose"


def test_a_scope_that_was_unticked_is_named(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    page = come_back(ana, begin(house, ana), sim="allow", sim_scopes="public_profile")
    assert "Facebook did not grant ads_read." in page.text
    assert "Ask again" in page.text
    assert house.value("SELECT count(token_sealed) FROM sec.connect_attempt") == 0
    wanted = begin(house, ana, write="1")
    come_back(ana, wanted, sim="allow", sim_scopes="ads_read")
    choices = ana.get("/connect/choose").text
    assert "Facebook did not grant ads_management." in choices


def test_a_wrong_a_used_and_a_foreign_state_are_refused(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    page = come_back(ana, begin(house, ana), sim="wrong_state")
    assert (page.status_code, "belongs to no login that was begun here" in page.text) == (403, True)
    back = at_facebook(begin(house, ana), sim="allow")
    stranger = house.visitor("Ana Weiss").get(back)
    assert (stranger.status_code, "in another browser" in stranger.text) == (403, True)
    assert house.visitor().get(back).status_code == 403
    assert ana.get(back).status_code == 303
    used = ana.get(back)
    assert (used.status_code, "was used already" in used.text) == (403, True)


def test_another_person_in_the_same_browser_is_refused(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    back = at_facebook(begin(house, ana), sim="allow")
    ana.cookies.delete(COOKIE)
    page = ana.get(back)
    assert (page.status_code, "begun by somebody else" in page.text) == (403, True)


def test_a_callback_from_nowhere_says_nothing_and_changes_nothing(house: House) -> None:
    for query in ("", "?code=x", "?state=x", "?code=x&state=%00", f"?state={'x' * 9000}&code=y"):
        page = house.visitor().get(f"/connect/callback{query}")
        assert page.status_code == 403
        assert "Quiet" not in page.text
    assert house.visitor().get("/connect/choose").status_code == 403


def test_forms_of_other_sites_and_browsers_are_refused(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    come_back(ana, begin(house, ana), sim="allow")
    token = field(ana.get("/connect/choose").text)
    for headers, given in (
        ({"origin": "https://evil.example"}, token), ({"sec-fetch-site": "cross-site"}, token),
        ({"origin": "null"}, token), ({}, "0" * 64), ({}, ""),
    ):  # fmt: skip
        data = {"form": given, "account": "1002"}
        assert ana.post("/connect/choose", data=data, headers=headers).status_code == 403
    other = house.visitor("Ana Weiss")
    assert other.post("/connect/choose", data={"form": token}).status_code == 403
    assert house.value("SELECT count(*) FROM sec.connection") == 0


def test_an_account_that_is_not_theirs_is_refused_and_the_choice_stays(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    come_back(ana, begin(house, ana), sim="allow", sim_accounts="1002")
    page = ana.get("/connect/choose").text
    for more, told in (("act_999", "act_999 cannot be read"), ("shop", "is not an ad account id")):
        answer = ana.post("/connect/choose", data={"form": field(page), "more": more})
        assert answer.status_code == 422
        assert told in answer.text
        assert f'value="{more}"' in answer.text
    nothing = ana.post("/connect/choose", data={"form": field(page)})
    assert "Choose at least one ad account." in nothing.text


@pytest.mark.parametrize("person", ["Nora Client", None])
def test_only_operators_begin_invite_and_disconnect(house: House, person: str | None) -> None:
    visitor = house.visitor(person)
    for what in ("connect/facebook", "invite", "uninvite", "disconnect"):
        answer = visitor.post(f"/clients/nordlicht/{what}", data={"form": "0" * 64})
        assert answer.status_code == (403 if person else 303)
    assert house.value("SELECT count(*) FROM sec.connect_invite") == 0


# ---- invitations --------------------------------------------------------------------------------


def test_a_client_connects_by_a_link_without_a_login(house: House) -> None:
    ana, guest = house.visitor("Ana Weiss"), house.visitor()
    made = ana.post("/clients/newcomer/invite",
                    data={"form": field(ana.get("/clients/newcomer/connect").text)})  # fmt: skip
    url = re.search(r'readonly value="([^"]+)"', made.text)
    assert url
    assert url[1].startswith(f"{PUBLIC}/invite/")
    path = urlsplit(url[1]).path
    page = guest.get(path)
    assert page.status_code == 200
    assert "Quiet Newcomer" in page.text
    for name in ("Nordlicht", "Tokyo", "Atelier", "Ana Weiss"):
        assert name not in page.text
    dialog = leave(guest, page.text, path)
    assert come_back(guest, dialog, sim="allow").headers["location"] == "/connect/choose"
    choices = guest.get("/connect/choose").text
    assert "Nordlicht" not in choices
    thanks = guest.post("/connect/choose", data={"form": field(choices), "account": "1002"})
    assert thanks.status_code == 200
    assert "Thank you." in thanks.text
    assert house.value(
        "SELECT connected_by FROM sec.connection"
    ) == "invitation 1 by Ana Weiss" or (
        "by Ana Weiss" in house.value("SELECT connected_by FROM sec.connection")
    )
    used = guest.get(path)
    assert (used.status_code, "This link has been used." in used.text) == (410, True)
    assert "Quiet Newcomer" not in used.text


def test_an_invitation_can_be_revoked_even_while_it_is_used(house: House) -> None:
    ana, guest = house.visitor("Ana Weiss"), house.visitor()
    path = house.link()
    dialog = leave(guest, guest.get(path).text, path)
    number = str(house.value("SELECT max(invite_id) FROM sec.connect_invite"))
    page = ana.get("/clients/newcomer/connect").text
    gone = ana.post("/clients/newcomer/uninvite", data={"form": field(page), "invite": number})
    assert "The link no longer works." in gone.text
    refused = come_back(guest, dialog, sim="allow")
    assert (refused.status_code, "no longer holds" in refused.text) == (403, True)
    assert "This link was revoked." in guest.get(path).text


def test_forged_changed_and_expired_links_are_one_page(house: House) -> None:
    guest, path = house.visitor(), house.link()
    with transaction(house.engine) as c:
        c.execute(text("UPDATE sec.connect_invite SET expires_at = now()"))
    for bad in (path, path[:-2] + "xx", "/invite/x", "/invite/" + "a" * 300):
        answer = guest.get(bad)
        assert answer.status_code == 410
        assert "Ask the agency for a new one." in answer.text
        assert "Quiet" not in answer.text


def test_a_scanner_that_looks_ahead_uses_nothing_up(house: House) -> None:
    guest, path = house.visitor(), house.link()
    assert guest.get(path, headers={"sec-purpose": "prefetch"}).status_code == 204
    assert guest.get(path).status_code == 200
    assert guest.get(path).status_code == 200


def test_without_an_app_the_page_says_what_to_set_and_still_takes_a_token(house: House) -> None:
    object.__setattr__(house.parts.meta, "app_secret", None)
    page = house.visitor("Ana Weiss").get("/clients/newcomer/connect").text
    assert "ADLAB_META__APP_SECRET must be set for Facebook Login." in page
    assert 'name="token"' in page
    assert "Continue with Facebook" not in page
    guest = house.visitor().get(house.link())
    assert "does not work yet" in guest.text


# ---- the end ------------------------------------------------------------------------------------


def connected(house: House) -> TestClient:
    ana = house.visitor("Ana Weiss")
    come_back(ana, begin(house, ana), sim="allow", sim_accounts="1002")
    page = ana.get("/connect/choose").text
    ana.post("/connect/choose", data={"form": field(page), "account": "1002"})
    return ana


def test_an_admin_disconnects_an_account_and_its_token_is_gone(house: House) -> None:
    ana = connected(house)
    page = ana.get("/clients/newcomer/connect").text
    done = ana.post("/clients/newcomer/disconnect",
                    data={"form": field(page), "account": "1002"})  # fmt: skip
    assert "act_1002 is disconnected; its numbers stay." in done.text
    assert house.value("SELECT count(*) FROM sec.connection") == 0
    assert house.value("SELECT count(*) FROM app.account WHERE account_id = 1002") == 1
    other = ana.post("/clients/nordlicht/disconnect",
                     data={"form": field(page), "account": "1002"})  # fmt: skip
    assert other.status_code == 422


def test_trouble_is_told_with_a_way_to_reconnect(house: House) -> None:
    ana = connected(house)
    with transaction(house.engine) as c:
        c.execute(text("UPDATE sec.connection SET status = 'reauth_required',"
                       " status_reason = 'The password was changed. Demo Buyer must log in.'"))  # fmt: skip
    home = ana.get("/").text
    assert "Meta must be connected again" in home
    assert 'href="/clients/newcomer/connect">Reconnect</a>' in home
    page = ana.get("/clients/newcomer/connect").text
    assert "Must be connected again" in page
    assert "The password was changed. Demo Buyer must log in." in page
    assert "Reconnect with Facebook" in page
    with transaction(house.engine) as c:
        c.execute(text("UPDATE sec.connection SET status = 'ok', status_reason = NULL,"
                       " warning = 'The access token ends soon.'"))  # fmt: skip
    assert "The access token ends soon." in ana.get("/clients/newcomer/connect").text


# ---- what Meta calls ----------------------------------------------------------------------------


def signed(user_id: str, secret: str = SECRET) -> str:
    body = json.dumps({"algorithm": "HMAC-SHA256", "issued_at": int(time.time()),
                       "user_id": user_id}).encode()  # fmt: skip
    payload = base64.urlsafe_b64encode(body).decode().rstrip("=")
    digest = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()
    return f"{base64.urlsafe_b64encode(digest).decode().rstrip('=')}.{payload}"


def test_meta_deauthorizes_and_the_token_is_gone(house: House) -> None:
    ana, meta = connected(house), house.visitor()
    assert meta.post("/meta/deauthorize", data={"signed_request": signed("9001")}).json() == {}
    assert house.value("SELECT status FROM sec.connection") == "revoked"
    assert house.value("SELECT count(token_sealed) FROM sec.connection") == 0
    assert "Access was revoked at Meta" in ana.get("/").text


def test_meta_asks_for_a_deletion_and_anybody_with_the_code_sees_its_status(house: House) -> None:
    connected(house)
    meta = house.visitor()
    answer = meta.post("/meta/deletion", data={"signed_request": signed("9001")}).json()
    assert set(answer) == {"url", "confirmation_code"}
    assert answer["url"] == f"{PUBLIC}/meta/deletion/{answer['confirmation_code']}"
    again = meta.post("/meta/deletion", data={"signed_request": signed("9001")}).json()
    assert again == answer
    page = house.visitor().get(urlsplit(answer["url"]).path)
    assert page.status_code == 200
    assert "The data was deleted." in page.text
    for secret in ("9001", "Demo Buyer", "Quiet Newcomer", "1002"):
        assert secret not in page.text
    assert house.value("SELECT count(meta_user_name) FROM sec.connection") == 0


def test_what_meta_did_not_sign_is_refused(house: House) -> None:
    connected(house)
    caller = house.visitor()
    for text_of in ("", "x.y", signed("9001", "another"), signed("9001")[:-3]):
        for path in ("/meta/deauthorize", "/meta/deletion"):
            answer = caller.post(path, data={"signed_request": text_of})
            assert answer.status_code == 403
            assert "refused" in answer.json()["error"]
    assert caller.post("/meta/deletion", json={}).status_code == 400
    assert house.value("SELECT status FROM sec.connection") == "ok"
    assert caller.get("/meta/deletion/unknown-code-123").status_code == 404
    assert caller.get("/meta/deletion/x").status_code == 404
