"""A client's month, ready for paper: one section a currency, each against the month before.

    month = monthly.open_month(lab, "acme", "2026-10")
    report.show(month.cover(), *month.sections[0].results())

Totals are those of `lab.insights(level="account").total()`. Amounts of several currencies are never
added; a change is coloured only where it leaves the client's usual day-to-day variation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from adlab.core.errors import UnknownObjectError
from adlab.core.metrics import METRICS, MetricDef, metrics
from adlab.core.money import format_money
from adlab.core.periods import DateRange, Epoch, epochs_between, months_back, today_in
from adlab.reports.blocks import shorten
from adlab.services.insights import sum_rows
from adlab.services.reporting import read_month, require_delivery
from adlab.ui.brand import make_brand
from adlab.ui.figures import Figures, Span, coverage
from adlab.ui.formats import MISSING, day, is_known, percent, show, span
from adlab.ui.variation import Change, judge
from adlab.ui.wording import change_words, finding
from adlab.workbench import report, report_charts
from adlab.workbench.monthly_plans import plan_sentences
from adlab.workbench.report import Block, Cell, Column

if TYPE_CHECKING:
    from adlab.workbench.client import Client
    from adlab.workbench.frames import InsightsFrame
    from adlab.workbench.lab import Workbench

RESULTS = (
    "spend", "impressions", "cpm", "link_clicks", "link_ctr", "link_cpc", "purchases", "cvr",
    "cpa", "revenue", "aov", "roas",
)  # fmt: skip
TILES = ("spend", "revenue", "purchases", "roas", "cpa", "link_clicks", "link_ctr", "impressions")
CAMPAIGN_COLUMNS = ("spend", "link_clicks", "link_ctr", "purchases", "roas", "cpa")
MOST_CAMPAIGNS = 20
_TITLES = {"link_clicks": "Link\nclicks", "link_ctr": "CTR\n(link)", "cpa": "Cost per\npurchase"}
_WHOLE = 0.95
_TONES = {"better": "good", "worse": "bad"}
_READINGS = {
    "usual": "usual variation", "better": "better", "worse": "worse", "more": "more than usual",
    "less": "less than usual", "unknown": "too little data",
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One currency of a client's month.

    Attributes:
        currency: ISO code.
        frame: The accounts' days of the month.
        campaigns: The campaigns, one row each for the whole month.
        figures: Totals and days of the month and of the one before.
        during: The month in words.
        versus: What it is compared with, in words.
        color: The client's colour.
        plans: How it stands against budgets and goals, a sentence each.
    """

    currency: str
    frame: InsightsFrame
    campaigns: InsightsFrame
    figures: Figures
    during: str
    versus: str
    color: str
    plans: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        """How it went, in one sentence; bad news first."""
        return finding(self.figures, self.during, self.versus)

    @property
    def movements(self) -> str:
        """What left its usual variation for the worse, then for the better; empty if nothing."""
        found: dict[str, list[str]] = {"worse": [], "better": []}
        for m in self.known:
            change = self.change(m)
            if change.verdict in found and change.relative is not None:
                sign = "+" if change.relative > 0 else "−"
                found[change.verdict].append(f"{m.label} {sign}{percent(change.relative)}")
        parts = [f"{verdict}: {', '.join(names)}" for verdict, names in found.items() if names]
        return f"Beyond usual variation, {'; '.join(parts)}." if parts else ""

    def against_plans(self) -> list[Block]:
        """How it stands against budgets and goals; nothing where none are set."""
        return [report.text("{sentence}", sentence=s) for s in self.plans]

    @property
    def known(self) -> list[MetricDef]:
        """Metrics with a value in this month or the one before."""
        return [
            METRICS[n]
            for n in RESULTS
            if is_known(self.figures.now.totals[n])
            or (self.figures.before is not None and is_known(self.figures.before.totals[n]))
        ]

    def change(self, metric: MetricDef) -> Change:
        """Its change against the month before, and whether that is usual variation."""
        before = self.figures.before.parts if self.figures.before else None
        return judge(metric, self.figures.now.parts, before)

    def tiles(self) -> Block:
        """The four numbers that say most, as a block of their own."""
        return report.tiles(self.numbers())

    def numbers(self) -> list[dict[str, str]]:
        """The four numbers that say most."""
        known = [m for m in self.known if m.name in TILES]
        chosen = sorted(known, key=lambda m: TILES.index(m.name))[:4]
        return [self._tile(m) for m in chosen]

    def _tile(self, metric: MetricDef) -> dict[str, str]:
        change = self.change(metric)
        arrow, words, _ = change_words(change)
        before = self._before(metric)
        known = before != MISSING
        return {
            "label": metric.label,
            "value": show(metric, self.figures.now.totals[metric.name], self.currency, tile=True),
            "change": f"{arrow} {words}".strip() if known else "",
            "tone": _TONES.get(change.verdict, "soft"),
            "was": f"was {before}" if known else "no month before",
        }

    def results(self) -> Block:
        """Every metric of the month, against the month before where there is one."""
        first = [Column("Metric", "left", True), Column(_capital(self.during))]
        if self.figures.before is None:
            alone: list[list[Cell | str]] = [self._result(m) for m in self.known]
            note = f"Nothing to compare with: no delivery is known for {self.versus}. "
            return report.cells(first, alone, note=f"{note}Ratios are sums over sums.")
        against = [Column(_capital(self.versus)), Column("Change"), Column("Reading", "left")]
        return report.cells(
            [*first, *against], [[*self._result(m), *self._against(m)] for m in self.known],
            note="Coloured where a change leaves this client's usual day-to-day variation. "
            "Ratios are sums over sums.",
        )  # fmt: skip

    def _result(self, metric: MetricDef) -> list[Cell | str]:
        value = self._show(metric, self.figures.now.totals[metric.name])
        return [Cell(metric.label, sub=self._part(metric)), value]

    def _against(self, metric: MetricDef) -> list[Cell | str]:
        change = self.change(metric)
        if change.relative is None:
            return [self._before(metric), MISSING, ""]
        arrow, _, _ = change_words(change)
        tone = _TONES.get(change.verdict, "soft")
        size = Cell(f"{arrow} {percent(change.relative)}", tone)
        return [self._before(metric), size, Cell(_READINGS[change.verdict], tone)]

    def trend(self) -> Block:
        """Spend and the main result, day by day."""
        spend = METRICS["spend"]
        names = {m.name for m in self.known}
        lower = next((METRICS[n] for n in ("roas", "cpa", "link_ctr") if n in names), None)
        period = self.figures.now.period
        days = self.figures.now.days.reindex(pd.Index(list(period), name="date"))
        crossed = epochs_between(self.figures.epochs, period.since, period.until)
        breaks = [e.starts_on for e in crossed]
        drawn = report_charts.trend(days, spend, lower, self.currency, self.color, breaks)
        title = self._trend_title(lower or spend)
        what = f"Daily spend in {self.currency}" + (f", and {lower.label} below" if lower else "")
        return report.figure(
            drawn, alt=f"{what}, {span(period)}. {title}.", title=title,
            subtitle=f"{what} · {span(period)}",
        )  # fmt: skip

    def _trend_title(self, metric: MetricDef) -> str:
        change = self.change(metric)
        if change.relative is None:
            return f"{metric.label} day by day"
        if change.verdict in ("usual", "unknown"):
            return f"{metric.label} stayed within its usual variation against {self.versus}"
        verb = "rose" if change.relative > 0 else "fell"
        return f"{metric.label} {verb} {percent(change.relative)} against {self.versus}"

    def campaign_table(self) -> Block:
        """Campaigns by spend, the rest in one row, and their total."""
        shown = [METRICS[n] for n in CAMPAIGN_COLUMNS if METRICS[n] in self.known]
        top = self.campaigns.top(MOST_CAMPAIGNS, "spend")
        total = self.campaigns.total()
        rows = [
            self._campaign(shorten(str(r["campaign_name"]), 100), r, total, shown)
            for _, r in top.iterrows()
        ]
        rest = self.campaigns[~self.campaigns.index.isin(top.index)]
        if len(rest):
            rows.append(
                self._campaign(f"{len(rest)} smaller campaigns", rest.total(), total, shown)
            )
        titles = [_TITLES.get(m.name, m.label) for m in shown[1:]]
        columns = [
            Column("Campaign", "left", True), Column("Spend"), Column("Share"),
            *(Column(t) for t in titles),
        ]  # fmt: skip
        count = len(self.campaigns)
        return report.cells(
            columns, rows,
            self._campaign("Total" if count > 1 else "Total of one campaign", total, total, shown),
            self._adds_up(count, total),
        )  # fmt: skip

    def _campaign(
        self, name: str, row: pd.Series[float], total: pd.Series[float], shown: list[MetricDef]
    ) -> list[Cell | str]:
        share = row["spend"] / total["spend"] if total["spend"] else float("nan")
        first: list[Cell | str] = [name, self._show(shown[0], row["spend"])]
        part = MISSING if share != share else f"{share * 100:.0f}\u202f%"
        if 0 < share < 0.005:
            part = "<1\u202f%"
        return [*first, part, *(self._show(m, row[m.name]) for m in shown[1:])]

    def _adds_up(self, count: int, total: pd.Series[float]) -> str:
        spend = self.figures.now.totals["spend"]
        words = (
            f"Campaigns with delivery: {count}. Amounts and counts are sums; rates and costs "
            "are recomputed from sums."
        )
        missing = spend - float(total["spend"])
        if abs(missing) >= 0.005:
            words += (
                f" The accounts' own total differs by {format_money(missing, self.currency)}: "
                "Meta counts it to no campaign that can be read."
            )
        return words

    def _before(self, metric: MetricDef) -> str:
        before = self.figures.before
        return MISSING if before is None else self._show(metric, before.totals[metric.name])

    def _part(self, metric: MetricDef) -> str:
        share, base = coverage(metric, self.figures.now.parts)
        known = is_known(self.figures.now.totals[metric.name])
        return f"of {percent(share)} of {base}" if known and share < _WHOLE else ""

    def _show(self, metric: MetricDef, value: float) -> str:
        return show(metric, value, self.currency)


@dataclass(frozen=True)
class Month:
    """A client's month.

    Attributes:
        client: Whose.
        period: Its complete days.
        before: The days compared with.
        partial: Whether the month is not over yet.
        sections: One a currency.
        settled_through: The newest day Meta no longer restates.
        as_of: What the numbers are as of, in words.
        epochs: Definition changes known.
    """

    client: Client
    period: DateRange
    before: DateRange
    partial: bool
    sections: tuple[Section, ...]
    settled_through: date
    as_of: str
    epochs: tuple[Epoch, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether Meta restates no day of it any more."""
        return self.period.until <= self.settled_through

    def cover(self) -> Block:
        """The first page."""
        worse = [s for s in self.sections if " fell " in s.finding or " rose " in s.finding]
        first = (worse or list(self.sections))[0]
        several = len(self.sections) > 1
        others = [f"{s.currency}: {s.finding}" for s in self.sections if s is not first]
        moved = "" if several else first.movements
        info = self.client.info
        return report.cover(
            self.client,
            "Monthly report" if not self.partial else "Monthly report, month to date",
            f"{self.period.since:%B %Y}" if not self.partial else span(self.period),
            f"{first.currency}: {first.finding}" if several else first.finding,
            " ".join(filter(None, [moved, *others, self._settlement()])),
            facts=[
                ("Days", span(self.period)),
                ("Currency", ", ".join(s.currency for s in self.sections)),
                ("Ad accounts", str(info.accounts)),
                ("As of", self.as_of.partition(",")[0]),
            ],
            # Reason: of several currencies none is the client's; each shows its own further in.
            numbers=[] if several else first.numbers(),
            as_of=f"as of {self.as_of}",
        )

    def _settlement(self) -> str:
        if self.partial:
            return "Month to date, not settled: the month is not over, and Meta restates 28 days."
        if self.settled:
            return "Every day of the month is settled."
        return f"Days after {day(self.settled_through, year=True)} may still be restated by Meta."

    def notes(self) -> Block:
        """What to know about the numbers."""
        return report.notes(self._notes())

    def _notes(self) -> Iterator[tuple[str, str]]:
        yield (
            "As of",
            f"{self.as_of}. Days are those of each ad account's own timezone: "
            + (", ".join(self.client.timezones) + "."),
        )
        checked = self.client.info.checked_at
        if checked is not None:
            yield "Last read from Meta", f"{day(checked.date(), year=True)}, {checked:%H:%M} UTC."
        yield (
            "Settlement",
            self._settlement() + (f" Settled through {day(self.settled_through, year=True)}."),
        )
        yield (
            "Comparison",
            f"{span(self.period)} ({self.period.days} days) against {span(self.before)} "
            f"({self.before.days} days).",
        )
        yield (
            "Usual variation",
            "A change is usual when the days of both months, with their weekdays' own levels, "
            "scatter enough to explain it (about 95 of 100 usual changes).",
        )
        yield "Attribution", "Purchases and revenue by each ad set's own attribution setting."
        if len(self.sections) > 1:
            codes = ", ".join(s.currency for s in self.sections)
            yield "Currencies", f"{codes}: each has its own section. Amounts are never added."
        yield from self._gaps()
        for epoch in epochs_between(self.epochs, self.before.since, self.period.until):
            yield f"{day(epoch.starts_on, year=True)}", f"{epoch.title}. {epoch.detail}"

    def _gaps(self) -> Iterator[tuple[str, str]]:
        accounts = self.client.accounts()
        files = [str(n) for n in accounts.loc[accounts["source"] == "import", "name"]]
        if files:
            yield "From files", f"Imported, not read from Meta: {', '.join(files)}."
        for s in self.sections:
            unknown = [METRICS[n].label for n in RESULTS if METRICS[n] not in s.known]
            if unknown:
                yield (
                    f"Unknown, {s.currency}",
                    f"{', '.join(unknown)}: not reported in either month. Unknown is not zero.",
                )

    def definitions(self) -> Block:
        """The metrics used, from the registry."""
        used = {m.name for s in self.sections for m in s.known}
        return report.definitions(n for n in RESULTS if n in used)


def open_month(lab: Workbench, client: str = "", period: str = "last_month") -> Month:
    """Read a client's month.

    Args:
        lab: The workbench.
        client: Slug; the first client you may see when empty.
        period: `2026-10`, or `last_month`.

    Raises:
        UnknownObjectError: If the client is not yours to see.
        DataError: If nothing was delivered in that month.
        ValueError: If the period is malformed.
    """
    who = lab.client(client or first_client(lab))
    today = min(today_in(z, lab.now()) for z in who.timezones)
    days = read_month(period, today)
    require_delivery(lab.reader, who.client_id, who.info.name, days)
    over = (days.until + timedelta(days=1)).day == 1
    before = _before(days, over)
    during = f"{days.since:%B %Y}" if over else f"{days.since:%B %Y} so far"
    versus = f"{before.since:%B}" if over else f"the same days of {before.since:%B}"
    brand = make_brand(who.info.name, who.slug, who.info.brand)
    accounts = who.accounts()
    found = []
    for currency in sorted(set(accounts["currency"])):
        ids = list(accounts.index[accounts["currency"] == currency])
        section = _section(lab, who, currency, ids, days, before)
        if section is not None:
            sentences = plan_sentences(lab, who, section[2], days)
            found.append(Section(currency, *section, during, versus, brand.colors.light, sentences))
    return Month(
        who, days, before, not over, tuple(found),
        date.fromisoformat(who.settled_through(lab.now())),
        f"{day(lab.now().date(), year=True)}, {lab.now():%H:%M} UTC",
        lab.definition_epochs(),
    )  # fmt: skip


def first_client(lab: Workbench) -> str:
    """Slug of the first client you may see.

    Raises:
        UnknownObjectError: If there is none.
    """
    slugs = list(lab.clients().index)
    if not slugs:
        raise UnknownObjectError("You may see no client yet.", "Ask an admin for a grant.")
    return str(slugs[0])


def _before(days: DateRange, over: bool) -> DateRange:
    start = months_back(days.since, 1)
    last = days.since - timedelta(days=1)
    return DateRange(start, last if over else min(start + timedelta(days=days.days - 1), last))


def _section(
    lab: Workbench, client: Client, currency: str, accounts: list[str], days: DateRange,
    before: DateRange,
) -> tuple[InsightsFrame, InsightsFrame, Figures] | None:  # fmt: skip
    def ask(level: str, period: DateRange, **more: object) -> InsightsFrame:
        return lab.insights(
            client.slug, level=level, since=period.since, until=period.until, metrics=RESULTS,
            filters={"account_id": accounts}, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    frame = ask("account", days)
    if not float(frame["impressions"].sum()) and not float(frame["spend"].sum()):
        return None
    old = ask("account", before)
    campaigns = ask("campaign", days, time_increment="all_days")
    then = _span(old, before) if len(old) else None
    return (
        frame,
        campaigns,
        Figures(currency, _span(frame, days), then, epochs=lab.definition_epochs()),
    )


def _span(frame: InsightsFrame, period: DateRange) -> Span:
    daily = frame.by("date")
    daily.index = pd.Index([d.date() for d in daily.index], name="date")
    sums = frame._parts.sums
    parts = sum_rows(sums.reset_index(), ["date"])
    parts.index = pd.Index([d.date() for d in parts.index], name="date")
    wanted = metrics(RESULTS)
    total = frame.total()
    return Span(period, {m.name: float(total[m.name]) for m in wanted}, daily, parts, daily)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
