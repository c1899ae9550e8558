"""Days of several notations; an ambiguous order is refused."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from adlab.core.errors import ImportRejectedError
from adlab.exports.days import day_reader, find_order
from adlab.exports.problems import CellError


@pytest.mark.parametrize(
    "cell",
    ["2026-11-03", "2026/11/03", "2026.11.03", "20261103", " 2026-11-03 ", "2026-11-03 00:00:00",
     "2026-11-03T00:00:00Z", date(2026, 11, 3), datetime(2026, 11, 3)],
)  # fmt: skip
def test_iso_days_need_no_format(cell: object) -> None:
    assert day_reader("iso", None)(cell) == date(2026, 11, 3)


def test_the_dates_prove_their_order() -> None:
    assert find_order(["1.08.2019", "13.08.2019"], "Date") == "day first"
    assert find_order(["8/1/2019", "8/13/2019"], "Date") == "month first"
    assert find_order(["2019-08-01"], "Date") == "iso"
    assert find_order(["05/05/2019"], "Date") == "iso"
    assert day_reader("day first", None)("1.08.2019") == date(2019, 8, 1)
    assert day_reader("month first", None)("8/1/2019") == date(2019, 8, 1)


def test_an_ambiguous_order_is_refused_with_advice() -> None:
    with pytest.raises(ImportRejectedError, match="two ways") as caught:
        find_order(["01/02/2026", "02/02/2026"], "Day")
    assert '"%d/%m/%Y"' in caught.value.remedy
    assert "'Day'" in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "is empty"),
        (None, "is empty"),
        ("2026-02-30", "not a day of the calendar"),
        ("31.02.2026", "not a day of the calendar"),
        ("2026-11-03 14:00", "time of day"),
        (datetime(2026, 11, 3, 14), "time of day"),
        ("3/11/26", "year of two digits"),
        ("yesterday", "is not a day"),
        (45965, "is not a day"),
    ],
)
def test_what_is_no_day_says_why(cell: object, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        day_reader("day first", None)(cell)


def test_a_format_is_taken_at_its_word() -> None:
    read = day_reader("iso", "%d.%m.%Y")
    assert read("1.08.2019") == date(2019, 8, 1)
    with pytest.raises(CellError, match="written as"):
        read("2019-08-01")
