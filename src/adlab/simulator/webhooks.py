"""Webhook subscriptions in two steps, and what is told to whom.

The app subscribes to topics with a callback (handshake first); every ad account must then install
the app. Only when both are there, a change becomes a delivery (`sender.py`).
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from adlab.simulator import signing
from adlab.simulator.clock import SimulatorClock
from adlab.simulator.errors import GraphError, invalid_parameter
from adlab.simulator.sender import Delivery, Sender
from adlab.simulator.state import Settings
from adlab.simulator.tokens import APP_ID, Grant
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import AccountWorld

Row = dict[str, Any]
TOPICS: dict[str, frozenset[str]] = {
    "ad_account": frozenset(
        {
            "effective_status",
            "with_issues_ad_objects",
            "in_process_ad_objects",
            "creative_fatigue",
            "ad_recommendations",
            "product_set_issue",
            "ads_async_creation_request",
            "marketing_messages_subscriber_upload_status",
            "subscriptions",
        }
    ),
    "page": frozenset({"leadgen"}),
}
MOST_CHANGES = 1000
_TEXTS = {
    "de_DE": {
        "The ad does not comply with our policies.": "Die Werbeanzeige verstößt gegen unsere "
        "Richtlinien. Siehe Hilfe/Überprüfung.",
        "The conversion event this uses has not been received lately.": "Das Conversion-Ereignis "
        "wurde zuletzt nicht empfangen; bitte Pixel überprüfen.",
    },
    "ja_JP": {
        "The ad does not comply with our policies.": "広告がポリシーに準拠していません。",
        "The conversion event this uses has not been received lately.": (
            "コンバージョンイベントを最近受信していません。"
        ),
    },
}


@dataclass
class Subscription:
    """What the app wants to hear of one kind of object."""

    callback_url: str
    fields: set[str]
    verify_token: str
    include_values: bool
    is_active: bool = True


@dataclass(frozen=True)
class Mischief:
    """How deliveries shall be wrong."""

    signature: str = "good"
    duplicates: int = 0
    reorder: bool = False
    batch: int = 1
    unknown_field: bool = False
    stale_seconds: int = 0


@dataclass
class Webhooks:
    """Keeps subscriptions and turns changes into deliveries.

    Attributes:
        secret: The app's secret.
        clock: Simulated time, for `entry.time`.
        settings: Language of texts, and when repeated failures end a subscription.
        sender: Delivers.
        installed: Accounts that have installed the app.
        dropped: The newest changes that nobody was entitled to hear of, and why.
    """

    secret: bytes
    clock: SimulatorClock
    settings: Settings
    sender: Sender
    handshake: Callable[[str, str], tuple[int, str]] = lambda method, url: signing.call(method, url)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    installed: set[int] = field(default_factory=set)
    dropped: deque[Row] = field(default_factory=lambda: deque(maxlen=500))
    failures: int = 0

    def reset(self) -> None:
        """Forget subscriptions, installations and deliveries."""
        self.subscriptions.clear()
        self.installed.clear()
        self.dropped.clear()
        self.sender.clear()
        self.failures = 0

    def app_subscriptions(self, request: GraphRequest, grant: Grant) -> Row:
        """Answer `/{app_id}/subscriptions`.

        Raises:
            GraphError: 15 without the app's token; 2200 when the callback fails the handshake.
        """
        if grant.kind != "APP":
            raise GraphError(15, "(#15) This method must be called with an app access_token.")
        if request.method == "GET":
            return {
                "data": [
                    {
                        "object": name,
                        "callback_url": item.callback_url,
                        "active": item.is_active,
                        "fields": [
                            {"name": topic, "version": "v26.0"} for topic in sorted(item.fields)
                        ],
                    }
                    for name, item in self.subscriptions.items()
                ]
            }
        if request.method == "DELETE":
            return self._unsubscribe(request)
        name = request.params.get("object", "")
        if name not in TOPICS:
            raise invalid_parameter("object must be one of the following values: ad_account, page")
        fields = set(request.words("fields"))
        wrong = sorted(fields - TOPICS[name])
        if wrong or not fields:
            raise invalid_parameter(f"Invalid fields for {name}: {', '.join(wrong) or '(none)'}")
        url, token = request.params.get("callback_url", ""), request.params.get("verify_token", "")
        if not token:
            raise invalid_parameter("The parameter verify_token is required")
        self._shake_hands(url, token)
        self.subscriptions[name] = Subscription(url, fields, token, request.flag("include_values"))
        return {"success": True}

    def _unsubscribe(self, request: GraphRequest) -> Row:
        name = request.params.get("object")
        fields = set(request.words("fields"))
        for known in [name] if name else list(self.subscriptions):
            item = self.subscriptions.get(known or "")
            if item is not None:
                item.fields -= fields
                if not fields or not item.fields:
                    del self.subscriptions[known or ""]
        return {"success": True}

    def _shake_hands(self, url: str, token: str) -> None:
        try:
            signing.check_loopback(url)
        except ValueError as problem:
            raise invalid_parameter(f"callback_url: {problem}") from None
        challenge = str(secrets.randbelow(2_000_000_000))
        asked = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": token,
        }
        status, text = self.handshake("GET", f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}")
        if status != 200 or text != challenge:
            raise GraphError(
                2200,
                "(#2200) Callback verification failed with the following errors: HTTP Status "
                f"Code = {status}; the answer was not the challenge",
            )

    def installs(self, request: GraphRequest, account: AccountWorld) -> Row:
        """Answer `act_X/subscribed_apps`."""
        number = account.profile.number
        asked = request.params.get("app_id", APP_ID)
        if request.method == "GET":
            listed = [{"id": APP_ID, "name": "adlab simulator"}]
            return {"data": listed if number in self.installed else []}
        if asked != APP_ID:
            raise invalid_parameter(f"There is no app {asked}")
        if request.method == "DELETE":
            self.installed.discard(number)
        else:
            self.installed.add(number)
        return {"success": True}

    def tell(self, account: AccountWorld, topic: str, value: Row) -> None:
        """Hear of a change; it becomes a delivery when both gates are open."""
        self.emit("ad_account", str(account.profile.number), topic, [value], Mischief())

    def emit(
        self,
        kind: str,
        entry_id: str,
        topic: str,
        values: list[Row],
        mischief: Mischief,
    ) -> int:
        """Queue deliveries of a topic's values.

        Args:
            kind: `ad_account` or `page`.
            entry_id: Number of the account or page.
            topic: What the app subscribes to.
            values: One change each.
            mischief: How the deliveries shall be wrong.

        Returns:
            How many posts were queued; 0 when a gate is closed.
        """
        item = self.subscriptions.get(kind)
        reason = ""
        if item is None or topic not in item.fields:
            reason = "the app is not subscribed to the topic"
        elif not item.is_active:
            reason = "the subscription was disabled after failures"
        elif kind == "ad_account" and int(entry_id) not in self.installed:
            reason = "the account has not installed the app"
        if reason or item is None:
            self.dropped.append({"entry": entry_id, "topic": topic, "reason": reason})
            return 0
        name = "field_changed" if topic == "effective_status" else topic
        if mischief.unknown_field:
            name = f"{name}_v2"
        changes = [{"field": name, "value": self._localised(value)} for value in values]
        size = min(max(mischief.batch, 1), MOST_CHANGES)
        bodies = [
            self._body(kind, entry_id, changes[start : start + size], mischief)
            for start in range(0, len(changes), size)
        ]
        made = 0
        for body in bodies:
            for _ in range(1 + mischief.duplicates):
                headers = self._headers(body, mischief.signature)
                self.sender.put(item.callback_url, body, headers, [name])
                made += 1
        if mischief.reorder:
            self.sender.reorder(made)
        return made

    def _body(self, kind: str, entry_id: str, changes: list[Row], mischief: Mischief) -> bytes:
        at = int(self.clock.now()) - mischief.stale_seconds
        return signing.escaped(
            {"object": kind, "entry": [{"id": entry_id, "time": at, "changes": changes}]}
        )

    def _headers(self, body: bytes, signature: str) -> dict[str, str]:
        key = self.secret + b"-other" if signature == "bad" else self.secret
        headers = {"content-type": "application/json", "user-agent": "facebookexternalua"}
        if signature != "missing":
            headers |= signing.signature_headers(key, body)
        if signature == "sha1":
            del headers["x-hub-signature-256"]
        return headers

    def _localised(self, value: Row) -> Row:
        texts = _TEXTS.get(self.settings.webhook_locale, {})
        message = value.get("error_message")
        return {**value, "error_message": texts.get(message, message)} if message else value

    def note_failure(self, delivery: Delivery) -> None:
        """Count a delivery that was given up; too many end the subscription."""
        self.failures += 1
        most = self.settings.webhook_disable_after
        if most and self.failures >= most:
            for item in self.subscriptions.values():
                if item.callback_url == delivery.url:
                    item.is_active = False
