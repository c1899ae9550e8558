"""Tokens rest sealed: one key each, bound to their client, opened by the ring of master keys."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adlab.core.errors import SettingsError
from adlab.vault import (
    Vault,
    add_local_key,
    drop_local_keys,
    fingerprint,
    key_id,
    local_keys,
    parse_ring,
)

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


@pytest.mark.parametrize("size", [0, 5, 6, 10, 22, 70, 82, 97])
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
    (key,) = local_keys(home)
    path = home / "secret.key"
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert local_keys(home) == (key,)
    assert [p.name for p in home.iterdir()] == ["secret.key"]


def test_many_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: local_keys(tmp_path), range(64)))
    assert len(set(keys)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    local_keys(tmp_path)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(SettingsError, match="can be read by others") as caught:
        local_keys(tmp_path)
    assert f"chmod 600 {tmp_path / 'secret.key'}" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "not hex", "0f" * 31, "0f" * 33])
def test_a_file_that_is_no_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"is not a key ring.*Restore it from a backup"):
        local_keys(tmp_path)
    assert path.read_text() == content


def test_a_key_may_end_with_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(KEY.hex() + "\n")
    path.chmod(0o600)
    assert local_keys(tmp_path) == (KEY,)


OLD_KEY = bytes(range(1, 33))
# Sealed by the first format, which named no key: KEY, client 1, TOKEN.
FIRST_FORMAT = bytes.fromhex(
    "61646c616231b59c42b1373052ce2ac640324bd0dc8a30d0cbf5af5df7c3d313b77d3861048dacefa00249ac3e"
    "f81a738c61c7fa4cebf7033cf8f4abe57ff4ffc9f195e7424c6746c9dd0fc10a8ae5c31d7e2ab4b8ba7735d120"
    "55ac852d9ac2e276fb45e3e432d251b67309d2258ab6571124d969c7"
)


def test_a_token_of_the_first_format_still_opens_and_can_be_wrapped_anew() -> None:
    assert Vault(KEY).open(FIRST_FORMAT, 1) == TOKEN
    ring = Vault(OLD_KEY, KEY)
    assert ring.key_of(FIRST_FORMAT, 1) == key_id(KEY)
    anew = ring.rewrap(FIRST_FORMAT, 1)
    assert ring.key_of(anew, 1) == key_id(OLD_KEY)
    assert Vault(OLD_KEY).open(anew, 1) == TOKEN
    with pytest.raises(SettingsError):
        Vault(OLD_KEY).open(FIRST_FORMAT, 1)


def test_the_newest_key_seals_and_every_key_of_the_ring_opens() -> None:
    before = Vault(OLD_KEY).seal(TOKEN, 1)
    ring = Vault(KEY, OLD_KEY)
    assert ring.open(before, 1) == TOKEN
    assert ring.key_of(before, 1) == key_id(OLD_KEY)
    assert ring.key_of(ring.seal(TOKEN, 1), 1) == key_id(KEY)


def test_wrapping_anew_leaves_the_tokens_own_text_and_its_client() -> None:
    before = Vault(OLD_KEY).seal(TOKEN, 1)
    after = Vault(KEY, OLD_KEY).rewrap(before, 1)
    assert before[70:] == after[70:]
    assert before[:70] != after[:70]
    assert Vault(KEY).open(after, 1) == TOKEN
    with pytest.raises(SettingsError):
        Vault(KEY, OLD_KEY).rewrap(before, 2)


def test_a_token_of_an_unknown_key_names_that_key() -> None:
    sealed = Vault(OLD_KEY).seal(TOKEN, 1)
    with pytest.raises(SettingsError, match=f"sealed with key {key_id(OLD_KEY)}"):
        Vault(KEY).open(sealed, 1)
    assert Vault(KEY).key_of(b"nonsense", 1) is None


def test_a_running_process_meets_a_key_made_meanwhile(tmp_path: Path) -> None:
    local_keys(tmp_path)
    runs_on = Vault(*local_keys(tmp_path), reload=lambda: local_keys(tmp_path))
    sealed = runs_on.seal(TOKEN, 1)
    newest = add_local_key(tmp_path)
    elsewhere = Vault(*local_keys(tmp_path))
    assert runs_on.open(elsewhere.rewrap(sealed, 1), 1) == TOKEN
    assert runs_on.key_of(runs_on.seal(TOKEN, 1), 1) == newest


def test_keys_are_added_in_front_and_dropped_by_name_but_never_the_first(tmp_path: Path) -> None:
    (first,) = local_keys(tmp_path)
    newest = add_local_key(tmp_path)
    assert [key_id(k) for k in local_keys(tmp_path)] == [newest, key_id(first)]
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    drop_local_keys(tmp_path, [newest])
    assert len(local_keys(tmp_path)) == 2
    drop_local_keys(tmp_path, [key_id(first)])
    assert [key_id(k) for k in local_keys(tmp_path)] == [newest]
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]


def test_a_keys_short_name_says_nothing_of_it() -> None:
    assert key_id(KEY) not in KEY.hex()
    assert len({key_id(bytes([n]) * 32) for n in range(50)}) == 50


@pytest.mark.parametrize(
    ("ring", "why"),
    [
        ("", "64 hex digits"), ("0f" * 32 + ",", "64 hex digits"), ("0f" * 31, "64 hex digits"),
        ("0f" * 32 + "," + "0f" * 32, "twice"), ("0f" * 32 + "," + "0F" * 32, "twice"),
    ],
)  # fmt: skip
def test_a_malformed_ring_is_refused_without_repeating_a_key(ring: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_ring(ring)
    assert "0f0f" not in str(caught.value).lower()


def test_a_ring_is_read_newest_first() -> None:
    assert parse_ring(f"{KEY.hex()}, {OLD_KEY.hex()}") == (KEY, OLD_KEY)


def test_derived_secrets_of_the_whole_ring_begin_with_the_newest_keys() -> None:
    both = Vault(KEY, OLD_KEY).derive_all("web session").split(",")
    assert both == [Vault(KEY).derive("web session"), Vault(OLD_KEY).derive("web session")]
