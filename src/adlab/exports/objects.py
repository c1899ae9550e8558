"""The campaigns, ad sets and ads a file names, with Meta's ids or stable ones made of the names."""

from __future__ import annotations

from typing import NamedTuple

from adlab.core.entities import AdObject, Level, imported_id
from adlab.exports.rows import FileRow

_LEVELS = (Level.CAMPAIGN, Level.AD_SET, Level.AD)


class Place(NamedTuple):
    """Where a row belongs: its object and that one's parents."""

    object_id: int
    campaign_id: int | None
    ad_set_id: int | None


class FileObjects:
    """Collects the objects of a file while its rows are read.

    Args:
        account_id: Account the rows will live in; part of every made id.
        level: Level of the rows.
    """

    def __init__(self, account_id: int, level: Level) -> None:
        self._account_id = account_id
        self._level = level
        self._known: dict[tuple[object, ...], Place] = {}
        self.found: dict[tuple[Level, int], AdObject] = {}

    def place(self, row: FileRow) -> Place:
        """The object of a row; the row must name one at the file's level."""
        key = (row.names, row.ids)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._add(row)
        return known

    def _add(self, row: FileRow) -> Place:
        chain: list[int | None] = []
        for level, name, meta_id in zip(_LEVELS, row.names, row.ids, strict=True):
            number = meta_id
            if number is None and name is not None:
                # Reason: ads of one name may stand in several ad sets, so the parents belong to it.
                parents = [p for p in chain if p is not None]
                number = imported_id(self._account_id, level.word, *parents, name)
            if number is not None:
                self.found[level, number] = AdObject(
                    level,
                    number,
                    name or str(number),
                    campaign_id=chain[0] if chain else None,
                    ad_set_id=chain[1] if len(chain) > 1 else None,
                )
            chain.append(number)
        if self._level is Level.ACCOUNT:
            return Place(self._account_id, None, None)
        depth = _LEVELS.index(self._level)
        own = chain[depth]
        assert own is not None
        return Place(own, chain[0] if depth > 0 else None, chain[1] if depth > 1 else None)
