"""The overview in headless Chromium: search, light and dark, and from a row to its board."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import ARGUMENTS, chromium
from tests.web.conftest import Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Any]:
    """A page of somebody who sees every client."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        found = context.new_page()
        errors: list[str] = []
        found.on("pageerror", lambda e: errors.append(str(e)))
        found.goto(site.link("Ana Weiss"))
        yield found
        browser.close()
        assert errors == []


def _live(page: Any) -> None:
    page.wait_for_function("() => document.documentElement.dataset.live === 'yes'")


def test_search_theme_and_the_way_to_a_board(page: Any, site: Site) -> None:
    page.click("main >> text=Agency overview")
    _live(page)
    assert page.locator("[data-row]").count() == 4
    page.fill("[data-tools] input", "nordl")
    page.wait_for_function("() => document.querySelectorAll('[data-row]').length === 1")
    assert "search=nordl" in page.url
    page.click("[data-theme-toggle]")
    page.wait_for_url("**theme=dark**")
    page.click("[data-row]")
    page.wait_for_url("**/boards/client?client=nordlicht**")
    _live(page)
    assert page.get_attribute("html", "data-theme") == "dark"
    page.click("[data-switch] summary")
    assert page.locator("[data-switch] nav.list a").count() == 4
    page.click("[data-switch] >> text=All your clients")
    page.wait_for_url(f"{site.url}/")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.click("[data-theme-toggle]")
    page.goto(f"{site.url}/boards/overview")
    assert page.get_attribute("html", "data-theme") == "light"


def test_a_phone_scrolls_one_way_on_every_page(page: Any, site: Site) -> None:
    for path in ("/", "/boards/overview", "/clients/new", "/clients/newcomer/connect"):
        page.set_viewport_size({"width": 360, "height": 800})
        page.goto(site.url + path)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 360
