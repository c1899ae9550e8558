"""Names people give their campaigns, and when objects were made and last edited."""

from __future__ import annotations

import numpy as np

from adlab.simulator import periods
from adlab.simulator.hashing import Ints
from adlab.simulator.world import NEVER, AccountWorld

_THEMES = (
    "Prospecting",
    "Retargeting",
    "Lookalike",
    "Brand Search Lift",
    "New Collection",
    "Best Sellers",
    "Bundle Offer",
    "Free Shipping",
    "Newsletter",
    "Gift Guide",
    "Clearance",
    "Frühling Aktion",
    "Été Découverte",
    "新作コレクション",
    "Holiday Teaser",
    "Founder Story",
)
_AUDIENCES = (
    "Broad 25-54",
    "Interest Stack",
    "LAL 1%",
    "LAL 3%",
    "Cart 14d",
    "Visitors 30d",
    "Advantage+ Audience",
    "Customers 180d",
)
_FORMATS = ("Carousel", "Static", "Collection", "Static 4x5")
_VIDEO_FORMATS = ("UGC Video", "Reel 15s", "Founder Video", "Demo Video")
_HOOKS = ("Hook A", "Hook B", "Offer", "Social Proof", "Problem-Solution", "Unboxing")
_SHORT = ("SALES", "LEADS", "TRAFFIC", "AWARE", "ENGAGE")


def name_of(account: AccountWorld, level: str, index: int) -> str:
    """Give the name of an object."""
    edited = account.edits.of(level, index)
    if edited is not None and "name" in edited:
        return str(edited["name"])
    if level == "account":
        return account.profile.name
    key = int(account.objects(level).key[index])
    if level == "campaign":
        day = periods.day_text(int(account.campaigns.start[index]))
        theme = _THEMES[key % len(_THEMES)]
        return f"{_SHORT[account.campaigns.objective[index]]} | {theme} | {day} | {key % 997:03d}"
    if level == "adset":
        return f"{_AUDIENCES[key % len(_AUDIENCES)]} | {key % 89:02d}"
    formats = _VIDEO_FORMATS if account.ads.is_video[index] else _FORMATS
    return f"{formats[key % 4]} | {_HOOKS[key // 7 % len(_HOOKS)]} | v{key // 64 % 90 + 1}"


def created_at(account: AccountWorld, level: str) -> Ints:
    """Give when each object of a level was made, in Unix seconds."""
    things = account.objects(level)
    if level == "ad":
        campaign = account.ads.campaign
        day = np.where(
            account.ads.start > account.campaigns.start[campaign],
            account.ads.start - 1,
            account.campaigns.created_on[campaign],
        )
    elif level == "adset":
        day = account.campaigns.created_on[account.ad_sets.campaign]
    else:
        day = account.campaigns.created_on
    made = _seconds(account, day) + 32_400 + (things.key % np.uint64(21_600)).astype(np.int64)
    for index, moment in account.edits.made[level].items() if account.edits.made else ():
        made[index] = moment
    return made


def updated_at(account: AccountWorld, level: str, now: float) -> Ints:
    """Give when each object was last edited before a Unix time.

    Edits are: its making, a campaign's budget step every 14 days, the pause at its end, archiving
    and deletion. Delivery never counts as an edit.
    """
    things = account.objects(level)
    today = account.today(now)
    best = created_at(account, level)
    if level == "campaign":
        age = np.clip(np.minimum(today, things.end) - things.start, 0, None)
        step = things.start + age // 14 * 14
        best = _later(best, account, np.where((age >= 14), step, NEVER), 25_200, now)
    best = _later(best, account, things.end + 1, 1800, now)
    best = _later(best, account, things.archived_on, 36_000, now)
    best = _later(best, account, things.deleted_on, 37_800, now)
    for index, moment in account.edits.touched[level].items() if account.edits.touched else ():
        best[index] = max(moment, int(best[index])) if moment <= now else best[index]
    return best


def _later(best: Ints, account: AccountWorld, day: Ints, second: int, now: float) -> Ints:
    happened = day <= account.today(now)
    moment = _seconds(account, np.where(happened, day, account.opened_on)) + second
    return np.where(happened & (moment <= now) & (moment > best), moment, best)


def _seconds(account: AccountWorld, day: Ints) -> Ints:
    distinct, place = np.unique(day, return_inverse=True)
    starts = [periods.day_start(account.zone, int(value)) for value in distinct]
    return np.array(starts, dtype=np.int64)[place]
