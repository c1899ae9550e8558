"""A store with one connected account of the simulator, and parts of a worker in front of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from adlab.jobs.runner import Pace, Worker
from adlab.jobs.tasks import TaskParts
from adlab.meta.client import GraphClient, Retry
from adlab.services.access import MetaAccess, connect_account
from adlab.services.ingest import IngestParts
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import Vault
from tests.conftest import NOW, TOKEN, Simulator

VAULT = Vault(b"\x07" * 32)
MOMENT = datetime.fromisoformat(NOW.replace("Z", "+00:00")).astimezone(UTC)


@dataclass
class Shop:
    """The store, the simulator, and a clock that tests move."""

    engine: Engine
    simulator: Simulator
    now: datetime = MOMENT
    upkeeps: list[datetime] = field(default_factory=list)

    def parts(self) -> TaskParts:
        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return GraphClient(
                self.simulator.url, "v26.0", VAULT.open(sealed, client_id), page_size=500,
                retry=Retry(attempts=2, first_wait=0.01), sleep=lambda _: None,
            )  # fmt: skip

        ingest = IngestParts(
            self.engine, open_client, lambda *_: None, now=lambda: self.now, concurrency=2
        )
        return TaskParts(
            ingest,
            500,
            {
                "upkeep": self._upkeep,
                **{
                    k: lambda _: 0
                    for k in (
                        "deletions",
                        "changes",
                        "conversions",
                        "inbox",
                        "subscriptions",
                        "audit",
                        "retention",
                        "sessions",
                    )
                },
            },
        )

    def worker(self, pace: Pace | None = None) -> Worker:
        return Worker(self.engine, self.parts(), threads=1, pace=pace)

    def move(self, now: datetime) -> None:
        self.now = now
        self.simulator.control("POST", "/__clock", {"now": now.isoformat()})

    def all(self, query: str) -> list[tuple[object, ...]]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(query))]

    def _upkeep(self, now: datetime) -> int:
        self.upkeeps.append(now)
        return 1


@pytest.fixture
def open_shop(simulator: Simulator) -> Callable[[Engine], Shop]:
    def make(engine: Engine) -> Shop:
        meta = MetaAccess(simulator.url, "v26.0", None, None, page_size=500)
        with transaction(engine) as c:
            store_client(c, "Berlin", "berlin", "EUR")
        connect_account(engine, VAULT, meta, "act_1001", "berlin", TOKEN, lambda: MOMENT)
        return Shop(engine, simulator)

    return make


@pytest.fixture
def shop(owner_engine: Engine, open_shop: Callable[[Engine], Shop]) -> Shop:
    return open_shop(owner_engine)
