"""Older versions of insights: keep what a re-read changes, and thin what was kept within a day.

Versions first seen on the row's own day are kept each for 48 hours, then the last of each hour for
seven days, then the last of the day. Everything that changed later is kept for good.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from adlab.storage import versions_sql
from adlab.storage.statements import statement

EACH_POLL_FOR = timedelta(hours=48)
HOURLY_FOR = timedelta(days=7)
# Reason: thinning reads the versions of eleven days; more often than this it would find little.
THIN_EVERY = timedelta(hours=6)


def thin_versions(
    connection: Connection, account_id: int, timezone: str, now: datetime, *, force: bool = False
) -> int:
    """Fold versions that are older than they need to be exact.

    Args:
        connection: An operator's transaction.
        account_id: Ad account.
        timezone: Its timezone, which says where its days end.
        now: Current aware time.
        force: Even if the account was thinned less than six hours ago.

    Returns:
        How many versions went.
    """
    due = connection.scalar(
        statement("version_thinning_due"),
        {"account_id": account_id, "now": now, "before": now if force else now - THIN_EVERY},
    )
    if due is None:
        return 0
    gone: int | None = connection.scalar(
        text(versions_sql.thin()),
        {
            "account_id": account_id,
            "timezone": timezone,
            # Reason: everything from the moment of the last thinning on may have grown too old.
            "since": (min(due, now) - HOURLY_FOR - EACH_POLL_FOR - timedelta(days=2)).date(),
            "until": now.date(),
            "hourly_before": now - EACH_POLL_FOR,
            "daily_before": now - EACH_POLL_FOR - HOURLY_FOR,
        },
    )
    return gone or 0
