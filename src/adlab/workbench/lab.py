"""The Workbench: what `adlab.connect()` returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from adlab.core.entities import Level, parse_public_id, public_id
from adlab.core.errors import DataError, UnknownObjectError
from adlab.core.metrics import MetricDef, metric, metrics
from adlab.core.money import one_currency
from adlab.core.periods import DateRange, Increment, epochs_between, last_period, today_in
from adlab.services.insights import InsightsQuery, load_rows, sum_rows, values
from adlab.storage.tenancy import Identity, Reader
from adlab.workbench.client import Client, ClientInfo
from adlab.workbench.frames import InsightsFrame, Parts, attach

DEFAULT_METRICS = ("spend", "impressions", "link_clicks", "purchases", "revenue", "roas")

Compare = Literal["previous_period", "previous_year"]


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
            breakdowns: Only what is loaded; none is yet.
            compare: Adds `<metric>_prev` and `<metric>_change` (relative) columns.
            filters: Keep only these: `campaign_id`, `adset_id`, `ad_id`, `account_id`,
                `objective`, `effective_status`; a value or a list of values.
            include_today: Let `last` end today, which is still growing.
            currency: `account`; amounts are never converted without a rate table.
            parents: Add the parents' names after the object's name.

        Returns:
            Index (`date`, `<level>_id`), or `<level>_id` alone for `all_days`; first column
            `<level>_name`, then the metrics. Money in major units of the account's currency
            (`.attrs["currency"]`), rates as shares. NaN is unknown, not zero.

        Raises:
            UnknownObjectError: If a client is not yours to see.
            UnknownMetricError: If a metric does not exist.
            NotAdditiveError: If reach is asked for more than one day at a time.
            DataError: If a breakdown is not loaded, or a currency would need converting.
            ValueError: If the period or a filter is malformed.
        """
        return _insights(
            self, client, level=level, last=last, since=since, until=until,
            time_increment=time_increment, names=metrics, breakdowns=breakdowns, compare=compare,
            filters=filters, include_today=include_today, currency=currency, parents=parents,
        )  # fmt: skip

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

        return export(frame, path)

    def close(self) -> None:
        """Close the connection to the store."""
        self._reader.close()

    def _infos(self, refresh: bool = False) -> dict[str, ClientInfo]:
        if self._clients is None or refresh:
            rows = self._reader.rows("read_clients")
            self._clients = {r["slug"]: ClientInfo.from_row(r) for r in rows}
        return self._clients


def _insights(
    lab: Workbench,
    client: str | Sequence[str] | None,
    *,
    level: str,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    time_increment: Increment,
    names: Sequence[str],
    breakdowns: Sequence[str],
    compare: Compare | None,
    filters: Mapping[str, Any] | None,
    include_today: bool,
    currency: str,
    parents: bool,
) -> InsightsFrame:
    if breakdowns:
        raise DataError(
            f"Breakdown {', '.join(breakdowns)!r} is not loaded.",
            "Daily insights at four levels are; leave breakdowns out.",
        )
    slugs = [client] if isinstance(client, str) else client
    chosen = [
        lab.client(s) for s in (slugs if slugs is not None else lab.clients(status=None).index)
    ]
    wanted = metrics([names] if isinstance(names, str) else names)
    depth = Level.parse(level)
    if depth is Level.CREATIVE:
        raise ValueError("insights have levels account, campaign, adset and ad")
    check_increment(time_increment)
    period = read_period(
        last, since, until, [z for c in chosen for z in c.timezones], lab.now(), include_today
    )
    labels = load_labels(lab.reader, [c.client_id for c in chosen], depth)
    if currency != "account" and set(labels["currency"].dropna()) - {currency.upper()}:
        raise DataError(
            f"Amounts are in {', '.join(sorted(set(labels['currency'].dropna())))}; "
            f"there is no rate table to show them in {currency.upper()}.",
            'Use currency="account".',
        )
    objects = apply_filters(labels, filters, depth) if filters else None
    query = InsightsQuery(
        tuple(c.client_id for c in chosen), depth, period, wanted, time_increment,
        None if objects is None else tuple(objects),
    )  # fmt: skip
    rows = load_rows(lab.reader, query)
    frame, parts = _shape(rows, labels, depth, wanted, time_increment, parents)
    if compare is not None:
        _compare(lab.reader, query, frame, compare)
    return attach(frame, parts, _provenance(lab, chosen, query, parts, compare))


def check_increment(increment: Increment) -> None:
    """Refuse increments nobody can mean.

    Raises:
        ValueError: If it is none of 1 to 90, `monthly`, `all_days`.
    """
    if increment in ("monthly", "all_days"):
        return
    if not isinstance(increment, int) or isinstance(increment, bool) or not 1 <= increment <= 90:
        raise ValueError(
            f"time_increment={increment!r} is none of 1 to 90 days, 'monthly', 'all_days'"
        )


def read_period(
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    timezones: Sequence[str],
    now: datetime,
    include_today: bool = False,
) -> DateRange:
    """The days asked for. Accounts in several timezones share the days all have completed.

    Raises:
        ValueError: If both `last` and `since` are given, or the dates are malformed.
    """
    todays = [today_in(z, now) for z in timezones] or [today_in("UTC", now)]
    today = max(todays) if include_today else min(todays)
    if last is not None and (since is not None or until is not None):
        raise ValueError("give either last= or since=/until=, not both")
    if since is None:
        if until is not None:
            raise ValueError("until= needs since=")
        return last_period(last or "30d", today, include_today)
    start = _day(since, "since")
    if until is not None:
        return DateRange(start, _day(until, "until"))
    return DateRange(start, today if include_today else today - timedelta(days=1))


def _day(value: date | str, name: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} is not a day; write it as 2026-11-03") from None


def load_labels(reader: Reader, client_ids: Sequence[int], level: Level) -> pd.DataFrame:
    """What to call each object: id, name, parents' names, account, currency, client, status."""
    word = level.word
    accounts = reader.frame("read_accounts", client_ids=list(client_ids))
    slugs = {r["client_id"]: r["slug"] for r in reader.rows("read_clients")}
    if level is Level.ACCOUNT:
        table = pd.DataFrame(
            {
                "object_id": accounts["account_id"],
                "account_id": accounts["account_id"],
                "account_name": accounts["name"],
                "currency": accounts["currency"],
                "client": accounts["client_id"].map(slugs),
            }
        )
    else:
        objects = reader.rows("read_objects", client_ids=list(client_ids), level=int(level))
        columns = {"object_id": "object_id", "account_name": "account_name",
                   "campaign_name": "campaign_name", "adset_name": "adset_name",
                   f"{word}_name": "name", "currency": "currency", "objective": "objective",
                   "effective_status": "effective_status", "account_id": "account_id",
                   "campaign_id": "campaign_id", "adset_id": "ad_set_id"}  # fmt: skip
        # Reason: as objects, because ids have 18 digits and a float, which one missing parent
        # would make of the column, keeps 15.
        table = pd.DataFrame(
            {ours: [r[theirs] for r in objects] for ours, theirs in columns.items()}, dtype=object
        )
        table["object_id"] = table["object_id"].astype("int64")
        table["client"] = [slugs.get(r["client_id"]) for r in objects]
    return table


def apply_filters(labels: pd.DataFrame, filters: Mapping[str, Any], level: Level) -> list[int]:
    """Identifiers of the objects that pass every filter.

    Raises:
        ValueError: If a filter's name is unknown; the message lists them.
    """
    kept = pd.Series(True, index=labels.index)
    ids = {"account_id": "account_id"}
    if level > Level.CAMPAIGN:
        ids["campaign_id"] = "campaign_id"
    if level > Level.AD_SET:
        ids["adset_id"] = "adset_id"
    ids[f"{level.word}_id"] = "object_id"
    for name, raw in filters.items():
        wanted = [raw] if isinstance(raw, str | int) else list(raw)
        if name in ids and ids[name] in labels:
            kept &= labels[ids[name]].isin([parse_public_id(v) for v in wanted])
        elif name in ("objective", "effective_status", f"{level.word}_name") and name in labels:
            kept &= labels[name].isin([str(v) for v in wanted])
        else:
            known = ", ".join([*ids, "objective", "effective_status", f"{level.word}_name"])
            raise ValueError(f"there is no filter {name!r} at level {level.word}; use {known}")
    return [int(i) for i in labels.loc[kept, "object_id"]]


_PARENTS = {
    Level.ACCOUNT: (),
    Level.CAMPAIGN: ("account_name",),
    Level.AD_SET: ("account_name", "campaign_name"),
    Level.AD: ("account_name", "campaign_name", "adset_name"),
}


def _shape(
    rows: pd.DataFrame,
    labels: pd.DataFrame,
    level: Level,
    wanted: Sequence[MetricDef],
    increment: Increment,
    parents: bool,
) -> tuple[pd.DataFrame, Parts]:
    word = level.word
    known = labels.assign(account_id=labels["account_id"].astype("int64"))
    if increment != 1:
        rows = _one_row_an_object(rows, known)
    named = rows.merge(known, on=["account_id", "object_id"], how="left")
    named[f"{word}_id"] = [public_id(int(i)) for i in named["object_id"]]
    keys = [f"{word}_id"]
    if increment != "all_days":
        named["date"] = pd.to_datetime(named["date"])
        keys = ["date", f"{word}_id"]
    named = named.sort_values(keys).set_index(keys)
    sums = named[[c for c in rows.columns if c[:2] in ("m_", "n_", "d_")]]
    front = [f"{word}_name", *(_PARENTS[level] if parents else ())]
    frame = pd.concat([named[front], values(sums, wanted)], axis=1)
    for m in wanted:
        # Reason: counts look like counts where nothing is missing and nothing is a fraction.
        column = frame[m.name]
        if m.unit == "count" and column.notna().all() and (column % 1 == 0).all():
            frame[m.name] = column.astype("int64")
    hidden = ("object_id", "account_id", "campaign_id", "adset_id")
    shown = [c for c in labels.columns if c not in hidden]
    return frame, Parts(sums, named[shown], tuple(wanted))


def _one_row_an_object(rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Add up an object that stands in two accounts: imported for old days, synced for new ones.

    Raises:
        MixedCurrencyError: If the two accounts have different currencies.
    """
    keys = [k for k in ("date", "object_id") if k in rows.columns]
    twice = rows.duplicated(keys, keep=False)
    if not twice.any():
        return rows
    currency = labels.set_index("account_id")["currency"].to_dict()
    for _, same in rows[twice].groupby(keys):
        one_currency((currency[a] for a in same["account_id"]), "the rows of one object")
    accounts = rows.groupby(keys, sort=False)["account_id"].max().reset_index()
    return sum_rows(rows, keys).reset_index().merge(accounts, on=keys)


def _compare(reader: Reader, query: InsightsQuery, frame: pd.DataFrame, how: Compare) -> None:
    if how not in ("previous_period", "previous_year"):
        raise ValueError(f"compare={how!r} is neither 'previous_period' nor 'previous_year'")
    if query.increment == "monthly":
        raise ValueError("compare= needs time_increment in days or 'all_days'")
    before = query.period.previous() if how == "previous_period" else query.period.previous_year()
    old = load_rows(
        reader,
        InsightsQuery(
            query.client_ids, query.level, before, query.metrics, query.increment, query.object_ids
        ),
    )
    word = query.level.word
    old = sum_rows(old, [k for k in ("date", "object_id") if k in old.columns]).reset_index()
    old[f"{word}_id"] = [public_id(int(i)) for i in old["object_id"]]
    keys = [f"{word}_id"]
    if "date" in old:
        old["date"] = pd.to_datetime(old["date"]) + pd.Timedelta(
            days=(query.period.since - before.since).days
        )
        keys = ["date", f"{word}_id"]
    previous = values(old.set_index(keys), query.metrics).reindex(frame.index)
    for m in query.metrics:
        frame[f"{m.name}_prev"] = previous[m.name]
        base = previous[m.name].where(previous[m.name] != 0)
        frame[f"{m.name}_change"] = frame[m.name] / base - 1


def _provenance(
    lab: Workbench,
    chosen: Sequence[Client],
    query: InsightsQuery,
    parts: Parts,
    compare: Compare | None,
) -> dict[str, Any]:
    currencies = sorted(set(parts.labels["currency"].dropna()))
    first = query.period.previous_year().since if compare == "previous_year" else query.period.since
    states = lab.reader.rows("read_sync_state", client_ids=[c.client_id for c in chosen])
    checked = [s["checked_at"] for s in states if s["kind"] == "insights" and s["checked_at"]]
    return {
        "clients": [c.slug for c in chosen],
        "level": query.level.word,
        "since": query.period.since.isoformat(),
        "until": query.period.until.isoformat(),
        "time_increment": query.increment,
        "currency": currencies[0] if len(currencies) == 1 else (currencies or None),
        "timezone": sorted({z for c in chosen for z in c.timezones}),
        "attribution": "account_default",
        "as_of": min(checked).isoformat() if checked else None,
        "settled_through": min((c.settled_through(lab.now()) for c in chosen), default=None),
        "epochs": [e.title for e in epochs_between(first, query.period.until)],
        "query": f"api.insights_daily level={query.level.word} {query.period}",
    }
