"""Follow cursors: page after page, each read while the one before is being used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from adlab.core.errors import MetaUnavailableError, TooMuchDataError
from adlab.meta.client import GraphClient

SMALLEST_PAGE = 25


def pages(
    client: GraphClient,
    path: str,
    params: Mapping[str, Any],
    page_size: int | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Every page of an edge, in order.

    Only `paging.next` tells that there is more (`after` is there on the last page too), yet the
    next page is asked for with `after`, because `next` carries the token. A page Meta finds too
    heavy is asked for again at half the size.

    Raises:
        MetaUnavailableError: If a cursor repeats, which would loop forever, or an answer has no
            list of data.
        TooMuchDataError: If even the smallest page is too heavy.
        MetaError: As the client raises.
    """
    size = page_size or client.page_size
    seen: set[str] = set()

    def fetch(after: str | None) -> dict[str, Any]:
        nonlocal size
        while True:
            asked: dict[str, Any] = {**params, "limit": str(size)}
            if after:
                asked["after"] = after
            try:
                return client.get_page(path, asked)
            except TooMuchDataError as error:
                # Reason: only code 1 depends on the size of a page; "too many rows" and time-outs
                # are about the question, and smaller pages would only cost more calls.
                if error.code != 1 or size <= SMALLEST_PAGE:
                    raise
                size = max(SMALLEST_PAGE, size // 2)

    with ThreadPoolExecutor(1, thread_name_prefix="page") as ahead:
        following: Future[dict[str, Any]] | None = None
        body = fetch(None)
        while True:
            after = _next_cursor(body)
            if after is not None:
                if after in seen:
                    raise MetaUnavailableError(
                        f"Paging of {path.rsplit('/', 1)[-1]} does not move on: a cursor repeats.",
                        "Nothing of this slice was kept; try again later.",
                    )
                seen.add(after)
                following = ahead.submit(fetch, after)
            rows: list[dict[str, Any]] = body["data"]
            yield rows
            if following is None or after is None:
                return
            body = following.result()
            following = None


def _next_cursor(body: Mapping[str, Any]) -> str | None:
    paging = body.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    if not isinstance(after, str) or not after:
        raise MetaUnavailableError(
            "Paging says there is more, but gives no cursor.", "Try again later."
        )
    return after
