"""What exists: accounts, campaigns, ad sets and ads as arrays, and their state at a moment.

Objects of a level are sorted by their parents, so that the ads of one ad set (and of one campaign)
stand side by side. How many there are and with which traits is decided in `building.py`; what
they deliver is in `delivery.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from adlab.simulator import periods
from adlab.simulator.edits import Edits
from adlab.simulator.hashing import U64, Bools, Floats, Ints

Level = Literal["account", "campaign", "adset", "ad"]
LEVELS: tuple[Level, ...] = ("account", "campaign", "adset", "ad")
NEVER = 10_000_000
"""An ordinal no clock reaches."""

OBJECTIVES = (
    "OUTCOME_SALES",
    "OUTCOME_LEADS",
    "OUTCOME_TRAFFIC",
    "OUTCOME_AWARENESS",
    "OUTCOME_ENGAGEMENT",
)
GOALS = ("OFFSITE_CONVERSIONS", "LEAD_GENERATION", "LINK_CLICKS", "REACH", "POST_ENGAGEMENT")
SETTINGS = ("7d_click_1d_view", "1d_click", "7d_click")
STORIES = ("", "fatigued_ad", "overspending_campaign", "ab_pair", "mixed_attribution")

ACTIVE, PAUSED, ADSET_PAUSED, CAMPAIGN_PAUSED, ARCHIVED, DELETED = range(6)
STATUS_NAMES = (
    "ACTIVE",
    "PAUSED",
    "ADSET_PAUSED",
    "CAMPAIGN_PAUSED",
    "ARCHIVED",
    "DELETED",
    "IN_PROCESS",
    "WITH_ISSUES",
    "DISAPPROVED",
    "PENDING_REVIEW",
    "PREAPPROVED",
    "PENDING_BILLING_INFO",
)
"""The first six follow from the world itself, the others are states put over an object."""


@dataclass(frozen=True)
class Profile:
    """What is said about an ad account itself.

    `minor_per_major` is Meta's offset: 100, or 1 for currencies without a minor unit.
    """

    number: int
    name: str
    client: str
    currency: str
    timezone: str
    minor_per_major: int
    units_per_usd: float
    business_id: str
    timezone_id: int
    has_tracking_drops: bool = False
    has_outages: bool = False


@dataclass(frozen=True)
class Objects:
    """What campaigns, ad sets and ads have in common; days are account-local ordinals."""

    id: Ints
    key: U64
    start: Ints
    end: Ints
    archived_on: Ints
    deleted_on: Ints

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Campaigns(Objects):
    """Campaigns; budgets are in major units of the account's currency, per day."""

    created_on: Ints
    budget: Floats
    objective: Ints
    has_campaign_budget: Bools
    exponent: Floats
    story: Ints
    is_steady: Bools


@dataclass(frozen=True)
class AdSets(Objects):
    """Ad sets; `campaign` is the index of the parent, `share` its part of the budget."""

    campaign: Ints
    share: Floats
    setting: Ints


@dataclass(frozen=True)
class Ads(Objects):
    """Ads with the traits that delivery is computed from."""

    ad_set: Ints
    campaign: Ints
    share: Floats
    cpm: Floats
    ctr: Floats
    cvr: Floats
    lead_rate: Floats
    order_value: Floats
    wear: Floats
    is_video: Bools
    creative_id: Ints


@dataclass
class AccountWorld:
    """One ad account with everything in it; `edits` is what was changed since it was built."""

    profile: Profile
    key: int
    campaigns: Campaigns
    ad_sets: AdSets
    ads: Ads
    edits: Edits = field(default_factory=Edits)

    def __post_init__(self) -> None:
        self._built = (self.campaigns, self.ad_sets, self.ads)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The account's timezone."""
        return ZoneInfo(self.profile.timezone)

    @cached_property
    def opened_on(self) -> int:
        """The day the account was opened: a week before its first campaign."""
        built = self._built[0]
        return int(built.start.min()) - 7 if len(built) else 730_000

    @cached_property
    def index_of_id(self) -> dict[int, tuple[Level, int]]:
        """Where an object id is found: its level and its index there."""
        found: dict[int, tuple[Level, int]] = {}
        for level in ("campaign", "adset", "ad"):
            ids = self.objects(level).id.tolist()
            found.update({number: (level, index) for index, number in enumerate(ids)})
        return found

    @cached_property
    def ad_of_creative(self) -> dict[int, int]:
        """Which ad a creative belongs to."""
        return {number: index for index, number in enumerate(self._built[2].creative_id.tolist())}

    def built(self, level: str) -> int:
        """How many objects of a level the world was built with."""
        return len(self._built[LEVELS.index(level) - 1])

    def creative_index(self, number: int) -> int | None:
        """Find a creative: built ones stand at their ad's index, made ones follow after them."""
        index = self.ad_of_creative.get(number)
        if index is not None:
            return index
        for place, made in enumerate(self.edits.creatives):
            if made["id"] == str(number):
                return self.built_ads + place
        return None

    def creative_of_ad(self, ad: int) -> int:
        """Give the index of the creative that an ad shows now."""
        number = self.edits.creative_of.get(ad)
        if number is None:
            return ad
        index = self.creative_index(number)
        return ad if index is None else index

    @property
    def built_ads(self) -> int:
        """How many ads the world was built with; each has a creative of its own."""
        return len(self._built[2])

    def add(self, level: str, values: dict[str, Any]) -> int:
        """Append an object that never delivers; gives its index.

        Args:
            level: `campaign`, `adset` or `ad`.
            values: Arrays' values by name; what is not named is zero.
        """
        things = self.objects(level)
        grown = {
            name: np.concatenate([column, np.array([values.get(name, 0)]).astype(column.dtype)])
            for name, column in vars(things).items()
        }
        made = replace(things, **grown)
        if isinstance(made, Campaigns):
            self.campaigns = made
        elif isinstance(made, AdSets):
            self.ad_sets = made
        elif isinstance(made, Ads):
            self.ads = made
        self.index_of_id[int(values["id"])] = (level, len(things))  # type: ignore[assignment]
        self.edits.revision += 1
        return len(things)

    def forget_edits(self) -> None:
        """Go back to the world as it was built; `revision` moves on."""
        self.campaigns, self.ad_sets, self.ads = self._built
        self.edits = Edits(revision=self.edits.revision + 1)
        self.__dict__.pop("index_of_id", None)

    def objects(self, level: str) -> Objects:
        """Give the objects of a level below the account."""
        return {"campaign": self.campaigns, "adset": self.ad_sets, "ad": self.ads}[level]

    def index_of_ads(self, level: str) -> Ints:
        """Give, for each ad, the index of the object of a level that it belongs to."""
        if level == "ad":
            return np.arange(len(self.ads))
        if level == "adset":
            return self.ads.ad_set
        if level == "campaign":
            return self.ads.campaign
        return np.zeros(len(self.ads), dtype=np.int64)

    def today(self, seconds: float) -> int:
        """Give the account's local day at a Unix time."""
        return periods.local_day(self.zone, seconds)

    def configured_status(self, level: str, today: int) -> Ints:
        """Give each object's own status (ACTIVE, PAUSED, ARCHIVED, DELETED) on a day."""
        things = self.objects(level)
        status = np.where(things.end < today, PAUSED, ACTIVE)
        if level != "campaign":
            # Reason: an ad that ran to its campaign's end was never paused itself.
            parent = self.ads.campaign if level == "ad" else self.ad_sets.campaign
            ran_out = things.end >= self.campaigns.end[parent]
            status = np.where(ran_out, ACTIVE, status)
        status = np.where(things.archived_on <= today, ARCHIVED, status)
        status = np.where(things.deleted_on <= today, DELETED, status)
        for index, code in self.edits.statuses[level].items() if self.edits.statuses else ():
            status[index] = code
        return status

    def effective_status(self, level: str, today: int) -> Ints:
        """Give each object's effective status on a day, parents' states included."""
        status = self._cascaded(level, today)
        for (where, index), state in self.edits.states.items():
            if where == level and status[index] not in {ARCHIVED, DELETED}:
                status[index] = STATUS_NAMES.index(state.name)
        return status

    def _cascaded(self, level: str, today: int) -> Ints:
        own = self.configured_status(level, today)
        if level == "campaign":
            return own
        top = self.configured_status("campaign", today)
        if level == "adset":
            return _cascade(own, top[self.ad_sets.campaign], CAMPAIGN_PAUSED)
        middle = self.configured_status("adset", today)[self.ads.ad_set]
        result = _cascade(own, middle, ADSET_PAUSED)
        return _cascade(result, top[self.ads.campaign], CAMPAIGN_PAUSED)


def _cascade(own: Ints, parent: Ints, paused_by_parent: int) -> Ints:
    result = np.where((parent == PAUSED) & (own == ACTIVE), paused_by_parent, own)
    result = np.where((parent == ARCHIVED) & (own != DELETED), ARCHIVED, result)
    return np.where(parent == DELETED, DELETED, result)


@dataclass
class World:
    """Every account of a scenario."""

    scenario: str
    seed: int
    accounts: dict[int, AccountWorld]

    def find(self, number: int) -> tuple[AccountWorld, Level, int] | None:
        """Find a campaign, ad set or ad by its id."""
        for account in self.accounts.values():
            where = account.index_of_id.get(number)
            if where is not None:
                return account, where[0], where[1]
        return None

    def find_creative(self, number: int) -> tuple[AccountWorld, int] | None:
        """Find a creative by its id; gives the account and the creative's index."""
        for account in self.accounts.values():
            index = account.creative_index(number)
            if index is not None:
                return account, index
        return None
