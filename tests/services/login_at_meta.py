"""Facebook's side of a login, scripted: codes, tokens, permissions, accounts, and its moods."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
APP_ID, SECRET = "555", "not-a-real-app-secret"
BACK = "https://reports.example/connect/callback"


@dataclass
class Token:
    """What Meta knows of a token."""

    user_id: str = "9001"
    kind: str = "USER"
    scopes: tuple[str, ...] = ("ads_read", "public_profile")
    declined: tuple[str, ...] = ()
    expires_at: datetime | None = NOW + timedelta(hours=2)
    data_until: datetime | None = NOW + timedelta(days=90)
    dead: tuple[int, str] | None = None


@dataclass
class FacebookDouble:
    """Answers like the Graph API; tests move `now`, tokens and moods."""

    now: datetime = NOW
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, tuple[str, Token]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    accounts: dict[str, str] = field(default_factory=lambda: {"1001": "Shop", "1002": "Outlet"})
    unlisted: bool = False
    unreachable: bool = False
    fails: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    issued: int = 0

    @property
    def transport(self) -> httpx.MockTransport:
        """For `MetaAccess`."""
        return httpx.MockTransport(self)

    def allow(self, dialog: str, token: Token | None = None, code: str = "code-1") -> str:
        """A person allows what the dialog at this address asks; the state it hands back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(dialog).query).items()}
        given = token or Token(scopes=(*asked["scope"].split(","), "public_profile"))
        self.codes[code] = (asked["redirect_uri"], given)
        return asked["state"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        if self.unreachable:
            raise httpx.ConnectError("no route")
        path = request.url.path.removeprefix("/v26.0/")
        given = dict(request.url.params)
        if path in self.fails:
            return _error(*self.fails[path])
        if path == "oauth/access_token":
            return self._issue(given)
        bearer = request.headers["authorization"].removeprefix("Bearer ")
        if path == "debug_token":
            return self._debug(bearer, given["input_token"])
        token = self.tokens.get(bearer)
        problem = self._problem(token)
        if token is None or problem is not None:
            return _error(190, problem[0] if problem else 467)
        proof = hmac.new(SECRET.encode(), bearer.encode(), hashlib.sha256).hexdigest()
        if given.get("appsecret_proof") != proof:
            return _error(100, None, "Invalid appsecret_proof provided in the API argument")
        return self._read(request.method, path, token)

    def _problem(self, token: Token | None) -> tuple[int, str] | None:
        if token is None:
            return 467, "The access token is malformed."
        if token.dead:
            return token.dead
        if token.expires_at is not None and token.expires_at <= self.now:
            return 463, "Session has expired."
        return None

    def _issue(self, given: dict[str, str]) -> httpx.Response:
        if given["client_id"] != APP_ID:
            return _error(101, None, "Error validating application.")
        if given["client_secret"] != SECRET:
            return _error(1, None, "Error validating client secret.")
        if given.get("grant_type") == "fb_exchange_token":
            former = self.tokens.get(given["fb_exchange_token"])
            problem = self._problem(former)
            if former is None or problem is not None:
                return _error(190, problem[0] if problem else 467)
            return self._give(former, timedelta(days=60))
        code = given["code"]
        if code in self.used:
            return _error(100, 36009)
        if code not in self.codes:
            return _error(100, 36007)
        address, token = self.codes[code]
        if address != given["redirect_uri"]:
            return _error(100, 36008)
        self.used.add(code)
        return self._give(token, timedelta(hours=2))

    def _give(self, like: Token, lasts: timedelta) -> httpx.Response:
        self.issued += 1
        text = f"issued-token-number-{self.issued}"
        self.tokens[text] = Token(**{**vars(like), "expires_at": self.now + lasts})
        body = {"access_token": text, "token_type": "bearer",
                "expires_in": int(lasts.total_seconds())}  # fmt: skip
        return httpx.Response(200, json=body)

    def _debug(self, asker: str, asked: str) -> httpx.Response:
        if asker not in (f"{APP_ID}|{SECRET}", asked):
            return _error(100, None, "You must provide an app access token")
        token = self.tokens.get(asked)
        problem = self._problem(token)
        if token is None or problem is not None:
            assert problem is not None
            error = {"code": 190, "subcode": problem[0], "message": problem[1]}
            return httpx.Response(200, json={"data": {"is_valid": False, "scopes": [],
                                                      "error": error}})  # fmt: skip
        data: dict[str, Any] = {
            "app_id": APP_ID, "type": token.kind, "is_valid": True, "user_id": token.user_id,
            "scopes": list(token.scopes),
            "expires_at": int(token.expires_at.timestamp()) if token.expires_at else 0,
            "data_access_expires_at": int(token.data_until.timestamp()) if token.data_until else 0,
        }  # fmt: skip
        return httpx.Response(200, json={"data": data})

    def _read(self, method: str, path: str, token: Token) -> httpx.Response:
        if path == "me":
            return httpx.Response(200, json={"id": token.user_id, "name": "Demo Buyer"})
        if path == "me/permissions" and method == "DELETE":
            self.revoked.append(token.user_id)
            return httpx.Response(200, json={"success": True})
        if path == "me/permissions":
            rows = [{"permission": s, "status": "granted"} for s in token.scopes]
            rows += [{"permission": s, "status": "declined"} for s in token.declined]
            return httpx.Response(200, json={"data": rows})
        if path == "me/adaccounts":
            if self.unlisted:
                return _error(1, None, "Please reduce the amount of data you're asking for")
            return httpx.Response(200, json={"data": [_account(*a) for a in self.accounts.items()]})
        number = path.removeprefix("act_")
        if number not in self.accounts:
            return _error(100, 33, "Unsupported get request.")
        return httpx.Response(200, json=_account(number, self.accounts[number]))


def _account(number: str, name: str) -> dict[str, Any]:
    return {
        "id": f"act_{number}", "account_id": number, "name": name, "currency": "EUR",
        "timezone_name": "Europe/Berlin", "account_status": 1,
    }  # fmt: skip


def _error(code: int, subcode: int | None, message: str = "Something is wrong.") -> httpx.Response:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    if subcode is not None:
        error["error_subcode"] = subcode
    return httpx.Response(400, content=json.dumps({"error": error}))
