"""The objects of an ad account as values, and the type of each identifier.

Identifiers are whole numbers in the store, because Meta's are, and text for people. Objects that
came from a file without identifiers get negative numbers, shown as `imp_…`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, NewType

ClientId = NewType("ClientId", int)
AccountId = NewType("AccountId", int)
ObjectId = NewType("ObjectId", int)
PersonId = NewType("PersonId", int)

LevelName = Literal["account", "campaign", "adset", "ad"]


class Level(IntEnum):
    """Levels of an ad account; the numbers are what the store keeps."""

    ACCOUNT = 1
    CAMPAIGN = 2
    AD_SET = 3
    AD = 4
    CREATIVE = 5

    @property
    def word(self) -> str:
        """Meta's word for the level, which is also the public one."""
        return _WORDS[self]

    @classmethod
    def parse(cls, text: str) -> Level:
        """Read Meta's word for a level.

        Raises:
            ValueError: If there is no such level.
        """
        key = text.strip().lower().replace("_", "").replace(" ", "").rstrip("s")
        for level, word in _WORDS.items():
            if word == key:
                return level
        raise ValueError(f"there is no level {text!r}; levels are account, campaign, adset, ad")


_WORDS = {
    Level.ACCOUNT: "account",
    Level.CAMPAIGN: "campaign",
    Level.AD_SET: "adset",
    Level.AD: "ad",
    Level.CREATIVE: "creative",
}

INSIGHT_LEVELS = (Level.ACCOUNT, Level.CAMPAIGN, Level.AD_SET, Level.AD)


def parse_account_id(text: str | int) -> AccountId:
    """Read `act_1001` or `1001`.

    Raises:
        ValueError: If it is neither.
    """
    digits = str(text).strip().removeprefix("act_")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18 or int(digits) == 0:
        raise ValueError(f"{text!r} is not an ad account id; it looks like act_1234567890")
    return AccountId(int(digits))


def public_id(number: int) -> str:
    """An identifier for people: Meta's digits, or `imp_…` for objects made from a file."""
    return str(number) if number >= 0 else f"imp_{-number}"


def parse_public_id(text: str | int) -> int:
    """The store's number for an identifier shown to people.

    Raises:
        ValueError: If it is no identifier.
    """
    raw = str(text).strip().removeprefix("act_")
    body = raw.removeprefix("imp_")
    if not body.isascii() or not body.isdigit() or len(body) > 19:
        raise ValueError(f"{text!r} is not an identifier")
    return -int(body) if raw.startswith("imp_") else int(body)


def imported_id(*parts: str | int) -> int:
    """A stable negative identifier for an object that has only names.

    Args:
        parts: What makes it unique: account, level, parent names, name.
    """
    text = "\x1f".join(str(p) for p in parts)
    digest = hashlib.sha256(text.encode()).digest()
    return -(int.from_bytes(digest[:8], "big") >> 11 or 1)


@dataclass(frozen=True)
class AdObject:
    """A campaign, ad set, ad or creative as last read.

    `extra` holds further fields as Meta sends them; budgets are integers of Meta's offset units.
    """

    level: Level
    object_id: int
    name: str
    campaign_id: int | None = None
    ad_set_id: int | None = None
    creative_id: int | None = None
    status: str | None = None
    effective_status: str | None = None
    objective: str | None = None
    optimization_goal: str | None = None
    bid_strategy: str | None = None
    daily_budget_minor: int | None = None
    lifetime_budget_minor: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    start_at: datetime | None = None
    stop_at: datetime | None = None
    extra: dict[str, Any] | None = None


@dataclass(frozen=True)
class AccountInfo:
    """An ad account as Meta describes it.

    Money is in whole offset units of the currency (`core.money.meta_offset`); None is "not told",
    and of `spend_cap_minor` "no cap".
    """

    account_id: AccountId
    name: str
    currency: str
    timezone: str
    account_status: int
    disable_reason: int = 0
    extra: dict[str, Any] | None = None
    spend_cap_minor: int | None = None
    amount_spent_minor: int | None = None
    balance_minor: int | None = None
    min_daily_budget_minor: int | None = None
    is_prepay: bool | None = None
    capabilities: tuple[str, ...] | None = None

    @property
    def delivers(self) -> bool:
        """Whether ads of this account can run: active, pending settlement or in grace period."""
        return self.account_status in (1, 8, 9)
