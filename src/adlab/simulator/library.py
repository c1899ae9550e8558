"""Objects beside campaigns, ad sets and ads: what an account has of them, and what calls add.

Every object is a plain row under a kind. The first content of a kind comes from `stock.py` when it
is first asked for; objects made by calls follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adlab.simulator import stock
from adlab.simulator.world import AccountWorld, World

Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of object: the edge of the account it is listed on, Graph's name, its fields."""

    edge: str
    node: str
    fields: frozenset[str]


def _fields(text: str) -> frozenset[str]:
    return frozenset(text.split())


KINDS: dict[str, Kind] = {
    "audience": Kind(
        "customaudiences",
        "CustomAudience",
        _fields(
            "id account_id name subtype description approximate_count_lower_bound "
            "approximate_count_upper_bound delivery_status operation_status retention_days "
            "time_created time_updated time_content_updated lookalike_spec pixel_id data_source "
            "rule sharing_status is_value_based permission_for_actions lookalike_audience_ids "
            "delete_time customer_file_source opt_out_link"
        ),
    ),
    "image": Kind(
        "adimages",
        "AdImage",
        _fields(
            "id account_id hash name url url_128 permalink_url width height original_width "
            "original_height status created_time updated_time creatives"
        ),
    ),
    "video": Kind(
        "advideos",
        "Video",
        _fields("id title source picture length status created_time updated_time description"),
    ),
    "pixel": Kind(
        "adspixels",
        "AdsPixel",
        _fields(
            "id name last_fired_time is_unavailable data_use_setting first_party_cookie_status "
            "automatic_matching_fields enable_automatic_matching creation_time owner_ad_account "
            "owner_business creator is_created_by_business is_restricted_use can_proxy code "
            "is_consolidated_container has_1p_pixel_event"
        ),
    ),
    "study": Kind(
        "ad_studies",
        "AdStudy",
        _fields(
            "id name description type start_time end_time created_time updated_time business "
            "cooldown_start_time observation_end_time canceled_time cells created_by "
            "confidence_level creative_test_config results_first_available_date"
        ),
    ),
    "cell": Kind(
        "",
        "AdStudyCell",
        _fields("id name treatment_percentage control_percentage adsets campaigns adaccounts ads"),
    ),
    "rule": Kind(
        "adrules_library",
        "AdRule",
        _fields(
            "id account_id name status evaluation_spec execution_spec schedule_spec created_by "
            "created_time updated_time disable_error_code"
        ),
    ),
    "label": Kind("adlabels", "AdLabel", _fields("id name account created_time updated_time")),
    "schedule": Kind(
        "",
        "HighDemandPeriod",
        _fields(
            "id ad_object_id budget_value budget_value_type time_start time_end recurrence_type "
            "weekly_schedule"
        ),
    ),
    "threshold": Kind(
        "subscriptions",
        "AdAccountSubscription",
        _fields("id subscription_id event_type filters field value operator status"),
    ),
    "async_set": Kind(
        "asyncadrequestsets",
        "AdAsyncRequestSet",
        _fields(
            "id name owner_id is_completed total_count initial_count in_progress_count "
            "success_count error_count canceled_count created_time updated_time "
            "notification_mode notification_uri notification_status"
        ),
    ),
}
KIND_OF_EDGE = {kind.edge: name for name, kind in KINDS.items() if kind.edge}
_FIRST_ID = 26_110_000_000_000


@dataclass(frozen=True)
class Thing:
    """A row found by its id."""

    kind: str
    account: AccountWorld
    row: Row


class Library:
    """Keeps the rows of every account.

    Args:
        world: What exists.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[tuple[int, str], list[Row]] = {}
        self._next = _FIRST_ID

    def reset(self) -> None:
        """Go back to the first content."""
        self._rows.clear()

    def rows(self, account: AccountWorld, kind: str, now: float) -> list[Row]:
        """List an account's rows of a kind."""
        name = (account.profile.number, kind)
        if name not in self._rows:
            self._rows[name] = stock.first_rows(account, kind, now)
        return self._rows[name]

    def find(self, number: int, now: float) -> Thing | None:
        """Find a row by its id, in every account."""
        text = str(number)
        for account in self._world.accounts.values():
            for kind in KINDS:
                if kind == "image":
                    continue
                for row in self.rows(account, kind, now):
                    if row["id"] == text:
                        return Thing(kind, account, row)
        return None

    def next_id(self) -> int:
        """Give a number that no object has yet."""
        self._next += 13
        return self._next

    def add(self, account: AccountWorld, kind: str, row: Row, now: float) -> Row:
        """Add a row; gives it back with its id."""
        made = {"id": str(self.next_id()), **row}
        self.rows(account, kind, now).append(made)
        return made

    def remove(self, thing: Thing, now: float) -> None:
        """Remove a row."""
        self.rows(thing.account, thing.kind, now).remove(thing.row)
