"""Conversion events: what is sent, what is refused before, and that no value is ever repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adlab.meta.conversions import Event, build

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AT = int(NOW.timestamp()) - 3600


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def event(**changes: Any) -> dict[str, Any]:
    found = {
        "event_name": "Lead", "event_time": AT, "event_id": "order-1", "action_source": "crm",
        "user_data": {"em": "ann@example.com"}, **changes,
    }  # fmt: skip
    if found["action_source"] == "crm":
        found["action_source"] = "system_generated"
    return {k: v for k, v in found.items() if v is not None}


def built(raw: Mapping[str, Any]) -> Event:
    found = build(raw, NOW)
    assert isinstance(found, Event), [str(p) for p in found]
    return found


def user(**data: Any) -> dict[str, Any]:
    found: dict[str, Any] = built(event(user_data=data)).payload["user_data"]
    return found


def fields(raw: Any) -> list[str]:
    found = build(raw, NOW)
    return [] if isinstance(found, Event) else [p.field for p in found]


@pytest.mark.parametrize(
    ("key", "value", "normal"),
    [
        ("em", "  Ann@Example.COM ", "ann@example.com"),
        ("ph", "+49 (30) 901-820", "4930901820"),
        ("ph", "0049 30 901820", "4930901820"),
        ("ph", "1 650.555.1212", "16505551212"),
        ("fn", " Ánn-Marie ", "ánnmarie"),
        ("ln", "O'Neil", "oneil"),
        ("ge", "Female", "f"),
        ("db", "1990-05-31", "19900531"),
        ("db", "19900531", "19900531"),
        ("ct", "St. Gallen 9", "stgallen"),
        ("st", "CA", "ca"),
        ("zp", "94025-1234", "94025"),
        ("zp", "SW1A 1AA", "sw1a1aa"),
        ("country", "DE", "de"),
        ("external_id", "Customer 7", "customer 7"),
    ],
)
def test_customer_data_is_normalised_and_hashed(key: str, value: str, normal: str) -> None:
    assert user(**{"em": "x@example.com", key: value})[key] == [sha(normal)]


def test_what_is_hashed_already_stays_and_md5_is_refused() -> None:
    done = sha("ann@example.com")
    assert user(em=done.upper()) == {"em": [done]}
    assert fields(event(user_data={"em": "0" * 32})) == ["user_data.em"]


def test_several_values_are_deduplicated_in_a_stable_order() -> None:
    found = user(em=["a@example.com", "A@example.com ", "b@example.com"])
    assert found["em"] == sorted([sha("a@example.com"), sha("b@example.com")])


def test_what_meta_wants_in_the_clear_is_not_hashed() -> None:
    plain = {"client_ip_address": "2001:db8::1", "client_user_agent": "Mozilla/5.0 (X)",
             "fbc": "fb.1.1795255200000.AbCd", "fbp": "fb.1.1795255200000.123"}  # fmt: skip
    assert user(**plain) == plain


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"em": "ann at example.com"}, "user_data.em"),
        ({"em": "ann@home"}, "user_data.em"),
        ({"ph": "030 901820"}, "user_data.ph"),
        ({"ph": "call me"}, "user_data.ph"),
        ({"ph": "12"}, "user_data.ph"),
        ({"em": "a@example.com", "db": "31.05.1990"}, "user_data.db"),
        ({"em": "a@example.com", "db": "1990-13-41"}, "user_data.db"),
        ({"em": "a@example.com", "ge": "x"}, "user_data.ge"),
        ({"em": "a@example.com", "country": "Germany"}, "user_data.country"),
        ({"em": "a@example.com", "country": "ZZ"}, "user_data.country"),
        ({"em": "a@example.com", "client_ip_address": "localhost"}, "user_data.client_ip_address"),
        ({"fbc": "fb.1.1795255200.x"}, "user_data.fbc"),
        ({"em": "a@example.com", "shoe_size": "43"}, "user_data.shoe_size"),
        ({"ct": "Berlin", "country": "DE", "ge": "f"}, "user_data"),
        ({}, "user_data"),
        ({"em": True}, "user_data.em"),
    ],
)
def test_customer_data_that_is_none_names_its_field(data: dict[str, Any], field: str) -> None:
    assert fields(event(user_data=data)) == [field]


def test_no_problem_repeats_a_value() -> None:
    secret = "hunter2-Öttinger"
    bad = {
        "event_name": f"{secret}@example.com", "event_time": f"{secret}", "event_id": [secret],
        "action_source": secret, secret: secret, "event_source_url": f"ftp://{secret}",
        "user_data": {"em": secret, "ph": secret, "db": secret, "country": secret, "ge": secret,
                      "client_ip_address": secret, "fbc": secret, f"{secret} x": secret},
        "custom_data": {"value": secret, "currency": secret, "contents": [secret], "x": [secret],
                        "mail": f"{secret}@example.com"},
        "app_data": f"{secret}@example.com",
    }  # fmt: skip
    found = build(bad, NOW)
    assert isinstance(found, list)
    assert len(found) > 14
    assert secret not in " ".join(str(p) for p in found)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (AT * 1000, "milliseconds"),
        (int(NOW.timestamp()) + 120, "future"),
        (int((NOW - timedelta(days=7)).timestamp()), "more than 7 days"),
        ("yesterday", "Unix seconds"),
        ("2026-11-21T09:00:00", "offset"),
        (True, "Unix seconds"),
        (1.5, "Unix seconds"),
        (None, "required"),
    ],
)
def test_a_moment_that_is_none_is_told(value: Any, told: str) -> None:
    found = build(event(event_time=value), NOW)
    assert isinstance(found, list)
    assert [p.field for p in found] == ["event_time"]
    assert told in str(found[0])


def test_moments_are_seconds_whatever_they_were() -> None:
    assert built(event(event_time="2026-11-21T10:00:00+0100")).payload["event_time"] == AT
    assert built(event(event_time=str(AT))).payload["event_time"] == AT
    assert built(event(event_time=int(NOW.timestamp()) + 50)).payload
    week = built(event())
    assert week.expires_at - week.event_time == timedelta(days=7)


def test_a_store_may_report_for_62_days() -> None:
    old = int((NOW - timedelta(days=61)).timestamp())
    assert fields(event(event_time=old)) == ["event_time"]
    found = built(event(event_time=old, action_source="physical_store"))
    assert found.expires_at > NOW


def test_a_website_names_its_page_and_browser() -> None:
    assert fields(event(action_source="website")) == [
        "event_source_url", "user_data.client_user_agent",
    ]  # fmt: skip
    good = event(
        action_source="website", event_source_url="https://shop.example/thanks",
        user_data={"em": "a@example.com", "client_user_agent": "Mozilla"},
    )  # fmt: skip
    assert built(good).payload["event_source_url"] == "https://shop.example/thanks"
    good["event_source_url"] += "?mail=a%40example.com"
    assert fields(good) == ["event_source_url"]


def test_a_purchase_has_a_value_in_a_currency() -> None:
    bare = event(event_name="Purchase")
    assert fields(bare) == ["custom_data.value", "custom_data.currency"]
    assert fields({**bare, "custom_data": {"value": "many", "currency": "euro"}}) == [
        "custom_data.value", "custom_data.currency",
    ]  # fmt: skip
    whole = {
        "value": "49.90", "currency": "EUR", "order_id": "7", "num_items": 2,
        "content_ids": ["a", 1], "contents": [{"id": "a", "quantity": 2, "item_price": 24.95}],
        "shop": "north",
    }  # fmt: skip
    found = built({**bare, "custom_data": whole}).payload["custom_data"]
    assert found == {
        "value": 49.9, "currency": "eur", "order_id": "7", "num_items": 2,
        "content_ids": ["a", "1"], "contents": [{"id": "a", "quantity": 2, "item_price": 24.95}],
        "shop": "north",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_name": None}, "event_name"),
        ({"event_id": None}, "event_id"),
        ({"event_id": "ann@example.com"}, "event_id"),
        ({"action_source": "web"}, "action_source"),
        ({"custom_data": [1]}, "custom_data"),
        ({"custom_data": {"note": "ann@example.com"}}, "custom_data.note"),
        ({"custom_data": {"value": 3}}, "custom_data.currency"),
        ({"data_processing_options": ["X"]}, "data_processing_options"),
        ({"action_source": "app"}, "app_data"),
        ({"opt_out": "no"}, "opt_out"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_everything_else_that_is_wrong_names_its_field(changes: dict[str, Any], field: str) -> None:
    assert fields(event(**changes)) == [field]


def test_what_is_no_object_is_no_event() -> None:
    assert [fields(x) for x in (None, 7, "event", [])] == [["event"]] * 4
