"""Money in writes: what a budget, cap or bid may be, and how often it may change."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from adlab.simulator.account_fields import least_budget
from adlab.simulator.entities import FIELDS, Moment
from adlab.simulator.errors import GraphError, invalid_parameter
from adlab.simulator.state import Settings
from adlab.simulator.wire import GraphRequest
from adlab.simulator.world import DELETED

BUDGETS = ("daily_budget", "lifetime_budget")
NO_SPEND_CAP = 922_337_203_685_478
_HOUR = 3600.0
_WITH_BID = frozenset({"LOWEST_COST_WITH_BID_CAP", "COST_CAP"})
_STRATEGIES = _WITH_BID | {"LOWEST_COST_WITHOUT_CAP", "LOWEST_COST_WITH_MIN_ROAS"}


def refused(
    message: str, field: str, subcode: int | None = None, title: str = "Invalid parameter"
) -> GraphError:
    """Code 100 as entity validation writes it: texts for people, and the field to blame."""
    return GraphError(
        100,
        "Invalid parameter",
        subcode=subcode,
        title=title,
        user_message=message,
        data={"blame_field_specs": [[field]]},
    )


def current(moment: Moment, level: str, index: int, field: str) -> Any:
    """Give the present wire value of an object's field; None when it has none."""
    edited = moment.account.edits.of(level, index)
    if edited is not None and field in edited:
        return edited[field]
    reader = FIELDS[level].get(field)
    return None if reader is None else reader(moment, index)


def amount(request: GraphRequest, field: str) -> int | None:
    """Read an amount in minor units; None when it was not sent.

    Raises:
        GraphError: If it is no whole number above zero.
    """
    text = request.params.get(field)
    if text is None or text == "":
        return None
    if not text.isdigit() or int(text) == 0:
        raise invalid_parameter(f"Param {field} must be a positive integer")
    return int(text)


def has_budget(moment: Moment, level: str, index: int) -> bool:
    """Whether an object carries a budget of its own."""
    return any(int(current(moment, level, index, name) or 0) > 0 for name in BUDGETS)


class BudgetRules:
    """Checks money in writes and counts changes.

    Args:
        settings: How many changes are allowed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changes: defaultdict[int, deque[float]] = defaultdict(deque)
        self._blocked: dict[int, float] = {}
        self._caps: defaultdict[tuple[int, int], int] = defaultdict(int)

    def reset(self) -> None:
        """Forget every count."""
        self._changes.clear()
        self._blocked.clear()
        self._caps.clear()

    def budgets(
        self,
        request: GraphRequest,
        moment: Moment,
        level: str,
        *,
        parent: int | None,
        index: int | None,
        end: Any,
    ) -> dict[str, Any]:
        """Read and check the budgets of a write; gives the wire fields to set.

        Args:
            request: The call.
            moment: The account.
            level: `campaign` or `adset`.
            parent: Index of the campaign of an ad set.
            index: The object itself; None when it is being made.
            end: Its end time, if it has one; lifetime budgets need it.

        Raises:
            GraphError: 100 with 1885621, 1885272 or none as subcode.
        """
        sent = {name: amount(request, name) for name in BUDGETS}
        given = {name: value for name, value in sent.items() if value is not None}
        if not given:
            return {}
        if len(given) == 2:
            raise refused(
                "Choose either a daily or a lifetime budget.", "daily_budget", title="Two budgets"
            )
        self._check_levels(moment, level, parent, index)
        name, value = next(iter(given.items()))
        least = least_budget(moment)
        if value < least:
            raise refused(
                f"The budget must be at least {least} (minor units of "
                f"{moment.account.profile.currency}).",
                name,
                1885272,
                "Your budget is too low",
            )
        if name == "lifetime_budget" and not end:
            raise refused("A lifetime budget needs an end time.", "end_time", title="No end time")
        other = "lifetime_budget" if name == "daily_budget" else "daily_budget"
        unset = "0" if level == "adset" else None
        return {name: str(value), other: unset, "budget_remaining": str(value)}

    def _check_levels(
        self, moment: Moment, level: str, parent: int | None, index: int | None
    ) -> None:
        both = False
        if level == "adset" and parent is not None:
            both = has_budget(moment, "campaign", parent)
        elif level == "campaign" and index is not None and not has_budget(moment, level, index):
            account = moment.account
            own = (account.ad_sets.campaign == index).nonzero()[0].tolist()
            states = moment.column("configured", "adset")
            both = any(states[i] != DELETED and has_budget(moment, "adset", i) for i in own)
        if both:
            raise refused(
                "Budgets can be set on the campaign or on its ad sets, not on both.",
                "daily_budget",
                1885621,
                "Budget on both levels",
            )

    def bids(
        self, request: GraphRequest, moment: Moment, level: str, index: int | None, parent: int
    ) -> dict[str, Any]:
        """Read and check bid strategy and amount; gives the wire fields to set.

        Raises:
            GraphError: Code 100.
        """
        strategy, bid = request.params.get("bid_strategy"), amount(request, "bid_amount")
        constraints = request.json("bid_constraints")
        if strategy is None and bid is None and constraints is None:
            return {}
        if strategy is not None and strategy not in _STRATEGIES:
            raise invalid_parameter(
                f"bid_strategy must be one of the following values: {', '.join(_STRATEGIES)}"
            )
        if strategy and level == "adset" and has_budget(moment, "campaign", parent):
            raise refused(
                "With a campaign budget the bid strategy belongs to the campaign.", "bid_strategy"
            )
        found: dict[str, Any] = {}
        if strategy is not None:
            found["bid_strategy"] = strategy
        if bid is not None:
            found["bid_amount"] = bid
        if constraints is not None:
            found["bid_constraints"] = constraints
        known = None if index is None else current(moment, level, index, "bid_amount")
        if level == "adset" and strategy in _WITH_BID and bid is None and not known:
            raise refused(f"{strategy} needs a bid_amount.", "bid_amount", title="No bid amount")
        floor = (constraints or {}).get("roas_average_floor")
        if strategy == "LOWEST_COST_WITH_MIN_ROAS" and level == "adset" and not floor:
            raise refused(f"{strategy} needs bid_constraints.", "bid_constraints")
        if strategy == "LOWEST_COST_WITHOUT_CAP":
            found["bid_amount"] = None
        return found

    def count(self, moment: Moment, level: str, index: int) -> None:
        """Count a change of an object's budget.

        Raises:
            GraphError: 613/1487632 from the fifth change of an hour on, then for one hour.
        """
        allowed = self._settings.budget_changes_per_hour
        if not allowed or (level == "campaign" and not self._settings.budget_limit_on_campaigns):
            return
        number, now = int(moment.account.objects(level).id[index]), moment.now
        made = self._changes[number]
        while made and made[0] <= now - _HOUR:
            made.popleft()
        if now >= self._blocked.get(number, 0.0) and len(made) < allowed:
            made.append(now)
            return
        if now >= self._blocked.get(number, 0.0):
            self._blocked[number] = now + _HOUR
        raise GraphError(
            613,
            "(#613) Calls to this api have exceeded the rate limit.",
            subcode=1487632,
            title="Budget changed too often",
            user_message=f"You can change this budget {allowed} times an hour. Wait an hour.",
            data={"blame_field_specs": [["daily_budget"]]},
        )

    def count_cap(self, moment: Moment) -> None:
        """Count a change of an account's spend cap.

        Raises:
            GraphError: 17/1885172 when the day's changes are used up.
        """
        name = (moment.account.profile.number, moment.today)
        allowed = self._settings.spend_cap_changes_per_day
        if allowed and self._caps[name] >= allowed:
            raise GraphError(
                17,
                "(#17) User request limit reached",
                subcode=1885172,
                title="Spending limit changed too often",
                user_message=f"The spending limit can be changed {allowed} times a day.",
            )
        self._caps[name] += 1
