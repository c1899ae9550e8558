"""Cursors: followed only where `next` says so, never in circles, with lighter pages when asked."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adlab.core.errors import MetaUnavailableError, StaleCursorError, TooMuchDataError
from adlab.meta.paging import pages

from .wire import TOKEN, Answer, failure, graph, page

HEAVY = failure(1, status=500, message="Please reduce the amount of data you're asking for")
A, B, C = {"id": "1"}, {"id": "2"}, {"id": "3"}


def test_pages_come_in_order_and_are_asked_for_by_cursor() -> None:
    client, wire, _ = graph(
        page(A, after="c1", more=True), page(B, after="c2", more=True), page(C, after="c3")
    )
    assert list(pages(client, "act_1/ads", {"fields": "id"}, 2)) == [[A], [B], [C]]
    assert wire.asked == [
        {"fields": "id", "limit": "2"},
        {"fields": "id", "limit": "2", "after": "c1"},
        {"fields": "id", "limit": "2", "after": "c2"},
    ]
    assert all(TOKEN not in str(r.url) for r in wire.requests)


def test_after_on_the_last_page_is_not_followed() -> None:
    client, wire, _ = graph(page(A, after="c1"))
    assert list(pages(client, "x", {})) == [[A]]
    assert len(wire.requests) == 1


def test_an_empty_answer_without_paging_is_an_empty_list() -> None:
    client, _, _ = graph({"data": []})
    assert list(pages(client, "x", {})) == [[]]


def test_an_empty_page_in_the_middle_does_not_end_the_list() -> None:
    client, _, _ = graph(page(A, after="c1", more=True), page(after="c2", more=True), page(B))
    assert list(pages(client, "x", {})) == [[A], [], [B]]


@pytest.mark.parametrize("cursors", [None, {}, {"after": ""}, {"after": None}, {"before": "b"}])
def test_more_without_a_cursor_is_refused(cursors: Any) -> None:
    client, _, _ = graph({"data": [A], "paging": {"next": "https://x", "cursors": cursors}})
    with pytest.raises(MetaUnavailableError, match="gives no cursor"):
        list(pages(client, "x", {}))


def test_a_repeating_cursor_is_refused_instead_of_followed_for_ever() -> None:
    client, wire, _ = graph(page(A, after="same", more=True))
    walk = pages(client, "act_1/ads", {})
    assert next(walk) == [A]
    with pytest.raises(MetaUnavailableError, match="Paging of ads does not move on"):
        next(walk)
    assert len(wire.requests) == 2


def test_a_circle_of_two_cursors_is_found_too() -> None:
    odd = [page(A, after="c1", more=True), page(B, after="c2", more=True)]
    client, _, _ = graph(*odd, page(C, after="c1", more=True))
    with pytest.raises(MetaUnavailableError, match="a cursor repeats"):
        list(pages(client, "x", {}))


def test_a_page_too_heavy_is_asked_for_at_half_the_size_and_the_next_in_full_again() -> None:
    answers: list[Answer] = [HEAVY, HEAVY, page(A, after="c1", more=True), page(B)]
    client, wire, time = graph(*answers)
    assert list(pages(client, "x", {}, 400)) == [[A], [B]]
    assert [a["limit"] for a in wire.asked] == ["400", "200", "100", "400"]
    assert [a.get("after") for a in wire.asked] == [None, None, None, "c1"]
    assert time.slept == []


def test_a_list_that_stays_heavy_is_tried_in_full_less_and_less() -> None:
    def script(request: httpx.Request) -> Answer:
        if int(request.url.params["limit"]) > 100:
            return HEAVY
        number = int(request.url.params.get("after", "c0")[1:])
        return page(A, after=f"c{number + 1}", more=number < 15)

    client, wire, _ = graph(script=script)
    assert len(list(pages(client, "x", {}, 200))) == 16
    refused = [a for a in wire.asked if a["limit"] == "200"]
    assert len(refused) == 5


def test_the_next_list_starts_at_the_full_size_again() -> None:
    client, wire, _ = graph(HEAVY, page(A), page(B), page_size=400)
    list(pages(client, "x", {}))
    list(pages(client, "x", {}))
    assert [a["limit"] for a in wire.asked] == ["400", "200", "400"]


def test_pages_get_no_smaller_than_25() -> None:
    client, wire, _ = graph(HEAVY)
    with pytest.raises(TooMuchDataError):
        list(pages(client, "x", {}, 80))
    assert [a["limit"] for a in wire.asked] == ["80", "40", "25"]


@pytest.mark.parametrize(("code", "subcode"), [(100, 1487534), (100, 1504018), (2, 1504038)])
def test_too_many_rows_and_time_outs_do_not_depend_on_the_page(code: int, subcode: int) -> None:
    client, wire, _ = graph(failure(code, subcode))
    with pytest.raises(TooMuchDataError):
        list(pages(client, "x", {}, 400))
    assert [a["limit"] for a in wire.asked] == ["400"]


def test_a_stale_cursor_is_for_the_caller_to_start_over() -> None:
    client, wire, _ = graph(page(A, after="c1", more=True), failure(2642))
    with pytest.raises(StaleCursorError):
        list(pages(client, "x", {}))
    assert len(wire.requests) == 2


def test_the_following_page_is_on_its_way_while_one_is_used() -> None:
    client, wire, _ = graph(page(A, after="c1", more=True), page(B, after="c2", more=True), page(C))
    walk = pages(client, "x", {})
    assert next(walk) == [A]
    assert next(walk) == [B]
    del walk
    assert len(wire.requests) in (2, 3)


def test_a_page_that_breaks_on_the_way_is_asked_again_in_its_place() -> None:
    broken = httpx.Response(200, content=json.dumps({"data": [B, None]}))
    client, wire, _ = graph(page(A, after="c1", more=True), broken, page(B))
    assert list(pages(client, "x", {})) == [[A], [B]]
    assert [a.get("after") for a in wire.asked] == [None, "c1", "c1"]
