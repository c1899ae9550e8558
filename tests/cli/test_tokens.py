"""`adlab token`: made once, listed without the token, revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adlab.vault import Vault, parse_ring, signing_keys
from adlab.web.api.tokens import TokenSigner

Run = Callable[..., int]


@pytest.fixture
def people(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A client, a service that sees it, and a client's viewer."""
    assert run("client", "add", "Acme", "--slug", "acme-eu") == 0
    assert run("user", "add", "Nightly", "--role", "service") == 0
    assert run("user", "grant", "Nightly", "--client", "acme-eu", "--role", "service") == 0
    assert run("user", "add", "Vera", "--role", "client_viewer") == 0
    capsys.readouterr()


def test_a_token_is_printed_once_and_listed_without(
    run: Run, people: None, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run("token", "create", "Nightly", "--scope", "read,propose", "--client", "acme-eu",
               "--days", "30", "--label", "export")  # fmt: skip
    out, told = capsys.readouterr()
    assert made == 0
    assert len(out.split()) == 1
    signer = TokenSigner(signing_keys(Vault(*parse_ring("0f" * 32)).derive_all("web session")))
    claims = signer.read(out.strip(), datetime.now(UTC))
    assert claims.scopes == {"read", "propose"}
    assert claims.clients == ("acme-eu",)
    assert 29 < (claims.expires_at - datetime.now(UTC)).total_seconds() / 86400 < 30.01
    assert claims.jti in told
    assert run("token", "list", "--json") == 0
    listed = capsys.readouterr().out
    (row,) = json.loads(listed)
    assert (row["jti"], row["person"], row["label"], row["state"], row["clients"]) == (
        claims.jti, "Nightly", "export", "ok", ["acme-eu"]
    )  # fmt: skip
    assert row["last_used"] is None
    assert out.strip().rsplit(".", 1)[1] not in listed
    assert run("token", "revoke", claims.jti) == 0
    assert run("token", "revoke", claims.jti) == 1
    assert "There is no token" in capsys.readouterr().err
    assert run("token", "list", "--person", "Nightly", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("Vera",), 1, "does not use the REST API"),
        (("Nobody",), 1, "There is no person"),
        (("Nightly", "--scope", "everything"), 2, "scopes are read"),
        (("Nightly", "--client", "nowhere"), 1, "nowhere"),
        (("Nightly", "--days", "400"), 2, "366"),
        (("Nightly", "--label", ""), 2, "token's name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    run: Run, people: None, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
    code: int, words: str,
) -> None:  # fmt: skip
    assert run("token", "create", *arguments) == code
    out, told = capsys.readouterr()
    assert out == ""
    assert words in told
