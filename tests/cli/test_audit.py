"""`adlab audit …`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest


def _json(capsys: pytest.CaptureFixture[str]) -> object:
    return json.loads(capsys.readouterr().out)


def test_verify_says_fine_then_finds_the_tampered_row(
    run: Callable[..., int], database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("client", "add", "Acme", "--slug", "acme") == 0
    assert run("audit", "verify") == 0
    capsys.readouterr()
    assert run("audit", "verify", "--json") == 0
    told = _json(capsys)
    assert isinstance(told, dict)
    assert (told["ok"], told["problems"]) == (True, [])
    assert told["signatures"] >= 1
    with psycopg.connect(database_url) as c:
        c.execute("ALTER TABLE sec.audit DISABLE TRIGGER ALL")
        c.execute("UPDATE sec.audit SET details = '{}' WHERE action = 'client.add'")
        c.execute("ALTER TABLE sec.audit ENABLE TRIGGER ALL")
    assert run("audit", "verify") == 1
    assert "changed" in capsys.readouterr().err


def test_search_finds_by_client_and_action(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("client", "add", "Acme", "--slug", "acme") == 0
    assert run("client", "add", "Beta", "--slug", "beta") == 0
    capsys.readouterr()
    assert run("audit", "search", "--client", "beta", "--action", "client.", "--json") == 0
    found = _json(capsys)
    assert isinstance(found, list)
    assert [(e["action"], e["client"], e["actor"]) for e in found] == [
        ("client.add", "beta", "local owner")
    ]
    assert run("audit", "search", "--since", "1d", "--until", "2099-01-01", "--limit", "1") == 0
    assert "client.add" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--since", "yesterday"), "--since 'yesterday' is no day"),
        (("--until", "30d"), "--until '30d' is no day"),
        (("--client", "nobody"), "no client 'nobody'"),
    ],
)
def test_bad_filters_are_named(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert run("audit", "search", *options) != 0
    assert said in capsys.readouterr().err


def test_export_writes_once(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.jsonl"
    assert run("audit", "export", "--out", str(path)) == 0
    assert path.read_text().count("\n") >= 0
    assert run("audit", "export", "--out", str(path)) != 0
    assert "exists" in capsys.readouterr().err
