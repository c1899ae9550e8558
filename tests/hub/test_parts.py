"""The hub's parts without a hub: roles, plan, copying, looking after children."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from adlab.core.errors import SettingsError
from adlab.core.roles import ROLES, Right, Role, has_right
from adlab.hub.authenticator import model_of
from adlab.hub.homes import find_notebooks
from adlab.hub.people import OneClient, Person
from adlab.hub.plan import Plan, read_plan
from adlab.hub.roles import load_roles, may_log_in
from adlab.hub.services import service_environment, services
from adlab.hub.settling import copy_notebooks
from adlab.hub.sweeping import why_end
from adlab.local import Supervisor, free_port
from adlab.local.proxies import ProxyProgram, find_proxy, smoke_test
from adlab.local.tending import GIVE_UP_AFTER, Tender
from adlab.storage.passwords import Known

PLAN = Plan(
    bind_url="http://127.0.0.1:1/", public_url="http://127.0.0.1:1", hub_port=2,
    proxy_api_url="http://127.0.0.1:3", proxy_token="p", boards_url="http://127.0.0.1:4",
    boards_token="b", web_url="http://127.0.0.1:5", web_token="w", folder="/nowhere",
    database_url="postgresql://owner:secret@host/db", session_key="ab" * 32,
)  # fmt: skip


def test_only_roles_with_notebooks_may_start_servers() -> None:
    groups = {r["groups"][0]: r["scopes"] for r in load_roles() if "groups" in r}
    assert set(groups) == {r.value for r in ROLES} - {"service"}
    for role, definition in ROLES.items():
        if role.value in groups:
            assert ("self" in groups[role.value]) == (Right.USE_NOTEBOOKS in definition.rights)
    assert load_roles()[0]["scopes"] == ["read:users:name!user", "read:users:groups!user"]
    assert not may_log_in("service")
    assert not may_log_in("emperor")


def test_nobody_may_act_in_another_persons_name() -> None:
    # Scopes with a filter are about one's own things, or about one service.
    harmless = {"self", "admin-ui", "list:users", "read:users", "read:servers", "delete:servers"}
    for role in load_roles():
        open_ended = {s for s in role["scopes"] if "!" not in s}
        assert open_ended <= harmless, role["name"]
        operates = "groups" in role and has_right(role["groups"][0], Right.OPERATE)
        assert ("admin-ui" in open_ended) == operates
    for role in Role:
        model = model_of(Known(1, "Ann", "ann", role.value))
        assert model is None or model["admin"] is False


def test_a_plan_travels_in_one_variable_and_says_nothing_of_itself() -> None:
    assert read_plan(PLAN.environment()) == PLAN
    assert "secret" not in repr(PLAN)


@pytest.mark.parametrize("given", [{}, {"ADLAB_HUB_PLAN": ""}, {"ADLAB_HUB_PLAN": '{"a": 1}'}])
def test_a_hub_without_its_plan_says_what_to_start(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="adlab hub"):
        read_plan(given)


def test_services_are_nobodys_children_and_know_the_hub() -> None:
    assert all("command" not in s for s in services(PLAN))
    told = service_environment(PLAN, "boards", "b")
    assert told["JUPYTERHUB_SERVICE_PREFIX"] == "/services/boards/"
    assert told["JUPYTERHUB_API_URL"] == "http://127.0.0.1:2/hub/api"
    assert "secret" not in json.dumps(told)


def test_notebooks_arrive_once_and_edits_are_kept(tmp_path: Path) -> None:
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    shipped.mkdir()
    mine.mkdir()
    (shipped / "a.ipynb").write_text("one")
    (shipped / "b.ipynb").write_text("one")
    assert copy_notebooks(shipped, mine) == ["a.ipynb", "b.ipynb"]
    assert copy_notebooks(shipped, mine) == []
    (mine / "a.ipynb").write_text("my own work")
    (shipped / "a.ipynb").write_text("two")
    (shipped / "b.ipynb").write_text("two")
    assert copy_notebooks(shipped, mine) == ["a (new).ipynb", "b.ipynb"]
    assert (mine / "a.ipynb").read_text() == "my own work"
    assert (mine / "a (new).ipynb").read_text() == "two"
    assert (mine / "b.ipynb").read_text() == "two"


def test_a_notebook_somebody_deleted_does_not_come_back(tmp_path: Path) -> None:
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    shipped.mkdir()
    mine.mkdir()
    (shipped / "a.ipynb").write_text("one")
    copy_notebooks(shipped, mine)
    (mine / "a.ipynb").unlink()
    assert copy_notebooks(shipped, mine) == []


def test_the_starter_notebooks_are_found() -> None:
    assert len(list(find_notebooks().glob("*.ipynb"))) == 4


def test_websockets_pass_through_our_proxy() -> None:
    assert "websockets pass" in smoke_test(find_proxy("python"))


def test_a_proxy_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="configurable-http-proxy is not installed"):
        find_proxy("node")
    assert find_proxy("auto").kind == "python"


def test_the_python_port_of_the_same_name_is_not_taken_for_nodes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = tmp_path / "configurable-http-proxy"
    port.write_text("#!/usr/bin/python3\nimport configurable_http_proxy\n")
    port.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_proxy("auto").kind == "python"


def test_a_proxy_that_drops_subprotocols_is_found_out(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import adlab.local.proxy as p\n"
        "p.ProxyHandler.select_subprotocol = lambda self, offered: None\n"
        "p.main()\n"
    )
    from adlab.core.errors import EmbeddedServerError

    with pytest.raises(EmbeddedServerError, match="subprotocol"):
        smoke_test(ProxyProgram("python", (sys.executable, str(broken))))


def test_who_ends_is_started_again_and_who_keeps_ending_is_left_alone(tmp_path: Path) -> None:
    said: list[str] = []
    stop = threading.Event()
    port = free_port()
    with Supervisor() as parts:
        good = parts.start(
            "good", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
            log=tmp_path / "good.log", ready_url=f"http://127.0.0.1:{port}/",
        )  # fmt: skip
        tender = Tender(parts, said.append)
        good.process.kill()
        give_up = time.monotonic() + 20
        while "good is back." not in said and time.monotonic() < give_up:
            tender.look(stop)
            time.sleep(0.05)
        assert said == ["good has ended (-9); starting it again.", "good is back."]
        assert parts.children[0].pid != good.pid

        tender._deaths["good"].extend([time.monotonic()] * (GIVE_UP_AFTER - 2))
        parts.children[0].process.kill()
        parts.children[0].process.wait()
        tender.look(stop)
        assert "left alone" in said[-1]
        said.clear()
        tender.look(stop)
        assert said == []
        stop.set()


SEEN = OneClient(7, "acme-eu", "Acme")
ANN = Person(1, "Ann", "ann", "analyst", (SEEN,))


@pytest.mark.parametrize(("server", "until", "person", "why"), [
    ("", 0.0, ANN, ""), ("", 200.0, ANN, ""), ("acme-eu", 200.0, ANN, ""),
    ("", 100.0, ANN, "login over"), ("acme-eu", 99.0, ANN, "login over"),
    ("tokyo", 200.0, ANN, "client taken away"), ("", 200.0, None, "no longer allowed"),
    ("", 200.0, replace(ANN, role="client_viewer"), "no longer allowed"),
    ("acme-eu", 200.0, replace(ANN, clients=()), "client taken away"),
    ("", 200.0, replace(ANN, clients=()), ""),
])  # fmt: skip
def test_a_server_lasts_as_long_as_its_person_its_client_and_its_login(
    server: str, until: float, person: Person | None, why: str
) -> None:
    assert why_end(server, until, person, now=100.0) == why
