"""`signed_request`: only what Meta signed, just now, is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adlab.meta.signed_request import ForgedRequestError, read_signed_request

SECRET = "not-a-real-app-secret"
NOW = datetime(2026, 11, 3, 0, 0, 10, tzinfo=UTC)
PAYLOAD: dict[str, Any] = {"algorithm": "HMAC-SHA256", "issued_at": 1793664000, "user_id": "9001"}


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def sign(payload: str, secret: str = SECRET) -> str:
    return encode(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest())


def signed(secret: str = SECRET, **changed: Any) -> str:
    found = {k: v for k, v in {**PAYLOAD, **changed}.items() if v is not None}
    payload = encode(json.dumps(found).encode())
    return f"{sign(payload, secret)}.{payload}"


def test_what_meta_signed_just_now_names_its_user() -> None:
    found = read_signed_request(signed(), SECRET, NOW)
    assert (found.user_id, found.issued_at) == ("9001", datetime(2026, 11, 3, tzinfo=UTC))
    assert read_signed_request(signed(user_id=9001), SECRET, NOW).user_id == "9001"


def test_a_request_signed_by_hand_outside_python_is_read() -> None:
    # printf '{"algorithm":"HMAC-SHA256","issued_at":1793664000,"user_id":"9001"}' | base64url, then
    # openssl dgst -sha256 -hmac not-a-real-app-secret over that text.
    payload = (
        "eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc5MzY2NDAwMCwidXNlcl9pZCI6IjkwMDEifQ"
    )
    text = f"FzBe-InAQV0a7-CReBXoFIInkTit59UAiUrD-hvJGD0.{payload}"
    assert read_signed_request(text, SECRET, NOW).user_id == "9001"


def test_every_changed_character_is_noticed() -> None:
    good = signed()
    for at, character in enumerate(good):
        changed = good[:at] + ("A" if character != "A" else "B") + good[at + 1 :]
        if (
            base64.urlsafe_b64decode(changed.split(".")[0] + "==")[:32]
            == base64.urlsafe_b64decode(good.split(".")[0] + "==")[:32]
            and changed.split(".")[1:] == good.split(".")[1:]
        ):
            # Reason: the last character of base64 holds unused bits, which change nothing.
            continue
        with pytest.raises(ForgedRequestError):
            read_signed_request(changed, SECRET, NOW)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a", "a.b", "..", "é.é", "!!!.???", "a" * 9000, signed() + ".x", " " + signed(),
     signed() + "=", signed().split(".")[1], "." + signed().split(".")[1],
     f"{sign('bm90IGpzb24')}.bm90IGpzb24", f"{sign(encode(b'[1]'))}.{encode(b'[1]')}"],
)  # fmt: skip
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ForgedRequestError):
        read_signed_request(text, SECRET, NOW)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"secret": "another-secret"}, "signature is wrong"),
        ({"algorithm": "none"}, "algorithm"), ({"algorithm": "HMAC-SHA1"}, "algorithm"),
        ({"algorithm": None}, "algorithm"),
        ({"issued_at": 1793664000 - 3600}, "not made just now"),
        ({"issued_at": 1793664000 + 400}, "not made just now"),
        ({"issued_at": None}, "when it was made"), ({"issued_at": "1793664000"}, "when it was"),
        ({"issued_at": True}, "when it was made"), ({"issued_at": 1e30}, "when it was made"),
        ({"user_id": None}, "names no user"), ({"user_id": "9001 OR 1=1"}, "names no user"),
        ({"user_id": ""}, "names no user"), ({"user_id": ["9001"]}, "names no user"),
        ({"user_id": "9" * 41}, "names no user"),
    ],
)  # fmt: skip
def test_what_is_signed_wrongly_old_or_nameless_is_refused(
    changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(ForgedRequestError, match=why):
        read_signed_request(signed(**changed), SECRET, NOW)


def test_an_empty_secret_believes_nobody() -> None:
    with pytest.raises(ValueError, match="empty app secret"):
        read_signed_request(signed(secret=""), "", NOW)
