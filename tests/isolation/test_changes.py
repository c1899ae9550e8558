"""Changes and conversion events are seen by the people of their client, and by nobody else."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import Engine, text
from tests.services.test_ingest import MOMENT

from adlab.core.changes import SetStatus
from adlab.core.entities import AccountId, AccountInfo
from adlab.core.roles import Role
from adlab.storage import access, changes, conversions
from adlab.storage.clients import store_client
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.objects import store_account


def test_each_sees_their_own_and_never_a_payload(any_engine: Engine) -> None:
    logins = {}
    with transaction(any_engine) as c:
        for slug, account in (("acme", 1001), ("beta", 2002)):
            client = store_client(c, slug, slug)
            store_account(
                c, AccountInfo(AccountId(account), slug, "EUR", "UTC", 1), client.client_id
            )
            changes.insert(
                c, SetStatus(AccountId(account), account * 10, "PAUSED"),
                client_id=client.client_id, level=2, wanted={}, before={}, inverse=None,
                state="planned", actor="ann", reason=slug, now=MOMENT,
            )  # fmt: skip
            conversions.insert(
                c, client_id=client.client_id, dataset_id=account, test_code=None, now=MOMENT,
                events=[{"event_name": slug, "event_id": "1", "event_time": MOMENT,
                         "expires_at": MOMENT, "payload_sealed": slug.encode().hex()}],
            )  # fmt: skip
            access.store_person(c, f"p-{slug}", Role.ANALYST)
            access.grant(c, f"p-{slug}", slug, Role.ANALYST)
            user, password = access.create_credential(c, f"p-{slug}")
            logins[slug] = libpq_url(any_engine.url.set(username=user, password=password))
        assert c.scalar(text("SELECT count(*) FROM app.change_journal")) == 2
    for slug, url in logins.items():
        with psycopg.connect(url) as link:
            assert link.execute("SELECT reason FROM api.changes").fetchall() == [(slug,)]
            rows = link.execute("SELECT * FROM api.conversion_events")
            assert "payload" not in {d.name for d in rows.description or ()}
            assert [r[2] for r in rows.fetchall()] == [slug]
            for table in ("app.change_journal", "app.conversion_event"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), link.transaction():
                    link.execute(f"SELECT 1 FROM {table}")  # type: ignore[call-overload]
