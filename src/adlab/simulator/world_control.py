"""Control calls that change the simulated world: account switches, and states of objects."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adlab.simulator import signals
from adlab.simulator.breakdowns import OPT_IN
from adlab.simulator.changes import Actor, Changes
from adlab.simulator.edits import STOPPING
from adlab.simulator.entities import FIELDS, UNSET
from adlab.simulator.graph import Graph
from adlab.simulator.world import STATUS_NAMES, AccountWorld

_STATES = {name: name for name in STATUS_NAMES[6:]}
_OTHERS = Actor("9050", "Someone Else", "119211728144504")
_ONLY_ADS = STOPPING | {"PREAPPROVED"}


def _json(data: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(data), status, media_type="application/json")


class WorldControl:
    """Answers ``/__accounts`` and ``/__objects``.

    Args:
        graph: The simulated API.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def routes(self) -> list[Route]:
        """List the routes."""
        return [
            Route("/__accounts", self.accounts, methods=["GET", "POST"]),
            Route("/__objects", self.objects, methods=["POST"]),
        ]

    @property
    def _changes(self) -> Changes:
        return self._graph.changes

    async def accounts(self, request: Request) -> Response:
        """Set fields and switches of an account; a field of null goes back to its own value."""
        graph = self._graph
        if request.method == "POST":
            try:
                self._set_account(orjson.loads(await request.body()))
            except (ValueError, TypeError, KeyError) as problem:
                return _json({"error": str(problem)}, 400)
        return _json(
            {
                "accounts": {
                    str(number): account.edits.of("account", 0) or {}
                    for number, account in graph.world.accounts.items()
                }
            }
        )

    def _account(self, value: Any) -> AccountWorld:
        number = str(value).removeprefix("act_")
        account = self._graph.world.accounts.get(int(number)) if number.isdigit() else None
        if account is None:
            raise ValueError(f"no account {value!r}")
        return account

    def _set_account(self, body: dict[str, Any]) -> None:
        if "account" not in body:
            raise ValueError("account is missing")
        account, now = self._account(body.pop("account")), self._graph.clock.now()
        known = {*FIELDS["account"], *UNSET["account"], OPT_IN}
        wrong = sorted(set(body) - known)
        if wrong:
            raise ValueError(f"no account field {wrong[0]!r}; known are {', '.join(sorted(known))}")
        edited = account.edits.values.setdefault(("account", 0), {})
        for name, value in body.items():
            if value is None:
                edited.pop(name, None)
            else:
                edited[name] = value
        account.edits.touch("account", 0, None)
        if "account_status" in body:
            self._changes.sync(account, "account", 0, now)
            status = {"new_value": edited.get("account_status", 1)}
            self._changes.log(
                account, "account", 0, now, "ACCOUNT", "ad_account_update_status", status, _OTHERS
            )

    async def objects(self, request: Request) -> Response:
        """Change an object behind the API's back.

        `state` puts an effective status over it (null takes it away), `seconds` ends it by itself,
        `set` sets wire fields.
        """
        try:
            answer = self._set_object(orjson.loads(await request.body()))
        except (ValueError, TypeError, KeyError) as problem:
            return _json({"error": str(problem)}, 400)
        return _json(answer)

    def _set_object(self, body: dict[str, Any]) -> dict[str, Any]:
        graph, now = self._graph, self._graph.clock.now()
        wrong = set(body) - {"id", "state", "seconds", "set", "issue"}
        if wrong:
            raise ValueError(f"unknown key {min(wrong)!r}; give id, state, seconds, set, issue")
        found = graph.world.find(int(str(body.get("id", "")) or "0"))
        if found is None:
            raise ValueError(f"no campaign, ad set or ad {body.get('id')!r}")
        account, level, index = found
        fields = body.get("set", {})
        unknown = sorted(set(fields) - {*FIELDS[level], *UNSET[level]})
        if unknown:
            raise ValueError(f"{level} has no field {unknown[0]!r}")
        with self._changes.watched(account, now):
            if fields:
                account.edits.put(level, index, fields, now)
            if "state" in body:
                self._put_state(account, level, index, body, now)
        today = account.today(now)
        return {
            "id": str(account.objects(level).id[index]),
            "effective_status": STATUS_NAMES[account.effective_status(level, today)[index]],
        }

    def _put_state(
        self, account: AccountWorld, level: str, index: int, body: dict[str, Any], now: float
    ) -> None:
        name, edits = body["state"], account.edits
        if name is None:
            edits.drop_state(level, index)
            edits.put(
                level,
                index,
                {"issues_info": None, "ad_review_feedback": None, "failed_delivery_checks": None}
                if level == "ad"
                else {"issues_info": None},
                now,
            )
        elif name not in _STATES or (name in _ONLY_ADS and level != "ad"):
            raise ValueError(f"{level} cannot be {name!r}; known are {', '.join(_STATES)}")
        elif name == "DISAPPROVED":
            self._changes.disapprove(account, index, now)
        else:
            seconds = float(body.get("seconds", 0))
            edits.set_state(level, index, name, now + seconds if seconds else 0, now)
        if name == "WITH_ISSUES":
            entry = signals.issue(level, body.get("issue"))
            edits.put(level, index, {"issues_info": [entry]}, now)
            self._changes.tell_issue(account, level, index, entry)
        self._changes.sync(account, level, index, now)
