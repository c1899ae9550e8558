"""Faults on request: which call goes wrong, how, and how often.

A rule matches calls by method and by a pattern on the path; the first rule that matches and still
has turns left strikes. Rules of the `job_…` kinds strike when a report is created or read.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from adlab.simulator.errors import GraphError

ERRORS: dict[str, dict[str, Any]] = {
    "unknown": {"code": 1, "subcode": 99, "status": 500, "message": "An unknown error occurred"},
    "reduce_data": {
        "code": 1,
        "status": 500,
        "message": "Please reduce the amount of data you're asking for, then retry your request",
    },
    "transient": {
        "code": 2,
        "status": 500,
        "is_transient": True,
        "message": "An unexpected error has occurred. Please retry your request later.",
    },
    "insights_timeout": {
        "code": 2,
        "subcode": 1504038,
        "status": 500,
        "is_transient": True,
        "message": "Service temporarily unavailable",
    },
    "app_limit": {"code": 4, "status": 403, "message": "(#4) Application request limit reached"},
    "app_insights_limit": {
        "code": 4,
        "subcode": 1504022,
        "status": 403,
        "is_transient": True,
        "message": "(#4) Application request limit reached",
    },
    "account_score": {
        "code": 17,
        "subcode": 2446079,
        "message": "(#17) User request limit reached",
    },
    "throttle_insights": {
        "code": 80000,
        "subcode": 2446079,
        "message": "(#80000) There have been too many calls to this ad-account.",
    },
    "throttle_management": {
        "code": 80004,
        "subcode": 2446079,
        "message": "(#80004) There have been too many calls to this ad-account.",
    },
    "calls_from_account": {
        "code": 613,
        "subcode": 1487742,
        "message": "(#613) Calls to this api have exceeded the rate limit.",
    },
    "expired_token": {
        "code": 190,
        "subcode": 463,
        "status": 401,
        "message": "Error validating access token: Session has expired.",
    },
    "revoked_token": {
        "code": 190,
        "subcode": 458,
        "status": 401,
        "message": "Error validating access token: The user has not authorized the application.",
    },
    "checkpoint": {
        "code": 190,
        "subcode": 459,
        "status": 401,
        "message": "Error validating access token: checkpoint.",
    },
    "password_changed": {
        "code": 190,
        "subcode": 460,
        "status": 401,
        "message": "Error validating access token: The password was changed.",
    },
    "invalid_token": {
        "code": 190,
        "subcode": 467,
        "status": 401,
        "message": "Error validating access token.",
    },
    "no_permission": {"code": 200, "status": 403, "message": "(#200) Permissions error"},
    "no_app_permission": {
        "code": 10,
        "status": 403,
        "message": "(#10) Application does not have permission for this action",
    },
    "too_many_rows": {
        "code": 100,
        "subcode": 1487534,
        "message": "(#100) Too many rows were requested.",
    },
    "sync_timeout": {
        "code": 100,
        "subcode": 1504018,
        "message": "(#100) Your request timed out. "
        "Please try a smaller date range or fewer metrics.",
    },
    "missing_object": {
        "code": 100,
        "subcode": 33,
        "message": "Unsupported get request.",
        "kind": "GraphMethodException",
    },
    "summary_quirk": {
        "code": 100,
        "message": "(#100) Cannot include impressions in summary "
        "param because they weren't there while creating the report run.",
    },
    "policy_block": {
        "code": 368,
        "status": 403,
        "message": "The action attempted has been deemed abusive or is otherwise disallowed",
    },
    "bad_cursor": {"code": 2642, "message": "(#2642) Invalid cursors values"},
    "batch_timeout": {"code": 960, "message": "(#960) Batch request timed out"},
}
"""Kinds that answer a Graph error; `error` is the same with everything given as parameters."""
TRANSPORT = (
    "service_unavailable",
    "html",
    "empty",
    "reset",
    "slow",
    "truncated",
    "success_false",
    "null_items",
    "repeating_cursor",
    "lost_response",
    "error",
)
JOBS = ("job_fail", "job_skip", "job_stuck", "job_early", "job_race")


@dataclass
class Fault:
    """One rule; `left` None strikes for ever, `skip` lets that many matching calls pass first."""

    number: int
    kind: str
    match: re.Pattern[str]
    method: str | None
    left: int | None
    probability: float
    skip: int
    params: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def describe(self) -> dict[str, Any]:
        """Give the rule as JSON."""
        return {
            "id": self.number,
            "kind": self.kind,
            "match": self.match.pattern,
            "method": self.method,
            "count": self.left,
            "probability": self.probability,
            "skip": self.skip,
            "params": self.params,
            "struck": self.struck,
        }


class FaultBook:
    """Keeps the rules and decides when they strike."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next = 1
        self._random = random.Random(7)

    def add(self, rule: dict[str, Any]) -> Fault:
        """Add a rule from JSON: kind, match, method, count, probability, skip, params.

        Raises:
            ValueError: If the kind is not known or a value does not fit.
        """
        kind = rule.get("kind")
        if kind not in {*ERRORS, *TRANSPORT, *JOBS}:
            known = ", ".join(sorted({*ERRORS, *TRANSPORT, *JOBS}))
            raise ValueError(f"no fault kind {kind!r}; known are {known}")
        extra = set(rule) - {"kind", "match", "method", "count", "probability", "skip", "params"}
        if extra:
            raise ValueError(f"unknown keys in fault: {', '.join(sorted(extra))}")
        try:
            pattern = re.compile(rule.get("match", ".*"))
        except re.error as problem:
            raise ValueError(f"match is no pattern: {problem}") from problem
        fault = Fault(
            self._next,
            kind,
            pattern,
            rule.get("method"),
            rule.get("count", 1),
            float(rule.get("probability", 1.0)),
            int(rule.get("skip", 0)),
            dict(rule.get("params", {})),
        )
        self._next += 1
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove every rule."""
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Give every rule as JSON."""
        return [fault.describe() for fault in self._faults]

    def strike(self, method: str, path: str, kinds: tuple[str, ...] | None = None) -> Fault | None:
        """Give the rule that strikes a call, counting it down.

        Args:
            method: HTTP method.
            path: Path with version, without query.
            kinds: Only these kinds; by default every kind but the `job_…` and `null_items` ones.
        """
        for fault in self._faults:
            fits = fault.kind in kinds if kinds else fault.kind not in {*JOBS, "null_items"}
            if not fits or fault.left == 0 or not fault.match.search(path):
                continue
            if fault.method and fault.method.upper() != method:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            if fault.left is not None:
                fault.left -= 1
            fault.struck += 1
            return fault
        return None


def error_of(fault: Fault) -> GraphError | None:
    """Give the Graph error of a rule, or None when it is of another kind."""
    values = dict(ERRORS.get(fault.kind, {}))
    if fault.kind == "error":
        values = {"code": 1, "message": "An unknown error occurred"}
    elif not values:
        return None
    allowed = {
        "code",
        "message",
        "subcode",
        "status",
        "kind",
        "is_transient",
        "title",
        "user_message",
        "data",
        "headers",
    }
    values |= {name: value for name, value in fault.params.items() if name in allowed}
    return GraphError(values.pop("code"), values.pop("message"), **values)
