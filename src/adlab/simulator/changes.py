"""One way for everything that changes an object: status, states, history entries, notices.

Whoever changes something (a call, the control plane, the end of a review) says so here. Effects on
delivery, on effective statuses of children and on listeners follow from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlab.simulator import naming, periods, signals
from adlab.simulator.edits import DELIVERING_ACCOUNTS, STOPPING
from adlab.simulator.state import Settings
from adlab.simulator.world import ACTIVE, ARCHIVED, DELETED, LEVELS, STATUS_NAMES, AccountWorld

Notify = Callable[[AccountWorld, str, dict[str, Any]], None]
"""Takes an account, a webhook topic and its value."""
_OBJECT_TYPES = {"campaign": "CAMPAIGN", "adset": "AD_SET", "ad": "AD", "account": "ACCOUNT"}
_WORDS = {"campaign": "campaign", "adset": "ad_set", "ad": "ad"}
_RUN_WORDS = {0: "Active", 1: "Inactive", ARCHIVED: "Archived", DELETED: "Deleted"}


@dataclass(frozen=True)
class Actor:
    """Who changed something, as the change history tells it."""

    id: str = "9001"
    name: str = "Demo Buyer"
    application_id: str = "555"


class Changes:
    """Applies changes to accounts.

    Args:
        settings: How long processing and review take, and how a review ends.
        notify: Hears of everything that a webhook could tell.
    """

    def __init__(self, settings: Settings, notify: Notify) -> None:
        self._settings, self._notify = settings, notify

    @contextmanager
    def watched(self, account: AccountWorld, now: float) -> Iterator[None]:
        """Tell the listeners which effective statuses changed inside the block."""
        today = account.today(now)
        before = {level: account.effective_status(level, today) for level in LEVELS[1:]}
        yield
        for level in LEVELS[1:]:
            after = account.effective_status(level, today)
            known = before[level]
            for index in np.flatnonzero(after[: len(known)] != known).tolist():
                self._tell_status(account, level, index)

    def _tell_status(self, account: AccountWorld, level: str, index: int) -> None:
        self._notify(
            account,
            "effective_status",
            {
                "object_id": str(account.objects(level).id[index]),
                "object_type": level,
                "changed_fields": ["effective_status"],
            },
        )

    def log(
        self,
        account: AccountWorld,
        level: str,
        index: int,
        now: float,
        category: str,
        kind: str,
        extra: dict[str, Any],
        actor: Actor,
    ) -> None:
        """Add an entry to the change history."""
        number = (
            account.profile.number if level == "account" else int(account.objects(level).id[index])
        )
        entry = {
            "actor_id": actor.id,
            "actor_name": actor.name,
            "application_id": actor.application_id,
            "event_type": kind,
            "translated_event_type": kind.replace("_", " "),
            "event_time": periods.local_text(account.zone, int(now)),
            "object_id": str(number),
            "object_type": _OBJECT_TYPES[level],
            "object_name": naming.name_of(account, level, index),
            "extra_data": json.dumps(extra),
        }
        account.edits.events.append((int(now), category, entry))

    def set_status(
        self, account: AccountWorld, level: str, index: int, code: int, now: float, actor: Actor
    ) -> None:
        """Set an object's own status."""
        edits = account.edits
        old = int(account.configured_status(level, account.today(now))[index])
        edits.statuses[level][index] = code
        edits.touch(level, index, now)
        if code in {ARCHIVED, DELETED}:
            edits.drop_state(level, index)
        self.sync(account, level, index, now)
        extra = {"old_value": _RUN_WORDS[old], "new_value": _RUN_WORDS[code], "type": "run_status"}
        kind = f"update_{_WORDS[level]}_run_status"
        self.log(account, level, index, now, "STATUS", kind, extra, actor)

    def sync(self, account: AccountWorld, level: str, index: int, now: float) -> None:
        """Let an object deliver exactly when its own status and state allow it."""
        edits = account.edits
        if level == "account":
            status = (edits.of("account", 0) or {}).get("account_status", 1)
            runs = status in DELIVERING_ACCOUNTS
        else:
            state = edits.states.get((level, index))
            configured = int(account.configured_status(level, account.today(now))[index])
            runs = configured == ACTIVE and not (state is not None and state.name in STOPPING)
        line = edits.running.get((level, index))
        if (line[-1][1] if line else 1.0) != (1.0 if runs else 0.0):
            edits.run(level, index, now, runs=runs)

    def begin(self, account: AccountWorld, level: str, index: int, name: str, now: float) -> None:
        """Put an object into processing or review for as long as the switches say."""
        seconds = (
            self._settings.review_seconds
            if name == "PENDING_REVIEW"
            else self._settings.in_process_seconds
        )
        if seconds <= 0:
            return
        account.edits.set_state(level, index, name, now + seconds, now)
        self.sync(account, level, index, now)

    def settle(self, account: AccountWorld, now: float) -> None:
        """End what has lasted its time: processing, and reviews with their outcome."""
        for (level, index), state in account.edits.ended(now):
            with self.watched(account, state.until):
                account.edits.drop_state(level, index)
                if state.name == "PENDING_REVIEW" and self._settings.review_outcome == "disapprove":
                    self.disapprove(account, index, state.until)
                self.sync(account, level, index, state.until)
                account.edits.touch(level, index, state.until)
            status = int(account.configured_status(level, account.today(now))[index])
            if state.name == "IN_PROCESS":
                self._notify(
                    account,
                    "in_process_ad_objects",
                    {
                        "id": str(account.objects(level).id[index]),
                        "level": signals.level_name(level),
                        "status_name": STATUS_NAMES[status].capitalize(),
                    },
                )

    def disapprove(self, account: AccountWorld, ad: int, now: float) -> None:
        """End a review badly: status, feedback and failed checks of an ad."""
        account.edits.set_state("ad", ad, "DISAPPROVED", 0, now)
        entry = signals.issue("ad", signals.DISAPPROVAL)
        account.edits.put(
            "ad",
            ad,
            {
                "ad_review_feedback": signals.REVIEW_FEEDBACK,
                "failed_delivery_checks": signals.FAILED_CHECKS,
                "issues_info": [entry],
            },
        )
        self.tell_issue(account, "ad", ad, entry)

    def tell_issue(
        self, account: AccountWorld, level: str, index: int, entry: dict[str, Any]
    ) -> None:
        """Tell the listeners of an issue of an object."""
        names = ("level", "error_code", "error_summary", "error_message")
        number = str(account.objects(level).id[index])
        value = {"id": number, **{name: entry[name] for name in names}}
        self._notify(account, "with_issues_ad_objects", value)
