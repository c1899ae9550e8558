"""Charts show themselves, ask nobody else, and refuse what cannot share an axis."""

from __future__ import annotations

import re
from typing import Any

import holoviews as hv
import pytest

from adlab.core.errors import MixedCurrencyError
from adlab.workbench import Workbench
from adlab.workbench.plots import page_of

DAYS: dict[str, Any] = {"since": "2026-11-17", "until": "2026-11-19"}


def title_of(chart: Any) -> str:
    return str(hv.render(chart, backend="bokeh").title.text)


def test_a_trend_names_its_metric_days_and_currency(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend", "roas")).plot.trend("spend")
    figure = hv.render(chart, backend="bokeh")
    assert figure.title.text == "Spend per campaign, acme, 2026-11-17 to 2026-11-19"
    assert figure.yaxis[0].axis_label == "Spend (EUR)"
    assert figure.yaxis[0].formatter.format == "0,0.00"
    assert {r.data_source.data["campaign_name"][0] for r in figure.renderers} == {"Alpha", "Beta"}


def test_a_chart_asks_no_other_host_however_often_it_is_shown(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend",)).plot()
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)[^"]+"', page_of(chart))
    for _ in range(2):
        shown = chart._repr_mimebundle_()["text/html"]
        assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
        assert "<script" not in shown


def test_a_chart_is_a_holoviews_object(lab: Workbench) -> None:
    chart = lab.insights("acme", **DAYS, metrics=("spend",)).plot()
    assert isinstance(chart, hv.core.Dimensioned)
    assert title_of(chart.opts(title="Another")) == "Another"


def test_bars_where_there_are_no_dates(lab: Workbench) -> None:
    frame = lab.insights("acme", **DAYS, metrics=("spend",), time_increment="all_days")
    figure = hv.render(frame.plot(), backend="bokeh")
    assert "Spend per campaign" in figure.title.text
    assert figure.xaxis[0].formatter.format == "0,0.00"
    with pytest.raises(ValueError, match="no dates"):
        frame.plot.trend()


def test_two_currencies_share_no_axis(lab: Workbench) -> None:
    frame = lab.insights("mixed", **DAYS, metrics=("spend", "impressions"))
    with pytest.raises(MixedCurrencyError):
        frame.plot("spend")
    assert "Impressions" in title_of(frame.plot("impressions"))


def test_a_column_that_is_not_there_is_named(lab: Workbench) -> None:
    frame = lab.insights("acme", **DAYS, metrics=("spend",))
    with pytest.raises(ValueError, match="has no column 'roas'"):
        frame.plot("roas")
