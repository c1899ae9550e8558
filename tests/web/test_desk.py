"""The desk: who may ask, what it does, what it never says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from adlab.core.roles import Role
from adlab.services.access import MetaAccess
from adlab.storage import access
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import Vault
from adlab.web.desk import DeskParts, free_slug, make_desk, run_desk_in_thread
from tests.conftest import TOKEN, Simulator

KEY = "k" * 40
WRONG_TOKEN = "EAAB-wrong-token-of-nobody"


class Asking:
    """A desk, and a way to ask it."""

    def __init__(self, parts: DeskParts, people: dict[str, int], heard: list[str]) -> None:
        self.client = TestClient(make_desk(parts, KEY))
        self.parts, self.people, self.heard = parts, people, heard

    def __call__(self, path: str, person: str = "Ada", key: str = KEY, **body: Any) -> Any:
        """Ask as a person; status and answer."""
        answer = self.client.post(
            path, json={"person_id": self.people[person], **body},
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        return answer.status_code, answer.json()


@pytest.fixture
def desk(owner_engine: Engine, simulator: Simulator) -> Iterator[Asking]:
    """A desk over a fresh store with an admin and an analyst."""
    heard: list[str] = []
    meta = MetaAccess(simulator.url, "v26.0", None, None)
    with transaction(owner_engine) as c:
        people = {
            "Ada": access.store_person(c, "Ada", Role.ADMIN),
            "Nan": access.store_person(c, "Nan", Role.ANALYST),
        }
        store_client(c, "Acme", "acme")
    parts = DeskParts(owner_engine, Vault(b"v" * 32), meta, heard.append)
    yield Asking(parts, people, heard)


def _audit(engine: Engine, action: str) -> list[str]:
    with transaction(engine) as c:
        found = c.scalars(text("SELECT actor FROM sec.audit WHERE action = :a"), {"a": action})
        return list(found)


def test_a_client_is_added_in_the_persons_name(desk: Asking, owner_engine: Engine) -> None:
    status, answer = desk("/clients", name="  Möbel & Söhne ", currency="eur")
    assert (status, answer) == (200, {"ok": True, "slug": "mobel-sohne", "name": "Möbel & Söhne"})
    assert _audit(owner_engine, "client.add") == ["local owner", "Ada"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"), ({"name": "x" * 201}, "name"),
        ({"name": "A", "slug": "acme"}, "slug"), ({"name": "A", "slug": "Not a slug"}, "slug"),
        ({"name": "A", "currency": "EURO"}, "currency"),
        ({"name": "A", "timezone": "Mars/Olympus"}, "timezone"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_field(desk: Asking, given: dict[str, str], field: str) -> None:
    status, answer = desk("/clients", **given)
    assert status in (409, 422)
    assert (answer["ok"], answer["field"]) == (False, field)


def test_a_second_client_of_a_name_needs_a_short_name_of_its_own(desk: Asking) -> None:
    assert desk("/clients", name="Zwilling & Co")[1]["slug"] == "zwilling-co"
    status, answer = desk("/clients", name="zwilling & co")
    assert (status, answer["field"]) == (409, "name")
    assert desk("/clients", name="Zwilling & Co", slug="zwilling-us")[1]["ok"]


def test_an_account_is_connected_and_its_first_sync_begins(
    desk: Asking, owner_engine: Engine
) -> None:
    status, answer = desk("/accounts", slug="acme", account="act_1002", token=TOKEN)
    assert status == 200
    assert answer["account"] == "act_1002"
    assert desk.heard == ["acme"]
    assert _audit(owner_engine, "account.connect") == ["Ada"]
    with transaction(owner_engine) as c:
        sealed = c.scalar(text("SELECT token_sealed FROM sec.connection"))
    assert TOKEN.encode() not in bytes(sealed)


def test_metas_reason_is_told_and_the_token_never(
    desk: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    status, answer = desk("/accounts", slug="acme", account="act_1002", token=WRONG_TOKEN)
    assert status == 422
    assert answer["field"] == "token"
    assert answer["error"]
    missing = desk("/accounts", slug="acme", account="act_987654", token=TOKEN)
    assert missing[0] == 422
    assert missing[1]["field"] == "account"
    said = str(answer) + str(missing) + caplog.text
    assert WRONG_TOKEN not in said
    assert TOKEN not in said
    assert desk.heard == []


def test_a_wrong_key_is_refused_before_anything_else(desk: Asking) -> None:
    for key in ("", "x" * 40, KEY + "x", KEY[:-1]):
        assert desk("/clients", key=key, name="B")[0] == 401
    assert desk.client.post("/clients", json={"person_id": 1, "name": "B"}).status_code == 401
    assert desk.client.get("/clients").status_code == 405


def test_the_right_to_operate_is_asked_of_the_database_each_time(
    desk: Asking, owner_engine: Engine
) -> None:
    assert desk("/clients", "Nan", name="B")[0] == 403
    assert desk("/clients", "Ada", name="B")[0] == 200
    with transaction(owner_engine) as c:
        c.execute(text("UPDATE sec.person SET disabled_at = now() WHERE name = 'Ada'"))
    assert desk("/clients", "Ada", name="C")[0] == 403
    desk.people["Nobody"] = 99_999
    assert desk("/clients", "Nobody", name="C")[0] == 403
    assert desk.client.post(
        "/clients", content=b"[]", headers={"Authorization": f"Bearer {KEY}"}
    ).status_code == 400  # fmt: skip


def test_it_listens_on_the_loopback_address_and_ends(desk: Asking) -> None:
    opened = run_desk_in_thread(desk.parts)
    try:
        assert opened.url.startswith("http://127.0.0.1:")
        assert opened.key not in repr(opened)
        refused = httpx.post(f"{opened.url}/clients", json={})
        assert refused.status_code == 401
        answer = httpx.post(
            f"{opened.url}/clients", json={"person_id": desk.people["Ada"], "name": "Later"},
            headers={"Authorization": f"Bearer {opened.key}"},
        )  # fmt: skip
        assert answer.json()["slug"] == "later"
    finally:
        opened.stop()
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{opened.url}/clients", json={}, timeout=2)


@pytest.mark.parametrize(
    ("name", "taken", "slug"),
    [("Möbel & Co", set(), "mobel-co"), ("Straße", set(), "strasse"), ("東京", set(), "client"),
     ("東京", {"client"}, "client-2"), ("Acme", {"acme", "acme-2"}, "acme-3")],
)  # fmt: skip
def test_addresses_are_made_from_names(name: str, taken: set[str], slug: str) -> None:
    assert free_slug(name, taken) == slug
