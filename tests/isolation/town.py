"""A small town to attack: three clients, a person of each role, secrets, and rows everywhere.

Ann's client is `own`, the one she must never learn of is `foreign`. Every table that has a client
holds a row of the foreign one, also tables nobody has thought of here: they are filled from the
catalogs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.services.isolation_attacks import Place, Subject, World
from adlab.storage import access, isolation
from adlab.storage.clients import store_client
from adlab.storage.connections import Known, store_connection
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.insights import store_insights
from adlab.storage.isolation import TestPerson
from adlab.storage.objects import store_account, store_objects

TODAY = date(2026, 11, 10)
DAYS = (TODAY - timedelta(days=220), TODAY - timedelta(days=120), TODAY)
SEALED = bytes.fromhex("5ea1ed70c0ffee5ea1ed70c0ffee5ea1ed70c0ffee")


def place(client_id: int, word: str, number: int) -> Place:
    """What is telling of a client of the town."""
    account, campaign, spend = number * 1000 + 1, number * 1_000_000 + 7, number * 11 + 3
    return Place(
        client_id, word, f"{word.title()} Works", account, campaign, f"{word} autumn 1", spend,
        (word, f"{word.title()} Works", str(account)),
        (f"{word} autumn", str(spend), str(campaign)),
    )  # fmt: skip


@dataclass(frozen=True)
class Town:
    """What was built.

    Attributes:
        engine: The owner's engine.
        superuser: A superuser's URL of the same database.
        world: What attacks aim at.
        people: A person of each role, on the own client.
        other: An analyst of the foreign client.
        boards: URL of the boards' login.
    """

    engine: Engine
    superuser: str
    world: World
    people: dict[Role, TestPerson]
    other: TestPerson
    boards: str

    def url(self, person: TestPerson) -> str:
        """A person's own database URL."""
        address = self.engine.url.set(username=person.login, password=person.password)
        return libpq_url(address)

    def subject(self, role: Role, *, on_boards: bool = False) -> Subject:
        """The person of a role as an attacker."""
        person = self.people[role]
        return Subject(role.value, person.viewer if on_boards else person.login, on_boards)


def build(engine: Engine, superuser: str) -> Town:
    """Build it in an empty, migrated database."""
    own = build_client(engine, "marigold", 31_415)
    foreign = build_client(engine, "quillfeather", 77_077)
    build_client(engine, "pemberton", 52_525)
    with psycopg.connect(superuser, autocommit=True) as admin:
        _columnstore(admin)
        fill_every_table(admin, foreign)
        admin.execute("ANALYZE")
    with transaction(engine) as c:
        other = isolation.make_person(c, Role.ANALYST, foreign.slug)
        people = {role: isolation.make_person(c, role, own.slug) for role in Role}
        c.execute(
            text("INSERT INTO sec.password (person_id, hash) SELECT max(person_id), :h "
                 "FROM sec.person ON CONFLICT DO NOTHING"), {"h": "scrypt$c0ffee$5ea1edhash"},
        )  # fmt: skip
        access.create_login_link(c, other.name)
        user, password = access.create_boards_login(c)
        lists = {n: isolation.load_list(c, n) for n in isolation.LISTS}
    missing = Place(999_999, "nosuchclient", "Nosuch Works", 88_088_001, 88_088_000_007,
                    "nosuchclient autumn 1", 88_088)  # fmt: skip
    secrets = (*lists.pop("secrets"), SEALED.hex(), repr(SEALED)[2:20])
    world = World(own, foreign, missing, secrets, other_viewer=other.viewer,
                  other_login=other.login, **lists)  # fmt: skip
    boards = libpq_url(engine.url.set(username=user, password=password))
    return Town(engine, superuser, world, people, other, boards)


def build_client(engine: Engine, word: str, number: int) -> Place:
    """A client with an account, campaigns and facts."""
    with transaction(engine) as c:
        client = store_client(c, f"{word.title()} Works", word)
        here = place(client.client_id, word, number)
        known = Known("555", str(number), word, "USER", ("ads_read",), None, None)
        token = store_connection(
            c, client_id=client.client_id, token_sealed=SEALED, known=known, connected_by="Ada",
            asked_at=datetime.now(UTC),
        )  # fmt: skip
        info = AccountInfo(AccountId(here.account), here.name, "EUR", "Europe/Berlin", 1)
        store_account(c, info, client.client_id, connection_id=token)
        store_objects(
            c, client.client_id, here.account,
            [AdObject(Level.CAMPAIGN, here.object_id + n, f"{word} autumn {n % 2 + 1}", status="ACTIVE")
             for n in range(20)],
        )  # fmt: skip
        for day in DAYS:
            for level, one in ((Level.ACCOUNT, here.account), (Level.CAMPAIGN, here.object_id)):
                store_insights(
                    c, client_id=client.client_id, account_id=here.account, level=level,
                    period=DateRange(day, day), rows=[_row(day, one, here.spend)],
                )  # fmt: skip
    return here


def _row(day: date, object_id: int, spend: int) -> tuple[object, ...]:
    hot = [spend, 1000, 900, 50, 40, *([1] * 8), 2_000_000, 0, 0, 0]
    actions = json.dumps({"actions": [{"action_type": "purchase", "value": "7"}]}).encode()
    return (day.isoformat(), object_id, *hot, "7d_click", None, None, None, actions)


def _columnstore(admin: psycopg.Connection[Any]) -> None:
    """On TimescaleDB: compressed chunks, and a continuous aggregate, which adlab has none of."""
    found = admin.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    if not found:
        return
    admin.execute("SET ROLE adlab_owner")
    for (chunk,) in admin.execute(
        "SELECT show_chunks('app.insights_daily', older_than => DATE '2026-09-01')::text"
    ).fetchall():
        admin.execute(f"CALL convert_to_columnstore('{chunk}', if_not_columnstore => true)")  # type: ignore[call-overload]
    admin.execute(
        "CREATE MATERIALIZED VIEW app.month_sums WITH (timescaledb.continuous) AS SELECT "
        "time_bucket('30 days', date) AS month, client_id, account_id, sum(spend_micro) AS spend "
        "FROM app.insights_daily GROUP BY 1, 2, 3"
    )
    admin.execute("RESET ROLE")


_TYPES = {
    "jsonb": "{}", "json": "{}", "boolean": "true", "date": "2026-11-10", "uuid":
    "c0ffee00-0000-4000-8000-000000000000", "timestamp with time zone": "2026-11-10 12:00+00",
    "bytea": "\\x5ea1ed", "interval": "1 day", "name": "nobody",
}  # fmt: skip


def fill_every_table(admin: psycopg.Connection[Any], foreign: Place) -> None:
    """One row of the foreign client in every table that has clients and no row of it yet."""
    tables = admin.execute(
        "SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON "
        "n.oid = c.relnamespace WHERE n.nspname IN ('app', 'sec') AND c.relkind IN ('r', 'p') AND "
        "EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'client_id')"
    ).fetchall()
    for schema, name, oid in tables:
        table = sql.Identifier(schema, name)
        known = sql.SQL("SELECT 1 FROM {} WHERE client_id = %s LIMIT 1").format(table)
        if admin.execute(known, (foreign.client_id,)).fetchone():
            continue
        for (check,) in admin.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s AND contype = 'c'", (oid,)
        ).fetchall():
            admin.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, sql.Identifier(check))
            )
        values = _values(admin, oid, foreign)
        # Reason: this is about who sees the row, not about what it refers to.
        with admin.transaction():
            admin.execute("SET LOCAL session_replication_role = replica")
            admin.execute(
                sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                    table, sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(sql.Placeholder() * len(values)),
                ), list(values.values()),
            )  # fmt: skip


def _values(admin: psycopg.Connection[Any], oid: int, foreign: Place) -> dict[str, Any]:
    columns = admin.execute(
        "SELECT attname, format_type(atttypid, NULL), attnotnull FROM pg_attribute WHERE "
        "attrelid = %s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", (oid,),
    ).fetchall()  # fmt: skip
    given = {"client_id": foreign.client_id, "account_id": foreign.account,
             "object_id": foreign.object_id, "level": 2, "state": "queued"}  # fmt: skip
    values: dict[str, Any] = {}
    for name, kind, needed in columns:
        if name in given and kind != "jsonb":
            values[name] = str(given[name])
        elif name in given and kind == "jsonb":
            values[name] = json.dumps({"of": foreign.slug})
        elif needed:
            values[name] = (
                "{}" if kind.endswith("[]") else foreign.slug if kind == "text"
                else _TYPES.get(kind, "1")
            )  # fmt: skip
    return values
