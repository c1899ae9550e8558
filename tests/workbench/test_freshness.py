"""How fresh: late, failing and disconnected accounts are told apart, and each says why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.workbench.conftest import NOW, Agency

from adlab.storage.engine import transaction
from adlab.storage.tenancy import LoginReader
from adlab.workbench import Workbench


@pytest.fixture
def connected(agency: Agency) -> Iterator[Agency]:
    """Acme with a connection, its insights read at `NOW`."""
    with transaction(agency.engine) as c:
        c.execute(
            text("INSERT INTO sec.connection (client_id, token_sealed) VALUES (1, ''::bytea)")
        )
        c.execute(text("UPDATE app.sync_state SET checked_at = :now"), {"now": NOW})
    yield agency
    with transaction(agency.engine) as c:
        c.execute(text("DELETE FROM app.job"))
        c.execute(text("DELETE FROM app.backfill"))
        c.execute(text("UPDATE app.account SET connection_id = NULL"))
        c.execute(text("DELETE FROM sec.connection"))
        c.execute(text("UPDATE app.sync_state SET status = 'ok', error = NULL"))


def row(agency: Agency, now: datetime = NOW) -> dict[str, Any]:
    lab = Workbench(LoginReader(agency.boss), now=lambda: now)
    frame = lab.freshness("acme")
    lab.close()
    assert list(frame.index) == ["1001"]
    return dict(frame.iloc[0])


def change(engine: Engine, statement: str) -> None:
    with transaction(engine) as c:
        c.execute(text(statement))


def test_an_account_that_was_read_in_time_is_fresh(connected: Agency) -> None:
    found = row(connected, NOW + timedelta(minutes=19))
    assert (found["status"], found["problem"], found["lag_minutes"]) == ("fresh", "", 19.0)
    # Reason: Acme spent on the 19th, two days ago, so it is warm.
    assert (found["temperature"], found["due_minutes"]) == ("warm", 75.0)
    assert found["settled_through"].isoformat() == "2026-10-23"


def test_an_account_that_nobody_reads_is_late(connected: Agency) -> None:
    found = row(connected, NOW + timedelta(minutes=76))
    assert found["status"] == "late"
    assert "Does adlab worker run?" in found["problem"]


def test_the_newest_failure_of_a_job_is_named_until_it_goes_well(connected: Agency) -> None:
    failed = (
        "INSERT INTO app.job (kind, key, client_id, account_id, priority, state, due_at, not_before, "
        "finished_at, error) VALUES ('night', 'night:1001', 1, 1001, 1, '{0}', now(), now(), "
        "now() + interval '{1} minutes', {2})"
    )
    change(connected.engine, failed.format("failed", 0, "'Meta has trouble'"))
    found = row(connected)
    assert (found["status"], found["problem"]) == ("failing", "night: Meta has trouble")
    change(connected.engine, failed.format("done", 5, "NULL"))
    assert row(connected)["status"] == "fresh"


def test_a_level_that_could_not_be_read_is_failing(connected: Agency) -> None:
    change(
        connected.engine,
        "UPDATE app.sync_state SET status = 'failed', error = 'too large' WHERE kind = 'insights' AND level = 4 AND account_id = 1001",
    )
    assert (row(connected)["status"], row(connected)["problem"]) == ("failing", "too large")


def test_a_dead_connection_comes_before_everything(connected: Agency) -> None:
    change(
        connected.engine,
        "UPDATE sec.connection SET status = 'reauth_required', status_reason = 'The token expired'",
    )
    found = row(connected)
    assert (found["status"], found["problem"]) == (
        "disconnected",
        "The token expired. Connect again.",
    )


def test_a_load_of_history_shows_its_share(connected: Agency) -> None:
    assert row(connected)["loading_share"] != row(connected)["loading_share"]
    change(
        connected.engine,
        "INSERT INTO app.backfill (account_id, client_id, since, until, levels, reached, requested_at) VALUES (1001, 1, '2026-01-01', '2026-04-10', '{ad}', '2026-03-22', now())",
    )
    assert row(connected)["loading_share"] == 0.2


def test_nobody_sees_others_accounts_or_jobs(connected: Agency) -> None:
    reader = LoginReader(connected.nobody)
    assert reader.rows("read_freshness", client_ids=[1]) == []
    assert reader.rows("read_jobs", client_ids=[1]) == []
    reader.close()
