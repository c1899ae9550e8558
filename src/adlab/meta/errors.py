"""From a Graph error code to one of our errors, sorted by what one can do next.

Neither the HTTP status nor `type` is used: Meta's throttles come as plain 400 and nearly every
error is an "OAuthException". Only code, subcode and `is_transient` decide.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from adlab.core.errors import (
    AuthorizationError,
    BlockedForNowError,
    MetaError,
    MetaUnavailableError,
    MissingPermissionError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    StaleCursorError,
    TokenExpiredError,
    TooFarBackError,
    TooMuchDataError,
)

log = logging.getLogger(__name__)

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

# Long numbers come as subcodes and, sometimes, as codes of their own.
_TIMEOUTS = {1504018, 1504038}
_TOO_MANY_ROWS = 1487534
_BUDGET_CHANGES, _SPEND_CAP_CHANGES = 1487632, 1885172
_MUTATION_RATE = 5044001
_ABUSE = 1996
_REFUSED = {
    1504041, 1504042, 1487225, 1487561,
    1885272, 1885650, 1885621, 1487901, 1487056, 1487566, 1885088, 2446307, 1870034,
}  # fmt: skip
# Reason: seconds to stay away after "abnormal volume"; calling on makes the block longer.
ABUSE_WAIT = 1800.0
PACING_WAIT = 2.0
FEW_TRIES = 3
_RECONNECT = "Connect again: adlab account connect act_… --client SLUG --token-env VAR"
_CHANGE = "Change the request; asking again does not help."


def from_payload(
    error: dict[str, Any], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> MetaError:
    """Translate the `error` object of an answer.

    Args:
        error: As on the wire.
        now: Current aware time, for errors that end at a known moment.

    Returns:
        The error to raise; its text holds no token.
    """
    found = _sorted(error, now)
    found.blamed = _blamed(error)
    return found


def _sorted(error: dict[str, Any], now: Callable[[], datetime]) -> MetaError:
    code = _number(error.get("code"))
    subcode = _number(error.get("error_subcode"))
    text = _clean(str(error.get("error_user_msg") or error.get("message") or "no message"))
    message = str(error.get("message") or "").lower()
    where: dict[str, Any] = {
        "code": code,
        "subcode": subcode,
        "trace_id": error.get("fbtrace_id"),
    }
    told = {code, subcode}
    if code == 190 or code in (102, 104, 459, 463):
        why = _TOKEN_SUBCODES.get(subcode or 0, "it is not accepted")
        return TokenExpiredError(f"The token no longer works: {why}. {text}", _RECONNECT, **where)
    if 3191001 in told or code == 10 or (code is not None and 200 <= code <= 299):
        return MissingPermissionError(text, _permission_remedy(), **where)
    if _BUDGET_CHANGES in told:
        return BlockedForNowError(
            text, "Keep the wanted budget; Meta takes four changes an hour.",
            retry_at=now() + timedelta(hours=1), **where,
        )  # fmt: skip
    if _SPEND_CAP_CHANGES in told:
        return BlockedForNowError(
            text, "Try again tomorrow; Meta takes ten changes of a spend cap a day.",
            retry_at=now() + timedelta(days=1), **where,
        )  # fmt: skip
    if told & _REFUSED:
        return RejectedRequestError(text, _CHANGE, **where)
    if _TOO_MANY_ROWS in told:
        return TooMuchDataError(text, "Fewer days or objects a request.", **where)
    if told & _TIMEOUTS:
        return TooMuchDataError(text, "It took Meta too long; ask asynchronously or for less.",
                                **where)  # fmt: skip
    # Reason: the text for people may come in their language, so Meta's own message decides.
    if code == 1 and "reduce the amount of data" in f"{message} {text.lower()}":
        heavy = TooMuchDataError(text, "Smaller pages or fewer fields.", **where)
        heavy.by_page = True
        return heavy
    if code == 613 and subcode != 1487742 and subcode != _MUTATION_RATE:
        # Reason: without a subcode, or with 1996, this is abuse prevention and not a meter.
        log.error("meta_abuse_prevention code=613 subcode=%s trace_id=%s", subcode or 0,
                  where["trace_id"])  # fmt: skip
        return RateLimitedError(
            text, "Meta saw an abnormal volume of calls; see what called, then wait.",
            retry_after=ABUSE_WAIT, **where,
        )  # fmt: skip
    if _MUTATION_RATE in told:
        return RateLimitedError(text, "Slower.", retry_after=PACING_WAIT, **where)
    if code in _LIMITS:
        limited = RateLimitedError(
            text, "The quota is used up; reading goes on by itself later.",
            retry_after=_LIMITS[code], **where,
        )  # fmt: skip
        limited.told = False
        return limited
    return _platform(error, code, subcode, text, message, where)


def _platform(
    error: dict[str, Any],
    code: int | None,
    subcode: int | None,
    text: str,
    message: str,
    where: dict[str, Any],
) -> MetaError:
    """What is about neither token, nor permission, nor quota, nor size."""
    if code == 2601:
        return ReportNotReadyError(text, "The report still runs.", **where)
    if code == 2642:
        return StaleCursorError(text, "Paging starts over.", **where)
    if code == 2635:
        return RejectedRequestError(
            text, "Set ADLAB_META__API_VERSION to a version that is alive.", **where
        )
    if code == 3018:
        return TooFarBackError(text, "Meta serves 37 months; start later.", **where)
    if code == -3:
        return TooMuchDataError(text, "Fewer days or objects a report.", **where)
    if code == 368:
        log.error("meta_policy_block code=368 trace_id=%s", where["trace_id"])
        return AuthorizationError(text, "Meta blocked the app or user for policy reasons.", **where)
    if code == 100 and "cannot include" in message and "summary param" in message:
        # Reason: a fault of Meta's that is gone on the next try.
        quirk = MetaUnavailableError(text, "Meta has trouble; try again later.", **where)
        quirk.tries = FEW_TRIES
        return quirk
    if code in (1, 2, 960, -2) or error.get("is_transient") is True:
        trouble = MetaUnavailableError(text, "Meta has trouble; try again later.", **where)
        if code == 1 and error.get("is_transient") is not True:
            trouble.tries = FEW_TRIES
        return trouble
    if code == 100 and subcode == 33:
        return RejectedRequestError(text, "Check the id, and that this token may see it.", **where)
    return RejectedRequestError(text, _CHANGE, **where)


def _blamed(error: dict[str, Any]) -> tuple[str, ...]:
    """Fields Meta blames: `error_data` is an object or, as often, its JSON text."""
    data = error.get("error_data")
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            return ()
    specs = data.get("blame_field_specs") if isinstance(data, dict) else None
    if not isinstance(specs, list):
        return ()
    return tuple(
        ".".join(str(step) for step in path) if isinstance(path, list) else str(path)
        for path in specs
    )


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
