"""Every attack of the catalogue as every role, through a login of one's own and on the boards.

A passing attack proves something because the same catalogue, run by the owner of the tables, leaks:
see the control at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url
from tests.isolation.town import Town

from adlab.core.roles import Role
from adlab.services.isolation_attacks import Attack, Sign, Subject, attacks
from adlab.services.isolation_attempt import attempt, time_attack
from adlab.services.isolation_pool import POOL_ATTACKS, PoolAttack, attempt_on_pool
from adlab.storage.probe import Pooled, Probe

CATALOGUE = attacks()
WAYS = [pytest.param((r, b), id=f"{r.value}{'-board' if b else ''}")
        for r in Role for b in (False, True)]  # fmt: skip


class Probes:
    """One connection a way in, kept over a module's attacks."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.open: dict[tuple[Role, bool], Probe] = {}

    def of(self, way: tuple[Role, bool]) -> tuple[Probe, Subject]:
        """The connection and the attacker of a way in."""
        role, on_boards = way
        if way not in self.open:
            person = self.town.people[role]
            self.open[way] = (
                Probe(self.town.boards, person.viewer) if on_boards
                else Probe(self.town.url(person))
            )  # fmt: skip
        return self.open[way], self.town.subject(role, on_boards=on_boards)


@pytest.fixture(scope="module")
def probes(town: Town) -> Iterator[Probes]:
    kept = Probes(town)
    yield kept
    for probe in kept.open.values():
        probe.close()


@pytest.fixture(scope="module")
def with_temp(town: Town, probes: Probes) -> Iterator[None]:
    """A town whose people may make temporary objects: the wall is to stand without that fence."""
    database = make_url(town.superuser).database
    everybody = ", ".join(["adlab_boards", *[p.login for p in town.people.values()],
                           *[p.viewer for p in town.people.values()]])  # fmt: skip
    with psycopg.connect(town.superuser, autocommit=True) as admin:
        admin.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {everybody}")  # type: ignore[call-overload]
        yield
        admin.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM {everybody}")  # type: ignore[call-overload]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", CATALOGUE, ids=lambda a: a.name)
def test_an_attack_is_closed(probes: Probes, attack: Attack, way: tuple[Role, bool]) -> None:
    probe, subject = probes.of(way)
    verdict = attempt(probe, attack, subject, probes.town.world)
    assert verdict.outcome in ("closed", "spared"), verdict


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", [a for a in CATALOGUE if a.needs_temp], ids=lambda a: a.name)
def test_it_is_closed_where_people_may_make_temporary_objects(
    probes: Probes, with_temp: None, attack: Attack, way: tuple[Role, bool]
) -> None:
    probe, subject = probes.of(way)
    verdict = attempt(probe, attack, subject, probes.town.world)
    assert verdict.outcome in ("closed", "spared"), verdict


@pytest.mark.parametrize("role", list(Role), ids=lambda r: r.value)
@pytest.mark.parametrize("attack", POOL_ATTACKS, ids=lambda a: a.name)
def test_one_viewer_finds_nothing_of_the_one_before(
    town: Town, attack: PoolAttack, role: Role
) -> None:
    pooled = Pooled(town.boards)
    subject = town.subject(role, on_boards=True)
    verdict = attempt_on_pool(pooled, attack, town.other.viewer, subject, town.world)
    assert verdict.outcome == "closed", verdict


@pytest.mark.parametrize("role", list(Role), ids=lambda r: r.value)
def test_the_time_of_an_answer_does_not_tell_what_exists(probes: Probes, role: Role) -> None:
    probe, subject = probes.of((role, False))
    verdict = time_attack(probe, subject, probes.town.world)
    assert verdict.outcome in ("closed", "spared"), verdict


def test_there_are_at_least_forty_of_different_kinds() -> None:
    names = [a.name for a in CATALOGUE] + [a.name for a in POOL_ATTACKS]
    assert len(names) == len(set(names)) >= 40
    assert len({a.family for a in CATALOGUE}) >= 20


# What an owner is refused as well. A superuser is not, but for the second list: nobody has it here.
NOT_FOR_OWNERS = {
    "become-another", "copy-files", "large-objects", "leakproof-claim", "load-code",
    "password-hashes", "protected-settings", "query-builders", "raise-oneself", "read-files",
    "server-settings", "session-authorization", "start-as-another", "statistics",
}  # fmt: skip
NOT_HERE = {"extension-catalogs", "extension-sizes", "statements-counted", "write-log-by-name"}


@pytest.mark.parametrize("who", ["adlab_owner", None], ids=["owner", "superuser"])
def test_the_same_attacks_do_leak_to_whoever_owns_the_tables(town: Town, who: str | None) -> None:
    """The control: a catalogue that cannot find a leak would prove nothing."""
    probe = Probe(town.superuser, who)
    subject = Subject("analyst", who or town.people[Role.ANALYST].login)
    missed = set()
    for attack in CATALOGUE:
        if attack.lasting or attack.alone or attack.sign is not Sign.REFUSED:
            continue
        if attack.over and not town.world.each(attack.over):
            continue
        if attempt(probe, attack, subject, town.world).outcome != "leak":
            missed.add(attack.name)
    probe.close()
    assert missed <= (NOT_FOR_OWNERS | NOT_HERE if who else NOT_HERE), missed
