"""The attribution setting and Meta's rankings beside the metrics of a frame."""

from __future__ import annotations

import pandas as pd

from adlab.core.entities import Level, public_id
from adlab.services.breakdowns_read import load_settings
from adlab.services.insights import InsightsQuery
from adlab.storage.tenancy import Reader

RANKINGS = ("quality_ranking", "engagement_rate_ranking", "conversion_rate_ranking")


def add_settings(frame: pd.DataFrame, reader: Reader, query: InsightsQuery) -> None:
    """Add `attribution_setting`, and of ads the rankings, to a frame of insights in place."""
    columns = ["attribution_setting", *(RANKINGS if query.level is Level.AD else ())]
    word = query.level.word
    found = load_settings(reader, query)
    found[f"{word}_id"] = [public_id(int(i)) for i in found["object_id"]]
    keys = [f"{word}_id"]
    if query.increment != "all_days":
        found["date"] = pd.to_datetime(found["date"])
        keys = ["date", *keys]
    # Reason: an object stands in two accounts when older days came from a file; files know no
    # settings, so the row that knows one is the one to show.
    found = found.sort_values("attribution_setting", na_position="last")
    settings = found.drop_duplicates(keys).set_index(keys)[columns].reindex(frame.index)
    for name in columns:
        frame[name] = settings[name].astype(object)
