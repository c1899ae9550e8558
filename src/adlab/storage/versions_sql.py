"""SQL over older versions of insights, built from the stored columns; see `storage.versions`.

An older version holds the old value of each column that the next version changed, and a bit for it
in `changed`. So a value as of a moment is that of the first version replaced after the moment which
has the column's bit, else the current one.
"""

from __future__ import annotations

from collections.abc import Iterable

from adlab.core.insights import STORED_NAMES
from adlab.storage.metrics_sql import INSIGHT_COLUMNS

# Bit n of `changed` stands for column n of this list; never reorder, only append.
VERSIONED: tuple[str, ...] = (
    *STORED_NAMES, "attribution_setting", "quality_ranking", "engagement_rate_ranking",
    "conversion_rate_ranking", "actions",
)  # fmt: skip
_KEY = "account_id, level, object_id, date"
_SLICE = (
    "t.account_id = :account_id AND t.level = :level AND t.date BETWEEN :since AND :until "
    "AND s.object_id = t.object_id AND s.date = t.date"
)


def bit(column: str) -> int:
    """The bit of a column in `changed`."""
    return 1 << VERSIONED.index(column)


def _first_kept(column: str) -> str:
    """The oldest kept value of a column among versions that are grouped."""
    return (
        f"(array_agg({column} ORDER BY replaced_at, seen_at) "
        f"FILTER (WHERE changed & {bit(column)} <> 0))[1]"
    )


def forget_unchanged() -> str:
    """Take rows from the stage that say what is known already.

    Reason: what is left is written, so a row that did not change costs neither a lock nor, on
    TimescaleDB, the unpacking of its compressed batch. Binds: account_id, level, since, until.
    """
    compared = [*VERSIONED, "import_id"]
    old, new = (", ".join(f"{table}.{c}" for c in compared) for table in ("t", "s"))
    return (
        f"DELETE FROM stage_insights s USING app.insights_daily t WHERE {_SLICE} "  # noqa: S608
        f"AND ({old}) IS NOT DISTINCT FROM ({new})"
    )


def keep_versions() -> str:
    """Keep what the staged rows are about to change.

    Action lists are kept from the end of the row's own day on: within the day every list changes
    with every poll. Binds: account_id, level, since, until, today.
    """
    bits: list[str] = []
    values: list[str] = []
    for column in VERSIONED:
        differs = f"t.{column} IS DISTINCT FROM s.{column}"
        value = f"t.{column}"
        if column == "actions":
            differs = f"t.date < :today AND {differs}"
            value = "app.actions_delta(t.actions, s.actions)"
        bits.append(f"CASE WHEN {differs} THEN {bit(column)} ELSE 0 END")
        values.append(f"CASE WHEN {differs} THEN {value} END")
    return (
        "INSERT INTO app.insights_version (date, client_id, account_id, object_id, level, changed, "  # noqa: S608
        f"seen_at, replaced_at, {', '.join(VERSIONED)}) "
        f"SELECT t.date, t.client_id, t.account_id, t.object_id, t.level, {' + '.join(bits)}, "
        f"t.fetched_at, s.fetched_at, {', '.join(values)} "
        f"FROM stage_insights s JOIN app.insights_daily t ON {_SLICE}"
    )


def store_changed() -> str:
    """Move staged rows into the fact table."""
    columns = ", ".join(INSIGHT_COLUMNS)
    updates = ", ".join(f"{c} = excluded.{c}" for c in INSIGHT_COLUMNS[5:])
    return (
        f"INSERT INTO app.insights_daily ({columns}) SELECT {columns} FROM stage_insights "  # noqa: S608
        f"ON CONFLICT ({_KEY}) DO UPDATE SET {updates}"
    )


def known_rows(columns: Iterable[str], levels: str = "") -> str:
    """Rows of the fact table as they were known at a moment, for `WITH known AS (…)`.

    Args:
        columns: Stored columns wanted, besides the key.
        levels: Condition on `level`; all levels when empty.

    Binds: client_ids, since, until, as_of.
    """
    wanted = [c for c in STORED_NAMES if c in set(columns)]
    old = "".join(
        f", bool_or(changed & {bit(c)} <> 0) AS b_{c}, {_first_kept(c)} AS o_{c}" for c in wanted
    )
    then = "".join(f", CASE WHEN v.b_{c} THEN v.o_{c} ELSE i.{c} END AS {c}" for c in wanted)
    scope = "client_id = ANY (:client_ids) AND date BETWEEN :since AND :until"
    if levels:
        scope += f" AND {levels}"
    return (
        f"SELECT i.date, i.client_id, i.account_id, i.level, i.object_id{then}, "  # noqa: S608
        "coalesce(v.seen_at, i.fetched_at) AS seen_at "
        f"FROM (SELECT * FROM api.insights_daily WHERE {scope}) i LEFT JOIN ("
        f"SELECT {_KEY}, min(seen_at) AS first_seen_at, "
        f"max(seen_at) FILTER (WHERE seen_at <= :as_of) AS seen_at{old} "
        f"FROM api.insights_versions WHERE {scope} AND replaced_at > :as_of GROUP BY {_KEY}) v "
        f"USING ({_KEY}) WHERE coalesce(v.first_seen_at, i.fetched_at) <= :as_of"
    )


def thin() -> str:
    """Fold versions within an account's own day into the last of their hour, later of their day.

    A version that goes hands its columns to the one before it, whose time it takes over, so that
    every version that stays is exactly what it was. Binds: account_id, timezone, since, until,
    hourly_before, daily_before. Out: how many versions went.
    """
    first = ", ".join(_first_kept(c) for c in VERSIONED)
    columns = ", ".join(VERSIONED)
    moment = "timezone(:timezone, {0})"
    seen, replaced = moment.format("v.seen_at"), moment.format("v.replaced_at")
    unit = (
        "CASE WHEN v.seen_at < :daily_before THEN 'day' "
        "WHEN v.seen_at < :hourly_before THEN 'hour' END"
    )
    return (
        "WITH marked AS ("  # noqa: S608
        "SELECT v.*, row_number() OVER () AS n, "
        # Reason: only versions first seen on the row's own day are thinned, and only those that
        # something newer of the same hour or day replaced.
        f"coalesce({seen}::date = v.date AND date_trunc({unit}, {seen}) = "
        f"date_trunc({unit}, {replaced}), false) AS goes "
        "FROM app.insights_version v WHERE v.account_id = :account_id "
        "AND v.date BETWEEN :since AND :until), "
        "grouped AS (SELECT m.*, count(*) FILTER (WHERE NOT goes) OVER ("
        f"PARTITION BY {_KEY} ORDER BY seen_at, replaced_at, n) AS keeper FROM marked m), "
        "touched AS (SELECT g.*, bool_or(goes) OVER ("
        f"PARTITION BY {_KEY}, keeper) AS folds FROM grouped g), "
        # Reason: with the account named, only its batches are unpacked where days are compressed.
        "gone AS (DELETE FROM app.insights_version v USING touched t WHERE t.folds "
        "AND v.account_id = :account_id AND v.date BETWEEN :since AND :until "
        "AND v.account_id = t.account_id AND v.level = t.level AND v.object_id = t.object_id "
        "AND v.date = t.date AND v.seen_at = t.seen_at AND v.replaced_at = t.replaced_at "
        "RETURNING 1), "
        "kept AS (INSERT INTO app.insights_version (date, client_id, account_id, object_id, level, "
        f"changed, seen_at, replaced_at, {columns}) "
        "SELECT date, min(client_id), account_id, object_id, level, bit_or(changed), "
        f"min(seen_at), max(replaced_at), {first} FROM touched WHERE folds AND keeper > 0 "
        f"GROUP BY {_KEY}, keeper RETURNING 1) "
        "SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM kept) AS gone"
    )
