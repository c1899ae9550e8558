"""The demo agency: clients, people and connections over the simulator's ad accounts.

Everything goes through the same services as real work: accounts are connected with a checked token,
and data is read over HTTP. Nothing here knows what the simulator will answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Engine

from adlab.core.entities import AccountInfo
from adlab.core.errors import ConflictError
from adlab.core.periods import DateRange, months_back
from adlab.core.roles import Role
from adlab.meta.objects import fetch_accounts
from adlab.services.access import MetaAccess, connect_account
from adlab.services.ingest import SyncRequest
from adlab.storage import access, clients, passwords
from adlab.storage.engine import transaction
from adlab.storage.objects import load_accounts
from adlab.storage.statements import statement
from adlab.vault import Vault

HISTORY_MONTHS = 13
DETAIL_DAYS = 35
FIRST_DAYS = 62

_COLOURS = ("#2456E6", "#0F766E", "#B4531F", "#7C3AED", "#BE185D", "#15803D", "#0369A1", "#A16207")


@dataclass(frozen=True)
class DemoPerson:
    """Somebody who can look at the demo.

    Attributes:
        name: What people call them.
        username: What they log in with.
        role: Their role.
        clients: First and last (excluded) of the agency's clients they are granted.
    """

    name: str
    username: str
    role: Role
    clients: tuple[int, int] = (0, 0)


PEOPLE = (
    DemoPerson("Olivia (owner)", "olivia", Role.OWNER),
    DemoPerson("Ann (analyst)", "ann", Role.ANALYST, (0, 3)),
    DemoPerson("Ben (analyst)", "ben", Role.ANALYST, (2, 5)),
    DemoPerson("Carl (client viewer)", "carl", Role.CLIENT_VIEWER, (0, 1)),
)


@dataclass(frozen=True)
class DemoClient:
    """A client of the demo and its account."""

    slug: str
    name: str
    account: AccountInfo


def slug_of(name: str) -> str:
    """A slug from a name: `Nordlicht Möbel` becomes `nordlicht-m-bel`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "client"


def set_up(engine: Engine, vault: Vault, meta: MetaAccess, token: str) -> list[DemoClient]:
    """Create what is missing of the demo agency; may run again on an existing one.

    Raises:
        ConflictError: If this store holds accounts of somebody's real work.
        MetaError: If the simulator refuses.
    """
    graph = meta.client(token)
    try:
        accounts = sorted(fetch_accounts(graph), key=lambda a: a.account_id)
    finally:
        graph.close()
    with transaction(engine) as connection:
        held = {r["account_id"]: r["slug"] for r in load_accounts(connection)}
        foreign = sorted(set(held) - {int(a.account_id) for a in accounts})
        if foreign:
            raise ConflictError(
                f"This store holds real accounts (act_{foreign[0]} of {held[foreign[0]]!r}).",
                "Give the demo a folder of its own: ADLAB_HOME=/some/empty/folder adlab demo",
            )
        known = {c.slug for c in clients.load_clients(connection)}
    out = []
    for index, account in enumerate(accounts):
        name = account.name.removesuffix(account.currency).strip(" –-") or account.name
        slug = held.get(int(account.account_id)) or slug_of(name)
        if slug not in known:
            with transaction(engine) as connection:
                clients.store_client(
                    connection, name, slug, account.currency, account.timezone,
                    {"color": _COLOURS[index % len(_COLOURS)], "demo": True},
                )  # fmt: skip
        if int(account.account_id) not in held:
            connect_account(engine, vault, meta, f"act_{account.account_id}", slug, token)
        out.append(DemoClient(slug, name, account))
    _people(engine, [c.slug for c in out])
    return out


def _people(engine: Engine, slugs: Sequence[str]) -> None:
    with transaction(engine) as connection:
        known = {r.name for r in connection.execute(statement("person_list"))}
        for person in PEOPLE:
            if person.name in known:
                continue
            access.store_person(connection, person.name, person.role, person.username)
            for slug in slugs[slice(*person.clients)]:
                access.grant(connection, person.name, slug, person.role, reason="demo")


def login_links(engine: Engine) -> list[tuple[str, str]]:
    """A fresh one-time token for each person of the demo: name, token."""
    with transaction(engine) as connection:
        return [(p.name, access.create_login_link(connection, p.name)) for p in PEOPLE]


def set_passwords(engine: Engine, password: str) -> None:
    """Give everybody of the demo the same password, for this run."""
    with transaction(engine) as connection:
        for person in PEOPLE:
            passwords.set_password(connection, person.name, password)


def reported_clients(known: Sequence[DemoClient]) -> list[str]:
    """Whose last month the demo renders: the clients of the first analyst and of the viewer."""
    granted = {c.slug for p in PEOPLE for c in known[slice(*p.clients)]}
    return [c.slug for c in known if c.slug in granted]


def first_look(today: date) -> SyncRequest:
    """What the first page needs: the default range and the one it is compared with."""
    return SyncRequest(since=today - timedelta(days=FIRST_DAYS - 1), levels=("account", "campaign"))


def history(today: date) -> tuple[tuple[str, SyncRequest], ...]:
    """The rest, newest first: detail of the last weeks, then 13 months of accounts and campaigns.

    Args:
        today: The earliest current day of any account.
    """
    start = months_back(today, HISTORY_MONTHS)
    older = DateRange(start, today - timedelta(days=FIRST_DAYS))
    return (
        (
            "ad sets and ads, 35 days",
            SyncRequest(since=today - timedelta(days=DETAIL_DAYS - 1), levels=("adset", "ad")),
        ),
        (
            "13 months of history",
            SyncRequest(
                since=older.since, until=older.until, levels=("account", "campaign"),
                with_objects=False,
            ),
        ),
    )  # fmt: skip


def freshen(today: date) -> SyncRequest:
    """What a running demo reads again: yesterday and today."""
    return SyncRequest(
        since=today - timedelta(days=1), levels=("account", "campaign"), with_objects=False
    )


def is_loaded(engine: Engine, today: date) -> bool:
    """Whether the first page can be shown without waiting for Meta."""
    with transaction(engine) as connection:
        newest = connection.scalar(statement("demo_newest_day"))
    return newest is not None and newest >= today - timedelta(days=FIRST_DAYS)


def has_history(engine: Engine, today: date) -> bool:
    """Whether all of `history` was loaded before; an interrupted demo goes on with the rest."""
    start = months_back(today, HISTORY_MONTHS)
    with transaction(engine) as connection:
        return bool(connection.scalar(statement("demo_unfinished"), {"start": start}) == 0)


def summary(engine: Engine) -> list[dict[str, object]]:
    """Per account: client, rows, days and spend in its currency."""
    with transaction(engine) as connection:
        return [dict(r) for r in connection.execute(statement("demo_summary")).mappings()]
