"""Text that goes into files: no formula, no control character, no surprise."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from adlab.core.metrics import METRICS, metrics
from adlab.core.periods import DateRange
from adlab.exports.tables import Provenance, Table, plain, safe
from adlab.exports.write_csv import number_text, write_csv

SOURCE = Provenance(
    "=Evil & Co", DateRange(date(2026, 10, 1), date(2026, 10, 31)), ("Europe/Berlin",), ("EUR",),
    datetime(2026, 11, 1, 8, tzinfo=UTC), "2026-09-30", "no search",
)  # fmt: skip
NAN = float("nan")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\n=1", "＝1", '=HYPERLINK("http://e")',
     "=cmd|' /C calc'!A0", "\u202e=1", "\x00=1"],
)  # fmt: skip
def test_no_text_becomes_a_formula(text: str) -> None:
    assert safe(text).startswith("'")
    assert "\n" not in safe(text)


def test_harmless_text_stays_as_it_is() -> None:
    assert safe("Brand | DE") == "Brand | DE"
    assert plain("東京 · Été – “x”") == "東京 · Été – “x”"


def test_characters_that_control_or_mislead_are_gone() -> None:
    assert plain("a\u202etxt.exe\x07\x1b[31m\ud800") == "atxt.exe[31m"
    assert plain("one\r\ntwo\u2028three") == "one  two three"


def _table(currency: str = "EUR") -> Table:
    values = pd.DataFrame({"spend": [0.1 + 0.2, 1234567.891234], "roas": [1 / 3, NAN]})
    labels = pd.DataFrame({"campaign_id": ["120208888888880123", "imp_14"],
                           "campaign": ["Alpha", "=1+1"]})  # fmt: skip
    return Table(labels, [currency] * 2, metrics(("spend", "roas")), values, SOURCE)


def test_the_file_says_where_its_numbers_come_from_and_what_ratios_mean() -> None:
    text = write_csv(_table())
    assert text.startswith("\ufeff# Client,")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[:9] == [
        ["# Client", "'=Evil & Co"], ["# Period", "2026-10-01 to 2026-10-31"],
        ["# Timezone", "Europe/Berlin"], ["# Currency", "EUR"],
        ["# As of", "2026-11-01T08:00:00+00:00"], ["# Settled through", "2026-09-30"],
        ["# Attribution", "account default"], ["# Filter", "no search"],
        ["# Definition", "roas: revenue / spend"],
    ]  # fmt: skip
    assert rows[9:] == [
        ["campaign_id", "campaign", "currency", "spend", "roas"],
        ["120208888888880123", "Alpha", "EUR", "0.30", "0.3333333333"],
        ["imp_14", "'=1+1", "EUR", "1234567.891234", ""],
    ]


def test_yen_have_no_decimals_but_lose_none_they_have() -> None:
    spend = METRICS["spend"]
    assert number_text(spend, 1980.0, "JPY") == "1980"
    assert number_text(spend, 1980.5, "JPY") == "1980.5"
    assert number_text(spend, 1980.0, "EUR") == "1980.00"
    assert number_text(spend, NAN, "EUR") == ""
    assert number_text(METRICS["impressions"], 30000, "EUR") == "30000"


def test_an_empty_table_has_its_head() -> None:
    table = Table(
        pd.DataFrame({"campaign_id": []}), [], metrics(("spend",)), pd.DataFrame({"spend": []}),
        SOURCE,
    )  # fmt: skip
    assert write_csv(table, mark=False).splitlines()[-1] == "campaign_id,currency,spend"
