"""A small agency in the store: two clients, an analyst and an admin."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Engine, text

from adlab.core.roles import Role
from adlab.storage import access, audit
from adlab.storage.clients import store_client
from adlab.storage.engine import libpq_url, transaction


class House:
    """Two clients, an analyst of one of them, an admin; on one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as c:
            self.acme = store_client(c, "Acme", "acme").client_id
            self.beta = store_client(c, "Beta", "beta").client_id
            access.store_person(c, "ann", Role.ANALYST)
            access.store_person(c, "ada", Role.ADMIN)
            access.grant(c, "ann", "acme", Role.ANALYST)

    def login(self, name: str, client: str | None = None, hours: float = 12) -> tuple[str, str]:
        with transaction(self.engine) as c:
            user, password = access.create_credential(c, name, hours, client)
        return user, libpq_url(self.engine.url.set(username=user, password=password))

    def sees(self, url: str) -> list[str]:
        with psycopg.connect(url) as link:
            rows = link.execute("SELECT slug FROM api.clients ORDER BY slug").fetchall()
            (told,) = link.execute("SELECT clients FROM api.whoami()").fetchall() or [([],)]
        seen = [r[0] for r in rows]
        assert told[0] == seen, "whoami tells what the views show"
        return seen

    def one(self, sql: str, **binds: Any) -> Any:
        with transaction(self.engine) as c:
            return c.scalar(text(sql), binds)

    def write(self) -> None:
        """An entry of the audit log."""
        with transaction(self.engine) as c:
            audit.record(c, "test.write", actor="ada")

    def audited(self, action: str) -> list[dict[str, Any]]:
        with transaction(self.engine) as c:
            rows = c.execute(
                text("SELECT actor, client_id, details FROM sec.audit WHERE action = :a"),
                {"a": action},
            )
            return [dict(r) for r in rows.mappings()]
