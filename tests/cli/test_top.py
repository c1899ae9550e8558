"""The command line as a whole: help, exit codes, and nothing secret on any way out."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import typer

from adlab.cli import app, output, run

from .conftest import Adlab

EAA = "EAA" + "BsbCS1iHgBO7ZAZCtoken0123456789"


def _commands(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found += _commands(command, (*before, name)) if inner else [(*before, name)]  # type: ignore[arg-type]
    return found


COMMANDS = _commands(typer.main.get_command(app))  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_every_command_has_help(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Usage: adlab")
    assert "--help" in told


def test_the_version_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    import adlab

    assert run(["--version"]) == 0
    assert capsys.readouterr() == (f"{adlab.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["client", "remove"], "No such command 'remove'"),
        (["client", "add"], "Missing argument"),
        (["client", "add", "Acme"], "Missing option '--slug'"),
        (["client", "list", "--colour"], "No such option: --colour"),
        (["client", "list", "extra"], "unexpected extra argument"),
        (["account", "connect", "act_1"], "Missing option '--client'"),
        (["user", "credential", "ann", "--hours", "many"], "Invalid value for '--hours'"),
        (["user", "credential", "ann", "--hours", "0"], "Invalid value for '--hours'"),
        (["user", "credential", "ann", "--hours", "721"], "Invalid value for '--hours'"),
    ],
)
def test_misuse_is_code_2_with_a_hint_where_to_look(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("adlab: ")
    assert told in err
    assert "--help)" in err


@pytest.mark.parametrize("arguments", [[], ["client"], ["account"], ["user"]])
def test_a_noun_alone_shows_its_help_and_is_misuse(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert "Usage: adlab" in "".join(capsys.readouterr())


def test_a_wrong_setting_is_code_1_named_and_not_repeated(
    adlab: Adlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_DATABASE__URL", "mysql://u:hunter2@h/db")
    done = adlab("client", "list")
    assert (done.code, done.out) == (1, "")
    assert "ADLAB_DATABASE__URL is wrong" in done.err
    assert "hunter2" not in done.err


def test_a_store_that_is_not_there_is_code_1_without_its_password(
    adlab: Adlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_DATABASE__URL", "postgresql://u:hunter2@127.0.0.1:1/db")
    done = adlab("client", "list", "--json")
    assert (done.code, done.out) == (1, "")
    assert "cannot be reached" in done.err
    assert "hunter2" not in done.err


def test_a_persons_login_may_not_manage(adlab: Adlab, monkeypatch: pytest.MonkeyPatch) -> None:
    adlab("user", "add", "ann", "--role", "analyst")
    monkeypatch.setenv("ADLAB_DATABASE__URL", adlab("user", "credential", "ann").out.strip())
    done = adlab("client", "list")
    assert done.code == 1
    assert "This database login is a person's" in done.err


def test_a_home_that_cannot_be_used_is_told_without_what_its_name_holds(
    adlab: Adlab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file where a folder should be, its name holding what must not be printed."""
    blocked = tmp_path / f"access_token={EAA}"
    blocked.write_text("")
    monkeypatch.setenv("ADLAB_HOME", str(blocked / "home"))
    monkeypatch.delenv("ADLAB_DATABASE__URL")
    monkeypatch.delenv("ADLAB_REDIS__URL", raising=False)
    done = adlab("client", "list")
    assert (done.code, done.out) == (1, "")
    assert "Unexpected" not in done.err
    assert "Set ADLAB_HOME" in done.err
    assert EAA not in done.err


def test_a_problem_is_redacted_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    logging.getLogger("adlab").setLevel("DEBUG")
    try:
        raise RuntimeError(f"Bearer {EAA} at redis://:hunter2@h and 555|app-secret-here")
    except RuntimeError as error:
        output.problem(str(error), error)
    finally:
        logging.getLogger("adlab").setLevel("WARNING")
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert not [s for s in (EAA, "hunter2", "app-secret-here") if s in told]


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred", "\x1b]0;title\x07", "a\x00b", "a\rb", "\x9b31m", "abc\u202ecba", "\u2066x"],
)
def test_no_text_steers_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.data(text)
    output.say(text)
    output.rows([{"name": text}], ["name"], False)
    out, err = capsys.readouterr()
    assert not [c for c in out + err if c != "\n" and (c < " " or c in "\x7f\x9b\u202e\u2066")]


def test_json_says_what_is_unknown_and_keeps_types(capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, date, datetime

    output.document({"a": float("nan"), "b": date(2026, 11, 3), "c": datetime(2026, 1, 1, tzinfo=UTC),
                     "d": (1, None), "e": True, "f": "ü"})  # fmt: skip
    assert capsys.readouterr().out == (
        '{\n  "a": null,\n  "b": "2026-11-03",\n  "c": "2026-01-01T00:00:00+00:00",\n'
        '  "d": [\n    1,\n    null\n  ],\n  "e": true,\n  "f": "\\u00fc"\n}\n'
    )


def test_tables_show_numbers_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"n": 1234567, "x": 0.5, "ok": True, "none": None, "list": ["a", "b"]}
    output.rows([record], list(record), False)
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split() == ["1,234,567", "0.50", "yes", "–", "a,", "b"]
