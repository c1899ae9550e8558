"""Insights, totals, and today: the numbers of boards and notebooks, by the same service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Literal, cast

from fastapi import Header, Query, Response

from adlab.core.entities import Level, public_id
from adlab.core.metrics import MetricDef
from adlab.core.periods import DateRange, today_in
from adlab.services.insights import InsightsQuery, PageKey, load_page
from adlab.web.api import models
from adlab.web.api.auth import Caller, Reading
from adlab.web.api.params import AccountId, Cursor, Last, Limit, MetricNames, Since, Until
from adlab.web.api.problems import Problem
from adlab.web.api.reading import (
    account_of,
    increment_of,
    metric_list,
    metric_values,
    object_numbers,
    parse_slug,
    period_end,
    period_of,
    read_cursor,
    write_cursor,
    zones_of,
)
from adlab.web.api.session import Router

router = Router(tags=["Numbers"])

LIVE_SECONDS = 30
LIVE_METRICS = (
    "spend", "impressions", "clicks", "link_clicks", "ctr", "cpc", "cpm", "purchases", "roas",
)  # fmt: skip
SUMMARY_METRICS = (*LIVE_METRICS, "revenue", "cpa")
LevelWord = Literal["account", "campaign", "adset", "ad"]


@router.get("/insights")
def insights(
    caller: Reading,
    level: Annotated[LevelWord, Query(description="Level of the rows.")] = "account",
    client: Annotated[
        str | None, Query(description="Slug; all clients of this token when omitted.",
                          max_length=80)
    ] = None,
    object_id: Annotated[
        list[str], Query(description="Only these objects of that level.", max_length=200)
    ] = [],  # noqa: B006  # Reason: FastAPI copies it for each request.
    metrics: MetricNames = [],  # noqa: B006
    last: Last = None,
    since: Since = None,
    until: Until = None,
    time_increment: Annotated[
        str,
        Query(description="Days of a row: 1 to 90, monthly, all_days.",
              pattern=r"^([1-9]|[1-8][0-9]|90|monthly|all_days)$"),
    ] = "1",
    limit: Limit = 500,
    cursor: Cursor = None,
) -> models.Insights:  # fmt: skip
    """Insights per period and object.

    Days are of each account's own calendar. Reach and what is made of it hold for one day or less
    than that; asking for more of it is refused, as people do not add up.
    """
    numbers = caller.client_ids if client is None else [caller.client(parse_slug(client))]
    if client is None:
        caller.about(*caller.clients)
    query = InsightsQuery(
        tuple(numbers), Level.parse(level),
        period_of(caller, zones_of(caller, numbers), last, since, until), metric_list(metrics),
        increment_of(time_increment), object_numbers(object_id) or None,
    )  # fmt: skip
    limit = min(limit, caller.most_rows)
    rows = load_page(caller.reader, query, limit, _after(query, cursor))
    following = None
    if len(rows) == limit:
        end = rows[-1]
        following = write_cursor(end.get("date"), end["object_id"], end["account_id"])
    return models.Insights(
        since=query.period.since, until=query.period.until, time_increment=query.increment,
        data=_rows(caller, query, level, rows), next=following,
    )  # fmt: skip


@router.get("/accounts/{account_id}/summary")
def summary(
    caller: Reading,
    account_id: AccountId,
    metrics: MetricNames = [],  # noqa: B006
    last: Last = None,
    since: Since = None,
    until: Until = None,
) -> models.Summary:
    """Totals of an account over some days; 30 complete ones when none are named."""
    row = account_of(caller, account_id)
    period = period_of(caller, [row["timezone"]], last, since, until)
    wanted = metric_list(metrics or SUMMARY_METRICS)
    return models.Summary(
        account_id=f"act_{row['account_id']}", client=row["slug"], name=row["name"],
        currency=row["currency"], timezone=row["timezone"], since=period.since,
        until=period.until, metrics=total_of(caller, row, period, wanted),
    )  # fmt: skip


@router.get(
    "/accounts/{account_id}/live",
    responses={
        200: {"headers": {"ETag": {"schema": {"type": "string"}}}},
        304: {"description": "Nothing changed since the ETag that was sent."},
    },
    response_model=models.Live,
)
def live(
    caller: Reading, response: Response, account_id: AccountId,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Any:  # fmt: skip
    """An account today. Ask again after 30 seconds, with If-None-Match; 304: nothing changed."""
    row = account_of(caller, account_id)
    today = today_in(row["timezone"], caller.now())
    scope = {"account_id": row["account_id"], "client_ids": [row["client_id"]]}
    state = caller.reader.rows("api_live_state", **scope)[0]
    active = caller.reader.rows("api_active", **scope)[0]["campaigns"]
    mark = f"{row['account_id']}|{today}|{state['checked_at']}|{state['changed_at']}|{active}"
    tag = f'"{sha256(mark.encode()).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={LIVE_SECONDS}"}
    if if_none_match and tag in [t.strip().removeprefix("W/") for t in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    found = total_of(caller, row, DateRange(today, today), metric_list(LIVE_METRICS))
    return models.Live(
        account_id=f"act_{row['account_id']}", client=row["slug"], currency=row["currency"],
        timezone=row["timezone"], date=today, active_campaigns=active, metrics=found, **state,
    )  # fmt: skip


def total_of(
    caller: Caller, row: dict[str, Any], period: DateRange, wanted: Sequence[MetricDef]
) -> dict[str, float | None]:
    """Totals of one account over a period; all None where nothing is known."""
    query = InsightsQuery(
        (row["client_id"],), Level.ACCOUNT, period, tuple(wanted), "all_days",
        (row["account_id"],),
    )  # fmt: skip
    rows = load_page(caller.reader, query, 1)
    return metric_values(rows[0], wanted) if rows else {m.name: None for m in wanted}


def totals_of(
    caller: Caller, client_id: int, level: Level, ids: Sequence[int], period: DateRange,
    wanted: Sequence[MetricDef],
) -> dict[int, dict[str, float | None]]:  # fmt: skip
    """Totals of some objects over a period, by object."""
    if not ids:
        return {}
    query = InsightsQuery((client_id,), level, period, tuple(wanted), "all_days", tuple(ids))
    rows = load_page(caller.reader, query, 2 * len(ids))
    return {r["object_id"]: metric_values(r, wanted) for r in rows}


def _after(query: InsightsQuery, cursor: str | None) -> PageKey | None:
    parts = read_cursor(cursor, [date, int, int])
    if parts is None:
        return None
    day = cast("date | None", parts[0])
    if (day is None) != (query.increment == "all_days") or (
        day is not None and day not in query.period
    ):
        raise Problem(422, "cursor belongs to another question; begin again without it.")
    return PageKey(day, parts[1], parts[2])


def _rows(
    caller: Caller, query: InsightsQuery, level: LevelWord, rows: Sequence[dict[str, Any]]
) -> list[models.InsightRow]:
    if not rows:
        return []
    slugs = {n: s for s, n in caller.clients.items()}
    accounts = {
        a["account_id"]: a
        for a in caller.reader.rows("read_accounts", client_ids=list(query.client_ids))
    }
    names = {(a, a): r["name"] for a, r in accounts.items()}
    if query.level is not Level.ACCOUNT:
        names = {
            (r["account_id"], r["object_id"]): r["name"]
            for r in caller.reader.rows(
                "api_labels", client_ids=list(query.client_ids), level=int(query.level),
                object_ids=list({r["object_id"] for r in rows}),
            )
        }  # fmt: skip
    out = []
    for row in rows:
        account = accounts.get(row["account_id"])
        if account is None:
            # Reason: its grant ended between two questions; then neither is it shown.
            continue
        start = row.get("date", query.period.since)
        shown = f"act_{row['account_id']}"
        out.append(
            models.InsightRow(
                date_start=start, date_stop=period_end(start, query.period, query.increment),
                level=level,
                object_id=shown if level == "account" else public_id(row["object_id"]),
                name=names.get((row["account_id"], row["object_id"])), account_id=shown,
                client=slugs[account["client_id"]], currency=account["currency"],
                metrics=metric_values(row, query.metrics),
            )
        )  # fmt: skip
    return out
