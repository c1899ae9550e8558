"""Changes on the wire: one call for each kind, and how something made is found again.

Copies and deletions have no dry run here: Meta documents `validate_only` for edits and creations
only, and a parameter it does not know would be left out, and the thing done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adlab.core.changes import (
    Change,
    Copy,
    CreateAd,
    Observed,
    Remove,
    Rename,
    SetBid,
    SetBudget,
    SetStatus,
    expected,
)
from adlab.core.entities import AdObject, Level
from adlab.core.errors import AnswerLostError, MetaUnavailableError, RejectedRequestError
from adlab.meta.client import GraphClient
from adlab.meta.objects import fetch_object
from adlab.meta.paging import pages

LABEL = "adlab:"
_PLURAL = {Level.CAMPAIGN: "campaigns", Level.AD_SET: "adsets", Level.AD: "ads"}
_SOURCE = {
    Level.CAMPAIGN: "source_campaign_id",
    Level.AD_SET: "source_adset_id",
    Level.AD: "source_ad_id",
}
_TYPES = {"campaign": Level.CAMPAIGN, "ad_set": Level.AD_SET, "adset": Level.AD_SET, "ad": Level.AD}
_DRY = {"execution_options": ["validate_only"]}


@dataclass(frozen=True)
class Made:
    """Something a call made."""

    level: Level
    object_id: int


def has_dry_run(change: Change) -> bool:
    """Whether Meta can check a change without doing it."""
    return not isinstance(change, Copy | Remove)


def fetch_one(client: GraphClient, level: Level, object_id: int) -> AdObject:
    """An object as it is now.

    Raises:
        RejectedRequestError: If this token sees none of that id.
        MetaError: As the client raises.
    """
    found = fetch_object(client, level, [object_id])
    if not found:
        raise RejectedRequestError(
            f"There is no {level.word} {object_id} that this token may see.",
            "Check the id, and that the token's user has a role on the account.",
        )
    return found[0]


def send_edit(client: GraphClient, change: Change, currency: str, *, dry_run: bool = False) -> None:
    """Edit or delete an object.

    Args:
        client: The signed client.
        change: A status, budget, bid, name, or a removal.
        currency: Of the account.
        dry_run: Have it checked only.

    Raises:
        AnswerLostError: If it may have been done or not; read the object.
        BlockedForNowError: If the budget was changed too often.
        MetaError: As the client raises.
    """
    path = str(change.object_id)
    if isinstance(change, Remove):
        client.delete(path)
        return
    form = {**_form(change, currency), **(_DRY if dry_run else {})}
    # Reason: who sends reads in between; and each budget counts against four an hour.
    client.send(path, form, repeatable=dry_run)


def _form(change: Change, currency: str) -> dict[str, Any]:
    fields = expected(change, currency)
    if isinstance(change, SetBudget):
        name = f"{change.period}_budget"
        return {name: str(fields[f"{name}_minor"])}
    if isinstance(change, SetBid):
        form: dict[str, Any] = {}
        if fields["bid_amount_minor"] is not None:
            form["bid_amount"] = str(fields["bid_amount_minor"])
        if change.strategy is not None:
            form["bid_strategy"] = change.strategy
        return form
    if isinstance(change, SetStatus | Rename):
        return fields
    raise TypeError(f"{change.kind} is no edit")


def check_creation(client: GraphClient, change: CreateAd) -> None:
    """Have Meta check a new ad without making it.

    Raises:
        MetaUnavailableError: If Meta made it all the same; the message holds its id.
        MetaError: As the client raises.
    """
    answer = client.send(
        f"act_{change.account_id}/ads", {**_ad_form(change, None), **_DRY}, repeatable=False
    )
    if answer.get("id"):
        raise MetaUnavailableError(
            f"Meta made ad {answer['id']} (paused) although only a check was asked for.",
            "Delete it in Ads Manager, and report this.",
        )


def send_creation(
    client: GraphClient, change: Change, level: Level, label_id: str | None
) -> list[Made]:
    """Make a paused ad or a paused copy.

    Args:
        client: The signed client.
        change: `CreateAd` or `Copy`.
        level: Of what is copied; of `CreateAd` that of the ad set.
        label_id: A label the new ad is to carry.

    Returns:
        What was made, the top of it first.

    Raises:
        AnswerLostError: If it may have been made or not; look for it before sending it again.
        MetaError: As the client raises.
    """
    if isinstance(change, CreateAd):
        path = f"act_{change.account_id}/ads"
        answer = client.send(path, _ad_form(change, label_id), repeatable=False)
        return [Made(Level.AD, _number(answer.get("id")))]
    if not isinstance(change, Copy):
        raise TypeError(f"{change.kind} makes nothing")
    form: dict[str, Any] = {
        "status_option": "PAUSED",
        "rename_options": {
            "rename_strategy": "ONLY_TOP_LEVEL_RENAME", "rename_prefix": change.prefix,
        },
    }  # fmt: skip
    if change.deep:
        form["deep_copy"] = "true"
    answer = client.send(f"{change.object_id}/copies", form, repeatable=False)
    top = _number(answer.get(f"copied_{level.word}_id"))
    listed = answer.get("ad_object_ids")
    below = [
        Made(_TYPES[str(item["ad_object_type"])], _number(item.get("copied_id")))
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict) and str(item.get("ad_object_type")) in _TYPES
    ]
    return [Made(level, top), *(m for m in below if m.object_id != top)]


def _ad_form(change: CreateAd, label_id: str | None) -> dict[str, Any]:
    form: dict[str, Any] = {
        "name": change.name, "adset_id": str(change.object_id), "status": "PAUSED",
        "creative": {"creative_id": str(change.creative_id)},
    }  # fmt: skip
    if label_id is not None:
        form["adlabels"] = [{"id": label_id}]
    return form


def _number(value: Any) -> int:
    if not str(value or "").isdigit():
        # Reason: a success without the new id tells no more than no answer at all.
        raise AnswerLostError(
            "Meta answered a creation without an id.", "Look for what was made before repeating it."
        )
    return int(value)


def ensure_label(client: GraphClient, account_id: int, key: str) -> str:
    """The label of one attempt, made when it is not there; two of the same name do no harm.

    Raises:
        MetaError: If the account or token may not use labels.
    """
    name = f"{LABEL}{key}"
    path = f"act_{account_id}/adlabels"
    for _ in range(2):
        try:
            answer = client.send(path, {"name": name}, repeatable=False)
            return str(_number(answer.get("id")))
        except AnswerLostError:
            for page in pages(client, path, {"fields": "id,name"}):
                for row in page:
                    if row.get("name") == name:
                        return str(row["id"])
    raise MetaUnavailableError("A label could not be made.", "Meta has trouble; try again later.")


def drop_label(client: GraphClient, label_id: str) -> None:
    """Delete a label whose attempt is settled.

    Raises:
        MetaError: As the client raises.
    """
    client.delete(label_id)


def find_labelled(client: GraphClient, account_id: int, label_id: str) -> list[int]:
    """Ads that carry a label."""
    wanted = {"ad_label_ids": [label_id], "operator": "ANY", "fields": "id"}
    return sorted(
        int(row["id"])
        for page in pages(client, f"act_{account_id}/adsbylabels", wanted)
        for row in page
    )


def find_made(
    client: GraphClient, change: Change, level: Level, source: AdObject, since: datetime
) -> list[int]:
    """Objects that could be what a creation made: same name and origin, made since then.

    Args:
        client: The signed client.
        change: `CreateAd` or `Copy`.
        level: Of `source`.
        source: What is copied, or the ad set of a new ad.
        since: Aware; allow for clocks that differ.
    """
    made_level = Level.AD if isinstance(change, CreateAd) else level
    plural = _PLURAL[made_level]
    edge = f"act_{change.account_id}/{plural}"
    if isinstance(change, CreateAd):
        edge = f"{change.object_id}/{plural}"
    elif level is Level.AD and source.ad_set_id:
        edge = f"{source.ad_set_id}/{plural}"
    elif level is Level.AD_SET and source.campaign_id:
        edge = f"{source.campaign_id}/{plural}"
    params = {
        "fields": "id,name,creative{id}" if made_level is Level.AD else "id,name",
        "filtering": [
            {
                "field": f"{made_level.word}.created_time",
                "operator": "GREATER_THAN",
                "value": int(since.timestamp()),
            }
        ],
    }
    if isinstance(change, Copy):
        params["fields"] = f"{params['fields']},{_SOURCE[level]}"
    return sorted(
        int(row["id"])
        for page in pages(client, edge, params)
        for row in page
        if _fits(change, level, source, row)
    )


def _fits(change: Change, level: Level, source: AdObject, row: Mapping[str, Any]) -> bool:
    if isinstance(change, CreateAd):
        creative = row.get("creative")
        held = str(creative.get("id")) if isinstance(creative, dict) else ""
        return row.get("name") == change.name and held == str(change.creative_id)
    assert isinstance(change, Copy)
    return (
        row.get("name") == f"{change.prefix}{source.name}"
        and str(row.get(_SOURCE[level])) == str(change.object_id)
    )  # fmt: skip


def fetch_made(client: GraphClient, made: Sequence[Made]) -> list[AdObject]:
    """What was made, as it is; the top of it first.

    Raises:
        MetaError: As the client raises.
    """
    found: dict[int, AdObject] = {}
    for level in dict.fromkeys(m.level for m in made):
        ids = [m.object_id for m in made if m.level is level]
        found |= {o.object_id: o for o in fetch_object(client, level, ids)}
    return [found[m.object_id] for m in made if m.object_id in found]


def wanted_of_made(change: Change, source: AdObject, currency: str) -> Observed:
    """The fields a new object must have."""
    wanted = expected(change, currency)
    if isinstance(change, Copy):
        wanted["name"] = f"{change.prefix}{source.name}"
    return wanted
