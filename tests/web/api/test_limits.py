"""Requests a minute: per token, told in headers, shared by processes, surviving a silent Redis."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adlab.realtime.calls import CallCounter
from tests.web.api.conftest import Api, problem


@pytest.mark.parametrize("shared", [False, True])
def test_one_too_many_has_to_wait(
    fresh_api: Callable[..., Api], redis_url: str | None, shared: bool
) -> None:
    if shared and redis_url is None:
        pytest.skip("no Redis here")
    api = fresh_api(api_per_minute=3, redis_url=redis_url if shared else None)
    # Reason: so that no minute ends in between.
    now = api.clock()
    api.clock.ahead = 60 - now % 60 + 10
    token = api.token(fresh=True)
    answers = [api("/me", token=token) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert [a.headers["ratelimit-remaining"] for a in answers] == ["2", "1", "0", "0", "0"]
    assert {a.headers["ratelimit-limit"] for a in answers} == {"3"}
    wait = int(answers[3].headers["retry-after"])
    assert 40 <= wait <= 51
    assert f"Wait {wait} seconds" in problem(answers[3])["detail"]
    # Others are not held up, and the next minute is a new one.
    assert api("/me", token=api.token(fresh=True)).status_code == 200
    api.clock.ahead += wait
    assert api("/me", token=token).status_code == 200


def test_two_processes_count_together(redis_url: str | None) -> None:
    if redis_url is None:
        pytest.skip("no Redis here")
    one, other = (CallCounter(redis_url, lambda: 6e8 + 7) for _ in range(2))
    who = "somebody of this test"
    used = [c.take(who, 3) for c in (one, other, one, other)]
    assert [u.used for u in used] == [1, 2, 3, 4]
    assert [u.refused for u in used] == [False, False, False, True]


def test_without_an_answer_each_process_counts_alone() -> None:
    counter = CallCounter("redis://127.0.0.1:1/0", lambda: 6e8)
    assert [counter.take("a", 2).refused for _ in range(3)] == [False, False, True]
    assert counter.take("b", 2).used == 1


def test_strangers_do_not_fill_the_memory() -> None:
    now = [6e8]
    counter = CallCounter(None, lambda: now[0])
    for number in range(20_002):
        counter.take(f"address {number}", 5)
    now[0] += 60
    assert counter.take("one more", 5).used == 1
    assert len(counter._counts) < 20_001
