"""A server a client: its name is the grant, and it ends with the grant. Idle servers end as well."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from adlab.core.roles import Role
from adlab.hub.people import server_name
from adlab.storage import access
from adlab.storage.engine import transaction
from tests.hub import kernels
from tests.hub.conftest import Running, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEES = """
import json, adlab
lab = adlab.connect()
print(json.dumps(sorted(lab.clients(status=None).index)))
"""


@pytest.fixture(scope="module")
def house(
    plain_server: str, redis_url: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A house whose servers idle after seconds."""
    home = tmp_path_factory.mktemp("named")
    with opened(plain_server, redis_url, home, idle_minutes=1, servers_each=2) as found:
        with transaction(found.engine) as connection:
            for name, username, slug in (("Dora Analyst", "dora", "tokyo"),
                                         ("Egon Analyst", "egon", "tokyo")):  # fmt: skip
                access.store_person(connection, name, Role.ANALYST, username)
                access.grant(connection, name, slug, Role.ANALYST)
        yield found


def act(house: Running, statement: str, **values: str) -> None:
    """Do something in the store, as the owner."""
    with transaction(house.engine) as connection:
        connection.execute(text(statement), values)


def revoke(house: Running, username: str, slug: str) -> None:
    """Take a client from a person."""
    act(
        house,
        "DELETE FROM sec.access a USING sec.person p, app.client c WHERE p.username = :username "
        "AND c.slug = :slug AND a.person_id = p.person_id AND a.client_id = c.client_id",
        username=username, slug=slug,
    )  # fmt: skip


def test_a_named_server_sees_its_client_alone_and_the_default_one_sees_all(house: Running) -> None:
    with house.browser("Ann Analyst") as ann:
        page = ann.get("/hub/home").text
        assert "/hub/spawn/ann/nordlicht" in page
        assert "/hub/spawn/ann/atelier" in page
        assert "tokyo" not in page
        began = time.monotonic()
        one = kernels.start(ann, "ann", "nordlicht")
        print(f"named server ready after {time.monotonic() - began:.1f} s")
        all_of_hers = kernels.start(ann, "ann")
        assert kernels.told(ann, one, SEES) == ["nordlicht"]
        assert kernels.told(ann, all_of_hers, SEES) == ["atelier", "nordlicht"]
        # Two side by side are allowed here; a third is not, and says so.
        third = ann.get("/hub/spawn/ann/atelier")
        assert third.status_code == 409
        assert "Stop one of them first" in third.text
        kernels.stop(ann, "ann")
        two = kernels.start(ann, "ann", "atelier")
        assert kernels.told(ann, two, SEES) == ["atelier"]
        assert 'class="house-small stop-one" data-server="atelier"' in ann.get("/hub/home").text
        kernels.stop(ann, "ann", "atelier")
        kernels.stop(ann, "ann", "nordlicht")


def test_a_name_of_another_client_reads_like_a_name_of_none(house: Running) -> None:
    with house.browser("Ann Analyst") as ann:
        answers = {}
        for name in ("tokyo", "nobody-there"):
            answer = ann.get(f"/hub/spawn/ann/{name}")
            assert answer.status_code == 403, name
            answers[name] = answer.text.replace(name, "…")
        assert "no server of that name" in answers["tokyo"]
        page = {name: text.split("<main")[1].split("</main>")[0] for name, text in answers.items()}
        assert page["tokyo"] == page["nobody-there"]
        assert ann.get("/hub/spawn/ben/tokyo").status_code in (403, 404)
        assert ann.get("/hub/spawn/ann/No_Name").status_code == 400
        assert ann.get("/user/ann/tokyo/api/status").status_code in (403, 404, 424, 503)


def test_long_and_odd_slugs_have_names_of_their_own() -> None:
    long = "a-very-long-name-of-a-client-in-europe"
    names = {slug: server_name(slug) for slug in (long, f"{long}-too", "1st-choice", "a--b", "ok")}
    assert names["ok"] == "ok"
    assert len(set(names.values())) == len(names)
    for name in names.values():
        assert len(name) <= 30
        assert "--" not in name
        assert name[0].isalpha()
        assert name[-1].isalnum()
    from jupyterhub.slugs import is_valid_safe_slug

    assert all(is_valid_safe_slug(name) for name in names.values())


def test_a_grant_taken_away_ends_its_server_within_a_minute(house: Running) -> None:
    with house.browser("Dora Analyst") as dora:
        base = kernels.start(dora, "dora", "tokyo")
        assert kernels.told(dora, base, SEES) == ["tokyo"]
        revoke(house, "dora", "tokyo")
        began = time.monotonic()
        assert kernels.told(dora, base, SEES) == []  # the data at once, the server soon after
        while kernels.is_up(dora, base):
            assert time.monotonic() - began < 60, "it is still there"
            time.sleep(0.3)
        print(f"revoked: server gone after {time.monotonic() - began:.1f} s")
        while (asked := dora.get("/hub/spawn/dora/tokyo")).status_code != 403:
            # Reason: while it is stopping, the page says so.
            assert asked.url.path == "/hub/spawn-pending/dora/tokyo"
            assert time.monotonic() - began < 90, "it never ended"
            time.sleep(0.3)


def test_whoever_is_disabled_loses_sessions_tokens_and_servers_within_a_minute(
    house: Running,
) -> None:
    with house.browser("Egon Analyst") as egon:
        base = kernels.start(egon, "egon")
        made = egon.post(
            "/hub/api/users/egon/tokens", json={"note": "mine"},
            headers=kernels.token(egon, "/hub/"),
        )  # fmt: skip
        assert made.status_code == 201, made.text
        mine = {"Authorization": f"token {made.json()['token']}"}
        asked = house.url + "/hub/api/user"
        import httpx

        assert httpx.get(asked, headers=mine).status_code == 200
        act(house, "UPDATE sec.person SET disabled_at = now() WHERE username = 'egon'")
        began = time.monotonic()
        ends: dict[str, float] = {}
        while len(ends) < 3:
            now = time.monotonic() - began
            assert now < 60, ends
            if "server" not in ends and not kernels.is_up(egon, base):
                ends["server"] = now
            if "token" not in ends and httpx.get(asked, headers=mine).status_code == 403:
                ends["token"] = now
            if "session" not in ends and egon.get("/hub/home").url.path == "/hub/login":
                ends["session"] = now
            time.sleep(0.3)
        print("disabled: " + ", ".join(f"{k} gone after {v:.1f} s" for k, v in ends.items()))
        # Being enabled again does not bring the old session back.
        act(house, "UPDATE sec.person SET disabled_at = NULL WHERE username = 'egon'")
        assert httpx.get(asked, headers=mine).status_code == 403
        assert egon.get("/hub/home").url.path == "/hub/login"


def test_an_idle_server_ends_and_a_busy_one_does_not(house: Running) -> None:
    with house.browser("Ben Analyst") as ben, house.browser("Ann Analyst") as ann:
        busy, idle = kernels.start(ben, "ben"), kernels.start(ann, "ann")
        # Two minutes without a word: no message moves any clock of last activity.
        kernels.run(ben, busy, "import time\nfor _ in range(1200): time.sleep(0.1)", wait=False)
        kernels.run(ann, idle, "1 + 1")
        began = time.monotonic()
        # Reason: asking the server itself would be a sign of life, so the hub is asked.
        while "ann" in running_at(house):
            assert time.monotonic() - began < 130, "it never ended"
            time.sleep(1)
        took = time.monotonic() - began
        assert took > 50
        assert "ben" in running_at(house)
        time.sleep(5)
        assert "ben" in running_at(house)
        print(f"idle after one minute: ended after {took:.0f} s, the busy one goes on")


def running_at(house: Running) -> set[str]:
    """Whose servers run, as the audit log tells: every start without its stop."""
    with transaction(house.engine) as connection:
        rows = connection.execute(text(
            "SELECT actor, action, details->>'server' AS server FROM sec.audit "
            "WHERE action IN ('server.start', 'server.stop') ORDER BY 1"
        )).all()  # fmt: skip
    names = {"Ann Analyst": "ann", "Ben Analyst": "ben"}
    count: dict[str, int] = {}
    for actor, action, _ in rows:
        name = names.get(actor, actor)
        count[name] = count.get(name, 0) + (1 if action == "server.start" else -1)
    return {name for name, left in count.items() if left > 0}
