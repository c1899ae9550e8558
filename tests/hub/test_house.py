"""One login for everything: who gets in, who gets a server, what goes on when a part dies."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import psutil
import pytest
from sqlalchemy import text

from adlab.storage import passwords
from adlab.storage.engine import transaction
from tests.hub.conftest import PASSWORD, Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def log_in(browser: httpx.Client, username: str, password: str) -> httpx.Response:
    """Fill in the hub's form."""
    page = browser.get("/hub/login")
    token = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
    assert token is not None
    return browser.post(
        "/hub/login", data={"_xsrf": token[1], "username": username, "password": password}
    )


def until(fact: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.2)


def test_the_front_door_asks_who_is_there_and_leads_back(running: Running) -> None:
    with running.browser() as nobody:
        page = nobody.get("/")
        assert page.url.path == "/hub/login"
        assert "Log in" in page.text
        again = nobody.get("/services/boards/client?client=nordlicht")
        assert again.url.path == "/hub/login"


@pytest.mark.parametrize(("username", "password"), [
    ("ann", "wrong horse battery"), ("nobody", PASSWORD), ("", ""), ("ann' OR 1=1 --", PASSWORD),
    ("report writer (nordlicht)", PASSWORD),
])  # fmt: skip
def test_a_wrong_name_or_password_reads_the_same(
    running: Running, username: str, password: str
) -> None:
    with running.browser() as browser:
        answer = log_in(browser, username, password)
        assert answer.status_code == 403
        assert "The username or the password is wrong." in answer.text
        assert browser.get("/services/web/").url.path == "/hub/login"


def test_logins_are_kept_and_what_nobody_is_called_is_not(running: Running) -> None:
    typed = "my secret pass phrase typed in the wrong field"
    with running.browser() as browser:
        log_in(browser, typed, "x")
        log_in(browser, "ann", "wrong horse battery")
        log_in(browser, "ann", PASSWORD)
    with transaction(running.engine) as connection:
        rows = connection.execute(text(
            "SELECT action, actor, details FROM sec.audit WHERE action LIKE 'login.%' "
            "ORDER BY audit_id DESC LIMIT 3"
        )).all()  # fmt: skip
        everything = str(connection.execute(text("SELECT a::text FROM sec.audit a")).all())
    assert [(r.action, r.actor) for r in rows] == [
        ("login.ok", "Ann Analyst"), ("login.fail", "Ann Analyst"),
        ("login.fail", "somebody unknown"),
    ]  # fmt: skip
    assert all(r.details == {"by": "password", "address": "127.0.0.1"} for r in rows)
    assert typed not in everything
    assert PASSWORD not in everything


def test_a_locked_name_is_kept_too(running: Running) -> None:
    with transaction(running.engine) as connection:
        passwords.set_password(connection, "Toru Client", PASSWORD)
    with running.browser() as browser:
        for _ in range(6):
            answer = log_in(browser, "toru-client", "wrong sushi and rice")
        assert "Too many wrong passwords for this name" in answer.text
    with transaction(running.engine) as connection:
        assert connection.scalar(text(
            "SELECT count(*) FROM sec.audit WHERE action = 'login.locked' AND actor = 'Toru Client'"
        ))  # fmt: skip
        connection.execute(text("DELETE FROM sec.password WHERE person_id = "
                                "(SELECT person_id FROM sec.person WHERE name = 'Toru Client')"))  # fmt: skip


def test_a_name_nobody_has_is_locked_in_the_same_words(running: Running) -> None:
    with running.browser() as browser:
        for _ in range(6):
            answer = log_in(browser, "nobody-of-that-name", "wrong sushi and rice")
        assert "Too many wrong passwords for this name" in answer.text


def test_many_names_from_one_address_are_slowed_and_other_addresses_are_not(
    running: Running,
) -> None:
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(base_url=running.url, transport=elsewhere, timeout=30,
                      follow_redirects=True) as guesser:  # fmt: skip
        # Naming another address each time does not help.
        told = [
            log_in_from(guesser, f"name{number}", {"X-Forwarded-For": f"10.0.0.{number}"})
            for number in range(25)
        ]
        assert told[0].status_code == 403
        assert told[-1].status_code == 429
        assert 1 <= int(told[-1].headers["Retry-After"]) <= 6
        assert "Too many attempts from here" in told[-1].text
    with running.browser() as ann:
        assert log_in(ann, "ann", PASSWORD).url.path == "/services/web/"


def log_in_from(browser: httpx.Client, username: str, headers: dict[str, str]) -> httpx.Response:
    """Guess, with headers of one's own."""
    page = browser.get("/hub/login")
    token = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
    assert token is not None
    return browser.post(
        "/hub/login", headers={"Accept": "text/html", **headers},
        data={"_xsrf": token[1], "username": username, "password": "guess guess guess"},
    )  # fmt: skip


def test_nobody_posts_themselves_in(running: Running) -> None:
    with running.browser() as browser:
        page = browser.get("/hub/login")
        token = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
        assert token is not None
        answer = browser.post("/hub/login", data={
            "_xsrf": token[1], "username": "ann", "password": "x", "proved": "ann", "link": "x",
        })  # fmt: skip
        assert answer.status_code == 403


def test_a_password_opens_the_front_door_with_ones_own_clients(running: Running) -> None:
    with running.browser() as ann:
        home = log_in(ann, "ann", PASSWORD)
        assert home.url.path == "/services/web/"
        assert "Nordlicht Outdoor" in home.text
        assert "Tokyo Sweets" not in home.text
        assert ann.get("/services/boards/client?client=nordlicht").status_code == 200
        assert "no such client" in ann.get("/services/boards/client?client=tokyo").text
    with running.browser() as ben:
        home = log_in(ben, "Ben Analyst", PASSWORD)
        assert "Tokyo Sweets" in home.text
        assert "Nordlicht" not in home.text


def test_a_client_viewer_lands_on_the_portal_and_gets_no_server(running: Running) -> None:
    with running.browser("Nora Client") as nora:
        portal = nora.get("/")
        assert portal.url.path == "/services/boards/client"
        assert "Nordlicht Outdoor" in portal.text
        for path in ("/hub/spawn", "/hub/spawn/nora-client", "/hub/spawn/ann"):
            answer = nora.get(path)
            assert answer.status_code in (403, 404), path
        assert nora.get("/user/nora-client/lab").status_code in (403, 404)
        token = nora.cookies.get("_xsrf", path="/hub/")
        made = nora.post(f"/hub/api/users/nora-client/server?_xsrf={token}")
        assert made.status_code == 403
        home = nora.get("/hub/home")
        assert "no notebooks" in home.text
    assert not _servers(running)


def test_an_admin_sees_servers_and_is_nobody_else(running: Running) -> None:
    with running.browser("Ana Weiss"), running.browser("Adam Admin") as adam:
        assert "Running notebooks" in adam.get("/hub/admin").text
        assert "ana-weiss" in adam.get("/hub/api/users").text
        token = adam.cookies.get("_xsrf", path="/hub/")
        for what in ("tokens", "server"):
            made = adam.post(f"/hub/api/users/ana-weiss/{what}?_xsrf={token}", json={})
            assert made.status_code in (403, 404), what
        for path in ("/hub/spawn/ana-weiss", "/user/ana-weiss/lab", "/hub/token/ana-weiss"):
            assert adam.get(path).status_code in (403, 404), path
    with running.browser("Ann Analyst") as ann:
        assert ann.get("/hub/admin").status_code == 403
        assert ann.get("/hub/api/users").status_code == 403
    assert not _servers(running)


def test_error_pages_speak_plainly(running: Running) -> None:
    with running.browser("Nora Client") as nora:
        for path, said in (
            ("/hub/nosuch", "There is no such page."),
            ("/hub/spawn", "This is not open to you."),
            ("/hub/link/made.up", "This link no longer works."),
        ):
            page = nora.get(path).text
            assert re.search(rf"<title>\s*{re.escape(said)} · adlab\s*</title>", page)
            assert f"<h1>{said}</h1>" in page
            assert "scopes" not in page


def test_a_link_logs_in_once(running: Running) -> None:
    link = running.link("Nora Client")
    with running.browser() as first:
        ahead = first.get(link, headers={"Sec-Purpose": "prefetch"})
        assert ahead.status_code == 204
        assert first.get(link).status_code == 200
    with running.browser() as second:
        again = second.get(link)
        assert again.status_code == 410
        assert "no longer works" in again.text
        forged = second.get(f"{running.url}/hub/link/made-up.token.here")
        assert forged.status_code == 410


def test_a_link_for_another_person_ends_the_first_ones_session(running: Running) -> None:
    with running.browser("Ann Analyst") as shared:
        assert "Nordlicht" in shared.get("/services/web/").text
        shared.get(running.link("Ben Analyst"))
        assert "Nordlicht" not in shared.get("/services/web/").text
        assert "no such client" in shared.get("/services/boards/client?client=nordlicht").text


def test_an_invited_person_chooses_a_password_and_is_in(running: Running) -> None:
    link = running.link("Toru Client", "password")
    with running.browser() as toru:
        page = toru.get(link)
        assert "Welcome, Toru Client" in page.text
        token = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
        assert token is not None

        def choose(one: str, two: str) -> httpx.Response:
            return toru.post(link, data={"_xsrf": token[1], "password": one, "again": two})

        assert "differ" in choose("sushi and rice", "sushi and fish").text
        assert "10 to 200 characters" in choose("short", "short").text
        assert choose("sushi and rice", "sushi and rice").url.path == "/services/boards/client"
        assert toru.get(link).status_code == 410
    with running.browser() as later:
        assert log_in(later, "toru-client", "sushi and rice").url.path.startswith("/services/")


def test_logging_out_ends_it_everywhere(running: Running) -> None:
    with running.browser("Ann Analyst") as ann:
        assert ann.get("/services/boards/client?client=nordlicht").status_code == 200
        kept = dict(ann.cookies)
        ann.get("/hub/logout")
        assert ann.get("/services/web/").url.path == "/hub/login"
        assert ann.get("/services/boards/client?client=nordlicht").url.path == "/hub/login"
        del kept


def test_whoever_is_disabled_is_out_within_a_minute(running: Running) -> None:
    with transaction(running.engine) as connection:
        from adlab.core.roles import Role
        from adlab.storage import access

        access.store_person(connection, "Short Stay", Role.ANALYST, "short")
        access.grant(connection, "Short Stay", "tokyo", Role.ANALYST)
    with running.browser("Short Stay") as browser:
        assert "Tokyo Sweets" in browser.get("/services/web/").text
        with transaction(running.engine) as connection:
            connection.execute(
                text("UPDATE sec.person SET disabled_at = now() WHERE username = 'short'")
            )
        until(lambda: "Tokyo" not in browser.get("/services/boards/client?client=tokyo").text, 65)


def test_no_token_stands_in_any_log(running: Running) -> None:
    link = running.link("Ann Analyst")
    with running.browser() as browser:
        browser.get(link)
        browser.get("/services/web/")
    secret = link.rsplit("/", 1)[1]
    with transaction(running.engine) as connection:
        hashes = connection.scalar(text("SELECT count(*) FROM sec.login_link"))
    assert hashes
    for log in running.house.logs.glob("*.log"):
        content = log.read_text(errors="replace")
        assert secret not in content, log.name
        assert secret.split(".")[0] not in content, log.name
        for known in (running.house.plan.boards_token, running.house.plan.session_key, PASSWORD,
                      running.house.plan.proxy_token):  # fmt: skip
            assert known not in content, log.name


@pytest.mark.parametrize("victim", ["hub", "boards", "web"])
def test_when_one_part_dies_the_others_go_on_and_it_comes_back(
    running: Running, victim: str
) -> None:
    pages = {
        "hub": "/hub/home", "web": "/services/web/",
        "boards": "/services/boards/client?client=nordlicht",
    }  # fmt: skip
    with running.browser("Ann Analyst") as ann:
        for path in pages.values():
            assert ann.get(path).status_code == 200, path
        child = next(c for c in running.parts.children if c.name == victim)
        psutil.Process(child.pid).kill()
        for name, path in pages.items():
            answer = ann.get(path)
            if name == victim:
                assert answer.status_code in (200, 503), path
                assert answer.status_code == 200 or "not answering" in answer.text
            else:
                assert answer.status_code == 200, path
        until(lambda: all(ann.get(p).status_code == 200 for p in pages.values()))
    assert f"{victim} is back." in running.said


def _servers(running: Running) -> list[psutil.Process]:
    hub = next(c for c in running.parts.children if c.name == "hub")
    return [p for p in psutil.Process(hub.pid).children(recursive=True)
            if "singleuser" in " ".join(p.cmdline())]  # fmt: skip
