"""Deltas, headlines, tiles and the chart: what numbers become."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange, Epoch
from adlab.ui import formats
from adlab.ui.address import Address
from adlab.ui.figures import Figures, Freshness, coverage
from adlab.ui.status import make_strip
from adlab.ui.tiles import make_tiles
from adlab.ui.trend import make_trend, nice_ticks
from adlab.ui.variation import judge
from adlab.ui.wording import chart_title, headline, in_days
from tests.ui.conftest import span_of, steady

NOW, BEFORE = date(2026, 10, 22), date(2026, 9, 22)


def _against(before: list[dict[str, float | None]], now: list[dict[str, float | None]]) -> Figures:
    return Figures("EUR", span_of(NOW, now), span_of(BEFORE, before))


def test_a_change_inside_the_wobble_stays_grey() -> None:
    f = _against(steady(30), steady(30, 1.005))
    change = judge(METRICS["purchases"], f.now.parts, f.before.parts if f.before else None)
    assert change.verdict == "usual"
    assert change.relative == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("metric", "factor", "verdict"),
    [("purchases", 1.5, "better"), ("purchases", 0.5, "worse"), ("cpa", 0.5, "worse"),
     ("cpa", 2.0, "better"), ("roas", 1.0, "usual")],
)  # fmt: skip
def test_a_large_change_is_read_by_what_is_good(metric: str, factor: float, verdict: str) -> None:
    f = _against(steady(30), steady(30, purchases=10 * factor))
    assert f.before is not None
    assert judge(METRICS[metric], f.now.parts, f.before.parts).verdict == verdict


def test_spend_is_never_good_or_bad() -> None:
    f = _against(steady(30), steady(30, 2.0))
    assert f.before is not None
    assert judge(METRICS["spend"], f.now.parts, f.before.parts).verdict == "more"


def test_wild_days_make_the_band_wider() -> None:
    rng = np.random.default_rng(1)
    wild = [{**r, "purchases": float(rng.poisson(10) * rng.lognormal(0, 1))} for r in steady(30)]
    f = _against(wild, [{**r, "purchases": (r["purchases"] or 0) * 1.25} for r in wild])
    assert f.before is not None
    change = judge(METRICS["purchases"], f.now.parts, f.before.parts)
    assert change.verdict == "usual"
    assert change.band is not None
    assert change.band > 0.25


def test_the_band_holds_for_most_pairs_of_equal_periods() -> None:
    rng = np.random.default_rng(7)
    outside = 0
    for _ in range(60):
        rows = [{**r, "purchases": float(rng.poisson(20 * rng.lognormal(0, 0.3)))}
                for r in steady(60)]  # fmt: skip
        now, before = span_of(NOW, rows[30:]), span_of(BEFORE, rows[:30])
        outside += judge(METRICS["purchases"], now.parts, before.parts).verdict != "usual"
    assert outside <= 7


@pytest.mark.parametrize("days", [1, 3])
def test_few_days_say_nothing_about_variation(days: int) -> None:
    f = _against(steady(days), steady(days, 3.0))
    assert f.before is not None
    change = judge(METRICS["purchases"], f.now.parts, f.before.parts)
    assert (change.verdict, change.band) == ("unknown", None)


def test_headline_gives_amount_change_and_result(figures: Figures) -> None:
    assert headline(figures, Address()) == (
        "Spent €3,000 in the last 30 days, as much as the 30 before; ROAS 4.00 (4.00 before)."
    )


def test_headline_puts_bad_news_first_and_names_the_cause() -> None:
    f = _against(steady(30), steady(30, purchases=5, revenue=200))
    text = headline(f, Address())
    assert text.startswith("ROAS fell 50\u202f% to 2.00, mostly CVR; spent €3,000")


def test_month_to_date_is_not_called_days() -> None:
    f = _against(steady(20), steady(20))
    assert " this month so far, as much as the same days last month" in headline(
        f, Address(range="mtd")
    )


@pytest.mark.parametrize(
    ("during", "said"),
    [("last month", "last month"), ("this month so far", "this month so far"),
     ("this day", "on this day"), ("October 2026", "in October 2026")],
)  # fmt: skip
def test_days_read_as_part_of_a_sentence(during: str, said: str) -> None:
    assert in_days(during) == said


def test_nothing_spent_is_said_plainly() -> None:
    f = Figures("EUR", span_of(NOW, [{"impressions": 3}]))
    assert headline(f, Address(range="7d")) == "Nothing was spent in the last day."


def test_a_ratio_known_for_a_part_says_so_and_is_no_headline() -> None:
    rows = steady(30)
    for row in rows[:27]:
        row["revenue"] = None
    f = Figures("EUR", span_of(NOW, rows))
    share, base = coverage(METRICS["roas"], f.now.parts)
    assert (round(share, 2), base) == (0.1, "spend")
    assert "ROAS" not in headline(f, Address())
    tile = next(t for t in make_tiles(f, Address()) if t.name == "roas")
    assert tile.was == "covers 10\u202f% of spend"


def test_tiles_show_value_change_and_definition(figures: Figures) -> None:
    tiles = {t.name: t for t in make_tiles(figures, Address(metric="roas"))}
    assert tiles["spend"].value == "€3,000"
    assert tiles["roas"].selected
    assert tiles["link_ctr"].value == "1.00\u202f%"
    assert tiles["spend"].was == "was €3,000"
    assert "revenue / spend" in tiles["roas"].definition
    assert {t.verdict for t in tiles.values()} == {"usual"}


def test_without_comparison_tiles_claim_nothing(figures: Figures) -> None:
    alone = replace(figures, before=None)
    for tile in make_tiles(alone, Address(compare="none")):
        assert (tile.arrow, tile.change, tile.was, tile.verdict) == ("", "", "", "unknown")


def test_missing_days_are_gaps_and_not_zeros() -> None:
    rows = steady(9)
    rows[4] = {}
    f = Figures("EUR", span_of(NOW, rows))
    tile = make_tiles(f, Address())[0]
    assert tile.spark is not None
    assert tile.spark.line.count("M") == 2
    assert tile.spark.area == ""


def test_the_chart_stacks_two_panels_and_marks_today(figures: Figures) -> None:
    live = replace(figures, today={"spend": 40.0, "roas": 4.0})
    trend = make_trend(live, Address())
    assert [p.height for p in trend.panels] == [220, 84]
    assert trend.panels[0].bars[-1].partial
    assert len(trend.panels[0].bars) == 31
    assert trend.hover["x"][-1] == "Sat 21 Nov, so far"
    assert trend.rows[0] == ("Thu 22 Oct", "€105.00", "€105.00", "4.00")


def test_definition_changes_stand_on_the_time_axis() -> None:
    f = Figures("EUR", span_of(date(2026, 2, 15), steady(30)), epochs=EPOCHS)
    (flag,) = make_trend(f, Address()).flags
    assert flag.title == "Click means link click"
    assert 40 < flag.at < 60


def test_chart_title_is_a_finding(figures: Figures) -> None:
    f = _against(steady(30), steady(30, purchases=15))
    change = judge(METRICS["purchases"], f.now.parts, f.before.parts if f.before else None)
    title = chart_title(METRICS["purchases"], f, Address(), change)
    assert title == "Purchases rose 50\u202f% against the 30 before"


@pytest.mark.parametrize(
    ("values", "zero", "expected"),
    [([3.0, 97.0], True, [0, 25, 50, 75, 100]), ([3.1, 4.4], False, [3, 3.5, 4, 4.5]),
     ([], True, [0, 1]), ([0.0, 0.0], True, [0, 0.25, 0.5, 0.75, 1])],
)  # fmt: skip
def test_axes_end_on_round_numbers(values: list[float], zero: bool, expected: list[float]) -> None:
    assert nice_ticks(np.array(values), zero=zero, most=4) == expected


def test_numbers_read_like_numbers() -> None:
    spend, ctr = METRICS["spend"], METRICS["link_ctr"]
    assert formats.show(spend, 1234.5, "EUR") == "€1,234.50"
    assert formats.show(spend, 1234.5, "JPY") == "¥1,234"
    assert formats.show(spend, 12_345_678, "EUR", tile=True) == "€12.35m"
    assert formats.show(ctr, 0.01234, "EUR") == "1.23\u202f%"
    assert formats.show(spend, float("nan"), "EUR") == "–"
    assert formats.axis(spend, 200_000, "EUR") == "€200k"
    assert [formats.percent(c) for c in (0.004, 0.08, -0.125, 4.1)] == [
        "0.4\u202f%", "8\u202f%", "12\u202f%", "×5.1",
    ]  # fmt: skip


EPOCHS = (Epoch(date(2026, 3, 1), "Click means link click", "Since then.", date(2026, 4, 6)),)


def _fresh(**changed: object) -> Freshness:
    at = datetime(2026, 11, 21, 9, 58, tzinfo=UTC)
    base = Freshness(at, at - timedelta(minutes=12), date(2026, 10, 23), {}, False, 1,
                     date(2026, 11, 20), epochs=EPOCHS)  # fmt: skip
    return replace(base, **changed)  # type: ignore[arg-type]


def test_strip_says_how_fresh_and_how_final() -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    period = DateRange(date(2026, 10, 22), date(2026, 11, 20))
    strip = make_strip(_fresh(), period, None, now)
    words = [f"{i.text} {i.since}".strip() for i in strip.items]
    assert words == ["Checked 2 min ago", "changed 14 min ago", "settled through 23 Oct"]
    assert not strip.stale


def test_strip_turns_amber_when_old_and_red_when_something_failed() -> None:
    now = datetime(2026, 11, 21, 14, tzinfo=UTC)
    period = DateRange(date(2026, 2, 22), date(2026, 3, 20))
    broken = _fresh(failures={"Acme EU": "token expired"}, since=date(2026, 3, 1))
    strip = make_strip(broken, period, None, now)
    assert strip.stale
    assert strip.items[0].tone == "warn"
    assert [i.text for i in strip.items if i.tone == "bad"] == ["Acme EU could not be read"]
    assert "history begins 1 Mar 2026" in [i.text for i in strip.items]
    assert len(strip.notes) == 1


def test_a_broken_connection_is_told_with_its_remedy_for_whoever_looks() -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    period = DateRange(date(2026, 10, 22), date(2026, 11, 20))
    broken = _fresh(connection="reauth_required", trouble="Dana must log in.")
    item = make_strip(broken, period, None, now, "/clients/acme/connect").items[-1]
    assert (item.text, item.tone, item.detail) == (
        "Meta must be connected again", "bad", "Dana must log in.",
    )  # fmt: skip
    assert item.link == ("Reconnect", "/clients/acme/connect")
    other = make_strip(broken, period, None, now).items[-1]
    assert (other.text, other.link) == (
        "Meta must be connected again: ask an admin of the agency", None,
    )  # fmt: skip


def test_a_connection_that_ends_soon_is_a_warning_and_nothing_is_stale() -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    period = DateRange(date(2026, 10, 22), date(2026, 11, 20))
    strip = make_strip(_fresh(connection="expiring", trouble="It ends."), period, None, now, "/x")
    assert (strip.items[-1].text, strip.items[-1].tone) == (
        "The connection to Meta ends soon", "warn",
    )  # fmt: skip
    assert not strip.stale
