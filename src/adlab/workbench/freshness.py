"""How fresh every account of a notebook's person is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from adlab.services.freshness import load_freshness

if TYPE_CHECKING:
    from adlab.workbench.lab import Workbench


def freshness(lab: Workbench, client: str | Sequence[str] | None) -> pd.DataFrame:
    """What `Workbench.freshness` returns; its arguments are explained there."""
    slugs = {c.client_id: c.slug for c in lab.chosen(client)}
    return load_freshness(lab.reader, slugs, lab.now())
