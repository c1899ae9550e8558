"""Secrets that sing when they get out: made here, sent everywhere, looked for in every spelling."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

APP_ID = "555"

CANARIES = {
    "meta token": "sim-token-kanariegelb7Q",
    "odd token": "sim-token-kanarie+rot/7Q",
    "app secret": "ka9na8ri7e6ap5ps4ec3re2t1ka9na8r",
    "master key": "ca9a41e5" * 8,
    "password": "kanarie sings 4 & loud/7",
    "database password": "kanarie+db%pw7",
    "cache password": "kanarie+redis7",
    "person": "kanarie.person@example.com",
}


def spellings(secret: str) -> set[bytes]:
    """The ways a secret may stand in a text, a log, an address or a dump."""
    raw = secret.encode()
    ways = {
        secret, quote(secret), quote(secret, safe=""), quote_plus(secret), raw.hex(),
        raw.hex().upper(), json.dumps(secret)[1:-1], repr(secret)[1:-1], secret[::-1],
    }  # fmt: skip
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + raw).decode()
        # Reason: the first and last signs mix with what stands beside it.
        inner = coded[4 if lead else 0 : len(coded) - 4]
        ways |= {inner, inner.replace("+", "-").replace("/", "_")}
    with contextlib.suppress(ValueError):
        ways.add(bytes.fromhex(secret).decode("latin-1"))
    return {w.encode("latin-1") for w in ways if len(w) >= 8}


@dataclass
class Nest:
    """What was heard, and where what was sung may stand.

    Attributes:
        home: adlab's home of this test.
        simulator: Address of the Graph API.
        heard: Everything that came out, by where.
        links: One-time tokens that were made on the way.
    """

    home: Path
    simulator: str
    heard: dict[str, bytes] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """Variables of a command: the owner's, with secrets in them."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ADLAB_")}
        return kept | {
            "ADLAB_HOME": str(self.home), "ADLAB_LOG_LEVEL": "debug",
            "ADLAB_SECRET_KEY": CANARIES["master key"], "ADLAB_META__BASE_URL": self.simulator,
            "ADLAB_META__APP_ID": APP_ID, "ADLAB_META__APP_SECRET": CANARIES["app secret"],
        } | more  # fmt: skip

    def adlab(
        self, *arguments: str, keep: bool = True, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command; what it said is kept unless it is meant to print a secret."""
        done = subprocess.run(
            [sys.executable, "-m", "adlab.cli", *arguments], env=self.environment(**more),
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        self.heard[f"stderr of {' '.join(arguments)} {len(self.heard)}"] = done.stderr
        if keep:
            self.heard[f"stdout of {' '.join(arguments)} {len(self.heard)}"] = done.stdout
        return done

    def secrets(self) -> dict[str, str]:
        """Everything to look for."""
        return CANARIES | {f"link {n}": link for n, link in enumerate(self.links)}


def found_in(where: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which secret stands where; never the secret itself."""
    wanted = [(what, way) for what, secret in secrets.items() for way in spellings(secret)]
    return sorted({(what, place) for place, said in where.items() for what, way in wanted
                   if way in said})  # fmt: skip


_COUNT = itertools.count()


class _Parrot(BaseHTTPRequestHandler):
    """A Graph API that fails and repeats whatever it was given."""

    def _repeat(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        given = f"{self.path} {dict(self.headers)} {self.rfile.read(length).decode('latin-1')}"
        shapes = (
            (400, "application/json", json.dumps({"error": {
                "message": f"Error validating access token: {given}", "type": "OAuthException",
                "code": 190, "error_user_msg": given, "fbtrace_id": "A1"}})),
            (500, "text/html", f"<html><body>Oops {given}</body></html>"),
            (200, "application/json", f'{{"data": [ {given}'),
            (400, "application/json", json.dumps({"error": {
                "message": given, "type": given, "code": 100, "error_data": given}})),
        )  # fmt: skip
        status, kind, body = shapes[next(_COUNT) % len(shapes)]
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_DELETE = _repeat

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def parrot() -> Iterator[str]:
    """Address of a Graph API whose errors repeat tokens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Parrot)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
