"""Webhooks: the two gates, the handshake, signatures over raw bytes, retries, and callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .conftest import TOKEN, Caller

SECRET = b"simulated-app-secret"
APP = {"access_token": "555|simulated-app-secret"}
VERIFY = "verify-me"


class Receiver:
    """A subscriber on this machine; `answers` are the statuses of the coming posts."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.challenges = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                outer.challenges += 1
                is_right = asked["hub.verify_token"] == [VERIFY]
                self.send_response(200 if is_right else 403)
                self.end_headers()
                self.wfile.write(asked["hub.challenge"][0].encode() if is_right else b"no")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()
                self.wfile.write(b'{"url":"https://x.example/1","confirmation_code":"1"}')

            def log_message(self, *args: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [
            change
            for _, body in self.posts
            for entry in json.loads(body)["entry"]
            for change in entry["changes"]
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def quiet(launch: Any) -> Caller:
    """A simulator that sends only when told."""
    caller: Caller = launch(webhook_auto=False)
    return caller


FIELDS = (
    "effective_status,with_issues_ad_objects,in_process_ad_objects,creative_fatigue,"
    "ad_recommendations,subscriptions"
)


def subscribe(caller: Caller, url: str, **changed: str) -> Any:
    sent = {
        "object": "ad_account",
        "callback_url": url,
        "fields": FIELDS,
        "verify_token": VERIFY,
        **APP,
        **changed,
    }
    return caller.http.post("/v26.0/555/subscriptions", data=sent)


def open_gates(caller: Caller, url: str) -> None:
    assert subscribe(caller, url).json() == {"success": True}
    assert caller.post("act_1001/subscribed_apps").json() == {"success": True}


def control(caller: Caller, **body: Any) -> Any:
    answer = caller.http.post("/__webhooks", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def first_ad(caller: Caller) -> str:
    return str(caller.get("act_1001/ads")["data"][0]["id"])


def test_a_callback_is_saved_only_after_its_handshake(quiet: Caller, receiver: Receiver) -> None:
    wrong = subscribe(quiet, receiver.url, verify_token="other")
    assert wrong.json()["error"]["code"] == 2200
    listed = quiet.http.get("/v26.0/555/subscriptions", params=APP).json()
    assert listed == {"data": []}
    assert subscribe(quiet, receiver.url).json() == {"success": True}
    assert receiver.challenges == 2
    listed = quiet.http.get("/v26.0/555/subscriptions", params=APP).json()["data"][0]
    assert listed["callback_url"] == receiver.url
    assert {"name": "creative_fatigue", "version": "v26.0"} in listed["fields"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"access_token": TOKEN}, 15),
        ({"fields": "nonsense"}, 100),
        ({"object": "user"}, 100),
        ({"verify_token": ""}, 100),
        ({"callback_url": "https://example.com/hook"}, 100),
        ({"callback_url": "http://10.0.0.1/hook"}, 100),
        ({"callback_url": "http://127.0.0.1.example.com/hook"}, 100),
    ],
)
def test_subscriptions_that_are_refused(
    quiet: Caller, receiver: Receiver, changed: dict[str, str], code: int
) -> None:
    answer = subscribe(quiet, receiver.url, **changed)
    assert answer.json()["error"]["code"] == code
    assert receiver.challenges == 0


def test_nothing_is_delivered_before_both_gates_are_open(quiet: Caller, receiver: Receiver) -> None:
    emit = {"emit": "creative_fatigue", "account": "1001"}
    assert control(quiet, **emit) == {"queued": 0}
    subscribe(quiet, receiver.url)
    assert control(quiet, **emit) == {"queued": 0}
    assert quiet.get("act_1001/subscribed_apps") == {"data": []}
    quiet.post("act_1001/subscribed_apps")
    assert quiet.get("act_1001/subscribed_apps")["data"][0]["id"] == "555"
    assert control(quiet, **emit) == {"queued": 1}
    assert control(quiet, pump=True) == {"sent": 1}
    token = {"access_token": TOKEN}
    quiet.http.delete("/v26.0/act_1001/subscribed_apps", params=token)
    assert control(quiet, **emit) == {"queued": 0}
    reasons = [item["reason"] for item in quiet.http.get("/__webhooks").json()["dropped"]]
    assert len(reasons) == 3
    assert len(receiver.posts) == 1


def test_bodies_are_escaped_and_signed_over_their_raw_bytes(
    quiet: Caller, receiver: Receiver
) -> None:
    open_gates(quiet, receiver.url)
    quiet.config(webhook_locale="de_DE")
    quiet.http.post("/__objects", json={"id": first_ad(quiet), "state": "DISAPPROVED"})
    quiet.config(webhook_locale="ja_JP")
    control(quiet, emit="with_issues_ad_objects", account="1001")
    control(quiet, pump=True)
    texts = b"".join(body for _, body in receiver.posts)
    assert b"verst\\u00f6\\u00dft" in texts
    assert b"\\u53d7\\u4fe1" in texts
    assert all(max(body) < 128 for _, body in receiver.posts)
    for headers, body in receiver.posts:
        right = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={right}"
        assert headers["x-hub-signature"].startswith("sha1=")
    again = json.dumps(json.loads(receiver.posts[-1][1]), ensure_ascii=False).encode()
    assert again != receiver.posts[-1][1]


def test_slashes_are_escaped(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    control(quiet, emit="creative_fatigue", account="1001", value={"message": "a/b Größe"})
    control(quiet, pump=True)
    assert b'"a\\/b Gr\\u00f6\\u00dfe"' in receiver.posts[0][1]


def test_writes_tell_their_changes(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    quiet.config(in_process_seconds=60)
    campaign = quiet.get("act_1001/campaigns")["data"][0]["id"]
    quiet.post(campaign, status="PAUSED")
    quiet.clock(advance_seconds=61)
    control(quiet, pump=True)
    changed = [c["value"] for c in receiver.changes if c["field"] == "field_changed"]
    assert {c["object_type"] for c in changed} == {"campaign", "adset", "ad"}
    assert all(c["changed_fields"] == ["effective_status"] for c in changed)
    own = [c for c in changed if c["object_id"] == campaign]
    assert len(own) == 2
    ended = [c["value"] for c in receiver.changes if c["field"] == "in_process_ad_objects"]
    assert ended == [{"id": campaign, "level": "CAMPAIGN", "status_name": "Paused"}]
    entry = json.loads(receiver.posts[0][1])["entry"][0]
    assert entry["id"] == "1001"
    assert entry["time"] == 1795255620


def test_failed_posts_are_retried_with_growing_gaps_for_36_hours(
    quiet: Caller, receiver: Receiver
) -> None:
    open_gates(quiet, receiver.url)
    receiver.answers = [500] * 50
    control(quiet, emit="creative_fatigue", account="1001")
    control(quiet, pump=True)
    assert len(receiver.posts) == 2
    for _ in range(40):
        control(quiet, pump=True, advance_seconds=3600)
    delivery = quiet.http.get("/__webhooks").json()["deliveries"][0]
    assert delivery["state"] == "given_up"
    times = [attempt["meta_seconds"] for attempt in delivery["attempts"]]
    assert len(times) == 11
    assert times[-1] <= 40 * 3600
    assert {body for _, body in receiver.posts} == {receiver.posts[0][1]}
    assert control(quiet, pump=True, advance_seconds=200_000) == {"sent": 0}


def test_a_retry_that_is_answered_ends_the_matter(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    receiver.answers = [500, 503, 200]
    control(quiet, emit="creative_fatigue", account="1001")
    control(quiet, pump=True, advance_seconds=0)
    control(quiet, pump=True, advance_seconds=60)
    delivery = quiet.http.get("/__webhooks").json()["deliveries"][0]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 503, 200]
    assert delivery["state"] == "delivered"


def test_repeated_failures_can_end_a_subscription(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    quiet.config(webhook_disable_after=1)
    receiver.answers = [500] * 50
    control(quiet, emit="creative_fatigue", account="1001")
    for _ in range(12):
        control(quiet, pump=True, advance_seconds=40_000)
    assert control(quiet, emit="creative_fatigue", account="1001") == {"queued": 0}
    listed = quiet.http.get("/v26.0/555/subscriptions", params=APP).json()["data"][0]
    assert listed["active"] is False


def test_duplicates_order_batches_and_wrong_signatures(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    emit = {"emit": "creative_fatigue", "account": "1001"}
    assert control(quiet, **emit, count=1000, batch=1000) == {"queued": 1}
    control(quiet, pump=True)
    assert len(receiver.changes) == 1000
    receiver.posts.clear()
    assert control(quiet, **emit, duplicates=2) == {"queued": 3}
    control(quiet, pump=True)
    assert len({body for _, body in receiver.posts}) == 1
    receiver.posts.clear()
    control(quiet, **emit, count=3, reorder=True)
    control(quiet, pump=True)
    levels = [c["value"]["creative_fatigue_level"] for c in receiver.changes]
    assert levels == ["HIGH", "MEDIUM", "LOW"]
    receiver.posts.clear()
    for signature in ("bad", "missing", "sha1"):
        control(quiet, **emit, signature=signature)
    control(quiet, **emit, unknown_field=True, stale_seconds=90_000)
    control(quiet, pump=True)
    bad, missing, sha1, odd = receiver.posts
    right = hmac.new(SECRET, bad[1], hashlib.sha256).hexdigest()
    assert bad[0]["x-hub-signature-256"] != f"sha256={right}"
    assert "x-hub-signature-256" not in missing[0]
    assert "x-hub-signature" in sha1[0]
    assert "x-hub-signature-256" not in sha1[0]
    content = json.loads(odd[1])["entry"][0]
    assert content["changes"][0]["field"] == "creative_fatigue_v2"
    assert content["time"] == 1795255620 - 90_000


@pytest.mark.parametrize(
    "body",
    [
        {"emit": "nonsense", "account": "1001"},
        {"emit": "creative_fatigue", "account": "9"},
        {"emit": "creative_fatigue", "account": "1001", "signature": "odd"},
        {"emit": "creative_fatigue", "account": "1001", "other": 1},
        {"emit": "subscriptions", "account": "1001"},
        {"nothing": 1},
    ],
)
def test_control_calls_that_make_no_sense(quiet: Caller, body: dict[str, Any]) -> None:
    assert quiet.http.post("/__webhooks", json=body).status_code == 400


def test_it_sends_by_itself_when_left_to(launch: Any, receiver: Receiver) -> None:
    caller = launch()
    open_gates(caller, receiver.url)
    control(caller, emit="creative_fatigue", account="1001")
    waiting = threading.Event()
    for _ in range(200):
        if receiver.posts:
            break
        waiting.wait(0.02)
    assert len(receiver.posts) == 1


def test_threshold_subscriptions(quiet: Caller, receiver: Receiver) -> None:
    open_gates(quiet, receiver.url)
    url, token = "/v26.0/act_1001/subscriptions", {"access_token": TOKEN}
    good = {
        "event_type": "INSIGHTS_UPDATED",
        "filters": [{"field": "entity_type", "value": "AD", "operator": "EQUAL"}],
        "field": "spent",
        "value": 5000,
        "operator": "GREATER_THAN",
        "status": "ENABLED",
    }
    made = quiet.http.post(url, params=token, json=good).json()["subscription_id"]
    for wrong in (
        {"event_type": "SOMETIMES"},
        {"operator": "EQUAL"},
        {"field": None},
        {"event_type": "OBJECT_CREATED"},
        {"event_type": "INSIGHTS_MILESTONE_REACHED", "operator": "EQUAL", "value": 5},
        {"filters": [{}] * 21},
    ):
        body = {k: v for k, v in {**good, **wrong}.items() if v is not None}
        assert quiet.http.post(url, params=token, json=body).status_code == 400, wrong
    assert [row["id"] for row in quiet.get("act_1001/subscriptions")["data"]] == [made]
    control(quiet, emit="subscriptions", account="1001")
    control(quiet, pump=True)
    value = receiver.changes[0]["value"]
    assert value["subscription_id"] == int(made)
    assert isinstance(value["object_id"], int)
    assert (value["field"], value["current_value"]) == ("spent", "5000")
    one = f"/v26.0/{made}"
    assert quiet.http.patch(one, params=token, json={"status": "DISABLED"}).status_code == 200
    assert quiet.get(made, fields="status")["status"] == "DISABLED"
    assert quiet.http.patch(one, params=token, json={"status": "OFF"}).status_code == 400
    assert quiet.http.delete(one, params=token).json() == {"success": True}
    assert quiet.get("act_1001/subscriptions")["data"] == []


@pytest.mark.parametrize("signature", ["good", "bad"])
def test_signed_requests_of_both_callbacks(
    quiet: Caller, receiver: Receiver, signature: str
) -> None:
    for kind in ("data_deletion", "deauthorize"):
        body = {"kind": kind, "url": receiver.url, "user_id": "9001", "signature": signature}
        answer = quiet.http.post("/__callbacks", json=body).json()
        assert answer["status"] == 200
        assert json.loads(answer["body"])["confirmation_code"] == "1"
    sent = parse_qs(receiver.posts[0][1].decode())["signed_request"][0]
    mark, payload = sent.split(".")
    digest = hmac.new(SECRET, payload.encode(), hashlib.sha256).digest()
    given = base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4))
    assert (given == digest) is (signature == "good")
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert content == {"algorithm": "HMAC-SHA256", "issued_at": 1795255620, "user_id": "9001"}
    status = quiet.raw("act_1001")
    if signature == "good":
        assert status.json()["error"]["error_subcode"] == 458
    else:
        assert status.status_code == 200


def test_callbacks_lead_nowhere_else(quiet: Caller) -> None:
    body = {"kind": "deauthorize", "url": "https://example.com/"}
    answer = quiet.http.post("/__callbacks", json=body)
    assert answer.status_code == 400
    assert "this machine" in answer.json()["error"]
    assert quiet.http.post("/__callbacks", json={"kind": "x", "url": ""}).status_code == 400


def test_app_subscriptions_live_by_the_longer_clock(quiet: Caller) -> None:
    assert quiet.http.get("/v22.0/555/subscriptions", params=APP).status_code == 200
    assert quiet.http.get("/v22.0/act_1001/subscribed_apps", params=APP).status_code == 400


def test_unsubscribing(quiet: Caller, receiver: Receiver) -> None:
    subscribe(quiet, receiver.url)
    one = {**APP, "object": "ad_account", "fields": "creative_fatigue"}
    quiet.http.delete("/v26.0/555/subscriptions", params=one)
    listed = quiet.http.get("/v26.0/555/subscriptions", params=APP).json()["data"][0]
    assert "creative_fatigue" not in {item["name"] for item in listed["fields"]}
    quiet.http.delete("/v26.0/555/subscriptions", params={**APP, "object": "ad_account"})
    assert quiet.http.get("/v26.0/555/subscriptions", params=APP).json() == {"data": []}
