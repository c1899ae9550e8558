"""Asynchronous writes: sets of ads, and batches of up to a thousand posts, carried out later.

A set is due `async_write_seconds` of simulated time after it was made and is carried out by the
next call after that, each request billed like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from adlab.simulator import periods
from adlab.simulator.batch import Answer, run_batch
from adlab.simulator.errors import invalid_parameter
from adlab.simulator.library import Library, Thing
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import AccountWorld

Row = dict[str, Any]
EDGES = frozenset({"asyncadrequestsets", "async_batch_requests"})
MOST_REQUESTS = 1000
_MODES = frozenset({"OFF", "ON_COMPLETE"})


@dataclass(frozen=True)
class _Waiting:
    account: AccountWorld
    row: Row
    items: list[Row]
    token: str
    version: str
    due: float


class AsyncWrites:
    """Keeps sets of requests and carries them out when they are due.

    Args:
        library: Keeps the sets.
        settings: How long they wait.
        answer: Carries out one request.
        tell: Hears that a set is done.
    """

    def __init__(
        self,
        library: Library,
        settings: Settings,
        answer: Answer,
        tell: Callable[[AccountWorld, str, Row], None],
    ) -> None:
        self._library, self._settings = library, settings
        self._answer, self._tell = answer, tell
        self._waiting: list[_Waiting] = []

    def reset(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def make(self, request: GraphRequest, account: AccountWorld, edge: str, now: float) -> Row:
        """Answer a POST on one of the edges.

        Raises:
            GraphError: If the set is empty, too large or malformed.
        """
        name = "ad_specs" if edge == "asyncadrequestsets" else "adbatch"
        specs = request.json(name)
        if not isinstance(specs, list) or not specs or not all(isinstance(s, dict) for s in specs):
            raise invalid_parameter(f"Param {name} must be a non-empty array of objects")
        if len(specs) > MOST_REQUESTS:
            raise invalid_parameter(f"Param {name} may hold at most {MOST_REQUESTS} requests")
        mode = request.params.get("notification_mode", "OFF")
        if mode not in _MODES:
            raise invalid_parameter("notification_mode must be OFF or ON_COMPLETE")
        items = specs if name == "adbatch" else [_ad_item(account, spec) for spec in specs]
        made_at = periods.local_text(account.zone, int(now))
        row = self._library.add(
            account,
            "async_set",
            {
                "name": request.params.get("name", "set"),
                "owner_id": str(account.profile.number),
                "notification_mode": mode,
                "created_time": made_at,
                "updated_time": made_at,
                "total_count": len(items),
                "_inputs": specs,
            },
            now,
        )
        self._report(row, ["INITIAL"] * len(items), [None] * len(items))
        due = now + self._settings.async_write_seconds
        self._waiting.append(_Waiting(account, row, items, request.token, request.version, due))
        return {"id": row["id"]}

    def run_due(self, now: float) -> None:
        """Carry out every set whose time has come."""
        due = [item for item in self._waiting if item.due <= now]
        if not due:
            return
        # Reason: carrying out makes calls of its own, which come here again.
        self._waiting = [item for item in self._waiting if item.due > now]
        for item in due:
            self._run(item, now)

    def _run(self, item: _Waiting, now: float) -> None:
        posts = [{"method": "POST", "omit_response_on_success": False, **i} for i in item.items]
        batch = GraphRequest(
            "POST", "/", {"batch": json.dumps(posts)}, item.version, "", item.token
        )
        answers = run_batch(batch, self._answer, largest=MOST_REQUESTS)
        states = ["SUCCESS" if answer["code"] == 200 else "ERROR" for answer in answers]
        results = [json.loads(answer["body"]) for answer in answers]
        self._report(item.row, states, results)
        item.row["updated_time"] = periods.local_text(item.account.zone, int(now))
        status = "ERROR" if "ERROR" in states else "SUCCESS"
        value = {"id": item.row["id"], "status": status}
        self._tell(item.account, "ads_async_creation_request", value)

    def cancel(self, thing: Thing) -> Row:
        """Cancel what has not been carried out."""
        left = [item for item in self._waiting if item.row is not thing.row]
        if len(left) < len(self._waiting):
            self._waiting = left
            count = thing.row["total_count"]
            self._report(thing.row, ["CANCELED"] * count, [None] * count)
        return {"success": True}

    @staticmethod
    def _report(row: Row, states: list[str], results: list[Any]) -> None:
        for name in ("initial", "in_progress", "success", "error", "canceled"):
            row[f"{name}_count"] = states.count(name.upper())
        row["is_completed"] = "INITIAL" not in states
        row["_requests"] = [
            {
                "id": str(int(row["id"]) * 1000 + place),
                "status": state,
                "input": given,
                **({} if result is None else {"result": result}),
            }
            for place, (state, result, given) in enumerate(
                zip(states, results, row["_inputs"], strict=True)
            )
        ]


def _ad_item(account: AccountWorld, spec: Row) -> Row:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in spec.items()}
    return {"relative_url": f"act_{account.profile.number}/ads", "body": urlencode(texts)}
