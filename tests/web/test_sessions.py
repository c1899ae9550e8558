"""The cookie: nobody makes one, nobody changes one, and none lasts."""

from __future__ import annotations

import pytest

from adlab.core.errors import SettingsError
from adlab.web.handlers import Guard
from adlab.web.sessions import ABSOLUTE_SECONDS, IDLE_SECONDS, Sessions, safe_next
from adlab.web.viewers import Viewer

KEY = "ab" * 32


class Clock:
    """Epoch seconds that only move by hand."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_cookie_comes_back_as_the_person() -> None:
    sessions = Sessions(KEY, Clock())
    found = sessions.read(sessions.issue(7))
    assert found is not None
    assert (found.person_id, found.started_at) == (7, 1_800_000_000)


def test_a_changed_cookie_is_nobody() -> None:
    sessions = Sessions(KEY, Clock())
    cookie = sessions.issue(7)
    for i in range(len(cookie)):
        other = "A" if cookie[i] != "A" else "B"
        forged = cookie[:i] + other + cookie[i + 1 :]
        found = sessions.read(forged)
        # Reason: the last character of base64 holds unused bits, which change nothing.
        assert found is None or (i == len(cookie) - 1 and found.person_id == 7)


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b.c", "." * 900, "é" * 10, "A" * 5000])
def test_rubbish_is_nobody(cookie: str | None) -> None:
    assert Sessions(KEY, Clock()).read(cookie) is None


def test_another_installations_cookie_is_nobody() -> None:
    assert Sessions(KEY, Clock()).read(Sessions("cd" * 32, Clock()).issue(7)) is None


def test_a_session_ends_after_half_an_hour_without_a_sign_of_life() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    cookie = sessions.issue(7)
    clock.now += IDLE_SECONDS - 1
    assert sessions.read(cookie) is not None
    clock.now += 2
    assert sessions.read(cookie) is None


def test_signs_of_life_renew_it_but_never_beyond_twelve_hours() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    cookie, hours = sessions.issue(7), 0.0
    while (session := sessions.read(cookie)) is not None:
        cookie = sessions.renew(session) or cookie
        clock.now += 20 * 60
        hours += 1 / 3
        assert hours < 13
    assert round(hours) == ABSOLUTE_SECONDS / 3600


def test_a_fresh_cookie_is_not_renewed_again() -> None:
    sessions = Sessions(KEY, Clock())
    session = sessions.read(sessions.issue(7))
    assert session is not None
    assert sessions.renew(session) is None


def test_what_travels_in_a_page_is_no_cookie() -> None:
    sessions = Sessions(KEY, Clock())
    session = sessions.read(sessions.issue(7))
    assert session is not None
    sealed = sessions.seal_visit(session)
    assert sessions.read(sealed) is None
    opened = sessions.open_visit(sealed)
    assert opened is not None
    assert opened.person_id == 7
    assert sessions.open_visit(sessions.issue(7)) is None


@pytest.mark.parametrize("key", ["", "zz", "ab" * 15])
def test_a_weak_key_stops_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="ADLAB_WEB__SESSION_KEY"):
        Sessions(key)


@pytest.mark.parametrize(
    "target",
    [None, "", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil",
     "javascript:alert(1)", "/a\nb", "/\t/evil", "boards/client", "/login/x", "/logout",
     "/" + "a" * 3000],
)  # fmt: skip
def test_next_never_leads_away(target: str | None) -> None:
    assert safe_next(target) == "/"


def test_next_leads_to_a_board() -> None:
    assert safe_next("/boards/client?client=a&range=7d") == "/boards/client?client=a&range=7d"


class People:
    """Knows one person, until they are disabled."""

    known = True

    def find(self, person_id: int) -> Viewer | None:
        return Viewer(person_id, "Ana", "admin", "v_aaaaaaaaaaaa") if self.known else None


def _guard(clock: Clock) -> tuple[Guard, Sessions, People]:
    sessions, people = Sessions(KEY, clock), People()
    return Guard(sessions, people), sessions, people  # type: ignore[arg-type]


def test_an_open_board_ends_with_its_session() -> None:
    clock = Clock()
    guard, sessions, people = _guard(clock)
    session = sessions.read(sessions.issue(7))
    viewer = people.find(7)
    assert session is not None
    assert viewer is not None
    guard.alive(session)
    check = guard.checker(viewer, session)
    assert check() == ""
    clock.now += IDLE_SECONDS + 1
    assert "thirty minutes" in check()
    guard.alive(session)
    assert check() == ""
    clock.now = session.started_at + ABSOLUTE_SECONDS
    guard.alive(session)
    assert "twelve hours" in check()


def test_an_open_board_ends_when_the_person_is_disabled() -> None:
    guard, sessions, people = _guard(Clock())
    session = sessions.read(sessions.issue(7))
    viewer = people.find(7)
    assert session is not None
    assert viewer is not None
    guard.alive(session)
    check = guard.checker(viewer, session)
    people.known = False
    assert check() == "Your access to adlab has ended."


def test_a_login_link_is_signed_and_good_for_a_week_at_most() -> None:
    now = [1_000_000.0]
    sessions = Sessions("ab" * 32, lambda: now[0])
    link = sessions.sign_link("one-time-token")
    assert sessions.read_link(link) == "one-time-token"
    assert sessions.read_link(link[:-1] + ("a" if link[-1] != "a" else "b")) is None
    assert sessions.read_link("one-time-token") is None
    assert Sessions("cd" * 32, lambda: now[0]).read_link(link) is None
    now[0] += 7 * 86_400 + 1
    assert sessions.read_link(link) is None


def test_while_keys_change_old_cookies_and_links_stay_good_and_the_newest_key_signs() -> None:
    old, new = Sessions("cd" * 32, Clock()), Sessions(KEY, Clock())
    ring = Sessions(f"{KEY},{'cd' * 32}", Clock())
    assert ring.read(old.issue(7)) is not None
    assert ring.read_link(old.sign_link("t" * 30)) == "t" * 30
    assert new.read(ring.issue(7)) is not None
    assert old.read(ring.issue(7)) is None
    assert ring.key == bytes.fromhex(KEY)


@pytest.mark.parametrize("key", ["", "ab" * 15, f"{KEY},ab", f"{KEY},not hex", ","])
def test_a_weak_key_anywhere_in_the_ring_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="ADLAB_WEB__SESSION_KEY"):
        Sessions(key)
