"""The audit log, as much of it as the database shows the caller."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime

from adlab.web.api import models
from adlab.web.api.auth import Auditing
from adlab.web.api.params import Cursor, Limit
from adlab.web.api.problems import Problem
from adlab.web.api.reading import LARGEST_ID, harmless, parse_slug, read_cursor, write_cursor
from adlab.web.api.session import Router

router = Router(tags=["Audit"])

Moment = Annotated[AwareDatetime | None, Query(description="With an offset: 2026-11-21T00:00:00Z.")]
_EARLIEST, _LATEST = 2000, 2200


@router.get("/audit")
def audit(
    caller: Auditing,
    client: Annotated[str | None, Query(max_length=80)] = None,
    action: Annotated[
        str | None,
        Query(description="An action, or its beginning: `user.`", pattern=r"^[a-z_.]{1,60}$"),
    ] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> models.AuditLog:  # fmt: skip
    """Entries, the newest first.

    Whoever may audit sees all of them; everybody else sees what concerns their clients. A token
    that is narrowed to some clients shows entries of those alone.
    """
    numbers = caller.client_ids if client is None else [caller.client(parse_slug(client))]
    before = read_cursor(cursor, [int])
    limit = min(limit, caller.most_rows)
    rows = caller.reader.rows(
        "api_audit", client_ids=numbers,
        all_entries=client is None and caller.found.client_ids is None, action=action,
        since=_bounded(since), until=_bounded(until),
        before=before[0] if before else LARGEST_ID, limit=limit,
    )  # fmt: skip
    last = write_cursor(rows[-1]["audit_id"]) if len(rows) == limit else None
    return models.AuditLog(
        data=[
            models.AuditEntry(
                id=str(r["audit_id"]), at=r["at"], actor=r["actor"], action=r["action"],
                client=r["slug"], details=harmless(r["details"] or {}),
            )
            for r in rows
        ],
        next=last,
    )  # fmt: skip


def _bounded(moment: datetime | None) -> datetime | None:
    if moment is not None and not _EARLIEST <= moment.year <= _LATEST:
        raise Problem(422, f"Moments lie between the years {_EARLIEST} and {_LATEST}.")
    return moment
