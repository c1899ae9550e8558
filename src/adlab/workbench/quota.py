"""Meta's quota for people: how the meters stand, and what a configuration would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from adlab.core.breakdowns import breakdowns as known_breakdowns
from adlab.core.quota import FULL, LIMITED
from adlab.services.quota import COLD, HOT, WARM, Tier, Wanted, forecast

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench

_TIERS: dict[str | None, Tier] = {LIMITED: "limited", FULL: "full"}
_COLUMNS = (
    "client_id", "account_id", "meter", "account_name", "percent", "score_percent", "tier",
    "calls_last_hour", "regain_at", "as_of",
)  # fmt: skip
_PLAN_COLUMNS = (
    "account", "calls_per_hour", "points_per_5_minutes", "busiest_points", "fits_limited",
    "fits_full", "tier", "drop", "fits_after_dropping", "backfill_calls", "backfill_hours",
)  # fmt: skip


class Quota:
    """Meta's quota. Made by `lab.quota`."""

    def __init__(self, lab: Workbench) -> None:
        self._lab = lab

    def __call__(self, client: str | Sequence[str] | None = None) -> pd.DataFrame:
        """How Meta's meters stood when last told.

        Args:
            client: A slug, several, or None for all you may see.

        Returns:
            Indexed by client_id (slug), account_id and meter: `app` and `app:ads_insights` are the
            whole app's, `score` the account's points, `ads_insights` and `ads_management` its
            hourly calls. Columns: account_name, percent (used; above 100 is possible),
            score_percent (our own prediction of the points), tier (`limited`, `full`),
            calls_last_hour (ours; NA for the app), regain_at (aware UTC; NaT when nothing is
            blocked), as_of (aware UTC). Empty before the first reading.

        Raises:
            UnknownObjectError: If a client is not yours to see.
        """
        ids = [c.info.client_id for c in self._lab.chosen(client)]
        rows = self._lab.reader.rows("read_quota", client_ids=ids)
        now = self._lab.now()
        for row in rows:
            row["client_id"] = row.pop("slug")
            row["tier"] = _TIERS.get(row["tier"])
            if row["regain_at"] is not None and row["regain_at"] <= now:
                row["regain_at"] = None
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        for name in ("regain_at", "as_of"):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        frame["percent"] = frame["percent"].astype("float64")
        frame["score_percent"] = frame["score_percent"].astype("float64")
        frame["calls_last_hour"] = frame["calls_last_hour"].astype("Int64")
        return frame.set_index(["client_id", "account_id", "meter"])

    def plan(
        self,
        client: str | None = None,
        *,
        campaigns: int | None = None,
        ad_sets: int | None = None,
        ads: int | None = None,
        active_ads: int | None = None,
        levels: Sequence[str] = ("account", "campaign", "adset", "ad"),
        breakdowns: Sequence[str] = (),
        hot_minutes: float = HOT.minutes,
        warm_minutes: float = WARM.minutes,
        cold_minutes: float = COLD.minutes,
        backfill_months: float = 0,
        tier: Tier | None = None,
    ) -> pd.DataFrame:
        """What keeping accounts up to date would cost of Meta's quota, before it is switched on.

        Args:
            client: A slug: the counts of its accounts come from the store. None needs the three
                counts, for an account that is not connected yet.
            campaigns: Count, in place of the stored one.
            ad_sets: Likewise.
            ads: Likewise.
            active_ads: Ads that deliver; all of them when they are not known.
            levels: Levels of insights to read.
            breakdowns: Breakdowns to read, such as `age_gender` or `country`.
            hot_minutes: Between two readings of today and yesterday; 0 for none.
            warm_minutes: Likewise of the last 7 days, and of the objects.
            cold_minutes: Likewise of the last 28 days, with the breakdowns.
            backfill_months: Months of history to load once.
            tier: `limited` or `full`; the one Meta told when omitted, else `limited`.

        Returns:
            Indexed by account: calls_per_hour, points_per_5_minutes (of 60 Limited, 9000 Full),
            busiest_points (all due at once), fits_limited, fits_full, tier, drop (what to leave
            out to fit the tier, in this order), fits_after_dropping, backfill_calls,
            backfill_hours (NaN when there is no room).

        Raises:
            UnknownObjectError: If the client is not yours to see.
            ValueError: If counts are missing, or something is malformed.
        """
        cadences = (
            replace(HOT, minutes=hot_minutes),
            replace(WARM, minutes=warm_minutes),
            replace(COLD, minutes=cold_minutes),
        )
        given = {"campaigns": campaigns, "ad_sets": ad_sets, "ads": ads, "active_ads": active_ads}
        kinds = tuple(b.kind for b in known_breakdowns(breakdowns))
        rows = []
        for name, counts, told in self._counts(client, given):
            wanted = Wanted(
                **counts, levels=tuple(levels), breakdowns=kinds, cadences=cadences,
                backfill_months=backfill_months,
            )  # fmt: skip
            found = forecast(wanted, tier or told or "limited")
            hours = float("nan") if found.eta is None else found.eta.total_seconds() / 3600
            rows.append(
                (name, found.calls_per_hour, found.points_per_5_minutes, found.busiest_points,
                 found.fits_limited, found.fits_full, found.tier, "; ".join(found.dropped),
                 found.fits_after_dropping, found.backfill_calls, round(hours, 2))
            )  # fmt: skip
        return pd.DataFrame(rows, columns=list(_PLAN_COLUMNS)).set_index("account")

    def _counts(
        self, client: str | None, given: dict[str, int | None]
    ) -> list[tuple[str, dict[str, Any], Tier | None]]:
        if client is None:
            missing = [n for n in ("campaigns", "ad_sets", "ads") if given[n] is None]
            if missing:
                raise ValueError(
                    f"without a client, {', '.join(missing)} must be given: "
                    'lab.quota.plan("acme") or lab.quota.plan(campaigns=5, ad_sets=20, ads=80)'
                )
            return [("new", given, None)]
        ids = [self._lab.client(client).info.client_id]
        out = []
        for row in self._lab.reader.rows("read_quota_sizes", client_ids=ids):
            stored = {n: row[n] for n in given}
            if given["ads"] is not None:
                # Reason: active ads of the store say nothing of a count that is only wished for.
                stored["active_ads"] = None
            counts = {**stored, **{n: v for n, v in given.items() if v is not None}}
            out.append((f"act_{row['account_id']}", counts, _TIERS.get(row["tier"])))
        if not out:
            raise ValueError(
                f"client {client!r} has no connected account; give campaigns, ad_sets and ads"
            )
        return out
