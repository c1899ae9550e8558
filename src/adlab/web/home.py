"""The front door: who somebody is, their clients as cards, and where they can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from adlab.core.periods import DateRange, today_in
from adlab.services.budgets import evaluate_budgets
from adlab.storage import reports
from adlab.storage.tenancy import Reader
from adlab.ui.formats import ago, day, money, span
from adlab.ui.plan import Plan, worst
from adlab.ui.published import Report
from adlab.ui.standing import ClientState, Standing, standing_of, state_of, trouble_first

SPEND_DAYS = 30
REPORTS_PER_CARD = 2
# Above this many clients there is a field to search them.
SEARCHED_ABOVE = 8


@dataclass(frozen=True)
class Card:
    """One client.

    Attributes:
        state: What the store knows of it.
        standing: How it stands.
        spend: Spend of 30 complete days, one text a currency.
        freshness: When it was read and the last day with numbers, in words.
        reports: Its newest published reports.
    """

    state: ClientState
    standing: Standing
    spend: tuple[str, ...]
    freshness: tuple[str, ...]
    reports: tuple[Report, ...] = ()

    @property
    def slug(self) -> str:
        """For the address of its board."""
        return self.state.slug


def load_states(reader: Reader) -> list[ClientState]:
    """Every active client this person may see, by name."""
    return [state_of(r) for r in reader.rows("read_standings")]


def load_planned_states(reader: Reader, now: datetime) -> list[ClientState]:
    """The same, with budgets that are far from their plan."""
    states = load_states(reader)
    plans: dict[int, list[Plan]] = {}
    for paced in evaluate_budgets(reader, [s.client_id for s in states], now):
        budget = paced.budget
        plans.setdefault(budget.client_id, []).append(
            Plan(paced.account, budget.currency, budget.period, paced.today, paced.pacing)
        )
    return [
        replace(s, plan=worst(plans[s.client_id])) if s.client_id in plans else s for s in states
    ]


def complete_days(states: Sequence[ClientState], now: datetime) -> DateRange:
    """The last 30 days that are over for every account, wherever it lives."""
    zones = {z for s in states for z in s.timezones} or {"UTC"}
    until = min(today_in(z, now) for z in zones) - timedelta(days=1)
    return DateRange(until - timedelta(days=SPEND_DAYS - 1), until)


def load_cards(reader: Reader, now: datetime | None = None) -> list[Card]:
    """The clients this person may see, those in trouble first."""
    now = now or datetime.now(UTC)
    states = load_planned_states(reader, now)
    period = complete_days(states, now)
    amounts: dict[int, list[tuple[str, float]]] = {}
    for r in reader.rows("read_client_spend", since=period.since, until=period.until):
        amounts.setdefault(r["client_id"], []).append((r["currency"], r["spend"] or 0.0))
    published = load_reports(reader, [s.client_id for s in states], REPORTS_PER_CARD)
    cards = [
        Card(
            state, standing_of(state, now),
            tuple(money(a, c, tile=True)
                  for c, a in sorted(amounts.get(state.client_id, []), key=lambda x: x[0])),
            freshness(state, now), tuple(published.get(state.client_id, ())),
        )
        for state in states
    ]  # fmt: skip
    return sorted(cards, key=lambda c: trouble_first(c.standing, c.state.name))


def freshness(state: ClientState, now: datetime) -> tuple[str, ...]:
    """When a client was read and its last day with numbers, in words."""
    words = []
    if state.checked_at is not None:
        words.append(f"checked {ago(state.checked_at, now)}")
    if state.last_day is not None:
        words.append(f"numbers to {_day(state.last_day, now)}")
    return tuple(words)


def _day(value: date, now: datetime) -> str:
    return day(value, year=abs((now.date() - value).days) > 300)


def load_reports(
    reader: Reader, client_ids: Sequence[int], most: int | None = None
) -> dict[int, list[Report]]:
    """Published reports per client, newest first."""
    found: dict[int, list[Report]] = {}
    for row in reports.load_reports(reader, client_ids):
        mine = found.setdefault(row["client_id"], [])
        if most is None or len(mine) < most:
            made = day(row["rendered_at"].date(), year=True)
            title, period = report_words(row["title"], DateRange(row["since"], row["until"]))
            mine.append(Report(row["report_id"], title, period, made, row["pages"]))
    return found


def report_words(title: str, period: DateRange) -> tuple[str, str]:
    """A report's title and the days it covers; a whole month's says its days by itself."""
    after = period.until + timedelta(days=1)
    whole = period.since.day == 1 and after.day == 1 and period.days <= 31
    if whole and title == f"Monthly report, {period.since:%B %Y}":
        return f"{period.since:%B %Y} report", ""
    return title, span(period)


def headline(cards: Sequence[Card]) -> str:
    """One sentence: how many clients, and how many need somebody; what is bad comes first."""
    if not cards:
        return "There is no client that you may see yet."
    troubled = sum(c.standing.kind == "attention" for c in cards)
    count = f"{len(cards):,} client{'s' if len(cards) != 1 else ''}"
    if troubled:
        verb = "needs" if troubled == 1 else "need"
        return f"{troubled} of {count} {verb} attention."
    return f"{count}, none in trouble." if len(cards) > 1 else "Your client"
