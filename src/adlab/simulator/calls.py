"""The log of calls, for tests that count them; tokens and secrets never enter it."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import Any

_SECRET = {
    "access_token",
    "appsecret_proof",
    "client_secret",
    "fb_exchange_token",
    "input_token",
    "code",
    "verify_token",
    "signed_request",
}
_SECRET_TEXT = re.compile(r"((?:access_token|appsecret_proof|client_secret)[=\":\s]+)[^&\"\s,}]+")
_TEXT_LIMIT = 2000


class CallLog:
    """Remembers the newest calls and counts all of them.

    Args:
        size: How many calls to remember.
    """

    def __init__(self, size: int = 5000) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=size)
        self._by_status: Counter[str] = Counter()
        self._by_path: Counter[str] = Counter()
        self.total = 0
        self.rows = 0

    def note(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        *,
        status: int,
        rows: int,
        size: int,
        seconds: float,
        fault: str | None,
    ) -> None:
        """Record one call."""
        self.total += 1
        self.rows += rows
        self._by_status[str(status)] += 1
        self._by_path[f"{method} {_template(path)}"] += 1
        self._calls.append(
            {
                "number": self.total,
                "method": method,
                "path": path,
                "params": {
                    name: "REDACTED"
                    if name in _SECRET
                    else _SECRET_TEXT.sub(r"\1REDACTED", value)[:_TEXT_LIMIT]
                    for name, value in params.items()
                },
                "status": status,
                "rows": rows,
                "bytes": size,
                "ms": round(seconds * 1000, 2),
                "fault": fault,
            }
        )

    def clear(self) -> None:
        """Forget everything."""
        self._calls.clear()
        self._by_status.clear()
        self._by_path.clear()
        self.total = self.rows = 0

    def listed(self, match: str, limit: int) -> dict[str, Any]:
        """Give counters over all calls, and the newest calls whose path matches."""
        pattern = re.compile(match)
        chosen = [call for call in self._calls if pattern.search(call["path"])]
        return {
            "total": self.total,
            "rows": self.rows,
            "matched": len(chosen),
            "by_status": dict(self._by_status),
            "by_path": dict(self._by_path),
            "calls": chosen[-limit:] if limit else [],
        }


def _template(path: str) -> str:
    return re.sub(r"\b\d{6,}\b", "{id}", re.sub(r"act_\d+", "act_{id}", path))
