"""Agency overview: how do all clients stand, and who needs somebody? At `/boards/overview`.

For the agency's own people: a client's people have no overview. State stands in the address; the
person's rights decide which clients there are. What a region looks like is in `adlab.ui`.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import panel as pn

from adlab.core.errors import AccessDeniedError, StorageError, UnknownObjectError
from adlab.core.periods import today_in
from adlab.core.roles import Right, has_right
from adlab.ui.client_board import Part, part_of
from adlab.ui.live import FEED, REDRAW
from adlab.ui.overview import draw_closed, draw_overview
from adlab.ui.overview_address import OverviewAddress, parse_overview_address
from adlab.ui.overview_figures import InOne, OverviewFigures
from adlab.ui.overview_table import Entry, entries_of, pick
from adlab.ui.pages import house_brand
from adlab.ui.places import places
from adlab.ui.shared import Key, StillLoadingError
from adlab.ui.standing import ClientState
from adlab.ui.visit import Visit, current_visit
from adlab.ui.who import Who
from adlab.ui.wire import LONG_WAIT, Drawn, serve
from adlab.web.client_data import load_changes
from adlab.web.home import load_planned_states, load_states
from adlab.web.overview_data import OverviewScope, convert, load_currencies, load_overview
from adlab.web.overview_files import overview_file

DEMO = os.environ.get("ADLAB_DEMO", "") not in ("", "0")
# Reason: whom one may see must not outlive its grant by more than this, also from the cache.
ACCESS_TTL, ACCESS_WAIT = 15.0, 2.0


class OverviewBoard:
    """The overview of one visit; drawing the same address twice gives the same page."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.shared = FEED.shared
        self.noted = False

    def draw(self, query: str, wait: float) -> Drawn:
        """Draw an address, waiting at most so many seconds for the numbers."""
        address, notes = parse_overview_address(query)
        who = Who("", house_brand(), [], self.visit.person, DEMO, self.visit.role, "overview")
        if not who.sees_overview:
            return draw_closed(who, address, "The overview is for the agency’s own people.",
                               "Your own numbers are on your client’s board.",
                               button=("Your clients", places().home))  # fmt: skip
        try:
            return self._draw(who, address, notes, wait)
        except (StillLoadingError, StorageError):
            return draw_closed(who, address, "The store does not answer just now.",
                               "Nothing is lost. This page tries again every few seconds.",
                               trouble=True)  # fmt: skip

    def _draw(
        self, who: Who, address: OverviewAddress, notes: tuple[str, ...], wait: float
    ) -> Drawn:
        now = datetime.now(UTC)
        states = self._states()
        names = [(s.slug, s.name) for s in states]
        if not self.noted:
            self.noted = True
            FEED.threads.submit(
                self.visit.reader.note, "overview.view", [slug for slug, _ in names]
            )
        who = Who("", who.brand, names, who.person, DEMO, who.role, "overview")
        figures = self._figures(states, address, now, wait)
        in_one = self._in_one(states, figures.value, address)
        return draw_overview(who, address, notes, now, states, figures, in_one)

    def download(self, query: str, kind: str) -> tuple[str, str | bytes]:
        """The table of an address as a file, every page of it."""
        if not has_right(self.visit.role, Right.SEE_OVERVIEW):
            raise AccessDeniedError("The overview is for the agency's own people.")
        address, _ = parse_overview_address(query)
        now = datetime.now(UTC)
        states = self._states()
        figures = self._figures(states, address, now, LONG_WAIT)
        if figures.value is None or figures.state != "ready":
            raise UnknownObjectError("The numbers could not be read.", "Try again in a minute.")
        entries: list[Entry] = pick(entries_of(states, figures.value, now), address)
        period = figures.value.period
        body = overview_file(kind, entries, figures.value, address, now)
        name = f"clients_{period.since}_{period.until}.{kind}"
        slugs = [e.state.slug for e in entries]
        self.visit.reader.note(f"export.{kind}", slugs, file=name, rows=len(entries))
        return name, body

    def changed_at(self, client_ids: frozenset[int]) -> dict[int, tuple[str, ...]]:
        """For each client, what tells one state of its data from the next."""
        return load_changes(self.visit.reader, client_ids)

    def lost(self, client_ids: frozenset[int]) -> str:
        """Why this person may no longer see the overview; `REDRAW` when the clients changed."""
        if not has_right(self.visit.reader.identity().role, Right.SEE_OVERVIEW):
            return "The overview is no longer open to you."
        seen = {s.client_id for s in load_states(self.visit.reader)}
        return REDRAW if seen != client_ids else ""

    def _states(self) -> list[ClientState]:
        return self._get(
            "states", lambda: load_planned_states(self.visit.reader, datetime.now(UTC))
        )  # type: ignore[no-any-return]

    def _figures(
        self, states: list[ClientState], address: OverviewAddress, now: datetime, wait: float
    ) -> Part[OverviewFigures]:
        zones = {z for s in states for z in s.timezones} or {"UTC"}
        period = address.period(min(today_in(z, now) for z in zones))
        ids = tuple(s.client_id for s in states)
        scope = OverviewScope(ids, period, address.before(period))
        key = Key(self.visit.viewer, 0, ("overview", scope))
        return part_of(
            lambda: self.shared.get(key, lambda: load_overview(self.visit.reader, scope), wait),
            lambda: self.shared.last(key),
        )

    def _in_one(
        self, states: list[ClientState], figures: OverviewFigures | None, address: OverviewAddress
    ) -> InOne:
        choices = self._get("rates", lambda: load_currencies(self.visit.reader))
        holders = sum(s.accounts > 0 for s in states)
        if figures is None:
            return InOne(choices=choices)
        return convert(self.visit.reader, figures, address.currency, choices, holders)

    def _get(self, what: str, load: Callable[[], Any]) -> Any:
        return self.shared.get(
            Key(self.visit.viewer, 0, (what,)), load, ACCESS_WAIT, ttl=ACCESS_TTL
        )


if pn.state.served:
    visit = current_visit()
    serve(OverviewBoard(visit), visit, "overview")
