"""Wire text of insights rows: every metric a string, absent keys instead of zeros.

A page is written column by column (one list of text pieces per field) and then joined row by row,
which is many times faster than building dictionaries. Lists of actions are written in `actions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from adlab.simulator import naming, periods
from adlab.simulator.actions import ActionWriter, single_list
from adlab.simulator.assets import ASSET_BREAKDOWNS
from adlab.simulator.breakdowns import BY_HOUR, WITHOUT_WEB
from adlab.simulator.catalog import KEY_FIELDS, REACH_FIELDS, UNIQUE_FIELDS
from adlab.simulator.hashing import Bools, Floats, Ints, uniform
from adlab.simulator.query import InsightsQuery
from adlab.simulator.reporting import Table, reach_of
from adlab.simulator.wire import money_text, plain_number
from adlab.simulator.world import GOALS, LEVELS, OBJECTIVES, SETTINGS, AccountWorld

_RANKS = ("BELOW_AVERAGE_10", "BELOW_AVERAGE_20", "BELOW_AVERAGE_35", "AVERAGE", "ABOVE_AVERAGE")
_RANK_MINIMUM = 500
_REACH_BREAKDOWN_DAYS = 396
_ACTION_FIELDS = frozenset(
    {
        "actions",
        "action_values",
        "cost_per_action_type",
        "purchase_roas",
        "website_purchase_roas",
        "results",
        "objective_results",
        "cost_per_result",
        "cost_per_objective_result",
    }
)


class RowWriter:
    """Writes rows of one query for one account.

    Args:
        account: The account the rows belong to.
        query: What was asked.
        now: Unix time, for `updated_time` and the 13-month limits.
        level: Level of the rows when it is not the query's (the summary's).
    """

    def __init__(
        self, account: AccountWorld, query: InsightsQuery, now: float, level: str | None = None
    ) -> None:
        self._account, self._query, self._now = account, query, now
        self._level = level or query.level
        self._keys = [name for name in query.fields if name in KEY_FIELDS]
        self._prefixes: dict[int, str] = {}
        self._moments: dict[str, Ints] = {}

    def write(self, table: Table, fields: tuple[str, ...] | None = None) -> list[str]:
        """Write each row as a JSON object."""
        if len(table) == 0:
            return []
        page = _Page(self._account, self._query, table, self._level)
        hidden = self._expired(table)
        columns = [self._prefix_texts(table)]
        for name in fields if fields is not None else self._query.fields:
            maker = page.maker(name)
            if maker is None:
                continue
            texts = maker()
            if name in hidden:
                texts = ["" if old else text for text, old in zip(texts, hidden[name], strict=True)]
            columns.append(texts)
        if self._query.breakdowns:
            columns.append(self._segment_texts(table))
        columns.append(["}"] * len(table))
        return ["".join(parts) for parts in zip(*columns, strict=True)]

    def _expired(self, table: Table) -> dict[str, list[bool]]:
        """Tell which rows must omit reach or unique counts because they are too old."""
        limit = self._account.today(self._now) - _REACH_BREAKDOWN_DAYS
        since = np.array([days.since for days in table.buckets])[table.bucket]
        old: Bools = since < limit
        if not bool(old.any()):
            return {}
        names = set(UNIQUE_FIELDS)
        if self._query.breakdowns:
            names |= REACH_FIELDS
        listed = old.tolist()
        return dict.fromkeys(names.intersection(self._query.fields), listed)

    def _prefix_texts(self, table: Table) -> list[str]:
        dates = [
            f'"date_start":"{periods.day_text(d.since)}","date_stop":"{periods.day_text(d.until)}"'
            for d in table.buckets
        ]
        prefixes = self._prefixes
        texts: list[str] = []
        for thing, bucket in zip(table.object.tolist(), table.bucket.tolist(), strict=True):
            prefix = prefixes.get(thing)
            if prefix is None:
                prefix = prefixes[thing] = self._prefix(thing)
            texts.append(prefix + dates[bucket])
        return texts

    def _segment_texts(self, table: Table) -> list[str]:
        made = [
            "".join(
                f',"{name}":{value if name in ASSET_BREAKDOWNS else json.dumps(value)}'
                for name, value in zip(self._query.breakdowns, values, strict=True)
            )
            for values in table.segments
        ]
        return [made[segment] for segment in table.segment.tolist()]

    def _prefix(self, index: int) -> str:
        found = {name: self._key_value(name, index) for name in self._keys}
        text = json.dumps({k: v for k, v in found.items() if v is not None}, separators=(",", ":"))
        return "{" if text == "{}" else text[:-1] + ","

    def _key_value(self, name: str, index: int) -> str | None:
        account, level = self._account, self._level
        depth = LEVELS.index(level)
        if name == "account_id":
            return str(account.profile.number)
        if name == "account_name":
            return naming.name_of(account, "account", 0)
        if name == "account_currency":
            return account.profile.currency
        if name in {"created_time", "updated_time"}:
            if depth == 0:
                return None
            return periods.day_text(account.today(int(self._times(name)[index])))
        part, _, what = name.partition("_")
        if part in LEVELS:
            if LEVELS.index(part) > depth:
                return None
            owner = self._parent(part, index)
            return (
                str(account.objects(part).id[owner])
                if what == "id"
                else naming.name_of(account, part, owner)
            )
        if depth == 0:
            return None
        if name == "buying_type":
            return "AUCTION"
        kind = int(account.campaigns.objective[self._parent("campaign", index)])
        return OBJECTIVES[kind] if name == "objective" else GOALS[kind] if depth > 1 else None

    def _times(self, name: str) -> Ints:
        if name not in self._moments:
            self._moments[name] = (
                naming.created_at(self._account, self._level)
                if name == "created_time"
                else naming.updated_at(self._account, self._level, self._now)
            )
        return self._moments[name]

    def _parent(self, level: str, index: int) -> int:
        if level == self._level:
            return index
        if self._level == "ad":
            ads = self._account.ads
            return int((ads.ad_set if level == "adset" else ads.campaign)[index])
        return int(self._account.ad_sets.campaign[index])


class _Page:
    """Text makers of one page, by field name."""

    def __init__(
        self, account: AccountWorld, query: InsightsQuery, table: Table, level: str
    ) -> None:
        self._account, self._table, self._level = account, table, level
        self._offset = account.profile.minor_per_major
        self._columns = table.columns
        self._hourly = bool(BY_HOUR.intersection(query.breakdowns))
        self._without_web = bool(WITHOUT_WEB.intersection(query.breakdowns))
        self._actions = ActionWriter(
            table,
            query.windows,
            self._offset,
            without_web=self._without_web,
            action_types=query.action_types,
        )

    def maker(self, name: str) -> Callable[[], list[str]] | None:
        """Give what writes a field, or None for keys and for fields that never have a value."""
        if name in KEY_FIELDS or name in {"date_start", "date_stop"}:
            return None
        if name in _ACTION_FIELDS:
            return lambda: self._action(name)
        if name in _COUNTS:
            return lambda: self._count(name, self._column(_COUNTS[name]))
        if name in _RATIOS:
            top, bottom, factor = _RATIOS[name]
            return lambda: self._number(name, self._ratio(top, bottom, factor))
        if name in _LISTS:
            action_type, column = _LISTS[name]
            return lambda: self._list(name, action_type, column)
        special: dict[str, Callable[[], list[str]]] = {
            "impressions": self._impressions,
            "spend": self._spend,
            "reach": self._reach,
            "frequency": self._frequency,
            "attribution_setting": self._setting,
            "video_play_curve_actions": self._play_curve,
            "video_avg_time_watched_actions": self._watched_seconds,
        }
        if name in special:
            return special[name]
        if name.endswith("_ranking") and self._level == "ad":
            return lambda: self._ranking(name)
        return None

    def _action(self, name: str) -> list[str]:
        actions = self._actions
        if name == "actions":
            return actions.actions()
        if name == "action_values":
            return actions.action_values()
        if name == "cost_per_action_type":
            return actions.cost_per_action_type()
        if name == "purchase_roas":
            return actions.roas(name, "omni_purchase")
        if name == "website_purchase_roas":
            return actions.roas(name, "offsite_conversion.fb_pixel_purchase")
        # Reason: the real API answers `objective_results` under the key `results`.
        wire = name.replace("objective_", "")
        return actions.results(wire, self._objectives(), per_cost=name.startswith("cost"))

    def _objectives(self) -> Ints:
        account, thing = self._account, self._table.object
        if self._level == "account":
            return np.zeros(len(thing), dtype=np.int64)
        if self._level == "campaign":
            return account.campaigns.objective[thing]
        parent = account.ads.campaign if self._level == "ad" else account.ad_sets.campaign
        return account.campaigns.objective[parent[thing]]

    def _column(self, name: str) -> Ints:
        columns = self._columns
        if name == "reach":
            return reach_of(columns["fresh"], columns["impressions"])
        if self._without_web and name in {"purchases", "landing_views"}:
            return np.zeros(len(self._table), dtype=np.int64)
        if name == "purchases":
            return self._actions.values("purchase")
        if name == "engagement":
            return np.asarray(
                sum(
                    columns[n]
                    for n in (
                        "link_clicks",
                        "reactions",
                        "comments",
                        "shares",
                        "saves",
                        "video_views",
                    )
                )
            )
        if name.startswith("unique_"):
            counts = columns[name.removeprefix("unique_")]
            people = np.floor(counts.astype(np.float64) ** 0.985).astype(np.int64)
            return np.where(counts > 0, np.maximum(people, 1), 0)
        return columns[name]

    def _impressions(self) -> list[str]:
        return [f',"impressions":"{n}"' for n in self._columns["impressions"].tolist()]

    def _spend(self) -> list[str]:
        offset = self._offset
        return [f',"spend":"{money_text(n, offset)}"' for n in self._columns["spend"].tolist()]

    def _reach(self) -> list[str]:
        if self._hourly:
            return [',"reach":"0"'] * len(self._table)
        return self._count("reach", self._column("reach"))

    def _frequency(self) -> list[str]:
        if self._hourly:
            return [',"frequency":"0"'] * len(self._table)
        return self._number("frequency", self._columns["impressions"] / self._column("reach"))

    def _setting(self) -> list[str]:
        mixed = self._actions.is_mixed.tolist()
        lows = self._table.setting_low.tolist()
        return [
            ',"attribution_setting":"mixed"'
            if is_mixed
            else f',"attribution_setting":"{SETTINGS[low]}"'
            for low, is_mixed in zip(lows, mixed, strict=True)
        ]

    def _count(self, name: str, values: Ints) -> list[str]:
        return [f',"{name}":"{n}"' if n else "" for n in values.tolist()]

    def _number(self, name: str, values: Floats) -> list[str]:
        return [f',"{name}":"{plain_number(v)}"' if v > 0 else "" for v in values.tolist()]

    def _ratio(self, top: str, bottom: str, factor: float) -> Floats:
        above = self._column(top).astype(np.float64) * factor
        if top == "spend":
            above = above / self._offset
        below = self._column(bottom).astype(np.float64)
        return np.divide(above, below, out=np.zeros_like(above), where=below > 0)

    def _list(self, name: str, action_type: str, column: str) -> list[str]:
        if column in _RATIOS:
            values = self._ratio(*_RATIOS[column])
            return single_list(
                name, action_type, [plain_number(v) if v > 0 else "" for v in values.tolist()]
            )
        return single_list(
            name, action_type, [str(n) if n else "" for n in self._column(column).tolist()]
        )

    def _play_curve(self) -> list[str]:
        names = ("video_views", "video_p25", "video_p50", "video_p75", "video_p100")
        made = []
        for whole, *parts in zip(*(self._columns[n].tolist() for n in names), strict=True):
            curve = [100, *(100 * part // whole for part in parts)] if whole else []
            text = json.dumps(curve, separators=(",", ":"))
            made.append(
                f',"video_play_curve_actions":[{{"action_type":"video_view","value":{text}}}]'
                if whole
                else ""
            )
        return made

    def _watched_seconds(self) -> list[str]:
        views = self._columns["video_views"].astype(np.float64)
        share = np.divide(
            self._columns["thruplays"], views, out=np.zeros_like(views), where=views > 0
        )
        seconds = np.where(views > 0, np.maximum(3 + 14 * share, 1), 0).astype(np.int64)
        return single_list(
            "video_avg_time_watched_actions",
            "video_view",
            [str(n) if n else "" for n in seconds.tolist()],
        )

    def _ranking(self, name: str) -> list[str]:
        stream = 60 + len(name)
        place = np.digitize(
            uniform(self._account.ads.key, stream)[self._table.object], [0.08, 0.2, 0.36, 0.72]
        )
        impressions = self._columns["impressions"]
        return [
            f',"{name}":"{_RANKS[rank] if seen >= _RANK_MINIMUM else "UNKNOWN"}"'
            for rank, seen in zip(place.tolist(), impressions.tolist(), strict=True)
        ]


_COUNTS = {
    "clicks": "clicks",
    "unique_clicks": "unique_clicks",
    "inline_link_clicks": "link_clicks",
    "unique_inline_link_clicks": "unique_link_clicks",
    "inline_post_engagement": "engagement",
    "full_view_impressions": "impressions",
    "full_view_reach": "reach",
}
_RATIOS: dict[str, tuple[str, str, float]] = {
    "ctr": ("clicks", "impressions", 100.0),
    "unique_ctr": ("unique_clicks", "reach", 100.0),
    "cpc": ("spend", "clicks", 1.0),
    "cpm": ("spend", "impressions", 1000.0),
    "cpp": ("spend", "reach", 1000.0),
    "cost_per_unique_click": ("spend", "unique_clicks", 1.0),
    "inline_link_click_ctr": ("link_clicks", "impressions", 100.0),
    "cost_per_inline_link_click": ("spend", "link_clicks", 1.0),
    "unique_inline_link_click_ctr": ("unique_link_clicks", "reach", 100.0),
    "cost_per_unique_inline_link_click": ("spend", "unique_link_clicks", 1.0),
    "cost_per_inline_post_engagement": ("spend", "engagement", 1.0),
    "landing_page_view_per_link_click": ("landing_views", "link_clicks", 1.0),
    "purchase_per_landing_page_view": ("purchases", "landing_views", 1.0),
    "purchases_per_link_click": ("purchases", "link_clicks", 1.0),
    "_outbound_ctr": ("outbound_clicks", "impressions", 100.0),
    "_unique_outbound_ctr": ("unique_outbound_clicks", "reach", 100.0),
    "_outbound_cost": ("spend", "outbound_clicks", 1.0),
    "_link_ctr": ("link_clicks", "impressions", 100.0),
    "_thruplay_cost": ("spend", "thruplays", 1.0),
}
_LISTS: dict[str, tuple[str, str]] = {
    "outbound_clicks": ("outbound_click", "outbound_clicks"),
    "unique_outbound_clicks": ("outbound_click", "unique_outbound_clicks"),
    "outbound_clicks_ctr": ("outbound_click", "_outbound_ctr"),
    "unique_outbound_clicks_ctr": ("outbound_click", "_unique_outbound_ctr"),
    "cost_per_outbound_click": ("outbound_click", "_outbound_cost"),
    "website_ctr": ("link_click", "_link_ctr"),
    "video_play_actions": ("video_view", "video_views"),
    "video_thruplay_watched_actions": ("video_view", "thruplays"),
    "video_30_sec_watched_actions": ("video_view", "thruplays"),
    "video_p25_watched_actions": ("video_view", "video_p25"),
    "video_p50_watched_actions": ("video_view", "video_p50"),
    "video_p75_watched_actions": ("video_view", "video_p75"),
    "video_p95_watched_actions": ("video_view", "video_p100"),
    "video_p100_watched_actions": ("video_view", "video_p100"),
    "cost_per_thruplay": ("video_view", "_thruplay_cost"),
}
