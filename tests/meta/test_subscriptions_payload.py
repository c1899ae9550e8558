"""What a webhook says: read or refused, known by a digest, recognised by its value."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adlab.meta.signatures import answer_handshake, is_signed
from adlab.meta.subscriptions_payload import PayloadError, canonical, read_payload

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def one(field: str, value: Any, **entry: Any) -> dict[str, Any]:
    """The record of a message of one update."""
    body = {"id": "1001", "time": int(NOW.timestamp()),
            "changes": [{"field": field, "value": value}], **entry}  # fmt: skip
    return read_payload(json.dumps({"object": "ad_account", "entry": [body]}).encode(), NOW).events[
        0
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b"null", "malformed"),
        (b'{"object":"ad_account"}', "malformed"),
        (b'{"object":"ad_account","entry":[]}', "malformed"),
        (b'{"object":"ad_account","entry":[1,null,"x"]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"1001","time":1795255200}]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"x","time":1795255200,"changes":'
         b'[{"field":"f","value":1}]}]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"1001","time":true,"changes":'
         b'[{"field":"f","value":1}]}]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"1001","time":1795255200,"changes":'
         b'[{"field":7},{"value":1},"x"]}]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"1001","time":1795255200,"changes":'
         b'[{"field":"f","value":NaN}]}]}', "malformed"),
        (b'{"object":"ad_account","entry":[{"id":"1001","time":1795255200,"changes":'
         b'[{"field":"f","value":1e999}]}]}', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 5000 + b"]" * 5000, "malformed"),
        (b'{"object":"page","entry":[{"id":"801","time":1795255200,"changes":'
         b'[{"field":"leadgen","value":{}}]}]}', "unknown_object"),
        (b'{"object":["ad_account"],"entry":[1]}', "unknown_object"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        read_payload(body, NOW)
    assert refused.value.reason == reason


def test_an_update_is_known_by_everything_it_says() -> None:
    value = {"object_id": "1401", "object_type": "ad", "changed_fields": ["effective_status"]}
    first = one("field_changed", value)
    swapped = one("field_changed", dict(reversed(value.items())))
    assert (first["digest"], first["value_digest"]) == (swapped["digest"], swapped["value_digest"])
    others = [
        one("field_changed", value, id="1002"), one("effective_status", value),
        one("field_changed", {**value, "object_id": "1402"}),
        one("field_changed", {**value, "object_id": 1401}),
    ]  # fmt: skip
    assert len({o["value_digest"] for o in [first, *others]}) == 5
    later = one("field_changed", value, time=int(NOW.timestamp()) + 1)
    assert later["value_digest"] == first["value_digest"]
    assert later["digest"] != first["digest"]


@pytest.mark.parametrize(
    ("field", "topic", "value", "object_id", "collapse"),
    [
        ("field_changed", "effective_status", {"object_id": "1401"}, 1401, "waiting"),
        ("with_issues_ad_objects", "with_issues_ad_objects", {"id": "1401"}, 1401, "waiting"),
        ("in_process_ad_objects", "in_process_ad_objects", {"id": "1401"}, 1401, "waiting"),
        ("creative_fatigue", "creative_fatigue", {"adgroup_id": "1401"}, 1401, "exact"),
        ("ad_recommendations", "ad_recommendations", {"ad_object_ids": ["1"]}, None, "once"),
        ("ads_async_creation_request", "ads_async_creation_request", {"id": "6"}, None, "once"),
        ("product_set_issue", "product_set_issue", {"product_set_id": "5"}, None, "exact"),
        ("subscriptions", "subscriptions", {"object_id": 1401}, 1401, "waiting"),
        ("subscriptions", "subscriptions", {"object_id": True}, None, "waiting"),
        ("subscriptions", "subscriptions", {"object_id": "9" * 30}, None, "waiting"),
        ("creative_fatigue", "creative_fatigue", "a text", None, "exact"),
        ("something_new", None, {"object_id": "1"}, None, "exact"),
    ],
)
def test_each_topic_names_its_object_and_how_repeats_are_told(
    field: str, topic: str | None, value: Any, object_id: int | None, collapse: str
) -> None:
    record = one(field, value)
    assert (record["topic"], record["object"], record["collapse"]) == (topic, object_id, collapse)
    assert record["value"] == value


def test_only_what_meta_may_still_send_is_believed() -> None:
    ages = (timedelta(hours=36, minutes=59), timedelta(hours=37, seconds=1), -timedelta(hours=23),
            -timedelta(hours=25))  # fmt: skip
    changes = [{"field": "creative_fatigue", "value": {}}] * 2
    entries = [
        {"id": "1001", "time": int((NOW - age).timestamp()), "changes": changes} for age in ages
    ]
    entries.append({**entries[0], "time": int(NOW.timestamp()) * 1000})
    body = json.dumps({"object": "ad_account", "entry": entries}).encode()
    payload = read_payload(body, NOW)
    assert len(payload.events) == 4
    assert payload.refused == {"stale": 2, "future": 4}


def test_whole_numbers_of_any_length_have_a_canonical_form() -> None:
    assert canonical({"b": 10**30, "a": 1}) == b'{"a":1,"b":' + b"1" + b"0" * 30 + b"}"


def test_no_secret_believes_nobody() -> None:
    with pytest.raises(ValueError, match="empty app secret"):
        is_signed(b"{}", "sha256=", "")
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}
    assert answer_handshake(query, ("",)) is None
    assert answer_handshake(query, ()) is None
