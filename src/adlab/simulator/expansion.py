"""Field expansion: ``id,adsets.limit(10){id,ads{id}}`` becomes a tree of wanted fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from adlab.simulator.errors import GraphError


@dataclass(frozen=True)
class Wanted:
    """One field, its modifiers such as `limit`, and the fields wanted below it."""

    name: str
    modifiers: dict[str, str] = field(default_factory=dict)
    children: tuple[Wanted, ...] = ()


def parse_fields(text: str) -> tuple[Wanted, ...]:
    """Read a `fields` parameter.

    Raises:
        GraphError: Code 2500 when brackets do not match or a name is missing.
    """
    fields, position = _read_list(text, 0)
    if position != len(text):
        raise _syntax(text, position)
    return tuple(fields)


def _syntax(text: str, position: int) -> GraphError:
    near = text[position : position + 20]
    return GraphError(
        2500,
        f"Syntax error \"Expected end of string instead of '{near}'.\" at "
        f"character {position}: {text}",
    )


def _read_list(text: str, position: int) -> tuple[list[Wanted], int]:
    found: list[Wanted] = []
    while position < len(text) and text[position] != "}":
        item, position = _read_one(text, position)
        if item is not None:
            found.append(item)
        if position < len(text) and text[position] == ",":
            position += 1
        elif position < len(text) and text[position] != "}":
            raise _syntax(text, position)
    return found, position


def _read_one(text: str, position: int) -> tuple[Wanted | None, int]:
    name, position = _read_word(text, position)
    modifiers: dict[str, str] = {}
    while position < len(text) and text[position] == ".":
        modifier, position = _read_word(text, position + 1)
        if position >= len(text) or text[position] != "(":
            raise _syntax(text, position)
        value, position = _read_brackets(text, position)
        modifiers[modifier] = value
    children: tuple[Wanted, ...] = ()
    if position < len(text) and text[position] == "{":
        listed, position = _read_list(text, position + 1)
        if position >= len(text):
            raise _syntax(text, position)
        children, position = tuple(listed), position + 1
    if not name:
        if modifiers or children:
            raise _syntax(text, position)
        return None, position
    return Wanted(name, modifiers, children), position


def _read_word(text: str, position: int) -> tuple[str, int]:
    start = position
    while position < len(text) and (text[position].isalnum() or text[position] in "_ "):
        position += 1
    return text[start:position].strip(), position


def _read_brackets(text: str, position: int) -> tuple[str, int]:
    depth, start = 0, position + 1
    for at in range(position, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at], at + 1
    raise _syntax(text, position)
