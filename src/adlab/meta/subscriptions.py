"""Webhook subscriptions in two steps: the app names topics and an address, accounts let it hear.

Without the second step nothing is delivered. Both steps may be repeated safely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adlab.core.errors import MetaError, RejectedRequestError
from adlab.meta.client import GraphClient, Retry
from adlab.meta.oauth import App
from adlab.meta.subscriptions_payload import OBJECT

_HANDSHAKE_FAILED = 2200
# Reason: Meta answers a subscription only after it has called us back.
_PATIENT = Retry(attempts=3, total=60.0, longest_wait=10.0)


@dataclass(frozen=True)
class AppSubscription:
    """What the app is subscribed to for ad accounts.

    Attributes:
        callback_url: Where Meta delivers.
        topics: Names of topics.
        is_active: False after Meta ended it because of failures.
    """

    callback_url: str
    topics: frozenset[str]
    is_active: bool


def app_client(app: App) -> GraphClient:
    """A client that calls with the app's own token; close it."""
    return GraphClient(
        app.base_url, app.api_version, f"{app.app_id}|{app.app_secret}",
        transport=app.transport, retry=_PATIENT,
    )  # fmt: skip


def fetch_app_subscription(client: GraphClient, app_id: str) -> AppSubscription | None:
    """The app's subscription to ad accounts; None when there is none.

    Raises:
        MetaError: As the client raises.
    """
    for row in _rows(client.get(f"{app_id}/subscriptions")):
        if row.get("object") == OBJECT:
            fields = row.get("fields")
            names = {
                str(f["name"] if isinstance(f, dict) and "name" in f else f)
                for f in (fields if isinstance(fields, list) else [])
            }
            url, active = str(row.get("callback_url") or ""), row.get("active", True)
            return AppSubscription(url, frozenset(names), active is True)
    return None


def subscribe_app(
    client: GraphClient, app_id: str, callback_url: str, verify_token: str, topics: Sequence[str]
) -> None:
    """Subscribe the app, or replace what it is subscribed to; Meta calls the address at once.

    Args:
        client: With the app's token.
        app_id: The app.
        callback_url: Where to deliver.
        verify_token: What Meta's question will name.
        topics: Topics of `ad_account`.

    Raises:
        RejectedRequestError: If the address did not answer Meta's question, or a topic is unknown.
        MetaError: As the client raises.
    """
    try:
        answer = client.send(
            f"{app_id}/subscriptions",
            {
                "object": OBJECT, "callback_url": callback_url, "fields": ",".join(topics),
                "verify_token": verify_token, "include_values": "true",
            },
            repeatable=True,
        )  # fmt: skip
    except MetaError as error:
        text = error.reason.replace(verify_token, "…")
        if error.code == _HANDSHAKE_FAILED:
            raise RejectedRequestError(
                f"Meta called {callback_url} and was not answered: {text}",
                "The address must reach `adlab webhooks serve` from the internet over https, and "
                "the receiver must use the same verify token.",
                code=error.code, subcode=error.subcode, trace_id=error.trace_id,
            ) from None  # fmt: skip
        if text == error.reason:
            raise
        raise type(error)(
            text, error.remedy, code=error.code, subcode=error.subcode, trace_id=error.trace_id
        ) from None
    _require_success(answer, "The app's subscription")


def is_installed(client: GraphClient, account_id: int, app_id: str) -> bool:
    """Whether an account lets the app hear of it.

    Raises:
        MetaError: As the client raises.
    """
    rows = _rows(client.get(f"act_{account_id}/subscribed_apps"))
    return any(str(row.get("id")) == app_id for row in rows)


def install(client: GraphClient, account_id: int) -> None:
    """Let the token's app hear of an account; the token needs `ads_management`.

    Raises:
        MissingPermissionError: If it has not.
        MetaError: As the client raises.
    """
    answer = client.send(f"act_{account_id}/subscribed_apps", repeatable=True)
    _require_success(answer, f"The subscription of act_{account_id}")


def uninstall(client: GraphClient, account_id: int) -> None:
    """Let the token's app hear no more of an account.

    Raises:
        MetaError: As the client raises.
    """
    client.delete(f"act_{account_id}/subscribed_apps")


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("data")
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []


def _require_success(answer: dict[str, Any], what: str) -> None:
    # Reason: documented as true and as the text "true".
    if answer.get("success") not in (True, "true"):
        raise RejectedRequestError(f"{what} was not confirmed by Meta.", "Try again.")
