"""The agency overview of 200 clients with 13 months each: seconds until its amounts are there."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import httpx

from adlab.core.roles import Role
from tests.benchmarks.figures import Figure
from tests.benchmarks.visiting import visited

CLIENTS, CAMPAIGNS, DAYS, RUNS = 200, 10, 396, 9

FILL = f"""
INSERT INTO app.client (slug, name, currency, timezone)
  SELECT 'c' || i, 'Client ' || i, 'EUR', 'UTC' FROM generate_series(1, {CLIENTS}) i;
INSERT INTO app.account (account_id, client_id, name, currency, timezone, source)
  SELECT client_id, client_id, name, 'EUR', 'UTC', 'meta' FROM app.client;
"""


def measure(folder: Path) -> list[Figure]:
    """Median seconds of the document, by an owner's session."""
    from adlab.local import reset_data
    from adlab.runtime import Runtime
    from adlab.settings import Settings
    from adlab.storage import access
    from adlab.storage.engine import transaction
    from adlab.web.sessions import Sessions

    home = folder / "home"
    home.mkdir(mode=0o755)
    try:
        runtime = Runtime(Settings(home=home))
        with transaction(runtime.engine) as connection:
            connection.exec_driver_sql(FILL)
            _facts(connection)
            access.store_person(connection, "Bench Owner", Role.OWNER, "bench")
            token = access.create_login_link(connection, "Bench Owner")
        with transaction(runtime.engine) as connection:
            connection.exec_driver_sql("ANALYZE")
        link = Sessions(runtime.vault.derive("web session")).sign_link(token)
        runtime.engine.dispose()
        with visited(home, "hub") as house:
            first, later = _documents(house.url, link)
    finally:
        reset_data(home)
    return [
        Figure("overview of 200 clients: amounts shown, first ever", first, "s"),
        Figure("overview of 200 clients: amounts shown, median", later, "s", 0.7),
    ]


def _facts(connection: object) -> None:
    """Each client's days, through the store's own writer, so that its totals are kept, too."""
    from datetime import UTC, datetime, timedelta

    from adlab.core.entities import Level
    from adlab.core.periods import DateRange
    from adlab.storage import insights, sync_state
    from tests.ui.seed import _rows

    today = datetime.now(UTC).date()
    period = DateRange(today - timedelta(days=DAYS - 1), today)
    ids = connection.exec_driver_sql("SELECT client_id FROM app.client ORDER BY 1").scalars()  # type: ignore[attr-defined]
    for one in list(ids):
        rows = _rows(period, [one * 1000 + i for i in range(CAMPAIGNS)], 60.0, one)
        insights.store_insights(
            connection, client_id=one, account_id=one, level=Level.CAMPAIGN, period=period,  # type: ignore[arg-type]
            rows=rows,
        )  # fmt: skip
        sync_state.store_coverage(
            connection, client_id=one, account_id=one, kind="insights", level=2, period=period,  # type: ignore[arg-type]
            changed=True,
        )  # fmt: skip


# Amounts of the spend cards, which a page that is still loading does not have.
FIGURES = re.compile(r'"value">\s*€[\d,]{5,}|€\d{1,3}(?:,\d{3})+(?:\.\d\d)?<')


def _documents(url: str, link: str) -> tuple[float, float]:
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    with httpx.Client(follow_redirects=True, timeout=60, headers=headers) as browser:
        browser.get(f"{url}/hub/link/{link}").raise_for_status()
        # Reason: the first visit logs in at the boards, too.
        browser.get(f"{url}/services/boards/client?client=c1").raise_for_status()
        return _until_figures(browser, url), statistics.median(
            _until_figures(browser, url) for _ in range(RUNS)
        )


def _until_figures(browser: httpx.Client, url: str) -> float:
    """Seconds until a document holds the amounts themselves."""
    began = time.perf_counter()
    while True:
        page = browser.get(f"{url}/services/boards/overview")
        page.raise_for_status()
        if FIGURES.search(page.text.partition("<main")[2]):
            return time.perf_counter() - began
        assert time.perf_counter() - began < 30, page.text[:500]
        time.sleep(0.02)
