"""Published reports as links: on the front door and below a client's board."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """A published report, as a link.

    Attributes:
        report_id: For its address.
        title: Its title, unescaped.
        period: The days it covers, in words; "" where the title says them.
        rendered: When it was made, in words.
        pages: How many pages it has, or None.
    """

    report_id: int
    title: str
    period: str
    rendered: str
    pages: int | None = None
