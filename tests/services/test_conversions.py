"""The outbox over HTTP to the simulator: nothing lost, nothing twice, one bad event alone."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.conftest import TOKEN, Simulator
from tests.services.test_ingest import MOMENT, VAULT, Agency

from adlab.core.errors import ConflictError, SettingsError, TokenExpiredError, UnknownObjectError
from adlab.meta.client import GraphClient, Retry
from adlab.services.changes import WriteParts
from adlab.services.conversions import Accepted, accept, seal_waiting, status
from adlab.services.conversions_send import SentReport, send_due
from adlab.storage.engine import transaction

Row = dict[str, Any]
AT = int(MOMENT.timestamp())


def event(number: int, **changes: Any) -> Row:
    return {
        "event_name": "Lead", "event_time": AT - 3600, "event_id": f"lead-{number}",
        "action_source": "system_generated",
        "user_data": {"em": f"person{number}@example.com"}, **changes,
    }  # fmt: skip


class Outbox:
    """An agency, a dataset of its first client, and a clock."""

    def __init__(self, agency: Agency) -> None:
        self.agency, self.simulator = agency, agency.simulator
        self.at = MOMENT
        graph = GraphClient(self.simulator.url, "v26.0", TOKEN)
        self.dataset, self.others = (
            str(graph.get(f"{a}/adspixels", {"fields": "id"})["data"][0]["id"])
            for a in ("act_1001", "act_1002")
        )
        self.simulator.control("DELETE", "/__events")

    @property
    def parts(self) -> WriteParts:
        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return GraphClient(
                self.simulator.url, "v26.0", VAULT.open(sealed, client_id),
                retry=Retry(attempts=2, first_wait=0.01), sleep=lambda _: None,
            )  # fmt: skip

        return WriteParts(
            self.agency.engine, open_client, lambda c, e: self.agency.told.append((c, e)),
            VAULT, now=lambda: self.at,
        )  # fmt: skip

    def accept(self, *events: Any, **options: Any) -> Accepted:
        return accept(self.parts, self.dataset, "berlin", events, **options)

    def send(self) -> SentReport:
        return send_due(self.parts)

    def go_on(self, **span: float) -> None:
        step = timedelta(**span)
        self.at += step
        self.simulator.control("POST", "/__clock", {"advance_seconds": step.total_seconds()})

    def fault(self, kind: str, count: int = 1, **params: Any) -> None:
        self.simulator.control(
            "POST", "/__faults",
            {"kind": kind, "match": "/events$", "count": count, "params": params},
        )  # fmt: skip

    @property
    def seen(self) -> Row:
        """What Meta received, and what of it counted."""
        found: Row = self.simulator.control("GET", f"/__events?dataset={self.dataset}&limit=5000")
        return found

    def states(self) -> dict[str, int]:
        rows = self.agency.rows("SELECT state, count(*) FROM app.conversion_event GROUP BY 1")
        return {r[0]: r[1] for r in rows}


@pytest.fixture
def outbox(owner_engine: Engine, simulator: Simulator) -> Iterator[Outbox]:
    yield Outbox(Agency(owner_engine, simulator))
    simulator.control("DELETE", "/__events")


def test_good_events_reach_meta_once_and_are_erased(outbox: Outbox) -> None:
    assert outbox.accept(event(1), event(2)) == Accepted(2, 0, ())
    report = outbox.send()
    assert (report.sent, report.calls, report.complete) == (2, 1, True)
    assert [e["event_id"] for e in outbox.seen["events"]] == ["lead-1", "lead-2"]
    rows = outbox.agency.rows(
        "SELECT state, payload, trace_id IS NOT NULL, attempts FROM app.conversion_event"
    )
    assert rows == [("sent", None, True, 1)] * 2
    assert outbox.send() == SentReport()
    assert outbox.agency.told[-1][1]["kind"] == "conversions"


def test_what_waits_is_sealed_for_its_client(outbox: Outbox) -> None:
    outbox.accept(event(1))
    ((plain, sealed, client),) = outbox.agency.rows(
        "SELECT payload, payload_sealed, client_id FROM app.conversion_event"
    )
    assert plain is None
    hashed = json.loads(VAULT.open(sealed, client))["user_data"]["em"][0]
    assert hashed.encode() not in bytes(sealed)
    with pytest.raises(SettingsError):
        VAULT.open(sealed, client + 1)


def test_what_an_older_release_left_in_the_clear_is_sealed_and_sent(outbox: Outbox) -> None:
    outbox.accept(event(1), event(2))
    for number, sealed, client in outbox.agency.rows(
        "SELECT conversion_id, payload_sealed, client_id FROM app.conversion_event"
    ):
        with transaction(outbox.agency.engine) as c:
            c.execute(
                text("UPDATE app.conversion_event SET payload = :p, payload_sealed = NULL"
                     " WHERE conversion_id = :n"),
                {"p": VAULT.open(sealed, client), "n": number},
            )  # fmt: skip
    assert seal_waiting(outbox.parts) == 2
    assert seal_waiting(outbox.parts) == 0
    assert outbox.agency.rows("SELECT count(payload), count(payload_sealed)"
                              " FROM app.conversion_event") == [(0, 2)]  # fmt: skip
    assert outbox.send().sent == 2


def test_without_its_clients_key_an_event_waits_and_says_so(outbox: Outbox) -> None:
    outbox.accept(event(1))
    with transaction(outbox.agency.engine) as c:
        c.execute(text("UPDATE app.conversion_event SET payload_sealed = 'nonsense'"))
    report = outbox.send()
    assert (report.sent, report.later, report.calls) == (0, 1, 0)
    assert outbox.states() == {"queued": 1}


def test_an_event_that_was_handed_in_before_is_not_sent_again(outbox: Outbox) -> None:
    assert outbox.accept(event(1), event(1), event(2)).duplicate == 1
    assert outbox.accept(event(1), event(3)) == Accepted(1, 1, ())
    outbox.send()
    assert outbox.accept(event(2)) == Accepted(0, 1, ())
    # Another name under the same id is another event.
    assert outbox.accept(event(2, event_name="Contact")).queued == 1
    outbox.send()
    assert (outbox.seen["received"], outbox.seen["counted"]) == (4, 4)


def test_a_bad_event_is_told_and_the_others_go(outbox: Outbox) -> None:
    done = outbox.accept(
        event(1), event(2, event_time=AT - 8 * 86_400), event(3, user_data={"em": "nobody"}),
        "nonsense", event(4),
    )  # fmt: skip
    assert done.queued == 2
    assert [(place, [p.field for p in why]) for place, why in done.rejected] == [
        (1, ["event_time"]), (2, ["user_data.em"]), (3, ["event"]),
    ]  # fmt: skip
    assert outbox.send().sent == 2
    kept = outbox.agency.rows(
        "SELECT event_name, event_id, payload, error FROM app.conversion_event"
        " WHERE state = 'rejected' ORDER BY conversion_id"
    )
    assert [(r[0], r[1], r[2]) for r in kept] == [("Lead", None, None)] * 2 + [(None, None, None)]
    assert "more than 7 days" in kept[0][3]
    # Corrected, it is taken.
    assert outbox.accept(event(3)).queued == 1


def test_no_personal_value_is_in_the_store_or_in_the_log(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "very.private"
    outbox.accept(
        event(1, user_data={"em": f"{secret}@example.com", "fn": secret, "external_id": secret}),
        event(2, user_data={"em": secret, "ph": secret}, event_name=f"{secret}@example.com"),
    )  # fmt: skip
    found = outbox.agency.rows("SELECT conversion_event::text FROM app.conversion_event")
    assert len(found) == 2
    assert secret not in str(found)
    outbox.send()
    assert secret not in caplog.text
    assert secret not in str(outbox.agency.rows("SELECT details::text FROM sec.audit"))


def test_a_call_holds_a_thousand_events_at_most(outbox: Outbox) -> None:
    assert outbox.accept(*(event(n) for n in range(2_500))).queued == 2_500
    report = outbox.send()
    assert (report.sent, report.calls) == (2_500, 3)
    assert outbox.seen["counted"] == 2_500


def test_one_event_meta_refuses_never_sinks_the_others(outbox: Outbox) -> None:
    """Named people without an e-mail pass here; the simulator takes none of them."""
    bad = {"fn": "Ann", "ln": "Lee", "zp": "10115"}
    events = [event(n, **({"user_data": bad} if n in (17, 300) else {})) for n in range(400)]
    assert outbox.accept(*events).queued == 400
    report = outbox.send()
    assert (report.sent, report.failed, report.complete) == (398, 2, True)
    assert report.calls < 45
    assert outbox.seen["counted"] == outbox.seen["received"] == 398
    failed = outbox.agency.rows(
        "SELECT event_id, error, payload FROM app.conversion_event WHERE state = 'failed'"
        " ORDER BY 1"
    )
    assert [f[0] for f in failed] == ["lead-17", "lead-300"]
    assert "not enough customer information" in failed[0][1]
    assert outbox.accept(event(17)).queued == 1


def test_many_bad_events_cost_a_bounded_number_of_calls(outbox: Outbox) -> None:
    bad = {"fn": "Ann", "ln": "Lee", "zp": "10115"}
    outbox.accept(*(event(n, **({"user_data": bad} if n % 3 == 0 else {})) for n in range(120)))
    first = outbox.send()
    assert first.calls <= 64
    assert first.later > 0
    for _ in range(6):
        outbox.go_on(minutes=2)
        outbox.send()
    assert outbox.states() == {"sent": 80, "failed": 40}
    assert outbox.seen["received"] == 80


@pytest.mark.parametrize("kind", ["lost_response", "reset", "service_unavailable", "html"])
def test_an_unclear_answer_means_the_same_events_again(outbox: Outbox, kind: str) -> None:
    outbox.accept(event(1), event(2))
    outbox.fault(kind)
    first = outbox.send()
    assert (first.sent, first.later) == (0, 2)
    assert outbox.send().calls == 0
    outbox.go_on(minutes=2)
    assert outbox.send().sent == 2
    assert outbox.seen["counted"] == 2
    assert outbox.seen["received"] == (4 if kind == "lost_response" else 2)


def test_pauses_grow_and_a_dead_token_needs_a_person(outbox: Outbox) -> None:
    outbox.accept(event(1))
    outbox.fault("service_unavailable", count=3)
    pauses = []
    for _ in range(3):
        outbox.send()
        ((due,),) = outbox.agency.rows("SELECT not_before FROM app.conversion_event")
        pauses.append((due - outbox.at) / timedelta(minutes=1))
        outbox.at = due
    assert pauses == [1, 2, 4]
    outbox.fault("expired_token")
    report = outbox.send()
    assert (report.later, report.failures[0][0]) == (1, int(outbox.dataset))
    assert ("reauth_required",) in outbox.agency.rows("SELECT status FROM sec.connection")
    with pytest.raises(TokenExpiredError, match="No connection of 'berlin' works"):
        outbox.accept(event(2))
    outbox.at += timedelta(minutes=20)
    assert (outbox.send().later, outbox.states()) == (1, {"queued": 1})


def test_what_meta_would_count_twice_is_parked(outbox: Outbox) -> None:
    outbox.accept(event(1))
    outbox.accept(event(2, event_time=AT - 6 * 86_400))
    outbox.fault("lost_response")
    outbox.send()
    outbox.go_on(hours=48)
    report = outbox.send()
    assert (report.unknown, report.sent) == (2, 0)
    assert outbox.states() == {"unknown": 2}
    assert outbox.seen["counted"] == 2
    assert outbox.accept(event(1)).duplicate == 1


def test_an_event_that_became_too_old_is_shown_and_never_sent(outbox: Outbox) -> None:
    outbox.accept(event(1), event(2, event_time=AT - 6 * 86_400 - 86_000))
    outbox.go_on(minutes=20)
    report = outbox.send()
    assert (report.sent, report.expired) == (1, 1)
    assert outbox.seen["received"] == 1
    (row,) = [r for r in status(outbox.parts, "berlin") if r["state"] == "expired"]
    assert (row["events"], row["error"]) == (1, "Too old to be sent.")


def test_a_test_code_is_sent_only_where_it_was_given(outbox: Outbox) -> None:
    outbox.accept(event(1))
    assert outbox.accept(event(2), test_code="TEST7").test_code == "TEST7"
    report = outbox.send()
    assert (report.sent, report.test, report.calls) == (2, 1, 2)
    codes = {e["event_id"]: e["test_event_code"] for e in outbox.seen["events"]}
    assert codes == {"lead-1": None, "lead-2": "TEST7"}


def test_another_clients_dataset_is_refused_once_it_is_known(outbox: Outbox) -> None:
    from adlab.services.catalogue import CatalogueRequest, refresh_catalogue

    refresh_catalogue(outbox.agency.parts(), CatalogueRequest(kinds=("pixels",)))
    with pytest.raises(ConflictError, match="of no account of 'berlin'"):
        accept(outbox.parts, outbox.others, "berlin", [event(1)])
    with pytest.raises(UnknownObjectError):
        accept(outbox.parts, outbox.dataset, "nobody", [event(1)])
    with pytest.raises(ValueError, match="not the number of a dataset"):
        accept(outbox.parts, "pixel", "berlin", [event(1)])
    assert outbox.accept(event(1)).queued == 1


def test_a_dry_run_queues_nothing(outbox: Outbox) -> None:
    done = outbox.accept(event(1), event(1), {}, dry_run=True)
    assert (done.queued, done.duplicate, len(done.rejected)) == (1, 1, 1)
    assert outbox.states() == {}


def test_what_is_settled_is_forgotten_after_a_season(outbox: Outbox) -> None:
    outbox.accept(event(1), {})
    outbox.send()
    outbox.at += timedelta(days=91)
    outbox.send()
    assert outbox.states() == {}


SENDER = """
import os, signal, sys
from datetime import datetime
import httpx
from adlab.meta.client import GraphClient
from adlab.services.changes import WriteParts
from adlab.services.conversions_send import send_due
from adlab.storage.engine import owner_engine
from adlab.vault import Vault

url, database, when = sys.argv[1:]
vault = Vault(b"\\x07" * 32)

class Killing(httpx.HTTPTransport):
    def handle_request(self, request):
        strikes = request.url.path.endswith("/events")
        if strikes and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().handle_request(request)
        if strikes and when == "after":
            answer.read()
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

def open_client(sealed, client_id):
    return GraphClient(url, "v26.0", vault.open(sealed, client_id), transport=Killing())

print(send_due(WriteParts(owner_engine(database), open_client, lambda c, e: None, vault,
               now=lambda: datetime.fromisoformat("2026-11-21T10:00:00+00:00"))).sent)
"""


def _sender(outbox: Outbox, database_url: str, when: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, outbox.simulator.url, database_url, when],
        env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_sender_killed_in_mid_call_loses_and_doubles_nothing(
    outbox: Outbox, database_url: str, when: str
) -> None:
    outbox.accept(*(event(n) for n in range(50)))
    process = _sender(outbox, database_url, when)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert outbox.seen["received"] == (50 if when == "after" else 0)
    assert outbox.states() == {"queued": 50}
    # Its lease still runs: nobody knows that it is dead.
    assert outbox.send().calls == 0
    outbox.go_on(minutes=31)
    assert outbox.send().sent == 50
    seen = outbox.seen
    assert (seen["counted"], seen["deduplicated"]) == (50, 50 if when == "after" else 0)
    assert outbox.states() == {"sent": 50}


def test_senders_side_by_side_send_each_event_once(outbox: Outbox, database_url: str) -> None:
    outbox.accept(*(event(n) for n in range(3_000)))
    senders = [_sender(outbox, database_url, "never") for _ in range(3)]
    counts = []
    for process in senders:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 0, err[-2000:]
        counts.append(int(out))
    assert sum(counts) == 3_000
    assert outbox.seen["received"] == outbox.seen["counted"] == 3_000
