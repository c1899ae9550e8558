"""SQL built from the metric registry and the stored columns; beside `sql/` and `versions_sql`.

Every ratio gets its own pair of sums, `n_<metric>` and `d_<metric>`, each over the rows in which
both sides are known: an empty cell is missing, not zero. Sums and uniques come as `m_<metric>`.
Money leaves the store as float major units.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from adlab.core.insights import ADDITIVE_NAMES, STORED_BY_NAME, STORED_NAMES
from adlab.core.metrics import MetricDef, components
from adlab.core.money import MICRO
from adlab.core.periods import Increment

# Order of the columns in every COPY of insights.
INSIGHT_COLUMNS: tuple[str, ...] = (
    "date", "client_id", "account_id", "level", "object_id", *STORED_NAMES,
    "attribution_setting", "quality_ranking", "engagement_rate_ranking",
    "conversion_rate_ranking", "actions", "import_id", "fetched_at",
)  # fmt: skip


def rebuild_account_daily() -> str:
    """Sum the fact table into the summary for one account, level and range of days."""
    sums = ", ".join(f"sum({c})" for c in ADDITIVE_NAMES)
    unknown = ", ".join(f"CASE WHEN count({c}) < count(*) THEN '{c}' END" for c in ADDITIVE_NAMES)
    return (
        f"INSERT INTO app.account_daily (client_id, account_id, level, date, objects, "  # noqa: S608
        f"{', '.join(ADDITIVE_NAMES)}, unknown, fetched_at) "
        f"SELECT client_id, account_id, level, date, count(*), {sums}, "
        f"array_remove(ARRAY[{unknown}], NULL), max(fetched_at) FROM app.insights_daily "
        "WHERE account_id = :account_id AND level = :level AND date BETWEEN :since AND :until "
        "GROUP BY client_id, account_id, level, date"
    )


def value(column: str, grouped: bool, known: str = "") -> str:
    """One stored column as a float of major units, or an integer count.

    Args:
        column: Stored column.
        grouped: Whether rows are summed.
        known: Another column that must be known for the row to count.
    """
    if grouped:
        inner = f"sum(i.{column})" + (f" FILTER (WHERE i.{known} IS NOT NULL)" if known else "")
    else:
        inner = f"CASE WHEN i.{known} IS NOT NULL THEN i.{column} END" if known else f"i.{column}"
    if STORED_BY_NAME[column].unit == "micro":
        return f"({inner})::float8 / {MICRO}"
    return f"({inner})::float8"


def metric_columns(metrics: Sequence[MetricDef], grouped: bool) -> list[str]:
    """Select-list entries for the given metrics, named `m_…`, `n_…`, `d_…`."""
    out: list[str] = []
    for m in metrics:
        if m.kind == "ratio":
            out.append(f"{value(m.numerator, grouped, m.denominator)} AS n_{m.name}")
            out.append(f"{value(m.denominator, grouped, m.numerator)} AS d_{m.name}")
        else:
            out.append(f"{value(m.column, grouped)} AS m_{m.name}")
    return out


def bucket(increment: Increment, since: date) -> str | None:
    """The expression that names a row's period by its first day; None for all days at once."""
    if increment == "all_days":
        return None
    if increment == "monthly":
        return f"greatest(date_trunc('month', i.date)::date, DATE '{since.isoformat()}')"
    if increment == 1:
        return "i.date"
    return (
        f"(DATE '{since.isoformat()}' + {increment} * ((i.date - DATE '{since.isoformat()}') "
        f"/ {increment}))"
    )


_SCOPE = "i.client_id = ANY (:client_ids) AND i.date BETWEEN :since AND :until"


def object_rows(
    metrics: Sequence[MetricDef],
    increment: Increment,
    since: date,
    narrow: bool,
    known: str | None = None,
) -> str:
    """Insights of one level per object and period, from the fact table.

    Args:
        metrics: What to compute.
        increment: Length of a period.
        since: First day, where periods of N days begin.
        narrow: Whether to bind `object_ids`.
        known: Rows to read instead of the newest ones; see `versions_sql.known_rows`.

    Binds: client_ids, level, since, until, and object_ids when `narrow`.
    """
    period = bucket(increment, since)
    grouped = increment != 1
    keys = [*([f"{period} AS date"] if period else []), "i.object_id", "i.account_id"]
    group = [*([period] if period else []), "i.object_id", "i.account_id"]
    head, table = _source(known)
    sql = (
        f"{head}SELECT {', '.join([*keys, *metric_columns(metrics, grouped)])} "  # noqa: S608
        f"FROM {table} i WHERE {_SCOPE} AND i.level = :level"
    )
    if narrow:
        sql += " AND i.object_id = ANY (:object_ids)"
    return sql + (f" GROUP BY {', '.join(group)}" if grouped else "")


def _source(known: str | None) -> tuple[str, str]:
    """The beginning of a statement and the table it reads."""
    return ("", "api.insights_daily") if known is None else (f"WITH known AS ({known}) ", "known")


def account_rows(
    metrics: Sequence[MetricDef],
    increment: Increment,
    since: date,
    *,
    summary: bool,
    narrow: bool = False,
    known: str | None = None,
) -> str:
    """Insights per account and period, each account at the level that knows it best.

    Meta's accounts have rows of their own; an imported account is the sum of its campaigns.

    Args:
        metrics: What to compute.
        increment: Length of a period.
        since: First day, where periods of N days begin.
        summary: Whether to read the summary (fast) or the fact rows (exact with missing cells,
            and the only place that has reach).
        narrow: Whether to bind `object_ids`, the accounts wanted.
        known: Rows to read instead of the newest ones, of `ACCOUNT_LEVELS`; not with `summary`.
    """
    period = bucket(increment, since)
    # Reason: an imported account spans several rows a day in the fact table, so it is summed; a
    # unique count, and a ratio over one, is only taken where there is exactly one row, the
    # account's own.
    own = {f"{part}_{m.name}" for m in metrics if m.over_reach for part in ("m", "n", "d")}
    columns = [
        f"CASE WHEN count(*) = 1 THEN {whole} END AS {name}" if name in own else c
        for c in metric_columns(metrics, grouped=True)
        for whole, _, name in [c.rpartition(" AS ")]
    ]
    keys = [*([f"{period} AS date"] if period else []), "i.account_id AS object_id", "i.account_id"]
    group = [*([period] if period else []), "i.account_id"]
    head = f"{_BEST}, {_days()}" if summary else f"{_BEST}, {_BELOW}, {_facts(metrics, known)}"
    return (
        f"WITH {head} SELECT {', '.join([*keys, *columns])} "  # noqa: S608
        f"FROM {'days' if summary else 'facts'} i "
        f"{'WHERE i.account_id = ANY (:object_ids) ' if narrow else ''}GROUP BY {', '.join(group)}"
    )


# Reason: per day, because an account may know some days by campaign and others by ad only.
_BEST = (
    "best AS (SELECT DISTINCT ON (b.account_id, b.date) b.* FROM api.account_daily b "
    "WHERE b.client_id = ANY (:client_ids) AND b.date BETWEEN :since AND :until "
    "ORDER BY b.account_id, b.date, b.level)"
)

# Reason: the level that fills in for an account's own row whose actions Meta withheld.
_FILLS = (
    "SELECT d.* FROM api.account_daily d "
    "WHERE d.client_id = b.client_id AND d.account_id = b.account_id AND d.date = b.date "
    "AND d.level > b.level AND 'purchases' <> ALL (d.unknown) ORDER BY d.level LIMIT 1"
)
_FILLED = "b.level = 1 AND 'purchases' = ANY (b.unknown)"
_BELOW = (
    "below AS (SELECT b.account_id, b.date, f.level FROM best b "  # noqa: S608
    f"JOIN LATERAL ({_FILLS}) f ON {_FILLED})"
)
# The levels `account_rows` reads, as a condition of `known`.
ACCOUNT_LEVELS = "level IN (SELECT level FROM best UNION SELECT level FROM below)"


def _facts(metrics: Sequence[MetricDef], known: str | None) -> str:
    """Fact rows of the accounts' best levels, withheld actions filled in as `_days` does."""
    table = _source(known)[1]
    wanted = {*components(metrics), "reach"}
    columns = [c for c in STORED_NAMES if c in wanted]
    actions = [c for c in columns if c in ADDITIVE_NAMES and STORED_BY_NAME[c].actions is not None]
    sums = "".join(
        f", CASE WHEN count(i.{c}) = count(*) THEN sum(i.{c}) END AS {c}" for c in actions
    )
    picked = "".join(
        f", coalesce(i.{c}, f.{c}) AS {c}" if c in actions else f", i.{c}" for c in columns
    )
    first = "" if known is None else f"known AS ({known}), "
    return (
        f"{first}filled AS (SELECT i.account_id, i.date{sums} "  # noqa: S608
        f"FROM {table} i JOIN below USING (account_id, date, level) WHERE {_SCOPE} "
        "GROUP BY i.account_id, i.date), "
        f"facts AS (SELECT i.client_id, i.account_id, i.date, i.level{picked} "
        f"FROM {table} i JOIN best USING (account_id, date, level) "
        f"LEFT JOIN filled f ON f.account_id = i.account_id AND f.date = i.date WHERE {_SCOPE})"
    )


def _days() -> str:
    """One row an account and day from the summary, withheld actions filled in from below.

    Reason: Meta withholds actions from rows whose ad sets differ in attribution setting, so an
    account's own row may lack its purchases while its ad sets have them, each by its own setting.
    """
    actions = [n for n in ADDITIVE_NAMES if STORED_BY_NAME[n].actions is not None]
    columns = ", ".join(
        f"CASE WHEN f.account_id IS NULL THEN b.{n} ELSE f.{n} END AS {n}"
        if n in actions
        else f"b.{n}"
        for n in ADDITIVE_NAMES
    )
    quoted = ", ".join(f"'{n}'" for n in actions)
    return (
        f"days AS (SELECT b.client_id, b.account_id, b.date, {columns}, "  # noqa: S608
        "CASE WHEN f.account_id IS NULL THEN b.unknown "
        f"ELSE ARRAY(SELECT u FROM unnest(b.unknown) u WHERE u <> ALL (ARRAY[{quoted}])) END "
        "AS unknown "
        f"FROM best b LEFT JOIN LATERAL ({_FILLS}) f ON {_FILLED})"
    )


def unknown_cells() -> str:
    """Which summed columns have missing cells in the range, so that the summary must not serve."""
    return f"WITH {_BEST}, {_days()} SELECT DISTINCT unnest(i.unknown) FROM days i"  # noqa: S608
