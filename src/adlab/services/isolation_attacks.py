"""What an attack on the database is: what it tries, and how a leak is recognised.

The attacks themselves are data, in `isolation_attacks_reading`, `…_acting` and `…_creating`; those
that need two people on one pooled connection are in `isolation_pool`. Every attack is tried with a
login of each role, and with the boards' login as each viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from adlab.core.roles import Right, has_right

DENIED = frozenset({"42501"})
# Reason: what a person may not enter does not exist for them either.
DENIED_OR_UNKNOWN = DENIED | {"42883", "42P01", "3F000", "42704", "0A000"}


class Sign(StrEnum):
    """How a leak is recognised, besides words that must never be seen."""

    WORDS = "a word that must stay hidden"
    REFUSED = "anything but a refusal"
    EMPTY = "a row"
    UNTRUE = "a row that says yes"
    QUIET = "an error that answers a question"
    SAME = "a foreign thing that looks different from one that does not exist"


@dataclass(frozen=True)
class Attack:
    """One attack. Texts may hold `{names}` of a `World`.

    Attributes:
        name: Short and unique.
        family: What kind of hole it looks for.
        aim: What it tries, in words.
        tries: Statements that must show nothing.
        sign: What would be a leak.
        before: Statements that prepare it; whether they work does not matter.
        codes: SQLSTATEs that count as refused; another error leaves it unclear.
        over: Name of a list of a `World`: the attack is tried with each as `{it}`.
        needs_temp: It makes temporary objects. People may not, so it is also tried where they may.
        alone: It cannot run inside a transaction.
        lasting: It would change the server if it worked, so a live store is spared.
        login_only: The boards' own login may do this by design, its viewers have no SQL.
        spared: Who has this right may do it.
    """

    name: str
    family: str
    aim: str
    tries: tuple[str, ...]
    sign: Sign = Sign.REFUSED
    before: tuple[str, ...] = ()
    codes: frozenset[str] = DENIED
    over: str | None = None
    needs_temp: bool = False
    alone: bool = False
    lasting: bool = False
    login_only: bool = False
    spared: Right | None = None


@dataclass(frozen=True)
class Place:
    """A client as an attacker might name it.

    Attributes:
        client_id, slug, name: The client.
        account, object_id, object_name: One account and one campaign of it.
        spend: A number that only it has, in millionths.
        names: Texts that tell of the client's existence. facts: Texts that tell of its advertising.
    """

    client_id: int
    slug: str
    name: str
    account: int
    object_id: int
    object_name: str
    spend: int
    names: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def texts(self, prefix: str) -> dict[str, object]:
        """Its parts by the names attacks use."""
        return {
            prefix: self.client_id, f"{prefix}_slug": self.slug, f"{prefix}_name": self.name,
            f"{prefix}_account": self.account, f"{prefix}_object": self.object_id,
            f"{prefix}_object_name": self.object_name, f"{prefix}_spend": self.spend,
        }  # fmt: skip


@dataclass(frozen=True)
class World:
    """What attacks aim at. Collected by the owner; attackers know it all, as the worst case.

    Attributes:
        own: The client the attacker is granted.
        foreign: One they are not.
        missing: One that does not exist.
        secrets: Texts nobody may see, whatever their role.
        relations: Every table, view and sequence of schemas `app` and `sec`.
        inner: Every function of those schemas, called with nulls.
        chunks: TimescaleDB's own tables behind ours, compressed ones too.
        aggregates: What continuous aggregates are made of.
        other_viewer, other_login: Roles of another person.
    """

    own: Place
    foreign: Place
    missing: Place
    secrets: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    chunks: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()
    other_viewer: str = ""
    other_login: str = ""

    def each(self, over: str) -> tuple[str, ...]:
        """The list an attack goes over."""
        found: tuple[str, ...] = getattr(self, over)
        return found


@dataclass(frozen=True)
class Subject:
    """Who attacks.

    Attributes:
        role: Their role in the agency, and on their one client.
        me: Database role they act as.
        word: How the roles are told apart in reports.
        on_boards: They act through the boards' login.
    """

    role: str
    me: str
    on_boards: bool = False
    can_make_temp: bool = False
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The role, and the way in."""
        return f"{self.role} on a board" if self.on_boards else self.role

    def may(self, right: Right) -> bool:
        """Whether their role has a right."""
        return has_right(self.role, right)


def hidden_from(subject: Subject, world: World) -> tuple[str, ...]:
    """Texts this person must never see: others' clients, and secrets even for an owner."""
    if subject.may(Right.SEE_ALL_CLIENTS):
        return world.secrets
    if not subject.may(Right.SEE_DATA):
        # Reason: the audit log names clients, so who reads all of it knows the names, and no more.
        return (*world.secrets, *world.foreign.facts, *world.own.facts)
    return (*world.secrets, *world.foreign.names, *world.foreign.facts)


def attacks() -> tuple[Attack, ...]:
    """The whole catalogue of statements."""
    from adlab.services.isolation_attacks_acting import ACTING
    from adlab.services.isolation_attacks_creating import CREATING
    from adlab.services.isolation_attacks_reading import READING

    return (*READING, *ACTING, *CREATING)
