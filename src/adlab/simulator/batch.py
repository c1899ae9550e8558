"""Batch calls: many requests in one, answered in order as strings inside JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from adlab.simulator.errors import GraphError, invalid_parameter
from adlab.simulator.wire import GraphRequest, GraphResponse

LARGEST_BATCH = 50
_REFERENCE = re.compile(r"\{result=([A-Za-z0-9_-]+):(\$[^}]*)\}")
Answer = Callable[[str, str, dict[str, str], str], GraphResponse]
"""Answers one item: method, path (perhaps with version), parameters, token."""


def run_batch(
    request: GraphRequest, answer: Answer, *, null_items: int = 0, largest: int = LARGEST_BATCH
) -> list[Any]:
    """Run a batch.

    Args:
        request: Carries `batch`, and the token for items without their own.
        answer: Answers one item.
        null_items: How many items at the end come back as null, as if time had run out.
        largest: How many items there may be.

    Raises:
        GraphError: If the batch as a whole is wrong.
    """
    items = request.json("batch")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise invalid_parameter("Param batch must be an array of objects")
    if len(items) > largest:
        raise GraphError(
            100, f"(#100) Too many requests in batch message. Maximum batch size is {largest}"
        )
    results: list[Any] = []
    named: dict[str, Any] = {}
    wanted = set(
        _REFERENCE.findall(json.dumps(items))
        and [name for name, _ in _REFERENCE.findall(json.dumps(items))]
    )
    for place, item in enumerate(items):
        if place >= len(items) - null_items:
            results.append(None)
            continue
        result = _run_item(item, request.token, named, answer)
        results.append(result)
    for place, item in enumerate(items):
        name = item.get("name")
        suppress = item.get("omit_response_on_success", True)
        if name in wanted and suppress and results[place] and results[place]["code"] == 200:
            results[place] = None
    return results


def _run_item(
    item: dict[str, Any], token: str, named: dict[str, Any], answer: Answer
) -> dict[str, Any]:
    method = str(item.get("method", "GET")).upper()
    try:
        url = _filled(str(item.get("relative_url", "")), named)
        body = _filled(str(item.get("body", "") or ""), named)
    except KeyError as missing:
        return _refusal(f"Invalid parent request {missing.args[0]}")
    parts = urlsplit(url)
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    params |= dict(parse_qsl(body, keep_blank_values=True))
    own = params.pop("access_token", None) or item.get("access_token") or token
    response = answer(method, unquote(parts.path), params, str(own))
    text = response.body.decode()
    if item.get("name") and response.status == 200:
        named[str(item["name"])] = json.loads(text)
    headers = [{"name": name, "value": value} for name, value in response.headers.items()]
    headers.append({"name": "Content-Type", "value": "application/json"})
    return {"code": response.status, "headers": headers, "body": text}


def _refusal(message: str) -> dict[str, Any]:
    error = invalid_parameter(message)
    return {"code": error.status, "headers": [], "body": error.body().decode()}


def _filled(text: str, named: dict[str, Any]) -> str:
    """Put earlier results in place of ``{result=name:$.path}``.

    Raises:
        KeyError: If the named request has no result.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in named:
            raise KeyError(match[1])
        found = _walk(named[match[1]], match[2])
        return ",".join(found)

    return _REFERENCE.sub(value, text)


def _walk(data: Any, path: str) -> list[str]:
    found = [data]
    for step in re.findall(r"[A-Za-z0-9_]+|\*", path):
        after: list[Any] = []
        for thing in found:
            if step == "*" and isinstance(thing, list):
                after += thing
            elif isinstance(thing, dict) and step in thing:
                after.append(thing[step])
            elif isinstance(thing, list) and step.isdigit() and int(step) < len(thing):
                after.append(thing[int(step)])
        found = after
    return [str(thing) for thing in found]
