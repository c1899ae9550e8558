"""Tokens: what `debug_token` says of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adlab.core.errors import MissingPermissionError, TokenExpiredError
from adlab.meta.client import GraphClient, Retry

NEEDED_SCOPES = frozenset({"ads_read", "ads_management"})


@dataclass(frozen=True)
class TokenFacts:
    """A token as Meta describes it. `expires_at` None means never."""

    is_valid: bool
    app_id: str | None
    token_type: str | None
    user_id: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    data_expires_at: datetime | None
    problem: str | None


def inspect_token(
    base_url: str, api_version: str, token: str, *, app_id: str | None, app_secret: str | None,
    transport: Any = None, retry: Retry | None = None,
) -> TokenFacts:  # fmt: skip
    """Ask `debug_token` about a token, as the app when its secret is known, else as itself.

    Raises:
        MetaError: If the Graph API refuses the question.
    """
    asker = f"{app_id}|{app_secret}" if app_id and app_secret else token
    client = GraphClient(base_url, api_version, asker, transport=transport, retry=retry)
    try:
        data = client.get("debug_token", {"input_token": token}).get("data") or {}
    finally:
        client.close()
    error = data.get("error") or {}
    return TokenFacts(
        is_valid=bool(data.get("is_valid")),
        app_id=str(data["app_id"]) if data.get("app_id") else None,
        token_type=data.get("type"),
        user_id=str(data["user_id"]) if data.get("user_id") else None,
        scopes=tuple(data.get("scopes") or ()),
        expires_at=_moment(data.get("expires_at")),
        data_expires_at=_moment(data.get("data_access_expires_at")),
        problem=str(error.get("message")) if error else None,
    )


def require_usable(facts: TokenFacts, wanted_app: str | None, now: datetime) -> None:
    """Refuse a token that cannot read ads.

    Raises:
        TokenExpiredError: If it is invalid or expired.
        MissingPermissionError: If it belongs to another app, or lacks ads_read.
    """
    if not facts.is_valid:
        raise TokenExpiredError(
            f"Meta says the token is not valid: {facts.problem or 'no reason given'}.",
            "Create a new one with ads_read, and pass it through --token-env.",
        )
    if facts.expires_at is not None and facts.expires_at <= now:
        raise TokenExpiredError(
            f"The token expired at {facts.expires_at:%Y-%m-%d %H:%M} UTC.", "Create a new one."
        )
    if facts.data_expires_at is not None and facts.data_expires_at <= now:
        raise TokenExpiredError(
            f"Access to its user's data ended at {facts.data_expires_at:%Y-%m-%d %H:%M} UTC, "
            "90 days after they last logged in.",
            "That person logs in to Facebook through adlab again.",
        )
    if wanted_app and facts.app_id and facts.app_id != wanted_app:
        raise MissingPermissionError(
            f"The token belongs to app {facts.app_id}, not to ADLAB_META__APP_ID {wanted_app}.",
            "Create the token with that app.",
        )
    if not NEEDED_SCOPES & set(facts.scopes):
        raise MissingPermissionError(
            f"The token may {', '.join(facts.scopes) or 'do nothing'}; reading ads needs ads_read.",
            "Create it again and tick ads_read.",
        )


def _moment(value: Any) -> datetime | None:
    return datetime.fromtimestamp(int(value), UTC) if value else None
