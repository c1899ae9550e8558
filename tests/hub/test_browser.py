"""Everybody through the one login, in headless Chromium: who sees what, and when it ends."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import text

from adlab.core.roles import Role
from adlab.storage import access, passwords
from adlab.storage.engine import transaction
from tests.browser import ARGUMENTS, chromium
from tests.hub.conftest import PASSWORD, Running

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(240)]
BOARDS = "/services/boards/client?client="
# A session that has ended is noticed by the hub's answer (30 s) at the next look (at most 30 s).
MINUTE = 62_000


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    found = chrome.new_context(viewport={"width": 1280, "height": 900})
    yield found
    found.close()


def log_in(page: Page, running: Running, username: str, landing: str = "**/services/**") -> None:
    """Through the form, as people do."""
    page.goto(running.url)
    page.fill("#username_input", username)
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(landing)


def board(context: BrowserContext, running: Running, client: str) -> Page:
    """A board, live."""
    page = context.new_page()
    page.goto(f"{running.url}{BOARDS}{client}")
    page.wait_for_selector("html[data-live=yes]", state="attached")
    return page


def is_cleared(page: Page) -> None:
    """Nothing of the client is left to be read."""
    assert page.query_selector("[data-kpi]") is None
    assert not re.search("€|¥", page.inner_text("body"))


def newcomer(running: Running, name: str, role: Role, client: str) -> str:
    """Somebody new, with the password of all; their username."""
    with transaction(running.engine) as connection:
        username = name.lower().replace(" ", "-")
        access.store_person(connection, name, role, username)
        access.grant(connection, name, client, role)
        passwords.set_password(connection, name, PASSWORD)
    return username


def upgrade(running: Running, token: str, cookies: list[Any], origin: str) -> int:
    """Ask the boards' own port for a websocket; its answer."""
    # Reason: not through the proxy, on which the boards must not rely to keep strangers out.
    port = urlsplit(running.house.plan.boards_url).port
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    link.request("GET", "/services/boards/client/ws", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": origin,
        "Sec-WebSocket-Protocol": f"bokeh, {token}",
        "Cookie": "; ".join(f"{c['name']}={c['value']}" for c in cookies),
    })  # fmt: skip
    status = link.getresponse().status
    link.close()
    return status


def token_of(page: Page, running: Running, client: str) -> str:
    """The session token inside a fresh page of a board."""
    html = page.request.get(f"{running.url}{BOARDS}{client}").text()
    found = re.search(r'id="session">(.*?)</script>', html)
    assert found
    token: str = json.loads(found[1])["token"]
    return token


def test_an_analyst_sees_granted_clients_and_may_open_notebooks(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    began = time.monotonic()
    log_in(page, running, "ann", "**/services/web/")
    assert page.query_selector("text=Nordlicht Outdoor")
    assert page.query_selector("text=Tokyo Sweets") is None
    assert page.query_selector("text=Open notebooks")
    look = board(context, running, "nordlicht")
    print(f"login to live board: {time.monotonic() - began:.1f} s")
    assert look.inner_text("[data-kpi=spend]")
    foreign = context.new_page()
    foreign.goto(f"{running.url}{BOARDS}tokyo")
    foreign.wait_for_selector("text=no such client")
    is_cleared(foreign)
    page.goto(f"{running.url}/hub/home")
    assert page.inner_text("text=Open notebooks for Nordlicht Outdoor")
    assert "Tokyo" not in page.inner_text("body")


def test_a_client_viewer_sees_the_portal_and_no_way_to_notebooks(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    log_in(page, running, "nora-client", "**/services/boards/client**")
    page.wait_for_selector("html[data-live=yes]", state="attached")
    assert "Nordlicht Outdoor" in page.inner_text("body")
    assert page.query_selector("text=Open notebooks") is None
    page.goto(f"{running.url}/hub/spawn")
    assert "This is not open to you." in page.inner_text("main")
    page.goto(f"{running.url}/hub/home")
    assert "Your role has no notebooks" in page.inner_text("main")
    assert page.query_selector("text=notebooks for") is None


def test_a_stranger_sees_a_login_form_and_gets_no_websocket(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    page.goto(f"{running.url}{BOARDS}nordlicht")
    page.wait_for_url("**/hub/login**")
    assert "Nordlicht" not in page.content()
    for name, value in (("adlab-service-boards", "forged"), ("jupyterhub-hub-login", "forged")):
        context.add_cookies([{"name": name, "value": value, "url": running.url}])
    page.goto(f"{running.url}{BOARDS}nordlicht")
    page.wait_for_url("**/hub/login**")
    opened = page.evaluate(
        """address => new Promise(told => {
          const link = new WebSocket(address, ["bokeh", "x"])
          link.onopen = () => told("open"); link.onerror = () => told("refused")
        })""",
        f"{running.url.replace('http', 'ws')}/services/boards/client/ws",
    )
    assert opened == "refused"


def test_a_websocket_is_for_our_pages_and_for_whom_the_page_was_made(
    chrome: Browser, context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    log_in(page, running, "ann")
    board(context, running, "nordlicht")
    token, mine = token_of(page, running, "nordlicht"), context.cookies()
    assert upgrade(running, token, mine, running.url) == 101
    for origin in ("https://evil.example", "null", running.url.replace("127.0.0.1", "127.0.0.2")):
        assert upgrade(running, token, mine, origin) == 403, origin
    assert upgrade(running, token, [], running.url) in (302, 403)
    other = chrome.new_context()
    log_in(other.new_page(), running, "ben")
    board(other, running, "tokyo")
    assert upgrade(running, token, other.cookies(), running.url) == 403
    other.close()


def test_logging_out_ends_every_tab_and_the_way_to_notebooks(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    log_in(page, running, "ann")
    look = board(context, running, "nordlicht")
    began = time.monotonic()
    page.goto(f"{running.url}/hub/logout")
    look.wait_for_selector("text=You have logged out.", timeout=MINUTE)
    print(f"logout: open board cleared after {time.monotonic() - began:.0f} s")
    is_cleared(look)
    for path in ("/services/web/", f"{BOARDS}nordlicht", "/hub/home", "/hub/spawn"):
        page.goto(running.url + path)
        assert "/hub/login" in page.url, path
    look.click("text=Log in again")
    look.wait_for_url("**/hub/login**")


def test_a_session_that_is_over_shows_nothing_more(
    context: BrowserContext, running: Running
) -> None:
    username = newcomer(running, "Late Guest", Role.CLIENT_VIEWER, "nordlicht")
    page = context.new_page()
    log_in(page, running, username)
    look = board(context, running, "nordlicht")
    # Twelve hours later, as the hub's own records say: its sessions and tokens are over.
    with sqlite3.connect(f"{running.house.plan.folder}/jupyterhub.sqlite", timeout=20) as hub:
        number = hub.execute("SELECT id FROM users WHERE name = ?", (username,)).fetchone()[0]
        changed = hub.execute(
            "UPDATE api_tokens SET expires_at = '2020-01-01 00:00:00' WHERE user_id = ?", (number,)
        ).rowcount  # fmt: skip
        assert changed
        hub.execute("UPDATE users SET cookie_id = ? WHERE id = ?", ("x" * 32, number))
    look.wait_for_selector("text=You have logged out.", timeout=MINUTE)
    is_cleared(look)
    page.goto(f"{running.url}{BOARDS}nordlicht")
    assert "/hub/login" in page.url


@pytest.mark.parametrize("how", ["grant", "person"])
def test_whoever_is_revoked_while_looking_sees_nothing_more(
    context: BrowserContext, running: Running, how: str
) -> None:
    username = newcomer(running, f"Brief {how.title()}", Role.CLIENT_VIEWER, "nordlicht")
    page = context.new_page()
    log_in(page, running, username)
    look = board(context, running, "nordlicht")
    began = time.monotonic()
    with transaction(running.engine) as connection:
        connection.execute(text(
            "UPDATE sec.person SET disabled_at = now() WHERE username = :username"
            if how == "person" else
            "UPDATE sec.access SET expires_at = now() WHERE person_id = "
            "(SELECT person_id FROM sec.person WHERE username = :username)"
        ), {"username": username})  # fmt: skip
    look.wait_for_selector("text=/has ended|no longer|logged out/", timeout=MINUTE)
    print(f"revoked ({how}): open board cleared after {time.monotonic() - began:.0f} s")
    is_cleared(look)
    look.reload()
    assert "Nordlicht" not in look.inner_text("body")


def test_two_people_in_one_browser_never_see_each_others_clients(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    log_in(page, running, "ann")
    hers = board(context, running, "nordlicht")
    page.goto(f"{running.url}/hub/logout")
    log_in(page, running, "ben", "**/services/web/")
    assert page.query_selector("text=Tokyo Sweets")
    assert page.query_selector("text=Nordlicht") is None
    his = board(context, running, "tokyo")
    # Her open tab ends by itself, and asked again it is his and has no such client.
    hers.wait_for_selector("text=/logged out|has ended/", timeout=MINUTE)
    is_cleared(hers)
    hers.reload()
    hers.wait_for_selector("text=no such client")
    assert his.inner_text("[data-kpi=spend]")
    # Her pages' websockets are not his to open, whatever is left of them.
    token = token_of(page, running, "tokyo")
    assert upgrade(running, token, context.cookies(), running.url) == 101
