"""The API asked at random, by its own description: never 5xx, never an answer it does not describe.

`ADLAB_TEST_FUZZ_EXAMPLES` sets how many random cases each operation gets, for a longer run.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from adlab.realtime.calls import CallCounter  # noqa: E402
from adlab.vault import signing_keys  # noqa: E402
from adlab.web.api.app import V1, Beside, make_api, make_parts  # noqa: E402
from adlab.web.config import WebConfig  # noqa: E402
from tests.web.api.conftest import AD, ADSET, ALL_SCOPES, CAMPAIGN, Api, nothing  # noqa: E402
from tests.web.conftest import KEY  # noqa: E402

EXAMPLES = int(os.environ.get("ADLAB_TEST_FUZZ_EXAMPLES", "30"))
CHECKS = [
    not_a_server_error, response_schema_conformance, content_type_conformance,
    status_code_conformance, response_headers_conformance, allow_header_conformance, ignored_auth,
]  # fmt: skip
# Reason: random ids are never there; half of the cases get some that are.
THERE = {
    "slug": ["nordlicht", "tokyo"], "client": ["nordlicht", "tokyo"],
    "account_id": ["act_1001", "2001", "3001"], "campaign_id": [str(CAMPAIGN)],
    "adset_id": [str(ADSET)], "object_id": [str(CAMPAIGN), str(ADSET), str(AD), "2001000000"],
    "changeset_id": ["1"], "connection_id": ["1"],
}  # fmt: skip
_seen = [0]


class Place:
    """Where the API is: without a store while tests are collected, then the running one."""

    def __init__(self) -> None:
        config = WebConfig("postgresql://nobody@127.0.0.1:1/none", None, KEY)
        v1, _ = make_api(make_parts(config, signing_keys(KEY), None))
        self.app: Any = Beside({V1: v1}, nothing)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a call on."""
        await self.app(scope, receive, send)


PLACE = Place()
schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", PLACE)
OPERATIONS = {r.ok().label: r.ok() for r in schema.get_all_operations()}


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    """Say how many cases there were, for a run by hand."""
    yield
    print(f"\nschemathesis: {_seen[0]} cases")


def _with_what_is_there(case: Any) -> None:
    """Replace some ids by such as are there; which, follows from the case."""
    for place in (case.path_parameters, case.query):
        for name in place or {}:
            mark = zlib.crc32(repr((name, place[name], case.query)).encode("utf-8", "replace"))
            if name in THERE and mark % 2:
                known = THERE[name]
                place[name] = known[mark // 2 % len(known)]
    if isinstance(case.body, dict) and "object_id" in case.body:
        mark = zlib.crc32(repr(case.body).encode("utf-8", "replace"))
        if mark % 2:
            case.body["object_id"] = THERE["object_id"][mark // 2 % 4]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_asked_is_answered_as_described(operation: str, api: Api) -> None:
    found = OPERATIONS[operation]
    PLACE.app = api.app
    both = [found.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=both[0] | both[1])
    def ask(case: Any) -> None:
        _with_what_is_there(case)
        # Reason: it asks without a token, too; too many of those have to wait.
        api.parts.gate.counter = CallCounter(None)
        _seen[0] += 1
        person = "Ana Weiss" if _seen[0] % 2 else "Nan Analyst"
        token = api.token(person, ALL_SCOPES)
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    ask()
