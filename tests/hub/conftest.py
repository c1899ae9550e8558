"""The whole house on a seeded database: proxy, hub, boards, web and people's servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from adlab.core.roles import Role
from adlab.hub.house import House, open_house, plan_house
from adlab.local import Supervisor, free_port
from adlab.local.tending import Tender
from adlab.runtime import Runtime
from adlab.settings import (
    DatabaseSettings,
    HubSettings,
    MetaSettings,
    RedisSettings,
    Settings,
    WebSettings,
)
from adlab.storage import access, passwords
from adlab.storage.engine import owner_engine, transaction
from adlab.storage.migrate import migrate
from adlab.vault import link_signer
from tests.conftest import create_database, drop_database
from tests.ui.seed import fill

KEY = "cd" * 32
PASSWORD = "correct horse battery"
APP_SECRET = "app-secret-of-the-house"


@dataclass
class Running:
    """A house that is open.

    Attributes:
        house: Addresses and secrets.
        parts: Its children.
        engine: The owner's engine.
        said: What the tender told.
    """

    house: House
    parts: Supervisor
    engine: Engine
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The public address."""
        return self.house.address

    def link(self, person: str, purpose: str = "login") -> str:
        """A fresh one-time link."""
        with transaction(self.engine) as connection:
            token = access.create_login_link(connection, person, purpose=purpose)  # type: ignore[arg-type]
        door = "link" if purpose == "login" else "welcome"
        signed = link_signer(bytes.fromhex(self.house.plan.session_key)).sign(token).decode()
        return f"{self.url}/hub/{door}/{signed}"

    @contextmanager
    def browser(self, person: str | None = None) -> Iterator[httpx.Client]:
        """An HTTP client, logged in when a person is named."""
        with httpx.Client(
            base_url=self.url, follow_redirects=True, timeout=30,
            headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"},
        ) as client:  # fmt: skip
            if person is not None:
                assert client.get(self.link(person)).status_code == 200
            yield client


def people(engine: Engine) -> None:
    """Two analysts with different clients and one client viewer, all with one password."""
    with transaction(engine) as connection:
        for name, role, slugs in (
            ("Ann Analyst", Role.ANALYST, ("nordlicht", "atelier")),
            ("Ben Analyst", Role.ANALYST, ("tokyo",)),
        ):
            access.store_person(connection, name, role, name.split()[0].lower())
            for slug in slugs:
                access.grant(connection, name, slug, role)
        access.store_person(connection, "Adam Admin", Role.ADMIN, "adam")
        for name in ("Ann Analyst", "Ben Analyst", "Nora Client", "Ana Weiss"):
            passwords.set_password(connection, name, PASSWORD)


@contextmanager
def opened(
    server: str, redis_url: str | None, home: Path, *, boards_host: str = "", **hub: Any
) -> Iterator[Running]:
    """A house on a seeded database of its own, tended.

    Args:
        server: Superuser URL of a database server.
        redis_url: Where live events travel, or None.
        home: adlab's home.
        boards_host: A name of this machine at which the boards are, apart from the rest.
        hub: Settings of the hub; one shared system user unless they say otherwise.
    """
    url = create_database(server)
    migrate(url)
    engine = owner_engine(url)
    fill(engine, datetime.now(UTC).date(), campaigns=12, days=40)
    people(engine)
    wanted = {"proxy": "python", "spawner": "local", "trust_everybody": True, **hub}
    settings = Settings(
        home=home, secret_key=KEY, database=DatabaseSettings(url=url),
        redis=RedisSettings(url=redis_url), hub=HubSettings(**wanted),
        meta=MetaSettings(app_secret=SecretStr(APP_SECRET)),
    )  # fmt: skip
    port, stop = free_port(), threading.Event()
    if boards_host:
        web = WebSettings(
            public_url=f"http://127.0.0.1:{port}", boards_host=f"{boards_host}:{port}"
        )
        settings = settings.model_copy(update={"web": web})
    try:
        with Supervisor() as parts:
            house = plan_house(Runtime(settings), port=port)
            open_house(parts, house, {})
            found = Running(house, parts, engine)
            tender = threading.Thread(
                target=Tender(parts, found.said.append).watch, args=(stop,), daemon=True
            )
            tender.start()
            yield found
            stop.set()
            tender.join()
    finally:
        engine.dispose()
        drop_database(server, url)


@pytest.fixture(scope="module")
def running(
    plain_server: str, redis_url: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The house, with one system user for everybody."""
    with opened(plain_server, redis_url, tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(autouse=True)
def no_owner_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other tests set, children of these start without our variables."""
    for name in [n for n in os.environ if n.startswith("ADLAB_") and "TEST" not in n]:
        monkeypatch.delenv(name)


def folder_of(running: Running, username: str) -> Path:
    """A person's folder."""
    return Path(running.house.plan.folder) / "people" / username
