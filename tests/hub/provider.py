"""A small OpenID provider: authorize, token, userinfo, discovery; PKCE and codes as the standard."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

CLIENT_ID, CLIENT_SECRET = "adlab-test", "provider-secret-of-the-test"


@dataclass
class Provider:
    """What it answers; tests change it between logins.

    Attributes:
        url: Its address, which is its name in tokens too.
        person: Claims of whoever logs in next, for userinfo and the identity token.
        token: Claims laid over those of the identity token alone.
        plain: Whether no identity token is sent.
        asked: Parameters of each visit to authorize.
    """

    url: str
    person: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    plain: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)


@contextmanager
def open_provider() -> Iterator[Provider]:
    """Serve on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    server.provider = provider  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Pages(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    @property
    def provider(self) -> Provider:
        return self.server.provider  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        place = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(place.query))
        if place.path == "/.well-known/openid-configuration":
            url = self.provider.url
            self._json({
                "issuer": url, "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token", "userinfo_endpoint": f"{url}/userinfo",
            })  # fmt: skip
        elif place.path == "/authorize":
            self.provider.asked.append(query)
            if query.get("client_id") != CLIENT_ID or query.get("code_challenge_method") != "S256":
                self._json({"error": "invalid_request"}, 400)
                return
            code = secrets.token_urlsafe(16)
            self.provider.codes[code] = query
            back = urllib.parse.urlencode({"code": code, "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{back}")
            self.end_headers()
        elif place.path == "/userinfo":
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            known = self.provider.given.get(token)
            self._json(known or {"error": "invalid_token"}, 200 if known else 401)
        else:
            self._json({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        given = dict(urllib.parse.parse_qsl(body))
        begun = self.provider.codes.pop(given.get("code", ""), None)
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        said = base64.b64decode(basic).decode() if basic else ""
        secret = said.partition(":")[2] or given.get("client_secret")
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if begun is None or secret != CLIENT_SECRET or proof != begun["code_challenge"]:
            self._json({"error": "invalid_grant"}, 400)
            return
        access = secrets.token_urlsafe(24)
        person = {"sub": "s-1", **self.provider.person}
        self.provider.given[access] = person
        claims = {"iss": self.provider.url, "aud": CLIENT_ID, "exp": time.time() + 300,
                  "iat": time.time(), **person, **self.provider.token}  # fmt: skip
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": 300}
        if not self.provider.plain:
            answer["id_token"] = jwt.encode(claims, "k" * 32, algorithm="HS256")
        self._json(answer)

    def _json(self, told: Any, status: int = 200) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
