"""Many small requests in one call: answers in order, each its own success or error.

Every item counts as a call for every quota, so a batch saves waiting, never quota. An item Meta ran
out of time for comes back as null and is sent again; a batch Meta ran out of time for is sent again
in halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adlab.core.errors import (
    MetaError,
    MetaUnavailableError,
    ReportNotReadyError,
    RetryableMetaError,
    StaleCursorError,
    TooMuchDataError,
)
from adlab.meta.client import GraphClient

LARGEST = 50
_ROUNDS = 5
_BATCH_TIMEOUT = 960
_FOR_THE_CALLER = (TooMuchDataError, ReportNotReadyError, StaleCursorError)


@dataclass(frozen=True)
class Read:
    """One GET of a batch.

    Attributes:
        path: Node or edge, without version.
        params: As for `GraphClient.get`.
    """

    path: str
    params: Mapping[str, Any] = field(default_factory=dict)


def read_all(
    client: GraphClient, reads: Sequence[Read], size: int = LARGEST
) -> list[dict[str, Any] | MetaError]:
    """Answers of many reads, in their order.

    Items that failed for a moment are sent again with those that were not finished. What the
    caller must decide on (a missing object, a question too large) stands in the item's place as
    the error `GraphClient.get` would have raised.

    Args:
        client: The signed client.
        reads: What to read; any number.
        size: Items a call, at most 50.

    Raises:
        MetaError: If a whole call failed in a way waiting does not help (a dead token).
    """
    answers: list[dict[str, Any] | MetaError | None] = [None] * len(reads)
    waiting = list(range(len(reads)))
    size = max(1, min(size, LARGEST))
    for attempt in range(1, _ROUNDS + 1):
        again: list[int] = []
        for places, used in _calls(client, reads, waiting, size, answers):
            size = used
            again += [p for p in places if _is_to_be_sent_again(answers[p])]
        waiting = again
        if not waiting:
            break
        if attempt < _ROUNDS:
            client.rest([e for p in waiting if isinstance(e := answers[p], MetaError)], attempt)
    unfinished = MetaUnavailableError(
        f"An item of a batch was not finished in {_ROUNDS} tries.", "Meta is busy; try again later."
    )
    return [unfinished if a is None else a for a in answers]


def _calls(
    client: GraphClient,
    reads: Sequence[Read],
    waiting: Sequence[int],
    size: int,
    answers: list[dict[str, Any] | MetaError | None],
) -> Iterator[tuple[Sequence[int], int]]:
    """Send what waits, filling in answers; yields the places of each call and the size in use."""
    start = 0
    while start < len(waiting):
        places = waiting[start : start + size]
        try:
            found = client.batch([(reads[p].path, reads[p].params) for p in places])
        except MetaUnavailableError as error:
            if error.code != _BATCH_TIMEOUT or size == 1:
                raise
            size = max(1, min(size, len(places)) // 2)
            continue
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
        yield places, size
        start += len(places)


def _is_to_be_sent_again(answer: dict[str, Any] | MetaError | None) -> bool:
    if isinstance(answer, RetryableMetaError):
        return not isinstance(answer, _FOR_THE_CALLER)
    return answer is None
