"""How writes change what is delivered: pauses stop it, budgets scale it, from their moment on.

Every ad's days have a weight between two moments: the share of the day's delivery that falls
there, times the factors of its account, campaign, ad set and itself. Numbers only ever grow with
the moment, so a write never takes back what had been delivered and counted before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from adlab.simulator.delivery import CLASSES, EVENTS, FLOWS, Block
from adlab.simulator.edits import Edits
from adlab.simulator.hashing import Bools, Counts, Floats
from adlab.simulator.periods import day_start
from adlab.simulator.restatement import arrived_share, delivered_share
from adlab.simulator.world import AccountWorld

_LARGEST_FACTOR = 50.0
Steps = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Weights:
    """What part of a cell's final numbers is known: delivery, and conversions by class."""

    flow: float
    arrived: tuple[float, ...]


def steered_ads(account: AccountWorld) -> Bools:
    """Tell which ads any write has started, stopped or rescaled."""
    chosen = np.zeros(len(account.ads), dtype=bool)
    for level, index in {*account.edits.running, *account.edits.budgets}:
        chosen |= account.index_of_ads(level) == index
    return chosen


def steps_of(account: AccountWorld, ad: int) -> Steps:
    """Give an ad's delivery factor over time; before the first step it is 1."""
    edits = account.edits
    places = [
        ("account", 0),
        ("campaign", int(account.ads.campaign[ad])),
        ("adset", int(account.ads.ad_set[ad])),
        ("ad", ad),
    ]
    lines = [line for place in places for line in _lines(edits, place)]
    moments = sorted({moment for line in lines for moment, _ in line})
    found = []
    for moment in moments:
        factor = 1.0
        for line in lines:
            past = [value for at, value in line if at <= moment]
            factor *= past[-1] if past else 1.0
        found.append((moment, min(factor, _LARGEST_FACTOR)))
    return tuple(found)


def _lines(edits: Edits, place: tuple[str, int]) -> list[list[tuple[float, float]]]:
    return [table[place] for table in (edits.running, edits.budgets) if place in table]


def steer(
    account: AccountWorld,
    block: Block,
    low: int,
    high: int,
    columns: dict[str, Counts],
    moment: float,
) -> dict[str, Counts]:
    """Put what writes did into columns of a run of cells.

    Args:
        account: The account with its edits.
        block: Final numbers, as if nothing had been written.
        low: First cell.
        high: Cell after the last.
        columns: What is known of them at the moment without writes.
        moment: Unix time of the newest refresh.

    Returns:
        The columns, changed where an ad was steered.
    """
    affected = steered_ads(account)[block.ad[low:high]]
    cells = np.flatnonzero(affected)
    if len(cells) == 0:
        return columns
    lines: dict[int, Steps] = {}
    known: dict[tuple[Steps, int], _Weights | None] = {}
    chosen: list[int] = []
    weights: list[_Weights] = []
    for cell, day, ad in zip(
        cells.tolist(),
        block.day[low:high][cells].tolist(),
        block.ad[low:high][cells].tolist(),
        strict=True,
    ):
        if ad not in lines:
            lines[ad] = steps_of(account, ad)
        name = (lines[ad], day)
        if name not in known:
            known[name] = _weigh(account, day, lines[ad], moment)
        found = known[name]
        if found is not None:
            chosen.append(cell)
            weights.append(found)
    if not chosen:
        return columns
    return _rewrite(block, low, columns, np.array(chosen), weights)


def _weigh(account: AccountWorld, day: int, steps: Steps, moment: float) -> _Weights | None:
    """Give a day's weights, or None when no step changes it."""
    zone = account.zone
    start, end = day_start(zone, day), day_start(zone, day + 1)
    before = [factor for at, factor in steps if at <= start]
    inside = [(at, factor) for at, factor in steps if start < at < min(end, moment)]
    first = before[-1] if before else 1.0
    if first == 1.0 and not inside:
        return None
    until = min(moment, end)
    edges = [float(start), *(at for at, _ in inside), float(until)]
    factors = [first, *(factor for _, factor in inside)]
    flow, arrived = 0.0, [0.0] * len(CLASSES)
    for (a, b), factor in zip(pairwise(edges), factors, strict=True):
        flow += factor * (delivered_share(zone, day, b) - delivered_share(zone, day, a))
        for place, name in enumerate(CLASSES):
            share = arrived_share(zone, day, b, name) - arrived_share(zone, day, a, name)
            arrived[place] += factor * share
    if moment > end:
        # Reason: conversions that arrive after the day belong to what was delivered on it.
        for place, name in enumerate(CLASSES):
            late = arrived_share(zone, day, moment, name) - arrived_share(zone, day, end, name)
            arrived[place] += flow * late
    return _Weights(flow, tuple(arrived))


def _rewrite(
    block: Block,
    low: int,
    columns: dict[str, Counts],
    cells: np.ndarray[tuple[int], np.dtype[np.int64]],
    weights: list[_Weights],
) -> dict[str, Counts]:
    at = cells + low
    flow = np.array([item.flow for item in weights])
    flow_offset, offset = block.flow_offset[at], block.conversion_offset[at]
    shown = np.minimum(_part(block.columns["impressions"][at], flow, flow_offset), 1)
    changed = {name: values.copy() for name, values in columns.items()}
    for name in changed:
        if name in FLOWS:
            changed[name][cells] = _part(block.columns[name][at], flow, flow_offset) * shown
    for place, suffix in enumerate(CLASSES):
        share = np.array([item.arrived[place] for item in weights])
        for event in EVENTS:
            name = f"{event}_{suffix}"
            if name in changed:
                changed[name][cells] = _part(block.columns[name][at], share, offset) * shown
        name = f"revenue_{suffix}"
        if name in changed:
            final = block.columns[f"purchase_{suffix}"][at]
            counted = _part(final, share, offset).astype(np.int64)
            whole = block.columns[name][at].astype(np.int64)
            value = whole * counted // np.maximum(final, 1)
            changed[name][cells] = np.minimum(value, 2**31 - 1).astype(np.int32) * shown
    return changed


def _part(final: Counts, share: Floats, offset: Floats) -> Counts:
    return np.floor(final * share + offset).astype(np.int32)
