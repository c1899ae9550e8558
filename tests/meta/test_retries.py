"""The whole table of Meta's codes, as the client behaves: retry, wait, shrink, give up, ask people."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from adlab.core.errors import (
    AnswerLostError,
    AuthorizationError,
    BlockedForNowError,
    MetaError,
    MetaUnavailableError,
    MissingPermissionError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    StaleCursorError,
    TokenExpiredError,
    TooFarBackError,
    TooMuchDataError,
)
from adlab.meta.errors import from_payload

from .wire import Answer, failure, graph

FINE = {"id": "1"}
BACKOFF, FEW, LIMIT = "backoff", "few", "limit"
# Code, subcode, what the client does, what the caller gets in the end.
# `backoff`: six tries, growing pauses. `few`: three tries, then smaller. `limit`: pauses from one
# second to a minute until a quarter of an hour is over. A number: waits so many seconds, then goes
# on. None: one try only.
TABLE: list[tuple[int, int | None, str | float | None, type[MetaError]]] = [
    (1, None, FEW, TooMuchDataError),
    (1, 99, FEW, TooMuchDataError),
    (2, None, BACKOFF, MetaUnavailableError),
    (2, 1504038, None, TooMuchDataError),
    (100, 1504018, None, TooMuchDataError),
    (2, 1504041, None, RejectedRequestError),
    (2, 1504042, None, RejectedRequestError),
    (2, 1504043, BACKOFF, MetaUnavailableError),
    (2, 1504044, BACKOFF, MetaUnavailableError),
    (4, None, LIMIT, RateLimitedError),
    (4, 1504022, LIMIT, RateLimitedError),
    (4, 1504039, LIMIT, RateLimitedError),
    (10, None, None, MissingPermissionError),
    (200, None, None, MissingPermissionError),
    (294, None, None, MissingPermissionError),
    (299, None, None, MissingPermissionError),
    (100, 3191001, None, MissingPermissionError),
    (17, 2446079, 60.0, RateLimitedError),
    (17, 1885172, None, BlockedForNowError),
    (32, None, LIMIT, RateLimitedError),
    (100, None, None, RejectedRequestError),
    (100, 33, None, RejectedRequestError),
    (100, 1487534, None, TooMuchDataError),
    (100, 1487561, None, RejectedRequestError),
    (102, None, None, TokenExpiredError),
    (104, None, None, TokenExpiredError),
    *[(190, s, None, TokenExpiredError) for s in (None, 458, 459, 460, 463, 464, 467, 492)],
    (341, None, LIMIT, RateLimitedError),
    (368, None, None, AuthorizationError),
    (613, 1487742, LIMIT, RateLimitedError),
    (613, 5044001, 2.0, RateLimitedError),
    (613, 1487632, None, BlockedForNowError),
    (613, 1487225, None, RejectedRequestError),
    (613, 1996, None, RateLimitedError),
    (613, None, None, RateLimitedError),
    (960, None, BACKOFF, MetaUnavailableError),
    (2500, None, None, RejectedRequestError),
    (2601, 1815107, None, ReportNotReadyError),
    (2635, None, None, RejectedRequestError),
    (2642, None, None, StaleCursorError),
    (3018, None, None, TooFarBackError),
    *[(c, 2446079, LIMIT, RateLimitedError) for c in (80000, 80003, 80004)],
    *[(c, None, LIMIT, RateLimitedError)
      for c in (80001, 80002, 80005, 80006, 80008, 80009, 80014)],
    *[(100, s, None, RejectedRequestError)
      for s in (1885272, 1885650, 1885621, 1487901, 1487056, 1487566, 1885088, 2446307, 1870034)],
    *[(c, None, None, RejectedRequestError)
      for c in (1885272, 1885650, 1885621, 1487901, 1487056, 1487566, 1885088, 2446307, 1870034)],
    (-2, 2490547, BACKOFF, MetaUnavailableError),
    (-3, 1504045, None, TooMuchDataError),
]  # fmt: skip


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(("code", "subcode", "does", "ends"), TABLE, ids=lambda v: str(v))
def test_every_row_of_the_table(
    code: int, subcode: int | None, does: str | float | None, ends: type[MetaError], status: int
) -> None:
    client, wire, time = graph(failure(code, subcode, status=status))
    with pytest.raises(MetaError) as caught:
        client.get("act_1001/ads")
    assert type(caught.value) is ends
    tries = {BACKOFF: 6, FEW: 3}.get(str(does), 1)
    if isinstance(does, float) or does == LIMIT:
        if does == LIMIT:
            bounds = [min(60.0, 2.0**n) for n in range(len(time.slept))]
            assert all(b / 2 <= s <= b for b, s in zip(bounds, time.slept, strict=True))
            assert sum(time.slept) > 400
        else:
            assert time.slept[0] == does
        # It goes on waiting and trying until a quarter of an hour has passed.
        tries = len(wire.requests)
        assert tries > 1
        assert sum(time.slept) <= 900
    assert len(wire.requests) == tries
    if does in (BACKOFF, FEW):
        bounds = [0.5 * 2**n for n in range(tries - 1)]
        assert all(b / 2 <= s <= b for b, s in zip(bounds, time.slept, strict=True))

    again, wire, time = graph(failure(code, subcode, status=status), FINE)
    if does is None:
        with pytest.raises(MetaError):
            again.get("act_1001/ads")
    else:
        assert again.get("act_1001/ads") == FINE
        assert len(wire.requests) == 2


@pytest.mark.parametrize("code", [3, 100, 2500, 999])
def test_whatever_meta_calls_transient_is_tried_again(code: int) -> None:
    client, wire, _ = graph(failure(code, is_transient=True), FINE)
    assert client.get("x") == FINE
    assert len(wire.requests) == 2


@pytest.mark.parametrize("subcode", [1996, None])
def test_abuse_prevention_is_left_alone_for_long_and_people_are_told(
    subcode: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    client, wire, time = graph(failure(613, subcode), FINE)
    with pytest.raises(RateLimitedError) as caught:
        client.get("x")
    assert caught.value.retry_after == 1800
    assert [r.levelno for r in caplog.records if "abuse" in r.message] == [logging.ERROR]
    with pytest.raises(RateLimitedError):
        client.get("x")
    assert (len(wire.requests), time.slept) == (1, [])
    time.now += 1800
    assert client.get("x") == FINE


@pytest.mark.parametrize(
    ("code", "subcode", "wait"),
    [(613, 1487632, timedelta(hours=1)), (17, 1885172, timedelta(days=1)),
     (1487632, None, timedelta(hours=1)), (1885172, None, timedelta(days=1))],
)  # fmt: skip
def test_a_change_that_is_blocked_for_now_says_until_when(
    code: int, subcode: int | None, wait: timedelta
) -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    error = from_payload({"code": code, "error_subcode": subcode, "message": "No."}, lambda: now)
    assert isinstance(error, BlockedForNowError)
    assert error.retry_at == now + wait


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_fields_meta_blames_are_named_from_an_object_or_its_text(form: Any) -> None:
    data = {"blame_field_specs": [["daily_budget"], ["targeting", "geo"], "bid"]}
    error = from_payload({"code": 100, "message": "No.", "error_data": form(data)})
    assert error.blamed == ("daily_budget", "targeting.geo", "bid")


@pytest.mark.parametrize("data", [None, "", "{", "[]", "null", 7, {"blame_field_specs": 3}, []])
def test_error_data_of_any_other_shape_blames_nothing(data: Any) -> None:
    assert from_payload({"code": 100, "error_data": data}).blamed == ()


def test_metas_text_for_people_reaches_them() -> None:
    client, _, _ = graph(failure(100, 1885272, error_user_msg="Das Budget ist zu niedrig."))
    with pytest.raises(RejectedRequestError, match="Das Budget ist zu niedrig"):
        client.send("1301", {"daily_budget": "1"}, repeatable=True)


def test_the_tier_says_how_long_a_used_up_score_blocks() -> None:
    blocked = failure(17, 2446079)
    blocked.headers["x-ad-account-usage"] = json.dumps(
        {"acc_id_util_pct": 100, "reset_time_duration": 0, "ads_api_access_tier": "standard_access"}
    )
    client, _, time = graph(blocked, FINE)
    assert client.get("x") == FINE
    assert time.slept[0] == 60.0


LOST: list[Answer] = [
    httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone"), httpx.ReadError("gone"),
    httpx.Response(200, content=b""), httpx.Response(200, content=b'{"id":"12'),
    httpx.Response(502, content=b"<html>"), httpx.Response(200, content=b'{"success":false}'),
    failure(1), failure(2, status=500), failure(100, is_transient=True),
]  # fmt: skip


@pytest.mark.parametrize("answer", LOST, ids=range(len(LOST)))
def test_a_creation_without_a_clear_answer_is_never_sent_twice(answer: Answer) -> None:
    client, wire, time = graph(answer, FINE)
    with pytest.raises(AnswerLostError, match="may have been done"):
        client.send("act_1/campaigns", {"name": "New"}, repeatable=False)
    assert (len(wire.requests), time.slept) == (1, [])


@pytest.mark.parametrize("answer", LOST, ids=range(len(LOST)))
def test_a_change_that_may_be_repeated_is(answer: Answer) -> None:
    client, wire, _ = graph(answer, {"success": True})
    assert client.send("1301", {"status": "PAUSED"}, repeatable=True) == {"success": True}
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "answer", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), failure(80004, 2446079),
               failure(613, 5044001)],
)  # fmt: skip
def test_what_was_surely_not_done_is_sent_again_even_if_it_creates(answer: Answer) -> None:
    client, wire, _ = graph(answer, FINE)
    assert client.send("act_1/campaigns", {"name": "New"}, repeatable=False) == FINE
    assert len(wire.requests) == 2


def test_a_refused_creation_is_told_as_such() -> None:
    client, _, _ = graph(failure(100, 1885621))
    with pytest.raises(RejectedRequestError):
        client.send("act_1/adsets", {}, repeatable=False)


def test_deleting_is_a_delete_with_its_proof_and_may_be_repeated() -> None:
    client, wire, _ = graph(httpx.ReadTimeout("slow"), {"success": True}, app_secret="shh-secret")
    assert client.delete("1201") == {"success": True}
    assert [r.method for r in wire.requests] == ["DELETE", "DELETE"]
    assert "appsecret_proof" in wire.requests[0].url.params


def test_each_call_is_told_without_ids_or_tokens() -> None:
    told: list[tuple[str, str]] = []

    def observe(endpoint: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        told.append((endpoint, outcome))

    client, _, _ = graph(
        FINE, FINE, failure(100, 33), httpx.ReadTimeout("x"), FINE, {"report_run_id": "7"},
        observe=observe,
    )  # fmt: skip
    client.get("act_1001")
    client.get("120001/insights")
    with pytest.raises(RejectedRequestError):
        client.get("act_1001/adrules_library/77")
    client.get("me/adaccounts")
    client.post("act_1001/insights")
    assert told == [
        ("act", "ok"), ("node/insights", "ok"), ("act/adrules_library/id", "100/33"),
        ("me/adaccounts", "no_answer"), ("me/adaccounts", "ok"), ("act/insights", "ok"),
    ]  # fmt: skip
