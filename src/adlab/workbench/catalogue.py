"""Frames of what stands beside the ads: audiences, changes, studies, advice, issues, pixels.

Each frame's `.attrs` says when its rows were read (`as_of`), and in `not_served` which accounts
Meta has none for and why: an empty frame is then no zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from adlab.core.entities import Level, public_id
from adlab.core.money import meta_offset

if TYPE_CHECKING:
    from adlab.workbench.client import Client
    from adlab.workbench.lab import Workbench

_IDS = ("account_id", "audience_id", "study_id", "pixel_id", "creative_id", "object_id")
_TIMES = (
    "created_at", "updated_at", "start_at", "end_at", "canceled_at", "first_seen_at", "seen_at",
    "last_fired_at", "happened_at", "hour_at",
)  # fmt: skip


def audiences(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.audiences` returns."""
    rows = lab.reader.rows("read_audiences", client_ids=[client.client_id])
    columns = [
        "name", "subtype", "description", "size_lower", "size_upper", "delivery_status",
        "operation_status", "retention_days", "created_at", "updated_at", "account_id", "extra",
    ]  # fmt: skip
    return _frame(lab, client, "audiences", rows, "audience_id", columns)


def activities(
    lab: Workbench,
    client: Client,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    event_type: str | None,
) -> pd.DataFrame:
    """What `Client.activities` returns."""
    start, end = _times(lab, client, last, since, until)
    rows = lab.reader.rows("read_activities", client_ids=[client.client_id], since=start, until=end)
    if event_type is not None:
        rows = [r for r in rows if r["event_type"] == event_type]
    columns = [
        "event_type", "event", "object_type", "object_id", "object_name", "old", "new",
        "actor_name", "account_id", "extra",
    ]  # fmt: skip
    return _frame(lab, client, "activities", rows, "happened_at", columns)


def studies(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.studies` returns: one row a cell."""
    out: list[dict[str, Any]] = []
    for r in lab.reader.rows("read_studies", client_ids=[client.client_id]):
        for cell in r["cells"] or [{}]:
            out.append(
                {
                    **r,
                    "cell_id": cell.get("cell_id"),
                    "cell": cell.get("name"),
                    "share": None if (p := cell.get("treatment_percentage")) is None else p / 100,
                    **{k: cell.get(k, []) for k in ("campaign_ids", "adset_ids", "ad_ids")},
                }
            )
    columns = [
        "name", "type", "start_at", "end_at", "canceled_at", "cell_id", "cell", "share",
        "campaign_ids", "adset_ids", "ad_ids", "account_id",
    ]  # fmt: skip
    return _frame(lab, client, "studies", out, "study_id", columns)


def recommendations(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.recommendations` returns."""
    rows = lab.reader.rows("read_recommendations", client_ids=[client.client_id])
    columns = [
        "type", "title", "message", "importance", "object_ids", "first_seen_at", "account_id",
        "extra",
    ]  # fmt: skip
    return _frame(lab, client, "recommendations", rows, "signature", columns)


def issues(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.issues` returns."""
    rows = lab.reader.rows("read_issues", client_ids=[client.client_id])
    rows = [{**r, "level": Level(r["level"]).word} for r in rows]
    columns = ["level", "name", "source", "code", "summary", "message", "seen_at", "account_id"]
    return _frame(lab, client, "issues", rows, "object_id", columns)


def pixels(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.pixels` returns."""
    now = lab.now()
    rows = lab.reader.rows(
        "read_pixels", client_ids=[client.client_id], since=now - timedelta(days=1)
    )
    rows = [
        {
            **r,
            "events_24h": r["events"],
            "silent_hours": None
            if r["last_fired_at"] is None
            else (now - r["last_fired_at"]).total_seconds() / 3600,
        }
        for r in rows
    ]
    columns = [
        "name", "last_fired_at", "silent_hours", "unavailable", "events_24h", "by_event",
        "created_at", "account_id",
    ]  # fmt: skip
    return _frame(lab, client, "pixels", rows, "pixel_id", columns)


def pixel_events(
    lab: Workbench,
    client: Client,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
    by: str,
) -> pd.DataFrame:
    """What `Client.pixel_events` returns."""
    if by not in ("hour", "day"):
        raise ValueError(f"by={by!r} is neither 'hour' nor 'day'")
    start, end = _times(lab, client, last, since, until)
    rows = lab.reader.rows(
        "read_pixel_hours", client_ids=[client.client_id], since=start, until=end
    )
    frame = _frame(lab, client, "pixel_stats", rows, "hour_at", ["pixel_id", "event", "events"])
    zone = client.timezones[0]
    local = pd.DatetimeIndex(pd.to_datetime(frame.index, utc=True)).tz_convert(zone)
    frame[by] = local if by == "hour" else local.tz_localize(None).normalize()
    said = dict(frame.attrs)
    table = frame.pivot_table(
        index=[by, "pixel_id"], columns="event", values="events", aggfunc="sum", fill_value=0
    )
    table.attrs.update(said | {"timezone": zone})
    return table


def creatives(lab: Workbench, client: Client) -> pd.DataFrame:
    """What `Client.creatives` returns."""
    rows = lab.reader.rows("read_creatives", client_ids=[client.client_id])
    columns = [
        "name", "status", "object_type", "title", "body", "call_to_action_type", "image_hash",
        "video_id", "object_story_spec", "asset_feed_spec", "effective_object_story_id",
        "url_tags", "thumbnail_url", "account_id",
    ]  # fmt: skip
    return _frame(lab, client, "creatives", rows, "creative_id", columns)


def add_account_money(frame: pd.DataFrame, rows: Sequence[dict[str, Any]]) -> None:
    """Add an account's billing to a frame with one row for each of `rows`, in place.

    Amounts are major units of the account's currency; NaN is "not told", of a cap "none".
    """
    for name in ("spend_cap", "amount_spent", "balance", "min_daily_budget"):
        frame[name] = pd.Series(
            [
                None if (v := r[f"{name}_minor"]) is None else v / meta_offset(r["currency"])
                for r in rows
            ],
            index=frame.index,
            dtype="float64",
        )
    frame["prepay"] = pd.Series([r["is_prepay"] for r in rows], index=frame.index, dtype=object)
    frame["disable_reason"] = [r["disable_reason"] for r in rows]
    frame["capabilities"] = pd.Series(
        [r["capabilities"] for r in rows], index=frame.index, dtype=object
    )


def _times(
    lab: Workbench,
    client: Client,
    last: str | None,
    since: date | str | None,
    until: date | str | None,
) -> tuple[datetime, datetime]:
    # Reason: imported here, because that module imports the client, which imports this one.
    from adlab.workbench.insights import read_period

    # Reason: with today, because what changed an hour ago is what one asks about.
    period = read_period(last, since, until, client.timezones, lab.now(), include_today=True)
    zone = ZoneInfo(client.timezones[0])
    end = period.until + timedelta(days=1)
    return datetime.combine(period.since, time(), zone), datetime.combine(end, time(), zone)


def _frame(
    lab: Workbench,
    client: Client,
    kind: str,
    rows: Sequence[dict[str, Any]],
    key: str,
    columns: Sequence[str],
) -> pd.DataFrame:
    def cell(name: str, row: dict[str, Any]) -> Any:
        value = row[name]
        if name in _IDS and isinstance(value, int):
            return public_id(value)
        return value

    data = {
        # Reason: as objects, because ids have 18 digits and one missing value makes floats.
        name: pd.Series([cell(name, r) for r in rows], dtype=object)
        for name in (key, *columns)
    }
    frame = pd.DataFrame(data)
    for name in (key, *columns):
        if name in _TIMES:
            frame[name] = pd.to_datetime(frame[name], utc=True)
        elif name in ("size_lower", "size_upper", "retention_days", "events", "events_24h"):
            frame[name] = frame[name].astype("Int64")
        elif name in ("share", "silent_hours"):
            frame[name] = frame[name].astype("float64")
    frame = frame.set_index(key)
    states = [
        s for s in lab.reader.rows("read_sync_state", client_ids=[client.client_id])
        if s["kind"] == ("objects" if kind == "issues" else f"catalogue:{kind}")
    ]  # fmt: skip
    checked = [s["checked_at"] for s in states if s["status"] == "ok" and s["checked_at"]]
    frame.attrs["as_of"] = min(checked).isoformat() if checked else None
    frame.attrs["not_served"] = {
        public_id(s["account_id"]): s["error"] for s in states if s["status"] == "not_served"
    }
    if not states:
        frame.attrs["remedy"] = f"Not read yet: adlab sync --client {client.slug} --catalogue"
    return frame
