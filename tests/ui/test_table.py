"""The campaign table and its file: sorting, filtering, adding up, escaping."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pandas as pd

from adlab.core.periods import DateRange
from adlab.exports.tables import Provenance
from adlab.ui.address import Address
from adlab.ui.figures import Campaigns
from adlab.ui.table import make_table, pick
from adlab.web.files import campaigns_file
from tests.exports.sheets import Sheet

SOURCE = Provenance(
    "=Evil & Co", DateRange(date(2026, 10, 1), date(2026, 10, 31)), ("Europe/Berlin",), ("EUR",),
    datetime(2026, 11, 1, 8, tzinfo=UTC), "2026-09-30", "no search",
)  # fmt: skip


def test_amounts_of_different_currencies_are_sorted_apart(campaigns: Campaigns) -> None:
    table = make_table(campaigns, Address(sort="-spend"))
    assert [r.name for r in table.rows] == ["Alpha", "Beta – Été", "=1+1", '<b onclick="x">']


def test_counts_are_sorted_across_currencies_and_unknown_come_last(campaigns: Campaigns) -> None:
    for sort in ("-purchases", "purchases"):
        assert make_table(campaigns, Address(sort=sort)).rows[-1].id == "13"


def test_search_ignores_case_and_accents(campaigns: Campaigns) -> None:
    assert list(pick(campaigns, Address(search="ete"))["name"]) == ["Beta – Été"]


def test_search_is_text_and_no_pattern(campaigns: Campaigns) -> None:
    assert len(pick(campaigns, Address(search=".*"))) == 0
    assert len(pick(campaigns, Address(search="(["))) == 0


def test_status_and_campaign_filters(campaigns: Campaigns) -> None:
    assert list(pick(campaigns, Address(status="paused")).index) == [12]
    assert list(pick(campaigns, Address(campaigns=(13, 11), sort="name")).index) == [13, 11]


def test_totals_add_up_sums_and_recompute_ratios(campaigns: Campaigns) -> None:
    table = make_table(campaigns, Address())
    assert [t.label for t in table.totals] == ["3 campaigns in EUR", "1 campaign in USD"]
    euros = {c.metric: c.text for c in table.totals[0].cells}
    assert euros["spend"] == "€420.00"
    assert euros["roas"] == "2.43"
    some = make_table(campaigns, Address(status="active", search="a"))
    assert {c.metric: c.text for c in some.totals[0].cells}["roas"] == "3.00"


def test_shaky_ratios_are_marked_and_say_why(campaigns: Campaigns) -> None:
    rows = {r.id: {c.metric: c for c in r.cells} for r in make_table(campaigns, Address()).rows}
    assert not rows["11"]["cpa"].soft
    assert rows["12"]["cpa"].soft
    assert rows["12"]["cpa"].why == "Too little data: fewer than 10 purchases."
    assert rows["13"]["roas"].text == "–"
    assert rows["13"]["link_ctr"].soft


def test_pages_have_twenty_rows_and_a_page_too_far_is_the_last() -> None:
    shown = pd.DataFrame(
        {"name": [f"C{i:03}" for i in range(45)], "status": "ACTIVE", "currency": "EUR"}
        | dict.fromkeys(
            ("spend", "impressions", "link_clicks", "purchases", "revenue", "roas", "cpa",
             "link_ctr"), 1.0),
    )  # fmt: skip
    many = Campaigns(shown, pd.DataFrame(index=shown.index), {"EUR": {}})
    table = make_table(many, Address(sort="name", page=99))
    assert (table.page, table.pages, table.first, table.last) == (3, 3, 41, 45)
    assert "page=2" in table.previous
    assert table.next == ""


def test_the_file_says_where_its_numbers_come_from(campaigns: Campaigns) -> None:
    text = campaigns_file("csv", pick(campaigns, Address()), campaigns.parts, SOURCE)
    assert isinstance(text, str)
    assert text.startswith("\ufeff# Client,")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[:5] == [
        ["# Client", "'=Evil & Co"], ["# Period", "2026-10-01 to 2026-10-31"],
        ["# Timezone", "Europe/Berlin"], ["# Currency", "EUR"],
        ["# As of", "2026-11-01T08:00:00+00:00"],
    ]  # fmt: skip
    assert rows[8:10] == [
        ["# Definition", "roas: revenue / spend"],
        ["# Definition", "cpa: spend / purchases"],
    ]
    assert rows[11][:5] == ["campaign_id", "campaign", "status", "currency", "spend"]
    body = {r[0]: r for r in rows[12:]}
    assert body["11"][1:8] == ["Alpha", "ACTIVE", "EUR", "300.00", "30000", "300", "30"]
    assert body["imp_14"][1:3] == ["'=1+1", ""]
    assert body["13"][7:10] == ["", "", ""]


def test_the_sheet_adds_up_what_passes_the_filter(campaigns: Campaigns) -> None:
    rows = pick(campaigns, Address(status="active", search="a"))
    content = campaigns_file("xlsx", rows, campaigns.parts, SOURCE)
    assert isinstance(content, bytes)
    sheet = Sheet(content)
    assert sheet.column("ROAS")[-1] == 3.0
    assert sheet.column("Campaign id") == [*map(str, rows.index), "Total EUR"]
    assert sheet.check() > 0
