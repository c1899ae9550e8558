"""`adlab webhooks …` from the command line, with a receiver in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.conftest import TOKEN, Simulator

from adlab.local import free_port

SECRET = "simulated-app-secret"


@pytest.fixture
def shop(
    run: Callable[..., int], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A connected account; gives the address a receiver shall have."""
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ADLAB_META__BASE_URL", simulator.url)
    monkeypatch.setenv("ADLAB_META__APP_ID", "555")
    monkeypatch.setenv("ADLAB_META__APP_SECRET", SECRET)
    monkeypatch.setenv("ADLAB_WEB__PUBLIC_URL", address)
    simulator.control("POST", "/__config", {"webhook_auto": False})
    assert run("client", "add", "Berlin", "--slug", "berlin") == 0
    connect = ("account", "connect", "act_1001", "--client", "berlin", "--token-env", "TEST_TOKEN")
    assert run(*connect) == 0
    yield address
    simulator.control("POST", "/__reset")
    simulator.control("POST", "/__config", {"webhook_auto": True})


@pytest.fixture
def served(shop: str) -> Iterator[subprocess.Popen[str]]:
    """`adlab webhooks serve` as a person starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "webhooks", "serve", "--port", shop.rsplit(":", 1)[1]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    killer = threading.Timer(60, process.kill)
    killer.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    killer.cancel()
    assert line == f"adlab webhooks: {shop}/meta/webhooks\n", process.stderr
    yield process
    process.send_signal(signal.SIGINT)
    process.wait(30)


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_from_subscription_to_what_followed(
    run: Callable[..., int], shop: str, served: subprocess.Popen[str], simulator: Simulator,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    capsys.readouterr()
    assert run("webhooks", "status", "--json") == 0
    before = document(capsys)
    assert (before["app"], before["accounts"][0]["state"]) == ("missing", "missing")
    assert run("webhooks", "subscribe", "--client", "berlin", "--json") == 0
    assert document(capsys)["complete"] is True
    # The simulator's clock stands; the receiver's does not.
    now = httpx.get(f"{simulator.url}/__clock").json()
    assert now
    simulator.control("POST", "/__clock", {"now": _now()})
    for signature in ("good", "bad"):
        emit = {"emit": "creative_fatigue", "account": "1001", "signature": signature}
        assert simulator.control("POST", "/__webhooks", emit) == {"queued": 1}
    simulator.control("POST", "/__webhooks", {"pump": True})
    from adlab import runtime
    from adlab.services.inbox import process

    wired = runtime.build()
    assert process(wired.ingest).done == 1
    wired.close()
    assert run("webhooks", "events", "--client", "berlin", "--json") == 0
    [event] = document(capsys)
    assert (event["topic"], event["state"], event["outcome"]["level"]) == (
        "creative_fatigue", "done", "LOW",
    )  # fmt: skip
    assert run("webhooks", "events", "--state", "done") == 0
    assert "creative_fatigue LOW" in capsys.readouterr().out
    served.send_signal(signal.SIGINT)
    assert served.wait(30) in (0, 1)
    assert run("webhooks", "status", "--local", "--json") == 0
    told = document(capsys)
    assert [(t["topic"], t["kept"], t["done"]) for t in told["topics"]] == [
        ("creative_fatigue", 1, 1)
    ]
    assert told["refused"][0]["reason"] == "wrong_signature"
    assert run("webhooks", "unsubscribe", "act_1001") == 0


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into the process's environment")
def test_the_process_in_the_internet_holds_no_key_and_no_owners_login(
    shop: str, served: subprocess.Popen[str]
) -> None:
    [receiver] = [
        c for c in psutil.Process(served.pid).children() if "adlab.web.hooks" in c.cmdline()
    ]
    held = receiver.environ()
    assert "ADLAB_SECRET_KEY" not in held
    assert TOKEN not in held.values() or "TEST_TOKEN" in held
    assert re.match(r"postgresql://wh_", held["ADLAB_DATABASE__URL"])
    assert {n for n in held if n.startswith("ADLAB_")} - {"ADLAB_LOG_LEVEL"} == {
        "ADLAB_DATABASE__URL", "ADLAB_HOOKS_APP_SECRET", "ADLAB_HOOKS_VERIFY_TOKENS",
    }  # fmt: skip
    assert not any(SECRET in part for part in receiver.cmdline())


def test_commands_say_what_is_missing(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("webhooks", "serve", "--port", str(free_port())) == 1
    assert "ADLAB_META__APP_SECRET" in capsys.readouterr().err
    assert run("webhooks", "status") == 1
    assert "ADLAB_META__APP_ID" in capsys.readouterr().err
    assert run("webhooks", "events", "--state", "odd") == 2
    assert "--state" in capsys.readouterr().err
    assert run("webhooks", "status", "--local") == 0
    monkeypatch.setenv("ADLAB_META__VERIFY_TOKEN", "short")
    assert run("webhooks", "status", "--local") == 1
    assert "ADLAB_META__VERIFY_TOKEN" in capsys.readouterr().err


def test_the_verify_token_follows_from_the_key_unless_it_is_set(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("webhooks", "status", "--verify-token") == 0
    derived = capsys.readouterr().out.strip()
    assert re.fullmatch("[0-9a-f]{64}", derived)
    monkeypatch.setenv("ADLAB_META__VERIFY_TOKEN", "chosen-by-somebody-here")
    assert run("webhooks", "status", "--verify-token") == 0
    assert capsys.readouterr().out.strip() == "chosen-by-somebody-here"
