"""Store files people bring: rows staged first, then moved into the insights table in one go.

An imported file is a set of rows with its `import_id`, in an account of its own kind
(`source = 'import'`) for each client, currency and timezone. Every function works inside the
caller's transaction, so that a file is in the store as a whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from adlab.core.entities import AccountId, AccountInfo, Level
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.storage import timescale
from adlab.storage.engine import raw
from adlab.storage.insights import rebuild_summary
from adlab.storage.objects import store_account
from adlab.storage.statements import statement
from adlab.storage.sync_state import store_coverage

# One row to stage: ISO day, object id, campaign id, ad set id, Meta's account id, digest, then the
# stored columns in order.
StagedRow = tuple[Any, ...]

_STAGED = (
    "date", "object_id", "campaign_id", "ad_set_id", "source_account", "digest", *STORED_NAMES,
)  # fmt: skip


@dataclass(frozen=True)
class StagedFacts:
    """What a staged file holds.

    Attributes:
        rows: Rows that would be stored: one an object and day.
        objects: Distinct objects.
        days: Distinct days, between `since` and `until`.
        added: Rows of the file that share object and day with another and are added to it.
        repeated: Of those, rows that equal another one in every cell.
        totals: Sums of spend and revenue (micro units), impressions, clicks, purchases.
    """

    rows: int
    objects: int
    since: date | None
    until: date | None
    days: int
    added: int
    repeated: int
    totals: dict[str, int | float | None]


def lock(connection: Connection, client_id: int) -> None:
    """Wait until no other import or undo of this client runs."""
    connection.execute(statement("import_lock"), {"client_id": client_id})


def stage(connection: Connection, rows: Iterable[StagedRow]) -> StagedFacts:
    """Copy the rows of a file to a place of their own, and count them."""
    connection.execute(statement("import_stage"))
    with (
        raw(connection).cursor() as cursor,
        cursor.copy(f"COPY stage_import ({', '.join(_STAGED)}) FROM STDIN") as copy,
    ):
        lines: list[str] = []
        for row in rows:
            lines.append("\t".join(["\\N" if v is None else str(v) for v in row]) + "\n")
            if len(lines) >= 500:
                copy.write("".join(lines))
                lines.clear()
        copy.write("".join(lines))
    connection.execute(text("ANALYZE stage_import"))
    f = connection.execute(statement("import_stage_facts")).mappings().one()
    totals = ("spend_micro", "impressions", "clicks", "link_clicks", "purchases", "revenue_micro")
    return StagedFacts(
        f["rows"], f["objects"], f["since"], f["until"], f["days"], int(f["added"] or 0),
        int(f["repeated"] or 0), {t: _number(f[t]) for t in totals},
    )  # fmt: skip


def _number(value: Any) -> int | float | None:
    if isinstance(value, Decimal) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value  # type: ignore[no-any-return]


def load_same_content(
    connection: Connection, client_id: int, sha256: str, mapping: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Live imports of the same bytes: import_id, account_id, file_name, rows, same_mapping."""
    binds = {"client_id": client_id, "sha256": sha256, "mapping": json.dumps(mapping)}
    return [dict(r) for r in connection.execute(statement("import_same"), binds).mappings()]


def load_earlier(connection: Connection, client_id: int, file_name: str) -> list[dict[str, Any]]:
    """Live imports of a file of this name."""
    binds = {"client_id": client_id, "file_name": file_name}
    return [dict(r) for r in connection.execute(statement("import_previous"), binds).mappings()]


def load_taken(connection: Connection, account_id: int, level: Level) -> list[dict[str, Any]]:
    """Other imports that hold staged rows: import_id, file_name, rows, since, until."""
    binds = {"account_id": account_id, "level": int(level)}
    return [
        dict(r) for r in connection.execute(statement("import_taken_elsewhere"), binds).mappings()
    ]


def load_synced(connection: Connection) -> list[dict[str, Any]]:
    """Accounts synced from Meta that hold staged rows: account_id, client, since, until, days."""
    return [dict(r) for r in connection.execute(statement("import_synced_already")).mappings()]


def load_same_names(
    connection: Connection, client_id: int, account_id: int, level: Level, period: DateRange
) -> list[str]:
    """Names of staged objects that objects synced from Meta also have, with delivery then."""
    binds = {
        "client_id": client_id, "account_id": account_id, "level": int(level),
        "since": period.since, "until": period.until,
    }  # fmt: skip
    return list(connection.scalars(statement("import_same_names"), binds).all())


def store_imported_account(
    connection: Connection, client_id: int, account_id: int, currency: str, timezone: str
) -> str:
    """Add the account that imported rows of a currency and timezone live in; its name."""
    name = f"Imported files ({currency}, {timezone})"
    info = AccountInfo(AccountId(account_id), name, currency, timezone, account_status=1)
    store_account(connection, info, client_id, source="import")
    return name


def store_file(
    connection: Connection,
    *,
    client_id: int,
    account_id: int,
    level: Level,
    file_name: str,
    sha256: str,
    mapping: Mapping[str, Any],
    facts: StagedFacts,
    bad_rows: int,
    fetched_at: datetime,
) -> int:
    """Move the staged rows into the insights table, with summary and coverage.

    Returns:
        The import's id.
    """
    assert facts.since is not None
    assert facts.until is not None
    period = DateRange(facts.since, facts.until)
    import_id: int | None = connection.scalar(
        statement("import_insert"),
        {
            "client_id": client_id, "account_id": account_id, "file_name": file_name,
            "sha256": sha256, "mapping": json.dumps(mapping), "level": int(level),
            "since": period.since, "until": period.until, "rows": facts.rows,
            "bad_rows": bad_rows,
        },
    )  # fmt: skip
    assert import_id is not None
    timescale.allow_old_rows(connection)
    connection.execute(
        statement("import_merge"),
        {
            "client_id": client_id, "account_id": account_id, "level": int(level),
            "import_id": import_id, "fetched_at": fetched_at,
        },
    )  # fmt: skip
    rebuild_summary(connection, account_id, level, period)
    store_coverage(
        connection, client_id=client_id, account_id=account_id, kind="insights", level=int(level),
        period=period, changed=True,
    )  # fmt: skip
    return import_id


def remove_file(connection: Connection, found: Mapping[str, Any], client_id: int) -> int:
    """Delete an import's rows, rebuild the summary, and mark it undone.

    Args:
        connection: An operator's transaction.
        found: The import: import_id, account_id, level, since, until.
        client_id: Tenant.

    Returns:
        How many rows went.
    """
    timescale.allow_old_rows(connection)
    level = Level(found["level"])
    scope = {"account_id": found["account_id"], "level": int(level)}
    gone = connection.execute(
        statement("import_rows_delete"), {**scope, "import_id": found["import_id"]}
    ).rowcount
    rebuild_summary(
        connection, found["account_id"], level, DateRange(found["since"], found["until"])
    )
    connection.execute(statement("import_coverage_clear"), scope)
    left = connection.execute(statement("import_coverage_left"), scope).one()
    if left.since is not None:
        store_coverage(
            connection, client_id=client_id, account_id=found["account_id"], kind="insights",
            level=int(level), period=DateRange(left.since, left.until), changed=True,
        )  # fmt: skip
    connection.execute(statement("import_mark_undone"), {"import_id": found["import_id"]})
    return gone


def prune_objects(connection: Connection, account_id: int) -> None:
    """Forget objects of an imported account that no row is about any more."""
    connection.execute(statement("import_objects_prune"), {"account_id": account_id})


def load_import(connection: Connection, import_id: int) -> dict[str, Any] | None:
    """One import, or None."""
    found = connection.execute(statement("import_one"), {"import_id": import_id}).mappings().first()
    return dict(found) if found else None


def load_imports(connection: Connection, client_id: int | None = None) -> list[dict[str, Any]]:
    """Imports, newest first."""
    rows = connection.execute(statement("import_list"), {"client_id": client_id})
    return [dict(r) for r in rows.mappings()]


# Metrics a file and the store are compared by: name → column of a staged row.
MATCHED = ("spend", "impressions", "reach", "clicks", "link_clicks", "purchases", "revenue")
_MATCH_STAGED = (
    "key", "label", "name", "date", "spend_micro", "impressions", "reach", "clicks", "link_clicks",
    "purchases", "revenue_micro",
)  # fmt: skip


def stage_match(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    """Copy the rows of a file to compare: key, label, name, day, then the matched metrics.

    Returns:
        rows (objects x days), since, until.
    """
    connection.execute(statement("match_stage"))
    with (
        raw(connection).cursor() as cursor,
        cursor.copy(f"COPY stage_match ({', '.join(_MATCH_STAGED)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
    connection.execute(text("ANALYZE stage_match"))
    return dict(connection.execute(statement("match_facts")).mappings().one())


def load_matching_accounts(
    connection: Connection, account_ids: Sequence[int], level: Level, by_id: bool
) -> list[int]:
    """Those accounts that have an object of the staged file."""
    binds = {"account_ids": list(account_ids), "level": int(level), "by_id": by_id}
    return list(connection.scalars(statement("match_accounts"), binds).all())


def count_rows(
    connection: Connection, account_ids: Sequence[int], level: Level, period: DateRange
) -> int:
    """How many rows of a level the store has for these accounts and days."""
    binds = {
        "account_ids": list(account_ids), "level": int(level), "since": period.since,
        "until": period.until,
    }  # fmt: skip
    return int(connection.scalar(statement("match_level_known"), binds) or 0)


def load_differences(
    connection: Connection,
    account_ids: Sequence[int],
    level: Level,
    period: DateRange,
    *,
    by_id: bool,
    parents: tuple[bool, bool],
    metrics: Iterable[str],
) -> list[dict[str, Any]]:
    """Objects and days that differ between the staged file and the store, both sides."""
    there = set(metrics)
    binds = {
        "account_ids": list(account_ids), "level": int(level), "since": period.since,
        "until": period.until, "by_id": by_id, "with_campaign": parents[0],
        "with_ad_set": parents[1], **{f"has_{m}": m in there for m in MATCHED},
    }  # fmt: skip
    return [dict(r) for r in connection.execute(statement("match_differences"), binds).mappings()]
