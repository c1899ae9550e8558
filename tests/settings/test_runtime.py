"""The wiring: what settings say decides which parts there are, and who may seal tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from adlab.core.errors import SettingsError
from adlab.runtime import Runtime
from adlab.settings import DatabaseSettings, MetaSettings, RedisSettings, Settings

EXTERNAL = DatabaseSettings(url=SecretStr("postgresql://u:hunter2@127.0.0.1:1/none"))


def settings(home: Path, **parts: object) -> Settings:
    return Settings(home=home, **parts)  # type: ignore[arg-type]


def test_an_external_database_without_a_key_cannot_seal_tokens(tmp_path: Path) -> None:
    runtime = Runtime(settings(tmp_path, database=EXTERNAL))
    with pytest.raises(SettingsError, match="ADLAB_SECRET_KEY is not set") as caught:
        _ = runtime.vault
    assert "secrets.token_hex(32)" in caught.value.remedy
    assert not (tmp_path / "secret.key").exists()


def test_ingestion_needs_the_key_before_it_touches_the_database(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ADLAB_SECRET_KEY"):
        _ = Runtime(settings(tmp_path, database=EXTERNAL)).ingest


def test_a_key_from_the_environment_is_the_same_wherever_the_data_are(tmp_path: Path) -> None:
    key = SecretStr("0f" * 32)
    first = Runtime(settings(tmp_path, database=EXTERNAL, secret_key=key)).vault
    second = Runtime(settings(tmp_path, secret_key=key)).vault
    assert second.derive("purpose") == first.derive("purpose")
    assert not (tmp_path / "secret.key").exists()


def test_embedded_data_get_a_key_of_their_own(tmp_path: Path) -> None:
    made = Runtime(settings(tmp_path)).vault.derive("purpose")
    assert Runtime(settings(tmp_path)).vault.derive("purpose") == made
    assert (tmp_path / "secret.key").exists()


def test_keys_of_clients_lie_in_the_data_folder_or_where_a_setting_says(tmp_path: Path) -> None:
    here = Runtime(settings(tmp_path)).vault.clients
    assert here is not None
    assert here.folder == tmp_path / "keys"
    there = Runtime(settings(tmp_path, keys_folder=tmp_path / "shared")).vault.clients
    assert there is not None
    assert there.folder == tmp_path / "shared"


def test_an_external_database_starts_no_server_and_needs_no_redis(tmp_path: Path) -> None:
    runtime = Runtime(settings(tmp_path, database=EXTERNAL))
    assert runtime.servers is None
    assert runtime.redis_url is None
    assert runtime.database_url == "postgresql://u:hunter2@127.0.0.1:1/none"
    assert list(tmp_path.iterdir()) == []


def test_redis_of_the_settings_is_used(tmp_path: Path) -> None:
    redis = RedisSettings(url=SecretStr("redis://:pw@h:6379/0"))
    runtime = Runtime(settings(tmp_path, database=EXTERNAL, redis=redis))
    assert runtime.redis_url == "redis://:pw@h:6379/0"


def test_meta_access_carries_app_and_version(tmp_path: Path) -> None:
    meta = MetaSettings(app_id="555", app_secret=SecretStr("shh"), api_version="v25.0")
    found = Runtime(settings(tmp_path, meta=meta, database=EXTERNAL)).meta
    assert (found.base_url, found.api_version) == ("https://graph.facebook.com", "v25.0")
    assert (found.app_id, found.app_secret) == ("555", "shh")


def test_on_another_graph_api_the_app_is_left_behind(tmp_path: Path) -> None:
    meta = MetaSettings(app_id="555", app_secret=SecretStr("shh"))
    key = SecretStr("0f" * 32)
    # Reason: a database elsewhere, or asking for the quota would start servers nobody stops.
    runtime = Runtime(settings(tmp_path, meta=meta, secret_key=key, database=EXTERNAL))
    vault = runtime.vault
    other = runtime.on_graph_api("http://127.0.0.1:8620")
    assert other.meta.base_url == "http://127.0.0.1:8620"
    assert (other.meta.app_id, other.meta.app_secret) == (None, None)
    assert other.vault is vault
    assert runtime.meta.app_id == "555"


def test_closing_what_was_never_opened_is_fine(tmp_path: Path) -> None:
    Runtime(settings(tmp_path)).close()
