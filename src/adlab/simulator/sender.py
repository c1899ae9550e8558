"""Delivers webhooks: signed posts, retried with growing gaps for up to 36 hours of Meta's time.

Meta's seconds pass faster here (`webhook_time_scale`). A thread sends by itself; with
`webhook_auto` off nothing is sent until the control plane says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adlab.simulator import signing
from adlab.simulator.state import Settings

GAPS = (0.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 36_000.0, 37_800.0)
"""Meta's seconds between one attempt and the next; the last attempt is within 36 hours."""
_KEPT = 5000
Post = Callable[[str, str, bytes, dict[str, str]], tuple[int, str]]


@dataclass
class Delivery:
    """One post and its attempts; `due` is real monotonic time."""

    number: int
    url: str
    body: bytes
    headers: dict[str, str]
    fields: list[str]
    due: float
    state: str = "pending"
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Give the delivery as JSON."""
        return {
            "id": self.number,
            "url": self.url,
            "state": self.state,
            "fields": self.fields,
            "attempts": self.attempts,
            "body": self.body.decode(),
            "signature": self.headers.get("x-hub-signature-256", ""),
        }


class Sender:
    """Keeps deliveries and sends what is due.

    Args:
        settings: Time scale, and whether to send without being told.
        monotonic: Real time in seconds.
        post: Makes the call.
        failed: Hears of deliveries that were given up.
    """

    def __init__(
        self,
        settings: Settings,
        monotonic: Callable[[], float] = time.monotonic,
        post: Post = signing.call,
        failed: Callable[[Delivery], None] = lambda delivery: None,
    ) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._post, self._failed = post, failed
        self._kept: deque[Delivery] = deque(maxlen=_KEPT)
        self._lock = threading.Condition()
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next = 1
        self._ahead = 0.0

    def clear(self) -> None:
        """Forget every delivery, sent or not."""
        with self._lock:
            self._kept.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Give the deliveries, oldest first."""
        with self._lock:
            return [delivery.describe() for delivery in self._kept]

    def put(self, url: str, body: bytes, headers: dict[str, str], fields: list[str]) -> None:
        """Queue a post."""
        with self._lock:
            self._kept.append(
                Delivery(self._next, url, body, headers, fields, self._monotonic() + self._ahead)
            )
            self._next += 1
            self._lock.notify()
        if self._settings.webhook_auto and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
            self._thread.start()

    def reorder(self, count: int) -> None:
        """Turn the order of the newest deliveries around."""
        with self._lock:
            newest = [self._kept.pop() for _ in range(min(count, len(self._kept)))]
            self._kept.extend(newest)

    def pump(self, advance_seconds: float = 0.0) -> int:
        """Send everything that is due; gives how many posts were made.

        Args:
            advance_seconds: Meta's seconds to pretend have passed.
        """
        self._ahead += advance_seconds * self._settings.webhook_time_scale
        made = 0
        with self._sending:
            while True:
                now = self._monotonic() + self._ahead
                with self._lock:
                    due = [d for d in self._kept if d.state == "pending" and d.due <= now]
                if not due:
                    return made
                for delivery in due:
                    self._attempt(delivery, now)
                    made += 1

    def _attempt(self, delivery: Delivery, now: float) -> None:
        status, _ = self._post("POST", delivery.url, delivery.body, delivery.headers)
        scale = max(self._settings.webhook_time_scale, 1e-9)
        first = delivery.attempts[0]["at"] if delivery.attempts else now
        delivery.attempts.append(
            {"at": now, "status": status, "meta_seconds": round((now - first) / scale, 1)}
        )
        if status == 200:
            delivery.state = "delivered"
        elif len(delivery.attempts) > len(GAPS):
            delivery.state = "given_up"
            self._failed(delivery)
        else:
            delivery.due = now + GAPS[len(delivery.attempts) - 1] * scale

    def _work(self) -> None:
        while True:
            with self._lock:
                pending = [d.due for d in self._kept if d.state == "pending"]
                wait = min(pending) - self._monotonic() - self._ahead if pending else 5.0
                if wait > 0:
                    self._lock.wait(min(max(wait, 0.001), 5.0))
            if self._settings.webhook_auto:
                self.pump()
            else:
                time.sleep(0.05)
