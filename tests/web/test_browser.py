"""Boards in headless Chromium: painted before scripts, live, deaf to other hosts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from adlab.realtime.events import Publisher
from adlab.storage import access
from adlab.storage.engine import transaction
from tests.browser import ARGUMENTS, chromium
from tests.ui.seed import Seeded
from tests.web.conftest import Site, start_site

pytestmark = pytest.mark.browser
BOARD = "/boards/client?client=nordlicht"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


def _open(chrome: Any, site: Site, person: str, path: str = BOARD, **options: Any) -> Any:
    context = chrome.new_context(viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.hosts = set()
    page.on("request", lambda r: page.hosts.add(r.url.split("?")[0].split("/boards")[0]))
    page.goto(site.link(person))
    page.goto(site.url + path)
    page.wait_for_selector("html[data-live=yes]", state="attached")
    return page


def _spend_more(site: Site) -> None:
    day = datetime.now(UTC).date() - timedelta(days=3)
    with transaction(site.engine) as connection:
        connection.execute(
            text("UPDATE app.account_daily SET spend_micro = spend_micro + 5000000000 "
                 "WHERE account_id = 1001 AND level = 2 AND date = :day"), {"day": day},
        )  # fmt: skip
        connection.execute(
            text("UPDATE app.sync_state SET checked_at = now(), changed_at = now() "
                 "WHERE account_id = 1001")
        )  # fmt: skip


def test_a_commit_reaches_an_open_page_within_two_seconds(chrome: Any, site: Site) -> None:
    if site.redis_url is None:
        pytest.skip("no Redis-compatible server for this platform")
    page = _open(chrome, site, "Nora Client")
    before = page.inner_text("[data-kpi=spend]")
    publisher = Publisher(site.redis_url)
    publisher.publish(999, {})
    _spend_more(site)
    started = time.perf_counter()
    assert publisher.publish(site.seeded.clients["nordlicht"], {"kind": "insights"})
    page.wait_for_selector(f"[data-kpi=spend]:not(:text-is('{before}'))", timeout=5000)
    assert time.perf_counter() - started < 2
    assert page.errors == []
    page.context.close()


def test_nothing_is_asked_of_another_host_and_nothing_breaks(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Ana Weiss", "/boards/client?client=atelier")
    assert page.title() == 'Atelier & Sons <img src=x onerror="alert(1)"> · Overview'
    assert {h for h in page.hosts if not h.startswith(("data:", "blob:", site.url))} == set()
    assert page.errors == []
    assert page.evaluate("() => document.fonts.check('14px Inter')")
    page.context.close()


def test_state_lives_in_the_address(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client")
    page.click("[data-key=range-7d]")
    page.wait_for_selector("[data-key=range-7d][aria-current]")
    page.click("[data-key=sort-roas]")
    page.wait_for_selector("th.roas[aria-sort=descending]")
    page.fill("input[name=search]", "brand")
    page.wait_for_url("**search=brand**")
    page.wait_for_selector("caption:text-matches('of [1-9]$|of 1[0-9]$')", state="attached")
    page.click("[data-row] >> nth=0")
    page.wait_for_selector(".chip")
    query = page.url.split("?")[1]
    for part in ("range=7d", "sort=-roas", "search=brand", "campaigns="):
        assert part in query
    again = page.context.new_page()
    again.goto(page.url)
    for name in ("tiles", "campaigns", "lead"):
        assert again.inner_text(f"[data-region={name}]") == page.inner_text(f"[data-region={name}]")
    page.go_back()
    page.wait_for_selector(".chip", state="detached")
    assert page.errors == []
    page.context.close()


def test_every_button_of_a_menu_can_be_read(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client")
    page.click(".controls summary:text-is('Custom')")
    look = page.eval_on_selector(
        ".dates button", "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    )
    assert look[0] == "rgb(255, 255, 255)"
    assert look[1] not in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")
    page.context.close()


_SMALL = """() => [...document.querySelectorAll("a[href], button, input, select, summary")]
  .filter(e => e.checkVisibility() && !e.closest(".hidden, .skip") && !e.matches(".skip"))
  .filter(e => getComputedStyle(e, "::after").position !== "absolute")
  .map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
  .filter(([, r]) => r.width < 24 || r.height < 24).map(([t]) => t)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_name_moves_nothing_and_every_target_can_be_hit(
    chrome: Any, site: Site, width: int
) -> None:
    rename = text("UPDATE app.client SET name = :n WHERE slug = 'nordlicht'")
    with transaction(site.engine) as connection:
        connection.execute(rename, {"n": ("Nordlicht und Söhne & Co. KG, " * 7)[:200].strip()})
    try:
        page = _open(chrome, site, "Ana Weiss")
        page.set_viewport_size({"width": width, "height": 844})
        for path in (BOARD, "/boards/client?client=nosuch", "/boards/overview"):
            page.goto(site.url + path)
            page.wait_for_selector("html[data-live=yes]", state="attached")
            page.wait_for_selector(".bone", state="detached")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(_SMALL) == [], path
            assert page.is_visible(".person")
        page.context.close()
    finally:
        with transaction(site.engine) as connection:
            connection.execute(rename, {"n": "Nordlicht Outdoor"})


def test_the_file_holds_every_page_of_the_table(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client")
    with page.expect_download() as waiting:
        page.click("[data-export] summary")
        page.click("[data-download=csv]")
    lines = open(waiting.value.path(), encoding="utf-8-sig").read().splitlines()  # noqa: PTH123, SIM115
    assert lines[0] == "# Client,Nordlicht Outdoor"
    assert sum(not line.startswith("#") for line in lines) == 46
    page.context.close()


def test_keys_move_through_rows_and_days(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client")
    page.focus("[data-row]")
    page.keyboard.press("ArrowDown")
    assert (
        page.evaluate(
            "() => [...document.querySelectorAll('[data-row]')].indexOf(document.activeElement)"
        )
        == 1
    )
    page.focus("[data-chart]")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#said").count("Spend") == 1
    page.keyboard.press("t")
    assert page.is_visible("details.twin table")
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.name") == "search"
    page.context.close()


def test_a_phone_has_two_tiles_a_row_and_scrolls_one_way(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client")
    for width in (360, 390):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide == width
        tops = page.evaluate(
            "() => [...document.querySelectorAll('.tile')].map(t => t.getBoundingClientRect().top)"
        )
        assert len(set(tops)) == 4
    page.context.close()


def test_dark_and_light_are_remembered(chrome: Any, site: Site) -> None:
    page = _open(chrome, site, "Nora Client", color_scheme="light")
    page.click("[data-theme-toggle]")
    page.wait_for_url("**theme=dark**")
    page.goto(site.url + BOARD)
    assert page.get_attribute("html", "data-theme") == "dark"
    page.context.close()


def test_a_page_is_cleared_when_its_grant_ends(chrome: Any, site: Site) -> None:
    with transaction(site.engine) as connection:
        from adlab.core.roles import Role

        access.store_person(connection, "Brief Guest", Role.CLIENT_VIEWER)
        access.grant(connection, "Brief Guest", "nordlicht", Role.CLIENT_VIEWER)
    page = _open(chrome, site, "Brief Guest")
    with transaction(site.engine) as connection:
        connection.execute(
            text("UPDATE sec.access SET expires_at = now() WHERE person_id = "
                 "(SELECT person_id FROM sec.person WHERE name = 'Brief Guest')")
        )  # fmt: skip
    page.wait_for_selector("text=Your access to this client has ended.", timeout=8000)
    assert page.query_selector("[data-kpi]") is None
    assert not re.search("€", page.inner_text("body"))
    page.context.close()


def test_without_redis_pages_update_slower_but_do(
    chrome: Any, seeded_database: tuple[str, Seeded]
) -> None:
    for site in start_site(*seeded_database, "redis://127.0.0.1:9/0", "--poll-seconds", "0.5"):
        page = _open(chrome, site, "Nora Client")
        page.wait_for_timeout(1200)
        before = page.inner_text("[data-kpi=spend]")
        _spend_more(site)
        page.wait_for_selector(f"[data-kpi=spend]:not(:text-is('{before}'))", timeout=8000)
        page.context.close()
