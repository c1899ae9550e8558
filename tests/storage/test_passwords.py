"""Passwords: they fit or they do not, guesses lock, links set one once."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from adlab.core.errors import UnknownObjectError
from adlab.core.roles import Role
from adlab.storage import passwords
from adlab.storage.access import create_login_link, hash_token, store_person, username_of
from adlab.storage.engine import transaction

GOOD = "correct horse battery"


@pytest.fixture
def ann(owner_engine: Engine) -> Engine:
    with transaction(owner_engine) as connection:
        store_person(connection, "Ann Lee", Role.ANALYST)
        passwords.set_password(connection, "Ann Lee", GOOD)
    return owner_engine


def check(engine: Engine, who: str, password: str) -> passwords.Known | None:
    with transaction(engine) as connection:
        return passwords.check_password(connection, who, password)


@pytest.mark.parametrize(
    ("name", "username"),
    [("ann", "ann"), ("Ann Lee", "ann-lee"), ("Ann@Agency.com", "ann@agency.com"),
     ("Zoë Äß", "zoe-a"), ("山田", "person"), ("--x--", "x"), ("a" * 90, "a" * 63)],
)  # fmt: skip
def test_a_username_is_made_from_a_name(name: str, username: str) -> None:
    assert username_of(name) == username


def test_the_right_password_names_the_person(ann: Engine) -> None:
    by_username, by_name = check(ann, "ann-lee", GOOD), check(ann, "Ann Lee", GOOD)
    assert by_username == by_name
    assert by_username is not None
    assert (by_username.username, by_username.role) == ("ann-lee", "analyst")


@pytest.mark.parametrize(("who", "password"), [
    ("ann-lee", "wrong horse battery"), ("nobody", GOOD), ("ann-lee", ""), ("", ""),
    ("ann-lee", "x" * 5_000_000),
])  # fmt: skip
def test_anything_else_names_nobody(ann: Engine, who: str, password: str) -> None:
    assert check(ann, who, password) is None


def test_what_is_stored_is_no_password(ann: Engine) -> None:
    with transaction(ann) as connection:
        stored = connection.scalar(text("SELECT hash FROM sec.password"))
    assert stored.startswith("$argon2id$")
    assert GOOD not in stored


def test_five_wrong_passwords_lock_even_the_right_one(ann: Engine) -> None:
    for _ in range(5):
        assert check(ann, "ann-lee", "wrong horse") is None
    with pytest.raises(passwords.LockedError, match="Too many wrong passwords"):
        check(ann, "ann-lee", GOOD)


def test_a_lock_ends_and_grows(ann: Engine) -> None:
    def lock_minutes() -> float:
        with transaction(ann) as connection:
            return float(connection.scalar(text(
                "SELECT extract(epoch FROM locked_until - now()) / 60 FROM sec.password")))  # fmt: skip

    for _ in range(5):
        check(ann, "ann-lee", "wrong horse")
    assert 0.9 < lock_minutes() <= 1
    with transaction(ann) as connection:
        connection.execute(text("UPDATE sec.password SET locked_until = now() - interval '1 s'"))
    check(ann, "ann-lee", "wrong horse")
    assert 1.9 < lock_minutes() <= 2
    with transaction(ann) as connection:
        connection.execute(text("UPDATE sec.password SET locked_until = now() - interval '1 s'"))
    assert check(ann, "ann-lee", GOOD) is not None
    with transaction(ann) as connection:
        assert connection.scalar(text("SELECT failures FROM sec.password")) == 0


def test_a_new_password_replaces_the_old_and_ends_a_lock(ann: Engine) -> None:
    for _ in range(5):
        check(ann, "ann-lee", "wrong horse")
    with transaction(ann) as connection:
        passwords.set_password(connection, "Ann Lee", "another good one")
    assert check(ann, "ann-lee", GOOD) is None
    assert check(ann, "ann-lee", "another good one") is not None


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaa", "x" * 201])
def test_weak_passwords_are_refused(ann: Engine, weak: str) -> None:
    with pytest.raises(ValueError, match="password"), transaction(ann) as connection:
        passwords.set_password(connection, "Ann Lee", weak)
    assert check(ann, "ann-lee", GOOD) is not None


def test_who_is_disabled_has_no_password(ann: Engine) -> None:
    with transaction(ann) as connection:
        connection.execute(
            text("UPDATE sec.person SET disabled_at = now() WHERE username = 'ann-lee'")
        )
    assert check(ann, "ann-lee", GOOD) is None
    with transaction(ann) as connection:
        assert passwords.load_known(connection, "ann-lee") is None


def test_a_link_sets_a_password_once_and_does_not_log_in_by_itself(ann: Engine) -> None:
    with transaction(ann) as connection:
        token = create_login_link(connection, "Ann Lee", purpose="password")
        assert (
            connection.scalar(text("SELECT sec.use_login_link(:h)"), {"h": hash_token(token)})
            is None
        )
    with pytest.raises(ValueError, match="10 to 200"), transaction(ann) as connection:
        passwords.use_password_link(connection, token, "short")
    with transaction(ann) as connection:
        known = passwords.use_password_link(connection, token, "chosen by herself")
    assert known.username == "ann-lee"
    assert check(ann, "ann-lee", "chosen by herself") is not None
    with pytest.raises(UnknownObjectError, match="used or has expired"), transaction(ann) as c:
        passwords.use_password_link(c, token, "chosen by a thief")


def test_a_login_link_sets_no_password(ann: Engine) -> None:
    with transaction(ann) as connection:
        token = create_login_link(connection, "Ann Lee")
        assert passwords.find_password_link(connection, token) is None
