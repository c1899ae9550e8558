"""XLSX read back: formulas, formats, stored values, totals by hand, hostile names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from adlab.core.errors import DataError
from adlab.core.metrics import METRICS, metrics
from adlab.exports import write_xlsx as writer
from adlab.exports.tables import Table
from adlab.exports.write_xlsx import write_xlsx
from adlab.services.insights import values
from tests.exports.sheets import Sheet
from tests.exports.test_tables import SOURCE

NAN = float("nan")


def table(
    wanted: Sequence[str], rows: Sequence[dict[str, Any]], currencies: Sequence[str | None] = ()
) -> Table:
    """A table from plain sums (`spend`, `impressions` …); None is unknown."""
    chosen = metrics(wanted)
    cells: list[dict[str, Any]] = []
    for row in rows:
        out: dict[str, Any] = {}
        for m in chosen:
            if m.kind != "ratio":
                out[f"m_{m.name}"] = row.get(m.name)
                continue
            above = row.get(m.numerator.removesuffix("_micro"))
            below = row.get(m.denominator.removesuffix("_micro"))
            known = above is not None and below is not None
            out |= {
                f"n_{m.name}": above if known else None,
                f"d_{m.name}": below if known else None,
            }
        cells.append(out)
    names = [f"{k}_{m.name}" for m in chosen for k in (("n", "d") if m.kind == "ratio" else ("m",))]
    parts = pd.DataFrame(cells, columns=names, dtype=float)
    labels = pd.DataFrame({"campaign_id": [str(120208888888880120 + i) for i in range(len(rows))],
                           "campaign": [r.get("name", f"C{i}") for i, r in enumerate(rows)]},
                          dtype=object)  # fmt: skip
    return Table(labels, currencies or ["EUR"] * len(rows), chosen, values(parts, chosen), SOURCE,
                 parts)  # fmt: skip


def test_live_ratios_need_their_sums() -> None:
    bare = Table(pd.DataFrame({"x": ["a"]}), ["EUR"], metrics(("roas",)),
                 pd.DataFrame({"roas": [2.0]}), SOURCE)  # fmt: skip
    with pytest.raises(DataError, match="live_ratios=False"):
        write_xlsx(bare)
    sheet = Sheet(write_xlsx(bare, live_ratios=False))
    assert sheet.column("ROAS", stored=False) == [2.0, None]
    assert "Not averaged" in sheet.cell("ROAS", 3).comment.text


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_ROWS", 3)
    with pytest.raises(DataError, match=r"Export to \.csv or \.parquet"):
        write_xlsx(table(("spend",), [{"spend": 1.0}] * 3))


def test_ratios_are_formulas_over_the_columns_of_their_row() -> None:
    sheet = Sheet(write_xlsx(table(
        ("spend", "impressions", "cpm", "roas"),
        [{"spend": 10, "impressions": 1000, "revenue": 50},
         {"spend": 90, "impressions": 3000, "revenue": 90}],
    )))  # fmt: skip
    assert sheet.head == [
        "Campaign id", "Campaign", "Currency", "Spend", "Impressions", "CPM", "ROAS",
        "Revenue · counted in ROAS",
    ]  # fmt: skip
    assert sheet.column("CPM", stored=False) == [
        '=IF(E2=0,"",D2/E2*1000)', '=IF(E3=0,"",D3/E3*1000)', '=IF(E4=0,"",D4/E4*1000)',
    ]  # fmt: skip
    assert sheet.column("ROAS", stored=False)[0] == '=IF(D2=0,"",H2/D2)'
    assert sheet.column("Spend", stored=False) == [10, 90, "=SUM(D$2:D$3)"]
    # 140 back for 100 spent are 1.4; the mean of 5 and 1 would be 3.
    assert sheet.column("ROAS") == [5, 1, 1.4]
    assert sheet.column("CPM") == [10, 30, 25]
    assert sheet.check() == 9


def test_a_row_with_one_side_unknown_is_left_out_of_the_ratio_but_not_of_the_sum() -> None:
    """400 spent, 100 of it for 4 known purchases: 25 each, and not 100."""
    sheet = Sheet(write_xlsx(table(
        ("spend", "purchases", "cpa"),
        [{"spend": 100, "purchases": 4}, {"spend": 300, "purchases": None}],
    )))  # fmt: skip
    assert sheet.column("Spend") == [100, 300, 400]
    assert sheet.column("Purchases") == [4, None, 4]
    assert sheet.column("Cost per purchase") == [25, None, 25]
    assert sheet.column("Spend · counted in Cost per purchase") == [100, None, 100]
    assert sheet.check() == 6


def test_unknown_is_an_empty_cell_and_zero_below_gives_none() -> None:
    sheet = Sheet(write_xlsx(table(
        ("spend", "purchases", "cpa"),
        [{"spend": 50, "purchases": 0}, {"spend": None, "purchases": None}],
    )))  # fmt: skip
    assert sheet.column("Spend", stored=False)[1] is None
    assert sheet.column("Cost per purchase") == [None, None, None]
    nothing = Sheet(write_xlsx(table(("spend",), [{"spend": None}])))
    assert nothing.column("Spend", stored=False) == [None, None]


def test_two_currencies_have_a_total_each_and_are_never_added() -> None:
    sheet = Sheet(write_xlsx(table(
        ("spend", "impressions", "cpm"),
        [{"spend": 30, "impressions": 300}, {"spend": 4000, "impressions": 100},
         {"spend": 70, "impressions": 200}],
        ("USD", "JPY", "USD"),
    )))  # fmt: skip
    assert sheet.column("Campaign id")[3:] == ["Total JPY", "Total USD"]
    assert sheet.column("Currency") == ["USD", "JPY", "USD", "JPY", "USD"]
    assert sheet.column("Spend") == [30, 4000, 70, 4000, 100]
    assert sheet.cell("Spend", 6).value == '=SUMIF($C$2:$C$4,"USD",D$2:D$4)'
    assert sheet.column("CPM")[3:] == [40000, 200]
    assert sheet.check() == 9


def test_rows_without_a_currency_get_no_total_beside_those_with_one() -> None:
    rows = [{"spend": 30, "impressions": 3}, {"spend": None, "impressions": None}]
    sheet = Sheet(write_xlsx(table(("spend", "impressions"), rows, ("USD", None))))
    assert sheet.column("Campaign id")[2:] == ["Total USD"]
    assert sheet.column("Spend") == [30, None, 30]


def test_formats_follow_unit_and_currency() -> None:
    sheet = Sheet(write_xlsx(table(
        ("spend", "link_ctr", "roas", "purchases"),
        [{"spend": 1980, "impressions": 400, "link_clicks": 4, "revenue": 0, "purchases": 2},
         {"spend": 5.5, "impressions": 10, "link_clicks": 1, "revenue": 0, "purchases": 2.5}],
        ("JPY", "EUR"),
    )))  # fmt: skip
    formats = [sheet.cell(t, 2).number_format for t in ("Spend", "CTR (link)", "ROAS", "Purchases")]
    assert formats == ["#,##0", "0.00%", "0.00", "#,##0"]
    assert sheet.cell("Spend", 3).number_format == "#,##0.00"
    assert sheet.cell("Purchases", 3).number_format == "#,##0.0#"
    assert sheet.cell("Spend", 5).number_format == "#,##0"


def test_reach_is_never_added_and_says_why() -> None:
    sheet = Sheet(write_xlsx(table(
        ("impressions", "reach", "frequency"),
        [{"impressions": 1000, "reach": 900}, {"impressions": 3000, "reach": 2000}],
    )))  # fmt: skip
    assert sheet.column("Reach", stored=False) == [900, 2000, None]
    assert "distinct people" in sheet.cell("Reach", 4).comment.text
    assert sheet.column("Frequency", stored=False)[1:] == ['=IF(E3=0,"",D3/E3)', None]
    assert "distinct people" in sheet.cell("Frequency", 4).comment.text


HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\u202egpj.exe", "a\r\nb", "x\x00\x07y",
           '=HYPERLINK("http://evil.example")', "http://example.com", "00123", "\ud800"]  # fmt: skip


def test_hostile_names_are_text_and_nothing_else() -> None:
    sheet = Sheet(write_xlsx(table(("spend",), [{"spend": 1, "name": n} for n in HOSTILE])))
    cells = [sheet.cell("Campaign", r + 2) for r in range(len(HOSTILE))]
    assert {c.data_type for c in cells} == {"s"}
    assert [c.value for c in cells] == [
        "=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "gpj.exe", "a  b", "xy",
        '=HYPERLINK("http://evil.example")', "http://example.com", "00123", "",
    ]  # fmt: skip
    assert all(c.hyperlink is None for c in cells)
    ids = sheet.cell("Campaign id", 2)
    assert (ids.data_type, ids.value) == ("s", "120208888888880120")


def test_an_empty_table_is_a_head_and_an_explanation() -> None:
    sheet = Sheet(write_xlsx(table(("spend", "roas"), [])))
    assert sheet.formulas.max_row == 1
    assert sheet.head[:4] == ["Campaign id", "Campaign", "Currency", "Spend"]


def test_the_head_stays_and_filters_and_the_second_sheet_explains() -> None:
    sheet = Sheet(write_xlsx(table(("spend", "roas"), [{"spend": 1, "revenue": 2}])))
    assert sheet.formulas.freeze_panes == "C2"
    assert sheet.formulas.auto_filter.ref == "A1:F2"
    told = {r[0].value: r[1].value for r in sheet.about.iter_rows()}
    assert told["Client"] == "=Evil & Co"
    assert told["Period"] == "2026-10-01 to 2026-10-31"
    assert told["ROAS (roas)"] == "revenue / spend"
    assert "never" not in told["Spend (spend)"]
    assert METRICS["roas"].caveats in [r[2].value for r in sheet.about.iter_rows()]
