"""The cache never mixes people, never loads twice at once, and never keeps what changed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from adlab.core.errors import AccessDeniedError, TenantError
from adlab.ui import visit
from adlab.ui.shared import Key, Shared, StillLoadingError

ANA = Key("v_aaaaaaaaaaaa", 1, ("figures",))
BOB = Key("v_bbbbbbbbbbbb", 1, ("figures",))


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _counting() -> tuple[list[int], Callable[[], int]]:
    calls: list[int] = []

    def load() -> int:
        calls.append(1)
        return len(calls)

    return calls, load


def test_two_people_never_share_a_value() -> None:
    shared = Shared()
    assert shared.get(ANA, lambda: "Ana's", 1) == "Ana's"
    assert shared.get(BOB, lambda: "Bob's", 1) == "Bob's"
    assert shared.get(ANA, lambda: "new", 1) == "Ana's"


def test_nothing_is_cached_as_nobody() -> None:
    with pytest.raises(TenantError):
        Key("", 1, ("figures",))


def test_who_asks_while_it_loads_gets_the_same_load() -> None:
    shared, gate = Shared(), threading.Event()
    calls: list[int] = []

    def slow() -> str:
        calls.append(1)
        gate.wait(5)
        return "done"

    with pytest.raises(StillLoadingError):
        shared.get(ANA, slow, 0.01)
    with pytest.raises(StillLoadingError):
        shared.get(ANA, slow, 0.01)
    gate.set()
    assert shared.get(ANA, slow, 5) == "done"
    assert len(calls) == 1


def test_a_change_makes_values_of_that_client_stale_and_no_others() -> None:
    shared = Shared()
    calls, load = _counting()
    other = Key(ANA.viewer, 2, ANA.what)
    assert [shared.get(ANA, load, 1), shared.get(other, load, 1)] == [1, 2]
    shared.forget(1)
    assert [shared.get(ANA, load, 1), shared.get(other, load, 1)] == [3, 2]
    assert len(calls) == 3


def test_a_change_during_a_load_makes_its_result_stale() -> None:
    shared, gate, started = Shared(), threading.Event(), threading.Event()

    def old() -> str:
        started.set()
        gate.wait(5)
        return "before the change"

    with pytest.raises(StillLoadingError):
        shared.get(ANA, old, 0.01)
    started.wait(5)
    shared.forget(1)
    gate.set()
    assert shared.get(ANA, lambda: "after", 5) == "after"


def test_values_grow_old() -> None:
    clock = Clock()
    shared = Shared(ttl=60, clock=clock)
    _, load = _counting()
    assert shared.get(ANA, load, 1) == 1
    clock.now = 59
    assert shared.get(ANA, load, 1) == 1
    assert shared.get(ANA, load, 1, ttl=15) == 2
    clock.now = 120
    assert shared.get(ANA, load, 1) == 3


def test_a_failure_is_tried_again_and_the_last_good_value_stays() -> None:
    clock = Clock()
    shared = Shared(ttl=60, clock=clock)
    assert shared.get(ANA, lambda: "good", 1) == "good"
    clock.now = 61

    def broken() -> str:
        raise OSError("gone")

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            shared.get(ANA, broken, 1)
    assert shared.last(ANA) == ("good", 61)
    assert shared.get(ANA, lambda: "back", 1) == "back"


def test_when_rights_end_everything_loaded_with_them_goes() -> None:
    shared = Shared()
    shared.get(ANA, lambda: "x", 1)
    shared.forget_viewer(ANA.viewer)
    assert shared.last(ANA) is None


def test_a_board_never_reads_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "_find", None)
    with pytest.raises(AccessDeniedError):
        visit.current_visit()
    visit.find_visits_with(lambda: None)
    with pytest.raises(AccessDeniedError):
        visit.current_visit()
