"""`adlab epoch`: changes of meaning are named once and never twice."""

from __future__ import annotations

from tests.cli.conftest import Adlab


def test_a_change_is_added_listed_and_refused_twice(adlab: Adlab) -> None:
    asked = ("epoch", "add", "New pixel", "--on", "2026-11-18", "--metric", "roas")
    assert adlab(*asked).code == 0
    found = adlab("epoch", "list", "--json").json
    assert found[-1] == {
        "starts_on": "2026-11-18", "ends_on": "2026-11-18", "title": "New pixel",
        "metrics": "roas", "source": "the agency",
    }  # fmt: skip
    again = adlab(*asked)
    assert (again.code, "is a change 'New pixel' on 2026-11-18 already" in again.err) == (1, True)


def test_an_unknown_metric_is_named_with_its_neighbours(adlab: Adlab) -> None:
    done = adlab("epoch", "add", "x", "--on", "2026-11-18", "--metric", "purchase")
    assert done.code == 1
    assert "Did you mean purchases" in done.err
