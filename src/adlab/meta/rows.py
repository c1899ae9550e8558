"""Pages of daily insights, decoded to what ingestion keeps and nothing else.

A page of a thousand rows is three megabytes of action lists, of which a dozen numbers become
columns and the rest is stored as it came. So the lists stay bytes: that is a third of the work of
making objects of them and writing them out again, and a tenth of the memory. What is not shaped as
expected is left to the general reader, which knows how to complain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from adlab.core.insights import ACTION_LISTS, STORED

_Scalar = str | int | float | None
_NAMES = (
    "date_start", "account_id", "campaign_id", "adset_id", "ad_id", "account_name",
    "campaign_name", "adset_name", "ad_name", "attribution_setting", "quality_ranking",
    "engagement_rate_ranking", "conversion_rate_ranking",
    *(c.field for c in STORED if c.field is not None),
)  # fmt: skip


class Entry(msgspec.Struct, gc=False):
    """One entry of an action list: its type and its value by the ad set's own setting."""

    action_type: str
    value: _Scalar = None


class _Reads:
    """Reads like a mapping, so that one parser serves rows of either kind."""

    __slots__ = ()

    def get(self, name: str, default: Any = None) -> Any:
        """A cell, or `default` when it is absent."""
        found = getattr(self, name, msgspec.UNSET)
        return default if found is msgspec.UNSET else found

    def __getitem__(self, name: str) -> Any:
        found = getattr(self, name, msgspec.UNSET)
        if found is msgspec.UNSET:
            raise KeyError(name)
        return found

    def __contains__(self, name: str) -> bool:
        return getattr(self, name, msgspec.UNSET) is not msgspec.UNSET


if TYPE_CHECKING:
    InsightsRow = _Reads
else:
    InsightsRow = msgspec.defstruct(
        "InsightsRow",
        [
            *((name, _Scalar | msgspec.UnsetType, msgspec.UNSET) for name in dict.fromkeys(_NAMES)),
            *((name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in ACTION_LISTS),
        ],
        bases=(_Reads, msgspec.Struct),
        gc=False,
    )


class _Page(msgspec.Struct):
    data: list[InsightsRow]
    paging: dict[str, Any] | None = None
    error: Any = None
    success: Any = None


_PAGES = msgspec.json.Decoder(_Page)
_LISTS = msgspec.json.Decoder(list[Entry] | None)
_KEYS = [(name, f',"{name}":'.encode()) for name in ACTION_LISTS]


def decode_page(content: bytes) -> dict[str, Any] | None:
    """A page of daily insights.

    Args:
        content: The answer's body.

    Returns:
        `data` (rows) and `paging`, or None when it is not plainly such a page: an error, a row that
        is none, JSON that is cut.
    """
    try:
        page = _PAGES.decode(content)
    except msgspec.MsgspecError:
        return None
    if page.error is not None or page.success is not None:
        return None
    return {"data": page.data, "paging": page.paging}


def entries_of(raw: msgspec.Raw) -> dict[str, _Scalar]:
    """Values of an action list by type; types without a value are left out.

    Raises:
        ValueError: If it is no list of entries.
    """
    entries = _LISTS.decode(raw) or ()
    return {e.action_type: e.value for e in entries if e.value is not None}


def document_of(row: InsightsRow) -> bytes | None:
    """The action lists of a row as one JSON object, as they came; None when there are none."""
    parts: list[bytes] = []
    for name, key in _KEYS:
        raw = getattr(row, name)
        if raw is not msgspec.UNSET and (text := bytes(raw)) != b"null":
            parts += (key, text)
    if not parts:
        return None
    found = b"{%b}" % b"".join(parts)[1:]
    # Reason: what is stored goes through COPY, where a tab or line break between tokens would
    # end a cell; inside of a text JSON has none.
    return found.translate(_BLANKS) if _is_pretty(found) else found


_BLANKS = bytes.maketrans(b"\t\n\r", b"   ")


def _is_pretty(text: bytes) -> bool:
    return b"\n" in text or b"\t" in text or b"\r" in text
