"""SQL over breakdowns and attribution windows, built from the metric registry.

Columns come named as in `storage.metrics_sql`: `m_…` for sums and uniques, `n_…` and `d_…` for the
two sides of a ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from adlab.core.entities import Level
from adlab.core.insights import ATTRIBUTION_WINDOWS, STORED_BY_NAME, STORED_NAMES
from adlab.core.metrics import MetricDef
from adlab.core.money import MICRO
from adlab.core.periods import Increment
from adlab.storage.metrics_sql import bucket, metric_columns

# Results that are credited to an ad within a window; clicks and plays happen in the ad itself.
WINDOWED = (
    "content_views", "searches", "adds_to_cart", "checkouts", "purchases", "revenue_micro", "leads",
)  # fmt: skip
_PARENT = {
    Level.ACCOUNT: "i.account_id",
    Level.CAMPAIGN: "o.campaign_id",
    Level.AD_SET: "o.ad_set_id",
}


def breakdown_rows(
    metrics: Sequence[MetricDef],
    increment: Increment,
    since: date,
    *,
    places: Sequence[int],
    parts: int,
    level: Level,
    loaded: Level,
    narrow: bool,
) -> str:
    """Rows of a breakdown per period, object and value.

    Args:
        metrics: What to compute.
        increment: Length of a period.
        since: First day, where periods of N days begin.
        places: Which parts of the breakdown are wanted, as `b_0`, `b_1`, …
        parts: How many parts the breakdown has.
        level: Level of the rows wanted.
        loaded: Level of the rows in the store, the same or deeper.
        narrow: Whether to bind `object_ids`.

    Binds: client_ids, since, until, breakdown, loaded, and object_ids when `narrow`.
    """
    period = bucket(increment, since)
    own = "i.object_id" if level is loaded else _PARENT[level]
    keys = {
        **({"date": period} if period else {}),
        "object_id": own,
        "account_id": "i.account_id",
        **{f"b_{n}": "i.value2" if place else "i.value" for n, place in enumerate(places)},
    }
    grouped = increment != 1 or level is not loaded or len(places) < parts
    label = "max(i.label) AS label" if grouped else "i.label"
    join = "" if level is loaded or level is Level.ACCOUNT else (
        " LEFT JOIN api.objects o ON o.account_id = i.account_id AND o.level = i.level "
        "AND o.object_id = i.object_id"
    )  # fmt: skip
    picked = ", ".join(
        [*(f"{sql} AS {name}" for name, sql in keys.items()), label,
         *metric_columns(metrics, grouped)]
    )  # fmt: skip
    sql = (
        f"SELECT {picked} FROM api.insights_breakdown i{join} "  # noqa: S608
        "WHERE i.client_id = ANY (:client_ids) AND i.date BETWEEN :since AND :until "
        "AND i.breakdown = :breakdown AND i.level = :loaded"
    )
    if narrow:
        sql += f" AND {own} = ANY (:object_ids)"
    return sql + (f" GROUP BY {', '.join(keys.values())}" if grouped else "")


def window_rows(columns: Iterable[str], window: str, levels: str = "") -> str:
    """Fact rows with results counted in one attribution window, for `WITH known AS (…)`.

    A window that an action has no entry for counts nothing. It is unknown, not zero, where Meta
    withheld the list (mixed attribution settings) and in imported rows, which have no lists.

    Args:
        columns: Stored columns wanted, besides the key.
        window: One of `core.insights.ATTRIBUTION_WINDOWS`.
        levels: Condition on `level`; all levels when empty.

    Binds: client_ids, since, until.

    Raises:
        ValueError: If there is no such window.
    """
    if window not in ATTRIBUTION_WINDOWS:
        raise ValueError(f"there is no attribution window {window!r}")
    key = "value" if window == "default" else window
    wanted = [c for c in STORED_NAMES if c in set(columns)]
    picked = [_windowed(c, key) if c in WINDOWED else f"i.{c}" for c in wanted]
    scope = "i.client_id = ANY (:client_ids) AND i.date BETWEEN :since AND :until"
    if levels:
        scope += f" AND i.{levels}"
    return (
        f"SELECT {', '.join(['i.date', 'i.client_id', 'i.account_id', 'i.level', 'i.object_id', *picked])} "  # noqa: S608, E501
        f"FROM api.insights_daily i WHERE {scope}"
    )


def _windowed(column: str, key: str) -> str:
    source, types = STORED_BY_NAME[column].actions or ("", ())
    listed = ", ".join(f"'{t}'" for t in types)
    # Reason: types overlap, so the first that is there counts, as in the columns themselves.
    found = (
        f"(SELECT coalesce((e ->> '{key}')::numeric, 0) "  # noqa: S608
        f"FROM jsonb_array_elements(i.actions -> '{source}') e "
        f"WHERE e ->> 'action_type' IN ({listed}) "
        f"ORDER BY array_position(ARRAY[{listed}], e ->> 'action_type') LIMIT 1)"
    )
    if STORED_BY_NAME[column].unit == "micro":
        found = f"round({found} * {MICRO})::bigint"
    return (
        "CASE WHEN i.import_id IS NOT NULL THEN NULL "
        f"WHEN i.actions -> '{source}' IS NOT NULL THEN coalesce({found}, 0) "
        "WHEN i.attribution_setting IN ('mixed', 'multiple', 'mixed_attribution') "
        "AND i.actions -> 'actions' IS NULL THEN NULL "
        f"ELSE 0 END AS {column}"
    )


def setting_rows(increment: Increment, since: date) -> str:
    """Attribution setting and rankings per period and object.

    A setting that changed within the period is `mixed`; a ranking is the newest known.

    Binds: client_ids, level, since, until.
    """
    period = bucket(increment, since)
    keys = [*([f"{period} AS date"] if period else []), "i.object_id", "i.account_id"]
    group = [*([period] if period else []), "i.object_id", "i.account_id"]
    rankings = ", ".join(
        f"(array_agg(i.{name} ORDER BY i.date DESC) FILTER (WHERE i.{name} IS NOT NULL))[1] "
        f"AS {name}"
        for name in ("quality_ranking", "engagement_rate_ranking", "conversion_rate_ranking")
    )
    return (
        f"SELECT {', '.join(keys)}, "  # noqa: S608
        "CASE WHEN count(DISTINCT i.attribution_setting) > 1 THEN 'mixed' "
        f"ELSE max(i.attribution_setting) END AS attribution_setting, {rankings} "
        "FROM api.insights_daily i WHERE i.client_id = ANY (:client_ids) "
        "AND i.date BETWEEN :since AND :until AND i.level = :level "
        f"GROUP BY {', '.join(group)}"
    )
