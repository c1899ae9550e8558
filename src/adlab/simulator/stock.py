"""First content of an account's audiences, images, videos, pixels and studies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlab.simulator import naming, periods
from adlab.simulator.assets import pool_of
from adlab.simulator.hashing import key_of
from adlab.simulator.world import STORIES, AccountWorld

Row = dict[str, Any]
_AUDIENCES = (
    ("Visitors 30d", "WEBSITE", 30, 40_000),
    ("Cart 14d", "WEBSITE", 14, 6_000),
    ("Customers 180d", "CUSTOM", 180, 22_000),
    ("LAL 1%", "LOOKALIKE", None, 620_000),
    ("Video viewers 365d", "ENGAGEMENT", 365, 180_000),
    ("Newsletter test", "CUSTOM", 90, 300),
)
_TOO_SMALL = 1000


def first_rows(account: AccountWorld, kind: str, now: float) -> list[Row]:
    """Give what an account has of a kind before any call; Unix time decides what is recent."""
    maker = _MAKERS.get(kind)
    return [] if maker is None else maker(account, now)


def pixel_id(account: AccountWorld) -> int:
    """Give the id of an account's pixel (its dataset)."""
    return 880_000 + account.profile.number


def _when(account: AccountWorld, days_after_opening: int, second: int = 34_000) -> int:
    return periods.day_start(account.zone, account.opened_on + days_after_opening) + second


def _audiences(account: AccountWorld, now: float) -> list[Row]:
    number = account.profile.number
    made: list[Row] = []
    for place, (name, subtype, days, size) in enumerate(_AUDIENCES):
        count = size + key_of(account.key, "audience", place) % (size // 3)
        is_small = count < _TOO_SMALL
        row: Row = {
            "id": str(23_850_000_000_000 + number * 100 + place),
            "account_id": str(number),
            "name": name,
            "subtype": subtype,
            "description": f"{account.profile.client}: {name}",
            "approximate_count_lower_bound": -1 if is_small else count,
            "approximate_count_upper_bound": -1 if is_small else round(count * 1.18),
            "delivery_status": {"code": 300, "description": "Audience is too small."}
            if is_small
            else {"code": 200, "description": "This audience is ready for use."},
            "operation_status": {"code": 200, "description": "Normal"},
            "retention_days": days,
            "time_created": _when(account, 3 + 11 * place),
            "time_updated": max(_when(account, 3 + 11 * place), int(now) - 86_400 * (place + 1)),
            "permission_for_actions": {"can_edit": "True", "can_see_insight": "True"},
        }
        if subtype == "WEBSITE":
            row["pixel_id"] = str(pixel_id(account))
        if subtype == "LOOKALIKE":
            row["lookalike_spec"] = {
                "type": "similarity",
                "ratio": 0.01,
                "origin": [{"id": str(23_850_000_000_000 + number * 100 + 2)}],
            }
        made.append(row)
    return made


def _images(account: AccountWorld, now: float) -> list[Row]:
    number = account.profile.number
    hashes = [
        (f"{int(creative):032x}", f"https://images.example/{int(creative)}.jpg", int(index))
        for index, creative in enumerate(account.ads.creative_id[: account.built_ads].tolist())
        if not account.ads.is_video[index]
    ]
    made_at = naming.created_at(account, "ad")
    rows = [
        _image(account, name, url, periods.local_text(account.zone, int(made_at[index])))
        for name, url, index in hashes
    ]
    opened = periods.local_text(account.zone, _when(account, 1))
    rows += [
        _image(account, asset["hash"], asset["url"], opened)
        for asset in pool_of(account, "image_asset")
    ]
    for row in rows:
        row["id"] = f"{number}:{row['hash']}"
    return rows


def _image(account: AccountWorld, name: str, url: str, made_at: str) -> Row:
    return {
        "account_id": str(account.profile.number),
        "hash": name,
        "name": f"{name[-6:]}.jpg",
        "url": url,
        "url_128": f"{url}?w=128",
        "permalink_url": f"https://fb.example/ads/image/?d={name}",
        "width": 1080,
        "height": 1350,
        "original_width": 1080,
        "original_height": 1350,
        "status": "ACTIVE",
        "created_time": made_at,
        "updated_time": made_at,
    }


def _videos(account: AccountWorld, now: float) -> list[Row]:
    made_at = naming.created_at(account, "ad")
    found: dict[str, int] = {}
    for index in np.flatnonzero(account.ads.is_video[: account.built_ads]).tolist():
        found.setdefault(str(int(account.ads.creative_id[index]) // 7), int(made_at[index]))
    for asset in pool_of(account, "video_asset"):
        found.setdefault(asset["video_id"], _when(account, 1))
    return [
        {
            "id": name,
            "title": f"{account.profile.client} {name[-4:]}",
            "source": f"https://video.example/{name}.mp4",
            "picture": f"https://images.example/v/{name}.jpg",
            "length": 9.0 + int(name) % 52,
            "status": {"video_status": "ready"},
            "created_time": periods.local_text(account.zone, moment),
            "updated_time": periods.local_text(account.zone, moment),
        }
        for name, moment in found.items()
    ]


def _pixels(account: AccountWorld, now: float) -> list[Row]:
    number = account.profile.number
    return [
        {
            "id": str(pixel_id(account)),
            "name": f"{account.profile.client} pixel",
            "last_fired_time": periods.local_text(account.zone, int(now) - 240),
            "is_unavailable": False,
            "data_use_setting": "ADVERTISING_AND_ANALYTICS",
            "first_party_cookie_status": "FIRST_PARTY_COOKIE_ENABLED",
            "automatic_matching_fields": ["em", "ph", "fn", "ln", "zp"],
            "enable_automatic_matching": True,
            "creation_time": periods.local_text(account.zone, _when(account, 0)),
            "owner_ad_account": {"id": f"act_{number}", "account_id": str(number)},
            "owner_business": {
                "id": account.profile.business_id,
                "name": account.profile.client,
            },
            "is_created_by_business": True,
            "is_restricted_use": False,
            "can_proxy": False,
            "is_consolidated_container": True,
        }
    ]


def _studies(account: AccountWorld, now: float) -> list[Row]:
    """Split tests of the planted pairs, and in small steady worlds of the first campaign."""
    campaigns, today = account.campaigns, account.today(now)
    pairs = (campaigns.story == STORIES.index("ab_pair")) | campaigns.is_steady
    chosen = np.flatnonzero(pairs & (campaigns.start <= today)).tolist()
    rows: list[Row] = []
    for index in chosen:
        ad_sets = np.flatnonzero(account.ad_sets.campaign == index)
        if len(ad_sets) != 2:
            continue
        start, end = int(campaigns.start[index]), int(campaigns.end[index])
        number = 24_000_000_000_000 + int(campaigns.id[index]) % 10**9 * 10
        rows.append(
            {
                "id": str(number),
                "name": f"Split test: {naming.name_of(account, 'campaign', index)}",
                "description": "Two ad sets against each other",
                "type": "SPLIT_TEST",
                "start_time": _text(account, start),
                "end_time": _text(account, min(end + 1, start + 60)),
                "created_time": _text(account, start - 1),
                "updated_time": _text(account, start - 1),
                "business": {"id": account.profile.business_id, "name": account.profile.client},
                "confidence_level": 0.8,
                "_cells": [
                    {
                        "id": str(number + place + 1),
                        "name": f"Cell {'AB'[place]}",
                        "treatment_percentage": 50,
                        "control_percentage": 0,
                        "adsets": {"data": [{"id": str(account.ad_sets.id[ad_set])}]},
                    }
                    for place, ad_set in enumerate(ad_sets.tolist())
                ],
            }
        )
        if not bool((campaigns.story == STORIES.index("ab_pair")).any()):
            break
    return rows


def _text(account: AccountWorld, day: int) -> str:
    return periods.local_text(account.zone, periods.day_start(account.zone, day))


_MAKERS: dict[str, Callable[[AccountWorld, float], list[Row]]] = {
    "audience": _audiences,
    "image": _images,
    "video": _videos,
    "pixel": _pixels,
    "study": _studies,
    "cell": lambda account, now: [
        cell for study in _studies(account, now) for cell in study["_cells"]
    ],
}
