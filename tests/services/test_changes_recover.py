"""Changes that were interrupted: settled by what is at Meta, never repeated on a guess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_changes import BERLIN, WHO, Desk
from tests.services.test_ingest import Agency

from adlab.core.changes import SetStatus
from adlab.core.errors import ConflictError, MetaUnavailableError
from adlab.services.changes import apply, list_changes, undo
from adlab.services.changes_recover import recover


@pytest.fixture
def desk(owner_engine: Engine, simulator: Simulator) -> Iterator[Desk]:
    before = simulator.control("GET", "/__config")
    yield Desk(Agency(owner_engine, simulator))
    simulator.control("POST", "/__config", before)


def test_a_write_that_cannot_be_read_back_is_unknown_until_it_can(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    desk.fault("transient", "v26.0/?$", method="POST", count=100, skip=1)
    done = apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)
    assert done.state == "unknown"
    with pytest.raises(MetaUnavailableError):
        apply(desk.parts, SetStatus(BERLIN, ad, "ACTIVE"), **WHO)
    desk.simulator.control("DELETE", "/__faults")
    assert [c.state for c in recover(desk.parts).changes] == ["verified"]


KILLED = """
import os, signal, sys
from datetime import datetime
import httpx
from adlab.core.changes import CreateAd, SetStatus
from adlab.meta.client import GraphClient
from adlab.services.changes import WriteParts, apply
from adlab.storage.engine import owner_engine
from adlab.vault import Vault

url, database, when, kind, number, creative = sys.argv[1:]
vault = Vault(b"\\x07" * 32)

class Killing(httpx.HTTPTransport):
    def handle_request(self, request):
        strikes = request.method == "POST" and request.url.path.endswith(
            "/ads" if kind == "create" else "/" + number)
        if strikes and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().handle_request(request)
        if strikes:
            answer.read()
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

def open_client(sealed, client_id):
    return GraphClient(url, "v26.0", vault.open(sealed, client_id), transport=Killing())

parts = WriteParts(owner_engine(database), open_client, lambda c, e: None,
                   now=lambda: datetime.fromisoformat("2026-11-21T10:00:00+00:00"))
change = (CreateAd(1001, int(number), "Killed", int(creative)) if kind == "create"
          else SetStatus(1001, int(number), "PAUSED"))
apply(parts, change, actor="ann", reason="test")
"""


def _kill(desk: Desk, database_url: str, when: str, kind: str, number: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, desk.simulator.url, database_url, when, kind, str(number),
         str(desk.creative())],
        check=False, timeout=60, env={**os.environ}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_killed_creation_is_found_or_known_not_to_be(
    desk: Desk, database_url: str, when: str
) -> None:
    ad_set, _ = desk.ad_set()
    _kill(desk, database_url, when, "create", ad_set)
    (entry,) = list_changes(desk.parts)
    assert entry.state == "sent"
    found = recover(desk.parts)
    if when == "after":
        (settled,) = found.changes
        (ad,) = desk.ads_named("Killed")
        assert (settled.state, settled.made_id) == ("verified", int(ad["id"]))
        assert undo(desk.parts, settled.change_id, actor="ann").state == "verified"
    else:
        # It may have been on its way: ten minutes must pass before it counts as not done, and
        # the same ad is not made meanwhile.
        assert (found.changes, found.busy) == ([], [entry.change_id])
        with pytest.raises(ConflictError, match="not settled yet"):
            apply(desk.parts, entry.change, **WHO)
        desk.at = datetime.fromisoformat("2026-11-21T10:11:00+00:00")
        (settled,) = recover(desk.parts).changes
        assert (settled.state, settled.made_id) == ("failed", None)
        assert desk.ads_named("Killed") == []
        assert apply(desk.parts, entry.change, **WHO).state == "verified"
        assert len(desk.ads_named("Killed")) == 1


@pytest.mark.parametrize(("when", "state"), [("after", "verified"), ("before", "failed")])
def test_a_killed_edit_is_settled_by_reading(
    desk: Desk, database_url: str, when: str, state: str
) -> None:
    ad = desk.object(1001, 4)[0]
    _kill(desk, database_url, when, "edit", ad)
    desk.at += timedelta(minutes=11)
    desk.simulator.control("DELETE", "/__calls")
    (settled,) = recover(desk.parts).changes
    assert settled.state == state
    assert desk.calls(f"/{ad}$") == 0
    assert recover(desk.parts).changes == []


def test_what_was_only_planned_was_not_done(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)
    with desk.agency.engine.begin() as c:
        c.exec_driver_sql(
            "UPDATE app.change_journal SET state = 'planned', settled_at = NULL, sends = '{}'"
        )
    (settled,) = recover(desk.parts).changes
    assert (settled.state, settled.error) == (
        "failed", "Interrupted before anything was sent; nothing was changed.",
    )  # fmt: skip
