"""From a Graph error code to one of our errors, sorted by what one can do next.

Neither the HTTP status nor `type` is used: Meta's throttles come as plain 400 and nearly every
error is an "OAuthException". Only code, subcode and `is_transient` decide.
"""

from __future__ import annotations

import re
from typing import Any

from adlab.core.errors import (
    AuthorizationError,
    MetaError,
    MetaUnavailableError,
    MissingPermissionError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    StaleCursorError,
    TokenExpiredError,
    TooMuchDataError,
)

# Waiting times in seconds where no header says better.
_LIMITS: dict[int, float] = {
    4: 300.0, 17: 300.0, 32: 300.0, 341: 600.0, 613: 120.0,
    80000: 300.0, 80001: 300.0, 80002: 300.0, 80003: 300.0, 80004: 300.0, 80005: 300.0,
    80006: 300.0, 80008: 300.0, 80009: 300.0, 80014: 300.0,
}  # fmt: skip

_TOKEN_SUBCODES = {
    458: "the app was removed by its user",
    459: "the user must pass a checkpoint at facebook.com",
    460: "the password was changed",
    463: "it has expired",
    464: "the user is not confirmed",
    467: "it is invalid",
    492: "its session is invalid",
}

_TIMEOUT_SUBCODES = {1504018, 1504038}
_REJECTED_SUBCODES = {1504041, 1504042, 1487632, 1487225, 1885172}
_RECONNECT = "Connect again: adlab account connect act_… --client SLUG --token-env VAR"


def from_payload(error: dict[str, Any]) -> MetaError:
    """Translate the `error` object of an answer.

    Args:
        error: As on the wire.

    Returns:
        The error to raise; its text holds no token.
    """
    code = _number(error.get("code"))
    subcode = _number(error.get("error_subcode"))
    text = _clean(str(error.get("error_user_msg") or error.get("message") or "no message"))
    where: dict[str, Any] = {
        "code": code,
        "subcode": subcode,
        "trace_id": error.get("fbtrace_id"),
    }
    if code == 190 or code in (102, 104, 459, 463):
        why = _TOKEN_SUBCODES.get(subcode or 0, "it is not accepted")
        return TokenExpiredError(f"The token no longer works: {why}. {text}", _RECONNECT, **where)
    if code == 100 and subcode == 3191001:
        return MissingPermissionError(text, _permission_remedy(), **where)
    if code == 10 or code == 294 or (code is not None and 200 <= code <= 299):
        return MissingPermissionError(text, _permission_remedy(), **where)
    if subcode in _REJECTED_SUBCODES:
        return RejectedRequestError(
            text, "Change the request; asking again does not help.", **where
        )
    if code == 100 and subcode == 1487534:
        return TooMuchDataError(text, "Fewer days or objects a request.", **where)
    if subcode in _TIMEOUT_SUBCODES:
        return TooMuchDataError(text, "It took Meta too long; ask asynchronously or for less.",
                                **where)  # fmt: skip
    # Reason: the text for people may come in their language, so Meta's own message decides.
    if code == 1 and "reduce the amount of data" in f"{error.get('message')} {text}".lower():
        return TooMuchDataError(text, "Smaller pages or fewer fields.", **where)
    if code == 613 and subcode == 5044001:
        return RateLimitedError(text, "Slower.", retry_after=2.0, **where)
    if code in _LIMITS:
        return RateLimitedError(
            text, "The quota is used up; reading goes on by itself later.",
            retry_after=_LIMITS[code], **where,
        )  # fmt: skip
    if code == 2601:
        return ReportNotReadyError(text, "The report still runs.", **where)
    if code == 2642:
        return StaleCursorError(text, "Paging starts over.", **where)
    if code == 2635:
        return RejectedRequestError(
            text, "Set ADLAB_META__API_VERSION to a version that is alive.", **where
        )
    if code == 3018:
        return RejectedRequestError(text, "Meta serves 37 months; start later.", **where)
    if code in (1, 2, 960, -2) or error.get("is_transient") is True:
        return MetaUnavailableError(text, "Meta has trouble; try again later.", **where)
    if code == -3:
        return TooMuchDataError(text, "Fewer days or objects a report.", **where)
    if code == 100 and subcode == 33:
        return RejectedRequestError(text, "Check the id, and that this token may see it.", **where)
    if code == 368:
        return AuthorizationError(text, "Meta blocked the app or user for policy reasons.", **where)
    return RejectedRequestError(text, "Change the request; asking again does not help.", **where)


def _permission_remedy() -> str:
    return "Ask for ads_read, and for a role on the ad account in Business settings."


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _clean(text: str) -> str:
    text = re.sub(r"(access_token=|EAA)[A-Za-z0-9_\-%|.]{6,}", r"\1…", text)
    return text[:400]
