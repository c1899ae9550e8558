"""The Workbench: what `adlab.connect()` returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from adlab.core.errors import UnknownObjectError
from adlab.core.metrics import MetricDef, metric
from adlab.core.periods import Epoch, Increment
from adlab.storage.epochs import load_epochs
from adlab.storage.tenancy import Identity, Reader
from adlab.workbench.client import Client, ClientInfo
from adlab.workbench.frames import InsightsFrame
from adlab.workbench.insights import Compare, load_insights
from adlab.workbench.plans import Budgets, Goals, pacing
from adlab.workbench.quota import Quota

DEFAULT_METRICS = ("spend", "impressions", "link_clicks", "purchases", "revenue", "roas")


class Workbench:
    """One person's view of the store.

    Args:
        reader: Reads schema `api` as that person.
        now: Gives the current aware time; tests and demos move it.
    """

    def __init__(
        self, reader: Reader, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._reader = reader
        self._now = now
        self._clients: dict[str, ClientInfo] | None = None
        self._epochs: tuple[Epoch, ...] | None = None

    @property
    def reader(self) -> Reader:
        """The reader below, for boards."""
        return self._reader

    def now(self) -> datetime:
        """The current time of this workbench (aware UTC)."""
        return self._now()

    def whoami(self) -> Identity:
        """The person, their role, their clients, and when login and grants end."""
        return self._reader.identity()

    def metric(self, name: str) -> MetricDef:
        """Definition of a metric: formula, Meta fields, unit, how it adds up, caveats.

        Raises:
            UnknownMetricError: If there is none of that name.
        """
        return metric(name)

    def clients(self, search: str | None = None, status: str | None = "active") -> pd.DataFrame:
        """Clients you may see.

        Args:
            search: Part of name or slug.
            status: Only of this status; None for all.

        Returns:
            Indexed by slug: name, accounts, currency, timezone, spend_30d (30 complete days, NaN
            when in several currencies), connection, last_sync (aware UTC), status.
        """
        until = self._now().astimezone(UTC).date() - timedelta(days=1)
        since = until - timedelta(days=29)
        spend: dict[int, dict[str, float]] = {}
        for r in self._reader.rows("read_client_spend", since=since, until=until):
            spend.setdefault(r["client_id"], {})[r["currency"]] = r["spend"]
        rows = []
        for c in self._infos(refresh=True).values():
            if status is not None and c.status != status:
                continue
            if search and search.lower() not in f"{c.name} {c.slug}".lower():
                continue
            amounts = spend.get(c.client_id, {})
            rows.append(
                {
                    "client_id": c.slug,
                    "name": c.name,
                    "accounts": c.accounts,
                    "currency": ", ".join(c.currencies) or c.currency,
                    "timezone": ", ".join(c.timezones) or c.timezone,
                    "spend_30d": next(iter(amounts.values()))
                    if len(amounts) == 1
                    else (float("nan") if amounts else 0.0),
                    "connection": c.connection,
                    "last_sync": c.checked_at,
                    "status": c.status,
                }
            )
        columns = [
            "client_id", "name", "accounts", "currency", "timezone", "spend_30d", "connection",
            "last_sync", "status",
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns).set_index("client_id")

    def client(self, slug: str) -> Client:
        """One client.

        Raises:
            UnknownObjectError: If it does not exist or is not granted to you; both read the same,
                so that nobody learns of others' clients.
        """
        infos = self._infos()
        if slug not in infos:
            infos = self._infos(refresh=True)
        if slug not in infos:
            raise UnknownObjectError(
                f"There is no client {slug!r} that you may see.",
                f"You may see: {', '.join(infos) or 'none; ask an admin for a grant'}.",
            )
        return Client(self, infos[slug])

    def insights(
        self,
        client: str | Sequence[str] | None = None,
        *,
        level: str = "campaign",
        last: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        time_increment: Increment = 1,
        metrics: Sequence[str] = DEFAULT_METRICS,
        breakdowns: Sequence[str] = (),
        compare: Compare | None = None,
        filters: Mapping[str, Any] | None = None,
        include_today: bool = False,
        currency: str = "account",
        parents: bool = False,
        as_of: datetime | date | str | None = None,
        attribution: str = "default",
        with_settings: bool = False,
    ) -> InsightsFrame:
        """Insights of one or several clients.

        Args:
            client: A slug, several, or None for all you may see.
            level: `account`, `campaign`, `adset` or `ad`.
            last: A period that ends yesterday: `30d`, `4w`, `3m`, `mtd`, `last_month`, `ytd`.
                `30d` when neither it nor `since` is given.
            since: First day, account-local; with `until`.
            until: Last day, included; yesterday when omitted.
            time_increment: Days per row (1, 7, …), `monthly`, or `all_days` for one row an object.
            metrics: Names of the registry, in the order of the columns.
            breakdowns: Meta's names, such as `("age", "gender")`, `"country"`, `"region"`,
                `("publisher_platform", "platform_position")`, `"device_platform"`, `"hour"` or
                `"body_asset"`; only what is loaded (`adlab sync --breakdown age_gender`).
            compare: Adds `<metric>_prev` and `<metric>_change` (relative) columns.
            filters: Keep only these: `campaign_id`, `adset_id`, `ad_id`, `account_id`,
                `objective`, `effective_status`; a value or a list of values.
            include_today: Let `last` end today, which is still growing.
            currency: `account`, or a code such as EUR: amounts of each day are then converted at
                that day's rate before anything is added (load rates with `adlab fx load`).
            parents: Add the parents' names after the object's name.
            as_of: Values as they were known at a moment: a day (its end), or an aware time.
                Today's versions are exact for 48 hours, by the hour for seven days more, then
                one a day is kept; `.attrs["thinning"]` says what of that the answer hit.
            attribution: Count purchases, revenue, leads and other results within one window:
                `1d_click`, `7d_click`, `28d_click`, `1d_view` or `1d_ev`; `default` is each ad
                set's own setting. Windows contain each other and are never added.
            with_settings: Add `attribution_setting` and, of ads, Meta's three rankings.

        Returns:
            Index (`date`, `<level>_id`, then the breakdowns), without `date` for `all_days`; first
            column `<level>_name`, then the metrics. Money in major units of the account's currency
            (`.attrs["currency"]`) or the one asked for (`.attrs["fx"]` says at whose rates), rates
            as shares. NaN is unknown, not zero.

        Raises:
            UnknownObjectError: If a client is not yours to see.
            UnknownMetricError: If a metric does not exist.
            NotAdditiveError: If reach is asked for more than one day at a time, or over rows of a
                breakdown.
            DataError: If a breakdown is not loaded (the message says the command that loads it),
                Meta serves no such window any more, or a day to convert has no exchange rate.
            ValueError: If the period, a filter, breakdown or window is malformed.
        """
        if breakdowns:
            from adlab.workbench.breakdowns import load_broken_down, refuse_with_breakdowns

            refuse_with_breakdowns(currency, compare, attribution, as_of, with_settings)
            frame = load_broken_down(
                self, client, breakdowns, level=level, last=last, since=since, until=until,
                time_increment=time_increment, names=metrics, filters=filters,
                include_today=include_today,
            )  # fmt: skip
        else:
            frame = load_insights(
                self, client, level=level, last=last, since=since, until=until,
                time_increment=time_increment, names=metrics, compare=compare,
                filters=filters, include_today=include_today, currency=currency, parents=parents,
                as_of=as_of, attribution=attribution, with_settings=with_settings,
            )  # fmt: skip
        self._note(
            "notebook.query", self.chosen(client), level=level, metrics=list(metrics),
            rows=len(frame), breakdowns=list(breakdowns), since=frame.attrs.get("since"),
            until=frame.attrs.get("until"),
        )  # fmt: skip
        return frame

    def reconcile(
        self,
        client: str | Sequence[str] | None = None,
        *,
        last: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        only_gaps: bool = False,
    ) -> pd.DataFrame:
        """Whether campaigns, ad sets and ads add up to the account's own rows, day by day.

        Args:
            client: A slug, several, or None for all you may see.
            last: A period that ends yesterday; `30d` when neither it nor `since` is given.
            since: First day, account-local; with `until`.
            until: Last day, included; yesterday when omitted.
            only_gaps: Leave out what agrees.

        Returns:
            Indexed by date, account_id, level and metric (spend, impressions, clicks, purchases):
            account_name, currency, expected (the account's own row), found (the level's sum), gap
            (found less expected; spend in major units of the currency), share (of expected),
            settled (Meta no longer restates the day) and reason. Days that were not read at a
            level are not compared; NaN is what Meta withheld.

        Raises:
            UnknownObjectError: If a client is not yours to see.
            ValueError: If the period is malformed.
        """
        from adlab.workbench.breakdowns_reconcile import reconcile

        return reconcile(self, client, last, since, until, only_gaps)

    def restatements(
        self,
        day: date | str,
        client: str | Sequence[str] | None = None,
        *,
        level: str = "account",
        metrics: Sequence[str] = DEFAULT_METRICS,
    ) -> pd.DataFrame:
        """How a day moved after it was first read, and when it settled.

        Args:
            day: Account-local day.
            client: A slug, several, or None for all you may see.
            level: `account`, `campaign`, `adset` or `ad`.
            metrics: Names of the registry.

        Returns:
            One row each time a value was seen to change, indexed by `<level>_id` and `seen_at`
            (aware UTC): name, hours_after_day (from the end of the day in the account's timezone,
            negative while it ran), then the metrics (money in major units of the account's
            currency). `.attrs` says last_change, settled, settled_at and may_move_until.

        Raises:
            UnknownObjectError: If a client is not yours to see.
            UnknownMetricError: If a metric does not exist.
            ValueError: If the day or level is malformed.
        """
        from adlab.workbench.history import restatements

        return restatements(self, day, client, level, metrics)

    def freshness(self, client: str | Sequence[str] | None = None) -> pd.DataFrame:
        """How fresh each connected account is, and what keeps it from being fresher.

        Args:
            client: A slug, several, or None for all you may see.

        Returns:
            Indexed by `account_id`: client_id, account_name, read_at (aware UTC), lag_minutes
            since then, due_minutes (20 for accounts that spend, 75 for those that did lately, a
            day for the rest), status (`fresh`, `late`, `failing`, `disconnected`, `never read`)
            and its problem, temperature, changed_at, newest_day, settled_through, since,
            loading_share (of a requested history, 0 to 1), objects_at, breakdowns_at,
            catalogue_at, not_served, quota_percent.

        Raises:
            UnknownObjectError: If a client is not yours to see.
        """
        from adlab.workbench.freshness import freshness

        return freshness(self, client)

    def epochs(self) -> pd.DataFrame:
        """Days on which Meta changed what its numbers mean.

        Returns:
            Indexed by `starts_on`: ends_on, title, detail, metrics (empty: all), source.
        """
        rows = [
            {"starts_on": e.starts_on, "ends_on": e.ends_on, "title": e.title, "detail": e.detail,
             "metrics": ", ".join(e.metrics), "source": e.source}
            for e in self.definition_epochs()
        ]  # fmt: skip
        columns = ["starts_on", "ends_on", "title", "detail", "metrics", "source"]
        return pd.DataFrame(rows, columns=columns).set_index("starts_on")

    def definition_epochs(self) -> tuple[Epoch, ...]:
        """The same as values, read once."""
        if self._epochs is None:
            self._epochs = load_epochs(self._reader)
        return self._epochs

    @property
    def budgets(self) -> Budgets:
        """What clients may spend: `lab.budgets.set(df)`, `lab.budgets.get(month="2026-12")`."""
        return Budgets(self)

    @property
    def goals(self) -> Goals:
        """What metrics should reach: `lab.goals.set(df)`, `lab.goals.get()`."""
        return Goals(self)

    @property
    def quota(self) -> Quota:
        """Meta's quota: `lab.quota()` as it stands, `lab.quota.plan("acme", …)` as it would be."""
        return Quota(self)

    def pacing(
        self, client: str | Sequence[str] | None = None, month: str | None = None
    ) -> pd.DataFrame:
        """Where budgets stand, by the complete days of each account's own calendar.

        Args:
            client: A slug, several, or None for all you may see.
            month: Budgets that touch a month ("2026-12"); those that cover today when omitted.

        Returns:
            Indexed by client, scope and currency: start, end, budget, spend (complete days),
            utilisation (spend per budget), expected_share (complete days per day, an even spend),
            pacing_index (utilisation per expected_share; 1 is on pace), required_daily (what each
            day left may cost), days_left (today included), status (`on pace`, `over`, `under`,
            `no spend yet`, `not started`) and alert (`amber` from 10 % off, `red` from 20 %).

        Raises:
            UnknownObjectError: If a client is not yours to see.
            ValueError: If the month is malformed.
        """
        return pacing(self, client, month)

    def chosen(self, client: str | Sequence[str] | None) -> list[Client]:
        """The clients of a slug, of several, or all you may see.

        Raises:
            UnknownObjectError: If one is not yours to see.
        """
        slugs = [client] if isinstance(client, str) else client
        every = list(self._infos(refresh=True)) if slugs is None else slugs
        return [self.client(s) for s in every]

    def client_infos(self) -> dict[str, ClientInfo]:
        """What is known of each client you may see, by slug, as of now."""
        return dict(self._infos(refresh=True))

    def export(self, frame: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
        """Write a frame to a file: `.csv` with provenance, `.xlsx` with live ratios, `.parquet`.

        Args:
            frame: What `insights()` returned, rows of it, or its `by()` and `top()`.
            path: A file of that name is replaced.

        Returns:
            The path written.

        Raises:
            ValueError: If the ending is none of the three.
        """
        from adlab.workbench.files import export

        written = export(frame, path)
        known = self._infos()
        slugs = [s for s in frame.attrs.get("clients") or () if s in known]
        self._note("export.file", map(self.client, slugs), file=written.name, rows=len(frame))
        return written

    def _note(self, action: str, clients: Iterable[Client], **details: Any) -> None:
        """Write down what was read in the person's name; boards write down their own."""
        if self._reader.is_of_one_person:
            self._reader.note(action, [c.slug for c in clients], **details)

    def close(self) -> None:
        """Close the connection to the store."""
        self._reader.close()

    def _infos(self, refresh: bool = False) -> dict[str, ClientInfo]:
        if self._clients is None or refresh:
            rows = self._reader.rows("read_clients")
            self._clients = {r["slug"]: ClientInfo.from_row(r) for r in rows}
        return self._clients
