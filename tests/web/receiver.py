"""A receiver of webhooks on a port of its own, in front of a test's database."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import uvicorn
from sqlalchemy import Engine

from adlab.local import free_port
from adlab.meta.signatures import PATH
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.inbox import create_hooks_login
from adlab.web.hooks import HooksConfig, Receiver
from adlab.web.hooks_store import EngineStore, Store

SECRET = "simulated-app-secret"
VERIFY = "verify-token-of-tests"
CONFIG = HooksConfig(SECRET, ("older-token-of-tests", VERIFY))


def hooks_url(engine: Engine) -> str:
    """The address of a fresh login of the receiver's kind."""
    with transaction(engine) as connection:
        login, password = create_hooks_login(connection)
    return libpq_url(engine.url.set(username=login, password=password))


def escaped(data: Any) -> bytes:
    r"""JSON as Meta writes it: ``\u00e4`` and ``\/``."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header Meta sends with a body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def message(
    *changes: tuple[str, Any], at: datetime, account: Any = "1001", **more: Any
) -> dict[str, Any]:
    """A message of one entry."""
    listed = [{"field": name, "value": value} for name, value in changes]
    entry = {"id": account, "time": int(at.timestamp()), "changes": listed}
    return {"object": "ad_account", "entry": [entry], **more}


@contextmanager
def running(store: Store, now: Callable[[], datetime], body_seconds: float = 10.0) -> Iterator[str]:
    """Serve; gives the address Meta would call."""
    port = free_port()
    app = Receiver(CONFIG, store, now, body_seconds).app()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the receiver did not start"
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{port}{PATH}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def receiving(engine: Engine, now: Callable[[], datetime]) -> Iterator[str]:
    """Serve in front of a database, with the login the receiver has in production."""
    with running(EngineStore(hooks_url(engine)), now) as url:
        yield url


def refusals(engine: Engine, day: datetime) -> Mapping[str, int]:
    """What was refused since a day."""
    from adlab.storage.inbox import load_refusals

    with transaction(engine) as connection:
        return {r["reason"]: r["refused"] for r in load_refusals(connection, day.date())}
