"""A wrong variable stops the start: it names itself, the reason and an example, not its value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adlab.core.errors import SettingsError
from adlab.settings import EXAMPLES, Settings, load_settings

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours is set, and the folder holds no .env."""
    import os

    for name in [n for n in os.environ if n.startswith("ADLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


WRONG = [
    ("ADLAB_HOME", "relative/folder", "absolute path"),
    ("ADLAB_SECRET_KEY", SECRET, "64 hex digits"),
    ("ADLAB_SECRET_KEY", "g" * 64, "64 hex digits"),
    ("ADLAB_SECRET_KEY", "0f" * 31, "64 hex digits"),
    ("ADLAB_SECRET_KEY", "0f" * 32 + "\n", "64 hex digits"),
    ("ADLAB_LOG_LEVEL", "loud", "debug, info, warning or error"),
    ("ADLAB_DATABASE__URL", f"{SECRET}", "not a URL"),
    ("ADLAB_DATABASE__URL", f"mysql://u:{SECRET}@h/db", "adlab stores in PostgreSQL"),
    ("ADLAB_DATABASE__URL", f"postgresql://u:{SECRET}@h:port/db", "not a URL"),
    ("ADLAB_REDIS__URL", f"http://:{SECRET}@h", "begin with redis://"),
    ("ADLAB_REDIS__URL", f":{SECRET}@h", "begin with redis://"),
    ("ADLAB_REDIS__URL", f"redis://:{SECRET}\u2100@h", "not an address"),
    ("ADLAB_REDIS__URL", f"redis://:{SECRET}@[h", "not an address"),
    ("ADLAB_META__BASE_URL", "http://graph.facebook.com", "loopback only"),
    ("ADLAB_META__BASE_URL", "http://localhost.evil.example", "loopback only"),
    ("ADLAB_META__BASE_URL", "http://127.0.0.1@evil.example", "loopback only"),
    ("ADLAB_META__BASE_URL", "ftp://graph.facebook.com", "http(s) address"),
    ("ADLAB_META__BASE_URL", "graph.facebook.com", "http(s) address"),
    ("ADLAB_META__BASE_URL", "https://", "http(s) address"),
    ("ADLAB_META__BASE_URL", f"https://u:{SECRET}@graph.facebook.com", "credentials"),
    ("ADLAB_META__BASE_URL", f"https://graph.facebook.com?access_token={SECRET}", "a query"),
    ("ADLAB_META__BASE_URL", f"https://u:{SECRET}\u2100@h", "not an address"),
    ("ADLAB_META__API_VERSION", "26", "look like v26.0"),
    ("ADLAB_META__API_VERSION", "v26", "look like v26.0"),
    ("ADLAB_META__API_VERSION", "v24.0", "v25.0 or newer"),
    ("ADLAB_META__API_VERSION", "v19.0", "v25.0 or newer"),
    ("ADLAB_META__APP_ID", "my app", "digits only"),
    ("ADLAB_META__PAGE_SIZE", "0", "greater than or equal to 1"),
    ("ADLAB_META__PAGE_SIZE", "many", "valid integer"),
    ("ADLAB_META__CONCURRENCY", "33", "less than or equal to 32"),
    ("ADLAB_WEB__PORT", "70000", "less than or equal to 65535"),
    ("ADLAB_WEB__PORT", "0", "greater than or equal to 1"),
]


@pytest.mark.parametrize(("name", "value", "reason"), WRONG)
def test_a_wrong_variable_names_itself_the_reason_and_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    told = str(caught.value)
    assert told.startswith(f"{name} is wrong: ")
    assert reason in told
    assert f"Example: {EXAMPLES[name]}" in told
    assert SECRET not in f"{told} {caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize("group", ["DATABASE", "REDIS", "META", "WEB"])
def test_a_whole_group_set_to_something_else_is_named_too(
    monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    monkeypatch.setenv(f"ADLAB_{group}", f"postgresql://u:{SECRET}@h/db")
    with pytest.raises(SettingsError, match=f"ADLAB_{group} ") as caught:
        load_settings()
    assert f"ADLAB_{group}__" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_every_variable_has_an_example_that_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EXAMPLES.items():
        monkeypatch.setenv(name, "0f" * 32 if name == "ADLAB_SECRET_KEY" else value)
    assert load_settings().meta.api_version == "v26.0"


def test_nothing_set_is_the_demo_on_a_laptop() -> None:
    s = load_settings()
    assert (s.database.url, s.redis.url, s.secret_key) == (None, None, None)
    assert s.home.is_absolute()
    assert (s.meta.base_url, s.meta.api_version) == ("https://graph.facebook.com", "v26.0")
    assert (s.web.host, s.web.port) == ("127.0.0.1", 8600)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:8620", "http://127.0.0.1:8620"),
        ("http://localhost:8620/", "http://localhost:8620"),
        ("http://[::1]:8620", "http://[::1]:8620"),
        ("https://graph.example/", "https://graph.example"),
    ],
)
def test_plain_http_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, kept: str
) -> None:
    monkeypatch.setenv("ADLAB_META__BASE_URL", url)
    assert load_settings().meta.base_url == kept


@pytest.mark.parametrize("version", ["v25.0", "v26.0", "v27.1", "v100.0"])
def test_versions_from_the_floor_up_are_accepted(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("ADLAB_META__API_VERSION", version)
    assert load_settings().meta.api_version == version


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_each_kind_of_redis_address_is_accepted(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("ADLAB_REDIS__URL", f"{scheme}://:{SECRET}@host/0")
    assert load_settings().redis.url is not None


@pytest.mark.parametrize("driver", ["postgresql", "postgres", "postgresql+psycopg"])
def test_each_spelling_of_postgres_is_accepted(
    monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    monkeypatch.setenv("ADLAB_DATABASE__URL", f"{driver}://u:{SECRET}@h/db")
    assert load_settings().database.url is not None


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAB_DATABASE__URL", f"postgresql://u:{SECRET}@h/db")
    monkeypatch.setenv("ADLAB_REDIS__URL", f"redis://:{SECRET}@h")
    monkeypatch.setenv("ADLAB_META__APP_SECRET", SECRET)
    monkeypatch.setenv("ADLAB_SECRET_KEY", "ab" * 32)
    s = load_settings()
    assert SECRET not in f"{s!r} {s} {s.model_dump()} {s.model_dump_json()}"
    assert "abab" not in f"{s!r} {s} {s.model_dump_json()}"


def test_the_home_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAB_HOME", "~/adlab")
    assert load_settings().home == Path.home() / "adlab"


def test_the_log_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAB_LOG_LEVEL", "INFO")
    assert load_settings().log_level == "info"


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().log_level = "debug"  # type: ignore[misc]


def test_every_variable_is_described() -> None:
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {name: field})
        for one in inner.values():
            assert re.match(r".+\.$", one.description or ""), name


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADLAB_SECRET_KEY", "ADLAB_DATABASE__URL", "ADLAB_REDIS__URL", "ADLAB_WEB__PORT"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.secret_key is None
    assert settings.database.url is None
    assert settings.web.port == 8600
