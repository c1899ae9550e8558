"""One client of the agency, as seen by the person who is connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.entities import Level, parse_public_id, public_id
from adlab.core.money import meta_offset
from adlab.core.periods import RESTATEMENT_DAYS, today_in
from adlab.workbench import catalogue

if TYPE_CHECKING:
    from adlab.stats.comparison import ArmComparison
    from adlab.workbench.frames import InsightsFrame
    from adlab.workbench.lab import Workbench

_NO_ACCOUNT_STATUS = "unknown"
_ACCOUNT_STATUS = {
    1: "active", 2: "disabled", 3: "unsettled", 7: "pending risk review",
    8: "pending settlement", 9: "in grace period", 100: "pending closure", 101: "closed",
}  # fmt: skip


@dataclass(frozen=True)
class ClientInfo:
    """A client's row for people: names, currencies and timezones of its accounts, freshness."""

    client_id: int
    slug: str
    name: str
    currency: str | None
    timezone: str | None
    status: str
    accounts: int
    currencies: tuple[str, ...]
    timezones: tuple[str, ...]
    checked_at: datetime | None
    changed_at: datetime | None
    connection: str
    brand: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ClientInfo:
        """Build from a row of `read_clients`."""
        trouble = row["connection_trouble"]
        return cls(
            client_id=row["client_id"],
            slug=row["slug"],
            name=row["name"],
            currency=row["currency"],
            timezone=row["timezone"],
            status=row["status"],
            accounts=row["accounts"],
            currencies=tuple(row["currencies"] or ()),
            timezones=tuple(row["timezones"] or ()),
            checked_at=row["checked_at"],
            changed_at=row["changed_at"],
            connection=trouble or ("ok" if row["connections"] else "not connected"),
            brand=row["brand"] or {},
        )


class Client:
    """A client: entity frames, insights and comparisons. Made by `lab.client(slug)`."""

    def __init__(self, lab: Workbench, info: ClientInfo) -> None:
        self._lab = lab
        self.info = info

    def __repr__(self) -> str:
        return f"Client({self.slug!r}, {self.info.name!r})"

    @property
    def client_id(self) -> int:
        """Number in the store."""
        return self.info.client_id

    @property
    def slug(self) -> str:
        """Short name used in commands and addresses."""
        return self.info.slug

    @property
    def timezones(self) -> tuple[str, ...]:
        """Timezones of its accounts; its own when it has none yet."""
        return self.info.timezones or ((self.info.timezone,) if self.info.timezone else ("UTC",))

    def settled_through(self, now: datetime) -> str:
        """The newest day Meta no longer restates, in the timezone that is furthest behind."""
        today = min(today_in(z, now) for z in self.timezones)
        return (today - timedelta(days=RESTATEMENT_DAYS + 1)).isoformat()

    def insights(self, **asked: Any) -> InsightsFrame:
        """`lab.insights` of this client; takes the same keyword arguments."""
        return self._lab.insights(self.slug, **asked)

    def accounts(self) -> pd.DataFrame:
        """Ad accounts and their billing.

        Returns:
            Indexed by `account_id`: name, currency, timezone, status, source, spend_cap (NaN: no
            cap), amount_spent, balance, min_daily_budget (major units of the account's currency),
            prepay, disable_reason (Meta's number; 0 is none) and capabilities.
        """
        rows = self._lab.reader.rows("read_accounts", client_ids=[self.client_id])
        frame = pd.DataFrame(
            {
                "name": [r["name"] for r in rows],
                "currency": [r["currency"] for r in rows],
                "timezone": [r["timezone"] for r in rows],
                "status": [
                    _ACCOUNT_STATUS.get(r["account_status"], _NO_ACCOUNT_STATUS) for r in rows
                ],
                "source": [r["source"] for r in rows],
            },
            index=pd.Index([public_id(r["account_id"]) for r in rows], name="account_id"),
        )
        catalogue.add_account_money(frame, rows)
        return frame

    def campaigns(self, effective_status: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Campaigns, indexed by `campaign_id`; budgets in major units of the account's currency."""
        return self._objects(Level.CAMPAIGN, effective_status)

    def adsets(self, effective_status: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Ad sets, indexed by `adset_id`, with their campaign."""
        return self._objects(Level.AD_SET, effective_status)

    def ads(self, effective_status: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Ads, indexed by `ad_id`, with their ad set and campaign."""
        return self._objects(Level.AD, effective_status)

    def creatives(self) -> pd.DataFrame:
        """Creatives, indexed by `creative_id`.

        With name, status, texts, image_hash or video_id and, after `adlab sync --catalogue`,
        object_story_spec and asset_feed_spec. `thumbnail_url` is signed and expires.
        """
        return catalogue.creatives(self._lab, self)

    def audiences(self) -> pd.DataFrame:
        """Custom audiences, indexed by `audience_id`: name, subtype, size bounds, statuses.

        Metadata only: members are never read. NaN bounds: too small for Meta to tell.
        """
        return catalogue.audiences(self._lab, self)

    def activities(
        self,
        last: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        event_type: str | None = None,
    ) -> pd.DataFrame:
        """Changes made by anybody, newest first.

        Args:
            last: A period that ends today; `30d` when neither it nor `since` is given.
            since: First day, of the timezone of the client's first account; with `until`.
            until: Last day, included.
            event_type: Only this type, such as `update_campaign_budget`.

        Returns:
            Indexed by `happened_at` (aware UTC): event_type, event, object_type, object_id,
            object_name, old, new (as Meta wrote them; budgets in offset units), actor_name.
        """
        return catalogue.activities(self._lab, self, last, since, until, event_type)

    def studies(self) -> pd.DataFrame:
        """Split tests, one row a cell, indexed by `study_id`: times, share and what lies in it."""
        return catalogue.studies(self._lab, self)

    def recommendations(self) -> pd.DataFrame:
        """What Meta advises now, indexed by its signature: type, message, object_ids."""
        return catalogue.recommendations(self._lab, self)

    def issues(self) -> pd.DataFrame:
        """What Meta says is wrong with objects, indexed by `object_id`.

        With level, name, source (`issue`, `delivery check`, `review`), code, summary and message.
        """
        return catalogue.issues(self._lab, self)

    def pixels(self) -> pd.DataFrame:
        """Pixels and their health, indexed by `pixel_id`.

        With name, last_fired_at (aware UTC), silent_hours, unavailable, events_24h and by_event.
        """
        return catalogue.pixels(self._lab, self)

    def pixel_events(
        self,
        last: str | None = "7d",
        since: date | str | None = None,
        until: date | str | None = None,
        by: str = "day",
    ) -> pd.DataFrame:
        """Events that pixels received.

        Args:
            last: A period that ends today.
            since: First day, account-local; with `until`, and `last=None`.
            until: Last day, included.
            by: `day` or `hour`, of the timezone in `.attrs["timezone"]`.

        Returns:
            Indexed by day or hour and `pixel_id`; one column an event.

        Raises:
            ValueError: If the period or `by` is malformed.
        """
        return catalogue.pixel_events(self._lab, self, last, since, until, by)

    def history(self, level: str, id: str | int) -> pd.DataFrame:
        """How an object changed.

        Args:
            level: `account`, `campaign`, `adset`, `ad` or `creative`.
            id: Its identifier.

        Returns:
            One row a changed field: valid_from, valid_to (aware UTC), field, old, new.
        """
        depth = Level.CREATIVE if level.startswith("creative") else Level.parse(level)
        rows = self._lab.reader.rows(
            "read_history",
            client_ids=[self.client_id],
            level=int(depth),
            object_ids=[parse_public_id(id)],
        )
        out = []
        before: dict[str, Any] = {}
        for r in rows:
            for key, new in r["state"].items():
                if before.get(key) != new:
                    out.append((r["valid_from"], r["valid_to"], key, before.get(key), new))
            before = r["state"]
        return pd.DataFrame(out, columns=["valid_from", "valid_to", "field", "old", "new"])

    def compare_arms(
        self,
        a: str | int | Sequence[str | int],
        b: str | int | Sequence[str | int],
        metric: str = "cvr",
        *,
        level: str = "campaign",
        since: str | None = None,
        until: str | None = None,
        confidence_level: float = 0.95,
    ) -> ArmComparison:
        """Is B's rate better than A's? Day-to-day wobble is taken into account.

        Args:
            a: Identifiers of arm A (the control); names work where they are unique.
            b: Identifiers of arm B (the treatment).
            metric: A rate of the registry: `cvr`, `link_ctr`, `ctr`, …
            level: Level of the identifiers.
            since: First day; the first day both arms delivered when omitted.
            until: Last day.
            confidence_level: Of the interval.

        Returns:
            Rates, relative lift with interval, p-value, verdict with reason, and caveats.
        """
        from adlab.workbench.experiments import compare_arms

        return compare_arms(self._lab, self, a, b, metric, level, since, until, confidence_level)

    def _objects(self, level: Level, status: str | Sequence[str] | None) -> pd.DataFrame:
        # Reason: as plain rows, because a frame makes floats of ids where one parent is missing,
        # and a float keeps 15 of Meta's 18 digits.
        rows = self._lab.reader.rows("read_objects", client_ids=[self.client_id], level=int(level))
        if status is not None:
            wanted = [status] if isinstance(status, str) else list(status)
            rows = [r for r in rows if r["effective_status"] in wanted]
        out = pd.DataFrame(
            {"name": [r["name"] for r in rows]},
            index=pd.Index([public_id(r["object_id"]) for r in rows], name=f"{level.word}_id"),
        )
        for parent, column in (("campaign", "campaign_id"), ("adset", "ad_set_id")):
            if level.word not in ("campaign", parent, "creative"):
                out[f"{parent}_id"] = [
                    None if r[column] is None else public_id(r[column]) for r in rows
                ]
                out[f"{parent}_name"] = [r[f"{parent}_name"] for r in rows]
        for column in (
            "status",
            "effective_status",
            "objective",
            "optimization_goal",
            "bid_strategy",
        ):
            out[column] = [r[column] for r in rows]
        for budget in ("daily_budget", "lifetime_budget"):
            out[budget] = pd.Series(
                [
                    None if (v := r[f"{budget}_minor"]) is None else v / meta_offset(r["currency"])
                    for r in rows
                ],
                index=out.index,
                dtype="float64",
            )
        out["currency"] = [r["currency"] for r in rows]
        out["account_id"] = [public_id(r["account_id"]) for r in rows]
        for column in ("created_at", "updated_at", "start_at", "stop_at"):
            out[column] = pd.to_datetime(
                pd.Series([r[column] for r in rows], index=out.index, dtype=object), utc=True
            )
        return out
