"""What personal data the store holds, why, how long; and how long a client's data are kept.

The map is data, so that a page can print it, a test can hold it against the real tables, and the
export and erasure of one person walk the same places. Sums over ads name nobody and are no part of
it. Where something is *sealed*, it opens with the client's key only, also in old backups.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from adlab.core.periods import TOTALS_MONTHS, months_back

Subject = Literal["staff", "meta_user", "customer"]

# Backups are the agency's own files: what the README asks of them, and the certificate states.
BACKUP_DAYS = 35

LEGITIMATE = "legitimate interest: who may do what, and who did"
CONTRACT = "contract with the client: access the person granted at Meta"
INSTRUCTED = "the client's instruction, as its processor"


@dataclass(frozen=True)
class Held:
    """One column with something personal in it.

    Attributes:
        place: `schema.table.column`.
        whose: `staff` (people with a login, of the agency or a client), `meta_user` (who connected
            an account or changed one at Meta), `customer` (of a client, in conversion events).
        what: In words.
        basis: Why it is held.
        kept: How long, in words.
        sealed: Whether it is sealed with the client's key.
    """

    place: str
    whose: Subject
    what: str
    basis: str
    kept: str
    sealed: bool = False

    @property
    def table(self) -> str:
        """`schema.table`."""
        return self.place.rpartition(".")[0]

    @property
    def column(self) -> str:
        """The column alone."""
        return self.place.rpartition(".")[2]


_WHILE_EMPLOYED = "until the person is erased"
_FOR_EVER = "as long as the log: it is chained, and cannot forget"
_CONNECTED = "until disconnected, deauthorised or deleted at Meta"
_WITH_CLIENT = "until the client is off-boarded; the name is replaced when the person is erased"
_RAW = "retention of raw answers (90 days at most)"

DATA_MAP: tuple[Held, ...] = (
    Held("sec.person.name", "staff", "name", LEGITIMATE, _WHILE_EMPLOYED),
    Held("sec.person.username", "staff", "login name", LEGITIMATE, _WHILE_EMPLOYED),
    Held("sec.password.hash", "staff", "argon2id of the password", LEGITIMATE, _WHILE_EMPLOYED),
    Held("sec.access.reason", "staff", "why somebody was granted access", LEGITIMATE,
         "as the grant"),
    Held("sec.access.granted_by", "staff", "who granted", LEGITIMATE, "as the grant"),
    Held("sec.audit.actor", "staff", "who acted", LEGITIMATE, _FOR_EVER),
    Held("sec.audit.details", "staff", "names of people acted on", LEGITIMATE, _FOR_EVER),
    Held("sec.connect_invite.created_by", "staff", "who invited", LEGITIMATE, _WITH_CLIENT),
    Held("sec.connection.connected_by", "staff", "who connected", LEGITIMATE, _WITH_CLIENT),
    Held("app.budget.set_by", "staff", "who planned", LEGITIMATE, _WITH_CLIENT),
    Held("app.goal.set_by", "staff", "who planned", LEGITIMATE, _WITH_CLIENT),
    Held("app.retention.set_by", "staff", "who limited", LEGITIMATE, _WITH_CLIENT),
    Held("app.import_file.imported_by", "staff", "login that imported", LEGITIMATE, _WITH_CLIENT),
    Held("app.backfill.requested_by", "staff", "login that asked", LEGITIMATE, _WITH_CLIENT),
    Held("app.change_journal.actor", "staff", "who changed ads", LEGITIMATE, _WITH_CLIENT),
    Held("app.change_proposal.proposed_by", "staff", "who proposed", LEGITIMATE, _WITH_CLIENT),
    Held("sec.api_token.created_by", "staff", "who made a token", LEGITIMATE, "as the token"),
    Held("sec.api_token.revoked_by", "staff", "who took one back", LEGITIMATE, "as the token"),
    Held("app.offboarding.actor", "staff", "who off-boarded", LEGITIMATE, _FOR_EVER),
    Held("sec.connection.token_sealed", "meta_user", "access token", CONTRACT, _CONNECTED, True),
    Held("sec.connection.meta_user_id", "meta_user", "app-scoped id", CONTRACT, _CONNECTED),
    Held("sec.connection.meta_user_name", "meta_user", "name at Facebook", CONTRACT, _CONNECTED),
    Held("sec.connect_attempt.token_sealed", "meta_user", "token of a login under way", CONTRACT,
         "a day", True),
    Held("sec.connect_attempt.meta_user_id", "meta_user", "app-scoped id", CONTRACT, "a day"),
    Held("sec.connect_attempt.facts", "meta_user", "name, scopes, accounts", CONTRACT, "a day"),
    Held("sec.deletion_request.meta_user_id", "meta_user", "app-scoped id", "the person's request",
         "until the request is carried out"),
    Held("sec.deletion_request.user_hash", "meta_user", "hash of that id",
         "legal duty: proof of deletion", "for ever; tells a repeated request from a new one"),
    Held("app.activity.actor_id", "meta_user", "who changed ads at Meta", INSTRUCTED, _RAW),
    Held("app.activity.actor_name", "meta_user", "their name", INSTRUCTED, _RAW),
    Held("app.webhook_event.value", "meta_user", "what Meta told; may name who acted", INSTRUCTED,
         "retention of webhooks (30 days at most)"),
    Held("app.conversion_event.payload_sealed", "customer",
         "hashed e-mail and phone, IP, browser, click ids", INSTRUCTED,
         "until Meta has it, 7 days at most", True),
    Held("app.conversion_event.payload", "customer", "the same, of releases before sealing",
         INSTRUCTED, "until the next night"),
    Held("app.conversion_event.event_id", "customer", "the client's number of a sale or lead",
         INSTRUCTED, _RAW),
)  # fmt: skip


@dataclass(frozen=True)
class Retention:
    """How long a client's data are kept. None stands for the default.

    Attributes:
        insights_months: Daily numbers, their breakdowns and older versions. By default what came
            from Meta is kept as long as Meta serves it, and imported files for as long as the
            client stays; a number of one's own holds for both.
        raw_days: What names people in answers of Meta, and conversion events that are settled.
        webhooks_days: What Meta told by itself.
    """

    insights_months: int | None = None
    raw_days: int | None = None
    webhooks_days: int | None = None

    def __post_init__(self) -> None:
        for name, (least, most, _) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(
                    f"{name.replace('_', ' ')} is {least} to {most}, not {value}: "
                    + (f"nothing is kept longer than {most}" if value > most
                       else f"days that Meta may still restate are needed, so {least} at least")
                )  # fmt: skip

    @property
    def months(self) -> int:
        """Months of insights that are kept."""
        return self.insights_months or LIMITS["insights_months"][1]

    @property
    def raw(self) -> int:
        """Days that raw answers are kept."""
        return self.raw_days or LIMITS["raw_days"][1]

    @property
    def webhooks(self) -> int:
        """Days that webhooks are kept."""
        return self.webhooks_days or LIMITS["webhooks_days"][1]

    def first_day(self, today: date) -> date:
        """The oldest day of insights that is kept.

        Args:
            today: The running day in the account's timezone.
        """
        return months_back(today, self.months) + timedelta(days=1)


# Name: least, most (also the default), unit. Two months, because 28 days are read again each night.
LIMITS: dict[str, tuple[int, int, str]] = {
    "insights_months": (2, TOTALS_MONTHS, "months"),
    "raw_days": (7, 90, "days"),
    "webhooks_days": (1, 30, "days"),
}
