"""The plan's sentences and the tiles' goals, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from adlab.core.metrics import METRICS
from adlab.core.periods import DateRange
from adlab.stats.pacing import evaluate_pacing
from adlab.ui.address import Address
from adlab.ui.figures import Figures
from adlab.ui.pages import render
from adlab.ui.plan import Plan, alarms, make_plan
from adlab.ui.tiles import goal_words, make_tiles
from tests.ui.conftest import span_of, steady

NOVEMBER = DateRange(date(2026, 11, 1), date(2026, 11, 30))
TODAY = date(2026, 11, 25)


def plan(
    spend: float, budget: float = 15_000, *, account: str = "", currency: str = "EUR",
    period: DateRange = NOVEMBER, today: date = TODAY, note: str = "",
) -> Plan:  # fmt: skip
    pacing = evaluate_pacing(budget, spend, period, today)
    return Plan(account, currency, period, today, pacing, note)


def say(found: Plan) -> str:
    """A line as it reads."""
    (line,) = make_plan([found])
    index = f"{line.index}, {line.verdict}" if line.index else line.verdict
    parts = [f"{line.title}: {line.spent}", index, line.daily]
    return " · ".join(p for p in parts if p).replace("\u202f", " ")


def test_the_sentence_has_what_was_spent_of_what_and_what_is_left() -> None:
    assert say(plan(12_480)) == (
        "November: spent €12,480 of €15,000 (83 %), 6 days left · pacing index 1.04, on pace · "
        "€420 a day from here"
    )


@pytest.mark.parametrize(
    ("spend", "words", "tone"),
    [(13_800, "ahead of plan", "warn"), (14_700, "far ahead of plan", "bad"),
     (10_500, "behind plan", "warn"), (9_000, "far behind plan", "bad"), (12_000, "on pace", "plain")],
)  # fmt: skip
def test_words_stand_beside_every_colour(spend: float, words: str, tone: str) -> None:
    (line,) = make_plan([plan(spend)])
    assert (line.verdict, line.tone) == (words, tone)
    assert f'class="{tone}">{words}<' in render("plan", lines=[line], state="ready", age="")


def test_an_overspent_budget_says_so_and_its_bar_is_full() -> None:
    (line,) = make_plan([plan(15_800)])
    assert line.daily == "the budget is used up"
    assert (line.filled, line.mark) == (100, 80)


def test_a_budget_far_from_its_plan_is_the_first_sentence() -> None:
    over, fine, part = plan(15_800), plan(12_000), plan(15_800, account="Shop")
    (said,) = alarms([over, fine, part], DateRange(date(2026, 10, 26), date(2026, 11, 24)))
    assert said.replace("\u202f", " ") == (
        "November is far ahead of plan: spent €15,800 of €15,000 (105 %), 6 days left."
    )
    assert alarms([over], DateRange(date(2026, 10, 1), date(2026, 10, 31))) == []


def test_the_first_day_and_days_without_spend() -> None:
    assert say(plan(0, today=date(2026, 11, 1))) == (
        "November: €15,000 to spend, starts today · €500 a day from here"
    )
    assert say(plan(0, today=date(2026, 11, 21))) == (
        "November: nothing spent yet of €15,000, 10 days left · €1,500 a day from here"
    )


def test_the_last_day_has_one_day_left() -> None:
    assert "1 day left" in say(plan(14_500, today=date(2026, 11, 30)))


def test_other_days_are_named_and_exact_dates_stand_below() -> None:
    period = DateRange(date(2026, 11, 16), date(2026, 12, 15))
    (line,) = make_plan([plan(4_500, period=period, note="Black week")])
    assert line.title == "16 Nov – 15 Dec 2026"
    assert line.days.replace("\u202f", " ") == (
        "16 Nov – 15 Dec 2026; counted through 24 Nov, where an even spend stands at 30 %"
    )
    assert line.note == "Black week"


def test_yen_have_no_cents_and_an_account_has_its_name() -> None:
    (line,) = make_plan([plan(1980, 2500, account="Tokyo <b>", currency="JPY")])
    assert line.spent.replace("\u202f", " ") == "spent ¥1,980 of ¥2,500 (79 %), 6 days left"
    assert "Tokyo &lt;b&gt;" in render("plan", lines=[line], state="ready", age="")


def test_without_a_budget_there_is_nothing() -> None:
    assert render("plan", lines=[], state="ready", age="").strip() == ""


def test_a_budget_of_zero_is_no_division() -> None:
    assert say(plan(5, 0)) == "November: spent €5.00 of €0.00, 6 days left · far ahead of plan"


def _figures(days: int, **goals: float) -> Figures:
    return Figures("EUR", span_of(date(2026, 11, 1), steady(days)), goals=goals)


def test_a_goal_is_met_in_the_direction_that_is_good() -> None:
    figures = _figures(30, roas=3.0, cpa=9.5, frequency=2.0)
    assert goal_words(METRICS["roas"], figures) == "goal 3.00, met"
    assert goal_words(METRICS["cpa"], figures) == "goal €9.50, missed"
    assert goal_words(METRICS["cpa"], _figures(30, cpa=10.0)) == "goal €10.00, met"
    assert goal_words(METRICS["link_ctr"], figures) == ""


def test_few_days_unknown_values_and_sums_are_held_against_nothing() -> None:
    assert goal_words(METRICS["roas"], _figures(6, roas=3.0)) == ""
    assert goal_words(METRICS["roas"], _figures(7, roas=3.0)) == "goal 3.00, met"
    assert goal_words(METRICS["purchases"], _figures(30, purchases=3.0)) == ""
    unknown = _figures(30, roas=3.0)
    unknown = replace(unknown, now=replace(unknown.now, totals={"roas": float("nan")}))
    assert goal_words(METRICS["roas"], unknown) == ""


def test_a_goal_of_the_client_is_not_held_against_a_few_campaigns() -> None:
    figures = _figures(30, roas=3.0)
    (tile,) = [t for t in make_tiles(figures, Address()) if t.name == "roas"]
    assert tile.goal == "goal 3.00, met"
    assert not any(t.goal for t in make_tiles(figures, Address(campaigns=(1,))))
