"""Fetch what stands beside the ads: creatives, audiences, changes, studies, advice, pixels.

Each function gives rows as `storage.catalogue` keeps them: plain values by column name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adlab.core.entities import AccountId
from adlab.core.errors import MetaUnavailableError
from adlab.meta import fields
from adlab.meta.client import GraphClient
from adlab.meta.objects import without_missing_fields
from adlab.meta.paging import pages

Row = dict[str, Any]

# Reason: the creatives edge is heavy; larger pages answer "reduce the amount of data".
_CREATIVES_PAGE = 50
_PAGE = 100
# Meta serves hourly counts of a pixel for at most this span a call.
PIXEL_STAT_DAYS = 28


def fetch_creatives(client: GraphClient, account_id: AccountId) -> list[Row]:
    """Creatives with their whole specification; the thumbnail's address expires."""
    rows = _listed(client, f"act_{account_id}/adcreatives", fields.CREATIVE_WHOLE, _CREATIVES_PAGE)
    return [
        {
            "creative_id": _id(r),
            "name": str(r.get("name") or r["id"]),
            "video_id": _text(r, "video_id"),
            **_same(
                r, "status", "object_type", "title", "body", "call_to_action_type", "image_hash",
                "object_story_spec", "asset_feed_spec", "effective_object_story_id", "url_tags",
                "thumbnail_url",
            ),
            "extra": _rest(
                r, "effective_instagram_media_id", "instagram_user_id", "instagram_permalink_url",
                "template_url", "product_set_id", "degrees_of_freedom_spec",
            ),
        }
        for r in rows
    ]  # fmt: skip


def fetch_audiences(client: GraphClient, account_id: AccountId) -> list[Row]:
    """Custom audiences: what they are and how large; never their members."""
    rows = _listed(client, f"act_{account_id}/customaudiences", fields.AUDIENCE)
    return [
        {
            "audience_id": _id(r),
            "name": str(r.get("name") or r["id"]),
            **_same(r, "subtype", "description", "retention_days"),
            "size_lower": _size(r, "approximate_count_lower_bound"),
            "size_upper": _size(r, "approximate_count_upper_bound"),
            "delivery_status": _described(r, "delivery_status"),
            "operation_status": _described(r, "operation_status"),
            "created_at": _time(r.get("time_created")),
            "updated_at": _time(r.get("time_updated")),
            "extra": _rest(
                r, "time_content_updated", "lookalike_spec", "pixel_id", "data_source",
                "is_value_based", "delivery_status", "operation_status",
            ),
        }
        for r in rows
    ]  # fmt: skip


def fetch_activities(
    client: GraphClient, account_id: AccountId, since: datetime, until: datetime
) -> list[Row]:
    """Entries of the change history, old and new value apart; each once."""
    params = {
        "fields": ",".join(fields.ACTIVITY),
        "since": str(int(since.timestamp())),
        "until": str(int(until.timestamp())),
    }
    found: dict[str, Row] = {}
    for page in pages(client, f"act_{account_id}/activities", params, 500):
        for r in page:
            row = _activity(r)
            found[row["digest"]] = row
    return list(found.values())


def _activity(r: Mapping[str, Any]) -> Row:
    happened = _time(r.get("event_time"))
    if happened is None or not r.get("event_type"):
        raise MetaUnavailableError("An entry of the change history has no time or type.")
    extra = _parsed(r.get("extra_data"))
    told = extra if isinstance(extra, dict) else {}
    rest = {k: v for k, v in told.items() if k not in ("old_value", "new_value")}
    text = r.get("extra_data")
    parts = [
        happened, r["event_type"], r.get("actor_id"), r.get("object_id"), r.get("object_type"),
        text if isinstance(text, str) else json.dumps(text, sort_keys=True),
    ]  # fmt: skip
    return {
        "digest": hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32],
        "happened_at": happened,
        "event_type": str(r["event_type"]),
        "event": r.get("translated_event_type"),
        **{k: _text(r, k) for k in ("actor_id", "actor_name", "application_id", "object_id",
                                    "object_type", "object_name")},
        "old": told.get("old_value"),
        "new": told.get("new_value"),
        "extra": rest if told else extra,
    }  # fmt: skip


def fetch_studies(client: GraphClient, account_id: AccountId) -> list[Row]:
    """Split tests and other studies, each with its cells and what lies in them."""
    found = []
    for r in _listed(client, f"act_{account_id}/ad_studies", fields.STUDY):
        cells = _listed(client, f"{_id(r)}/cells", fields.CELL)
        found.append(
            {
                "study_id": _id(r),
                "name": str(r.get("name") or r["id"]),
                **_same(r, "type", "description"),
                "start_at": _time(r.get("start_time")),
                "end_at": _time(r.get("end_time")),
                "canceled_at": _time(r.get("canceled_time")),
                "cells": [_cell(c) for c in cells],
                "extra": _rest(
                    r, "cooldown_start_time", "observation_end_time", "confidence_level",
                    "created_time", "updated_time",
                ),
            }
        )  # fmt: skip
    return found


def _cell(r: Mapping[str, Any]) -> Row:
    def ids(edge: str) -> list[str]:
        inner = r.get(edge)
        return [str(o["id"]) for o in inner.get("data", ())] if isinstance(inner, dict) else []

    return {
        "cell_id": str(r["id"]),
        "name": r.get("name"),
        "treatment_percentage": r.get("treatment_percentage"),
        "control_percentage": r.get("control_percentage"),
        "campaign_ids": ids("campaigns"),
        "adset_ids": ids("adsets"),
        "ad_ids": [str(i) for i in r.get("ad_ids") or ()],
    }


def fetch_recommendations(client: GraphClient, account_id: AccountId) -> list[Row]:
    """What Meta advises for the account now; the key is absent when there is nothing."""
    found: dict[str, Row] = {}
    for page in pages(client, f"act_{account_id}/recommendations", {}, _PAGE):
        for answer in page:
            for r in answer.get("recommendations") or ():
                row = _recommendation(r)
                found[row["signature"]] = row
    return list(found.values())


def _recommendation(r: Mapping[str, Any]) -> Row:
    content = r.get("recommendation_content")
    content = content if isinstance(content, dict) else {}
    message = content.get("body") or r.get("message")
    signature = r.get("recommendation_signature")
    if not signature:
        text = json.dumps(r, sort_keys=True)
        signature = hashlib.sha256(text.encode()).hexdigest()[:16]
    named = ("recommendation_signature", "type", "object_ids", "title", "message", "importance")
    return {
        "signature": str(signature),
        "type": r.get("type") or _text(r, "code"),
        "title": content.get("title") or r.get("title"),
        "message": message,
        "importance": r.get("importance"),
        "object_ids": [str(i) for i in r.get("object_ids") or ()],
        "extra": {k: v for k, v in r.items() if k not in named},
    }


def fetch_pixels(client: GraphClient, account_id: AccountId) -> list[Row]:
    """Pixels (datasets) of the account and when they last fired."""
    rows = _listed(client, f"act_{account_id}/adspixels", fields.PIXEL)
    return [
        {
            "pixel_id": _id(r),
            "name": str(r.get("name") or r["id"]),
            "last_fired_at": _time(r.get("last_fired_time")),
            "unavailable": r.get("is_unavailable"),
            "created_at": _time(r.get("creation_time")),
            "extra": _rest(
                r, "data_use_setting", "first_party_cookie_status", "enable_automatic_matching",
                "automatic_matching_fields",
            ),
        }
        for r in rows
    ]  # fmt: skip


def fetch_pixel_stats(
    client: GraphClient, pixel_id: int, since: datetime, until: datetime
) -> list[Row]:
    """Events a pixel received, per hour and name, from both browser and server.

    Args:
        client: The signed client.
        pixel_id: Pixel or dataset.
        since: Start (aware), at most 28 days before `until`.
        until: End (aware).
    """
    params = {
        "aggregation": "event",
        "start_time": str(int(since.timestamp())),
        "end_time": str(int(until.timestamp())),
    }
    counts: dict[tuple[str, str], int] = {}
    for page in pages(client, f"{pixel_id}/stats", params, _PAGE):
        for r in page:
            at = _time(r.get("start_time"))
            if at is None:
                raise MetaUnavailableError("An hour of pixel statistics has no time.")
            for entry in r.get("data") or ():
                key = (at, str(entry.get("value") or entry.get("event")))
                counts[key] = counts.get(key, 0) + int(entry.get("count") or 0)
    return [
        {"pixel_id": pixel_id, "hour_at": at, "event": event, "events": count}
        for (at, event), count in counts.items()
    ]


def _listed(
    client: GraphClient, edge: str, names: Sequence[str], size: int = _PAGE
) -> list[dict[str, Any]]:
    return without_missing_fields(
        names,
        lambda asked: [
            r for page in pages(client, edge, {"fields": ",".join(asked)}, size) for r in page
        ],
    )


def _id(r: Mapping[str, Any]) -> int:
    try:
        return int(r["id"])
    except (KeyError, ValueError):
        raise MetaUnavailableError("A listed object has no id.") from None


def _same(r: Mapping[str, Any], *names: str) -> Row:
    return {n: r.get(n) for n in names}


def _rest(r: Mapping[str, Any], *names: str) -> Row:
    return {n: r[n] for n in names if r.get(n) is not None}


def _text(r: Mapping[str, Any], name: str) -> str | None:
    value = r.get(name)
    return None if value is None else str(value)


def _size(r: Mapping[str, Any], name: str) -> int | None:
    value = r.get(name)
    # Reason: -1 stands for "not told", of audiences too small to say.
    return None if value is None or int(value) < 0 else int(value)


def _described(r: Mapping[str, Any], name: str) -> str | None:
    value = r.get(name)
    if isinstance(value, dict):
        return str(value.get("description") or value.get("code"))
    return None if value is None else str(value)


def _time(value: Any) -> str | None:
    """An aware time as ISO text; Meta writes text with an offset, or Unix seconds."""
    if value in (None, "", 0, "0"):
        return None
    try:
        if isinstance(value, int) or str(value).isdigit():
            return datetime.fromtimestamp(int(value), UTC).isoformat()
        return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise MetaUnavailableError(f"{value!r} is no time.") from None


def _parsed(value: Any) -> Any:
    """`extra_data` is text that holds JSON; text that does not stays text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return {"text": value} if value else None
