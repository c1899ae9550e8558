"""From code and subcode to what one can do next: the table of Meta's errors, row by row."""

from __future__ import annotations

from typing import Any

import pytest

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
from adlab.meta.errors import from_payload

R, W, S, X = MetaUnavailableError, RateLimitedError, TooMuchDataError, RejectedRequestError
TABLE: list[tuple[int, int | None, type[MetaError]]] = [
    (1, None, R), (1, 99, R), (2, None, R), (2, 1504043, R), (2, 1504044, R), (960, None, R),
    (-2, 2490547, R),
    (2, 1504038, S), (100, 1504018, S), (100, 1487534, S), (-3, 1504045, S),
    (2, 1504041, X), (2, 1504042, X),
    (4, None, W), (4, 1504022, W), (4, 1504039, W), (17, 2446079, W), (17, None, W), (32, None, W),
    (341, None, W), (613, None, W), (613, 1487742, W), (613, 1996, W), (613, 5044001, W),
    (80000, 2446079, W), (80001, None, W), (80002, None, W), (80003, 2446079, W),
    (80004, 2446079, W), (80005, None, W), (80006, None, W), (80008, None, W), (80009, None, W),
    (80014, None, W),
    (17, 1885172, BlockedForNowError), (613, 1487632, BlockedForNowError), (613, 1487225, X),
    (10, None, MissingPermissionError), (200, None, MissingPermissionError),
    (294, None, MissingPermissionError), (299, None, MissingPermissionError),
    (100, 3191001, MissingPermissionError),
    (102, None, TokenExpiredError), (104, None, TokenExpiredError),
    (190, None, TokenExpiredError), (190, 458, TokenExpiredError), (190, 459, TokenExpiredError),
    (190, 460, TokenExpiredError), (190, 463, TokenExpiredError), (190, 464, TokenExpiredError),
    (190, 467, TokenExpiredError), (190, 492, TokenExpiredError),
    (368, None, AuthorizationError),
    (100, None, X), (100, 33, X), (100, 1487561, X), (2500, None, X), (2635, None, X),
    (3018, None, TooFarBackError), (1885272, None, X), (100, 1885650, X), (800008, None, X),
    (2601, 1815107, ReportNotReadyError), (2642, None, StaleCursorError),
]  # fmt: skip


def payload(code: Any, subcode: Any = None, **more: Any) -> dict[str, Any]:
    return {"message": "Text.", "type": "OAuthException", "code": code, "error_subcode": subcode,
            "fbtrace_id": "T", **more}  # fmt: skip


@pytest.mark.parametrize(("code", "subcode", "kind"), TABLE, ids=lambda v: str(v))
def test_each_code_is_sorted_by_what_helps(
    code: int, subcode: int | None, kind: type[MetaError]
) -> None:
    error = from_payload(payload(code, subcode))
    assert type(error) is kind
    assert (error.code, error.subcode, error.trace_id) == (code, subcode, "T")
    assert error.remedy


@pytest.mark.parametrize("kind", ["OAuthException", "GraphMethodException", "Exception", ""])
def test_the_type_decides_nothing(kind: str) -> None:
    assert type(from_payload(payload(80004, type=kind))) is RateLimitedError
    assert type(from_payload(payload(100, type=kind))) is RejectedRequestError


@pytest.mark.parametrize("code", [100, 3, 999999, None])
def test_whatever_is_transient_is_tried_again(code: int | None) -> None:
    assert type(from_payload(payload(code, is_transient=True))) is MetaUnavailableError
    assert type(from_payload(payload(code, is_transient=False))) is RejectedRequestError


@pytest.mark.parametrize(
    "texts",
    [
        {"message": "Please reduce the amount of data you're asking for, then retry"},
        {"message": "Please REDUCE THE AMOUNT OF DATA", "error_user_msg": "Bitte weniger Daten."},
        {"message": "x", "error_user_msg": "Please reduce the amount of data"},
    ],
)
def test_a_page_too_heavy_is_recognised_in_any_language(texts: dict[str, str]) -> None:
    error = from_payload(payload(1, **texts))
    assert type(error) is TooMuchDataError
    assert error.code == 1


@pytest.mark.parametrize(
    ("subcode", "reason"),
    [
        (458, "the app was removed"),
        (459, "checkpoint"),
        (460, "password was changed"),
        (463, "has expired"),
        (467, "is invalid"),
        (None, "not accepted"),
    ],
)
def test_a_dead_token_says_why_and_how_to_connect_again(subcode: int | None, reason: str) -> None:
    error = from_payload(payload(190, subcode))
    assert reason in error.message
    assert "adlab account connect" in error.remedy


@pytest.mark.parametrize("code", ["17", 17, 17.0])
def test_codes_may_come_as_text(code: Any) -> None:
    assert type(from_payload(payload(code, "2446079"))) is RateLimitedError


@pytest.mark.parametrize(
    "error", [{}, {"code": None}, {"code": "what"}, {"code": [], "error_subcode": {}}]
)
def test_an_error_without_a_code_is_still_an_error(error: dict[str, Any]) -> None:
    told = from_payload(error)
    assert type(told) is RejectedRequestError
    assert "no message" in str(told)


def test_the_text_for_people_is_preferred_and_bounded() -> None:
    error = from_payload(payload(100, error_user_msg="Le budget est trop bas. " * 100))
    assert error.message.startswith("(Meta error 100) Le budget est trop bas.")
    assert len(error.message) < 450


@pytest.mark.parametrize(
    "text",
    [
        "Malformed access token EAABsbCS1iHgBO7tokentoken",
        "https://graph.facebook.com/me?access_token=secretsecretsecret&limit=2",
        "access_token=555|secretsecretsecret was refused",
    ],
)
def test_tokens_in_metas_own_text_are_cut(text: str) -> None:
    told = str(from_payload(payload(190, 467, message=text)))
    assert "tokentoken" not in told
    assert "secretsecret" not in told


def test_a_lost_cursor_says_that_starting_over_helps() -> None:
    assert "starts over" in from_payload(payload(2642)).remedy


def test_a_dead_version_names_the_setting() -> None:
    assert "ADLAB_META__API_VERSION" in from_payload(payload(2635)).remedy
