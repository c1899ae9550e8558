"""The blocks a report is made of: what a notebook shows, and what the exporter reads.

A notebook shows a block as JSON of type `MIME`. Every text in it is plain text. Kinds and fields:
`cover` (client, title, period, headline, detail, facts, colours, logo), `heading` (level, text),
`text` (text, style), `tiles` (tiles), `table` (columns, rows, total, note), `figure` (svg, alt,
title, subtitle), `definitions` (items), `notes` (items).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

MIME = "application/vnd.adlab.report+json"

# Reason: control characters steer programs, and bidirectional overrides let one text read as
# another; neither belongs on paper. Joiners stay: emoji and Indic scripts need them.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile("[\u061c\u200e\u200f\ufeff]")
_LONG_WORD = re.compile(r"[^\s\u200b]{28,}")
# A long word is best broken after its punctuation; what has none, after so many letters.
_PART = re.compile(r"[^._/\[\],&=?:;|-]*[._/\[\],&=?:;|-]?")
_LETTERS, _TOO_MANY = 5, 16
_NO_TEXT = ("svg", "logo", "kind", "style", "align", "tone", "color", "on_color", "typst")


def plain(text: str) -> str:
    """Text fit for paper: no steering characters, nothing a font could not show as text."""
    flat = text.replace("\t", " ").encode("utf-8", "replace").decode()
    flat = _MARKS.sub("", unicodedata.normalize("NFC", flat))
    kept = _STEERING.sub("\N{REPLACEMENT CHARACTER}", flat)
    return "".join(c for c in kept if unicodedata.category(c) not in ("Cn", "Cs", "Co"))


def breakable(text: str) -> str:
    """The same, with places to break in words too long for a line."""
    return _LONG_WORD.sub(_pieces, plain(text))


def _pieces(match: re.Match[str]) -> str:
    cuts: list[str] = []
    for part in filter(None, _PART.findall(match[0])):
        step = _LETTERS if len(part) > _TOO_MANY else len(part)
        cuts += [part[i : i + step] for i in range(0, len(part), step)]
    return "\N{ZERO WIDTH SPACE}".join(cuts)


def shorten(text: str, longest: int) -> str:
    """At most so many characters, the cut shown by an ellipsis."""
    flat = " ".join(plain(text).split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def texts(block: Any, key: str = "") -> Iterator[str]:
    """Every text of a block, or of several, that the paper shows."""
    if isinstance(block, str):
        if key not in _NO_TEXT:
            yield block
    elif isinstance(block, dict):
        for name, value in block.items():
            yield from texts(value, name)
    elif isinstance(block, list):
        for value in block:
            yield from texts(value, key)


def tidy(block: Any, key: str = "") -> Any:
    """A block whose every text is `breakable`; pictures and colours stay as they are."""
    if isinstance(block, str):
        return block if key in _NO_TEXT else breakable(block)
    if isinstance(block, dict):
        return {str(k): tidy(v, str(k)) for k, v in block.items()}
    if isinstance(block, list | tuple):
        return [tidy(v, key) for v in block]
    return block
