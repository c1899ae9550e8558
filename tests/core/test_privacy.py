"""The data map and the retention of a client, as plain values."""

from __future__ import annotations

from datetime import date

import pytest

from adlab.core.privacy import BACKUP_DAYS, DATA_MAP, LIMITS, Retention


def test_every_line_of_the_map_says_whose_why_and_how_long() -> None:
    for held in DATA_MAP:
        assert held.place.count(".") == 2
        assert f"{held.table}.{held.column}" == held.place
        assert held.what
        assert held.basis
        assert held.kept
    assert len({h.place for h in DATA_MAP}) == len(DATA_MAP)


def test_tokens_and_customers_data_are_sealed() -> None:
    sealed = {h.place for h in DATA_MAP if h.sealed}
    assert sealed == {
        "sec.connection.token_sealed", "sec.connect_attempt.token_sealed",
        "app.conversion_event.payload_sealed",
    }  # fmt: skip


def test_defaults_are_the_longest_there_is() -> None:
    kept = Retention()
    assert (kept.months, kept.raw, kept.webhooks, BACKUP_DAYS) == (37, 90, 30, 35)
    assert Retention(13, 7, 1).first_day(date(2026, 11, 21)) == date(2025, 10, 22)
    assert kept.first_day(date(2026, 3, 31)) == date(2023, 3, 1)


@pytest.mark.parametrize("name", list(LIMITS))
def test_only_less_than_the_default_is_allowed(name: str) -> None:
    least, most, _ = LIMITS[name]
    assert getattr(Retention(**{name: least}), name) == least
    for value in (most + 1, least - 1, 0, -1):
        with pytest.raises(ValueError, match=f"is {least} to {most}, not {value}"):
            Retention(**{name: value})
