"""COVERAGE.md names everything that is answered."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import adlab.simulator
from adlab.simulator.async_writes import EDGES as ASYNC_EDGES
from adlab.simulator.audience import TARGETING_EDGES
from adlab.simulator.control import ControlPlane
from adlab.simulator.library import KIND_OF_EDGE
from adlab.simulator.state import Settings

from .conftest import Caller

TEXT = (Path(adlab.simulator.__file__).parent / "COVERAGE.md").read_text(encoding="utf-8")


def test_every_side_edge_is_named() -> None:
    edges = {*KIND_OF_EDGE, *TARGETING_EDGES, *ASYNC_EDGES, "subscribed_apps", "recommendations"}
    assert not [edge for edge in sorted(edges) if edge not in TEXT]


def test_every_control_route_is_named(tiny: Caller) -> None:
    graph = tiny.http.app.state.graph  # type: ignore[attr-defined]
    routes = [route.path for route in ControlPlane(graph, None).routes()]  # type: ignore[arg-type]
    assert len(routes) > 12
    assert not [path for path in routes if path not in TEXT]


def test_every_switch_is_explained() -> None:
    explained = Settings.__doc__ or ""
    assert not [f.name for f in dataclasses.fields(Settings) if f"{f.name}: " not in explained]
