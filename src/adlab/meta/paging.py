"""Follow cursors: page after page, each read while the one before is being used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from adlab.core.errors import MetaUnavailableError, TooMuchDataError
from adlab.meta.client import Decode, GraphClient

SMALLEST_PAGE = 25


def pages(
    client: GraphClient,
    path: str,
    params: Mapping[str, Any],
    page_size: int | None = None,
    decode: Decode | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Every page of an edge, in order.

    Only `paging.next` tells that there is more (`after` is there on the last page too), yet the
    next page is asked for with `after`, because `next` carries the token. A page Meta finds too
    heavy is asked for again at half the size; later pages are tried in full again. `decode` reads
    pages of a known shape; see `GraphClient.get_page`.

    Raises:
        MetaUnavailableError: If a cursor repeats, which would loop forever, or an answer has no
            list of data.
        TooMuchDataError: If even the smallest page is too heavy.
        MetaError: As the client raises.
    """
    return _walk(client, path, params, page_size, None, decode)


def pages_after(
    client: GraphClient, path: str, params: Mapping[str, Any], first: dict[str, Any]
) -> Iterator[list[dict[str, Any]]]:
    """Every page of an edge whose first page is there already, that one included.

    Raises:
        MetaError: As `pages` does.
    """
    return _walk(client, path, params, None, first, None)


class _PageSize:
    """How many rows are asked for: halved when a page is too heavy, then tried in full again."""

    def __init__(self, full: int) -> None:
        self._full = self._now = full
        self._patience, self._good = 1, 0

    def __str__(self) -> str:
        return str(self._now)

    def shrink(self) -> bool:
        """Halve; False where that is not possible."""
        if self._now <= SMALLEST_PAGE:
            return False
        if self._now == self._full:
            # Reason: a list that is heavy all along would fail once for each smaller page.
            self._patience *= 2
        self._now, self._good = max(SMALLEST_PAGE, self._now // 2), 0
        return True

    def fits(self) -> None:
        """A page came; after a few the full size is tried again."""
        self._good += 1
        if self._now < self._full and self._good >= self._patience // 2:
            self._now = self._full


def _walk(
    client: GraphClient,
    path: str,
    params: Mapping[str, Any],
    page_size: int | None,
    first: dict[str, Any] | None,
    decode: Decode | None,
) -> Iterator[list[dict[str, Any]]]:
    size = _PageSize(page_size or client.page_size)
    seen: set[str] = set()

    def fetch(after: str | None) -> dict[str, Any]:
        while True:
            asked: dict[str, Any] = {**params, "limit": str(size)}
            if after:
                asked["after"] = after
            try:
                body = client.get_page(path, asked, decode)
            except TooMuchDataError as error:
                # Reason: only code 1 depends on the size of a page; "too many rows" and time-outs
                # are about the question, and smaller pages would only cost more calls.
                if not error.by_page or not size.shrink():
                    raise
                continue
            size.fits()
            return body

    with ThreadPoolExecutor(1, thread_name_prefix="page") as ahead:
        following: Future[dict[str, Any]] | None = None
        body = fetch(None) if first is None else first
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
