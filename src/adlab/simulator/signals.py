"""What Meta says on its own: recommendations, and the texts of issues and review decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlab.simulator.entities import Moment
from adlab.simulator.hashing import key_of
from adlab.simulator.world import ACTIVE, STORIES

Row = dict[str, Any]
_LEVEL_NAMES = {"campaign": "CAMPAIGN", "adset": "AD_SET", "ad": "AD", "creative": "CREATIVE"}


def level_name(level: str) -> str:
    """Give a level as issues and webhooks write it."""
    return _LEVEL_NAMES[level]


def recommendations(moment: Moment) -> list[Row]:
    """Answer the recommendations edge: one object, whose key is absent when there are none."""
    account = moment.account
    states = moment.column("effective", "ad")
    found: list[Row] = []
    worn = account.campaigns.story == STORIES.index("fatigued_ad")
    age = moment.today - account.ads.start
    old = np.flatnonzero(
        (states == ACTIVE)
        & (age >= 0)
        & ((account.ads.wear > 0.6) | worn[account.ads.campaign])
        & (age > 20)
    )
    if len(old):
        found.append(
            _recommendation(
                moment,
                "CREATIVE_FATIGUE",
                [str(account.ads.id[i]) for i in old[:5]],
                "People have seen these ads often and respond less. Try new creative.",
            )
        )
    running = np.flatnonzero(moment.column("effective", "campaign") == ACTIVE)
    running = running[account.campaigns.start[running] <= moment.today]
    if len(running):
        chosen = int(running[key_of(account.key, "limited") % len(running)])
        found.append(
            _recommendation(
                moment,
                "BUDGET_LIMITED",
                [str(account.campaigns.id[chosen])],
                "This campaign often spends its whole budget early. Consider a larger one.",
            )
        )
    return [{"recommendations": found}] if found else [{}]


def _recommendation(moment: Moment, kind: str, ids: list[str], text: str) -> Row:
    signature = f"{key_of(moment.account.key, kind, *ids):016x}"
    return {
        "recommendation_signature": signature,
        "type": kind,
        "object_ids": ids,
        "recommendation_content": {
            "body": text,
            "opportunity_score_lift": str(2 + int(signature, 16) % 9),
            "recommendation_time": moment.day_time(moment.today),
        },
        "url": f"https://adsmanager.example/recommendations/{signature}",
    }


def issue(level: str, given: Row | None = None) -> Row:
    """Write an entry of `issues_info`."""
    return {
        "level": level_name(level),
        "error_code": "1815869",
        "error_summary": "Pixel or event not found",
        "error_message": "The conversion event this uses has not been received lately.",
        "error_type": "HARD_ERROR",
        **(given or {}),
    }


DISAPPROVAL: Row = {
    "error_code": "1487390",
    "error_summary": "Ad was not approved",
    "error_message": "The ad does not comply with our policies.",
}
REVIEW_FEEDBACK: Row = {
    "global": {
        "Personal attributes": "Ads must not assert or imply personal attributes of people."
    },
    "placement_specific": {
        "facebook": {
            "Personal attributes": "Ads must not assert or imply personal attributes of people."
        }
    },
}
FAILED_CHECKS: list[Row] = [
    {
        "check_name": "disapproved",
        "summary": "Ad was not approved",
        "description": "The ad does not comply with the advertising policies and cannot run.",
    }
]
