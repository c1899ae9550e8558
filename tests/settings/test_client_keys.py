"""A key a client: what is sealed opens with it and with nothing else, and never after it is gone."""

from __future__ import annotations

import json
import stat
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adlab.core.errors import ConflictError, SettingsError
from adlab.vault import ClientKeys, Vault, key_id

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@dataclass
class Entry:
    name: str
    fingerprint: str | None = None


@dataclass
class Book:
    """Which key is whose, as the store keeps it."""

    entries: dict[int, Entry] = field(default_factory=dict)

    def find(self, client_id: int) -> Entry:
        return self.entries.setdefault(client_id, Entry(str(uuid.uuid4())))

    def note(self, client_id: int, fingerprint: str) -> None:
        self.entries[client_id].fingerprint = fingerprint


@pytest.fixture
def book() -> Book:
    return Book()


def vault(folder: Path, book: Book, *ring: bytes) -> Vault:
    return Vault(*(ring or (OLD,)), clients=ClientKeys(folder, book))


def test_what_is_sealed_for_a_client_opens_for_it_alone(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    sealed = v.seal("token ü", 1)
    assert v.open(sealed, 1) == "token ü"
    assert b"token" not in sealed
    with pytest.raises(SettingsError):
        v.open(sealed, 2)


def test_each_client_has_a_private_file_and_it_shows_no_key(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    v.seal("a", 1)
    v.seal("b", 2)
    files = sorted((tmp_path / "keys").iterdir())
    assert [f.name for f in files] == sorted(f"{e.name}.key" for e in book.entries.values())
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert v.clients is not None
    name, key = v.clients.of(1, (OLD,))
    assert key.hex() not in (tmp_path / "keys" / f"{name}.key").read_text()


def test_a_destroyed_key_shuts_that_client_for_ever_and_no_other(
    tmp_path: Path, book: Book
) -> None:
    v = vault(tmp_path / "keys", book)
    mine, others = v.seal("mine", 1), v.seal("others", 2)
    assert v.clients is not None
    copy = v.clients.export()
    assert v.clients.destroy(book.entries[1].name) is True
    assert v.clients.destroy(book.entries[1].name) is False
    with pytest.raises(SettingsError, match="destroyed"):
        v.open(mine, 1)
    with pytest.raises(SettingsError, match="destroyed"):
        v.seal("more", 1)
    assert v.open(others, 2) == "others"
    assert v.clients.take_in(copy) == (0, 1)
    with pytest.raises(SettingsError, match="destroyed"):
        v.open(mine, 1)


def test_the_master_key_alone_opens_nothing_and_neither_does_the_folder(
    tmp_path: Path, book: Book
) -> None:
    sealed = vault(tmp_path / "keys", book).seal("token", 1)
    for other in (
        Vault(OLD),
        vault(tmp_path / "elsewhere", book),
        vault(tmp_path / "keys", book, NEW),
    ):
        with pytest.raises(SettingsError):
            other.open(sealed, 1)


def test_a_key_that_is_missing_is_not_made_again(tmp_path: Path, book: Book) -> None:
    vault(tmp_path / "keys", book).seal("token", 1)
    with pytest.raises(SettingsError, match="ADLAB_KEYS_FOLDER"):
        vault(tmp_path / "another", book).seal("token", 1)


def test_two_processes_make_one_key(tmp_path: Path, book: Book) -> None:
    from concurrent.futures import ThreadPoolExecutor

    book.find(1)
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda n: vault(tmp_path / "keys", book).seal(str(n), 1), range(16)))
    assert [vault(tmp_path / "keys", book).open(s, 1) for s in sealed] == [
        str(n) for n in range(16)
    ]
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_what_older_formats_sealed_still_opens_and_moves_to_the_clients_key(
    tmp_path: Path, book: Book
) -> None:
    before = Vault(OLD).seal("token", 1)
    now = vault(tmp_path / "keys", book)
    assert now.open(before, 1) == "token"
    assert not now.is_newest(before)
    anew = now.rewrap(before, 1)
    assert now.is_newest(anew)
    assert now.open(anew, 1) == "token"
    assert now.rewrap(anew, 1) == anew
    with pytest.raises(SettingsError):
        Vault(OLD).open(anew, 1)


def test_a_new_master_key_wraps_clients_keys_and_leaves_what_is_sealed(
    tmp_path: Path, book: Book
) -> None:
    sealed = vault(tmp_path / "keys", book).seal("token", 1)
    both = vault(tmp_path / "keys", book, NEW, OLD)
    assert both.key_of(sealed, 1) == key_id(OLD)
    assert both.rewrap_clients() == (1, 0)
    assert both.key_of(sealed, 1) == key_id(NEW)
    assert vault(tmp_path / "keys", book, NEW).open(sealed, 1) == "token"
    assert both.rewrap_clients() == (0, 0)


def test_a_key_no_master_key_opens_is_counted_and_left(tmp_path: Path, book: Book) -> None:
    sealed = vault(tmp_path / "keys", book).seal("token", 1)
    assert vault(tmp_path / "keys", book, NEW).rewrap_clients() == (0, 1)
    assert vault(tmp_path / "keys", book).open(sealed, 1) == "token"


def test_a_lost_disk_is_survived_by_the_export(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    sealed = [v.seal(f"token {n}", n) for n in (1, 2)]
    assert v.clients is not None
    text = v.clients.export()
    fresh = vault(tmp_path / "new disk", book)
    assert fresh.clients is not None
    assert fresh.clients.take_in(text) == (2, 0)
    assert fresh.clients.take_in(text) == (0, 0)
    assert [fresh.open(s, n) for n, s in zip((1, 2), sealed, strict=True)] == ["token 1", "token 2"]
    gone = vault(tmp_path / "third", book)
    assert gone.clients is not None
    assert gone.clients.take_in(text, {book.entries[2].name}) == (1, 1)


def test_an_import_never_writes_over_another_key(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    v.seal("token", 1)
    assert v.clients is not None
    said = json.loads(v.clients.export())
    (name,) = said["keys"]
    master, _, body = said["keys"][name].split()
    said["keys"][name] = f"{master} {'0' * 16} {body}"
    with pytest.raises(ConflictError, match="Another key"):
        v.clients.take_in(json.dumps(said))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"adlab_client_keys": 2, "keys": {}, "destroyed": []}',
     '{"adlab_client_keys": 1, "keys": {"../../etc/x": "a"}, "destroyed": []}',
     '{"adlab_client_keys": 1, "keys": {"00000000-0000-0000-0000-000000000000": "a b c"},'
     ' "destroyed": []}'],
)  # fmt: skip
def test_what_is_no_export_is_refused(tmp_path: Path, book: Book, text: str) -> None:
    with pytest.raises(ValueError, match="not a file of adlab key export"):
        ClientKeys(tmp_path / "keys", book).take_in(text)


@pytest.mark.parametrize("content", ["", "x", "00000000 11 22", "00000000 1111111111111111 zz"])
def test_a_damaged_file_is_named_as_such(tmp_path: Path, book: Book, content: str) -> None:
    v = vault(tmp_path / "keys", book)
    sealed = v.seal("token", 1)
    (tmp_path / "keys" / f"{book.entries[1].name}.key").write_text(content)
    with pytest.raises(SettingsError, match="damaged"):
        v.open(sealed, 1)


def test_a_file_others_may_read_is_refused(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    sealed = v.seal("token", 1)
    (tmp_path / "keys" / f"{book.entries[1].name}.key").chmod(0o644)
    with pytest.raises(SettingsError, match="read by others"):
        v.open(sealed, 1)


def test_a_file_swapped_for_another_clients_is_refused(tmp_path: Path, book: Book) -> None:
    v = vault(tmp_path / "keys", book)
    sealed = v.seal("token", 1)
    v.seal("token", 2)
    one, two = (tmp_path / "keys" / f"{book.entries[n].name}.key" for n in (1, 2))
    one.write_text(two.read_text())
    with pytest.raises(SettingsError):
        v.open(sealed, 1)
    with pytest.raises(SettingsError):
        v.seal("more", 1)
