"""Trying an attack as somebody, and judging what came back."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adlab.services.isolation_attacks import Attack, Place, Sign, Subject, World, hidden_from
from adlab.storage.probe import Answer, Probe

Outcome = Literal["closed", "leak", "unclear", "spared"]

# Reason: differences below these are noise of a busy machine, measured on equal questions.
TIMING_PAIRS = 31
TIMING_ROUNDS = 4
TIMING_SHARE = 0.35
TIMING_SECONDS = 0.0008

TIMED = (
    "SELECT * FROM api.clients WHERE client_id = {target}",
    "SELECT * FROM api.accounts WHERE account_id = {target_account}",
    "SELECT * FROM api.objects WHERE account_id = {target_account} AND object_id = {target_object}",
    'SELECT api.set_goals(\'[{{"client": "{target_slug}", "metric": "roas", "target": 3}}]\''
    "::jsonb)",
    "SELECT api.note('board.view', ARRAY['{target_slug}'], '{{}}')",
)


@dataclass(frozen=True)
class Verdict:
    """How one attack as one person ended.

    Attributes:
        attack: Its name.
        subject: The role, and the way in.
        outcome: `unclear` when it failed for another reason than being refused.
        why: What was seen, without the words that must stay hidden.
        tried: How many statements were tried.
    """

    attack: str
    subject: str
    outcome: Outcome
    why: str = ""
    tried: int = 0


def attempt(
    probe: Probe, attack: Attack, subject: Subject, world: World, *, live: bool = False
) -> Verdict:
    """Try an attack and judge it.

    Args:
        probe: A connection of the attacker's.
        attack: What to try.
        subject: Who tries.
        world: What is aimed at.
        live: Whether people work with this store; attacks that could last are left out then.
    """
    if subject.on_boards and attack.login_only:
        return Verdict(attack.name, subject.word, "spared", "the boards' service may")
    if live and attack.lasting:
        return Verdict(attack.name, subject.word, "spared", "would change a live server")
    if attack.spared is not None and subject.may(attack.spared):
        return Verdict(attack.name, subject.word, "spared", f"may {attack.spared.value}")
    tried = 0
    for it in world.each(attack.over) if attack.over else ("",):
        if attack.alone:
            verdict, count = _judged(probe, attack, subject, world, it)
        else:
            with probe.attempt():
                verdict, count = _judged(probe, attack, subject, world, it)
        tried += count
        if verdict is not None:
            outcome, why = verdict
            return Verdict(attack.name, subject.word, outcome, why, tried)
    return Verdict(attack.name, subject.word, "closed", "", tried)


def _judged(
    probe: Probe, attack: Attack, subject: Subject, world: World, it: str
) -> tuple[tuple[Outcome, str] | None, int]:
    for line in attack.before:
        probe.ask(_filled(line, subject, world, world.foreign, it), alone=attack.alone)
    tried, unclear = 0, None
    for line in attack.tries:
        query = _filled(line, subject, world, world.foreign, it)
        if attack.sign is Sign.SAME:
            # Reason: the first call of a session plans, and says so in an error's context.
            probe.ask(_filled(line, subject, world, world.missing, it))
        answer = probe.ask(query, alone=attack.alone)
        tried += 1
        seen = _seen(answer, query, subject, world)
        if seen:
            return ("leak", f"{_short(query)}: {seen}"), tried
        if attack.sign is Sign.SAME:
            other = probe.ask(_filled(line, subject, world, world.missing, it))
            tried += 1
            if _masked(answer, world.foreign, line) != _masked(other, world.missing, line):
                return ("leak", f"{_short(query)}: answers differ ({answer.state}, "
                        f"{other.state})"), tried  # fmt: skip
            continue
        found = _sign(attack, answer)
        if found is not None and found[0] == "leak":
            return (found[0], f"{_short(query)}: {found[1]}"), tried
        if found is not None:
            unclear = unclear or (found[0], f"{_short(query)}: {found[1]}")
    return unclear, tried


def _sign(attack: Attack, answer: Answer) -> tuple[Outcome, str] | None:
    first = answer.said.splitlines()[0][:120] if answer.said else ""
    if attack.sign is Sign.REFUSED:
        if not answer.state:
            return "leak", f"was not refused, {len(answer.rows)} rows"
        if answer.state not in attack.codes:
            return "unclear", f"failed with {answer.state} {first}"
    if attack.sign is Sign.EMPTY and not answer.state and answer.rows:
        return "leak", f"{len(answer.rows)} rows"
    if attack.sign is Sign.UNTRUE and any(row[0] is True for row in answer.rows):
        return "leak", "it was done"
    if attack.sign is Sign.QUIET and answer.state in attack.codes:
        return "leak", f"an error {answer.state} tells"
    return None


def _seen(answer: Answer, query: str, subject: Subject, world: World) -> str:
    """What of the answer must not be known; "" if nothing. Never quotes it."""
    text = answer.text
    for word in hidden_from(subject, world):
        # Reason: what the attacker wrote themselves tells them nothing.
        if word in text and word not in query:
            return "shows a text that must stay hidden"
    if "client_id" in answer.columns and _is_stranger(subject, world):
        place = answer.columns.index("client_id")
        if any(row[place] == world.foreign.client_id for row in answer.rows):
            return "shows rows of a foreign client"
    return ""


def _is_stranger(subject: Subject, world: World) -> bool:
    return any(name in hidden_from(subject, world) for name in world.foreign.names)


def _filled(line: str, subject: Subject, world: World, target: Place, it: str) -> str:
    return line.format(
        **world.own.texts("own"), **world.foreign.texts("foreign"), **target.texts("target"),
        me=subject.me, other_viewer=world.other_viewer, other_login=world.other_login, it=it,
    )  # fmt: skip


def _masked(answer: Answer, place: Place, line: str) -> str:
    """The answer without what the attacker wrote, which is all that may differ."""
    text = f"{answer.state}\n{answer.text}"
    written = [str(v) for k, v in place.texts("target").items() if f"{{{k}}}" in line]
    for value in sorted(written, key=len, reverse=True):
        text = re.sub(rf"(?<![^\W_]){re.escape(value)}(?!\w)", "…", text)
    return text


def _short(query: str) -> str:
    return query if len(query) <= 100 else f"{query[:97]}…"


def timings(probe: Probe, subject: Subject, world: World) -> Iterator[tuple[str, float, float]]:
    """Each question about existence, and median seconds for a foreign and for a missing thing."""
    for line in TIMED:
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(TIMING_PAIRS + 3):
            # Reason: which of the two comes first changes, so that neither is always the warm one.
            for which in (0, 1) if number % 2 else (1, 0):
                place = (world.foreign, world.missing)[which]
                with probe.attempt():
                    seconds = probe.ask(_filled(line, subject, world, place, "")).seconds
                if number >= 3:
                    times[which].append(seconds)
        yield line, statistics.median(times[0]), statistics.median(times[1])


def time_attack(probe: Probe, subject: Subject, world: World) -> Verdict:
    """Whether the time of an answer tells that a foreign thing exists; in doubt asked again."""
    name, tried = "timing-of-existence", 0
    if not _is_stranger(subject, world):
        return Verdict(name, subject.word, "spared", "may see_all_clients or see_audit")
    suspects: dict[str, tuple[bool, str]] | None = None
    # Reason: on a busy machine something is slower now and then; only what is slower in the same
    # direction every time tells anybody anything.
    for _ in range(TIMING_ROUNDS):
        found = {}
        for line, foreign, missing in timings(probe, subject, world):
            tried += 2 * TIMING_PAIRS
            apart = abs(foreign - missing)
            if apart > TIMING_SECONDS and apart > TIMING_SHARE * min(foreign, missing):
                told = f"{_short(line)}: {foreign * 1000:.2f} ms and {missing * 1000:.2f} ms"
                found[line] = (foreign > missing, told)
        suspects = found if suspects is None else {
            line: kept for line, kept in found.items()
            if line in suspects and suspects[line][0] == kept[0]
        }  # fmt: skip
        if not suspects:
            break
    why = "; ".join(told for _, told in (suspects or {}).values())
    return Verdict(name, subject.word, "leak" if why else "closed", why, tried)
