"""From a change at Meta to what followed of it: delivered, stored, processed, linked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.conftest import NOW, TOKEN, Simulator
from tests.web.receiver import SECRET, VERIFY, escaped, message, receiving, refusals

from adlab.core.errors import DatabaseUnavailableError, RejectedRequestError, SettingsError
from adlab.meta.client import GraphClient, Retry
from adlab.meta.subscriptions_payload import TOPICS, read_payload
from adlab.services.access import MetaAccess, connect_account
from adlab.services.catalogue import refresh_objects
from adlab.services.inbox import Processed, process, prune
from adlab.services.inbox_subscriptions import (
    SubscriptionParts,
    look,
    reconcile,
    subscribe,
    unsubscribe,
)
from adlab.services.sync_run import IngestParts
from adlab.storage import inbox
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import Vault

VAULT = Vault(b"\x07" * 32)
MOMENT = datetime.fromisoformat(NOW.replace("Z", "+00:00")).astimezone(UTC)
APP = "555"


@dataclass
class Street:
    """A connected account, the simulator it lies in, and a clock that tests move."""

    engine: Engine
    simulator: Simulator
    url: str = ""
    now: datetime = MOMENT
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    broken: bool = False

    def parts(self, base_url: str | None = None) -> IngestParts:
        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return GraphClient(
                base_url or self.simulator.url, "v26.0", VAULT.open(sealed, client_id),
                page_size=500, retry=Retry(attempts=1), sleep=lambda _: None,
            )  # fmt: skip

        return IngestParts(
            self.engine, open_client, lambda c, e: self.told.append((c, dict(e))),
            now=lambda: self.now, concurrency=2,
        )  # fmt: skip

    def process(self) -> Processed:
        return process(self.parts("http://127.0.0.1:9" if self.broken else None), self.now)

    def subscriptions(self, url: str | None = None, app_id: str = APP) -> SubscriptionParts:
        meta = MetaAccess(self.simulator.url, "v26.0", app_id, SECRET, page_size=500)
        return SubscriptionParts(self.engine, VAULT, meta, url or self.url, VERIFY)

    def graph(self, method: str, path: str, **params: Any) -> Any:
        sent = {"access_token": TOKEN, **params}
        kind = {"data": sent} if method == "POST" else {"params": sent}
        answer = httpx.request(method, f"{self.simulator.url}/v26.0/{path}", **kind, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ads(self) -> list[str]:
        return [a["id"] for a in self.graph("GET", "act_1001/ads", limit="100")["data"]]

    def emit(self, topic: str, **more: Any) -> None:
        made = self.simulator.control(
            "POST", "/__webhooks", {"emit": topic, "account": "1001", **more}
        )
        assert made["queued"], self.simulator.control("GET", "/__webhooks")["dropped"]

    def pump(self) -> int:
        sent: int = self.simulator.control("POST", "/__webhooks", {"pump": True})["sent"]
        return sent

    def deliver(self, *changes: tuple[str, Any], account: Any = "1001") -> None:
        """Into the inbox without a receiver between."""
        payload = read_payload(escaped(message(*changes, at=self.now, account=account)), self.now)
        with transaction(self.engine) as connection:
            inbox.take(connection, payload.events, self.now)

    def events(self, topic: str | None = None) -> list[dict[str, Any]]:
        with transaction(self.engine) as connection:
            return inbox.list_updates(connection, topic=topic, most=10_000)[::-1]

    def one(self, query: str, **params: Any) -> Any:
        with transaction(self.engine) as connection:
            return connection.execute(text(query), params).first()


@pytest.fixture
def street(simulator: Simulator, owner_engine: Engine) -> Iterator[Street]:
    simulator.control("POST", "/__config", {"webhook_auto": False})
    with transaction(owner_engine) as c:
        store_client(c, "Berlin", "berlin", "EUR")
    meta = MetaAccess(simulator.url, "v26.0", None, None, page_size=500)
    connect_account(owner_engine, VAULT, meta, "act_1001", "berlin", TOKEN, lambda: MOMENT)
    made = Street(owner_engine, simulator)
    refresh_objects(made.parts())
    made.told.clear()
    yield made
    simulator.control("POST", "/__reset")
    simulator.control("POST", "/__config", {"webhook_auto": True, "webhook_disable_after": 0})


@pytest.fixture
def open_street(street: Street) -> Iterator[Street]:
    """With a receiver that Meta delivers to."""
    with receiving(street.engine, lambda: street.now) as url:
        street.url = url
        assert subscribe(street.subscriptions()).complete
        yield street


def changed(ad: str, kind: str = "ad") -> tuple[str, dict[str, Any]]:
    return "field_changed", {
        "object_id": ad, "object_type": kind, "changed_fields": ["effective_status"],
    }  # fmt: skip


def test_a_write_at_meta_reaches_the_store_and_the_update_names_the_new_version(
    open_street: Street,
) -> None:
    street = open_street
    ad = next(
        a["id"]
        for a in street.graph("GET", "act_1001/ads", fields="effective_status")["data"]
        if a["effective_status"] == "ACTIVE"
    )
    street.graph("POST", ad, status="PAUSED")
    assert street.pump() >= 1
    known = "SELECT effective_status FROM app.object WHERE object_id = :ad"
    assert street.one(known, ad=int(ad)).effective_status == "ACTIVE"
    done = street.process()
    assert (done.claimed, done.failed, done.changed) == (done.done, 0, 1)
    assert street.one(known, ad=int(ad)).effective_status == "PAUSED"
    [event] = [e for e in street.events("effective_status") if e["object_id"] == int(ad)]
    [link] = event["outcome"]["objects"]
    assert (event["state"], event["client"]) == ("done", "berlin")
    assert (link["object_id"], link["changed"], link["effective_status"]) == (ad, True, "PAUSED")
    row = street.one(
        "SELECT state ->> 'effective_status' AS status, valid_to FROM app.object_history WHERE"
        " account_id = 1001 AND level = 4 AND object_id = :ad AND valid_from = :at",
        ad=int(ad), at=datetime.fromisoformat(link["valid_from"]),
    )  # fmt: skip
    assert tuple(row) == ("PAUSED", None)
    assert {"kind": "objects", "level": "ad"} in [e for _, e in street.told]
    # The same update again names the same version, and says that nothing was new.
    street.now += timedelta(minutes=5)
    street.deliver(changed(ad))
    street.process()
    [again] = street.events("effective_status")[-1]["outcome"]["objects"]
    assert again == {**link, "changed": False}


def test_what_meta_delivers_wrongly_is_refused_and_counted(open_street: Street) -> None:
    street = open_street
    for signature in ("bad", "missing", "sha1"):
        street.emit("creative_fatigue", signature=signature)
    street.emit("creative_fatigue", stale_seconds=38 * 3600)
    street.pump()
    assert street.events() == []
    # Meta tries forged ones again; the stale one was answered.
    deliveries = street.simulator.control("GET", "/__webhooks")["deliveries"]
    assert [d["state"] for d in deliveries] == ["pending", "pending", "pending", "delivered"]
    street.emit("creative_fatigue", stale_seconds=25 * 3600, duplicates=2, reorder=True)
    street.pump()
    assert [e["repeats"] for e in street.events()] == [2]


def test_thousands_in_batches_in_any_order_twice_over(open_street: Street) -> None:
    street = open_street
    street.emit("effective_status", count=1000, batch=1000, duplicates=1, reorder=True)
    street.emit("with_issues_ad_objects", count=30, batch=7, unknown_field=True)
    assert street.pump() == 2 + 5
    named = street.events("effective_status")
    ads = {e["object_id"] for e in named}
    # A thousand changes twice over, of eight ads: one reading of each answers all.
    assert (len(named), len(ads), sum(e["repeats"] for e in named)) == (8, 8, 2000 - 8)
    known = "SELECT count(*) FROM app.object WHERE level = 4 AND object_id = ANY (:ads)"
    strange = 8 - street.one(known, ads=list(ads))[0]
    done = street.process()
    # An ad that was never read is asked for its account first.
    assert (done.done, done.claimed, done.calls) == (8, len(street.events()), 8 + strange)
    assert {e["error"] for e in street.events() if e["state"] == "ignored"} == {
        "No topic of this name is known here: 'with_issues_ad_objects_v2'."
    }


def test_every_topic_has_something_follow_or_says_why_not(open_street: Street) -> None:
    street = open_street
    ad = street.ads()[0]
    for topic in TOPICS:
        if topic != "subscriptions":
            street.emit(topic)
    value = {"subscription_id": 9007, "account_id": 1001, "object_id": int(ad), "object_type": "AD",
             "field": "spent", "current_value": "1200"}  # fmt: skip
    street.emit("subscriptions", value=value)
    street.pump()
    street.process()
    found = {e["topic"]: e for e in street.events()}
    assert set(found) == set(TOPICS)
    states = {topic: e["state"] for topic, e in found.items()}
    kept_only = ("product_set_issue", "ads_async_creation_request")
    assert states == {t: "ignored" if t in kept_only else "done" for t in TOPICS}, found
    assert all("Kept as told" in found[t]["error"] for t in kept_only)
    for topic in ("effective_status", "with_issues_ad_objects", "in_process_ad_objects"):
        assert found[topic]["outcome"]["objects"][0]["object_id"] == ad
    assert found["creative_fatigue"]["outcome"] == {
        "signal": "creative_fatigue", "ad_id": ad, "level": "LOW",
    }  # fmt: skip
    advice = found["ad_recommendations"]["outcome"]
    assert advice["catalogue"] == "recommendations"
    assert street.one("SELECT count(*) FROM app.recommendation")[0] == advice["rows"]
    job = found["subscriptions"]["outcome"]["job"]
    row = street.one("SELECT kind, key, account_id, state FROM app.job WHERE job_id = :n",
                     n=job["job_id"])  # fmt: skip
    assert tuple(row) == ("today", "today:1001", 1001, "queued")


def test_the_newest_signal_of_fatigue_is_what_people_see(street: Street) -> None:
    from adlab.core.roles import Role
    from adlab.storage import access
    from adlab.storage.engine import connect_engine, libpq_url

    def level(text: str) -> tuple[str, dict[str, str]]:
        return "creative_fatigue", {"adgroup_id": "1401", "creative_fatigue_level": text}

    street.deliver(level("HIGH"))
    street.now += timedelta(hours=1)
    street.deliver(level("LOW"))
    street.process()
    with transaction(street.engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
        access.store_person(c, "ben", Role.ANALYST)
        access.grant(c, "ann", "berlin", Role.ANALYST)
        logins = [access.create_credential(c, name) for name in ("ann", "ben")]
    seen = []
    for user, password in logins:
        people = connect_engine(libpq_url(street.engine.url.set(username=user, password=password)))
        with transaction(people) as c:
            signals = c.execute(text("SELECT ad_id, level FROM api.fatigue_signals")).all()
            events = c.scalar(text("SELECT count(*) FROM api.webhook_events"))
        people.dispose()
        seen.append(([tuple(s) for s in signals], events))
    assert seen == [([(1401, "LOW")], 2), ([], 0)]


def test_a_processor_that_dies_loses_nothing(street: Street) -> None:
    ad = street.ads()[0]
    street.deliver(changed(ad))
    with transaction(street.engine) as c:
        assert len(inbox.claim(c, street.now, street.now + timedelta(minutes=10), 100)) == 1
    # It is somebody's for ten minutes, and new all the while.
    assert street.process().claimed == 0
    assert street.events()[0]["state"] == "new"
    street.now += timedelta(minutes=11)
    assert street.process().done == 1


def test_trouble_comes_again_later_each_time_and_fails_after_the_fifth_try(street: Street) -> None:
    street.deliver(changed(street.ads()[0]))
    street.broken = True
    waits = []
    for _ in range(10):
        report = street.process()
        if report.failed:
            break
        assert (report.claimed, report.again) == (1, 1)
        began = street.now
        while street.process().claimed == 0 and street.now - began < timedelta(hours=2):
            street.now += timedelta(minutes=1)
            with transaction(street.engine) as c:
                due = c.scalar(text("SELECT not_before <= :n FROM app.webhook_event"),
                               {"n": street.now})  # fmt: skip
            if due:
                break
        waits.append(round((street.now - began).total_seconds() / 60))
    assert waits == [1, 5, 15, 60]
    [event] = street.events()
    assert (event["state"], event["attempts"]) == ("failed", 5)
    assert "No answer from the Graph API" in event["error"]


def test_what_failed_for_a_while_is_done_when_meta_is_back(street: Street) -> None:
    street.deliver(changed(street.ads()[0]))
    street.broken = True
    street.process()
    street.broken = False
    street.now += timedelta(minutes=2)
    assert street.process().done == 1
    assert street.events()[0]["error"] is None


def test_objects_that_cannot_be_read_do_not_fail_those_beside_them(street: Street) -> None:
    ads = street.ads()[:3]
    street.deliver(*[changed(a) for a in ads], changed("999999999"), changed("5", "pixel"),
                   ("field_changed", {"object_type": "ad"}), ("field_changed", None))  # fmt: skip
    report = street.process()
    assert (report.done, report.ignored) == (3, 4)
    why = [e["error"] for e in street.events() if e["state"] == "ignored"]
    assert any("does not show the object" in w for w in why)
    assert any("'pixel'" in w for w in why)
    assert "It names no object." in why


def test_an_object_of_another_account_is_never_stored_under_this_one(street: Street) -> None:
    foreign = street.graph("GET", "act_1002/ads")["data"][0]["id"]
    street.deliver(changed(foreign))
    assert street.process().ignored == 1
    assert street.events()[0]["error"] == "The object is not of this account."
    assert street.one("SELECT 1 FROM app.object WHERE object_id = :n", n=int(foreign)) is None


def test_a_new_object_is_read_and_stored(street: Street) -> None:
    ad = street.ads()[0]
    with transaction(street.engine) as c:
        c.execute(text("DELETE FROM app.object WHERE object_id = :n"), {"n": int(ad)})
    street.deliver(changed(ad, "adgroup"))
    assert street.process().done == 1
    assert street.one("SELECT account_id FROM app.object WHERE object_id = :n", n=int(ad))


def test_an_issue_of_a_creative_reads_the_ads_that_show_it(street: Street) -> None:
    row = street.one("SELECT creative_id, object_id FROM app.object WHERE level = 4"
                     " AND creative_id IS NOT NULL ORDER BY object_id")  # fmt: skip
    issue = {
        "id": str(row.creative_id),
        "level": "CREATIVE",
        "error_code": "1",
        "error_summary": "x",
    }
    street.deliver(("with_issues_ad_objects", issue),
                   ("with_issues_ad_objects", {**issue, "id": "77"}))  # fmt: skip
    street.process()
    shown, unknown = street.events()
    assert str(row.object_id) in [o["object_id"] for o in shown["outcome"]["objects"]]
    assert unknown["error"] == "No ad shows this creative."


def test_updates_of_strangers_and_of_disconnected_accounts_are_ignored(street: Street) -> None:
    ad = street.ads()[0]
    street.deliver(changed(ad), account="777")
    with transaction(street.engine) as c:
        c.execute(text("UPDATE sec.connection SET status = 'reauth_required'"))
    street.deliver(changed(ad))
    assert street.process().ignored == 2
    with transaction(street.engine) as c:
        c.execute(text("UPDATE app.account SET connection_id = NULL"))
    street.now += timedelta(seconds=1)
    street.deliver(changed(ad))
    street.process()
    assert [e["error"] for e in street.events()] == [
        "No client has this account.",
        "The account's connection does not work: reauth_required.",
        "The account is disconnected.",
    ]


def test_a_dead_token_is_noted_on_its_connection(street: Street) -> None:
    street.deliver(changed(street.ads()[0]))
    with transaction(street.engine) as c:
        sealed = VAULT.seal("sim-expired-x", 1)
        c.execute(text("UPDATE sec.connection SET token_sealed = :s"), {"s": sealed})
    assert street.process().ignored == 1
    assert street.one("SELECT status FROM sec.connection").status == "reauth_required"


def test_two_processors_share_the_work(street: Street) -> None:
    street.deliver(*[changed(a) for a in street.ads()])
    with transaction(street.engine) as one, transaction(street.engine) as other:
        until = street.now + timedelta(minutes=10)
        first = inbox.claim(one, street.now, until, 2)
        second = inbox.claim(other, street.now, until, 100)
    assert len(first) == 2
    assert not {u.event_id for u in first} & {u.event_id for u in second}
    assert len(first) + len(second) == len(street.events())


def test_a_job_is_asked_for_once_however_many_updates_come(street: Street) -> None:
    for number in range(3):
        street.now += timedelta(seconds=1)
        street.deliver(("creative_fatigue", {"adgroup_id": str(1401 + number)}))
    rows = street.one("SELECT count(*), min(key), min(state) FROM app.job WHERE kind = 'inbox'")
    assert tuple(rows) == (1, "inbox", "queued")


def test_after_thirty_days_updates_are_forgotten(street: Street) -> None:
    street.deliver(("creative_fatigue", {"adgroup_id": "1401"}))
    street.now += timedelta(days=29)
    assert prune(street.parts()) == 0
    street.now += timedelta(days=2)
    assert prune(street.parts()) == 1
    assert street.events() == []


def test_without_a_store_processing_says_so(street: Street, database_url: str) -> None:
    from adlab.storage.engine import connect_engine

    parts = street.parts()
    parts.engine = connect_engine("postgresql://nobody:pw@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailableError):
        process(parts, street.now)


def test_both_steps_of_a_subscription_and_what_is_missing_is_put_back(open_street: Street) -> None:
    street = open_street
    parts = street.subscriptions()
    assert look(parts).complete
    assert reconcile(parts).accounts[0].state == "subscribed"
    street.graph("DELETE", "act_1001/subscribed_apps")
    found = look(parts)
    assert (found.complete, found.accounts[0].state) == (False, "missing")
    assert [a.state for a in reconcile(parts).accounts] == ["added"]
    app = {"access_token": f"{APP}|{SECRET}", "object": "ad_account", "fields": "creative_fatigue"}
    httpx.delete(f"{street.simulator.url}/v26.0/{APP}/subscriptions", params=app)
    broken = look(parts)
    assert (broken.app, broken.app_problem) == ("incomplete", "Without creative_fatigue.")
    assert reconcile(parts).app == "added"
    assert look(parts).complete


def test_reconciling_begins_nothing_that_nobody_asked_for(street: Street) -> None:
    street.url = "http://127.0.0.1:9/meta/webhooks"
    found = reconcile(street.subscriptions())
    assert (found.app, found.accounts) == ("missing", [])


def test_another_receiver_of_the_same_app_is_not_taken_over(open_street: Street) -> None:
    parts = open_street.subscriptions("http://127.0.0.1:9/meta/webhooks")
    assert reconcile(parts).app == "other address"
    assert look(open_street.subscriptions()).complete


def test_after_unsubscribing_nothing_is_delivered(open_street: Street) -> None:
    street = open_street
    assert unsubscribe(street.subscriptions(), 1001) is None
    assert unsubscribe(street.subscriptions(), 1001) is None
    emit = {"emit": "creative_fatigue", "account": "1001"}
    assert street.simulator.control("POST", "/__webhooks", emit) == {"queued": 0}
    assert unsubscribe(street.subscriptions(), 4711) is not None


def test_an_address_that_does_not_answer_is_named(street: Street) -> None:
    with pytest.raises(RejectedRequestError, match="was not answered") as refused:
        subscribe(street.subscriptions("http://127.0.0.1:9/meta/webhooks"))
    assert VERIFY not in str(refused.value)


def test_a_token_that_may_only_read_is_told_what_it_lacks(open_street: Street) -> None:
    street = open_street
    with transaction(street.engine) as c:
        sealed = VAULT.seal("sim-readonly-x", 1)
        c.execute(text("UPDATE sec.connection SET token_sealed = :s"), {"s": sealed})
    street.graph("DELETE", "act_1001/subscribed_apps")
    [account] = subscribe(street.subscriptions()).accounts
    assert account.state == "failed"
    assert "ads_management" in (account.problem or "")


def test_the_real_meta_is_not_asked_to_call_plain_http(street: Street) -> None:
    meta = MetaAccess("https://graph.example", "v26.0", APP, SECRET)
    parts = SubscriptionParts(street.engine, VAULT, meta, "http://x.example/meta/webhooks", VERIFY)
    with pytest.raises(SettingsError, match="ADLAB_WEB__PUBLIC_URL"):
        subscribe(parts)
    bare = MetaAccess("https://graph.example", "v26.0", None, None)
    with pytest.raises(SettingsError, match="ADLAB_META__APP_ID"):
        look(SubscriptionParts(street.engine, VAULT, bare, "https://x.example", VERIFY))


def test_no_refusal_is_counted_where_everything_went_well(open_street: Street) -> None:
    open_street.emit("creative_fatigue", count=3)
    open_street.pump()
    assert len(open_street.events()) == 3
    assert refusals(open_street.engine, MOMENT) == {}
