"""Boards on a host name of their own: another origin than notebooks, and no way around it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import sync_playwright

from adlab.core.errors import SettingsError
from adlab.hub.house import _boards_address
from adlab.local.proxy_routes import Apart
from tests.browser import ARGUMENTS, chromium
from tests.hub.conftest import Running, opened
from tests.hub.test_browser import log_in, token_of, upgrade

BOARD = "/services/boards/client?client=nordlicht"


@pytest.fixture(scope="module")
def house(
    plain_server: str, redis_url: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Everything at 127.0.0.1, boards at localhost."""
    home = tmp_path_factory.mktemp("apart")
    with opened(plain_server, redis_url, home, boards_host="localhost") as found:
        yield found


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(180)
def test_boards_live_at_their_own_name_and_share_no_cookie(house: Running) -> None:
    theirs = house.house.plan.boards_address
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = browser.new_context()
        page = context.new_page()
        log_in(page, house, "ann", "**/services/web/")
        # A link as the pages write it: the board opens at its own name, after a login by the hub.
        page.goto(house.url + BOARD)
        page.wait_for_selector("html[data-live=yes]", state="attached")
        assert page.url.startswith(f"{theirs}/services/boards/")
        assert page.inner_text("[data-kpi=spend]")
        cookies = {c["name"]: c["domain"] for c in context.cookies()}
        assert cookies["adlab-service-boards"] == "localhost"
        assert cookies["jupyterhub-hub-login"] == "127.0.0.1"
        # A page of the notebooks' host cannot read a board, nor open its websocket.
        other = context.new_page()
        other.goto(f"{house.url}/hub/home")
        read = other.evaluate(
            "address => fetch(address, {credentials: 'include'}).then(() => 'read', () => 'no')",
            theirs + BOARD,
        )
        assert read == "no"
        token = token_of(page, house, "nordlicht")
        mine = [c for c in context.cookies() if c["domain"] == "localhost"]
        assert upgrade(house, token, mine, theirs) == 101
        assert upgrade(house, token, mine, house.url) == 403
        # Back: the board's own links to pages and to the logout leave its host.
        page.goto(f"{theirs}/services/web/")
        assert page.url == f"{house.url}/services/web/"
        page.goto(f"{theirs}/hub/logout")
        # Reason: the hub's session cookie is not the boards' to see, so they learn of a logout
        # when they ask the hub again, which is every half minute.
        give_up = time.monotonic() + 62
        while "/hub/login" not in page.goto(house.url + BOARD).url:  # type: ignore[union-attr]
            assert time.monotonic() < give_up, "the logout was never noticed"
            time.sleep(2)
        assert page.url.startswith(house.url)
        browser.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nothing_else_is_served_at_the_boards_name(house: Running) -> None:
    theirs = house.house.plan.boards_address
    for path in ("/user/ann/lab", "/hub/login", "/services/web/", "/api/v1/me", "/"):
        answer = httpx.get(theirs + path)
        assert answer.status_code == 302, path
        assert answer.headers["location"] == house.url + path
        assert httpx.post(theirs + path).status_code == 404
    assert httpx.get(house.url + BOARD).headers["location"] == theirs + BOARD
    upgrade_headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    for address in (f"{house.url}/services/boards/client/ws", f"{theirs}/user/ann/api/kernels"):
        assert httpx.get(address, headers=upgrade_headers).status_code == 404


@pytest.mark.parametrize(("host", "path", "where"), [
    ("boards.x", "/services/boards", ""), ("boards.x", "/services/boards/client", ""),
    ("BOARDS.X", "/services/boards/client", ""), ("a.x", "/hub/login", ""),
    ("a.x", "/services/boards", "https://boards.x"), ("boards.x", "/user/ann", "https://a.x"),
    ("a.x", "/services/boards%2fclient", "https://boards.x"),
    ("boards.x", "/services/boardsandmore", "https://a.x"), ("elsewhere", "/hub", ""),
    ("elsewhere", "/services/boards/client", "https://boards.x"),
])  # fmt: skip
def test_a_path_belongs_to_one_host(host: str, path: str, where: str) -> None:
    assert Apart("/services/boards", "https://boards.x", "https://a.x").other_address(
        host, path
    ) == where  # fmt: skip


def test_a_name_of_their_own_is_another_name() -> None:
    assert _boards_address(None, None) == ""
    assert _boards_address("https://a.x", "boards.x") == "https://boards.x"
    for public in (None, "https://boards.x"):
        with pytest.raises(SettingsError, match="another host name"):
            _boards_address(public, "boards.x")
