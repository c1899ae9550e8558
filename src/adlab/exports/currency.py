"""Which currency a file's amounts are in, and who said so."""

from __future__ import annotations

from adlab.core.errors import ImportRejectedError
from adlab.core.money import check_currency
from adlab.exports.layout import Layout
from adlab.exports.mapping import Mapping


def choose_currency(
    asked: str | None, mapping: Mapping, layout: Layout, fallback: str | None
) -> tuple[str, str]:
    """The currency of a file's amounts, and who said so.

    Raises:
        ImportRejectedError: If flag, mapping and file contradict each other, or nobody says it.
        ValueError: If the flag is no currency code.
    """
    said = [(check_currency(asked), "flag")] if asked else []
    if mapping.currency:
        said.append((mapping.currency, "mapping"))
    said += [(code, f"file, column {header!r}") for code, header in layout.currencies.items()]
    if len({code for code, _ in said}) > 1:
        sources = ", ".join(f"{code} ({source})" for code, source in said)
        raise ImportRejectedError(
            f"The currency of the amounts is contradictory: {sources}.",
            "A file has one currency; correct the flag or the mapping, or split the file.",
        )
    if said:
        return said[0]
    if fallback:
        return fallback, "client"
    raise ImportRejectedError(
        "Nothing says which currency the amounts are in.",
        "Say it: --currency EUR, or currency: EUR in a mapping.",
    )
