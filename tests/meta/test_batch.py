"""Batches: order kept, each item its own answer, what was not finished sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adlab.core.errors import (
    MetaError,
    MetaUnavailableError,
    RejectedRequestError,
    TokenExpiredError,
    TooMuchDataError,
)
from adlab.core.quota import LIMITED
from adlab.meta.batch import Read, read_all

from .wire import FakeTime, failure, graph

Item = dict[str, Any] | None


def item(body: Any, code: int = 200, **headers: str) -> dict[str, Any]:
    listed = [{"name": k.replace("_", "-"), "value": v} for k, v in headers.items()]
    return {"code": code, "headers": listed, "body": json.dumps(body)}


def trouble(code: int, subcode: int | None = None, **headers: str) -> dict[str, Any]:
    body = json.loads(failure(code, subcode).content)
    return item(body, 400, **headers)


class Batches:
    """Answers whole batches by a function of the path asked for; keeps their items."""

    def __init__(self, answer: Callable[[str, int], Item | httpx.Response]) -> None:
        self.answer, self.sent, self.times = answer, [], {}  # type: ignore[var-annotated]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/v26.0/")
        items = json.loads(parse_qs(request.content.decode())["batch"][0])
        self.sent.append([i["relative_url"] for i in items])
        out = []
        for i in items:
            path = urlsplit(i["relative_url"]).path
            self.times[path] = self.times.get(path, 0) + 1
            found = self.answer(path, self.times[path])
            if isinstance(found, httpx.Response):
                return found
            out.append(found)
        return httpx.Response(200, content=json.dumps(out))


def read(
    answer: Callable[[str, int], Item | httpx.Response], count: int, size: int = 50, **options: Any
) -> tuple[list[dict[str, Any] | MetaError], Batches, FakeTime, Any]:
    batches = Batches(answer)
    client, _, time = graph(**options)
    client._http = httpx.Client(
        base_url="https://graph.example", transport=httpx.MockTransport(batches)
    )
    return read_all(client, [Read(str(n)) for n in range(count)], size), batches, time, client


def test_answers_keep_their_order_in_calls_of_fifty() -> None:
    found, batches, _, client = read(lambda path, _: item({"id": path}), 120)
    assert [f["id"] for f in found if isinstance(f, dict)] == [str(n) for n in range(120)]
    assert [len(s) for s in batches.sent] == [50, 50, 20]
    assert client.calls == 120


def test_each_item_has_its_own_error() -> None:
    def answer(path: str, times: int) -> Item:
        return {"0": item({"id": "0"}), "1": trouble(100, 33), "2": trouble(100, 1487534)}[path]

    found, batches, _, _ = read(answer, 3)
    assert found[0] == {"id": "0"}
    assert isinstance(found[1], RejectedRequestError)
    assert (found[1].code, found[1].subcode) == (100, 33)
    assert isinstance(found[2], TooMuchDataError)
    assert len(batches.sent) == 1


@pytest.mark.parametrize("broken", [None, item(None), {"code": 200, "body": None}, trouble(2),
                                    {"code": 503, "headers": None, "body": "<html>"}, {}])  # fmt: skip
def test_what_was_not_finished_is_sent_again_alone(broken: Item) -> None:
    found, batches, _, _ = read(
        lambda path, times: broken if path == "1" and times == 1 else item({"id": path}), 3
    )
    assert found == [{"id": "0"}, {"id": "1"}, {"id": "2"}]
    assert [[u.split("?")[0] for u in s] for s in batches.sent] == [["0", "1", "2"], ["1"]]


def test_an_item_that_is_never_finished_is_an_outage_of_that_item_only() -> None:
    found, batches, _, _ = read(lambda path, _: None if path == "1" else item({}), 2)
    assert found[0] == {}
    assert isinstance(found[1], MetaUnavailableError)
    assert len(batches.sent) == 5


def test_a_batch_that_takes_too_long_is_halved_and_stays_small() -> None:
    def answer(path: str, times: int) -> Item | httpx.Response:
        large = len(batches[0].sent[-1]) > 13 if batches else True
        return failure(960) if large else item({"id": path})

    batches: list[Batches] = []
    made = Batches(answer)
    batches.append(made)
    client, _, _ = graph()
    client._http = httpx.Client(base_url="https://graph.example",
                                transport=httpx.MockTransport(made))  # fmt: skip
    found = read_all(client, [Read(str(n)) for n in range(60)])
    assert [f["id"] for f in found if isinstance(f, dict)] == [str(n) for n in range(60)]
    assert [len(s) for s in made.sent] == [50, 25, 12, 12, 12, 12, 12]


def test_a_dead_token_fails_the_whole_call() -> None:
    with pytest.raises(TokenExpiredError):
        read(lambda path, _: failure(190, 463, status=401), 2)


@pytest.mark.parametrize("content", [b'{"data":[]}', b"[]", b'[{"code":200}]', b"[1,2]", b"<html>"])
def test_a_call_not_answered_item_by_item_is_tried_again(content: bytes) -> None:
    turns: list[int] = []

    def answer(path: str, _: int) -> Item | httpx.Response:
        turns.append(1)
        return httpx.Response(200, content=content) if len(turns) == 1 else item({"id": path})

    found, _, time, _ = read(answer, 2)
    assert found == [{"id": "0"}, {"id": "1"}]
    assert len(time.slept) == 1


def test_headers_inside_items_feed_the_quota_and_every_item_counts() -> None:
    usage = json.dumps({"acc_id_util_pct": 40, "ads_api_access_tier": LIMITED})
    found, _, _, client = read(
        lambda path, _: item({}, X_Ad_Account_Usage=usage) if path == "1" else item({}), 3
    )
    assert len(found) == 3
    (standing,) = client.pace.budget.standing(["act:0"])
    assert (standing.percent, standing.tier, standing.calls_last_hour) == (40, LIMITED, 3)
    assert client.pace.peak_percent == 40


def test_a_throttled_item_waits_for_the_quota_and_is_sent_again() -> None:
    usage = json.dumps({"0": [{"type": "ads_insights", "estimated_time_to_regain_access": 2}]})
    throttled = trouble(80000, 2446079, X_Business_Use_Case_Usage=usage)
    found, batches, time, _ = read(
        lambda path, times: throttled if path == "1" and times == 1 else item({"id": path}), 2
    )
    assert found == [{"id": "0"}, {"id": "1"}]
    assert time.slept == [120.0]
    assert len(batches.sent) == 2


def test_each_item_carries_the_proof_and_none_the_token() -> None:
    _, batches, _, client = read(lambda path, _: item({}), 2, app_secret="shh-secret")
    assert all("appsecret_proof=" in url for url in batches.sent[0])
    assert "access_token" not in repr(batches.sent)
    assert isinstance(client._http, httpx.Client)
