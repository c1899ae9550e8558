"""Files in every encoding, line end and delimiter; malformed ones are refused in words."""

from __future__ import annotations

import codecs
import datetime
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from adlab.core.entities import Level
from adlab.core.errors import ImportRejectedError
from adlab.exports.layout import Layout, read_layout
from adlab.exports.mapping import Mapping, load_mapping
from adlab.exports.rows import FileRow, Findings, read_rows

DATA = Path(__file__).parent / "data"
REPOSITORY = Path(__file__).resolve().parents[2]
FIRST, LAST = date(2015, 1, 1), date(2026, 11, 21)
HEAD = "Campaign name,Day,Amount spent (EUR),Impressions"
TEXT = f"{HEAD}\nKäse,2026-11-01,12.50,1000\nWurst,2026-11-01,7,\n"


def _rows(layout: Layout) -> tuple[list[FileRow], Findings]:
    findings = Findings()
    return list(read_rows(layout, "EUR", FIRST, LAST, findings)), findings


def _file(tmp_path: Path, data: str | bytes, name: str = "f.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def _seen(layout: Layout) -> list[tuple[Any, ...]]:
    rows, findings = _rows(layout)
    assert findings.problems == []
    return [(r.names[0], r.day, r.values[0], r.values[1]) for r in rows]


EXPECTED = [
    ("Käse", date(2026, 11, 1), 12_500_000, 1000),
    ("Wurst", date(2026, 11, 1), 7_000_000, None),
]


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-8"),
        codecs.BOM_UTF8 + TEXT.encode("utf-8"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        ("sep=;\n" + TEXT.replace(",", ";")).encode(),
        ("Report of November\n\n" + TEXT).encode(),
        (TEXT + "\n\n,,,\n").encode(),
    ],
)
def test_any_encoding_line_end_and_delimiter(tmp_path: Path, data: bytes) -> None:
    assert _seen(read_layout(_file(tmp_path, data))) == EXPECTED


def test_lines_are_counted_as_an_editor_shows_them(tmp_path: Path) -> None:
    data = f'{HEAD}\n"two\nlines",2026-11-01,1,1\n\nx,2026-11-01,-1,1\n'
    _, findings = _rows(read_layout(_file(tmp_path, data)))
    assert [(p.line, p.column, p.value) for p in findings.problems] == [
        (5, "Amount spent (EUR)", "-1")
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (HEAD.encode(), "header and no rows"),
        (f'{HEAD}\n"a,2026-11-01,1,1\nb,2026-11-01,1,1\n'.encode(), "not well-formed from line 2"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, "old .xls"),
        (b"PK\x03\x04garbage", "not a readable XLSX"),
        (b"<html><body>", "neither CSV nor XLSX"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "neither CSV nor XLSX"),
        (bytes(range(256)) * 4, "neither CSV nor XLSX"),
        (f"{HEAD}\nx,2026-11-01,1,\x81\x8d\xff".encode("latin-1"), "not text in cp1252"),
    ],
)
def test_malformed_files(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ImportRejectedError, match=message):
        _rows(read_layout(_file(tmp_path, data)))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="no file"):
        read_layout(tmp_path / "none.csv")
    with pytest.raises(ImportRejectedError, match="cannot be read"):
        read_layout(tmp_path)


def test_rows_of_another_width_are_bad(tmp_path: Path) -> None:
    _, findings = _rows(read_layout(_file(tmp_path, TEXT + "a,2026-11-01,1\nb,2026-11-02,1,2,3\n")))
    assert [(p.line, p.reason) for p in findings.problems] == [
        (4, "has 3 cells, and the header has 4"),
        (5, "has 5 cells, and the header has 4"),
    ]


def _book(path: Path, *rows: list[Any], title: str = "Raw Data Report") -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Formatted Report"
    book.active.append(["A title"])
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_xlsx_with_typed_cells(tmp_path: Path) -> None:
    head = ["Ad ID", "Ad name", "Day", "Amount spent (EUR)", "Impressions", "Purchases"]
    path = _book(
        tmp_path / "f.xlsx", head,
        ["23846000000000123", "A", datetime.datetime(2026, 11, 1), 57.31, 1000, 2],
        ["23846000000000124", "B", "2026-11-02", "7.5", None, None],
    )  # fmt: skip
    layout = read_layout(path)
    rows, findings = _rows(layout)
    assert findings.problems == []
    assert layout.level is Level.AD
    assert [(r.ids[2], r.day, r.values[0], r.values[1], r.values[12]) for r in rows] == [
        (23846000000000123, date(2026, 11, 1), 57_310_000, 1000, 2),
        (23846000000000124, date(2026, 11, 2), 7_500_000, None, None),
    ]


def test_an_id_a_spreadsheet_has_cut_is_refused(tmp_path: Path) -> None:
    head = ["Campaign ID", "Day", "Impressions"]
    path = _book(tmp_path / "f.xlsx", head, [23846000000000123, "2026-11-01", 1])
    _, findings = _rows(read_layout(path))
    assert "lost its last digits" in findings.problems[0].reason
    data = "Campaign ID,Day,Impressions\n2.3846E+16,2026-11-01,1\nabc,2026-11-01,1\n"
    _, findings = _rows(read_layout(_file(tmp_path, data)))
    assert "lost its last digits" in findings.problems[0].reason
    assert "map it as a name" in findings.problems[1].reason


def test_a_file_without_days_is_refused_and_lists_its_headers(tmp_path: Path) -> None:
    data = "ad_id,xyz_campaign_id,age,Impressions,Clicks,Spent\r708746,916,30,7350,1,1.43\r"
    with pytest.raises(ImportRejectedError, match="no column with the day") as caught:
        read_layout(_file(tmp_path, data))
    assert "'xyz_campaign_id'" in str(caught.value)


def test_a_file_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="no column with a number"):
        read_layout(_file(tmp_path, "Campaign name,Day,Results\na,2026-11-01,3\n"))


def test_a_mapped_header_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    mapping = Mapping(columns={"campaign_name": "Kampagne", "date": "Day", "spend": "Cost"})
    with pytest.raises(ImportRejectedError, match="names the header 'Kampagne'") as caught:
        read_layout(_file(tmp_path, TEXT), mapping)
    assert "'Amount spent (EUR)'" in caught.value.remedy


def test_a_mapped_header_that_stands_twice(tmp_path: Path) -> None:
    mapping = Mapping(columns={"date": "Day", "spend": "Cost"})
    with pytest.raises(ImportRejectedError, match="stands 2 times"):
        read_layout(_file(tmp_path, "Day,Cost,cost\n2026-11-01,1,2\n"), mapping)


def test_a_recognised_header_that_stands_twice(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="more than once"):
        read_layout(_file(tmp_path, "Day,Impressions,impressions\n2026-11-01,1,2\n"))


def test_rows_of_several_days_are_refused(tmp_path: Path) -> None:
    head = "Reporting starts,Reporting ends,Campaign name,Impressions\n"
    with pytest.raises(ImportRejectedError, match="covers several days") as caught:
        read_layout(_file(tmp_path, head + "2026-10-01,2026-10-31,A,5\n"))
    assert "breakdown by day" in caught.value.remedy
    layout = read_layout(
        _file(tmp_path, head + "2026-10-01,2026-10-31,,9\n2026-10-01,2026-10-01,A,5\n")
    )
    assert _seen(layout) == [("A", date(2026, 10, 1), None, 5)]
    assert layout.totals == (2,)


@pytest.mark.parametrize(
    ("lines", "totals"),
    [
        (",,19.50,1000\na,2026-11-01,12.50,1000\nb,2026-11-01,7,\n", (2,)),
        ("a,2026-11-01,12.50,1000\nb,2026-11-01,7,\n,,19.50,1000\n", (4,)),
        ("a,2026-11-01,12.50,1000\nb,2026-11-01,7,\nTotal results,,19.50,1000\n", (4,)),
        ("a,2026-11-01,12.50,1000\nb,2026-11-01,7,\n", ()),
    ],
)
def test_totals_are_skipped(tmp_path: Path, lines: str, totals: tuple[int, ...]) -> None:
    layout = read_layout(_file(tmp_path, f"{HEAD}\n{lines}"))
    rows, findings = _rows(layout)
    assert layout.totals == totals
    assert (len(rows), findings.bad) == (2, 0)


def test_a_row_without_object_or_day_is_bad(tmp_path: Path) -> None:
    lines = "a,2026-11-01,1,1\n,2026-11-01,1,1\nb,,1,1\nc,2026-11-01,1,1\n"
    _, findings = _rows(read_layout(_file(tmp_path, f"{HEAD}\n{lines}")))
    assert [(p.line, p.column) for p in findings.problems] == [(3, "Campaign name"), (4, "Day")]


def test_days_out_of_range_are_bad(tmp_path: Path) -> None:
    lines = "a,2026-11-22,1,1\na,2014-12-31,1,1\na,2026-11-21,1,1\n"
    rows, findings = _rows(read_layout(_file(tmp_path, f"{HEAD}\n{lines}")))
    assert len(rows) == 1
    assert "future" in findings.problems[0].reason
    assert "older than the store keeps" in findings.problems[1].reason


def test_the_level_is_the_deepest_there_is(tmp_path: Path) -> None:
    def level(header: str) -> Level:
        cells = ",".join("2026-11-01" if h == "Day" else "1" for h in header.split(","))
        return read_layout(_file(tmp_path, f"{header}\n{cells}\n")).level

    assert level("Day,Impressions") is Level.ACCOUNT
    assert level("Campaign name,Day,Impressions") is Level.CAMPAIGN
    assert level("Campaign name,Ad set name,Day,Impressions") is Level.AD_SET
    assert level("Campaign name,Ad ID,Day,Impressions") is Level.AD
    with pytest.raises(ImportRejectedError, match="Level ad needs"):
        read_layout(_file(tmp_path, TEXT), level=Level.AD)


def test_german_export(tmp_path: Path) -> None:
    data = (
        "Kampagnenname;Tag;Ausgegebener Betrag (EUR);Impressionen\n"
        "A;13.11.2026;1.234,56;12.345\nB;01.11.2026;0,07;7\n"
    )
    assert _seen(read_layout(_file(tmp_path, data))) == [
        ("A", date(2026, 11, 13), 1_234_560_000, 12_345),
        ("B", date(2026, 11, 1), 70_000, 7),
    ]


@pytest.mark.parametrize(("name", "spend"), [("control", 68_653), ("test", 76_892)])
def test_one_mapping_reads_both_files_of_the_pair(name: str, spend: int) -> None:
    mapping = load_mapping(REPOSITORY / "notebooks/mappings/ab_pair.yaml")
    layout = read_layout(DATA / f"{name}_group.csv", mapping)
    rows, findings = _rows(layout)
    assert (len(rows), findings.bad, layout.currencies) == (30, 0, {"USD": "Spend [USD]"})
    assert sum(r.values[0] or 0 for r in rows) == spend * 1_000_000
    assert rows[0].day == date(2019, 8, 1)
    if name == "control":
        # The fifth day has spend and nothing else: missing, not zero and not bad.
        assert [v for v in rows[4].values if v is not None] == [1_835_000_000]
