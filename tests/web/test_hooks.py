"""The receiver: handshake, signatures over raw bytes, refusals that are counted, repeats."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from adlab.core.entities import AccountId, AccountInfo
from adlab.meta.signatures import PATH
from adlab.storage import inbox
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.objects import store_account
from adlab.web.hooks import LARGEST, Receiver
from adlab.web.hooks_store import EngineStore
from tests.web.receiver import (
    CONFIG,
    VERIFY,
    escaped,
    hooks_url,
    message,
    receiving,
    refusals,
    running,
    signed,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PAUSED = ("field_changed", {"object_id": "1401", "object_type": "ad",
                            "changed_fields": ["effective_status"]})  # fmt: skip


def fatigue(level: str, ad: str = "1401") -> tuple[str, dict[str, str]]:
    return "creative_fatigue", {
        "ad_account_id": "1001", "adgroup_id": ad, "creative_fatigue_level": level,
        "creative_fatigue_message": "Seen too often.",
    }  # fmt: skip


@dataclass
class Hall:
    """A receiver, its store, and the clock of both."""

    engine: Engine
    http: TestClient
    now: datetime = NOW

    def post(self, body: Any, headers: dict[str, str] | None = None) -> int:
        raw = body if isinstance(body, bytes) else escaped(body)
        sent = signed(raw) if headers is None else headers
        return self.http.post(PATH, content=raw, headers=sent).status_code

    def events(self) -> list[dict[str, Any]]:
        with transaction(self.engine) as connection:
            return inbox.list_updates(connection, most=10_000)[::-1]

    def settle(self, *event_ids: int) -> None:
        """A processor takes and finishes these."""
        with transaction(self.engine) as connection:
            inbox.claim(connection, self.now, self.now + timedelta(minutes=1), 1000)
            done = [inbox.Settled(n, "done", {}) for n in event_ids]
            inbox.settle(connection, done, self.now)


@pytest.fixture
def hall(owner_engine: Engine) -> Iterator[Hall]:
    with transaction(owner_engine) as c:
        client = store_client(c, "Berlin", "berlin", "EUR")
        info = AccountInfo(AccountId(1001), "Shop", "EUR", "Europe/Berlin", 1)
        store_account(c, info, client.client_id)
    store = EngineStore(hooks_url(owner_engine))
    made: list[Hall] = []
    receiver = Receiver(CONFIG, store, lambda: made[0].now)
    with TestClient(receiver.app()) as http:
        made.append(Hall(owner_engine, http))
        yield made[0]


def counted(hall: Hall) -> dict[str, int]:
    """The counters, after the receiver has written them down (it does when it ends)."""
    hall.http.__exit__(None, None, None)
    found = dict(refusals(hall.engine, NOW))
    hall.http.__enter__()
    return found


def ask(hall: Hall, **changed: str) -> httpx.Response:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}
    return hall.http.get(PATH, params={**query, **changed})


def test_a_handshake_is_answered_with_exactly_the_challenge_as_text(hall: Hall) -> None:
    answer = ask(hall)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    # While master keys change, the token of the older one still holds.
    assert ask(hall, **{"hub.verify_token": "older-token-of-tests"}).status_code == 200


def test_any_other_handshake_is_refused(hall: Hall) -> None:
    wrong = (
        {"hub.verify_token": "other"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""}, {"hub.verify_token": "vérify"},
    )  # fmt: skip
    for changed in wrong:
        answer = ask(hall, **changed)
        assert answer.status_code == 403
        assert "1158201444" not in answer.text
    assert counted(hall) == {"handshake": len(wrong)}


def test_a_signed_message_is_stored_with_its_client_before_it_is_answered(hall: Hall) -> None:
    assert hall.post(message(PAUSED, at=NOW)) == 200
    [event] = hall.events()
    assert (event["client"], event["account_id"], event["object_id"]) == ("berlin", 1001, 1401)
    assert (event["topic"], event["field"], event["state"]) == (
        "effective_status", "field_changed", "new",
    )  # fmt: skip
    assert (event["sent_at"], event["value"]) == (NOW, PAUSED[1])
    with transaction(hall.engine) as connection:
        assert inbox.load_job(connection, "inbox") is not None


def test_the_signature_is_over_raw_bytes_so_escaped_umlauts_hold(hall: Hall) -> None:
    issue = {"id": "1401", "level": "AD", "error_code": "1815869", "error_summary": "Werbung",
             "error_message": "verstößt gegen Hilfe/Überprüfung 広告 😀"}  # fmt: skip
    raw = escaped(message(("with_issues_ad_objects", issue), at=NOW))
    assert b"\\u00f6" in raw
    assert b"\\/" in raw
    assert hall.post(raw) == 200
    assert hall.events()[0]["value"] == issue
    # The same message in other bytes has another signature.
    assert hall.post(raw.replace(b"\\/", b"/"), signed(raw)) == 403


def test_forged_messages_store_nothing_and_are_counted(hall: Hall) -> None:
    forged = (
        {}, {"X-Hub-Signature": "sha1=" + "0" * 40}, {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="}, {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
    )  # fmt: skip
    assert [hall.post(message(PAUSED, at=NOW), headers) for headers in forged] == [403] * 6
    assert hall.events() == []
    assert counted(hall) == {"no_signature": 2, "wrong_signature": 4}


def test_a_signature_of_another_secret_or_in_capitals_or_twice_is_refused(hall: Hall) -> None:
    raw = escaped(message(PAUSED, at=NOW))
    assert hall.post(raw, signed(raw, "another-secret")) == 403
    good = signed(raw)["X-Hub-Signature-256"]
    assert hall.post(raw, {"X-Hub-Signature-256": good.upper()}) == 403
    twice = [("X-Hub-Signature-256", good), ("X-Hub-Signature-256", good)]
    assert hall.http.post(PATH, content=raw, headers=twice).status_code == 403
    assert hall.events() == []


def test_signed_nonsense_is_refused_and_counted(hall: Hall) -> None:
    leadgen = message(("leadgen", {"leadgen_id": "701"}), at=NOW) | {"object": "page"}
    assert [hall.post(b) for b in (b"", b"{", b"[]", leadgen)] == [400] * 4
    assert hall.events() == []
    assert counted(hall) == {"malformed": 3, "unknown_object": 1}


def test_what_can_be_read_of_a_message_is_kept_and_the_rest_counted(hall: Hall) -> None:
    body = message(PAUSED, ("", {}), at=NOW)
    body["entry"] += [{"id": "act_1001", "time": str(int(NOW.timestamp())), "extra": 1,
                       "changes": [{"field": "creative_fatigue", "value": fatigue("LOW")[1],
                                    "more": 2}]}, {"id": None}]  # fmt: skip
    assert hall.post({**body, "unknown": [1]}) == 200
    assert [e["field"] for e in hall.events()] == ["field_changed", "creative_fatigue"]
    assert counted(hall) == {"malformed": 2}


def test_unknown_fields_and_topics_are_kept_as_they_came(hall: Hall) -> None:
    strange = {"a": {"b": [1, None, True]}, "ä": "x"}
    changed = {**fatigue("HIGH")[1], "brand_new_key": {"deep": 1}}
    body = message(("creative_fatigue_v2", strange), ("creative_fatigue", changed), at=NOW)
    assert hall.post(body) == 200
    first, second = hall.events()
    assert (first["topic"], first["field"], first["value"]) == (
        None, "creative_fatigue_v2", strange,
    )  # fmt: skip
    assert second["value"]["brand_new_key"] == {"deep": 1}


def test_ids_of_thresholds_are_numbers_and_understood(hall: Hall) -> None:
    value = {"subscription_id": 9007, "account_id": 1001, "object_id": 120214588889990001,
             "object_type": "AD", "field": "spent", "current_value": "1200"}  # fmt: skip
    assert hall.post(message(("subscriptions", value), at=NOW, account=1001)) == 200
    assert hall.events()[0]["object_id"] == 120214588889990001


def test_text_that_the_database_cannot_hold_loses_nobody_anything(hall: Hall) -> None:
    """A NUL, and half an emoji: texts that were cut by whoever wrote them."""
    raw = escaped(message(fatigue("LOW"), fatigue("HIGH", "1402"), at=NOW))
    assert hall.post(raw.replace(b"Seen too", rb"Seen\u0000 \ud83d too")) == 200
    texts = [e["value"]["creative_fatigue_message"] for e in hall.events()]
    assert texts == ["Seen\ufffd \ufffd too often."] * 2


def test_what_is_older_than_metas_retries_is_answered_but_not_kept(hall: Hall) -> None:
    late = NOW - timedelta(hours=36)
    assert hall.post(message(PAUSED, at=late)) == 200
    assert len(hall.events()) == 1
    stale = message(fatigue("HIGH"), fatigue("LOW"), at=NOW - timedelta(hours=38))
    assert hall.post(stale) == 200
    stale["entry"] += message(fatigue("MEDIUM"), at=NOW)["entry"]
    assert hall.post(stale) == 200
    assert [e["value"].get("creative_fatigue_level") for e in hall.events()] == [None, "MEDIUM"]
    assert hall.post(message(PAUSED, at=NOW + timedelta(days=2))) == 200
    assert counted(hall) == {"stale": 4, "future": 1}


def test_a_replay_is_the_same_update(hall: Hall) -> None:
    raw = escaped(message(PAUSED, fatigue("HIGH"), at=NOW))
    assert [hall.post(raw) for _ in range(3)] == [200, 200, 200]
    assert [(e["field"], e["repeats"]) for e in hall.events()] == [
        ("field_changed", 2), ("creative_fatigue", 2),
    ]  # fmt: skip
    # Also after it was processed, and with its keys in another order.
    hall.settle(*[e["event_id"] for e in hall.events()])
    swapped = {k: PAUSED[1][k] for k in reversed(PAUSED[1])}  # type: ignore[index,call-overload]
    assert hall.post(message(("field_changed", swapped), at=NOW)) == 200
    assert [(e["state"], e["repeats"]) for e in hall.events()] == [("done", 3), ("done", 2)]


def test_a_change_at_another_time_waits_with_its_like_or_is_a_new_one(hall: Hall) -> None:
    later = NOW + timedelta(seconds=40)
    hall.post(message(PAUSED, at=NOW))
    hall.post(message(PAUSED, at=later))
    # Nothing was read yet: one reading answers both.
    assert [(e["state"], e["repeats"]) for e in hall.events()] == [("new", 1)]
    with transaction(hall.engine) as c:
        [taken] = inbox.claim(c, NOW, NOW + timedelta(minutes=1), 10)
    # Somebody reads just now, perhaps from before this change: it must be read again.
    hall.post(message(PAUSED, at=later))
    assert len(hall.events()) == 2
    with transaction(hall.engine) as c:
        inbox.settle(c, [inbox.Settled(taken.event_id, "done", {})], NOW)
    hall.post(message(PAUSED, at=later + timedelta(minutes=1)))
    assert [(e["state"], e["repeats"]) for e in hall.events()] == [("done", 1), ("new", 1)]


def test_a_level_of_fatigue_that_comes_back_is_not_swallowed(hall: Hall) -> None:
    for minute, level in enumerate(("LOW", "HIGH", "LOW")):
        hall.post(message(fatigue(level), at=NOW + timedelta(minutes=minute)))
    assert [e["value"]["creative_fatigue_level"] for e in hall.events()] == ["LOW", "HIGH", "LOW"]


def test_a_recommendation_is_known_by_its_value_for_the_hours_of_retries(hall: Hall) -> None:
    advice = ("ad_recommendations", {"recommendation_signature": "00ff", "ad_object_ids": ["1"]})
    hall.post(message(advice, at=NOW))
    hall.settle(hall.events()[0]["event_id"])
    hall.now = NOW + timedelta(hours=35)
    hall.post(message(advice, at=hall.now))
    assert len(hall.events()) == 1
    hall.now = NOW + timedelta(hours=37)
    hall.post(message(advice, at=hall.now))
    assert len(hall.events()) == 2


def test_a_thousand_updates_in_one_message(hall: Hall) -> None:
    ads = [fatigue("HIGH", str(5000 + n)) for n in range(1000)]
    assert hall.post(message(*ads, at=NOW)) == 200
    assert hall.post(message(*reversed(ads), at=NOW)) == 200
    events = hall.events()
    assert len(events) == 1000
    assert {e["repeats"] for e in events} == {1}


def test_an_account_nobody_has_is_kept_without_a_client(hall: Hall) -> None:
    assert hall.post(message(PAUSED, at=NOW, account="777")) == 200
    [event] = hall.events()
    assert (event["client"], event["account_id"]) == (None, 777)
    with transaction(hall.engine) as connection:
        assert inbox.load_counts(connection)[0]["strangers"] == 1


def test_an_announced_size_is_refused_before_anything_is_read(hall: Hall) -> None:
    with receiving(hall.engine, lambda: NOW) as url:
        answer = _raw(url, {"content-length": str(LARGEST + 1)}, b"")
        assert answer.startswith(b"HTTP/1.1 413")
        assert _raw(url, {"content-length": "9" * 30}, b"").startswith(b"HTTP/1.1 4")
    assert refusals(hall.engine, NOW)["too_large"] >= 1


def test_a_body_without_a_length_is_counted_as_it_comes(hall: Hall) -> None:
    piece = b"x" * 65_536
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for _ in range(LARGEST // 65_536 + 2))
    with receiving(hall.engine, lambda: NOW) as url:
        answer = _raw(url, {"transfer-encoding": "chunked"}, chunks + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413")
    assert refusals(hall.engine, NOW) == {"too_large": 1}
    assert hall.events() == []


def test_a_length_that_lies_stores_nothing(hall: Hall) -> None:
    raw = escaped(message(PAUSED, at=NOW))
    store = EngineStore(hooks_url(hall.engine))
    with running(store, lambda: NOW, body_seconds=0.3) as url:
        # Less than announced, and the line stays open.
        longer = {"content-length": str(len(raw) + 10), **signed(raw)}
        assert _raw(url, longer, raw).startswith(b"HTTP/1.1 408")
        # More than announced: what was announced has another signature.
        shorter = {"content-length": str(len(raw) - 10), **signed(raw)}
        assert _raw(url, shorter, raw).startswith(b"HTTP/1.1 403")
    assert hall.events() == []
    assert refusals(hall.engine, NOW) == {"too_slow": 1, "wrong_signature": 1}


def _raw(url: str, headers: dict[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    given = {"x-hub-signature-256": "sha256=" + "0" * 64} | {
        k.lower(): v for k, v in headers.items()
    }
    head = "".join(f"{k}: {v}\r\n" for k, v in given.items())
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as line:
        line.sendall(f"POST {parts.path} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(body)
        return line.recv(4096)


def test_without_a_store_nothing_is_acknowledged(hall: Hall, database_url: str) -> None:
    away = "postgresql://wh_x:pw@127.0.0.1:9/none"
    raw = escaped(message(PAUSED, at=NOW))
    with running(EngineStore(away), lambda: NOW) as url:
        assert httpx.post(url, content=raw, headers=signed(raw)).status_code == 503
    # Meta sends it again when the store is back.
    assert hall.post(raw) == 200
    assert len(hall.events()) == 1


def test_other_paths_and_methods_are_none(hall: Hall) -> None:
    assert hall.http.get("/meta").status_code == 404
    assert hall.http.put(PATH).status_code == 405
    assert hall.http.get("/alive").status_code == 200


def test_the_receivers_login_can_hand_over_and_read_nothing(hall: Hall) -> None:
    with psycopg.connect(hooks_url(hall.engine), autocommit=True) as link:
        link.execute("SELECT * FROM sec.take_webhooks('[]', now())")
        for attack in (
            "SELECT * FROM app.webhook_event", "SELECT * FROM api.webhook_events",
            "SELECT * FROM api.clients", "SELECT * FROM sec.connection", "SELECT * FROM app.job",
            "SELECT sec.viewer(1)", "SELECT api.whoami()", "SET ROLE adlab_owner",
            "DELETE FROM app.webhook_event", "INSERT INTO app.job (kind) VALUES ('x')",
            "CREATE TABLE public.mine (x int)", "CREATE TEMP TABLE mine (x int)",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(attack)  # type: ignore[call-overload]


def test_a_persons_login_cannot_hand_over(hall: Hall) -> None:
    from adlab.core.roles import Role
    from adlab.storage import access
    from adlab.storage.engine import libpq_url

    with transaction(hall.engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        login, password = access.create_credential(c, "ann")
    url = libpq_url(hall.engine.url.set(username=login, password=password))
    with psycopg.connect(url, autocommit=True) as link:
        for attack in ("SELECT * FROM sec.take_webhooks('[]', now())",
                       "SELECT sec.refuse_webhooks('{}', now())"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(attack)
