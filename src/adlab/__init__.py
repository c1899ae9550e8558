"""adlab: a Jupyter-native analytics and optimisation workbench for Meta advertising.

    import adlab
    lab = adlab.connect()
    lab.insights(client="acme", last="30d")

Names are loaded when first used, so that small programs start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adlab.core.errors import AdlabError
    from adlab.core.metrics import METRICS, MetricDef
    from adlab.core.periods import DateRange
    from adlab.workbench import Client, InsightsFrame, Workbench
    from adlab.workbench.connect import connect

__version__ = "0.1.0"

_WHERE = {
    "AdlabError": "adlab.core.errors",
    "Client": "adlab.workbench",
    "DateRange": "adlab.core.periods",
    "InsightsFrame": "adlab.workbench",
    "METRICS": "adlab.core.metrics",
    "MetricDef": "adlab.core.metrics",
    "Workbench": "adlab.workbench",
    "connect": "adlab.workbench.connect",
}

__all__ = [
    "METRICS",
    "AdlabError",
    "Client",
    "DateRange",
    "InsightsFrame",
    "MetricDef",
    "Workbench",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'adlab' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
