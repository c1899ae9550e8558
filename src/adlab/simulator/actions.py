"""Wire text of lists of action statistics: actions, action_values, ROAS, results.

The same conversion stands under every name of its family, and windows are counts of their own.
Text is built per row from cached fragments: counts repeat, so most rows find theirs ready.
"""

from __future__ import annotations

import numpy as np

from adlab.simulator.catalog import (
    CLICK_WINDOWS,
    EVENT_TYPES,
    FLOW_TYPES,
    OFF_META_FLOWS,
    POST_ENGAGEMENT,
    SETTING_CLASSES,
    WINDOW_CLASSES,
)
from adlab.simulator.hashing import Bools, Ints
from adlab.simulator.reporting import Table
from adlab.simulator.wire import money_text, plain_number

_CACHE_LIMIT = 100_000
_flow_cache: dict[tuple[str, tuple[str, ...], int], str] = {}
_event_cache: dict[tuple[str, tuple[str, ...], tuple[int, ...]], str] = {}


class ActionWriter:
    """Writes the action fields of a table's rows.

    Args:
        table: The rows of one page.
        windows: Requested attribution windows, in order.
        minor_per_major: Meta's offset of the account's currency.
        without_web: Whether conversions off Meta are withheld (hourly, region).
        action_types: Only these action types, when a filter said so.
    """

    def __init__(
        self,
        table: Table,
        windows: tuple[str, ...],
        minor_per_major: int,
        *,
        without_web: bool,
        action_types: tuple[str, ...] | None,
    ) -> None:
        self._table, self._offset = table, minor_per_major
        self._windows = windows
        self._shown = tuple(w for w in windows if w in WINDOW_CLASSES or w == "default")
        self._without_web = without_web
        self._types = action_types
        self.is_mixed: Bools = table.setting_low != table.setting_high
        # Reason: rows that mix attribution settings have actions only when fixed windows were
        # asked for, without "default".
        explicit = bool(windows) and "default" not in windows
        self.withheld: list[bool] = (
            [] if explicit or not bool(self.is_mixed.any()) else (self.is_mixed.tolist())
        )
        self._has_value = ~self.is_mixed

    def _keeps(self, action_type: str) -> bool:
        return self._types is None or action_type in self._types

    def values(self, event: str) -> Ints:
        """Give an event's count under each row's own attribution setting; 0 for mixed rows."""
        total = np.zeros(len(self._table), dtype=np.int64)
        for code, classes in enumerate(SETTING_CLASSES):
            own = (self._table.setting_low == code) & self._has_value
            if bool(own.any()):
                total[own] = sum(self._table.columns[f"{event}_{c}"][own] for c in classes)
        return total

    def _window_columns(self, event: str) -> list[list[int]]:
        listed = [self.values(event).tolist()]
        for window in self._shown:
            if window == "default":
                listed.append(listed[0])
                continue
            parts = [self._table.columns[f"{event}_{c}"] for c in WINDOW_CLASSES[window]]
            listed.append(sum(parts[1:], parts[0]).tolist())
        return listed

    def actions(self) -> list[str]:
        """Write `actions`."""
        lists = [self._flow_texts()]
        if not self._without_web:
            lists += [self._event_texts(event) for event in EVENT_TYPES]
        return self._fragments("actions", ["".join(parts) for parts in zip(*lists, strict=True)])

    def _flow_texts(self) -> list[str]:
        columns: list[list[str]] = []
        sums: dict[tuple[str, ...], list[int]] = {}
        for name, (action_type, sources) in FLOW_TYPES.items():
            if not self._keeps(action_type) or (self._without_web and name in OFF_META_FLOWS):
                continue
            if sources not in sums:
                parts = [self._table.columns[source] for source in sources]
                sums[sources] = sum(parts[1:], parts[0]).tolist()
            columns.append([self._flow(action_type, count) for count in sums[sources]])
        if not columns:
            return [""] * len(self._table)
        return ["".join(parts) for parts in zip(*columns, strict=True)]

    def _flow(self, action_type: str, count: int) -> str:
        if count == 0:
            return ""
        name = (action_type, self._shown, count)
        found = _flow_cache.get(name)
        if found is None:
            windows = "".join(
                f',"{w}":"{count}"' for w in self._shown if w in CLICK_WINDOWS or w == "default"
            )
            found = f'{{"action_type":"{action_type}","value":"{count}"{windows}}},'
            if len(_flow_cache) > _CACHE_LIMIT:
                _flow_cache.clear()
            _flow_cache[name] = found
        return found

    def _event_texts(self, event: str) -> list[str]:
        types = tuple(t for t in EVENT_TYPES[event] if self._keeps(t))
        counts = list(zip(*self._window_columns(event), strict=True))
        windows = self._shown
        texts: list[str] = []
        for row in counts:
            if not any(row):
                texts.append("")
                continue
            found = _event_cache.get((event, windows, row)) if self._types is None else None
            if found is None:
                found = _entries(types, [str(n) if n else "" for n in row], windows)
                if self._types is None:
                    if len(_event_cache) > _CACHE_LIMIT:
                        _event_cache.clear()
                    _event_cache[event, windows, row] = found
            texts.append(found)
        return texts

    def _fragments(self, field: str, texts: list[str]) -> list[str]:
        made = [f',"{field}":[{text[:-1]}]' if text else "" for text in texts]
        if self.withheld:
            made = [
                "" if hidden else text for text, hidden in zip(made, self.withheld, strict=True)
            ]
        return made

    def action_values(self) -> list[str]:
        """Write `action_values`: revenue of purchases, under every name of a purchase."""
        if self._without_web:
            return [""] * len(self._table)
        types = tuple(t for t in EVENT_TYPES["purchase"] if self._keeps(t))
        rows = zip(*self._window_columns("revenue"), strict=True)
        offset, windows = self._offset, self._shown
        texts = [
            _entries(types, [money_text(n, offset) if n else "" for n in row], windows)
            if any(row)
            else ""
            for row in rows
        ]
        return self._fragments("action_values", texts)

    def cost_per_action_type(self) -> list[str]:
        """Write `cost_per_action_type` for the first name of each kind of action."""
        spend = self._table.columns["spend"].tolist()
        texts = [""] * len(spend)
        counted: list[tuple[str, list[int]]] = []
        for name, (action_type, sources) in FLOW_TYPES.items():
            if not (self._without_web and name in OFF_META_FLOWS):
                parts = [self._table.columns[source] for source in sources]
                counted.append((action_type, sum(parts[1:], parts[0]).tolist()))
        if not self._without_web:
            for event, types in EVENT_TYPES.items():
                counted += [(action_type, self.values(event).tolist()) for action_type in types]
        for action_type, counts in counted:
            if not self._keeps(action_type):
                continue
            texts = [
                text
                + (
                    f'{{"action_type":"{action_type}","value":'
                    f'"{plain_number(cost / self._offset / n)}"}},'
                    if n
                    else ""
                )
                for text, n, cost in zip(texts, counts, spend, strict=True)
            ]
        return self._fragments("cost_per_action_type", texts)

    def roas(self, field: str, action_type: str) -> list[str]:
        """Write a return on ad spend, with a ratio per requested window."""
        if self._without_web:
            return [""] * len(self._table)
        spend = self._table.columns["spend"].tolist()
        rows = zip(*self._window_columns("revenue"), strict=True)
        texts = [
            _entries(
                (action_type,), [plain_number(n / cost) if n else "" for n in row], self._shown
            )
            if cost and any(row)
            else ""
            for row, cost in zip(rows, spend, strict=True)
        ]
        return self._fragments(field, texts)

    def results(self, field: str, objective: Ints, *, per_cost: bool) -> list[str]:
        """Write `results` or `cost_per_result`: what each row's objective counts."""
        indicators = (
            "actions:offsite_conversion.fb_pixel_purchase",
            "actions:offsite_conversion.fb_pixel_lead",
            "actions:link_click",
            "reach",
            "actions:post_engagement",
        )
        columns = self._table.columns
        engaged = sum((columns[name] for name in POST_ENGAGEMENT[1:]), columns["link_clicks"])
        choices = [
            self.values("purchase"),
            self.values("lead"),
            columns["link_clicks"],
            columns["fresh"],
            engaged,
        ]
        counts = np.choose(objective, choices)
        spend = columns["spend"].tolist() if per_cost else [0] * len(objective)
        made: list[str] = []
        for kind, count, cost in zip(objective.tolist(), counts.tolist(), spend, strict=True):
            if count == 0 or (self._without_web and kind < 2):
                made.append("")
                continue
            value = plain_number(cost / self._offset / count) if per_cost else str(count)
            made.append(
                f',"{field}":[{{"indicator":"{indicators[kind]}","values":[{{"value":'
                f'"{value}","attribution_windows":["default"]}}]}}]'
            )
        if self.withheld or bool(self.is_mixed.any()):
            made = [
                "" if hidden else text
                for text, hidden in zip(made, self.is_mixed.tolist(), strict=True)
            ]
        return made


def _entries(types: tuple[str, ...], texts: list[str], windows: tuple[str, ...]) -> str:
    """Write one entry per action type, all with the same value and window keys."""
    rest = f'"value":"{texts[0] or "0"}"'
    for window, text in zip(windows, texts[1:], strict=True):
        if text:
            rest += f',"{window}":"{text}"'
    return "".join([f'{{"action_type":"{name}",{rest}}},' for name in types])


def single_list(field: str, action_type: str, values: list[str]) -> list[str]:
    """Write lists of one action statistic; an empty value gives no key."""
    return [
        f',"{field}":[{{"action_type":"{action_type}","value":"{value}"}}]' if value else ""
        for value in values
    ]
