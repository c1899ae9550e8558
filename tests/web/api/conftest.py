"""An API over a small agency: people of several roles, their tokens, and a clock that moves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from adlab.core.entities import AdObject, Level
from adlab.core.roles import Role
from adlab.realtime.calls import CallCounter
from adlab.storage import access, objects
from adlab.storage.engine import owner_engine, transaction
from adlab.storage.migrate import migrate
from adlab.storage.tokens import store_token
from adlab.vault import signing_keys
from adlab.web.api.app import SEED, V1, ApiParts, Beside, make_api, make_parts
from adlab.web.api.tokens import Claims, TokenSigner
from adlab.web.config import WebConfig
from tests.conftest import create_database, drop_database
from tests.ui.seed import Seeded, fill
from tests.web.conftest import KEY, boards_url

CAMPAIGN, ADSET, AD = 1001_000_000, 1001_500_000, 1001_700_000
ALL_SCOPES = ("read", "propose", "connect", "audit")


class Clock:
    """Epoch seconds, moved by tests."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Api:
    """A running API and what is behind it."""

    engine: Engine
    seeded: Seeded
    parts: ApiParts
    clock: Clock
    app: Any
    tokens: dict[tuple[object, ...], str] = field(default_factory=dict)

    @property
    def signer(self) -> TokenSigner:
        """Signs like the installation does."""
        return TokenSigner(signing_keys(KEY))

    def token(
        self, person: str = "Nan Analyst", scopes: tuple[str, ...] = ("read",),
        clients: tuple[str, ...] | None = None, hours: float = 24, *, fresh: bool = False,
    ) -> str:  # fmt: skip
        """A token of that person; the same one when asked again."""
        key = (person, scopes, clients, hours)
        if fresh or key not in self.tokens:
            now = datetime.now(UTC)
            with transaction(self.engine) as connection:
                made = store_token(
                    connection, person, name="test", scopes=scopes, clients=clients,
                    expires_at=now + timedelta(hours=hours),
                )  # fmt: skip
            self.tokens[key] = self.signer.make(
                Claims(made.jti, made.person_id, frozenset(scopes), made.clients, made.expires_at),
                now,
            )
        return self.tokens[key]

    def __call__(
        self, path: str, *, token: str | None = "", method: str = "GET",
        headers: dict[str, str] | None = None, **more: Any,
    ) -> httpx.Response:  # fmt: skip
        """Call it; as the analyst unless another token, or None, is given."""
        given = self.token() if token == "" else token
        client = TestClient(self.app, raise_server_exceptions=False)
        sent = {} if given is None else {"Authorization": f"Bearer {given}"}
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        return client.request(method, address, headers=sent | (headers or {}), **more)

    def audit(self, action: str) -> list[dict[str, Any]]:
        """Entries of the log, oldest first."""
        self.parts.notes.flush()
        with transaction(self.engine) as connection:
            rows = connection.execute(
                text("SELECT actor, client_id, details FROM sec.audit WHERE action = :a "
                     "ORDER BY audit_id"), {"a": action},
            ).mappings()  # fmt: skip
            return [dict(r) for r in rows]


def people(engine: Engine) -> None:
    """Somebody of each kind, and a tree of objects with budgets below one campaign."""
    with transaction(engine) as c:
        access.store_person(c, "Nan Analyst", Role.ANALYST)
        access.grant(c, "Nan Analyst", "nordlicht", Role.ANALYST)
        access.grant(c, "Nan Analyst", "atelier", Role.CLIENT_VIEWER)
        access.store_person(c, "Tom Tokyo", Role.ANALYST)
        access.grant(c, "Tom Tokyo", "tokyo", Role.ANALYST)
        access.store_person(c, "Export", Role.SERVICE)
        access.grant(c, "Export", "nordlicht", Role.SERVICE)
        access.grant(c, "Export", "tokyo", Role.SERVICE)
        access.store_person(c, "Aud Itor", Role.AUDITOR)
        client_id = c.scalar(text("SELECT client_id FROM app.client WHERE slug = 'nordlicht'"))
        objects.store_objects(c, client_id, 1001, [
            AdObject(Level.CAMPAIGN, CAMPAIGN, "Prospecting | DE | 01", campaign_id=CAMPAIGN,
                     status="ACTIVE", effective_status="ACTIVE", objective="OUTCOME_SALES",
                     daily_budget_minor=2500),
            AdObject(Level.CAMPAIGN, CAMPAIGN + 1, "By ad sets", campaign_id=CAMPAIGN + 1,
                     status="PAUSED", effective_status="PAUSED"),
        ])  # fmt: skip
        objects.store_objects(c, client_id, 1001, [
            AdObject(Level.AD_SET, ADSET + n, f"Set {n}", campaign_id=CAMPAIGN + n % 2,
                     ad_set_id=ADSET + n, status="ACTIVE", effective_status="ACTIVE",
                     daily_budget_minor=1000 if n % 2 else None)
            for n in range(5)
        ])  # fmt: skip
        objects.store_objects(c, client_id, 1001, [
            AdObject(Level.AD, AD + n, f"Ad {n}", campaign_id=CAMPAIGN, ad_set_id=ADSET,
                     status="ACTIVE", effective_status="ACTIVE")
            for n in range(3)
        ])  # fmt: skip


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """What lies beside the API; no test of it comes here."""
    raise AssertionError(f"{scope['path']} is no address of the API")


def open_api(url: str, seeded: Seeded, redis_url: str | None = None, **config: Any) -> Api:
    """An API on this database."""
    clock = Clock()
    parts = make_parts(
        WebConfig(boards_url(url), redis_url, KEY, **config), signing_keys(KEY), None, clock
    )
    v1, seed = make_api(parts)
    app = Beside({V1: v1, SEED: seed}, nothing)
    return Api(owner_engine(url), seeded, parts, clock, app)


@pytest.fixture(scope="module")
def agency(plain_server: str) -> Iterator[tuple[str, Seeded]]:
    """Superuser URL of a migrated database with the small agency and its people."""
    url = create_database(plain_server)
    migrate(url)
    engine = owner_engine(url)
    seeded = fill(engine, datetime.now(UTC).date(), campaigns=12, days=40)
    people(engine)
    engine.dispose()
    yield url, seeded
    drop_database(plain_server, url)


@pytest.fixture(scope="module")
def shared_api(agency: tuple[str, Seeded]) -> Iterator[Api]:
    """One API for a module, which lets its tests call as often as they like."""
    api = open_api(*agency, api_per_minute=100_000)
    yield api
    api.parts.notes.flush()
    api.engine.dispose()


@pytest.fixture
def api(shared_api: Api) -> Iterator[Api]:
    """The same with its clock set right, and nothing remembered."""
    shared_api.clock.ahead = 0.0
    gate = shared_api.parts.gate
    gate.counter = CallCounter(None, shared_api.clock)
    gate._known.clear()
    gate._visible.clear()
    yield shared_api


@pytest.fixture
def fresh_api(agency: tuple[str, Seeded]) -> Iterator[Callable[..., Api]]:
    """Makes further APIs with another configuration."""
    made: list[Api] = []

    def make(**config: Any) -> Api:
        made.append(open_api(*agency, **config))
        return made[-1]

    yield make
    for one in made:
        one.parts.notes.flush()
        one.engine.dispose()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The body of a problem, proved to be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert set(body) >= {"type", "title", "status", "detail", "instance"}
    assert body["status"] == answer.status_code
    assert body["instance"] == f"urn:adlab:request:{answer.headers['x-request-id']}"
    return body
