"""Tokens: who is let in, and every way of pretending is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import text

from adlab.storage.engine import transaction
from adlab.storage.tokens import load_tokens, revoke_token
from adlab.vault import signing_keys
from adlab.web.api.auth import KNOWN_SECONDS
from adlab.web.api.tokens import Claims, TokenError, TokenSigner, parse_scopes
from tests.web.api.conftest import Api, problem
from tests.web.conftest import KEY

OTHER_KEY = "cd" * 32


def _signing_key(key: str = KEY) -> bytes:
    (derived,) = TokenSigner(signing_keys(key))._keys.values()
    return derived


def _claims(api: Api) -> dict[str, Any]:
    return jwt.decode(api.token(), options={"verify_signature": False})


def _forge(claims: dict[str, Any], key: bytes | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, _signing_key() if key is None else key, algorithm=algorithm)


def _unsigned(claims: dict[str, Any], algorithm: str) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}."


def _refused(api: Api, token: str | None) -> str:
    answer = api("/me", token=token)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith('Bearer realm="adlab"')
    return str(problem(answer)["detail"])


def test_a_token_of_ours_says_who_calls(api: Api) -> None:
    found = api("/me").json()
    assert found == {"name": "Nan Analyst", "role": "analyst", "scopes": ["read"],
                     "clients": ["atelier", "nordlicht"]}  # fmt: skip


def test_without_a_token_nothing_is_told(api: Api) -> None:
    assert "Bearer" in _refused(api, None)
    assert api("/me", token=None, headers={"Cookie": "adlab_session=x"}).status_code == 401


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_no_signature_is_no_token(api: Api, algorithm: str) -> None:
    assert "not one of ours" in _refused(api, _unsigned(_claims(api), algorithm))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_algorithm_is_ours_to_choose(api: Api, algorithm: str) -> None:
    assert "not one of ours" in _refused(api, _forge(_claims(api), algorithm=algorithm))


def test_another_key_signs_nothing(api: Api) -> None:
    for key in (_signing_key(OTHER_KEY), bytes.fromhex(KEY), b"x" * 32):
        assert "not one of ours" in _refused(api, _forge(_claims(api), key))


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "adlab-boards"}, {"aud": ["other"]}, {"iss": "somebody"}, {"aud": None},
        {"jti": "0" * 24}, {"jti": "x' OR 1=1 --"}, {"jti": ""}, {"sub": "1"}, {"sub": "9999"},
        {"clients": ["nordlicht"]},
    ],
)  # fmt: skip
def test_a_signed_token_of_other_claims_is_nobodys(api: Api, change: dict[str, Any]) -> None:
    """Signed with the right key, as if that had been stolen: the row decides."""
    assert "not one of ours" in _refused(api, _forge(_claims(api) | change))


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope"])
def test_every_claim_is_needed(api: Api, missing: str) -> None:
    claims = _claims(api)
    del claims[missing]
    assert "not one of ours" in _refused(api, _forge(claims))


@pytest.mark.parametrize(
    "change", [{"exp": "soon"}, {"nbf": True}, {"sub": "me"}, {"exp": 10**30}, {"clients": "all"}]
)
def test_malformed_claims_are_refused(api: Api, change: dict[str, Any]) -> None:
    assert _refused(api, _forge(_claims(api) | change))


def test_a_tampered_scope_gives_nothing(api: Api) -> None:
    head, _, sign = api.token().split(".")
    more = json.dumps(_claims(api) | {"scope": "read propose connect audit"}).encode()
    body = base64.urlsafe_b64encode(more).decode().rstrip("=")
    assert "not one of ours" in _refused(api, f"{head}.{body}.{sign}")
    # With the right key, too: a scope the row does not have is not there.
    token = _forge(_claims(api) | {"scope": "read propose connect audit"})
    assert api("/me", token=token).json()["scopes"] == ["read"]
    assert api("/audit", token=token).status_code == 403


@pytest.mark.parametrize("text_", ["a.b.c", "..", "e30.e30.", "x" * 3000 + ".y.z", "Ünicode.a.b"])
def test_nonsense_is_no_token(api: Api, text_: str) -> None:
    answer = api("/me", token=None, headers={"Authorization": b"Bearer " + text_.encode()})  # type: ignore[dict-item]
    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "token", "Digest x y z"])
def test_other_ways_of_proving_oneself_are_not_known(api: Api, header: str) -> None:
    assert api("/me", token=None, headers={"Authorization": header}).status_code == 401


def test_an_expired_token_ends(api: Api) -> None:
    token = api.token(hours=2, fresh=True)
    assert api("/me", token=token).status_code == 200
    api.clock.ahead = 2 * 3600 + 61
    assert "expired" in _refused(api, token)
    answer = api("/me", token=token)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_of_the_near_future_is_believed_and_one_beyond_names_clock_skew() -> None:
    """Both ends of the leeway of 60 seconds, with the clock standing still."""
    signer, now = TokenSigner(signing_keys(KEY)), datetime(2026, 11, 21, 12, tzinfo=UTC)
    made = Claims("a" * 24, 1, frozenset({"read"}), None, now + timedelta(hours=1))
    for ahead in (0, 59, 60):
        assert signer.read(signer.make(made, now + timedelta(seconds=ahead)), now) == made
    for ahead in (61, 3600):
        with pytest.raises(TokenError, match="clock skew"):
            signer.read(signer.make(made, now + timedelta(seconds=ahead)), now)
    late = signer.make(made, now)
    assert signer.read(late, made.expires_at + timedelta(seconds=59)) == made
    with pytest.raises(TokenError, match="expired"):
        signer.read(late, made.expires_at + timedelta(seconds=60))


def test_a_token_begun_in_the_future_is_refused_by_the_api(api: Api) -> None:
    assert "clock skew" in _refused(api, _forge(_claims(api) | {"nbf": 2**33, "exp": 2**34}))


def test_any_key_of_the_ring_is_believed_and_the_newest_signs() -> None:
    now = datetime.now(UTC)
    made = Claims("a" * 24, 1, frozenset({"read"}), ("acme",), now.replace(microsecond=0))
    old, both = (TokenSigner(signing_keys(k)) for k in (KEY, f"{OTHER_KEY},{KEY}"))
    assert both.read(old.make(made, now), now) == made
    newest = TokenSigner(signing_keys(OTHER_KEY))
    assert newest.read(both.make(made, now), now) == made
    with pytest.raises(TokenError):
        newest.read(old.make(made, now), now)


def test_a_revoked_token_ends_within_seconds(api: Api) -> None:
    token = api.token(fresh=True)
    assert api("/me", token=token).status_code == 200
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    with transaction(api.engine) as connection:
        revoke_token(connection, jti)
    api.clock.ahead = KNOWN_SECONDS
    assert "revoked" in _refused(api, token)
    with transaction(api.engine) as connection:
        states = {r["jti"]: r for r in load_tokens(connection, "Nan Analyst")}
    assert states[jti]["state"] == "revoked"
    assert states[jti]["used_at"] is not None


def test_a_disabled_persons_tokens_end(api: Api) -> None:
    token = api.token("Export")
    assert api("/me", token=token).status_code == 200
    with transaction(api.engine) as connection:
        connection.execute(text("UPDATE sec.person SET disabled_at = now() WHERE name = 'Export'"))
    try:
        api.clock.ahead = KNOWN_SECONDS
        assert "disabled" in _refused(api, token)
    finally:
        with transaction(api.engine) as connection:
            connection.execute(
                text("UPDATE sec.person SET disabled_at = NULL WHERE name = 'Export'")
            )


def test_a_role_without_the_api_is_refused_though_its_token_is_good(api: Api) -> None:
    """Somebody whose role changed after the token was made."""
    token = api.token("Export")
    for role in ("client_viewer", "auditor"):
        with transaction(api.engine) as connection:
            connection.execute(
                text("UPDATE sec.person SET role = :r WHERE name = 'Export'"), {"r": role}
            )
        api.clock.ahead += KNOWN_SECONDS
        answer = api("/me", token=token)
        assert answer.status_code == 403
        assert problem(answer)["type"] == "urn:adlab:problem:role"
    with transaction(api.engine) as connection:
        connection.execute(text("UPDATE sec.person SET role = 'service' WHERE name = 'Export'"))


def test_many_wrong_tokens_from_one_address_have_to_wait(fresh_api: Callable[..., Api]) -> None:
    api = fresh_api()
    answers = [api("/me", token="a.b.c").status_code for _ in range(62)]
    assert answers[:60] == [401] * 60
    assert answers[60:] == [429] * 2


@pytest.mark.parametrize("wrong", ["", "read,write", "admin", "READ"])
def test_unknown_scopes_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="scopes are read, propose, connect, audit"):
        parse_scopes(wrong)


def test_no_token_stands_in_the_store(api: Api) -> None:
    token = api.token()
    with transaction(api.engine) as connection:
        rows = connection.scalars(text("SELECT t::text FROM sec.api_token t")).all()
        rows += connection.scalars(text("SELECT details::text FROM sec.audit")).all()
    assert rows
    assert not [r for r in rows if token.rsplit(".", 1)[1] in r]
