"""`adlab isolation check`: finds a hole in a store that is in use, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text
from tests.isolation.town import Town

from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.roles import Role
from adlab.services import isolation
from adlab.services.isolation_attacks import attacks
from adlab.storage import isolation as store
from adlab.storage.engine import transaction
from adlab.storage.statements import statement
from adlab.storage.tenancy import LoginReader

FEW = tuple(a for a in attacks() if a.name in ("read-base", "ask-by-id", "become-owner"))


@pytest.fixture
def counted(town: Town) -> Iterator[Callable[[str], int]]:
    def count(query: str) -> int:
        with transaction(town.engine) as c:
            return int(c.scalar(text(query)) or 0)

    yield count


def _standing(town: Town, names: set[str]) -> set[str]:
    """Which of these roles the server still has, and boards' logins that end within hours."""
    # Reason: roles belong to the whole server, where other tests make theirs at the same time.
    with transaction(town.engine) as c:
        found = c.scalars(
            text(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY (:names) OR "
                "starts_with(rolname, 'sb_') AND rolvaliduntil < now() + interval '2 hours'"
            ),
            {"names": list(names)},
        )
        return set(found.all())


def test_it_tries_everything_as_every_role_and_leaves_nobody(
    town: Town, counted: Callable[[str], int]
) -> None:
    with transaction(town.engine) as c:
        store.sweep(c)
    made: set[str] = set()

    def look(_: str) -> None:
        with transaction(town.engine) as c:
            made.update(c.scalars(statement("isolation_logins")))
        assert len(_standing(town, made)) == len(made) + 1, "theirs, and the boards'"

    before = counted("SELECT count(*) FROM sec.person")
    run = isolation.check(town.engine, "1.2.3", tell=look)
    assert (run.leaks, run.unclear) == ((), ())
    assert run.attacks >= 90
    assert run.roles == 9
    assert run.tried > 3000
    assert {v.subject for v in run.verdicts} >= {r.value for r in Role}
    assert {v.subject for v in run.verdicts} >= {f"{r.value} on a board" for r in Role}
    assert len(made) == 2 * run.roles, "a login and a viewer each"
    assert _standing(town, made) == set()
    assert counted("SELECT count(*) FROM sec.person") == before
    assert counted("SELECT count(*) FROM sec.audit WHERE action = 'isolation.check'") == 1
    assert counted("SELECT max(tried) FROM app.isolation_run WHERE leaks = 0") == run.tried


def test_an_opened_table_is_found_and_named(town: Town, counted: Callable[[str], int]) -> None:
    with transaction(town.engine) as c:
        c.execute(text("GRANT USAGE ON SCHEMA app TO adlab_reader"))
        c.execute(text("GRANT SELECT ON app.client TO adlab_reader"))
    try:
        run = isolation.check(town.engine, "1.2.3", catalogue=FEW)
    finally:
        with transaction(town.engine) as c:
            c.execute(text("REVOKE SELECT ON app.client FROM adlab_reader"))
            c.execute(text("REVOKE USAGE ON SCHEMA app FROM adlab_reader"))
    assert {v.attack for v in run.leaks} == {"read-base"}
    # Reason: what leaked must not be told once more.
    assert town.world.foreign.name not in repr(run.leaks)
    found = counted("SELECT jsonb_array_length(details) FROM app.isolation_run WHERE leaks > 0")
    assert found == len(run.leaks) == 2 * len(Role)


def test_what_a_cut_off_run_left_is_swept_by_the_next(
    town: Town, counted: Callable[[str], int]
) -> None:
    with transaction(town.engine) as c:
        store.make_person(c, Role.ANALYST, town.world.own.slug)
    isolation.check(town.engine, "1.2.3", catalogue=FEW)
    assert counted("SELECT count(*) FROM sec.person WHERE username LIKE 'isolation-check-%'") == 0


def test_an_error_half_way_leaves_nobody(town: Town, counted: Callable[[str], int]) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        isolation.check(town.engine, "1.2.3", catalogue=FEW, tell=stop)
    assert counted("SELECT count(*) FROM sec.person WHERE username LIKE 'isolation-check-%'") == 0


def test_two_at_once_are_refused(town: Town) -> None:
    def again(_: str) -> None:
        isolation.check(town.engine, "1.2.3", catalogue=FEW)

    with pytest.raises(ConflictError, match="runs already"):
        isolation.check(town.engine, "1.2.3", catalogue=FEW, tell=again)


def test_the_newest_result_is_for_who_operates_or_audits(town: Town) -> None:
    isolation.check(town.engine, "9.9.9", catalogue=FEW)
    with transaction(town.engine) as c:
        people = {r: store.make_person(c, r, town.world.own.slug) for r in Role}
    for role, person in people.items():
        reader = LoginReader(town.url(person))
        found = isolation.latest(reader)
        reader.close()
        if role in (Role.OWNER, Role.ADMIN, Role.AUDITOR):
            assert found is not None
            assert (found["version"], found["leaks"]) == ("9.9.9", 0)
        else:
            assert found is None


def test_it_needs_two_clients(any_engine: Engine) -> None:
    with pytest.raises(UnknownObjectError, match="two clients"):
        isolation.check(any_engine, "1.2.3")
