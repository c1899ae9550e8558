"""Switches that a test can turn while the simulator runs (`GET/POST /__config`)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass
class Settings:
    """What can be changed at run time; 0 switches a threshold off.

    Attributes:
        quota: `off`, `limited` or `full` access tier.
        quota_scale: Factor on the hourly business-use-case quotas.
        app_calls_per_hour: Calls of the whole app before code 4; on top of `quota`.
        app_insights_calls_per_hour: Insights calls of the whole app before 4/1504022.
        cputime_percent_per_call: What a call adds to `total_cputime`; above 100 it is refused.
        version_policy: What an old version gets: `error` (2635) or `upgrade` (warning header).
        require_appsecret_proof: Whether calls without a proof are refused.
        latency_ms: Added to every Graph answer.
        sync_row_limit: Rows above which a synchronous report is refused with 100/1487534.
        async_row_limit: The same for asynchronous reports.
        reduce_data_above: `limit` times number of fields above which HTTP 500 code 1 is answered.
        cursor_seconds: Life of a paging cursor.
        usage_header_every: Usage headers are left out of every so-many-th answer.
        deleted_filter_is_error: Whether naming DELETED in an edge's status filter is refused.
        async_start_seconds: Time in `Job Not Started`.
        async_run_seconds: Time in `Job Running`.
        async_full_seconds: Time at 100 % but still `Job Running`.
        async_race_polls: How many first polls of a new report answer 100/33.
        repeat_cursor_count: How many coming pages point at themselves.
        in_process_seconds: Simulated time an edited campaign or ad set is IN_PROCESS.
        review_seconds: Simulated time a new or edited ad is PENDING_REVIEW.
        review_outcome: How a review ends: `approve` or `disapprove`.
        budget_changes_per_hour: How often an ad set's budget may change before 613/1487632.
        budget_limit_on_campaigns: Whether that holds for campaigns too.
        spend_cap_changes_per_day: How often an account's cap may change before 17/1885172.
        mutations_per_second: Writes per account and real second before 613/5044001.
        copy_objects_limit: How many objects one call may copy.
        async_write_seconds: Simulated time before a set of asynchronous writes is carried out.
        webhook_auto: Whether webhooks are sent without being told (`/__webhooks` pump).
        webhook_time_scale: Real seconds per second of the retry schedule.
        webhook_locale: Language of messages: `en_US`, `de_DE` or `ja_JP`.
        webhook_disable_after: Given-up deliveries after which a subscription ends.
    """

    quota: str = "off"
    quota_scale: float = 1.0
    app_calls_per_hour: int = 0
    app_insights_calls_per_hour: int = 0
    cputime_percent_per_call: float = 0.0
    version_policy: str = "error"
    require_appsecret_proof: bool = False
    latency_ms: float = 0.0
    sync_row_limit: int = 50_000
    async_row_limit: int = 3_000_000
    reduce_data_above: int = 0
    cursor_seconds: float = 14_400.0
    usage_header_every: int = 7
    deleted_filter_is_error: bool = True
    async_start_seconds: float = 0.03
    async_run_seconds: float = 0.12
    async_full_seconds: float = 0.05
    async_race_polls: int = 0
    repeat_cursor_count: int = 0
    in_process_seconds: float = 0.0
    review_seconds: float = 0.0
    review_outcome: str = "approve"
    budget_changes_per_hour: int = 4
    budget_limit_on_campaigns: bool = False
    spend_cap_changes_per_day: int = 10
    mutations_per_second: int = 100
    copy_objects_limit: int = 20
    async_write_seconds: float = 0.0
    webhook_auto: bool = True
    webhook_time_scale: float = 0.001
    webhook_locale: str = "en_US"
    webhook_disable_after: int = 0

    def take_repeating_cursor(self) -> bool:
        """Whether the next cursor shall repeat the present page; counts down."""
        if self.repeat_cursor_count <= 0:
            return False
        self.repeat_cursor_count -= 1
        return True

    def update(self, changes: dict[str, Any]) -> None:
        """Change switches by name.

        Raises:
            ValueError: If there is no such switch or the value does not fit.
        """
        allowed = {
            "quota": {"off", "limited", "full"},
            "version_policy": {"error", "upgrade"},
            "review_outcome": {"approve", "disapprove"},
            "webhook_locale": {"en_US", "de_DE", "ja_JP"},
        }
        types = {item.name: type(getattr(self, item.name)) for item in dataclasses.fields(self)}
        for name, value in changes.items():
            if name not in types:
                raise ValueError(f"no switch {name!r}; known are {', '.join(sorted(types))}")
            if name in allowed and value not in allowed[name]:
                raise ValueError(f"{name} must be one of {', '.join(sorted(allowed[name]))}")
            setattr(self, name, types[name](value))
