"""Tokens: what `debug_token` says, and which of them cannot read ads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adlab.core.errors import MissingPermissionError, TokenExpiredError
from adlab.meta.auth import TokenFacts, inspect_token, require_usable

from .wire import TOKEN, Wire, failure

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SAID: dict[str, Any] = {
    "is_valid": True, "app_id": "555", "type": "USER", "user_id": 9001,
    "scopes": ["ads_read", "public_profile"], "expires_at": 1798761600,
    "data_access_expires_at": 0,
}  # fmt: skip


def ask(
    answer: Any, app_id: str | None = None, secret: str | None = None
) -> tuple[TokenFacts, Wire]:
    wire = Wire([answer])
    facts = inspect_token(
        "https://graph.example", "v26.0", TOKEN, app_id=app_id, app_secret=secret,
        transport=httpx.MockTransport(wire),
    )  # fmt: skip
    return facts, wire


def facts(**changed: Any) -> TokenFacts:
    said = TokenFacts(
        True, "555", "USER", "9001", ("ads_read",), datetime(2027, 1, 1, tzinfo=UTC), None, None
    )
    return TokenFacts(**{**vars(said), **changed})


def test_what_meta_says_of_a_token() -> None:
    found, _ = ask({"data": SAID})
    assert found == TokenFacts(
        is_valid=True, app_id="555", token_type="USER", user_id="9001",
        scopes=("ads_read", "public_profile"), expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        data_expires_at=None, problem=None,
    )  # fmt: skip


def test_a_system_users_token_never_expires() -> None:
    found, _ = ask({"data": {**SAID, "type": "SYSTEM_USER", "expires_at": 0}})
    assert found.expires_at is None


def test_the_app_asks_when_its_secret_is_known_and_the_token_itself_otherwise() -> None:
    _, wire = ask({"data": SAID}, "555", "shh-app-secret")
    assert wire.requests[0].headers["authorization"] == "Bearer 555|shh-app-secret"
    for app_id, secret in ((None, None), ("555", None), (None, "shh-app-secret")):
        _, wire = ask({"data": SAID}, app_id, secret)
        assert wire.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_token_asked_about_stands_in_the_one_place_meta_takes_it() -> None:
    """`debug_token` documents a query parameter only; logs never show httpx's addresses."""
    _, wire = ask({"data": SAID})
    assert wire.asked == [{"input_token": TOKEN}]


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}])
def test_an_empty_answer_is_no_valid_token(body: dict[str, Any]) -> None:
    found, _ = ask(body)
    assert not found.is_valid
    assert found.scopes == ()


def test_an_invalid_token_brings_metas_reason() -> None:
    found, _ = ask({"data": {"is_valid": False, "error": {"message": "Session has expired."}}})
    assert (found.is_valid, found.problem) == (False, "Session has expired.")


def test_a_token_that_may_not_ask_about_itself_is_dead() -> None:
    with pytest.raises(TokenExpiredError, match="it is invalid"):
        ask(failure(190, 467, status=401))


def test_a_good_token_is_usable() -> None:
    require_usable(facts(), "555", NOW)
    require_usable(facts(), None, NOW)
    require_usable(facts(expires_at=None, app_id=None), "555", NOW)
    require_usable(facts(scopes=("ads_management",)), "555", NOW)


def test_an_invalid_token_is_refused_with_the_reason() -> None:
    with pytest.raises(TokenExpiredError, match="not valid: Session has expired"):
        require_usable(facts(is_valid=False, problem="Session has expired"), None, NOW)


def test_an_expired_token_is_refused_to_the_second() -> None:
    with pytest.raises(TokenExpiredError, match="expired at 2026-11-21 10:00 UTC"):
        require_usable(facts(expires_at=NOW), None, NOW)


def test_a_token_of_another_app_is_refused_and_both_are_named() -> None:
    with pytest.raises(MissingPermissionError, match=r"app 555, not to ADLAB_META__APP_ID 777"):
        require_usable(facts(), "777", NOW)


@pytest.mark.parametrize(
    ("scopes", "told"),
    [((), "may do nothing"), (("public_profile", "email"), "may public_profile, email")],
)
def test_a_token_without_a_scope_for_ads_is_refused(scopes: tuple[str, ...], told: str) -> None:
    with pytest.raises(MissingPermissionError, match=told) as caught:
        require_usable(facts(scopes=scopes), None, NOW)
    assert "ads_read" in caught.value.remedy
