"""Definition epochs: the days on which Meta changed what its numbers mean, kept as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from adlab.core.errors import ConflictError
from adlab.core.metrics import metric
from adlab.core.periods import Epoch
from adlab.storage import audit
from adlab.storage.statements import statement
from adlab.storage.tenancy import Reader


def load_epochs(reader: Reader) -> tuple[Epoch, ...]:
    """Every definition change, oldest first; the same for everybody."""
    return tuple(_epoch(r) for r in reader.rows("read_epochs"))


def list_epochs(connection: Connection) -> tuple[Epoch, ...]:
    """The same on an operator's connection."""
    return tuple(_epoch(r) for r in connection.execute(statement("read_epochs")).mappings())


def _epoch(row: Mapping[Any, Any]) -> Epoch:
    return Epoch(
        starts_on=row["starts_on"],
        title=row["title"],
        detail=row["detail"],
        last_on=row["ends_on"],
        metrics=tuple(row["metrics"]),
        source=row["source"],
    )


def store_epoch(connection: Connection, epoch: Epoch) -> None:
    """Add a definition change.

    Raises:
        ConflictError: If there is one of that day and title.
        UnknownMetricError: If a metric does not exist.
        ValueError: If it ends before it starts, or has no title.
    """
    if not epoch.title.strip():
        raise ValueError("a definition change needs a title")
    if epoch.ends_on < epoch.starts_on:
        raise ValueError(f"the change ends ({epoch.ends_on}) before it starts ({epoch.starts_on})")
    row = {
        "starts_on": epoch.starts_on,
        "ends_on": epoch.ends_on,
        "title": epoch.title.strip(),
        "detail": epoch.detail,
        "metrics": [metric(name).name for name in epoch.metrics],
        "source": epoch.source,
    }
    if connection.scalar(statement("epoch_insert"), row) is None:
        raise ConflictError(
            f"There is a change {row['title']!r} on {epoch.starts_on} already.",
            "Choose another title: adlab epoch list",
        )
    audit.record(connection, "epoch.add", starts_on=epoch.starts_on, title=row["title"])
