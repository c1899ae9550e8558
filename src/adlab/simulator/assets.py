"""Assets of dynamic creatives: an account's pools of texts, images and videos, and who uses which.

About every fifth ad is dynamic. Each takes two to four assets of a kind from its account's pool, so
that one asset runs in several ads and a report by asset adds up over them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from adlab.simulator.hashing import Bools, Ints, key_of, uniform
from adlab.simulator.world import AccountWorld

DYNAMIC_SHARE = 0.22
_DYNAMIC_STREAM = 205
ASSET_BREAKDOWNS = ("body_asset", "title_asset", "image_asset", "video_asset")
VISUAL = frozenset({"image_asset", "video_asset"})
FIELDS = frozenset({"impressions", "clicks", "spend", "reach", "actions", "action_values"})
"""The only metrics that asset breakdowns give."""
_TEXTS = {
    "body_asset": (
        "See what is new this season.",
        "Made to last, shipped tomorrow.",
        "Loved by people like you – see why.",
        "Last days: everything must go.",
        "Für draußen gemacht.",
        "Free returns for 60 days.",
    ),
    "title_asset": (
        "New arrivals",
        "Free shipping",
        "Up to 30 % off",
        "Été découverte",
        "Members only",
    ),
}
_SIZES = {"body_asset": 6, "title_asset": 5, "image_asset": 6, "video_asset": 4}


@lru_cache(maxsize=256)
def pool(number: int, client: str, kind: str) -> tuple[dict[str, str], ...]:
    """Give an account's assets of a kind, as the API writes them."""
    made = []
    for place in range(_SIZES[kind]):
        key = key_of(number, kind, place)
        found = {"id": str(230_000_000_000_000 + key % 10**12)}
        if kind == "image_asset":
            found["hash"] = f"{key:016x}{place:016x}"
            found["url"] = f"https://images.example/{client.lower().replace(' ', '-')}/{place}.jpg"
            found["image_name"] = f"Still {place + 1}"
        elif kind == "video_asset":
            video = str(900_000_000_000 + key % 10**10)
            found["video_id"] = video
            found["url"] = f"https://video.example/{video}.mp4"
            found["thumbnail_url"] = f"https://images.example/v/{video}.jpg"
            found["video_name"] = f"Clip {place + 1}"
        else:
            found["text"] = _TEXTS[kind][place]
        made.append(found)
    return tuple(made)


def pool_of(account: AccountWorld, kind: str) -> tuple[dict[str, str], ...]:
    """Give the assets of a kind that an account's dynamic ads draw from."""
    return pool(account.profile.number, account.profile.client, kind)


def asset_text(asset: dict[str, str], kind: str) -> str:
    """Write an asset as it stands in a report row."""
    return json.dumps({name: value for name, value in asset.items() if name != "image_name"})


def dynamic_ads(account: AccountWorld) -> Bools:
    """Tell which ads have a dynamic (asset feed) creative; ads made later have none."""
    chosen = uniform(account.ads.key, _DYNAMIC_STREAM) < DYNAMIC_SHARE
    chosen[account.built_ads :] = False
    return chosen


def used_assets(account: AccountWorld, kind: str) -> Bools:
    """Tell which assets of the pool each ad uses, shape (assets, ads)."""
    size, keys = _SIZES[kind], account.ads.key
    stream = 206 + 2 * ASSET_BREAKDOWNS.index(kind)
    first: Ints = (uniform(keys, stream) * size).astype(np.int64)
    count = 2 + (uniform(keys, stream + 1) * 3).astype(np.int64)
    place = np.arange(size)[:, None]
    used = (place - first) % size < count
    video = account.ads.is_video
    if kind in VISUAL:
        used = used & (video if kind == "video_asset" else ~video)
    return np.asarray(used & dynamic_ads(account), dtype=bool)


def feed_spec(account: AccountWorld, ad: int) -> dict[str, Any] | None:
    """Write the `asset_feed_spec` of an ad's creative; None when it is not dynamic."""
    if ad >= account.built_ads or not bool(
        uniform(account.ads.key[ad : ad + 1], _DYNAMIC_STREAM)[0] < DYNAMIC_SHARE
    ):
        return None
    chosen = {
        kind: [
            asset
            for asset, used in zip(
                pool_of(account, kind), used_assets(account, kind)[:, ad].tolist(), strict=True
            )
            if used
        ]
        for kind in ASSET_BREAKDOWNS
    }
    spec: dict[str, Any] = {
        "bodies": [{"text": asset["text"]} for asset in chosen["body_asset"]],
        "titles": [{"text": asset["text"]} for asset in chosen["title_asset"]],
        "link_urls": [{"website_url": "https://shop.example/"}],
        "call_to_action_types": ["SHOP_NOW"],
        "ad_formats": ["SINGLE_VIDEO" if chosen["video_asset"] else "SINGLE_IMAGE"],
        "optimization_type": "REGULAR",
    }
    if chosen["image_asset"]:
        spec["images"] = [{"hash": asset["hash"]} for asset in chosen["image_asset"]]
    if chosen["video_asset"]:
        spec["videos"] = [
            {"video_id": a["video_id"], "thumbnail_url": a["thumbnail_url"]}
            for a in chosen["video_asset"]
        ]
    return spec
