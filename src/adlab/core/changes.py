"""Changes of campaigns, ad sets and ads as values: what is wanted, whether it fits, its inverse.

A change is plain data that survives a crash: `as_data` and `from_data` are exact. Amounts are
Decimals of the account's currency; on the wire and in the store they are whole offset units
(`core.money.meta_offset`), so that nothing is ever rounded. Nothing here calls anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal

from adlab.core.entities import AccountId, AdObject, Level
from adlab.core.errors import ChangeRefusedError
from adlab.core.money import check_currency, display_decimals, format_money, meta_offset

Period = Literal["daily", "lifetime"]
Observed = dict[str, Any]

STATUSES = ("ACTIVE", "PAUSED")
# Strategies a bid amount goes with, and the one that needs none.
BID_STRATEGIES = ("LOWEST_COST_WITH_BID_CAP", "COST_CAP")
NO_BID = "LOWEST_COST_WITHOUT_CAP"
LONGEST_NAME = 400
_GONE = ("ARCHIVED", "DELETED")
_UNSETTLED = {
    "IN_PROCESS": "Meta is still working on it",
    "PENDING_REVIEW": "Meta reviews it",
    "WITH_ISSUES": "Meta reports issues with it",
    "DISAPPROVED": "Meta disapproved it",
}


@dataclass(frozen=True)
class Change:
    """Something wanted of one object.

    Attributes:
        account_id: The ad account.
        object_id: The object; of `CreateAd` the ad set, of `Copy` what is copied.
    """

    account_id: AccountId
    object_id: int
    kind: ClassVar[str] = ""
    levels: ClassVar[tuple[Level, ...]] = (Level.CAMPAIGN, Level.AD_SET, Level.AD)
    makes: ClassVar[bool] = False


@dataclass(frozen=True)
class SetStatus(Change):
    """Pause or run an object."""

    status: str
    kind: ClassVar[str] = "status"

    def __post_init__(self) -> None:
        """Refuse other words."""
        if self.status not in STATUSES:
            raise ValueError(
                f"{self.status!r} is no status to set; use ACTIVE or PAUSED. "
                "Archiving and deleting are not offered: a deleted ad still collects results."
            )


@dataclass(frozen=True)
class SetBudget(Change):
    """Another amount for the budget an object has.

    Attributes:
        amount: Major units of the account's currency.
        period: Which budget.
        currency: Checked against the account's; None leaves it to the account.
    """

    amount: Decimal
    period: Period = "daily"
    currency: str | None = None
    kind: ClassVar[str] = "budget"
    levels: ClassVar[tuple[Level, ...]] = (Level.CAMPAIGN, Level.AD_SET)

    def __post_init__(self) -> None:
        """Refuse nothing, less than nothing, and other periods."""
        _positive(self.amount, "A budget")
        if self.period not in ("daily", "lifetime"):
            raise ValueError(f"{self.period!r} is no kind of budget; use daily or lifetime")


@dataclass(frozen=True)
class SetBid(Change):
    """Another bid, or none.

    Attributes:
        amount: Major units of the account's currency; None takes the bid away.
        strategy: One of `BID_STRATEGIES` or `NO_BID`; None keeps what there is.
        currency: Checked against the account's.
    """

    amount: Decimal | None
    strategy: str | None = None
    currency: str | None = None
    kind: ClassVar[str] = "bid"
    levels: ClassVar[tuple[Level, ...]] = (Level.AD_SET,)

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.strategy not in (None, NO_BID, *BID_STRATEGIES):
            names = ", ".join((NO_BID, *BID_STRATEGIES))
            raise ValueError(f"{self.strategy!r} is no bid strategy offered here; use {names}")
        if self.amount is None and self.strategy != NO_BID:
            raise ValueError(f"a bid without an amount needs the strategy {NO_BID}")
        if self.amount is not None:
            if self.strategy == NO_BID:
                raise ValueError(f"{NO_BID} takes no amount")
            _positive(self.amount, "A bid")


@dataclass(frozen=True)
class Rename(Change):
    """Another name."""

    name: str
    kind: ClassVar[str] = "rename"

    def __post_init__(self) -> None:
        """Refuse names Meta would not keep as they are."""
        _name(self.name)


@dataclass(frozen=True)
class Copy(Change):
    """A copy beside the original, always paused.

    Attributes:
        deep: Whether what lies under it is copied too.
        prefix: Put before the copy's name.
    """

    deep: bool = False
    prefix: str = "Copy of "
    kind: ClassVar[str] = "copy"
    makes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a copy that could not be told from the original."""
        if not self.prefix.strip():
            raise ValueError("a copy needs a prefix, so that it can be told from the original")


@dataclass(frozen=True)
class CreateAd(Change):
    """A new ad with a creative that exists, always paused; `object_id` is the ad set."""

    name: str
    creative_id: int
    kind: ClassVar[str] = "create_ad"
    levels: ClassVar[tuple[Level, ...]] = (Level.AD_SET,)
    makes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse names Meta would not keep as they are."""
        _name(self.name)


@dataclass(frozen=True)
class Remove(Change):
    """Delete what a change of ours made; only ever the inverse of one."""

    kind: ClassVar[str] = "remove"


_KINDS: dict[str, type[Change]] = {
    k.kind: k for k in (SetStatus, SetBudget, SetBid, Rename, Copy, CreateAd, Remove)
}
KINDS = tuple(_KINDS)


def _positive(amount: Decimal, what: str) -> None:
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount <= 0:
        raise ValueError(f"{what} must be an exact amount above zero, not {amount!r}")


def _name(name: str) -> None:
    if not name.strip() or name != name.strip() or "\0" in name:
        raise ValueError("a name must not be empty and must not begin or end with spaces")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} characters")


def minor_units(amount: Decimal, currency: str) -> int:
    """Whole offset units of an amount, exactly.

    Raises:
        ValueError: If the currency has fewer decimals than the amount.
    """
    units = amount * meta_offset(currency)
    if units != units.to_integral_value():
        raise ValueError(
            f"{amount} {currency} has more decimals than the {display_decimals(currency)} "
            f"of {currency} at Meta"
        )
    return int(units)


def as_data(change: Change) -> dict[str, Any]:
    """The parameters of a change, for a JSON document."""
    found = {k: v for k, v in vars(change).items() if k not in ("account_id", "object_id")}
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in found.items()}


def from_data(account_id: int, object_id: int, kind: str, data: Mapping[str, Any]) -> Change:
    """The change that `as_data` described.

    Raises:
        ValueError: If it is none.
    """
    if kind not in _KINDS:
        raise ValueError(f"there is no change {kind!r}; there are {', '.join(KINDS)}")
    values = dict(data)
    if values.get("amount") is not None:
        values["amount"] = Decimal(values["amount"])
    return _KINDS[kind](AccountId(account_id), object_id, **values)


def expected(change: Change, currency: str) -> Observed:
    """The fields of the object, or of the one made, once the change is done.

    Args:
        change: The change.
        currency: Of the account.

    Raises:
        ChangeRefusedError: If the change names another currency.
        ValueError: If the amount has more decimals than the currency.
    """
    if isinstance(change, SetStatus):
        return {"status": change.status}
    if isinstance(change, SetBudget):
        return {f"{change.period}_budget_minor": _units(change, change.amount, currency)}
    if isinstance(change, SetBid):
        found: Observed = {"bid_amount_minor": None}
        if change.amount is not None:
            found["bid_amount_minor"] = _units(change, change.amount, currency)
        if change.strategy is not None:
            found["bid_strategy"] = change.strategy
        return found
    if isinstance(change, Rename):
        return {"name": change.name}
    if isinstance(change, CreateAd):
        return {
            "name": change.name, "status": "PAUSED", "ad_set_id": change.object_id,
            "creative_id": change.creative_id,
        }  # fmt: skip
    return {"status": "PAUSED"} if isinstance(change, Copy) else {"status": "DELETED"}


def _units(change: SetBudget | SetBid, amount: Decimal, currency: str) -> int:
    if change.currency is not None and check_currency(change.currency) != currency:
        raise ChangeRefusedError(
            f"The amount is in {change.currency}, and act_{change.account_id} is in {currency}.",
            "Give the amount in the account's currency; nothing is converted here.",
        )
    return minor_units(amount, currency)


def observe(change: Change, found: AdObject) -> Observed:
    """The fields of an object that a change is about, as they are."""
    if isinstance(change, SetBudget):
        return {
            "daily_budget_minor": found.daily_budget_minor,
            "lifetime_budget_minor": found.lifetime_budget_minor,
        }
    if isinstance(change, SetBid):
        bid = (found.extra or {}).get("bid_amount")
        return {
            "bid_amount_minor": int(bid) if bid else None,
            "bid_strategy": found.bid_strategy,
        }
    if isinstance(change, SetStatus):
        return {"status": found.status}
    if isinstance(change, Rename):
        return {"name": found.name}
    if isinstance(change, CreateAd):
        return {
            "name": found.name, "status": found.status, "ad_set_id": found.ad_set_id,
            "creative_id": found.creative_id,
        }  # fmt: skip
    return {"name": found.name, "status": found.status}


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Fields that are not as wanted: name, and the wanted and the found value."""
    return {k: [v, found.get(k)] for k, v in wanted.items() if found.get(k) != v}


def remarks(found: AdObject) -> tuple[str, ...]:
    """What a person should know of an object that was just changed; none of it is a failure."""
    state = found.effective_status or ""
    out = [f"{state}: {_UNSETTLED[state]}"] if state in _UNSETTLED else []
    if found.status == "ACTIVE" and state in ("CAMPAIGN_PAUSED", "ADSET_PAUSED"):
        out.append(f"{state}: it runs only when what is above it runs")
    return tuple(out)


def inverse(
    change: Change, before: Mapping[str, Any], currency: str, made_id: int | None = None
) -> Change | None:
    """The change that takes a change back.

    Args:
        change: What was done.
        before: `observe` of the object before it.
        currency: Of the account.
        made_id: What it made, if it made something.

    Returns:
        The inverse; None where there is none.
    """
    at = (change.account_id, change.object_id)
    if change.makes:
        return None if made_id is None else Remove(change.account_id, made_id)
    if isinstance(change, SetStatus):
        return SetStatus(*at, before["status"]) if before.get("status") in STATUSES else None
    if isinstance(change, Rename):
        name = str(before["name"])
        # Reason: a former name may hold what we would not write ourselves.
        return Rename(*at, name) if name.strip() == name and len(name) <= LONGEST_NAME else None
    offset = meta_offset(currency)
    if isinstance(change, SetBudget):
        former = before.get(f"{change.period}_budget_minor")
        if not former:
            return None
        return SetBudget(*at, Decimal(former) / offset, change.period, currency)
    if isinstance(change, SetBid):
        bid, strategy = before.get("bid_amount_minor"), before.get("bid_strategy")
        if not bid:
            return SetBid(*at, None, NO_BID, currency) if strategy in (None, NO_BID) else None
        if strategy not in (None, *BID_STRATEGIES):
            return None
        return SetBid(*at, Decimal(bid) / offset, strategy, currency)
    return None


def check(
    change: Change,
    level: Level,
    found: AdObject,
    campaign: AdObject | None,
    currency: str,
    least_budget_minor: int | None = None,
) -> None:
    """Refuse a change that does not fit the object as it is.

    Args:
        change: What is wanted.
        level: Of the object.
        found: The object, just read.
        campaign: Of an ad set whose budget is to change, its campaign.
        currency: Of the account.
        least_budget_minor: The account's smallest daily budget, when known.

    Raises:
        ChangeRefusedError: With the reason and what to do.
    """
    what = f"{level.word} {found.object_id}"
    if level not in change.levels:
        words = ", ".join(lv.word for lv in change.levels)
        raise ChangeRefusedError(
            f"A {change.kind} change does not fit the level {level.word}.", f"It fits: {words}."
        )
    gone = next((s for s in (found.status, found.effective_status) if s in _GONE), None)
    if gone is not None and not (isinstance(change, Remove) and gone != "DELETED"):
        raise ChangeRefusedError(
            f"The {what} is {gone.lower()}.",
            "Archived and deleted objects are not changed; copy a live one instead.",
        )
    if isinstance(change, SetBudget):
        _check_budget(change, what, found, campaign, currency, least_budget_minor)


def _check_budget(
    change: SetBudget,
    what: str,
    found: AdObject,
    campaign: AdObject | None,
    currency: str,
    least: int | None,
) -> None:
    if campaign is not None and (campaign.daily_budget_minor or campaign.lifetime_budget_minor):
        raise ChangeRefusedError(
            f"The budget of {what} lies on its campaign {campaign.object_id}.",
            "Change the campaign's budget; Meta refuses budgets on both levels.",
        )
    held = [p for p in ("daily", "lifetime") if getattr(found, f"{p}_budget_minor")]
    if not held:
        raise ChangeRefusedError(
            f"The {what} has no budget of its own; its ad sets have.",
            "Change the budget of an ad set; Meta refuses budgets on both levels.",
        )
    if change.period not in held:
        raise ChangeRefusedError(
            f"The {what} has a {held[0]} budget, not a {change.period} one.",
            f"Change the {held[0]} budget; switching between the two is done in Ads Manager.",
        )
    units = _units(change, change.amount, currency)
    if least is not None and change.period == "daily" and units < least:
        smallest = format_money(Decimal(least) / meta_offset(currency), currency)
        raise ChangeRefusedError(
            f"{format_money(change.amount, currency)} is below the account's smallest daily "
            f"budget of {smallest}.",
            "Give more, or pause it.",
        )
