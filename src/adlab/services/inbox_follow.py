"""What follows from the updates of one account: objects read, advice read, numbers asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from adlab.core.entities import AdObject, Level
from adlab.core.errors import (
    AdlabError,
    DatabaseUnavailableError,
    DiskFullError,
    MetaError,
    MissingPermissionError,
    RejectedRequestError,
    TokenExpiredError,
)
from adlab.meta.batch import Read, read_all
from adlab.meta.client import GraphClient
from adlab.meta.objects import fetch_object
from adlab.services.catalogue import CatalogueRequest, refresh_catalogue
from adlab.services.sync_run import IngestParts
from adlab.storage import inbox, jobs, objects
from adlab.storage.engine import transaction
from adlab.storage.inbox import Settled, Update, Version

log = logging.getLogger(__name__)

ATTEMPTS = 5
# Before the second try, the third, ….
_BACKOFF = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1),
)  # fmt: skip
_READ = frozenset(
    {"effective_status", "with_issues_ad_objects", "in_process_ad_objects", "subscriptions"}
)
_READABLE = (Level.CAMPAIGN, Level.AD_SET, Level.AD)
_KEPT_ONLY = {
    "product_set_issue": "Kept as told; catalogues of products are not read.",
    "ads_async_creation_request": "Kept as told; nothing here waits for an asynchronous creation.",
}
Key = tuple[Level, int]


@dataclass
class Account:
    """An account whose updates are processed.

    Attributes:
        account_id: Ad account.
        client_id: Tenant.
        slug: The tenant's short name.
        connection_id: Whose token reads it.
        graph: The signed client; None when it cannot be read.
        changed: Objects that turned out new or different.
    """

    account_id: int
    client_id: int
    slug: str = ""
    connection_id: int | None = None
    graph: GraphClient | None = None
    changed: int = 0
    more_calls: int = 0

    @property
    def calls(self) -> int:
        """Requests to the Graph API so far."""
        return self.more_calls + (self.graph.calls if self.graph is not None else 0)

    def close(self) -> None:
        """Close the client."""
        if self.graph is not None:
            self.graph.close()


@dataclass
class _Reading:
    """Objects that updates name: found, or why not; `trouble` passes, `refused` stays."""

    found: dict[Key, AdObject] = field(default_factory=dict)
    refused: dict[Key, str] = field(default_factory=dict)
    trouble: dict[Key, str] = field(default_factory=dict)


def follow(
    parts: IngestParts, account: Account, updates: Sequence[Update], at: datetime
) -> list[Settled]:
    """Do what an account's updates ask for, and note it on each of them.

    Args:
        parts: See `IngestParts`.
        account: Whose they are; with a client.
        updates: Claimed.
        at: Current aware time.

    Raises:
        TokenExpiredError: If the account cannot be read any more.
        DatabaseUnavailableError, DiskFullError: If the store went away.
    """
    named = {u.event_id: _named(u) for u in updates if u.topic in _READ}
    keys = _with_ads_of_creatives(parts, account, named)
    reading = _read(parts, account, {k for found in keys.values() for k in found})
    advice = _advice(parts, account, updates)
    with transaction(parts.engine) as connection:
        changed = objects.store_objects(
            connection, account.client_id, account.account_id, reading.found.values()
        ) if reading.found else 0  # fmt: skip
        versions = inbox.load_versions(
            connection, account.account_id, [(int(lv), n) for lv, n in reading.found]
        )
        job = (
            _ask_for_today(connection, account, at)
            if any(u.topic == "subscriptions" for u in updates)
            else None
        )
        settled = [
            _settle(u, named.get(u.event_id), keys.get(u.event_id, []), reading, versions, at,
                    job=job, advice=advice)
            for u in updates
        ]  # fmt: skip
        inbox.settle(connection, settled, at)
    account.changed += changed
    _tell(parts, account, updates, versions)
    return settled


def retried(update: Update, error: str, at: datetime) -> Settled:
    """The update again, a while later each time; failed after the fifth try."""
    if update.attempts >= ATTEMPTS:
        return Settled(update.event_id, "failed", error=error)
    wait = _BACKOFF[min(max(update.attempts, 1), len(_BACKOFF)) - 1]
    return Settled(update.event_id, "new", error=error, not_before=at + wait)


def _named(update: Update) -> Key | str:
    """The object an update names, or why it names none that can be read."""
    value = update.value if isinstance(update.value, Mapping) else {}
    text = str(value.get("object_type") or value.get("level") or "")
    # Reason: `adgroup` is Meta's older word for an ad.
    word = "ad" if text.lower().replace("_", "") == "adgroup" else text
    try:
        level = Level.parse(word)
    except ValueError:
        return f"It names no kind of object that is read here: {text[:40]!r}."
    if level is Level.ACCOUNT:
        return "The account itself is read every hour anyway."
    if update.object_id is None:
        return "It names no object."
    return level, update.object_id


def _with_ads_of_creatives(
    parts: IngestParts, account: Account, named: Mapping[int, Key | str]
) -> dict[int, list[Key]]:
    """Per update what is to be read: of a creative, the ads that show it."""
    creatives = {
        key[1] for key in named.values() if not isinstance(key, str) and key[0] is Level.CREATIVE
    }
    ads: dict[int, list[int]] = {}
    if creatives:
        with transaction(parts.engine) as connection:
            ads = inbox.load_ads_of_creatives(connection, account.account_id, creatives)
    keys: dict[int, list[Key]] = {}
    for event_id, key in named.items():
        if isinstance(key, str):
            continue
        if key[0] is Level.CREATIVE:
            keys[event_id] = [(Level.AD, n) for n in ads.get(key[1], ())]
        else:
            keys[event_id] = [key]
    return keys


def _read(parts: IngestParts, account: Account, keys: Iterable[Key]) -> _Reading:
    """Read objects by their ids, many to a call.

    Raises:
        TokenExpiredError: If the token does not work any more.
    """
    reading = _Reading()
    assert account.graph is not None
    for level in _READABLE:
        ids = sorted(n for lv, n in keys if lv is level)
        if not ids:
            continue
        try:
            own = _own(parts, account, level, ids, reading)
            _read_level(account.graph, level, own, reading)
        except (TokenExpiredError, DatabaseUnavailableError, DiskFullError):
            raise
        except AdlabError as error:
            for number in ids:
                if (level, number) not in {**reading.found, **reading.refused}:
                    reading.trouble[(level, number)] = str(error)
    return reading


def _own(
    parts: IngestParts, account: Account, level: Level, ids: Sequence[int], reading: _Reading
) -> list[int]:
    """Those objects that are this account's; an unknown one is asked for its account first.

    Reason: an object stored under a wrong account would be shown to a wrong client.
    """
    assert account.graph is not None
    with transaction(parts.engine) as connection:
        owners = inbox.load_owners(connection, ids)
    unknown = [n for n in ids if n not in owners]
    asked = [Read(str(n), {"fields": "account_id"}) for n in unknown]
    for number, answer in zip(unknown, read_all(account.graph, asked), strict=True):
        if isinstance(answer, MetaError):
            if not isinstance(answer, RejectedRequestError | MissingPermissionError):
                raise answer
            reading.refused[(level, number)] = f"Meta does not show the object: {answer.reason}"
            continue
        told = str(answer.get("account_id", "")).removeprefix("act_")
        owners[number] = {int(told)} if told.isascii() and told.isdigit() else set()
    for number in ids:
        if number in owners and owners[number] != {account.account_id}:
            reading.refused[(level, number)] = "The object is not of this account."
    return [n for n in ids if (level, n) not in reading.refused]


def _read_level(graph: GraphClient, level: Level, ids: Sequence[int], reading: _Reading) -> None:
    if not ids:
        return
    try:
        found = fetch_object(graph, level, ids)
    except (RejectedRequestError, MissingPermissionError) as error:
        if len(ids) == 1:
            reading.refused[(level, ids[0])] = f"Meta does not show the object: {error.reason}"
            return
        # Reason: one object that cannot be read must not fail those beside it.
        half = len(ids) // 2
        _read_level(graph, level, ids[:half], reading)
        _read_level(graph, level, ids[half:], reading)
        return
    reading.found.update({(level, o.object_id): o for o in found})
    for number in ids:
        if (level, number) not in reading.found:
            reading.refused[(level, number)] = "Meta shows the object to nobody any more."


def _advice(
    parts: IngestParts, account: Account, updates: Sequence[Update]
) -> dict[str, Any] | None:
    """Read the account's recommendations when an update speaks of them: what came, or the error."""
    if not any(u.topic == "ad_recommendations" for u in updates):
        return None
    try:
        report = refresh_catalogue(
            parts, CatalogueRequest(account=str(account.account_id), kinds=("recommendations",))
        )
    except (DatabaseUnavailableError, DiskFullError):
        raise
    except AdlabError as error:
        return {"error": str(error)}
    account.more_calls += report.calls
    if report.failures:
        return {"error": report.failures[0][1]}
    if report.warnings:
        return {"ignored": report.warnings[0]}
    return {"catalogue": "recommendations", "rows": report.rows, "changed": report.changed}


def _ask_for_today(connection: Connection, account: Account, at: datetime) -> dict[str, Any]:
    """Have the running day read: the job that was queued, or the one that is under way already."""
    key = f"today:{account.account_id}"
    jobs.enqueue(
        connection, jobs.Turn("today", key, at, account.client_id, account.account_id)
    )  # fmt: skip
    found = inbox.load_job(connection, key)
    return {"key": key, **({"job_id": found[0]} if found else {})}


def _settle(
    update: Update, named: Key | str | None, keys: Sequence[Key], reading: _Reading,
    versions: Mapping[tuple[int, int], Version], at: datetime, *,
    job: Mapping[str, Any] | None, advice: Mapping[str, Any] | None,
) -> Settled:  # fmt: skip
    if update.topic == "creative_fatigue":
        return _fatigue(update)
    if update.topic == "ad_recommendations" and advice is not None:
        return _recommended(update, advice, at)
    if update.topic not in _READ:
        unknown = f"No topic of this name is known here: {update.field[:60]!r}."
        why = _KEPT_ONLY.get(update.topic or "", unknown)
        return Settled(update.event_id, "ignored", error=why)
    outcome: dict[str, Any] = {"job": dict(job)} if update.topic == "subscriptions" and job else {}
    trouble = [reading.trouble[k] for k in keys if k in reading.trouble]
    if trouble:
        return retried(update, trouble[0], at)
    read = [_link(versions[(int(lv), n)]) for lv, n in keys if (int(lv), n) in versions]
    if read:
        return Settled(update.event_id, "done", {**outcome, "objects": read})
    refused = [reading.refused[k] for k in keys if k in reading.refused]
    why = named if isinstance(named, str) else (refused or ["No ad shows this creative."])[0]
    if outcome:
        return Settled(update.event_id, "done", {**outcome, "objects": [], "remark": why})
    return Settled(update.event_id, "ignored", error=why)


def _link(version: Version) -> dict[str, Any]:
    """Names the row of `object_history`, and says whether this reading made it."""
    return {
        "level": Level(version.level).word,
        "object_id": str(version.object_id),
        "valid_from": version.valid_from.isoformat(),
        "changed": version.changed,
        "effective_status": version.effective_status,
    }


def _fatigue(update: Update) -> Settled:
    value = update.value if isinstance(update.value, Mapping) else {}
    level = value.get("creative_fatigue_level")
    if update.object_id is None or not isinstance(level, str):
        return Settled(update.event_id, "ignored", error="It names no ad, or no level.")
    return Settled(
        update.event_id, "done",
        {"signal": "creative_fatigue", "ad_id": str(update.object_id), "level": level},
    )  # fmt: skip


def _recommended(update: Update, advice: Mapping[str, Any], at: datetime) -> Settled:
    if "error" in advice:
        return retried(update, str(advice["error"]), at)
    if "ignored" in advice:
        return Settled(update.event_id, "ignored", error=str(advice["ignored"]))
    value = update.value if isinstance(update.value, Mapping) else {}
    signature = value.get("recommendation_signature")
    named = {"signature": signature} if isinstance(signature, str) else {}
    return Settled(update.event_id, "done", {**advice, **named})


def _tell(
    parts: IngestParts, account: Account, updates: Sequence[Update],
    versions: Mapping[tuple[int, int], Version],
) -> None:  # fmt: skip
    """Tell open pages what is new."""
    for level in sorted({v.level for v in versions.values() if v.changed}):
        parts.tell(account.client_id, {"kind": "objects", "level": Level(level).word})
    if any(u.topic == "creative_fatigue" for u in updates):
        parts.tell(account.client_id, {"kind": "fatigue"})
