"""Breakdowns: which may be combined, and how a cell's integers are split into segments.

A split is made per ad and day and adds up to the unsplit number exactly, so breakdown rows of any
level sum to the rows without breakdown. Age with gender is one family of cells, placements another.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from adlab.simulator.assets import (
    ASSET_BREAKDOWNS,
    VISUAL,
    asset_text,
    pool_of,
    used_assets,
)
from adlab.simulator.assets import FIELDS as ASSET_FIELDS
from adlab.simulator.catalog import KEY_FIELDS, UNIQUE_FIELDS, VIDEO_FIELDS
from adlab.simulator.delivery import FLOWS, Block
from adlab.simulator.errors import invalid_parameter, not_imitated
from adlab.simulator.hashing import Bools, Counts, Floats, join_keys, normal, offsets, split_exactly
from adlab.simulator.periods import day_start, hours_of_day
from adlab.simulator.places import COUNTRIES, Shares, markets, regions
from adlab.simulator.restatement import hour_shares
from adlab.simulator.world import AccountWorld

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
HOURLY_AUDIENCE = "hourly_stats_aggregated_by_audience_time_zone"
BY_HOUR = frozenset({HOURLY, HOURLY_AUDIENCE})
_GATED = frozenset({"impression_device", HOURLY_AUDIENCE, "frequency_value"})
_PLACE = frozenset({"publisher_platform", "platform_position"})
_IMITATED = {
    frozenset({"age"}),
    frozenset({"gender"}),
    frozenset({"age", "gender"}),
    frozenset({"country"}),
    frozenset({"region"}),
    frozenset({"comscore_market"}),
    frozenset({"publisher_platform"}),
    _PLACE,
    frozenset({"device_platform"}),
    frozenset({HOURLY}),
    frozenset({HOURLY_AUDIENCE}),
    frozenset({"impression_device"}),
    frozenset({"publisher_platform", "impression_device"}),
    _PLACE | {"impression_device"},
    frozenset({"frequency_value"}),
    *(frozenset({name}) for name in ASSET_BREAKDOWNS),
}
_LEGAL_BUT_MISSING = {
    frozenset({"product_id"}),
    frozenset({"action_device"}),
    frozenset({"action_device", "impression_device"}),
    frozenset({"action_device", "publisher_platform"}),
    frozenset({"action_device", "publisher_platform", "platform_position"}),
    frozenset({"mmm"}),
    frozenset({"place_page_id"}),
    *(
        frozenset({f"{asset}_asset"})
        for asset in ("ad_format", "call_to_action", "description", "link_url")
    ),
    *(
        frozenset({name, *others})
        for name in ASSET_BREAKDOWNS
        for others in (("age",), ("gender",), ("age", "gender"))
    ),
}
_KNOWN = {name for names in _IMITATED | _LEGAL_BUT_MISSING for name in names}
WITHOUT_WEB = BY_HOUR | {"region", "comscore_market"}
"""Under these, conversions off Meta are not returned at all."""
_NOT_BY_REGION = frozenset(
    {"video_avg_time_watched_actions"}
    | {name for name in VIDEO_FIELDS if name.startswith("video_p") and name[7].isdigit()}
)
FREQUENCY_DAYS = 183
OPT_IN = "breakdown_opt_in"
"""Switch of an account: whether the gated breakdowns give data (`/__accounts`)."""

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
_IMPRESSION_DEVICES = (
    ("android_smartphone", 0.36),
    ("iphone", 0.42),
    ("ipad", 0.05),
    ("android_tablet", 0.04),
    ("desktop", 0.12),
    ("other", 0.01),
)
_FREQUENCIES = (
    ("1", 0.52),
    ("2", 0.2),
    ("3", 0.1),
    ("4", 0.06),
    ("5", 0.04),
    ("6-10", 0.05),
    ("11+", 0.03),
)


def is_gated(breakdowns: tuple[str, ...]) -> bool:
    """Whether a breakdown needs an opt-in of the account; without it the answer is empty data."""
    return bool(_GATED.intersection(breakdowns))


def is_shut(account: AccountWorld, breakdowns: tuple[str, ...]) -> bool:
    """Whether a gated breakdown is asked of an account that has not opted in."""
    if not is_gated(breakdowns):
        return False
    return not (account.edits.of("account", 0) or {}).get(OPT_IN, False)


def check_breakdowns(
    breakdowns: tuple[str, ...], action_breakdowns: list[str], fields: tuple[str, ...], level: str
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
    if wanted in _LEGAL_BUT_MISSING:
        raise not_imitated(f"the breakdown {'+'.join(sorted(wanted))}")
    if wanted not in _IMITATED:
        listed = ", ".join(["action_type", *breakdowns])
        raise invalid_parameter(
            f"Current combination of data breakdown columns ({listed}) is invalid"
        )
    _check_fields(wanted, fields, level)


def _check_fields(wanted: frozenset[str], fields: tuple[str, ...], level: str) -> None:
    if wanted & BY_HOUR:
        wrong = [name for name in fields if name in UNIQUE_FIELDS or name in VIDEO_FIELDS]
        if wrong:
            raise invalid_parameter(f"{wrong[0]} cannot be requested with hourly breakdowns")
    if "region" in wanted:
        wrong = [name for name in fields if name in _NOT_BY_REGION]
        if wrong:
            raise invalid_parameter(f"{wrong[0]} cannot be requested with the region breakdown")
    if wanted.intersection(ASSET_BREAKDOWNS):
        usual = {*ASSET_FIELDS, *KEY_FIELDS, "date_start", "date_stop"}
        wrong = [name for name in fields if name not in usual]
        if wrong:
            raise invalid_parameter(f"{wrong[0]} cannot be requested with asset breakdowns")
        if wanted & VISUAL and level == "account":
            raise invalid_parameter(f"{min(wanted & VISUAL)} cannot be requested at account level")
    if "frequency_value" in wanted:
        wrong = [n for n in fields if n not in {"reach", *KEY_FIELDS, "date_start", "date_stop"}]
        if wrong:
            raise invalid_parameter(
                f"frequency_value breakdown is only available for reach, not {wrong[0]}"
            )


@dataclass(frozen=True)
class Family:
    """One way to cut cells: the values of each part, and base shares with a response tilt.

    `used` says which parts each ad has at all, shape (parts, ads); None: every part.
    """

    number: int
    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    tilt: tuple[float, ...]
    used: Bools | None = None


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
        countries = COUNTRIES[account.profile.currency]
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
    if wanted <= BY_HOUR:
        name = breakdowns[0]
        return Family(
            5, (name,), tuple((f"{h:02d}:00:00 - {h:02d}:59:59",) for h in range(24)), (), ()
        )
    currency = account.profile.currency
    if wanted == {"region"}:
        return _simple(6, "region", regions(currency))
    if wanted == {"comscore_market"}:
        return _simple(7, "comscore_market", markets(currency))
    if wanted == {"frequency_value"}:
        return _simple(8, "frequency_value", _FREQUENCIES)
    if "impression_device" in wanted:
        return _devices_by_place()
    if wanted.intersection(ASSET_BREAKDOWNS):
        return _by_asset(account, breakdowns[0])
    tilts = tuple(0.6 if place[0] == "audience_network" else 1.0 for place in _PLACEMENTS)
    return Family(
        4,
        ("publisher_platform", "platform_position"),
        tuple((a, b) for a, b, _ in _PLACEMENTS),
        tuple(s for _, _, s in _PLACEMENTS),
        tilts,
    )


def _simple(number: int, name: str, shares: Shares) -> Family:
    return Family(
        number,
        (name,),
        tuple((value,) for value, _ in shares),
        tuple(share for _, share in shares),
        tuple(1.0 for _ in shares),
    )


def _devices_by_place() -> Family:
    pairs = [(place, device) for place in _PLACEMENTS for device in _IMPRESSION_DEVICES]
    return Family(
        9,
        ("publisher_platform", "platform_position", "impression_device"),
        tuple((place[0], place[1], device[0]) for place, device in pairs),
        tuple(place[2] * device[1] for place, device in pairs),
        tuple(0.6 if place[0] == "audience_network" else 1.0 for place, _ in pairs),
    )


def _by_asset(account: AccountWorld, kind: str) -> Family:
    pool = pool_of(account, kind)
    return Family(
        10 + ASSET_BREAKDOWNS.index(kind),
        (kind,),
        tuple((asset_text(asset, kind),) for asset in pool),
        tuple(1.0 / len(pool) for _ in pool),
        tuple(1.0 for _ in pool),
        used_assets(account, kind),
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
            if family.used is not None:
                noise = noise * family.used[:, block.ad[low:high]]
            self._seen = _normalised(np.array(family.shares)[:, None] * noise)
            self._acted = _normalised(self._seen * np.array(family.tilt)[:, None])

    def split(self, name: str, known: Counts) -> list[Counts]:
        """Split a column of numbers known as of the moment."""
        if not self._family.shares:
            return self._by_hour(name, known)
        shares = self._seen if name in {"impressions", "fresh", "spend"} else self._acted
        if self._family.used is not None:
            # Reason: cells of ads without such assets belong to no part at all.
            known = np.where(shares.sum(axis=0) > 0, known, 0).astype(known.dtype)
            return _split_among(known, shares, self._offset)
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
            # Reason: a raised budget delivers more than the hours of the built day add up to.
            parts[hour][at] += known[at] - below
        return parts


def _split_among(total: Counts, shares: Floats, offset: Floats) -> list[Counts]:
    """Split integers exactly among the parts that have a share; the others get nothing."""
    edges = np.cumsum(shares, axis=0)
    parts: list[Counts] = []
    below = np.zeros_like(total)
    for edge in edges:
        # Reason: a sum of shares just below one must not leave a rest for a part without share.
        whole = edge > 1.0 - 1e-9
        upto = np.where(whole, total, np.floor(total * edge + offset)).astype(total.dtype)
        upto = np.where(edge > 0, np.minimum(upto, total), 0).astype(total.dtype)
        parts.append(upto - below)
        below = upto
    return parts


def _normalised(shares: Floats) -> Floats:
    sums = shares.sum(axis=0)
    return np.asarray(shares / np.where(sums > 0, sums, 1.0), dtype=np.float64)
