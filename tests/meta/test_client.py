"""One request: signed, retried where waiting helps, bounded in time, silent about the token."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import Any

import httpx
import pytest

from adlab.core.errors import (
    AuthorizationError,
    MetaError,
    MetaUnavailableError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    TokenExpiredError,
    TooMuchDataError,
)
from adlab.meta.client import Retry

from .wire import TOKEN, Answer, FakeTime, failure, graph

FINE = {"id": "act_1001"}
BUC = '{"1001":[{"type":"ads_insights","call_count":100,"estimated_time_to_regain_access":%d}]}'


def test_the_token_travels_in_a_header_and_never_in_the_address() -> None:
    client, wire, _ = graph(FINE)
    client.get("act_1001", {"fields": "id,name"})
    client.post("act_1001/insights", {"level": "ad"})
    for request in wire.requests:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in str(request.url)
        assert TOKEN.encode() not in request.content
    assert str(wire.requests[0].url) == "https://graph.example/v26.0/act_1001?fields=id%2Cname"


def test_each_call_carries_the_proof_of_the_app_secret() -> None:
    client, wire, _ = graph(FINE, app_secret="shh-app-secret")
    client.get("me")
    client.post("act_1/insights")
    proof = hmac.new(b"shh-app-secret", TOKEN.encode(), hashlib.sha256).hexdigest()
    assert [a["appsecret_proof"] for a in wire.asked] == [proof, proof]
    assert all("shh-app-secret" not in str(r.url) for r in wire.requests)


def test_without_a_secret_there_is_no_proof() -> None:
    client, wire, _ = graph(FINE)
    client.get("me")
    assert wire.asked == [{}]


def test_lists_and_objects_travel_as_json_and_text_as_it_is() -> None:
    client, wire, _ = graph(FINE)
    client.get("x", {"level": "ad", "time_range": {"since": "2026-11-01"}, "w": ["a"], "n": 1})
    assert wire.asked == [
        {"level": "ad", "time_range": '{"since":"2026-11-01"}', "w": '["a"]', "n": "1"}
    ]


def test_posts_carry_their_parameters_in_the_body() -> None:
    client, wire, _ = graph({"report_run_id": "7"})
    assert client.post("act_1/insights", {"level": "ad"}) == {"report_run_id": "7"}
    assert wire.requests[0].method == "POST"
    assert wire.requests[0].content == b"level=ad"


BROKEN: dict[str, Any] = {
    "html": httpx.Response(200, content=b"<html>Sorry, something went wrong.</html>"),
    "plain": httpx.Response(200, content=b"Service temporarily unavailable"),
    "empty": httpx.Response(200, content=b""),
    "truncated": httpx.Response(200, content=b'{"data":[{"id":"1"},{"i'),
    "a list": httpx.Response(200, content=b"[]"),
    "null": httpx.Response(200, content=b"null"),
    "a string": httpx.Response(200, content=b'"oops"'),
    "success false": httpx.Response(200, content=b'{"success":false}'),
    "503": httpx.Response(503, content=b'{"nothing":"known"}'),
    "502 html": httpx.Response(502, content=b"<html></html>"),
    "code 2": failure(2, status=500),
    "is_transient": failure(100, is_transient=True),
    "time-out": httpx.ReadTimeout("slow"),
    "reset": httpx.RemoteProtocolError("peer closed connection"),
    "refused": httpx.ConnectError("refused"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_answer_is_asked_again(broken: Any) -> None:
    client, wire, time = graph(broken, broken, FINE)
    assert client.get("act_1001") == FINE
    assert len(wire.requests) == 3
    assert 0.25 <= time.slept[0] <= 0.5
    assert 0.5 <= time.slept[1] <= 1.0


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_outage_that_lasts_is_told_after_six_tries(broken: Any) -> None:
    client, wire, _ = graph(broken)
    with pytest.raises(MetaUnavailableError) as caught:
        client.get("act_1001")
    assert len(wire.requests) == 6
    assert client.calls == 6
    assert caught.value.remedy


@pytest.mark.parametrize(
    "items",
    [[None], [{"id": "1"}, None], "rows", None, {"id": "1"}, ["1"]],
    ids=["null", "null among rows", "text", "null list", "object", "texts"],
)
def test_a_page_without_a_list_of_objects_is_asked_again(items: Any) -> None:
    client, wire, time = graph({"data": items}, {"data": [{"id": "1"}]})
    assert client.get_page("act_1/ads", {}) == {"data": [{"id": "1"}]}
    assert (len(wire.requests), len(time.slept)) == (2, 1)


def test_a_page_that_never_holds_objects_is_an_outage() -> None:
    client, wire, _ = graph({"data": [None]})
    with pytest.raises(MetaUnavailableError, match="A page of ads holds no list of objects"):
        client.get_page("act_1/ads", {})
    assert len(wire.requests) == 6


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failure(100), RejectedRequestError),
        (failure(100, 33), RejectedRequestError),
        (failure(190, 463, status=401), TokenExpiredError),
        (failure(200, status=403), AuthorizationError),
        (failure(100, 1487534), TooMuchDataError),
        (failure(1, status=500, message="Please reduce the amount of data"), TooMuchDataError),
        (failure(2601, 1815107, is_transient=True), ReportNotReadyError),
        (httpx.Response(404, content=b"{}"), RejectedRequestError),
    ],
)
def test_what_waiting_does_not_help_is_not_asked_again(
    answer: httpx.Response, kind: type[MetaError]
) -> None:
    client, wire, time = graph(answer)
    with pytest.raises(kind):
        client.get("act_1001")
    assert (len(wire.requests), time.slept) == (1, [])


def test_the_error_keeps_code_subcode_and_trace() -> None:
    client, _, _ = graph(failure(100, 33))
    with pytest.raises(RejectedRequestError) as caught:
        client.get("act_1001")
    error = caught.value
    assert (error.code, error.subcode, error.trace_id) == (100, 33, "Atrace")


def test_waits_double_and_stay_below_the_longest() -> None:
    client, _, time = graph(
        failure(2), retry=Retry(attempts=8, first_wait=1.0, longest_wait=4.0, total=1e6)
    )
    with pytest.raises(MetaUnavailableError):
        client.get("x")
    longest = [1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    assert len(time.slept) == len(longest)
    assert all(top / 2 <= s <= top for s, top in zip(time.slept, longest, strict=True))


def test_the_total_time_of_a_call_is_bounded() -> None:
    client, _, time = graph(failure(2), retry=Retry(attempts=10_000, total=100.0))
    with pytest.raises(MetaUnavailableError):
        client.get("x")
    assert sum(time.slept) <= 100.0


def test_a_throttled_call_waits_as_many_minutes_as_the_header_says() -> None:
    throttled = failure(80000, 2446079)
    throttled.headers["x-business-use-case-usage"] = BUC % 3
    client, wire, time = graph(throttled, FINE)
    assert client.get("act_1001/insights") == FINE
    assert (len(wire.requests), time.slept) == (2, [180.0])


@pytest.mark.parametrize(
    ("code", "subcode", "seconds"),
    [(17, 2446079, 60.0), (613, 5044001, 2.0)],
)
def test_without_a_header_the_code_says_how_long(code: int, subcode: int, seconds: float) -> None:
    client, _, time = graph(failure(code, subcode), FINE)
    assert client.get("x") == FINE
    assert time.slept == [seconds]


def test_a_quota_that_frees_up_too_late_is_told_at_once() -> None:
    throttled = failure(80004, 2446079)
    throttled.headers["x-business-use-case-usage"] = BUC % 60
    client, wire, time = graph(throttled)
    with pytest.raises(RateLimitedError) as caught:
        client.get("x")
    assert caught.value.retry_after == 3600.0
    assert (len(wire.requests), time.slept) == (1, [])


def test_calls_slow_down_from_three_quarters_of_the_quota() -> None:
    answers = [
        httpx.Response(200, content=b"{}", headers={"x-app-usage": f'{{"call_count":{p}}}'})
        for p in (74, 75, 85, 95, 10)
    ]
    client, _, time = graph(*answers)
    for _ in range(6):
        client.get("x")
    assert time.slept == [0.5, pytest.approx(5.25), 60.0]
    assert client.pace.peak_percent == 95.0


def test_a_success_that_announces_a_block_delays_the_next_call() -> None:
    blocked = httpx.Response(200, content=b"{}", headers={"x-business-use-case-usage": BUC % 2})
    client, _, time = graph(blocked, FINE)
    client.get("x")
    assert time.slept == []
    client.get("x")
    assert time.slept == [120.0]


def test_warnings_about_the_version_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    answer = httpx.Response(200, content=b"{}", headers={"x-ad-api-version-warning": "v25.0 ends"})
    client, _, _ = graph(answer)
    client.get("x")
    assert "meta_version_warning text=v25.0 ends" in caplog.text


def test_a_retry_names_its_code_in_the_log_and_survives_redaction(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from adlab.logs import redact

    client, _, _ = graph(failure(17, 2446079), FINE)
    client.get("act_1/ads")
    assert redact(caplog.messages[0]) == ("meta_retry path=act_1/ads attempt=1 wait=60.0 error=17")


@pytest.mark.parametrize("token", [TOKEN, "plain-token-without-a-known-shape"])
def test_no_error_text_or_log_line_holds_the_token(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo: dict[str, Any] = {
        "message": f"Malformed access token {token}",
        "error_user_msg": f"Bad: {token}",
    }
    answers: list[Answer] = [
        failure(code, subcode, **echo)
        for code, subcode in ((190, 467), (100, None), (200, None), (2, None), (17, None))
    ]
    answers += [httpx.Response(200, content=token.encode()), httpx.ConnectError(token)]
    for answer in answers:
        client, _, _ = graph(answer, token=token, app_secret="shh-app-secret")
        with pytest.raises(MetaError) as caught:
            client.get("act_1001", {"fields": "id"})
        told = f"{caught.value} {caught.value.remedy} {caught.value!r} {client!r}"
        assert token not in told
        assert "shh-app-secret" not in told
    assert token not in caplog.text
    assert "shh-app-secret" not in caplog.text
    assert "meta_retry" in caplog.text


def test_redirects_are_not_followed_with_the_token() -> None:
    client, wire, _ = graph(
        httpx.Response(302, content=b"", headers={"location": "https://evil.example/"})
    )
    with pytest.raises(MetaUnavailableError):
        client.get("x")
    assert {r.url.host for r in wire.requests} == {"graph.example"}


def test_threads_share_one_pace() -> None:
    time = FakeTime()
    client, _, _ = graph(FINE, time=time)
    client.pace.hold(30.0)
    client.pace.hold(10.0)
    client.get("x")
    assert time.slept == [30.0]
