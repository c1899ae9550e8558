"""Breakdowns: which may be combined, and how a cell's integers are split into segments.

A split is made per ad and day and adds up to the unsplit number exactly, so breakdown rows of any
level sum to the rows without breakdown. Age with gender is one family of cells, placements another.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from adlab.simulator.catalog import UNIQUE_FIELDS, VIDEO_FIELDS
from adlab.simulator.delivery import FLOWS, Block
from adlab.simulator.errors import invalid_parameter, not_imitated
from adlab.simulator.hashing import Counts, Floats, join_keys, normal, offsets, split_exactly
from adlab.simulator.periods import day_start, hours_of_day
from adlab.simulator.restatement import hour_shares
from adlab.simulator.world import AccountWorld

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
_GATED = {"impression_device", "hourly_stats_aggregated_by_audience_time_zone", "frequency_value"}
_IMITATED = {
    frozenset({"age"}),
    frozenset({"gender"}),
    frozenset({"age", "gender"}),
    frozenset({"country"}),
    frozenset({"publisher_platform"}),
    frozenset({"publisher_platform", "platform_position"}),
    frozenset({"device_platform"}),
    frozenset({HOURLY}),
}
_LEGAL_BUT_MISSING = {
    frozenset({"region"}),
    frozenset({"product_id"}),
    frozenset({"action_device"}),
    frozenset({"action_device", "publisher_platform"}),
    frozenset({"action_device", "publisher_platform", "platform_position"}),
    frozenset({"comscore_market"}),
    frozenset({"mmm"}),
    frozenset({"place_page_id"}),
    *(
        frozenset({f"{asset}_asset"})
        for asset in (
            "ad_format",
            "body",
            "call_to_action",
            "description",
            "image",
            "link_url",
            "title",
            "video",
        )
    ),
}
_KNOWN = {name for names in _IMITATED | _LEGAL_BUT_MISSING for name in names} | _GATED
_GATED_PARTNERS = {"publisher_platform", "platform_position", "action_device"}

_AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_GENDERS = ("female", "male", "unknown")
_PLACEMENTS = (
    ("facebook", "feed", 0.27),
    ("facebook", "facebook_reels", 0.10),
    ("facebook", "facebook_stories", 0.06),
    ("facebook", "marketplace", 0.05),
    ("facebook", "right_hand_column", 0.02),
    ("instagram", "feed", 0.20),
    ("instagram", "instagram_stories", 0.13),
    ("instagram", "instagram_reels", 0.11),
    ("audience_network", "an_classic", 0.03),
    ("messenger", "messenger_stories", 0.01),
    ("threads", "threads_feed", 0.02),
)
_DEVICES = (("mobile_app", 0.78), ("mobile_web", 0.09), ("desktop", 0.13))
_COUNTRIES = {
    "EUR": (("DE", 0.6), ("AT", 0.2), ("FR", 0.2)),
    "JPY": (("JP", 0.97), ("TW", 0.03)),
    "GBP": (("GB", 0.88), ("IE", 0.12)),
    "AUD": (("AU", 0.84), ("NZ", 0.16)),
    "CAD": (("CA", 0.9), ("US", 0.1)),
    "USD": (("US", 0.86), ("CA", 0.10), ("MX", 0.04)),
}


def is_gated(breakdowns: tuple[str, ...]) -> bool:
    """Whether a breakdown needs an opt-in that no account here has: the answer is empty data."""
    return bool(_GATED.intersection(breakdowns))


def check_breakdowns(
    breakdowns: tuple[str, ...], action_breakdowns: list[str], fields: tuple[str, ...]
) -> None:
    """Refuse illegal combinations.

    Raises:
        GraphError: Code 100 for what Meta refuses, code 3 for what is legal but not imitated.
    """
    others = [name for name in action_breakdowns if name != "action_type"]
    if others:
        raise not_imitated(f"action_breakdowns={others[0]}")
    if not breakdowns:
        return
    wanted = frozenset(breakdowns)
    if "dma" in wanted:
        raise invalid_parameter("dma breakdown is no longer supported, use comscore_market")
    unknown = sorted(wanted - _KNOWN)
    if unknown:
        raise invalid_parameter(
            f"breakdowns[0] must be one of the following values, not {unknown[0]}"
        )
    gated = wanted & _GATED
    if gated and len(gated) == 1 and wanted - gated <= _GATED_PARTNERS:
        return
    if wanted in _LEGAL_BUT_MISSING:
        raise not_imitated(f"the breakdown {'+'.join(sorted(wanted))}")
    if wanted not in _IMITATED:
        listed = ", ".join(["action_type", *breakdowns])
        raise invalid_parameter(
            f"Current combination of data breakdown columns ({listed}) is invalid"
        )
    if HOURLY in wanted:
        wrong = [name for name in fields if name in UNIQUE_FIELDS or name in VIDEO_FIELDS]
        if wrong:
            raise invalid_parameter(f"{wrong[0]} cannot be requested with hourly breakdowns")


@dataclass(frozen=True)
class Family:
    """One way to cut cells: the values of each part, and base shares with a response tilt."""

    number: int
    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    tilt: tuple[float, ...]


def _audience() -> Family:
    ages = (0.17, 0.30, 0.22, 0.15, 0.10, 0.06)
    genders = (0.55, 0.42, 0.03)
    tilt_age = (0.8, 1.05, 1.1, 1.05, 0.95, 0.85)
    tilt_gender = (1.08, 0.92, 0.9)
    pairs = [(i, j) for i in range(len(_AGES)) for j in range(len(_GENDERS))]
    return Family(
        1,
        ("age", "gender"),
        tuple((_AGES[i], _GENDERS[j]) for i, j in pairs),
        tuple(ages[i] * genders[j] for i, j in pairs),
        tuple(tilt_age[i] * tilt_gender[j] for i, j in pairs),
    )


def family_of(account: AccountWorld, breakdowns: tuple[str, ...]) -> Family:
    """Give the family that a checked combination of breakdowns belongs to."""
    wanted = set(breakdowns)
    if wanted <= {"age", "gender"}:
        return _audience()
    if wanted == {"country"}:
        countries = _COUNTRIES[account.profile.currency]
        return Family(
            2,
            ("country",),
            tuple((c,) for c, _ in countries),
            tuple(s for _, s in countries),
            tuple(1.0 for _ in countries),
        )
    if wanted == {"device_platform"}:
        return Family(
            3,
            ("device_platform",),
            tuple((d,) for d, _ in _DEVICES),
            tuple(s for _, s in _DEVICES),
            (1.0, 0.8, 1.1),
        )
    if wanted == {HOURLY}:
        return Family(
            5, (HOURLY,), tuple((f"{h:02d}:00:00 - {h:02d}:59:59",) for h in range(24)), (), ()
        )
    tilts = tuple(0.6 if place[0] == "audience_network" else 1.0 for place in _PLACEMENTS)
    return Family(
        4,
        ("publisher_platform", "platform_position"),
        tuple((a, b) for a, b, _ in _PLACEMENTS),
        tuple(s for _, _, s in _PLACEMENTS),
        tilts,
    )


def segments_of(
    family: Family, breakdowns: tuple[str, ...]
) -> tuple[list[tuple[str, ...]], list[int]]:
    """Give the distinct values of the wanted breakdowns, and each part's place among them."""
    at = [family.names.index(name) for name in breakdowns]
    cut = [tuple(values[i] for i in at) for values in family.values]
    distinct = list(dict.fromkeys(cut))
    return distinct, [distinct.index(values) for values in cut]


class Splitter:
    """Splits columns of a run of cells into the parts of a family."""

    def __init__(
        self,
        account: AccountWorld,
        family: Family,
        block: Block,
        low: int,
        high: int,
        moment: float,
    ) -> None:
        self._family, self._block, self._low, self._high = family, block, low, high
        self._zone: ZoneInfo = account.zone
        self._moment = moment
        key = account.ads.key[block.ad[low:high]]
        self._offset = offsets(join_keys(key, block.day[low:high]), 92 + family.number)
        if family.shares:
            noise = np.stack(
                [
                    np.exp(0.25 * normal(key, 100 + 40 * family.number + part))
                    for part in range(len(family.shares))
                ]
            )
            self._seen = _normalised(np.array(family.shares)[:, None] * noise)
            self._acted = _normalised(self._seen * np.array(family.tilt)[:, None])

    def split(self, name: str, known: Counts) -> list[Counts]:
        """Split a column of numbers known as of the moment."""
        if self._family.names == (HOURLY,):
            return self._by_hour(name, known)
        shares = self._seen if name in {"impressions", "fresh", "spend"} else self._acted
        return split_exactly(known, shares, self._offset)

    def _by_hour(self, name: str, known: Counts) -> list[Counts]:
        empty = np.zeros_like(known)
        parts = [empty.copy() for _ in range(24)]
        if name not in FLOWS or name in {"fresh", "landing_views"}:
            return parts
        final = self._block.columns[name][self._low : self._high]
        offset = self._block.flow_offset[self._low : self._high]
        days = self._block.day[self._low : self._high]
        for day in np.unique(days).tolist():
            at = np.flatnonzero(days == day)
            shares = hour_shares(self._zone, day)
            edges = np.minimum(np.cumsum(shares), 1.0)
            edges[-1] = 1.0
            below = empty[at]
            for turn, hour in enumerate(hours_of_day(self._zone, day)):
                upto = np.floor(final[at] * edges[turn] + offset[at]).astype(np.int32)
                if self._moment < day_start(self._zone, day) + (turn + 1) * 3600:
                    upto = known[at]
                upto = np.minimum(upto, known[at])
                parts[hour][at] += upto - below
                below = upto
        return parts


def _normalised(shares: Floats) -> Floats:
    return np.asarray(shares / shares.sum(axis=0), dtype=np.float64)
