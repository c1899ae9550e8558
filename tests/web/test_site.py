"""Login, start page, boards and their walls, over HTTP as a browser would."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from sqlalchemy import text

from adlab.storage.engine import transaction
from adlab.web.sessions import COOKIE, Sessions
from tests.web.conftest import KEY, Site


def test_health_names_parts_and_no_secret(site: Site) -> None:
    answer = httpx.get(f"{site.url}/healthz")
    assert answer.status_code == 200
    assert answer.json()["parts"]["database"] == "ok"
    assert "postgres" not in answer.text


def test_nobody_sees_nothing_and_is_led_to_the_login(site: Site) -> None:
    with site.browser() as browser:
        page = browser.get("/boards/client?client=nordlicht&range=7d")
        assert page.url.path == "/login"
        assert page.url.params["next"] == "/boards/client?client=nordlicht&range=7d"
        assert "You are not logged in." in page.text
        assert "Nordlicht" not in page.text


def test_a_link_logs_in_once(site: Site) -> None:
    link = site.link("Nora Client")
    with httpx.Client(follow_redirects=False) as browser:
        first = browser.get(link)
        assert first.status_code == 303
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
    again = httpx.get(link, headers={"Accept": "text/html"})
    assert again.status_code == 410
    assert "This link has been used or has expired." in again.text
    assert COOKIE not in again.headers.get("set-cookie", "")


def test_a_link_behind_https_sets_a_secure_cookie(site: Site) -> None:
    answer = httpx.get(site.link("Nora Client"), headers={"X-Forwarded-Proto": "https"})
    assert "; Secure" in answer.headers["set-cookie"]


def test_looking_ahead_does_not_use_a_link_up(site: Site) -> None:
    link = site.link("Nora Client")
    assert httpx.get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 204
    assert httpx.get(link).status_code == 303


def test_a_client_viewer_with_one_client_lands_on_their_board(site: Site) -> None:
    with site.browser() as browser:
        page = browser.get(site.link("Nora Client"))
        assert page.url.path == "/boards/client"
        assert page.url.params["client"] == "nordlicht"
        assert "Nordlicht Outdoor" in page.text
        assert "Tokyo" not in page.text


def test_staff_see_their_clients_as_cards(site: Site) -> None:
    with site.browser("Ana Weiss") as browser:
        page = browser.get("/").text
    assert page.count("clientcard") == 4
    assert "¥" in page
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


def test_kpis_stand_in_the_first_document(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        page = browser.get("/boards/client?client=nordlicht").text
    spend = re.search(r'data-kpi="spend">(€[\d,.]+)<', page)
    assert spend
    assert len(re.findall(r"data-kpi=", page)) == 8
    assert page.index("data-kpi") < page.index('id="session"')
    assert page.count("data-row") == 20
    assert "Simulated data" in page


def test_a_foreign_client_and_none_at_all_look_the_same(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        foreign = browser.get("/boards/client?client=tokyo").text
        missing = browser.get("/boards/client?client=nosuch").text
    for page in (foreign, missing):
        assert "There is no such client that you may see." in page
        assert "¥" not in page
        assert "data-kpi" not in page
        assert "Tokyo" not in page


def test_hostile_names_stay_text(site: Site) -> None:
    with site.browser("Ana Weiss") as browser:
        page = browser.get("/boards/client?client=atelier").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_wrong_values_in_the_address_are_told(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        page = browser.get("/boards/client?client=nordlicht&range=99x&metric=%3Cb%3E&page=0")
    assert page.status_code == 200
    assert page.text.count("There is no ") == 3


@pytest.mark.parametrize("path", ["/", "/boards/client?client=nordlicht", "/nosuch", "/boards/no"])
def test_every_page_is_locked_down(site: Site, path: str) -> None:
    with site.browser("Nora Client") as browser:
        answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    for link in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert not re.match(r"(https?:)?//", link), link


@pytest.mark.parametrize("path", ["/nosuch", "/boards/nosuch", "/boards/a/b/c"])
def test_unknown_addresses_have_a_page_in_our_look(site: Site, path: str) -> None:
    with site.browser() as browser:
        page = browser.get(path)
        assert page.status_code == 404
        assert "There is no such page." in page.text
        sheet = re.search(r'rel="stylesheet" href="([^"]+)"', page.text)
        assert sheet
        assert browser.get(str(page.url.join(sheet[1]))).status_code == 200


def test_assets_are_compressed_and_kept(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        page = browser.get("/boards/client?client=nordlicht")
        script = re.search(r'src="(assets/[^"]+bokeh\.min\.js)"', page.text)
        assert script
        answer = browser.get(str(page.url.join(script[1])))
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]


def test_a_forged_cookie_is_nobody(site: Site) -> None:
    with site.browser() as browser:
        browser.cookies.set(COOKIE, Sessions("cd" * 32).issue(2))
        assert browser.get("/boards/client?client=nordlicht").url.path == "/login"


@pytest.mark.parametrize("argument", ["bokeh-session-id=x", "bokeh-token=x"])
def test_nobody_brings_a_session_of_their_own(site: Site, argument: str) -> None:
    with site.browser("Nora Client") as browser:
        assert browser.get(f"/boards/client?client=nordlicht&{argument}").status_code == 403
        header = {"Bokeh-Session-Id": "x"}
        assert browser.get("/boards/client?client=nordlicht", headers=header).status_code == 403


def _token(page: str) -> str:
    found = re.search(r'id="session">(.*?)</script>', page)
    assert found
    token: str = json.loads(found[1])["token"]
    return token


def _upgrade(site: Site, token: str, cookie: str | None, origin: str | None = None) -> int:
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": origin or site.url,
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
    }  # fmt: skip
    if cookie:
        headers["Cookie"] = f"{COOKIE}={cookie}"
    import http.client

    # Reason: straight to the boards, which must not rely on the proxy to keep strangers out.
    connection = http.client.HTTPConnection("127.0.0.1", site.boards_port, timeout=10)
    connection.request("GET", "/boards/client/ws", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_websocket_wants_the_same_person_and_our_own_page(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        token = _token(browser.get("/boards/client?client=nordlicht").text)
        own = browser.cookies[COOKIE]
    with site.browser("Toru Client") as browser:
        other = browser.cookies[COOKIE]
    assert _upgrade(site, token, own) == 101
    assert _upgrade(site, token, None) == 403
    assert _upgrade(site, token, other) == 403
    assert _upgrade(site, token, own, "https://evil.example") == 403


def test_the_page_carries_no_cookie(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        page = browser.get("/boards/client?client=nordlicht").text
        assert browser.cookies[COOKIE] not in page
        from bokeh.util.token import get_token_payload

        payload = get_token_payload(_token(page))
    assert set(payload["cookies"]) == {"adlab_visit"}
    assert Sessions(KEY).read(payload["cookies"]["adlab_visit"]) is None


def test_a_person_who_is_disabled_is_shown_the_login_soon(site: Site) -> None:
    with transaction(site.engine) as connection:
        from adlab.core.roles import Role
        from adlab.storage import access

        access.store_person(connection, "Gone Tomorrow", Role.ADMIN)
    with site.browser("Gone Tomorrow") as browser:
        with transaction(site.engine) as connection:
            connection.execute(
                text("UPDATE sec.person SET disabled_at = now() WHERE name = 'Gone Tomorrow'")
            )
        assert browser.get("/boards/client?client=nordlicht").url.path == "/login"


def test_logging_out_ends_it(site: Site) -> None:
    with site.browser("Nora Client") as browser:
        assert browser.post("/boards/seen").status_code == 204
        assert "You are logged out." in browser.get("/logout").text
        assert browser.post("/boards/seen").status_code == 401
        assert browser.get("/boards/client?client=nordlicht").url.path == "/login"
