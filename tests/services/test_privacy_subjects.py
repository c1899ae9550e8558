"""One person's data: all of it for them, and gone when they ask; nobody else's touched."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.privacy import DATA_MAP
from adlab.core.roles import Role
from adlab.services.access import attach
from adlab.services.privacy_subjects import Subject, erase_subject, export_subject, find_subject
from adlab.storage.access import create_credential, disable, grant, store_person
from adlab.storage.clients import store_client
from adlab.storage.connections import Known
from adlab.storage.engine import transaction
from adlab.vault import Vault

from .login_at_meta import APP_ID, NOW

VAULT = Vault(b"v" * 32)
NAME = "Ann <b>Lee</b>"


class House:
    """A client, two people, two users at Meta, two customers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as c:
            self.client = store_client(c, "Acme", "acme").client_id
            for name, username in ((NAME, "ann"), ("Bob", "bob")):
                store_person(c, name, Role.ANALYST, username)
                grant(c, username, "acme", Role.ANALYST, actor=NAME)
            self.login, _ = create_credential(c, "ann")
            self.write(c, "INSERT INTO app.budget (client_id, since, until, currency,"
                       " amount_micro, set_by) VALUES (:c, '2026-01-01', '2026-01-31', 'EUR', 1,"
                       " :name)", name=NAME)  # fmt: skip
        for user, account in (("9001", 1001), ("9002", 1002)):
            known = Known(APP_ID, user, f"Name of {user}", "USER", ("ads_read",), None, None)
            info = AccountInfo(AccountId(account), "A", "EUR", "Europe/Berlin", 1)
            with transaction(engine) as c:
                attach(c, self.client, VAULT.seal(f"tok-{user}", self.client), known, [info],
                       actor=NAME, now=NOW)  # fmt: skip
                self.write(c, "INSERT INTO app.activity (client_id, account_id, digest,"
                           " happened_at, event_type, actor_id, actor_name, seen_at)"
                           " VALUES (:c, :a, :d, now(), 'x', :u, :n, now())",
                           a=account, u=user, d=b"d", n=f"Name of {user}")  # fmt: skip
                for kind in ("text", "number"):
                    value = {"who": {"id": user if kind == "text" else int(user)}}
                    self.write(c, "INSERT INTO app.webhook_event (received_at, sent_at,"
                               " account_id, client_id, field, value, digest, value_digest,"
                               " not_before) VALUES (now(), now(), :a, :c, 'f', :v, :d, :d,"
                               " now())", a=account, v=json.dumps(value),
                               d=f"{user}{kind}".encode())  # fmt: skip
        for number, email in enumerate(("eve@example.com", "mal@example.com")):
            hashed = hashlib.sha256(email.encode()).hexdigest()
            payload = json.dumps({"user_data": {"em": [hashed]}})
            with transaction(engine) as c:
                self.write(c, "INSERT INTO app.conversion_event (client_id, dataset_id,"
                           " event_name, event_id, event_time, expires_at, payload_sealed, state,"
                           " not_before, accepted_at) VALUES (:c, 5, 'Lead', :i, now(), now(),"
                           " :p, 'queued', now(), now())", i=str(number),
                           p=VAULT.seal(payload, self.client))  # fmt: skip

    def write(self, c: Any, sql: str, **binds: Any) -> None:
        c.execute(text(sql), {"c": self.client, **binds})

    def rows(self, sql: str) -> list[Any]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(sql))]

    def everything(self, without: tuple[str, ...] = ()) -> str:
        """Every row of every table as text."""
        tables = self.rows("SELECT schemaname || '.' || tablename FROM pg_tables"
                           " WHERE schemaname IN ('app', 'sec')")  # fmt: skip
        return "\n".join(
            str(self.rows(f"SELECT to_jsonb(t)::text FROM {name} t"))
            for (name,) in tables if name not in without
        )  # fmt: skip


@pytest.fixture
def house(owner_engine: Engine) -> House:
    return House(owner_engine)


def test_who_is_meant(house: House) -> None:
    assert find_subject(house.engine, "ann") == Subject("person", NAME)
    assert find_subject(house.engine, f" {NAME} ") == Subject("person", NAME)
    assert find_subject(house.engine, "9001") == Subject("meta_user", "9001")
    assert find_subject(house.engine, "Eve@Example.com") == Subject("email", "eve@example.com")


@pytest.mark.parametrize("given", ["nobody", "@", "a b@c", "' OR 1=1 --", "٣٤", "1" * 40])
def test_nobody_is_meant(house: House, given: str) -> None:
    with pytest.raises(UnknownObjectError, match="no person"):
        find_subject(house.engine, given)
    with pytest.raises(ValueError, match="name a person"):
        find_subject(house.engine, "  ")


def test_an_export_of_a_person_holds_what_names_them_and_no_secret(house: House) -> None:
    with transaction(house.engine) as c:
        house.write(c, "INSERT INTO sec.password (person_id, hash) SELECT person_id, 'argon2-hash'"
                    " FROM sec.person WHERE username = 'ann'")  # fmt: skip
    made = export_subject(house.engine, VAULT, "ann", NOW)
    assert made["kind"] == "person"
    assert {"sec.person", "sec.access", "sec.login", "sec.password", "sec.connection",
            "app.budget", "sec.audit"} <= set(made["held"])  # fmt: skip
    written = json.dumps(made)
    assert "argon2-hash" not in written
    assert "token_sealed" not in written.replace("sec.connection.token_sealed", "").replace(
        "sec.connect_attempt.token_sealed", "")  # fmt: skip
    assert made["purposes"]["sec.person.name"]["basis"]


def test_an_erased_person_stands_in_the_audit_log_only(house: House) -> None:
    planned = erase_subject(house.engine, VAULT, "ann", NOW, dry_run=True)
    assert planned.reference is None
    done = erase_subject(house.engine, VAULT, "ann", NOW)
    assert done.counts == planned.counts
    assert NAME not in house.everything(without=("sec.audit",))
    assert '"ann"' not in house.everything(without=("sec.audit",))
    assert house.rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{house.login}'") == []
    assert re.match(r"\d+ entries of the audit log name", done.kept[0])
    assert house.rows("SELECT username FROM sec.person WHERE username = 'bob'") == [("bob",)]
    ((told,),) = house.rows("SELECT details::text FROM sec.audit WHERE action = 'privacy.erase'")
    assert NAME not in told
    assert str(done.reference) in told
    with pytest.raises(UnknownObjectError):
        erase_subject(house.engine, VAULT, "ann", NOW)


def test_the_local_owner_is_not_erased(house: House) -> None:
    with pytest.raises(ConflictError, match="whoever runs adlab"):
        erase_subject(house.engine, VAULT, "local owner", NOW)


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_last_owner_who_can_log_in_is_not_erased(house: House, dry_run: bool) -> None:
    with transaction(house.engine) as c:
        store_person(c, "olga", Role.OWNER)
        disable(c, "local owner")
    with pytest.raises(ConflictError, match="the last owner who can log in"):
        erase_subject(house.engine, VAULT, "olga", NOW, dry_run=dry_run)
    with transaction(house.engine) as c:
        store_person(c, "otto", Role.OWNER)
    assert erase_subject(house.engine, VAULT, "olga", NOW, dry_run=dry_run).counts["sec.person"]


def test_a_user_at_meta_is_exported_and_then_nowhere(house: House) -> None:
    made = export_subject(house.engine, VAULT, "9001", NOW)
    assert {t: len(rows) for t, rows in made["held"].items()} == {
        "sec.connection": 1, "app.activity": 1, "app.webhook_event": 2,
    }  # fmt: skip
    planned = erase_subject(house.engine, VAULT, "9001", NOW, dry_run=True)
    done = erase_subject(house.engine, VAULT, "9001", NOW)
    assert done.counts == planned.counts == {
        "sec.connection": 1, "app.activity": 1, "app.webhook_event": 2,
    }  # fmt: skip
    left = house.everything()
    assert "9001" not in left
    assert "9002" in left
    assert "Name of 9002" in left
    assert house.rows("SELECT count(*) FROM app.account") == [(2,)]


def test_a_customer_is_found_by_the_hash_of_their_address(house: House) -> None:
    made = export_subject(house.engine, VAULT, "EVE@example.com", NOW)
    assert len(made["held"]["app.conversion_event"]) == 1
    done = erase_subject(house.engine, VAULT, "eve@example.com", NOW)
    assert done.counts == {"app.conversion_event": 1}
    assert house.rows("SELECT event_id, state, payload_sealed IS NULL FROM app.conversion_event"
                      " ORDER BY event_id") == [("0", "failed", True), ("1", "queued", False)]  # fmt: skip
    assert erase_subject(house.engine, VAULT, "eve@example.com", NOW).counts == {}


def test_an_event_in_a_senders_hand_is_left_to_it(house: House) -> None:
    with transaction(house.engine) as c:
        c.execute(text("UPDATE app.conversion_event SET lease = gen_random_uuid(),"
                       " lease_until = '2999-01-01'"))  # fmt: skip
    done = erase_subject(house.engine, VAULT, "eve@example.com", NOW)
    assert done.counts == {}
    assert "being sent" in done.kept[0]


def test_the_map_names_columns_that_exist_and_misses_none_that_names_people(house: House) -> None:
    there = {
        f"{s}.{t}.{c}"
        for s, t, c in house.rows(
            "SELECT n.nspname, t.relname, a.attname FROM pg_attribute a"
            " JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
            " WHERE n.nspname IN ('app', 'sec') AND t.relkind IN ('r', 'p') AND a.attnum > 0"
            " AND NOT a.attisdropped"
        )
    }
    named = {h.place for h in DATA_MAP}
    assert named <= there
    telling = re.compile(
        r"\.(actor(_name|_id)?|\w+_by|username|\w*e?mail|phone|\w*ip_address|user_agent"
        r"|meta_user\w*|user_hash|token_sealed|payload\w*|facts|person_name)$"
    )
    # Reason: a change that was replaced by another names no person.
    assert {p for p in there if telling.search(p)} - named == {"app.change_journal.replaced_by"}
