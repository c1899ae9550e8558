"""Master keys change without a token lost: rotation, interruption, retirement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adlab.core.errors import ConflictError, SettingsError
from adlab.services.keys import (
    KeyUse,
    export_keys,
    import_keys,
    list_keys,
    reseal,
    retire,
    rotate,
)
from adlab.storage.access import hash_token
from adlab.storage.client_keys import KeyRegister, load_key
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import ClientKeys, Vault, add_local_key, drop_local_keys, key_id, local_keys

from .login_at_meta import NOW

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


class Ring:
    """Two clients' tokens and one of a login under way, and a ring in a folder."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine, self.home = engine, home
        local_keys(home)
        self.vault = self.fresh()
        with transaction(engine) as c:
            self.acme = store_client(c, "Acme", "acme").client_id
            self.beta = store_client(c, "Beta", "beta").client_id
        with transaction(engine) as c:
            insert = text(
                "INSERT INTO sec.connection (client_id, token_sealed) VALUES (:client, :sealed)"
            )
            for client, token in ((self.acme, "tok-acme"), (self.beta, "tok-beta")):
                c.execute(insert, {"client": client, "sealed": self.vault.seal(token, client)})
            person = c.scalar(text("SELECT min(person_id) FROM sec.person"))
            c.execute(
                text(
                    "INSERT INTO sec.connect_attempt (state_hash, browser_hash, client_id,"
                    " person_id, write, redirect_uri, created_at, expires_at, token_sealed)"
                    " VALUES (:h, :h, :client, :person, false, 'x', :now, :now, :sealed)"
                ),
                {"h": hash_token("s"), "client": self.beta, "person": person, "now": NOW,
                 "sealed": self.vault.seal("tok-under-way", self.beta)},
            )  # fmt: skip

    def fresh(self) -> Vault:
        return Vault(*local_keys(self.home), reload=lambda: local_keys(self.home))

    def opened(self, vault: Vault) -> list[str]:
        with transaction(self.engine) as c:
            rows = c.execute(
                text(
                    "SELECT client_id, token_sealed FROM sec.connection UNION ALL"
                    " SELECT client_id, token_sealed FROM sec.connect_attempt"
                )
            ).all()
        return sorted(vault.open(bytes(r.token_sealed), r.client_id) for r in rows)

    def add(self) -> str:
        return add_local_key(self.home)

    def drop(self, names: Sequence[str]) -> None:
        drop_local_keys(self.home, names)


ALL = ["tok-acme", "tok-beta", "tok-under-way"]


@pytest.fixture
def ring(owner_engine: Engine, tmp_path: Path) -> Iterator[Ring]:
    yield Ring(owner_engine, tmp_path)


def test_a_rotation_makes_a_key_and_moves_every_token_to_it(ring: Ring) -> None:
    (old,) = ring.vault.key_ids
    done = rotate(ring.engine, ring.vault, ring.add)
    assert (done.is_new, done.tokens, done.lost, done.retirable) == (True, 3, 0, (old,))
    assert list_keys(ring.engine, ring.vault) == [
        KeyUse(done.newest, 3, True, True), KeyUse(old, 0, False, True),
    ]  # fmt: skip
    assert ring.opened(ring.fresh()) == ALL
    assert ring.opened(Vault(local_keys(ring.home)[0])) == ALL


def test_a_process_that_runs_on_opens_and_seals_through_a_rotation(ring: Ring) -> None:
    runs_on = ring.fresh()
    done = rotate(ring.engine, ring.fresh(), ring.add)
    assert ring.opened(runs_on) == ALL
    assert runs_on.key_of(runs_on.seal("later", ring.acme), ring.acme) == done.newest


def test_interrupted_after_the_key_was_made_nothing_is_lost_and_it_is_finished(
    ring: Ring,
) -> None:
    def dies() -> str:
        add_local_key(ring.home)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(ring.engine, ring.vault, dies)
    assert ring.opened(ring.fresh()) == ALL
    made = key_id(local_keys(ring.home)[0])
    done = rotate(ring.engine, ring.fresh(), ring.add)
    assert (done.newest, done.is_new, done.tokens) == (made, False, 3)
    assert len(local_keys(ring.home)) == 2
    assert ring.opened(Vault(local_keys(ring.home)[0])) == ALL


def test_a_key_in_use_is_not_retired(ring: Ring) -> None:
    ring.add()
    with pytest.raises(ConflictError, match="still seals 3 token"):
        retire(ring.engine, ring.vault, ring.drop)
    assert len(local_keys(ring.home)) == 2


def test_retiring_forgets_what_nothing_needs_and_keeps_the_newest(ring: Ring) -> None:
    (old,) = ring.vault.key_ids
    rotate(ring.engine, ring.vault, ring.add)
    assert retire(ring.engine, ring.vault, ring.drop) == (old,)
    assert len(local_keys(ring.home)) == 1
    assert ring.opened(ring.fresh()) == ALL
    assert retire(ring.engine, ring.vault, ring.drop) == ()


def test_keys_from_outside_move_to_the_first_of_the_list(ring: Ring) -> None:
    outside = local_keys(ring.home)[0]
    vault = Vault(NEW, outside)
    done = rotate(ring.engine, vault)
    assert (done.newest, done.is_new, done.tokens) == (key_id(NEW), False, 3)
    assert done.retirable == (key_id(outside),)
    assert ring.opened(Vault(NEW)) == ALL


def test_one_key_from_outside_cannot_rotate(ring: Ring) -> None:
    with pytest.raises(SettingsError, match="holds one key only"):
        rotate(ring.engine, Vault(*local_keys(ring.home)))


def test_a_token_of_a_key_that_is_gone_is_counted_and_left_alone(ring: Ring) -> None:
    vault = Vault(NEW, OLD)
    done = rotate(ring.engine, vault)
    assert (done.tokens, done.lost) == (0, 3)
    assert ring.opened(ring.fresh()) == ALL
    gone = key_id(local_keys(ring.home)[0])
    assert list_keys(ring.engine, vault)[-1] == KeyUse(gone, 3, False, False)


def test_two_rotations_at_once_leave_every_token_open(ring: Ring) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: rotate(ring.engine, ring.fresh(), ring.add), range(2)))
    assert ring.opened(Vault(local_keys(ring.home)[0])) == ALL


class Keyed(Ring):
    """The same, sealed with clients' keys; `plain` seals as releases before them did."""

    def fresh(self) -> Vault:
        return Vault(
            *local_keys(self.home), reload=lambda: local_keys(self.home),
            clients=ClientKeys(self.home / "keys", KeyRegister(lambda: self.engine)),
        )  # fmt: skip

    @property
    def plain(self) -> Vault:
        return Vault(*local_keys(self.home))

    @property
    def folder(self) -> ClientKeys:
        found = self.fresh().clients
        assert found is not None
        return found


@pytest.fixture
def keyed(owner_engine: Engine, tmp_path: Path) -> Keyed:
    return Keyed(owner_engine, tmp_path)


def test_a_rotation_wraps_clients_keys_and_every_token_opens(keyed: Keyed) -> None:
    (old,) = keyed.vault.key_ids
    done = rotate(keyed.engine, keyed.vault, keyed.add)
    assert (done.is_new, done.tokens, done.lost, done.retirable) == (True, 3, 0, (old,))
    assert retire(keyed.engine, keyed.vault, keyed.drop) == (old,)
    assert keyed.opened(keyed.fresh()) == ALL


def test_a_master_key_that_wraps_a_clients_key_is_not_retired(keyed: Keyed) -> None:
    keyed.add()
    with transaction(keyed.engine) as c:
        c.execute(text("DELETE FROM sec.connect_attempt"))
        c.execute(text("DELETE FROM sec.connection"))
    with pytest.raises(ConflictError, match="older key still wraps"):
        retire(keyed.engine, keyed.vault, keyed.drop)
    assert [(k.tokens, k.client_keys) for k in list_keys(keyed.engine, keyed.vault)] == [
        (0, 0), (0, 2),
    ]  # fmt: skip


def test_tokens_of_a_former_release_move_to_their_clients_keys(keyed: Keyed) -> None:
    with transaction(keyed.engine) as c:
        c.execute(
            text("UPDATE sec.connection SET token_sealed = :t WHERE client_id = :c"),
            {"t": keyed.plain.seal("tok-acme", keyed.acme), "c": keyed.acme},
        )
    assert reseal(keyed.engine, keyed.fresh()) == 1
    assert reseal(keyed.engine, keyed.fresh()) == 0
    assert keyed.opened(keyed.fresh()) == ALL
    with pytest.raises(SettingsError):
        keyed.opened(keyed.plain)


def test_keys_of_a_lost_disk_come_back_from_an_export(keyed: Keyed) -> None:
    written, count = export_keys(keyed.engine, keyed.vault)
    assert count == 2
    for file in (keyed.home / "keys").iterdir():
        file.unlink()
    with pytest.raises(SettingsError, match="adlab key import"):
        keyed.opened(keyed.fresh())
    assert import_keys(keyed.engine, keyed.fresh(), written) == (2, 0)
    assert keyed.opened(keyed.fresh()) == ALL


def test_a_client_restored_without_its_key_gets_no_second_one(keyed: Keyed) -> None:
    with transaction(keyed.engine) as c:
        name = load_key(c, keyed.acme).name
    keyed.folder.destroy(name)
    with pytest.raises(SettingsError, match="destroyed"):
        keyed.fresh().seal("new", keyed.acme)
    assert keyed.fresh().open(keyed.fresh().seal("new", keyed.beta), keyed.beta) == "new"
