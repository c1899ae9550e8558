"""Client board: how is it going, and which campaigns make it so? At `/boards/client?client=SLUG`.

State stands in the address; the address and the person's rights decide what is loaded; figures
become regions of HTML. What a region looks like is in `adlab.ui`.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import panel as pn

from adlab.core.errors import StorageError, UnknownObjectError
from adlab.core.periods import today_in
from adlab.exports.tables import Provenance
from adlab.ui.address import Address, parse_address
from adlab.ui.brand import make_brand
from adlab.ui.client_board import Part, draw_client, draw_message, part_of
from adlab.ui.figures import Campaigns
from adlab.ui.live import FEED
from adlab.ui.pages import house_brand
from adlab.ui.plan import Plan
from adlab.ui.shared import Key, StillLoadingError
from adlab.ui.table import page_of, pick
from adlab.ui.visit import Visit, current_visit
from adlab.ui.who import Who
from adlab.ui.wire import LONG_WAIT, Drawn, serve
from adlab.web.client_data import (
    Scope,
    load_campaigns,
    load_changes,
    load_figures,
    load_freshness,
    load_plans,
    load_trends,
)
from adlab.web.files import campaigns_file
from adlab.web.home import load_reports
from adlab.workbench import Client, Workbench

DEMO = os.environ.get("ADLAB_DEMO", "") not in ("", "0")
# Reason: whom one may see must not outlive its grant by more than this, also from the cache.
ACCESS_TTL, ACCESS_WAIT = 15.0, 2.0


class ClientBoard:
    """The board of one visit; drawing the same address twice gives the same page."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.lab = Workbench(visit.reader)
        self.shared = FEED.shared
        self.seen: set[str] = set()

    def draw(self, query: str, wait: float) -> Drawn:
        """Draw an address, waiting at most so many seconds for the campaigns."""
        try:
            return self._draw(query, wait)
        except (StillLoadingError, StorageError):
            asked, _ = parse_address(query, datetime.now(UTC).date())
            nobody = Who("", house_brand(), [], self.visit.person, DEMO, self.visit.role)
            return draw_message(nobody, asked, "The store does not answer just now.",
                                "Nothing is lost. This page tries again every few seconds.",
                                trouble=True)  # fmt: skip

    def _draw(self, query: str, wait: float) -> Drawn:
        now = datetime.now(UTC)
        asked, notes = parse_address(query, now.date())
        clients = self._get(0, "clients", lambda: self.lab.clients(status=None))
        slug = asked.client or (clients.index[0] if len(clients) == 1 else "")
        others = [] if len(clients) < 2 else list(zip(clients.index, clients["name"], strict=True))
        nobody = Who("", house_brand(), others, self.visit.person, DEMO, self.visit.role)
        if not slug:
            text = "Choose whose board to open." if others else "Ask who invited you for access."
            title = "Your clients" if others else "There is no client that you may see."
            return draw_message(nobody, asked, title, text, others)
        try:
            client = self._client(slug)
        except UnknownObjectError:
            return draw_message(nobody, Address(theme=asked.theme),
                                "There is no such client that you may see.",
                                "It may have another address, or your access to it has ended.",
                                others)  # fmt: skip
        if slug not in self.seen:
            self.seen.add(slug)
            FEED.threads.submit(self.visit.reader.note, "board.view", [slug])
        today = min(today_in(z, now) for z in client.timezones)
        asked, notes = parse_address(f"{query}&client={slug}", today)
        fresh = self._get(
            client.client_id, "freshness", lambda: load_freshness(
                self.visit.reader, client.client_id, client.timezones, client.info.connection, now)
        )  # fmt: skip
        period = asked.period(today)
        before = asked.before(period)
        scope = Scope(client.client_id, period, before if fresh.reaches(before) else None,
                      today, asked.campaigns)  # fmt: skip
        table = Scope(client.client_id, period, None, today)
        campaigns = self._part(table, "campaigns", load_campaigns, wait)
        return draw_client(
            Who(slug, make_brand(client.info.name, slug, client.info.brand), others,
                self.visit.person, DEMO, self.visit.role),
            asked, notes, now, period, fresh, client.client_id,
            self._part(scope, "figures", load_figures, max(wait, 2.0)),
            campaigns,
            self._trends(table, campaigns, asked, wait),
            plans=self._plans(client.client_id, now, max(wait, 2.0)),
            reports=self._get(client.client_id, "reports", lambda: load_reports(
                self.visit.reader, [client.client_id]).get(client.client_id, [])),
        )  # fmt: skip

    def download(self, query: str, kind: str = "csv") -> tuple[str, str | bytes]:
        """The campaign table of an address as a file, every page of it."""
        now = datetime.now(UTC)
        asked, _ = parse_address(query, now.date())
        client = self._client(asked.client)
        today = min(today_in(z, now) for z in client.timezones)
        asked, _ = parse_address(query, today)
        scope = Scope(client.client_id, asked.period(today), None, today)
        campaigns = self._part(scope, "campaigns", load_campaigns, LONG_WAIT)
        if campaigns.value is None or campaigns.state != "ready":
            raise UnknownObjectError("The campaigns could not be read.", "Try again in a minute.")
        rows = pick(campaigns.value, asked)
        chosen = f"search {asked.search!r}" if asked.search else "no search"
        source = Provenance(
            client.info.name, scope.period, client.timezones, sorted(set(rows["currency"])),
            client.info.checked_at, client.settled_through(now),
            f"{chosen}, status {asked.status}, {len(asked.campaigns) or 'all'} campaigns",
        )  # fmt: skip
        name = f"{client.slug}_{scope.period.since}_{scope.period.until}.{kind}"
        self.visit.reader.note(f"export.{kind}", [client.slug], file=name, rows=len(rows))
        return name, campaigns_file(kind, rows, campaigns.value.parts, source)

    def changed_at(self, client_ids: frozenset[int]) -> dict[int, tuple[str, ...]]:
        """For each client, what tells one state of its data from the next."""
        return load_changes(self.visit.reader, client_ids)

    def lost(self, client_ids: frozenset[int]) -> str:
        """Why this person may no longer see the client, or ""."""
        rows = self.visit.reader.rows("read_clients")
        gone = client_ids - {r["client_id"] for r in rows}
        return "Your access to this client has ended." if gone else ""

    def _client(self, slug: str) -> Client:
        found: Client = self._get(
            0, f"client {slug}", lambda: Workbench(self.visit.reader).client(slug)
        )
        return found

    def _get(self, client_id: int, what: str, load: Callable[[], Any]) -> Any:
        key = Key(self.visit.viewer, client_id, (what,))
        return self.shared.get(key, load, ACCESS_WAIT, ttl=ACCESS_TTL)

    def _plans(self, client_id: int, now: datetime, wait: float) -> Part[list[Plan]]:
        key = Key(self.visit.viewer, client_id, ("plans",))
        return part_of(
            lambda: self.shared.get(
                key, lambda: load_plans(self.visit.reader, client_id, now), wait
            ),
            lambda: self.shared.last(key),
        )

    def _trends(
        self, scope: Scope, campaigns: Part[Campaigns], asked: Address, wait: float
    ) -> Part[pd.DataFrame]:
        if campaigns.value is None:
            return Part(None, "ready")
        _, _, shown = page_of(pick(campaigns.value, asked), asked.page)
        ids = tuple(sorted(int(i) for i in shown.index))
        few = replace(scope, campaigns=ids)
        return self._part(few, "trends", load_trends, wait) if ids else Part(None, "ready")

    def _part(
        self, scope: Scope, what: str, load: Callable[[Any, Scope], Any], wait: float
    ) -> Part[Any]:
        key = Key(self.visit.viewer, scope.client_id, (what, scope))
        return part_of(
            lambda: self.shared.get(key, lambda: load(self.visit.reader, scope), wait),
            lambda: self.shared.last(key),
        )


if pn.state.served:
    visit = current_visit()
    serve(ClientBoard(visit), visit)
