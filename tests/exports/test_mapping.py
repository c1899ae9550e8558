"""Mapping files: what they may say, and what each mistake is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from adlab.core.entities import Level
from adlab.core.errors import ImportRejectedError
from adlab.exports.mapping import load_mapping

COLUMNS = "columns: {campaign_name: Campaign, date: Day, spend: Cost}\n"


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_full_mapping(tmp_path: Path) -> None:
    text = (
        'delimiter: ";"\ndate_format: "%d.%m.%Y"\ndecimal: ","\nthousands: "."\ncurrency: eur\n'
        "timezone: Europe/Berlin\nlevel: adset\n"
        "columns: {adset_name: Gruppe, date: Datum, spend: Kosten}\n"
    )
    m = load_mapping(_write(tmp_path, text))
    assert (m.delimiter, m.date_format, m.decimal, m.thousands) == (";", "%d.%m.%Y", ",", ".")
    assert (m.currency, m.timezone, m.level) == ("EUR", "Europe/Berlin", Level.AD_SET)
    assert m.columns == {"adset_name": "Gruppe", "date": "Datum", "spend": "Kosten"}


def test_auto_leaves_it_open(tmp_path: Path) -> None:
    m = load_mapping(
        _write(tmp_path, "delimiter: auto\ndate_format: auto\ndecimal: auto\n" + COLUMNS)
    )
    assert m.delimiter is None
    assert m.date_format is None
    assert m.decimal is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colums: {}\n", "no key 'colums'; known keys: delimiter"),
        ("columns: {campain: X, date: D, spend: S}\n", "no field 'campain'; known fields: date"),
        ("columns: {spend: S}\n", "date is missing"),
        ("columns: {date: D}\n", "no number to read"),
        ("columns: {date: D, spend: S, clicks: s}\n", "both name the header"),
        ("columns: [date]\n", "must list fields"),
        ("decimal: x\n", "decimal 'x'"),
        ('decimal: ","\nthousands: ","\n', "both"),
        ("thousands: x\n", "thousands 'x'"),
        ("delimiter: ab\n", "delimiter 'ab'"),
        ('date_format: "%d.%m"\n', "does not tell day, month and year"),
        ("currency: euros\n", "currency:"),
        ("timezone: Berlin\n", "timezone:"),
        ("level: creative\n", "level:"),
        ("level: banner\n", "level:"),
        ("- a\n", "holds no keys"),
        ("decimal: ,\n", "not YAML line 1"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImportRejectedError, match=message):
        load_mapping(_write(tmp_path, text))


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="no mapping file"):
        load_mapping(tmp_path / "none.yaml")
