"""Breakdowns that are kept: what Meta calls them, what may be asked, and what stays unknown.

`BREAKDOWNS` is the single list that the command line, ingestion, SQL and frames share. Rows of a
breakdown add up to the row without it for spend, impressions and clicks; reach never adds. What
Meta withholds under a breakdown is unknown (empty), never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from adlab.core.entities import Level
from adlab.core.periods import TOTALS_MONTHS, DateRange, months_back

Kind = Literal[
    "hourly", "age_gender", "country", "region", "placement", "device",
    "image_asset", "video_asset", "body_asset", "title_asset",
]  # fmt: skip

# Reach with any breakdown, and everything by hour, is served this far back only.
UNIQUES_MONTHS = 13
# What a row without its key stands under: Meta leaves the hour out where nothing was shown.
NO_VALUE = "unknown"
HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"

# Reason: off-Meta conversions are not returned at all by hour and by region. What little remains
# under the same names (purchases on Meta itself) would look like the whole, so none is believed.
_WEB = (
    "landing_page_views", "content_views", "searches", "adds_to_cart", "checkouts", "purchases",
    "revenue_micro", "leads",
)  # fmt: skip


@dataclass(frozen=True)
class Breakdown:
    """One kind of breakdown.

    Attributes:
        kind: Our name, as in `adlab sync --breakdown`.
        names: Meta's names of its parts, which are also the index names of frames.
        level: Level it is read at unless another is asked for.
        levels: Levels at which Meta serves it.
        withheld: Stored columns Meta does not return under it; they stay unknown.
        lists: Action lists that may be asked for under it.
        plain: Whether only spend, impressions, reach, clicks and actions may be asked for.
        months: How far back it is served.
        values: Rough number of rows an object and day, to foresee the size of a question.
    """

    kind: Kind
    names: tuple[str, ...]
    level: Level = Level.CAMPAIGN
    levels: tuple[Level, ...] = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_SET, Level.AD)
    withheld: frozenset[str] = frozenset()
    lists: tuple[str, ...] = (
        "actions", "action_values", "conversions", "conversion_values", "outbound_clicks",
        "video_play_actions", "video_thruplay_watched_actions",
    )  # fmt: skip
    plain: bool = False
    months: int = TOTALS_MONTHS
    values: int = 5

    @property
    def is_asset(self) -> bool:
        """Whether its value is an object of Meta's with an id and something to read."""
        return self.names[0].endswith("_asset")

    def scalars(self, period: DateRange, today: date) -> tuple[str, ...]:
        """Scalar fields that may be asked for on these days.

        Reach is left out where Meta would leave it out anyway, because asking costs a quota.
        """
        reach = "reach" not in self.withheld and period.since > reach_floor(today)
        return (
            "spend", "impressions", *(("reach",) if reach else ()), "clicks",
            *(() if self.plain else ("inline_link_clicks", "attribution_setting")),
        )  # fmt: skip

    def earliest(self, today: date) -> date:
        """The first day Meta serves it for."""
        # Reason: one day inside the limit, because the account's day may be ahead of Meta's.
        return months_back(today, self.months) + timedelta(days=1)


@dataclass(frozen=True)
class BreakdownRow:
    """One row of a breakdown, as it is kept.

    Attributes:
        date: Day of the account's timezone, ISO text.
        object_id: Object of the slice's level.
        value: First part of the breakdown; of an asset its id.
        value2: Second part, or empty.
        label: What to read instead of an asset's id.
        hot: The stored columns in the order of `core.insights.STORED`; None is unknown.
        attribution_setting: As Meta names it.
        actions: The action lists as JSON bytes.
    """

    date: str
    object_id: int
    value: str
    value2: str
    label: str | None
    hot: tuple[Any, ...]
    attribution_setting: str | None
    actions: bytes | None

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What no two rows of a slice may share."""
        return self.date, self.object_id, self.value, self.value2


def reach_floor(today: date) -> date:
    """The last day that is too old for reach with a breakdown."""
    return months_back(today, UNIQUES_MONTHS)


def _asset(kind: Kind, *, account: bool) -> Breakdown:
    every = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_SET, Level.AD)
    return Breakdown(
        kind, (kind,), Level.AD, every if account else every[1:],
        frozenset({"link_clicks", "outbound_clicks", "thruplays"}),
        ("actions", "action_values"), plain=True,
    )  # fmt: skip


BREAKDOWNS: dict[str, Breakdown] = {
    b.kind: b
    for b in (
        Breakdown("age_gender", ("age", "gender"), values=18),
        Breakdown("country", ("country",)),
        Breakdown("region", ("region",), withheld=frozenset(_WEB), values=30),
        Breakdown("placement", ("publisher_platform", "platform_position"), values=12),
        Breakdown("device", ("device_platform",)),
        Breakdown(
            "hourly", (HOURLY,), withheld=frozenset({*_WEB, "reach", "thruplays"}),
            lists=("actions", "action_values", "conversions", "conversion_values",
                   "outbound_clicks"),
            months=UNIQUES_MONTHS, values=24,
        ),
        _asset("image_asset", account=False),
        _asset("video_asset", account=False),
        _asset("body_asset", account=True),
        _asset("title_asset", account=True),
    )
}  # fmt: skip


def breakdown(name: str) -> Breakdown:
    """A breakdown by our name or by Meta's names, `age_gender` or `age,gender`.

    Raises:
        ValueError: If it is none that is kept; the message lists them.
    """
    key = name.strip().lower()
    if key in BREAKDOWNS:
        return BREAKDOWNS[key]
    parts = {p.strip() for p in key.replace("+", ",").split(",") if p.strip()}
    for b in BREAKDOWNS.values():
        if parts == set(b.names):
            return b
    raise ValueError(f"there is no breakdown {name!r}; there are {', '.join(BREAKDOWNS)}")


def breakdowns(names: Iterable[str]) -> tuple[Breakdown, ...]:
    """Several breakdowns, each once, in the order of the list; `all` names every one.

    Raises:
        ValueError: If one is none that is kept.
    """
    wanted = list(names)
    if any(n.strip().lower() == "all" for n in wanted):
        return tuple(BREAKDOWNS.values())
    found = {breakdown(n).kind for n in wanted}
    return tuple(b for b in BREAKDOWNS.values() if b.kind in found)


def holding(names: Sequence[str]) -> tuple[Breakdown, tuple[int, ...]]:
    """The kept breakdown that answers for some of Meta's names, and the place of each in it.

    `("age",)` is answered by age and gender, added up over gender.

    Raises:
        ValueError: If no kept breakdown holds all of them; the message lists what can be asked.
    """
    asked = [HOURLY if n in ("hour", "hourly") else n for n in names]
    for b in BREAKDOWNS.values():
        if set(asked) <= set(b.names) and len(set(asked)) == len(asked):
            return b, tuple(b.names.index(n) for n in asked)
    if len(asked) == 1 and asked[0] in BREAKDOWNS:
        b = BREAKDOWNS[asked[0]]
        return b, tuple(range(len(b.names)))
    known = "; ".join("+".join(b.names) for b in BREAKDOWNS.values())
    raise ValueError(
        f"breakdowns={tuple(names)!r} do not go together, or are not kept; there are {known}"
    )
