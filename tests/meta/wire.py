"""A scripted Graph API and a clock that only moves when somebody sleeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx

from adlab.meta.client import GraphClient

TOKEN = "EAA" + "ScriptedTokenForTests0123456789"
Answer = httpx.Response | Exception | Mapping[str, Any]
Script = Callable[[httpx.Request], Answer]


@dataclass
class FakeTime:
    """Seconds that pass only by sleeping."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Wire:
    """Answers in turn, the last one for ever; or asks a function. Keeps every request."""

    script: Script | list[Answer]
    requests: list[httpx.Request] = field(default_factory=list)
    batches: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the items of a batch are answered one by one, as if sent alone."""
        form = dict(parse_qsl(request.content.decode())) if request.method == "POST" else {}
        if "batch" not in form:
            return self.answer(request)
        self.batches.append(request)
        items = []
        for item in json.loads(form["batch"]):
            url = f"https://graph.example/v26.0/{item['relative_url']}"
            found = self.answer(httpx.Request(item["method"], url))
            headers = [{"name": k, "value": v} for k, v in found.headers.items()]
            items.append({"code": found.status_code, "headers": headers, "body": found.text})
        return httpx.Response(200, content=json.dumps(items))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if callable(self.script):
            answer = self.script(request)
        else:
            answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # Reason: a response is read once; the last of a script may be given again.
            return httpx.Response(answer.status_code, headers=answer.headers,
                                  content=answer.content)  # fmt: skip
        return httpx.Response(200, content=json.dumps(answer))

    @property
    def asked(self) -> list[dict[str, str]]:
        """Parameters of each request, from the query or the form."""
        return [
            dict(r.url.params) if r.method == "GET" else dict(parse_qsl(r.content.decode()))
            for r in self.requests
        ]


def graph(*answers: Answer, script: Script | None = None, time: FakeTime | None = None,
          **options: Any) -> tuple[GraphClient, Wire, FakeTime]:  # fmt: skip
    """A client on a scripted wire."""
    wire, clock = Wire(script or list(answers)), time or FakeTime()
    client = GraphClient(
        "https://graph.example", "v26.0", options.pop("token", TOKEN),
        transport=httpx.MockTransport(wire), sleep=clock.sleep, clock=clock.clock, **options,
    )  # fmt: skip
    return client, wire, clock


def failure(
    code: int, subcode: int | None = None, status: int = 400, **more: Any
) -> httpx.Response:
    """An error as the Graph API sends it."""
    error = {"message": "Something is wrong.", "type": "OAuthException", "code": code,
             "fbtrace_id": "Atrace", **more}  # fmt: skip
    if subcode is not None:
        error["error_subcode"] = subcode
    return httpx.Response(status, content=json.dumps({"error": error}))


def page(*rows: Any, after: str | None = None, more: bool = False) -> dict[str, Any]:
    """A page of an edge; Meta sends `after` on the last page too."""
    body: dict[str, Any] = {"data": list(rows)}
    if after is not None:
        body["paging"] = {"cursors": {"before": "b", "after": after}}
        if more:
            body["paging"]["next"] = f"https://graph.example/x?access_token={TOKEN}&after={after}"
    return body
