"""How `lab.insights()` answers: period, labels, filters, rows, comparison, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from adlab.core.entities import Level, parse_public_id, public_id
from adlab.core.errors import DataError
from adlab.core.metrics import MetricDef, metrics
from adlab.core.money import check_currency, one_currency
from adlab.core.periods import DateRange, Increment, epochs_between, last_period, today_in
from adlab.services.breakdowns_read import check_window
from adlab.services.fx import Rates, load_rows_in, rates_note
from adlab.services.insights import InsightsQuery, load_rows, sum_rows, values
from adlab.storage.tenancy import Reader
from adlab.workbench.breakdowns_settings import add_settings
from adlab.workbench.client import Client
from adlab.workbench.frames import InsightsFrame, Parts, attach, whole_counts
from adlab.workbench.moments import read_moment, thinning_note

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench

Compare = Literal["previous_period", "previous_year"]


def load_insights(
    lab: Workbench,
    client: str | Sequence[str] | None,
    *,
    level: str,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    time_increment: Increment,
    names: Sequence[str],
    compare: Compare | None,
    filters: Mapping[str, Any] | None,
    include_today: bool,
    currency: str,
    parents: bool,
    as_of: datetime | date | str | None = None,
    attribution: str = "default",
    with_settings: bool = False,
) -> InsightsFrame:
    """What `Workbench.insights` returns; its arguments are explained there."""
    window = check_window(attribution)
    if window != "default" and as_of is not None:
        raise DataError(
            "Older versions keep results by the ad sets' own attribution only.",
            "Leave attribution= out, or as_of=.",
        )
    chosen = lab.chosen(client)
    wanted = metrics([names] if isinstance(names, str) else names)
    depth = Level.parse(level)
    if depth is Level.CREATIVE:
        raise ValueError("insights have levels account, campaign, adset and ad")
    check_increment(time_increment)
    period = read_period(
        last, since, until, [z for c in chosen for z in c.timezones], lab.now(), include_today
    )
    labels = load_labels(lab.reader, [c.client_id for c in chosen], depth)
    into = _wanted_currency(currency, labels)
    objects = apply_filters(labels, filters, depth) if filters else None
    zones = [z for c in chosen for z in c.timezones]
    moment = None if as_of is None else read_moment(as_of, zones or ["UTC"], lab.now())
    query = InsightsQuery(
        tuple(c.client_id for c in chosen), depth, period, wanted, time_increment,
        None if objects is None else tuple(objects), moment, window,
    )  # fmt: skip
    said: dict[str, Any] = {}
    if moment is not None:
        said["as_of"] = moment.isoformat()
        said["thinning"] = thinning_note(moment, period, zones, lab.now())
    if into is None:
        rows = load_rows(lab.reader, query)
    else:
        rows, rates = load_rows_in(lab.reader, query, into)
        labels = labels.assign(account_currency=labels["currency"], currency=into)
        said["fx"] = _conversion(rates)
    frame, parts = _shape(rows, labels, depth, wanted, time_increment, parents)
    if compare is not None:
        _compare(lab.reader, query, frame, compare, into)
    if with_settings:
        add_settings(frame, lab.reader, query)
    if filters:
        said["filters"] = ", ".join(f"{k} = {v}" for k, v in filters.items())
    return attach(frame, parts, _provenance(lab, chosen, query, parts, compare) | said)


def _wanted_currency(asked: str, labels: pd.DataFrame) -> str | None:
    """The currency to convert into; None when the amounts stay as they are."""
    if asked == "account":
        return None
    wanted = check_currency(asked)
    return wanted if set(labels["currency"].dropna()) - {wanted} else None


def _conversion(rates: Rates) -> dict[str, Any]:
    newest = rates.newest
    if newest is None:
        return {}
    note = rates_note(rates.source, newest)
    return {"source": rates.source, "newest": newest.isoformat(), "note": note}


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
    start = parse_day(since, "since")
    if until is not None:
        return DateRange(start, parse_day(until, "until"))
    return DateRange(start, today if include_today else today - timedelta(days=1))


def parse_day(value: date | str, name: str) -> date:
    """A day as a notebook gives it.

    Raises:
        ValueError: If it is none; the message says how to write one.
    """
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
    whole_counts(frame, wanted)
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


def _compare(
    reader: Reader, query: InsightsQuery, frame: pd.DataFrame, how: Compare, into: str | None
) -> None:  # fmt: skip
    if how not in ("previous_period", "previous_year"):
        raise ValueError(f"compare={how!r} is neither 'previous_period' nor 'previous_year'")
    if query.increment == "monthly":
        raise ValueError("compare= needs time_increment in days or 'all_days'")
    before = query.period.previous() if how == "previous_period" else query.period.previous_year()
    earlier = replace(query, period=before)
    old = load_rows(reader, earlier) if into is None else load_rows_in(reader, earlier, into)[0]
    word = query.level.word
    old = sum_rows(old, [k for k in ("date", "object_id") if k in old.columns]).reset_index()
    old[f"{word}_id"] = [public_id(int(i)) for i in old["object_id"]]
    keys = [f"{word}_id"]
    partners: pd.Index = frame.index
    if "date" in old:
        old["date"] = pd.to_datetime(old["date"])
        keys = ["date", f"{word}_id"]
        days = pd.DatetimeIndex(frame.index.get_level_values("date"))
        partners = pd.MultiIndex.from_arrays(
            [_partner_days(days, query, before, how), frame.index.get_level_values(1)], names=keys
        )
    previous = values(old.set_index(keys), query.metrics).reindex(partners)
    previous.index = frame.index
    for m in query.metrics:
        frame[f"{m.name}_prev"] = previous[m.name]
        base = previous[m.name].where(previous[m.name] != 0)
        frame[f"{m.name}_change"] = frame[m.name] / base - 1


def _partner_days(
    days: pd.DatetimeIndex, query: InsightsQuery, before: DateRange, how: Compare
) -> pd.DatetimeIndex:
    """The day each day is compared with; 29 February has none a year earlier."""
    if how == "previous_year" and query.increment == 1:
        earlier = days - pd.DateOffset(years=1)
        return pd.DatetimeIndex(earlier.where(earlier.day == days.day))
    return days - pd.Timedelta(days=(query.period.since - before.since).days)


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
        "attribution": "account_default" if query.window == "default" else query.window,
        "as_of": min(checked).isoformat() if checked else None,
        "settled_through": min((c.settled_through(lab.now()) for c in chosen), default=None),
        "epochs": [
            e.title for e in epochs_between(lab.definition_epochs(), first, query.period.until)
        ],
        "query": f"api.insights_daily level={query.level.word} {query.period}",
    }
