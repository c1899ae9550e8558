"""Puts a worker's parts together from the runtime."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from adlab.jobs.measures import Measures
from adlab.jobs.tasks import TaskParts

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
    return {}
