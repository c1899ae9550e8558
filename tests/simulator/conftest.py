"""A simulator in this process, its clock standing still at a known moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from adlab.simulator.app import create_app
from adlab.simulator.clock import SimulatorClock, parse_moment
from adlab.simulator.state import Settings

NOW = "2026-11-21T10:07:00Z"
TOKEN = "sim-token-tests"
INSTANT = {"async_start_seconds": 0.0, "async_run_seconds": 0.0, "async_full_seconds": 0.0}
WINDOWS = ["1d_click", "7d_click", "28d_click", "1d_view", "1d_ev"]


class Caller:
    """Calls the simulator the way a client does; parameters that are no text go as JSON."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    @staticmethod
    def _params(given: dict[str, Any]) -> dict[str, str]:
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
        return {"access_token": TOKEN, **texts}

    def raw(self, path: str, version: str = "v26.0", **params: Any) -> httpx.Response:
        return self.http.get(f"/{version}/{path}", params=self._params(params))

    def get(self, path: str, **params: Any) -> Any:
        answer = self.raw(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.raw(path, **params)
        assert answer.status_code >= 400, answer.text[:300]
        return answer.json()["error"]

    def post(self, path: str, **params: Any) -> httpx.Response:
        return self.http.post(f"/v26.0/{path}", data=self._params(params))

    def pages(self, path: str, **params: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        answer = self.get(path, **params)
        while True:
            rows += answer["data"]
            following = answer.get("paging", {}).get("next")
            if following is None:
                return rows
            answer = self.http.get(following).json()

    def rows(self, path: str, since: str, until: str, **params: Any) -> list[dict[str, Any]]:
        span = {"since": since, "until": until}
        return self.pages(f"{path}/insights", time_range=span, limit="5000", **params)

    def truth(self, **params: str) -> Any:
        answer = self.http.get("/__truth/insights", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def clock(self, **body: Any) -> Any:
        return self.http.post("/__clock", json=body).json()

    def config(self, **body: Any) -> Any:
        return self.http.post("/__config", json=body).json()

    def fault(self, kind: str, **body: Any) -> None:
        answer = self.http.post("/__faults", json={"kind": kind, **body})
        assert answer.status_code == 200, answer.text


def start(
    scenario: str = "tiny",
    seed: int = 7,
    now: str = NOW,
    monotonic: Callable[[], float] = time.monotonic,
    **settings: Any,
) -> Caller:
    """Start a simulator in this process."""
    app = create_app(
        scenario,
        seed,
        SimulatorClock(parse_moment(now)),
        Settings(**{**INSTANT, **settings}),
        monotonic=monotonic,
    )
    return Caller(TestClient(app, raise_server_exceptions=True))


@pytest.fixture
def tiny() -> Caller:
    """Two accounts with a handful of ads, fresh for each test."""
    return start()


@pytest.fixture(scope="session")
def demo() -> Caller:
    """The demo world, shared: tests must leave its clock and switches as they are."""
    return start("demo")


@pytest.fixture
def launch() -> Callable[..., Caller]:
    """Starts further simulators."""
    return start
