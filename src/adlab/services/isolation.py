"""The check of the isolation on the store that is in use: attacks as every role, nothing kept.

People of every role are made for it, each granted one client; another client is the foreign one.
They run the whole catalogue with logins of their own and through the boards' login, in transactions
that are rolled back, and are dropped whatever happens. A run that was cut off is cleaned up by the
next. The result is kept, shown on the admin board and written into the audit log.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text

from adlab.core.errors import ConflictError, UnknownObjectError
from adlab.core.roles import Role
from adlab.services.isolation_attacks import Attack, Place, Subject, World, attacks
from adlab.services.isolation_attempt import Verdict, attempt, time_attack
from adlab.services.isolation_pool import POOL_ATTACKS, attempt_on_pool
from adlab.storage import access, audit, isolation
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.probe import Pooled, Probe
from adlab.storage.tenancy import Reader

log = logging.getLogger(__name__)

_LOCK = 7_204_118_540
# Reason: a shorter text, or a smaller number, is found in any answer by chance.
_LEAST_TEXT = 6


@dataclass(frozen=True)
class Run:
    """A finished check.

    Attributes:
        started_at, finished_at: Aware UTC.
        engine: The server and its version.
        attacks: How many attacks there are.
        roles: As how many roles each was tried, boards counted as one way in more.
        tried: Statements tried.
        verdicts: Each attack as each role.
    """

    started_at: datetime
    finished_at: datetime
    engine: str
    attacks: int
    roles: int
    tried: int
    verdicts: tuple[Verdict, ...]

    @property
    def leaks(self) -> tuple[Verdict, ...]:
        """What was found open."""
        return tuple(v for v in self.verdicts if v.outcome == "leak")

    @property
    def unclear(self) -> tuple[Verdict, ...]:
        """What failed for another reason than being refused."""
        return tuple(v for v in self.verdicts if v.outcome == "unclear")


def check(
    engine: Engine,
    version: str,
    *,
    catalogue: Sequence[Attack] | None = None,
    tell: Callable[[str], None] = lambda _: None,
    actor: str = audit.LOCAL_OWNER,
) -> Run:
    """Attack the store as every role, and keep the result.

    Args:
        engine: The owner's engine.
        version: Of adlab, kept with the result.
        catalogue: Statements to try; all of them, and times of answers, when omitted.
        tell: Is told each role as its turn comes.
        actor: Who asks, for the audit log.

    Returns:
        What came of each attack.

    Raises:
        UnknownObjectError: If there are fewer than two clients with an account.
        ConflictError: If a check runs already.
    """
    timed = catalogue is None
    chosen = tuple(attacks() if catalogue is None else catalogue)
    with _alone(engine):
        began = datetime.now(UTC)
        with transaction(engine) as connection:
            swept = isolation.sweep(connection)
            server = isolation.engine_name(connection)
        if swept:
            log.warning("isolation_swept people=%d", swept)
        world = _world(engine)
        verdicts = tuple(_verdicts(engine, world, chosen, tell, timed))
        run = Run(
            began, datetime.now(UTC), server, len(chosen) + len(POOL_ATTACKS) + timed,
            len(Role) + 1,
            sum(v.tried for v in verdicts), verdicts,
        )  # fmt: skip
        with transaction(engine) as connection:
            isolation.store_run(
                connection, [asdict(v) for v in (*run.leaks, *run.unclear)],
                started_at=run.started_at, finished_at=run.finished_at, engine=server,
                version=version, attacks=run.attacks, roles=run.roles, tried=run.tried,
                leaks=len(run.leaks),
            )  # fmt: skip
            audit.record(
                connection, "isolation.check", actor=actor, attacks=run.attacks, roles=run.roles,
                tried=run.tried, leaks=len(run.leaks), engine=server,
            )  # fmt: skip
    return run


def latest(reader: Reader) -> dict[str, Any] | None:
    """The newest result that this person may see, or None: the columns of `api.isolation_runs`."""
    found = reader.rows("read_isolation_runs")
    return found[0] if found else None


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            raise ConflictError("A check of the isolation runs already.", "Wait for its end.")
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})


def _world(engine: Engine) -> World:
    with transaction(engine) as connection:
        places = isolation.load_places(connection)
        lists: dict[str, Any] = {
            name: isolation.load_list(connection, name) for name in isolation.LISTS
        }
    if len(places) < 2:
        raise UnknownObjectError(
            "This check needs two clients with an account each: one to be seen, one to be hidden.",
            "Add them: adlab client add, adlab account connect or adlab import; or adlab demo.",
        )
    own, foreign = place_of(places[1]), place_of(places[0])
    own_texts = (*own.names, *own.facts)
    names, facts = (
        # Reason: what both clients have tells nothing.
        tuple(t for t in found if not any(t in other or other in t for other in own_texts))
        for found in (foreign.names, foreign.facts)
    )
    tag = secrets.token_hex(4)
    missing = Place(
        2_000_000_000 + secrets.randbelow(100_000_000), f"no-{tag}", f"No {tag}",
        9_000_000_000_000_000 + secrets.randbelow(10**12),
        9_100_000_000_000_000 + secrets.randbelow(10**12), f"None {tag}", 1,
    )  # fmt: skip
    foreign = Place(**{**vars(foreign), "names": names, "facts": facts})
    return World(own, foreign, missing, **lists)


def place_of(row: Mapping[str, Any]) -> Place:
    """A client to aim at, from a row of `isolation_places.sql`; only telling texts are kept."""
    names = (row["slug"], row["name"], row["account_name"], str(row["account_id"]))
    facts = (row["object_name"], row["spend_micro"], row["object_id"])
    return Place(
        row["client_id"], row["slug"], row["name"], row["account_id"], row["object_id"] or 1,
        row["object_name"] or "none", row["spend_micro"] or 1,
        tuple(n for n in names if n and len(n) >= _LEAST_TEXT),
        tuple(str(f) for f in facts if f is not None and len(str(f)) >= _LEAST_TEXT),
    )  # fmt: skip


def _verdicts(
    engine: Engine,
    world: World,
    chosen: Sequence[Attack],
    tell: Callable[[str], None],
    timed: bool,
) -> Iterator[Verdict]:
    address = engine.url
    boards = ""
    try:
        with transaction(engine) as connection:
            other = isolation.make_person(connection, Role.ANALYST, world.foreign.slug)
            people = [isolation.make_person(connection, r, world.own.slug) for r in Role]
            boards, password = access.create_boards_login(connection, isolation.HOURS)
        aimed = World(**{**vars(world), "other_viewer": other.viewer, "other_login": other.login})
        boards_url = libpq_url(address.set(username=boards, password=password))
        pooled = Pooled(boards_url)
        for person in people:
            tell(person.role.value)
            own = Probe(libpq_url(address.set(username=person.login, password=person.password)))
            board = Probe(boards_url, person.viewer)
            for probe, me, on_boards in ((own, person.login, False), (board, person.viewer, True)):
                subject = Subject(person.role.value, me, on_boards)
                try:
                    for attack in chosen:
                        yield attempt(probe, attack, subject, aimed, live=True)
                    if timed and not on_boards:
                        yield time_attack(probe, subject, aimed)
                    if on_boards:
                        for left in POOL_ATTACKS:
                            yield attempt_on_pool(pooled, left, other.viewer, subject, aimed)
                finally:
                    probe.close()
                    pooled.close()
    finally:
        with transaction(engine) as connection:
            isolation.sweep(connection)
            if boards:
                isolation.drop_boards_login(connection, boards)
