"""What was changed after the world was built: by writes of the API and by the control plane.

An overlay of one account. The arrays of the world stay as they were built; readers ask here first.
`revision` moves with every change, so that remembered reports know when they are out of date.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, int]
"""Level (`account`, `campaign`, `adset`, `ad`, `creative`) and index of an object."""
STOPPING = frozenset({"DISAPPROVED", "PENDING_REVIEW", "PENDING_BILLING_INFO"})
DELIVERING_ACCOUNTS = frozenset({1, 8, 9})


@dataclass
class State:
    """An effective status that stands over the configured one until a Unix time (0: for good)."""

    name: str
    until: float


@dataclass
class Edits:
    """Changes of one account's objects.

    Attributes:
        values: Wire fields that were set, by object.
        statuses: Configured status codes that were set, by level and index.
        states: Review, processing and issue states, by object.
        touched: When objects were edited last, by level and index, Unix seconds.
        made: When objects were created through the API, by level and index.
        running: When objects started (1.0) or stopped (0.0) delivering, sorted by time.
        budgets: When budgets were set, as factors on the built one, sorted by time.
        resets: When an ad set's learning phase began again, by index.
        events: Entries of the change history: Unix time, category, entry.
        creatives: Creatives made through the API, complete, in order of making.
        creative_of: Creatives swapped into ads: ad index to creative id.
    """

    revision: int = 0
    values: dict[Place, dict[str, Any]] = field(default_factory=dict)
    statuses: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    states: dict[Place, State] = field(default_factory=dict)
    touched: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    made: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    running: defaultdict[Place, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    budgets: defaultdict[Place, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    resets: dict[int, int] = field(default_factory=dict)
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    creatives: list[dict[str, Any]] = field(default_factory=list)
    creative_of: dict[int, int] = field(default_factory=dict)

    @property
    def steers(self) -> bool:
        """Whether anything changes what is delivered."""
        return bool(self.running or self.budgets)

    def of(self, level: str, index: int) -> dict[str, Any] | None:
        """Give the fields that were set on an object, if any."""
        return self.values.get((level, index)) if self.values else None

    def put(self, level: str, index: int, fields: dict[str, Any], now: float | None = None) -> None:
        """Set wire fields of an object; a value of None takes the key away.

        Args:
            level: Level of the object.
            index: Its index there.
            fields: What to set.
            now: Unix time of the edit; None leaves `updated_time` alone.
        """
        self.values.setdefault((level, index), {}).update(fields)
        self.touch(level, index, now)

    def touch(self, level: str, index: int, now: float | None) -> None:
        """Note an edit."""
        self.revision += 1
        if now is not None:
            self.touched[level][index] = int(now)

    def run(self, level: str, index: int, now: float, *, runs: bool) -> None:
        """Note that an object starts or stops delivering."""
        line = self.running[level, index]
        insort(line, (now, 1.0 if runs else 0.0), key=lambda step: step[0])
        self.revision += 1

    def spend(self, level: str, index: int, now: float, factor: float) -> None:
        """Note that an object's budget becomes a multiple of the one it had."""
        line = self.budgets[level, index]
        before = line[-1][1] if line else 1.0
        insort(line, (now, before * factor), key=lambda step: step[0])
        self.revision += 1

    def set_state(self, level: str, index: int, name: str, until: float, now: float) -> None:
        """Put a state over an object; some states stop delivery."""
        self.states[level, index] = State(name, until)
        self.revision += 1
        if name in STOPPING:
            self.run(level, index, now, runs=False)

    def drop_state(self, level: str, index: int) -> State | None:
        """Take an object's state away and give it back."""
        self.revision += 1
        return self.states.pop((level, index), None)

    def ended(self, now: float) -> list[tuple[Place, State]]:
        """List the states whose time is over."""
        if not self.states:
            return []
        return [(place, state) for place, state in self.states.items() if 0 < state.until <= now]
