"""Tokens rest sealed: one key each, bound to their client, opened by the master key alone."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.errors import SettingsError
from adlab.vault import Vault, fingerprint, local_key

KEY = bytes(range(32))
TOKEN = "EAAsealedtoken0123456789"


@given(st.text(), st.integers(0, 2**31 - 1))
def test_what_is_sealed_opens_again(token: str, client_id: int) -> None:
    vault = Vault(KEY)
    assert vault.open(vault.seal(token, client_id), client_id) == token


def test_a_sealed_token_shows_nothing_and_never_looks_the_same_twice() -> None:
    vault = Vault(KEY)
    first, second = vault.seal(TOKEN, 1), vault.seal(TOKEN, 1)
    assert first != second
    assert TOKEN.encode() not in first
    assert vault.open(memoryview(first), 1) == TOKEN  # type: ignore[arg-type]


def test_a_token_copied_to_another_client_does_not_open() -> None:
    vault = Vault(KEY)
    with pytest.raises(SettingsError, match="cannot be opened with this ADLAB_SECRET_KEY"):
        vault.open(vault.seal(TOKEN, 1), 2)


def test_another_master_key_opens_nothing() -> None:
    with pytest.raises(SettingsError, match="connect the account again"):
        Vault(bytes(32)).open(Vault(KEY).seal(TOKEN, 1), 1)


def test_every_changed_byte_is_noticed() -> None:
    vault = Vault(KEY)
    sealed = vault.seal(TOKEN, 1)
    for at in range(len(sealed)):
        broken = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SettingsError):
            vault.open(broken, 1)


@pytest.mark.parametrize("size", [0, 5, 6, 18, 66, 78, 93])
def test_a_cut_token_does_not_open(size: int) -> None:
    vault = Vault(KEY)
    with pytest.raises(SettingsError):
        vault.open(vault.seal(TOKEN, 1)[:size], 1)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(bytes(size))


def test_a_vault_does_not_print_its_key() -> None:
    assert repr(Vault(KEY)) == "Vault(…)"


def test_derived_secrets_differ_by_purpose_and_stay_the_same() -> None:
    vault = Vault(KEY)
    assert vault.derive("cookies") == Vault(KEY).derive("cookies")
    assert len({vault.derive("cookies"), vault.derive("hub"), KEY.hex()}) == 3
    assert len(vault.derive("cookies")) == 64


def test_a_fingerprint_names_a_token_without_revealing_it() -> None:
    assert fingerprint(TOKEN) == fingerprint(TOKEN)
    assert len(fingerprint(TOKEN)) == 8
    assert fingerprint(TOKEN) not in TOKEN


def test_the_local_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    key = local_key(home)
    path = home / "secret.key"
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert local_key(home) == key
    assert [p.name for p in home.iterdir()] == ["secret.key"]


def test_many_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: local_key(tmp_path), range(64)))
    assert len(set(keys)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    local_key(tmp_path)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(SettingsError, match="can be read by others") as caught:
        local_key(tmp_path)
    assert f"chmod 600 {tmp_path / 'secret.key'}" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "not hex", "0f" * 31, "0f" * 33])
def test_a_file_that_is_no_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"is not a key\. Restore it from a backup"):
        local_key(tmp_path)
    assert path.read_text() == content


def test_a_key_may_end_with_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(KEY.hex() + "\n")
    path.chmod(0o600)
    assert local_key(tmp_path) == KEY
