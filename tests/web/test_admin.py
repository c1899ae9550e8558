"""Administration: by right, by role, and honest about what is wrong."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from adlab.core.roles import ROLES, Role
from adlab.storage import access, audit
from adlab.storage.engine import owner_engine, transaction
from adlab.ui.admin import VIEWS
from adlab.web.app import make_app
from adlab.web.config import WebConfig
from adlab.web.sessions import COOKIE, Sessions
from tests.ui.seed import HOSTILE, Seeded
from tests.web.conftest import KEY, boards_url

NAMES = {role: f"The {role.value}" for role in Role}
MAY = {
    Role.OWNER: set(VIEWS),
    Role.ADMIN: set(VIEWS),
    Role.AUDITOR: {"attention", "people", "audit", "isolation", "roles"},
}


class Office:
    """The web process in this one, and somebody of each role."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url, self.engine = url, engine
        self.app = make_app(WebConfig(boards_url(url), None, KEY))

    def visitor(self, name: str) -> TestClient:
        """Somebody's browser."""
        found = TestClient(self.app, headers={"Accept": "text/html"}, follow_redirects=False)
        with transaction(self.engine) as c:
            number = c.scalar(text("SELECT person_id FROM sec.person WHERE name = :n"), {"n": name})
        found.cookies.set(COOKIE, Sessions(KEY).issue(number))
        return found

    def page(self, role: Role, query: str) -> str:
        """The text of a page."""
        answer = self.visitor(NAMES[role]).get(f"/admin?{query}")
        assert answer.status_code == 200, answer.text
        return html.unescape(answer.text)


@pytest.fixture(scope="module")
def office(seeded_database: tuple[str, Seeded]) -> Iterator[Office]:
    """The seeded agency with a person of each role."""
    url, _ = seeded_database
    engine = owner_engine(url)
    with transaction(engine) as c:
        for role, name in NAMES.items():
            access.store_person(c, name, role)
            access.grant(c, name, "nordlicht", role, reason="works there")
    yield Office(url, engine)
    engine.dispose()


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_exactly_its_pages(office: Office, role: Role) -> None:
    browser, allowed = office.visitor(NAMES[role]), MAY.get(role, set())
    for view in VIEWS:
        answer = browser.get(f"/admin?view={view}")
        assert answer.status_code == (200 if view in allowed else 404), (view, answer.text[:200])
    linked = "Administration" in browser.get("/", follow_redirects=True).text
    if role not in (Role.CLIENT_VIEWER, Role.CLIENT_APPROVER):
        assert linked == bool(allowed)


def test_a_foreign_page_and_a_missing_one_are_the_same(office: Office) -> None:
    browser = office.visitor(NAMES[Role.ANALYST])
    texts = {browser.get(f"/admin?view={v}").text for v in ("audit", "people", "nonsense", "")}
    assert len(texts) == 1


def test_somebody_unknown_is_sent_to_the_login(office: Office) -> None:
    answer = TestClient(office.app, headers={"Accept": "text/html"}, follow_redirects=False).get(
        "/admin"
    )
    assert answer.status_code in (302, 303, 401, 403)
    assert "Administration" not in answer.text


def test_people_and_grants_are_there_with_who_gave_them_and_why(office: Office) -> None:
    page = office.page(Role.ADMIN, "view=people")
    for name in NAMES.values():
        assert name in page
    assert "works there" in page
    assert "local owner" in page


def test_a_break_glass_grant_needs_attention_until_it_ends(office: Office) -> None:
    with transaction(office.engine) as c:
        access.store_person(c, "Brenda Break", Role.ANALYST)
        access.break_glass(c, "Brenda Break", "tokyo", "the site is down", 4)
    page = office.page(Role.OWNER, "view=attention")
    assert "Brenda Break sees" in page
    assert "the site is down" in page


def test_hostile_names_do_no_harm(office: Office) -> None:
    with transaction(office.engine) as c:
        access.store_person(c, HOSTILE[:80], Role.ANALYST, username="hostile")
        audit.record(c, "test.hostile", actor=HOSTILE[:80], note="<script>alert(1)</script>")
    for view in ("people", "audit", "attention"):
        raw = office.visitor(NAMES[Role.OWNER]).get(f"/admin?view={view}").text
        assert "<script>alert" not in raw


def test_the_log_is_searched_and_paged(office: Office) -> None:
    with transaction(office.engine) as c:
        for number in range(130):
            audit.record(c, "test.page", actor="Paula Pages", number=number)
    page = office.page(Role.AUDITOR, "view=audit&who=Paula+Pages&what=test.")
    assert page.count("Paula Pages</span>") == 100
    assert "number 129" in page
    assert "number 5 " not in page
    link = page.split('class="quiet" href="?view=audit&who')[1].split('"')[0]
    older = office.page(Role.AUDITOR, "view=audit&who" + link)
    assert older.count("Paula Pages</span>") == 30
    assert "Older entries" not in older


@pytest.mark.parametrize(
    "query",
    ["who=%00", "since=yesterday", "before=-1", "before=99999999999999999999", "client=nobody",
     "words=%27%22%3B--", "before=1e9", "what=%25"],
)  # fmt: skip
def test_nonsense_in_the_search_is_harmless(office: Office, query: str) -> None:
    office.page(Role.AUDITOR, f"view=audit&{query}")


def test_a_changed_entry_shows_on_the_page(office: Office) -> None:
    page = office.page(Role.AUDITOR, "view=audit&check=1")
    assert "each as it was written" in page
    with transaction(office.engine) as c:
        audit.record(c, "test.tampered", actor="Mallory")
    try:
        with psycopg.connect(office.url) as c:
            c.execute("SET session_replication_role = replica")
            c.execute("UPDATE sec.audit SET actor = 'nobody' WHERE action = 'test.tampered'")
        assert "not as it was written" in office.page(Role.AUDITOR, "view=audit")
        assert "The audit log was changed" in office.page(Role.OWNER, "view=attention")
    finally:
        with psycopg.connect(office.url) as c:
            c.execute("SET session_replication_role = replica")
            c.execute("UPDATE sec.audit SET actor = 'Mallory' WHERE action = 'test.tampered'")
    assert "each as it was written" in office.page(Role.AUDITOR, "view=audit")


def test_jobs_failures_and_missing_workers_are_told(office: Office) -> None:
    now = datetime.now(UTC)
    with transaction(office.engine) as c:
        c.execute(
            text("INSERT INTO app.job (kind, key, priority, state, due_at, not_before, finished_at,"
                 " error) VALUES ('today', 'test failed', 0, 'failed', :now, :now, :now, 'Meta said no')"),
            {"now": now},
        )  # fmt: skip
    assert "Meta said no" in office.page(Role.ADMIN, "view=jobs")
    assert "1 job failed within a day" in office.page(Role.ADMIN, "view=attention")


def test_isolation_says_how_often_it_was_tried_and_when(office: Office) -> None:
    assert "never checked" in office.page(Role.AUDITOR, "view=isolation")
    page = office.page(Role.OWNER, "view=attention")
    assert "not checked on this store yet" in page
    assert "adlab isolation check" in page
    now = datetime.now(UTC)
    insert = text(
        "INSERT INTO app.isolation_run (started_at, finished_at, engine, version, attacks, roles,"
        " tried, leaks) VALUES (:at, :at, 'PostgreSQL', '18.6', 60, 8, 480, :leaks)"
    )
    with transaction(office.engine) as c:
        c.execute(insert, {"at": now - timedelta(hours=2), "leaks": 0})
    assert "No leak in 480 attempts, 2 h ago." in office.page(Role.AUDITOR, "view=isolation")
    with transaction(office.engine) as c:
        c.execute(insert, {"at": now, "leaks": 2})
    assert "2 leaks in 480 attempts" in office.page(Role.AUDITOR, "view=isolation")
    assert "found 2 leaks" in office.page(Role.OWNER, "view=attention")


def test_the_roles_page_is_the_table_of_roles(office: Office) -> None:
    page = office.page(Role.OWNER, "view=roles")
    for definition in ROLES.values():
        assert definition.purpose in page
