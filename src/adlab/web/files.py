"""The campaign table of a board as a file, with every row that passes the filter."""

from __future__ import annotations

import pandas as pd

from adlab.core.entities import public_id
from adlab.core.metrics import METRICS
from adlab.exports.tables import Provenance, Table
from adlab.exports.write_csv import write_csv
from adlab.exports.write_xlsx import write_xlsx
from adlab.ui.address import METRICS as SHOWN


def campaigns_file(
    kind: str, rows: pd.DataFrame, parts: pd.DataFrame, source: Provenance
) -> str | bytes:  # fmt: skip
    """Campaign rows as a file.

    Args:
        kind: `csv` or `xlsx`.
        rows: Indexed by the store's number: name, status, currency, then metric values.
        parts: The sums of at least these rows, by the same number.
        source: What the numbers are.

    Returns:
        Text for CSV, bytes for XLSX.
    """
    table = campaigns_table(rows, parts, source)
    return write_xlsx(table) if kind == "xlsx" else write_csv(table)


def campaigns_table(rows: pd.DataFrame, parts: pd.DataFrame, source: Provenance) -> Table:
    """Campaign rows ready to be written."""
    labels = pd.DataFrame(
        {
            "campaign_id": [public_id(int(i)) for i in rows.index],
            "campaign": rows["name"].tolist(),
            "status": [s if isinstance(s, str) else "" for s in rows["status"]],
        },
        dtype=object,
    )
    return Table(
        labels, [str(c) for c in rows["currency"]], tuple(METRICS[n] for n in SHOWN),
        rows[list(SHOWN)], source, parts.reindex(rows.index),
    )  # fmt: skip
