"""Store daily insights: a slice of one account, level and range of days in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.entities import Level
from adlab.core.periods import DateRange
from adlab.storage import metrics_sql, timescale, versions_sql
from adlab.storage.engine import raw
from adlab.storage.statements import statement

# One row to store: date (ISO text), object id, the stored columns in order, attribution setting,
# three rankings, and the action lists as JSON bytes.
InsightTuple = tuple[Any, ...]


@dataclass(frozen=True)
class StoreResult:
    """What storing a slice did.

    Attributes:
        rows: Rows received.
        changed: Rows that are new or differ from before.
    """

    rows: int
    changed: int


def encode(row: InsightTuple, head: str, tail: str) -> bytes:
    """One line of COPY text from a row.

    Args:
        row: The row; see `InsightTuple`.
        head: Client, account and level, already joined by tabs.
        tail: Import id and fetch time, likewise.
    """
    actions = row[-1]
    # Reason: building the text here costs a third of handing cells to the driver one by one; JSON
    # never holds a bare tab or line break, so its backslashes are all that COPY would read.
    cells = "\t".join(["\\N" if v is None else str(v) for v in row[1:-1]])
    document = b"\\N" if actions is None else actions.replace(b"\\", b"\\\\")
    return b"%b\t%b\t%b\n" % (f"{row[0]}\t{head}\t{cells}".encode(), document, tail.encode())


def store_insights(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    level: Level,
    period: DateRange,
    rows: Iterable[InsightTuple],
    fetched_at: datetime | None = None,
    import_id: int | None = None,
    today: date | None = None,
) -> StoreResult:
    """Insert or update the rows of a slice, keep what they change, and rebuild its summary.

    Rows of the slice that are not in `rows` stay: Meta stops listing deleted objects, yet their
    delivery happened.

    Args:
        connection: An operator's transaction; nothing is visible before it commits.
        client_id: Tenant.
        account_id: Ad account.
        level: Level of every row.
        period: Days the rows lie in.
        rows: The rows; see `InsightTuple`.
        fetched_at: When they were read; now when omitted.
        import_id: The file they came from, for imports.
        today: The account's current day; the day of `fetched_at` in UTC when omitted.

    Returns:
        How many rows came, and how many changed anything.
    """
    scope = {
        "account_id": account_id,
        "level": int(level),
        "since": period.since,
        "until": period.until,
    }
    timescale.allow_old_rows(connection)
    fetched_at = fetched_at or datetime.now(UTC)
    # Reason: a range without rows takes the COPY directly, which halves the work of a first load.
    fresh = connection.scalar(statement("insights_any"), scope) is None
    if not fresh:
        connection.execute(statement("insights_stage"))
    target = "app.insights_daily" if fresh else "stage_insights"
    count = _copy(connection, target, client_id, account_id, level, rows, fetched_at, import_id)
    # Reason: two writers of one account and level must not interleave merge and summary; taken
    # only now, because the rows above may still have been on their way from Meta.
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:level, hashint8(:account_id))"),
        {"level": 7_000 + int(level), "account_id": account_id},
    )
    changed = count
    if not fresh:
        connection.execute(text(versions_sql.forget_unchanged()), scope)
        day = today or fetched_at.astimezone(UTC).date()
        connection.execute(text(versions_sql.keep_versions()), scope | {"today": day})
        changed = connection.execute(text(versions_sql.store_changed())).rowcount
        connection.execute(text("DROP TABLE stage_insights"))
    if changed:
        rebuild_summary(connection, account_id, level, period)
    return StoreResult(count, changed)


def _copy(
    connection: Connection,
    target: str,
    client_id: int,
    account_id: int,
    level: Level,
    rows: Iterable[InsightTuple],
    fetched_at: datetime,
    import_id: int | None,
) -> int:
    head = f"{client_id}\t{account_id}\t{int(level)}"
    tail = ("\\N" if import_id is None else str(import_id)) + "\t" + fetched_at.isoformat()
    count = 0
    columns = ", ".join(metrics_sql.INSIGHT_COLUMNS)
    with (
        raw(connection).cursor() as cursor,
        cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy,
    ):
        lines: list[bytes] = []
        for row in rows:
            lines.append(encode(row, head, tail))
            count += 1
            if len(lines) >= 500:
                copy.write(b"".join(lines))
                lines.clear()
        if lines:
            copy.write(b"".join(lines))
    return count


def rebuild_summary(
    connection: Connection, account_id: int, level: Level, period: DateRange
) -> None:
    """Sum the fact rows of a slice into `account_daily` again."""
    scope = {
        "account_id": account_id,
        "level": int(level),
        "since": period.since,
        "until": period.until,
    }
    connection.execute(statement("account_daily_delete"), scope)
    connection.execute(text(metrics_sql.rebuild_account_daily()), scope)
