"""Attacks through one pooled connection: what one viewer leaves behind, the next must not find.

Boards connect once and take each viewer's role for a transaction. These attacks do what a fault
of ours, or a board cut off half-way, could leave on such a connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from adlab.services.isolation_attacks import Subject, World, hidden_from
from adlab.services.isolation_attempt import Verdict
from adlab.storage.probe import Pooled


@dataclass(frozen=True)
class PoolAttack:
    """What a first viewer does, and what a second one then tries on the same connection.

    Attributes:
        name, family, aim: As of an `Attack`.
        leaves: What the first viewer, who sees the foreign client, runs.
        tries: What the second one runs.
        commits: Whether the first one's transaction commits, or is cut off.
        as_nobody: Whether the second one takes no role; everything must be refused then.
    """

    name: str
    family: str
    aim: str
    leaves: tuple[str, ...]
    tries: tuple[str, ...]
    commits: bool = True
    as_nobody: bool = False


_LOOK = (
    "SELECT * FROM api.clients", "SELECT * FROM api.accounts", "SELECT * FROM api.objects",
    "SELECT client_id, spend_micro FROM api.insights_daily", "SELECT * FROM api.whoami()",
)  # fmt: skip

POOL_ATTACKS = (
    PoolAttack("plan-of-another", "prepared statements",
               "run a statement that another viewer prepared and ran often",
               ("PREPARE seen AS SELECT * FROM api.clients", *["EXECUTE seen"] * 7),
               ("EXECUTE seen",)),
    PoolAttack("generic-plan-of-another", "prepared statements",
               "the same with a plan kept for everybody",
               ("SET plan_cache_mode = force_generic_plan",
                "PREPARE seen2 AS SELECT client_id, spend_micro FROM api.insights_daily",
                "EXECUTE seen2", "EXECUTE seen2"), ("EXECUTE seen2",)),
    PoolAttack("function-plan-of-another", "prepared statements",
               "run functions whose plans another viewer left in the session",
               tuple(["SELECT * FROM api.whoami()"] * 7), ("SELECT * FROM api.whoami()",)),
    PoolAttack("after-an-error", "pool", "look after another viewer's transaction failed",
               ("SELECT * FROM api.clients", "SELECT 1 / 0"), _LOOK, commits=False),
    PoolAttack("after-a-cut", "pool", "look after another viewer's cursor was cut off",
               ("DECLARE seen3 CURSOR FOR SELECT * FROM api.clients", "FETCH 1 FROM seen3"),
               ("FETCH ALL FROM seen3", *_LOOK), commits=False),
    PoolAttack("cursor-of-another", "cursors", "fetch from another viewer's finished cursor",
               ("DECLARE seen4 CURSOR FOR SELECT * FROM api.clients",), ("FETCH ALL FROM seen4",)),
    PoolAttack("nobody-after-commit", "pool", "read without taking a role",
               ("SELECT * FROM api.clients",), _LOOK, as_nobody=True),
    PoolAttack("nobody-after-error", "pool", "read without a role after an error",
               ("SELECT 1 / 0",), _LOOK, commits=False, as_nobody=True),
    PoolAttack("temp-table-of-another", "temporary tables",
               "read a temporary table another viewer left",
               ("CREATE TEMP TABLE seen5 AS SELECT * FROM api.clients",),
               ("SELECT * FROM seen5",)),
    PoolAttack("settings-of-another", "settings", "look with settings another viewer left",
               ("SET search_path = app, sec, api", "SET row_security = off",
                "SET default_transaction_read_only = off"), _LOOK),
)  # fmt: skip


def attempt_on_pool(
    pooled: Pooled, attack: PoolAttack, first: str, subject: Subject, world: World
) -> Verdict:
    """Try one, and judge it.

    Args:
        pooled: A connection with the boards' login.
        attack: What to try.
        first: Viewer's role that sees the foreign client.
        subject: Who comes second; a viewer on a board.
        world: What is aimed at.
    """
    pooled.visit(first, attack.leaves, commit=attack.commits)
    viewer = None if attack.as_nobody else subject.me
    answers = pooled.visit(viewer, attack.tries, commit=False, each=True)
    pooled.close()
    hidden = (
        (*world.foreign.names, *world.foreign.facts, *world.own.names)
        if attack.as_nobody
        else hidden_from(subject, world)
    )
    for query, answer in zip(attack.tries, answers, strict=True):
        if any(word in answer.text for word in hidden):
            why = f"{query}: shows what another viewer saw"
            return Verdict(attack.name, subject.word, "leak", why, len(answers))
        if attack.as_nobody and answer.state != "42501":
            why = f"{query}: {answer.state or 'worked'}"
            return Verdict(attack.name, subject.word, "leak", why, len(answers))
    return Verdict(attack.name, subject.word, "closed", "", len(answers))
