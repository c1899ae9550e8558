"""Charts show themselves, ask nobody else, and refuse what cannot share an axis."""

from __future__ import annotations

import re

import pytest

from adlab.core.errors import MixedCurrencyError
from adlab.workbench import Workbench

DAYS = {"since": "2026-11-17", "until": "2026-11-19"}


def test_a_trend_names_its_metric_days_and_currency(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend", "roas")).plot.trend("spend")  # type: ignore[arg-type]
    assert chart.title == "Spend per campaign, acme, 2026-11-17 to 2026-11-19"
    figure = chart.figure()
    assert figure.yaxis[0].axis_label == "Spend (EUR)"
    assert {r.data_source.data["campaign_name"][0] for r in figure.renderers} == {"Alpha", "Beta"}


def test_a_chart_asks_no_other_host(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend",)).plot()  # type: ignore[arg-type]
    page = chart.html()
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)[^"]+"', page)
    shown = chart._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert "<script" not in shown


def test_a_chart_can_do_what_holoviews_can(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend",)).plot()  # type: ignore[arg-type]
    assert len(chart.traverse(lambda x: x)) > 1
    assert chart.opts(title="Another").title == "Another"
    with pytest.raises(AttributeError):
        chart.nothing_of_the_kind  # noqa: B018


def test_bars_where_there_are_no_dates(lab: Workbench) -> None:
    frame = lab.insights("acme", **DAYS, metrics=("spend",), time_increment="all_days")  # type: ignore[arg-type]
    assert "Spend per campaign" in frame.plot().title
    with pytest.raises(ValueError, match="no dates"):
        frame.plot.trend()


def test_two_currencies_share_no_axis(lab: Workbench) -> None:
    frame = lab.insights("mixed", **DAYS, metrics=("spend", "impressions"))  # type: ignore[arg-type]
    with pytest.raises(MixedCurrencyError):
        frame.plot("spend")
    assert "Impressions" in frame.plot("impressions").title


def test_a_column_that_is_not_there_is_named(lab: Workbench) -> None:
    frame = lab.insights("acme", **DAYS, metrics=("spend",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no column 'roas'"):
        frame.plot("roas")
