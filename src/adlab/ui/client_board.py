"""The client board: from state and figures to regions of HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import pandas as pd

from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.ui import address as addresses
from adlab.ui.address import Address
from adlab.ui.brand import Brand
from adlab.ui.figures import Campaigns, Figures, Freshness
from adlab.ui.formats import day, since, span
from adlab.ui.pages import render
from adlab.ui.places import places
from adlab.ui.plan import Plan, alarms, make_plan
from adlab.ui.published import Report
from adlab.ui.shared import StillLoadingError
from adlab.ui.status import make_strip
from adlab.ui.table import make_table
from adlab.ui.tiles import make_tiles
from adlab.ui.trend import make_trend
from adlab.ui.who import Who
from adlab.ui.wire import Drawn
from adlab.ui.wording import headline

T = TypeVar("T")
REGIONS = ("header", "strip", "lead", "controls", "tiles", "plan", "trend", "campaigns", "reports")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A piece of data with its state.

    Attributes:
        value: The data; with `failed`, what was last known, if anything.
        state: `ready`, `loading` or `failed`.
        age: With `failed`, how long ago the value was read, in words.
    """

    value: T | None
    state: Literal["ready", "loading", "failed"]
    age: str = ""


def part_of(load: Callable[[], T], last: Callable[[], tuple[T, float] | None]) -> Part[T]:
    """Try to load a piece; a failure keeps what was last known."""
    import logging

    try:
        return Part(load(), "ready")
    except StillLoadingError:
        return Part(None, "loading")
    except Exception:
        # Reason: one broken part must not take the rest of the board with it.
        logging.getLogger(__name__).exception("board_part_failed")
        value, seconds = last() or (None, 0.0)
        return Part(value, "failed", since(seconds) if value is not None else "")


def draw_client(
    who: Who,
    address: Address,
    notes: Sequence[str],
    now: datetime,
    period: DateRange,
    fresh: Freshness,
    client_id: int,
    figures: Part[list[Figures]],
    campaigns: Part[Campaigns],
    trends: Part[pd.DataFrame],
    reports: Sequence[Report] = (),
    plans: Part[list[Plan]] | None = None,
) -> Drawn:
    """Draw the whole board."""
    plan = _plan(plans or Part([], "ready"))
    urgent = alarms((plans.value or []) if plans else [], period)
    before = address.before(period)
    before = before if fresh.reaches(before) else None
    reconnect = f"{places().home}clients/{quote(who.slug)}/connect" if who.operates else ""
    strip = make_strip(fresh, period, before, now, reconnect)
    empty = _empty(who, address, period, fresh, figures)
    started = fresh.accounts > 0 and fresh.last_day is not None
    regions = {
        "header": render("header", who=who, address=address),
        "strip": render("strip", strip=strip) if fresh.accounts else "",
        "controls": _controls(address, period, fresh, campaigns) if started else "",
        "reports": render("reports", reports=reports) if reports else "",
    }
    if empty is not None:
        regions |= {"lead": render("empty", notes=notes, **empty), "tiles": "", "trend": "",
                    "campaigns": "", "plan": plan if started else ""}  # fmt: skip
    else:
        regions |= {
            "lead": _lead(figures, address, notes, urgent),
            "tiles": _tiles(figures, address, strip.stale),
            "plan": plan,
            "trend": _trend(figures, address),
            "campaigns": _campaigns(campaigns, trends, address),
        }
    said = headline(figures.value[0], address) if figures.value and empty is None else ""
    return Drawn(
        regions={n: str(regions[n]) for n in REGIONS}, query=address.query(),
        title=f"{who.brand.name} · Overview", client_id=client_id,
        pending={figures.state, campaigns.state, trends.state} != {"ready"}, say=said,
        frame=frame(who.brand, address, who.demo),
    )  # fmt: skip


def draw_message(
    who: Who, address: Address, title: str, text: str,
    links: Sequence[tuple[str, str]] = (), trouble: bool = False,
) -> Drawn:  # fmt: skip
    """A board that has nothing to show, and why; `trouble` when it tries again by itself."""
    regions = dict.fromkeys(REGIONS, "")
    regions["header"] = str(render("header", who=who, address=address))
    regions["lead"] = str(render("choose", title=title, text=text, links=links))
    return Drawn(regions, address.query(), f"{title} · adlab", pending=trouble,
        trouble=f"{title} {text}" if trouble else "",
        frame=frame(who.brand, address, who.demo))  # fmt: skip


def frame(brand: Brand, address: Address, demo: bool) -> dict[str, Any]:
    """What the shell needs."""
    return {
        "brand": brand, "theme": address.theme, "demo": demo, "search": address.search,
        "status": address.status, "statuses": addresses.STATUSES,
    }  # fmt: skip


def _empty(
    who: Who, address: Address, period: DateRange, fresh: Freshness, figures: Part[list[Figures]]
) -> dict[str, Any] | None:
    if not fresh.accounts:
        return _unconnected(who)
    if fresh.last_day is None:
        if fresh.loading:
            return _state("The history is being read from Meta.",
                          "The newest days come first; this page fills by itself.",
                          busy=True)  # fmt: skip
        return _state("There are no numbers yet.",
                      "The account was read and has not delivered so far.")  # fmt: skip
    if figures.state != "ready" or figures.value:
        return None
    if address.campaigns:
        return _state("These campaigns delivered nothing in this period.",
                      span(period), ("Show all campaigns", address.link(campaigns=())))  # fmt: skip
    until = fresh.last_day
    start = until - timedelta(days=29)
    return _state(
        "Nothing was delivered in this period.",
        f"{span(period)}. The last active day was {until:%A, %d %B %Y}.",
        ("Show the last active days", address.link(range="custom", since=start, until=until)),
    )  # fmt: skip


def _unconnected(who: Who) -> dict[str, Any]:
    title = "No ad account is connected yet."
    if who.operates:
        link = f"{places().home}clients/{who.slug}/connect"
        return _state(title, "As soon as one is, its numbers appear here by themselves.",
                      ("Connect an ad account", link))  # fmt: skip
    return _state(title, "An admin of the agency connects it; its numbers then appear here by "
                  "themselves.")  # fmt: skip


def _state(
    title: str, text: str, button: tuple[str, str] | None = None, busy: bool = False
) -> dict[str, Any]:
    return {"title": title, "text": text, "button": button, "busy": busy}


def _lead(
    figures: Part[list[Figures]], address: Address, notes: Sequence[str], urgent: Sequence[str]
) -> str:
    sentences = [*urgent, *(headline(f, address) for f in figures.value or [])]
    return str(render("lead", sentences=sentences, notes=notes, loading=figures.state == "loading"))


def _controls(
    address: Address, period: DateRange, fresh: Freshness, campaigns: Part[Campaigns]
) -> str:
    names: list[tuple[str, str]] = []
    for i in address.campaigns:
        rows = campaigns.value.rows if campaigns.value is not None else None
        name = str(rows["name"].get(i, "1 campaign")) if rows is not None else "1 campaign"
        rest = tuple(c for c in address.campaigns if c != i)
        names.append((name, address.link(campaigns=rest)))
    before = address.before(period)
    return str(
        render(
            "controls", address=address, period=period, chips=names, ranges=addresses.RANGES,
            comparisons=addresses.COMPARISONS,
            before=span(before) if before else "",
            begins="" if fresh.reaches(before) or not fresh.since else day(fresh.since, year=True),
        )
    )  # fmt: skip


def _tiles(figures: Part[list[Figures]], address: Address, stale: bool) -> str:
    groups = [(f.currency, make_tiles(f, address)) for f in figures.value or []]
    return str(
        render(
            "tiles", groups=groups, state=figures.state, age=figures.age, stale=stale,
            labels=[METRICS[n].label for n in addresses.METRICS],
        )
    )  # fmt: skip


def _plan(plans: Part[list[Plan]]) -> str:
    lines = make_plan(plans.value or [])
    return str(render("plan", lines=lines, state=plans.state, age=plans.age))


def _trend(figures: Part[list[Figures]], address: Address) -> str:
    charts = [(f.currency, make_trend(f, address)) for f in figures.value or []]
    picks = [(n, METRICS[n].label, address.link(metric=n)) for n in addresses.METRICS]
    return str(
        render("trend", charts=charts, state=figures.state, picks=picks, metric=address.metric)
    )


def _campaigns(campaigns: Part[Campaigns], trends: Part[pd.DataFrame], address: Address) -> str:
    known = campaigns.value
    table = make_table(known, address, trends.value) if known is not None else None
    clear = replace(address, search="", status="all", campaigns=(), page=1).query()
    return str(
        render(
            "campaigns",
            table=table,
            state=campaigns.state,
            age=campaigns.age,
            address=address,
            clear=f"?{clear}",
        )
    )
