"""Meta's quotas in plain words and numbers: who calls, which meters there are, when to slow down.

A *scope* is what a meter measures: the app, one ad account, or one use of an ad account. Scopes are
texts: `app`, `app:ads_insights`, `act:1001`, `act:1001:ads_insights`. A call is held back by every
scope it touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Priority = Literal["live", "report", "backfill"]
PRIORITIES: tuple[Priority, ...] = ("live", "report", "backfill")

SLOW_FROM_PERCENT = 75.0
STOP_FROM_PERCENT = 95.0
# Reason: under pressure the least urgent stops first, so that the room left is for what is urgent.
STOPS: dict[Priority, float] = {"live": STOP_FROM_PERCENT, "report": 88.0, "backfill": 80.0}
SLOWEST_PAUSE, FASTEST_PAUSE = 10.0, 0.5
# After a stop without a known end one call may look again; a reading older than this says nothing.
STOP_SECONDS, FRESH_SECONDS = 60.0, 300.0
ACTIVE_SECONDS = 300.0
KEPT_SECONDS = 7200
COUNT_SECONDS = 300

LIMITED, FULL = "development_access", "standard_access"
READ_POINTS, WRITE_POINTS = 1, 3
SCORE_DECAY_SECONDS = 300.0
SCORE = {LIMITED: 60.0, FULL: 9000.0}
BLOCK_SECONDS = {LIMITED: 300.0, FULL: 60.0}
ADS_USES = ("ads_insights", "ads_management")


@dataclass(frozen=True)
class Caller:
    """For whom a call is made.

    Attributes:
        account_id: Ad account, or None where a call is about none.
        client_id: The client whose share it is, for fairness between clients.
        priority: What may wait for what: back-fill for reports, reports for live numbers.
    """

    account_id: int | None = None
    client_id: int | None = None
    priority: Priority = "live"

    @property
    def account_scope(self) -> str:
        """Scope of the account; calls without one share scope `act:0`."""
        return f"act:{self.account_id or 0}"

    def scopes(self, *, is_write: bool = False) -> list[str]:
        """Scopes a call touches.

        A write is not held back by what reading insights used up: pausing an ad must be possible
        when reports have emptied their own meter.
        """
        uses = ("ads_management",) if is_write else ADS_USES
        app = ["app"] if is_write else ["app", "app:ads_insights"]
        return [*app, self.account_scope, *(f"{self.account_scope}:{use}" for use in uses)]


@dataclass(frozen=True)
class Meter:
    """One meter as an answer told it.

    Attributes:
        scope: What it measures.
        percent: How much is used; above 100 is possible.
        wait_seconds: Until Meta lets calls through again; 0 when nothing is blocked.
        tier: `development_access` (Limited), `standard_access` (Full), or None when not told.
        is_score: Whether the account's score is measured, which our own prediction follows.
    """

    scope: str
    percent: float
    wait_seconds: float = 0.0
    tier: str | None = None
    is_score: bool = False


@dataclass(frozen=True)
class Standing:
    """How a scope stands now.

    Attributes:
        scope: Which.
        percent: Percent used as last told; None when nothing was told within the last hour.
        age_seconds: Since when; None likewise.
        wait_seconds: Until calls are let through; 0 when they are.
        tier: As last told.
        calls_last_hour: Our own calls, to within five minutes.
        score_percent: The predicted score's share of its limit, where there is a score.
    """

    scope: str
    percent: float | None = None
    age_seconds: float | None = None
    wait_seconds: float = 0.0
    tier: str | None = None
    calls_last_hour: int = 0
    score_percent: float | None = None


@dataclass(frozen=True)
class Grant:
    """Whether a call may be made.

    Attributes:
        granted: Counted, and to be made once `wait_seconds` have passed; else ask again then.
        wait_seconds: 0 means at once.
        scope: What holds it back.
    """

    granted: bool
    wait_seconds: float = 0.0
    scope: str = ""


class Budget(Protocol):
    """The quota of one app, shared by whoever calls with it. Never raises for its own troubles."""

    def ask(self, caller: Caller, *, points: int = READ_POINTS, calls: int = 1) -> Grant:
        """Ask for a call, and count it when granted; writes are what has more points than calls."""

    def note(self, meters: Sequence[Meter]) -> None:
        """Learn from an answer's headers."""

    def hold(self, scope: str, seconds: float) -> None:
        """Let nobody call in a scope for some seconds; never shortens a wait."""

    def standing(self, scopes: Sequence[str]) -> list[Standing]:
        """How scopes stand, in the order asked."""


def pause_at(percent: float) -> float:
    """Seconds between calls at a percentage between slowing down and stopping."""
    if percent < SLOW_FROM_PERCENT:
        return 0.0
    share = (percent - SLOW_FROM_PERCENT) / (STOP_FROM_PERCENT - SLOW_FROM_PERCENT)
    return min(SLOWEST_PAUSE, FASTEST_PAUSE + (SLOWEST_PAUSE - FASTEST_PAUSE) * share)


def score_limit(tier: str | None) -> float:
    """Highest score of a tier; an unknown tier is taken for Full until a header says otherwise."""
    return SCORE.get(tier or FULL, SCORE[FULL])
