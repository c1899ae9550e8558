"""Puts a worker's parts together from the runtime."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from adlab.jobs.measures import Measures
from adlab.jobs.tasks import TaskParts
from adlab.services.connections import ConnectionParts, upkeep
from adlab.services.deletion import perform_deletions

if TYPE_CHECKING:
    from adlab.runtime import Runtime


def task_parts(runtime: Runtime, measures: Measures) -> TaskParts:
    """What tasks need, with every request to Meta counted.

    Args:
        runtime: The process's runtime.
        measures: Where calls are counted.
    """
    runtime.observe_meta = measures.observe
    return TaskParts(
        ingest=runtime.ingest, page_size=runtime.settings.meta.page_size, agency=_agency(runtime)
    )


def _agency(runtime: Runtime) -> dict[str, Callable[[datetime], int]]:
    """Tasks that belong to no account: kind → what it did, as a count."""
    connections = ConnectionParts(runtime.engine, runtime.vault, runtime.meta)

    def look_after_tokens(now: datetime) -> int:
        return len(upkeep(connections, now))

    def delete_on_request(now: datetime) -> int:
        return len(perform_deletions(runtime.engine, now))

    return {"upkeep": look_after_tokens, "deletions": delete_on_request}
