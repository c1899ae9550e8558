"""Hostile input: too long, too large, not text, not dates; answered with a reason, never with 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.web.api.conftest import ALL_SCOPES, CAMPAIGN, Api, problem

NASTY = [
    "\0", "a\0b", "../../etc/passwd", "' OR '1'='1", "1; DROP TABLE app.client", "-1", "0", "1e9",
    "9" * 19, "9" * 39, "٣٤٥", "%", "\u202e", "act_", "act_act_1001", "imp_", "imp_-1", "imp_1",
    "<script>", "null", "NaN", "{}", "[]", " 1001", "1001 ", "１００１", "\ud7ff", "💥", "true", "..",
]  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize(
    "path",
    ["/clients/{}", "/clients/{}/accounts", "/accounts/{}", "/accounts/{}/summary",
     "/accounts/{}/live", "/accounts/{}/campaigns", "/campaigns/{}/adsets", "/adsets/{}/ads",
     "/connections/{}/health", "/changesets/{}", "/api/meta/insights/{}", "/api/meta/ads/{}"],
)  # fmt: skip
def test_nonsense_in_paths_is_not_found(api: Api, path: str, nasty: str) -> None:
    answer = api(path.format(quote(nasty, safe="")))
    assert answer.status_code in (404, 422), answer.text
    problem(answer)


@pytest.mark.parametrize(
    "query",
    ["since=2026-13-01", "since=yesterday", "since=0001-01-01&until=9999-12-31", "until=2026-01-01",
     "since=2026-01-02&until=2026-01-01", "since=9999-12-31", "last=0d", "last=9999m", "last=999",
     "last=30d&since=2026-01-01", "metrics=nothing", "metrics=spend%00", "metrics=%F0%9F%92%A5",
     "level=creative", "level=", "time_increment=0", "time_increment=91", "time_increment=1.5",
     "limit=0", "limit=5001", "limit=-1", "limit=1e99", "limit=" + "9" * 400, "cursor=%00",
     "cursor=AAAA", "cursor=bnVsbA", "cursor=W10", "cursor=WzEsMiwzXQ",
     "cursor=WyI5OTk5LTk5LTk5IiwxLDFd", "object_id=%00", "object_id=abc",
     "object_id=" + "9" * 19, "object_id=" + ",".join(["1"] * 201), "client=%00",
     "client=" + "a" * 81, "metrics=" + ",".join(["spend"] * 41)],
)  # fmt: skip
def test_nonsense_in_queries_is_refused(api: Api, query: str) -> None:
    answer = api(f"/insights?{query}")
    assert answer.status_code in (404, 422), answer.text
    found = problem(answer)
    assert "Traceback" not in answer.text
    assert "SELECT" not in found["detail"]


@pytest.mark.parametrize(
    "query",
    ["since=2026-01-01", "until=x", "action=%27", "client=%00", "since=0001-01-01T00:00:00Z",
     "since=9999-12-31T23:59:59-14:00", "limit=0", "cursor=WyJ4Il0"],
)  # fmt: skip
def test_nonsense_in_the_logs_queries_is_refused(api: Api, query: str) -> None:
    assert api(f"/audit?{query}", token=api.token(scopes=ALL_SCOPES)).status_code in (404, 422)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"text"', b"{}", b"\xff\xfe", b'{"kind":"status"}',
     b'{"kind":"status","object_id":"1","status":"PAUSED","reason":"\\ud800"}',
     b'{"kind":"status","object_id":"1","status":"PAUSED","reason":"\\u0000"}',
     b'{"kind":["status"]}', b'{"kind":{}}', b"[" * 20_000, b'{"a":' * 10_000,
     b'{"kind":"budget","object_id":"1","amount":' + b"9" * 5000 + b',"reason":"r"}',
     b'{"kind":"budget","object_id":"1","amount":NaN,"reason":"r"}'],
)  # fmt: skip
def test_nonsense_in_bodies_is_refused(api: Api, body: bytes) -> None:
    answer = api("/changesets", method="POST", token=api.token(scopes=ALL_SCOPES), content=body,
                 headers={"Content-Type": "application/json"})  # fmt: skip
    assert answer.status_code in (400, 422), answer.text[:300]
    problem(answer)


def test_too_much_is_not_read(api: Api) -> None:
    token = api.token(scopes=ALL_SCOPES)
    large = b'{"reason":"' + b"x" * 70_000 + b'"}'

    def parts() -> Iterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    for content in (large, parts()):
        answer = api("/changesets", method="POST", token=token, content=content,
                     headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status_code == 413
        problem(answer)
    assert api("/changesets", method="POST", token=token, content=b"{}",
               headers={"Content-Length": "9" * 30}).status_code == 413  # fmt: skip


def test_too_long_an_address_is_not_looked_at(api: Api) -> None:
    assert api("/clients/" + "a" * 600).status_code == 414
    assert api("/insights?metrics=" + "a" * 9000).status_code == 414


def test_other_methods_and_addresses_are_problems_too(api: Api) -> None:
    gone = api("/clients", method="DELETE")
    assert gone.status_code == 405
    assert gone.headers["allow"] == "GET"
    problem(gone)
    for path in ("/", "", "/nothing", "/clients/", "/api/meta/", "/api/meta/nothing"):
        assert api(path).status_code in (404, 405), path


def test_a_wrong_body_is_never_repeated(api: Api) -> None:
    """An input may be a secret, pasted into the wrong place."""
    answer = api("/changesets", method="POST", token=api.token(scopes=ALL_SCOPES),
                 json={"kind": "status", "object_id": "my-secret", "status": "my-secret",
                       "reason": "r", "my-secret-field": "my-secret"})  # fmt: skip
    assert answer.status_code == 422
    assert "my-secret" not in answer.text.replace("my-secret-field", "")


def test_a_request_keeps_the_number_it_came_with_if_that_is_one(api: Api) -> None:
    assert api("/me", headers={"X-Request-Id": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    for wrong in ("short", "x" * 65, "a b c d e f", "<script>1"):
        assert api("/me", headers={"X-Request-Id": wrong}).headers["x-request-id"] != wrong


def test_answers_are_for_programs_and_nobody_elses(api: Api) -> None:
    for path in ("/me", "/nothing", f"/campaigns/{CAMPAIGN}/adsets", "/docs"):
        headers = api(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "set-cookie" not in headers
        assert "access-control-allow-origin" not in headers
    assert "default-src 'none'" in api("/docs").headers["content-security-policy"]
    assert "http" not in api("/docs").text.split("<style>")[1].split("</style>")[0]
