"""Webhooks come in at the house's one address, through the proxy, to a process of their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx
import psutil

from adlab.meta.signatures import PATH
from adlab.storage.engine import transaction
from adlab.storage.inbox import list_updates
from tests.web.receiver import escaped, message, signed

from .conftest import APP_SECRET, KEY, Running


def test_meta_reaches_the_receiver_at_the_public_address(running: Running) -> None:
    value = {"adgroup_id": "1401", "creative_fatigue_level": "HIGH", "text": "über/unter"}
    raw = escaped(message(("creative_fatigue", value), at=datetime.now(UTC)))
    address = f"{running.url}{PATH}"
    assert httpx.post(address, content=raw).status_code == 403
    assert httpx.post(address, content=raw, headers=signed(raw, "other")).status_code == 403
    assert httpx.post(address, content=raw, headers=signed(raw, APP_SECRET)).status_code == 200
    with transaction(running.engine) as connection:
        assert [u["value"] for u in list_updates(connection)] == [value]


def test_the_receiver_holds_no_key_and_comes_back_when_it_is_killed(running: Running) -> None:
    [child] = [c for c in running.parts.children if c.name == "webhooks"]
    held = psutil.Process(child.pid).environ()
    assert not any(KEY in text for text in held.values())
    assert "://wh_" in held["ADLAB_DATABASE__URL"]
    child.process.kill()
    query = {"hub.mode": "subscribe", "hub.challenge": "77",
             "hub.verify_token": held["ADLAB_HOOKS_VERIFY_TOKENS"]}  # fmt: skip
    until = time.monotonic() + 30
    while True:
        answer = httpx.get(f"{running.url}{PATH}", params=query, timeout=20)
        if answer.text == "77":
            return
        assert time.monotonic() < until, answer.text
