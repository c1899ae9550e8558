"""What a run of ingestion is asked, needs, tells and reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine

from adlab.core.entities import LevelName
from adlab.core.periods import DateRange
from adlab.core.quota import Priority
from adlab.meta.client import GraphClient


@dataclass(frozen=True)
class SyncRequest:
    """What to refresh.

    Attributes:
        client: Slug, or None for all clients.
        account: Account id, or None for all accounts.
        since: First day; None picks per account: 28 days before what is covered, or 90 days.
        until: Last day; None is the account's current day.
        levels: Which levels of insights.
        days_by_level: For some levels, at most this many newest days.
        with_objects: Whether to refresh campaigns, ad sets and ads first.
        with_account: Whether to refresh the account itself first.
        resume: Whether slices that an interrupted run of the same question committed in the last
            six hours are skipped; a day that is read for its newest numbers must not be.
    """

    client: str | None = None
    account: str | None = None
    since: date | None = None
    until: date | None = None
    levels: tuple[LevelName, ...] = ("account", "campaign", "adset", "ad")
    days_by_level: tuple[tuple[LevelName, int], ...] = ()
    with_objects: bool = True
    with_account: bool = True
    resume: bool = True


@dataclass(frozen=True)
class SliceDone:
    """One committed slice, for progress bars."""

    client: str
    account_id: int
    level: str
    period: DateRange
    rows: int
    changed: int


@dataclass
class SyncReport:
    """What a run did.

    Attributes:
        rows: Rows received; `changed` of them were new or different.
        calls: Requests to the Graph API.
        seconds: Wall time.
        skipped: Slices an interrupted run had committed already.
        quota_percent: Tightest meter seen.
        failures: Per account and level, what went wrong.
        warnings: What a person should know, such as days that are in the store twice.
    """

    rows: int = 0
    changed: int = 0
    objects: int = 0
    calls: int = 0
    seconds: float = 0.0
    slices: int = 0
    skipped: int = 0
    accounts: int = 0
    quota_percent: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything asked is committed."""
        return not self.failures


@dataclass
class IngestParts:
    """What ingestion needs; built by `runtime`.

    Attributes:
        engine: The owner's engine.
        open_client: Makes a signed client for a sealed token of a tenant.
        tell: Tells open pages that a tenant's data changed; never raises.
        now: Current aware time.
        concurrency: Slices read side by side.
        priority: How urgent this run is beside others: live numbers, a report, a back-fill.
    """

    engine: Engine
    open_client: Callable[[bytes, int], GraphClient]
    tell: Callable[[int, dict[str, Any]], object]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    concurrency: int = 4
    priority: Priority = "live"
