"""Tokens are the ingestion's alone: no reader, board or web login reaches what holds them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text
from tests.services.login_at_meta import NOW

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.roles import Role
from adlab.services.access import attach
from adlab.storage import access
from adlab.storage.clients import store_client
from adlab.storage.connections import Known
from adlab.storage.engine import BOARDS_ROLE, READER_ROLE, libpq_url, transaction
from adlab.vault import Vault

TABLES = ("connection", "connect_attempt", "connect_invite", "deletion_request")


@pytest.fixture
def logins(any_engine: Engine) -> Iterator[dict[str, str]]:
    """Logins of an analyst, an admin, and of the boards and the web process."""
    known = Known("555", "9001", "Dana", "USER", ("ads_read",), None, None)
    with transaction(any_engine) as c:
        client = store_client(c, "Acme", "acme").client_id
        info = AccountInfo(AccountId(1001), "Shop", "EUR", "Europe/Berlin", 1)
        attach(c, client, Vault(b"v" * 32).seal("tok-secret", client), known, [info], actor="Ada",
               now=NOW)  # fmt: skip
        for name, role in (("Ann", Role.ANALYST), ("Ada", Role.ADMIN)):
            access.store_person(c, name, role)
        access.grant(c, "Ann", "acme", Role.ANALYST)
        made = {n: access.create_credential(c, n) for n in ("Ann", "Ada")}
        made["boards"] = access.create_boards_login(c)
    yield {n: libpq_url(any_engine.url.set(username=u, password=p)) for n, (u, p) in made.items()}


@pytest.mark.parametrize("who", ["Ann", "Ada", "boards"])
@pytest.mark.parametrize("table", TABLES)
def test_nobody_who_reads_reaches_what_holds_tokens(
    logins: dict[str, str], who: str, table: str
) -> None:
    attacks = (
        "SELECT count(*) FROM sec.{}", "SELECT * FROM sec.{} FOR UPDATE", "TABLE sec.{}",
        "COPY sec.{} TO STDOUT", "TRUNCATE sec.{}", "DELETE FROM sec.{}",
        "CREATE TEMP VIEW mine AS SELECT * FROM sec.{}", "SELECT ctid FROM sec.{}",
    )  # fmt: skip
    with psycopg.connect(logins[who], autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        for attack in attacks:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(sql.SQL(attack).format(sql.Identifier(table)))


def test_no_role_but_the_owner_holds_any_right_on_them(
    any_engine: Engine, logins: dict[str, str]
) -> None:
    with transaction(any_engine) as c:
        roles = c.scalars(
            text(
                "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_'"
                " AND NOT pg_has_role(rolname, 'adlab_owner', 'MEMBER')"
            )
        ).all()
        assert {READER_ROLE, BOARDS_ROLE} <= set(roles)
        for role in roles:
            for table in TABLES:
                granted = c.scalar(
                    text("SELECT has_table_privilege(:r, :t, 'SELECT, INSERT, UPDATE, DELETE')"
                         " OR has_any_column_privilege(:r, :t, 'SELECT')"),
                    {"r": role, "t": f"sec.{table}"},
                )  # fmt: skip
                assert not granted, (role, table)


def test_what_people_see_of_a_connection_is_its_health(logins: dict[str, str]) -> None:
    with psycopg.connect(logins["Ann"]) as link:
        found = link.execute("SELECT * FROM api.connections")
        columns = {c.name for c in found.description or ()}
        rows = found.fetchall()
    assert len(rows) == 1
    assert columns == {
        "connection_id", "client_id", "token_type", "scopes", "expires_at", "status",
        "status_reason", "checked_at", "data_expires_at", "warning", "meta_user_name",
        "connected_by",
    }  # fmt: skip
    assert "tok-secret" not in str(rows)
