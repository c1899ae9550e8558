"""Front door, reports and forms, asked in this process: each person sees theirs, nothing else."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from adlab.core.periods import DateRange
from adlab.core.roles import Role
from adlab.services.access import MetaAccess
from adlab.storage import access, clients
from adlab.storage.engine import owner_engine, transaction
from adlab.ui.places import Places, set_places
from adlab.vault import Vault
from adlab.web import home
from adlab.web.app import make_app
from adlab.web.config import WebConfig
from adlab.web.desk import DeskParts, run_desk_in_thread
from adlab.web.hub import HubKey
from adlab.web.login import HubLogin
from adlab.web.sessions import COOKIE, Sessions
from tests.conftest import TOKEN, Simulator
from tests.ui.seed import HOSTILE, Seeded
from tests.web.conftest import KEY, boards_url

PDF = b"%PDF-1.7 a report"


class House:
    """The web process in this one, and the store behind it."""

    def __init__(self, url: str, engine: Engine, desk: tuple[str, str] | None) -> None:
        self.engine = engine
        self.app = make_app(
            WebConfig(boards_url(url), None, KEY, desk_url=desk[0] if desk else None,
                      desk_key=desk[1] if desk else None)
        )  # fmt: skip

    def visitor(self, person: str | None, app: Any = None) -> TestClient:
        """A browser, logged in when a person is named."""
        found = TestClient(app or self.app, headers={"Accept": "text/html"}, follow_redirects=False)
        if person is not None:
            with transaction(self.engine) as c:
                number = c.scalar(
                    text("SELECT person_id FROM sec.person WHERE name = :n"), {"n": person}
                )
            found.cookies.set(COOKIE, Sessions(KEY).issue(number))
        return found

    def page(self, person: str, path: str = "/") -> str:
        """The text of a page as a person sees it."""
        return str(self.visitor(person).get(path).text)


@pytest.fixture(scope="module")
def house(
    seeded_database: tuple[str, Seeded], simulator_process: Simulator
) -> Iterator[House]:  # fmt: skip
    """The seeded agency with two analysts, a newcomer, reports, and a desk."""
    url, seeded = seeded_database
    engine = owner_engine(url)
    with transaction(engine) as c:
        for name, slugs in (("Al One", ["nordlicht"]), ("Al Two", ["tokyo", "atelier"]),
                            ("Al None", [])):  # fmt: skip
            access.store_person(c, name, Role.ANALYST)
            for slug in slugs:
                access.grant(c, name, slug, Role.ANALYST)
        access.store_person(c, "Vera Viewer", Role.CLIENT_VIEWER)
        for slug in ("tokyo", "nordlicht"):
            access.grant(c, "Vera Viewer", slug, Role.CLIENT_VIEWER)
        for slug in ("nordlicht", "tokyo"):
            c.execute(
                text("INSERT INTO app.report (client_id, template, period, since, until, title,"
                     " sha256, pages, pdf) VALUES (:c, 'monthly', '2026-10', '2026-10-01',"
                     " '2026-10-31', :t, 'x', 2, :p)"),
                {"c": seeded.clients[slug], "t": f"Report of {slug} {HOSTILE}", "p": PDF},
            )  # fmt: skip
    meta = MetaAccess(simulator_process.url, "v26.0", None, None)
    desk = run_desk_in_thread(DeskParts(engine, Vault(b"v" * 32), meta))
    yield House(url, engine, (desk.url, desk.key))
    desk.stop()
    engine.dispose()


def _cards(page: str) -> list[str]:
    return re.findall(r'boards/client\?client=([a-z0-9-]+)" title', page)


def _switcher(page: str) -> list[str]:
    found = re.search(r'<nav class="list".*?</nav>', page, re.S)
    return re.findall(r"client=([a-z0-9-]+)", found[0]) if found else []


@pytest.mark.parametrize(
    ("person", "seen"),
    [("Ana Weiss", {"nordlicht", "tokyo", "atelier", "newcomer"}), ("Al One", {"nordlicht"}),
     ("Al Two", {"tokyo", "atelier"}), ("Vera Viewer", {"tokyo", "nordlicht"}),
     ("Al None", set())],
)  # fmt: skip
def test_everyone_sees_exactly_their_clients(house: House, person: str, seen: set[str]) -> None:
    page = house.page(person)
    assert set(_cards(page)) >= seen
    assert set(_switcher(page)) >= seen
    others = {"nordlicht", "tokyo", "atelier", "newcomer"} - seen
    assert not others & (set(_cards(page)) | set(_switcher(page)))


def test_a_viewer_with_one_client_lands_on_their_portal(house: House) -> None:
    answer = house.visitor("Nora Client").get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/boards/client?client=nordlicht"


def test_cards_tell_state_spend_and_last_day(house: House) -> None:
    page = house.page("Ana Weiss")
    assert "Not connected to Meta" in page
    assert "No ad account yet" in page
    assert re.search(r"€[\d,]+", page)
    assert re.search(r"¥[\d,]+", page)
    assert "numbers to" in page


def test_a_budget_far_from_its_plan_needs_attention(house: House) -> None:
    today = date.today()
    first, last = today - timedelta(days=10), today + timedelta(days=10)
    plan = (
        f'[{{"client": "atelier", "scope": "client", "since": "{first}", "until": "{last}",'
        f' "currency": "USD", "amount_micro": 1000000}}]'
    )
    with transaction(house.engine) as c:
        c.execute(text("SELECT api.set_budgets(cast(:p AS jsonb))"), {"p": plan})
    page = house.page("Al Two")
    assert re.search(r"far ahead of plan: [\d,]+\s%\sspent", page)
    assert "1 of 2 clients needs attention" in page


def test_a_report_published_twice_stands_there_once(house: House) -> None:
    with transaction(house.engine) as c:
        c.execute(text(
            "INSERT INTO app.report (client_id, template, period, since, until, title, sha256,"
            " pages, pdf) SELECT client_id, template, period, since, until, title, 'y', 2, pdf"
            " FROM app.report WHERE title LIKE 'Report of nordlicht%'"))  # fmt: skip
    assert len(re.findall(r"/reports/\d+\.pdf", house.page("Al One"))) == 1


def test_doors_open_by_role(house: House) -> None:
    admin, analyst, viewer = (house.page(p) for p in ("Ana Weiss", "Al Two", "Vera Viewer"))
    assert "clients/new" in admin
    assert "clients/new" not in analyst
    assert "boards/overview" in analyst
    assert "boards/overview" not in viewer
    assert "Notebooks" not in admin
    set_places(Places(notebooks="/hub/spawn"))
    try:
        assert "Open notebooks" in house.page("Al Two")
        assert "otebooks" not in house.page("Vera Viewer")
    finally:
        set_places(Places())


def test_without_a_client_one_learns_whom_to_ask(house: House) -> None:
    page = house.page("Al None")
    assert "There is no client that you may see yet." in page
    assert "Ask whoever invited you" in page
    assert "Three steps" not in page


def test_a_months_report_says_its_month_once() -> None:
    october = DateRange(date(2026, 10, 1), date(2026, 10, 31))
    assert home.report_words("Monthly report, October 2026", october) == (
        "October 2026 report", ""
    )  # fmt: skip
    assert home.report_words("Audit", october) == ("Audit", "1 Oct – 31 Oct 2026")
    part = DateRange(date(2026, 10, 1), date(2026, 10, 20))
    assert home.report_words("Monthly report, October 2026", part)[1] != ""


def test_hostile_names_stay_text_everywhere(house: House) -> None:
    for path in ("/", "/clients/atelier/connect", "/clients/atelier/connected", "/nosuch"):
        page = house.page("Ana Weiss", path)
        assert "<img src=x" not in page
        assert HOSTILE not in page
        assert not re.search(r"<[^>]*\sonerror=", page.replace("&#34;", '"').split("<body>")[0])
    title = re.search(r"<title>(.*?)</title>", house.page("Ana Weiss", "/clients/atelier/connect"))
    assert title
    assert "&lt;img" in title[1]


def test_reports_open_for_those_who_may_see_the_client(house: House) -> None:
    page = house.page("Al One")
    number = re.search(r"/reports/(\d+)\.pdf", page)
    assert number
    answer = house.visitor("Al One").get(f"/reports/{number[1]}.pdf")
    assert answer.content == PDF
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith('inline; filename="nordlicht_')
    assert house.visitor("Al Two").get(f"/reports/{number[1]}.pdf").status_code == 404
    assert house.visitor(None).get(f"/reports/{number[1]}.pdf").status_code == 303
    for odd in ("0", "999999", "99999999999999999999", "x", "1%2F2"):
        assert house.visitor("Al One").get(f"/reports/{odd}.pdf").status_code == 404


def test_a_missing_page_keeps_the_header_for_those_logged_in(house: House) -> None:
    answer = house.visitor("Al Two").get("/nosuch")
    assert answer.status_code == 404
    assert set(_switcher(answer.text)) == {"tokyo", "atelier"}
    assert _switcher(house.visitor(None).get("/nosuch").text) == []


# ---- forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "status"), [("/", 403), ("/reports/1.pdf", 403), ("/no", 404)])
def test_whom_the_hub_knows_and_the_store_no_longer_is_told_so(
    house: House, path: str, status: int
) -> None:
    """Disabled while a session at the hub goes on."""

    class Vouching:
        """A hub that knows everybody."""

        def read(self, cookies: Mapping[str, str]) -> HubKey:
            return HubKey("token", "session", 0)

        def username(self, key: HubKey) -> str:
            return "gone"

    app = make_app(WebConfig(house.app.state.config.database_url, None, KEY))
    app.state.login = HubLogin(cast(Any, Vouching()), app.state.viewers)
    answer = TestClient(app, headers={"Accept": "text/html"}).get(path)
    assert answer.status_code == status
    assert "broke" not in answer.text
    assert ("Your access to adlab has ended" in answer.text) is (status == 403)


def _token(visitor: TestClient, path: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', visitor.get(path).text)
    assert found
    return found[1]


def _post(
    visitor: TestClient, path: str, headers: dict[str, str] | None = None, **data: str
) -> Any:
    ours = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    return visitor.post(path, data=data, headers=ours if headers is None else headers)


def test_an_operator_adds_a_client_and_is_led_on(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    done = _post(ana, "/clients/new", form=_token(ana, "/clients/new"), name="Fresh & Co",
                 slug="fresh")  # fmt: skip
    assert done.status_code == 303
    assert done.headers["location"] == "/clients/fresh/connect?added"
    assert "Fresh &amp; Co was added." in ana.get("/clients/fresh/connect?added").text


def test_what_is_wrong_stands_beside_the_field_and_input_is_kept(house: House) -> None:
    ana = house.visitor("Ana Weiss")
    done = _post(ana, "/clients/new", form=_token(ana, "/clients/new"), name='"><b>Twice',
                 slug="nordlicht")  # fmt: skip
    assert done.status_code == 422
    assert "Another client has this address." in done.text
    assert "&#34;&gt;&lt;b&gt;Twice" in done.text
    assert "<b>Twice" not in done.text


def test_an_account_is_connected_and_the_token_shown_nowhere(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with transaction(house.engine) as c:
        clients.store_client(c, "To Connect", "to-connect")
    ana, path = house.visitor("Ana Weiss"), "/clients/to-connect/connect"
    wrong = _post(ana, path, form=_token(ana, path), account="act_1002", token="EAAB-not-a-token")
    assert wrong.status_code == 422
    assert 'value="act_1002"' in wrong.text
    assert "paste it here" in wrong.text
    assert "adlab account" not in wrong.text
    empty = _post(ana, path, form=_token(ana, path), account="nonsense", token=TOKEN)
    assert "looks like act_1234567890" in empty.text
    done = _post(ana, path, form=_token(ana, path), account="act_1002", token=TOKEN)
    assert done.status_code == 303
    assert done.headers["location"] == "/clients/to-connect/connected?account=act_1002"
    shown = ana.get(done.headers["location"]).text
    assert "act_1002" in shown
    said = wrong.text + empty.text + str(done.headers) + shown + caplog.text
    assert TOKEN not in said
    assert "EAAB-not-a-token" not in said


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
    ],
)  # fmt: skip
def test_forms_from_elsewhere_are_refused(house: House, headers: dict[str, str]) -> None:
    ana = house.visitor("Ana Weiss")
    token = _token(ana, "/clients/new")
    done = _post(ana, "/clients/new", headers=headers, form=token, name="Evil", slug="evil")
    assert done.status_code == 403
    assert "evil" not in _cards(house.page("Ana Weiss"))


def test_forms_without_this_sessions_token_are_refused(house: House) -> None:
    ana, other = house.visitor("Ana Weiss"), house.visitor("Al Two")
    with transaction(house.engine) as c:
        access.store_person(c, "Second Admin", Role.ADMIN)
    foreign = _token(house.visitor("Second Admin"), "/clients/new")
    for form in ("", "0" * 64, foreign):
        assert _post(ana, "/clients/new", form=form, name="E", slug="evil").status_code == 403
    assert _post(other, "/clients/new", form=foreign, name="E", slug="evil").status_code == 403
    nobody = _post(house.visitor(None), "/clients/new", form=foreign, name="E", slug="evil")
    assert nobody.status_code == 303
    body = b'{"name": "E", "slug": "evil"}'
    odd = ana.post("/clients/new", content=body, headers={"Content-Type": "text/plain"})
    assert odd.status_code == 403
    assert "evil" not in _cards(house.page("Ana Weiss"))


def test_forms_are_not_open_to_others(house: House) -> None:
    for path in ("/clients/new", "/clients/tokyo/connect", "/clients/tokyo/connected"):
        answer = house.visitor("Al Two").get(path)
        assert answer.status_code == 403
        assert "An owner or admin of the agency" in answer.text
        assert house.visitor(None).get(path).headers["location"].endswith(
            f"login?next={path.replace('/', '%2F')}"
        )  # fmt: skip
    assert house.visitor("Ana Weiss").get("/clients/nosuch/connect").status_code == 404


def test_without_a_desk_the_command_is_told(
    seeded_database: tuple[str, Seeded], house: House
) -> None:
    closed = House(seeded_database[0], house.engine, None)
    page = closed.page("Ana Weiss", "/clients/new")
    assert "This installation adds clients on the command line" in page
    assert "<form" not in page


def test_behind_the_hub_every_link_stays_below_its_services(house: House) -> None:
    set_places(Places("/services/web/", "/services/boards/", "/hub/logout", "/hub/spawn"))
    try:
        front = Starlette(routes=[Mount("/services/web", house.app)])
        ana = house.visitor("Ana Weiss", front)
        for path in ("/", "/clients/new", "/clients/newcomer/connect", "/nosuch"):
            page = ana.get(f"/services/web{path}").text
            links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
            assert links
            assert not [k for k in links if not k.startswith(("/services/", "/hub/"))]
        token = _token(ana, "/services/web/clients/new")
        done = _post(ana, "/services/web/clients/new", form=token, name="Behind", slug="behind")
        assert done.headers["location"] == "/services/web/clients/behind/connect?added"
    finally:
        set_places(Places())
