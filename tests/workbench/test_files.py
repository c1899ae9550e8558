"""Frames as files: what leaves adds up to what `total()` says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.exports.sheets import Sheet

from adlab.core.errors import DataError
from adlab.workbench import InsightsFrame, Workbench

TWO_DAYS: dict[str, Any] = {"since": "2026-11-18", "until": "2026-11-19"}
ASKED = ("spend", "purchases", "roas", "cpa", "cpm", "link_ctr")


@pytest.fixture
def frame(lab: Workbench) -> InsightsFrame:
    return lab.insights("acme", **TWO_DAYS, metrics=ASKED)


def _sheet(frame: InsightsFrame, **options: Any) -> Sheet:
    out = io.BytesIO()
    frame.to_excel(out, **options)
    return Sheet(out.getvalue())


def test_an_ending_that_is_none_is_refused(
    lab: Workbench, frame: InsightsFrame, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"none of \.csv, \.xlsx, \.parquet"):
        lab.export(frame, tmp_path / "acme.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_frame_refuses_live_ratios(frame: InsightsFrame) -> None:
    frame["spend"] *= 2
    with pytest.raises(DataError, match="live_ratios=False"):
        _sheet(frame, live_ratios=True)
    assert _sheet(frame).column("Spend", stored=False)[0] == 20


def test_pandas_arguments_and_live_ratios_exclude_each_other(frame: InsightsFrame) -> None:
    with pytest.raises(ValueError, match="takes no arguments of pandas"):
        _sheet(frame, live_ratios=True, sheet_name="x")


def test_the_totals_row_is_the_total(frame: InsightsFrame) -> None:
    sheet = _sheet(frame)
    total = frame.total()
    for name, title in (("spend", "Spend"), ("roas", "ROAS"), ("cpa", "Cost per purchase"),
                        ("cpm", "CPM"), ("link_ctr", "CTR (link)")):  # fmt: skip
        assert sheet.column(title)[-1] == pytest.approx(total[name], rel=1e-12)
    assert sheet.check() > 15


@pytest.mark.parametrize("client", ["filed", "mixed", "tokyo"])
def test_unknown_cells_two_currencies_and_yen_add_up_alike(lab: Workbench, client: str) -> None:
    f = lab.insights(client, **TWO_DAYS, metrics=("spend", "purchases", "cpa", "cpm", "ctr"))
    sheet = _sheet(f)
    sheet.check()
    by = f.by("currency")
    for place, (_, row) in enumerate(by.iterrows()):
        line = len(f) + place
        for name, title in (("spend", "Spend"), ("cpa", "Cost per purchase"), ("cpm", "CPM")):
            found = sheet.column(title)[line]
            assert found == (None if pd.isna(row[name]) else pytest.approx(row[name]))


def test_days_are_days_and_ids_are_text(frame: InsightsFrame) -> None:
    sheet = _sheet(frame)
    assert sheet.head[:3] == ["Date", "Campaign id", "Campaign name"]
    assert str(sheet.column("Date")[0]) == "2026-11-18 00:00:00"
    assert sheet.column("Campaign id")[0] == "120208888888880123"


def test_rows_of_a_frame_and_an_empty_frame_can_be_exported(
    lab: Workbench, frame: InsightsFrame
) -> None:
    some = _sheet(frame[frame["spend"] > 50])
    assert some.column("Spend") == [90, 90]
    empty = lab.insights("newco", **TWO_DAYS, metrics=("spend", "roas"))
    assert _sheet(empty).formulas.max_row == 1
    assert "# Client,newco" in str(empty.to_csv())


def test_comparison_columns_come_along(lab: Workbench) -> None:
    f = lab.insights("acme", since="2026-11-19", until="2026-11-19", time_increment="all_days",
                     metrics=("spend",), compare="previous_period")  # fmt: skip
    sheet = _sheet(f)
    assert sheet.column("Spend, before")[:2] == [None, 10]
    assert sheet.cell("Spend, change", 3).number_format == "0.00%"


def test_csv_says_where_it_comes_from_and_text_has_no_mark(frame: InsightsFrame) -> None:
    text = frame.to_csv()
    assert text is not None
    lines = text.split("\r\n")
    assert lines[0] == "# Client,acme"
    assert "# Definition,roas: revenue / spend" in lines
    body = [line for line in lines if not line.startswith("#")]
    assert (
        body[0] == "date,campaign_id,campaign_name,currency,spend,purchases,roas,cpa,cpm,link_ctr"
    )
    assert body[1] == "2026-11-18,120208888888880123,Alpha,EUR,10.00,1,5,10.00,10.00,0.01"


def test_csv_without_provenance_is_pandas_own(frame: InsightsFrame, tmp_path: Path) -> None:
    assert frame.to_csv(provenance=False) == pd.DataFrame(frame).to_csv()
    text = frame.to_csv(sep=";", index=False)
    assert text is not None
    assert text.startswith("# Client,acme\r\n")
    assert "campaign_name;spend" in text
    frame.to_csv(tmp_path / "acme.csv")
    assert (tmp_path / "acme.csv").read_bytes().startswith("\ufeff# Client,acme\r\n".encode())


def test_groups_and_reshaped_frames_keep_their_provenance(
    lab: Workbench, frame: InsightsFrame, tmp_path: Path
) -> None:
    path = lab.export(frame.by("campaign_name"), tmp_path / "by.xlsx")
    sheet = Sheet(path.read_bytes())
    assert sheet.column("Spend", stored=False) == [100, 20.5, "=SUM(C$2:C$3)"]
    wide = frame["spend"].unstack().reset_index()
    assert wide.to_csv(index=False) is not None


def test_parquet_reads_back_with_its_index_and_provenance(
    lab: Workbench, frame: InsightsFrame, tmp_path: Path
) -> None:
    path = lab.export(frame, tmp_path / "acme.parquet")
    back = pd.read_parquet(path)
    assert list(back.index) == list(frame.index)
    pd.testing.assert_frame_equal(
        back.reset_index(drop=True), pd.DataFrame(frame).reset_index(drop=True), check_dtype=False
    )
    assert back.attrs["currency"] == "EUR"
