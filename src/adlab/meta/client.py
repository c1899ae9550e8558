"""One request to the Graph API: signed, with time-outs, retries and a bound on total time.

The token that signs travels in the Authorization header, never in a URL; `paging.next`, which
carries it, is never followed, logged or stored. Only `debug_token` takes the token it inspects in
its query, the one form Meta knows; addresses are never logged.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
import orjson

from adlab.core.errors import (
    AnswerLostError,
    MetaError,
    MetaUnavailableError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    RetryableMetaError,
    StaleCursorError,
    TooMuchDataError,
)
from adlab.core.quota import READ_POINTS, WRITE_POINTS, Budget, Caller
from adlab.meta import errors as graph_errors
from adlab.meta.limits import Pace, read_usage
from adlab.meta.rows import InsightsRow

log = logging.getLogger(__name__)

_BATCH_TIMEOUT = 960


@dataclass(frozen=True)
class Retry:
    """How often and how long to try again.

    Attributes:
        attempts: Tries in all.
        first_wait: Seconds before the second try; doubles, with jitter.
        longest_wait: Longest single wait.
        total: Seconds after which nothing is tried again.
        limited_attempts: Tries in all where the quota is used up and Meta does not say until when.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0
    total: float = 900.0
    limited_attempts: int = 24


Decode = Callable[[bytes], dict[str, Any] | None]


class Observe(Protocol):
    """Told of each call, for counters; must not raise and must not block."""

    def __call__(self, endpoint: str, outcome: str, seconds: float) -> None:
        """Take note of one call.

        Args:
            endpoint: What was called, without ids: `act/insights`, `node`, `batch`.
            outcome: `ok`, a Graph code such as `80000` or `100/33`, or `no_answer`.
            seconds: Until the answer, without waiting for the quota.
        """


class GraphClient:
    """Speaks to one Graph API with one token. Safe to share between threads.

    Args:
        base_url: Such as `https://graph.facebook.com`.
        api_version: Such as `v26.0`.
        token: Access token.
        app_secret: Adds `appsecret_proof` to each call.
        transport: For tests.
        retry: See `Retry`.
        sleep: Waits; tests hand in a fake.
        clock: Monotonic seconds.
        page_size: Rows a page of an edge.
        observe: Told of each call; see `Observe`.
        budget: The app's quota, shared with others; one of this client alone when omitted.
    """

    def __init__(
        self,
        base_url: str,
        api_version: str,
        token: str,
        *,
        app_secret: str | None = None,
        transport: httpx.BaseTransport | None = None,
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        page_size: int = 1000,
        observe: Observe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._prefix = f"/{api_version}"
        self._proof = (
            hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            if app_secret
            else None
        )
        self._token = token
        self._retry = retry or Retry()
        self._sleep = sleep
        self._clock = clock
        self._observe = observe
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "adlab"},
            timeout=httpx.Timeout(connect=10.0, read=120.0, write=30.0, pool=120.0),
            transport=transport,
            follow_redirects=False,
            # Reason: a proxy from the environment would see the token of a loopback test.
            trust_env=not base_url.startswith("http://"),
        )
        self._count_lock = threading.Lock()
        self.page_size = page_size
        self.pace = Pace(clock, sleep, budget)
        self.calls = 0

    def __repr__(self) -> str:
        return "GraphClient(…)"

    def serve(self, caller: Caller) -> GraphClient:
        """Say for whom calls are made from now on: the account, the client, the urgency."""
        self.pace.caller = caller
        return self

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read a node or an edge.

        Raises:
            MetaError: The kind that says what can be done; see `core.errors`.
        """
        return self._call("GET", path, params or {})

    def get_page(
        self, path: str, params: Mapping[str, Any], decode: Decode | None = None
    ) -> dict[str, Any]:
        """Read a page of an edge; an answer without a list of objects is asked for again.

        Args:
            path: The edge.
            params: Its parameters.
            decode: Reads a page of a known shape; None from it leaves the answer to the general
                reader.

        Raises:
            MetaUnavailableError: If it never holds one.
            MetaError: As for `get`.
        """
        return self._call(
            "GET", path, params, check=lambda body: _check_page(body, path), decode=decode
        )

    def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a form; only for calls that may be repeated safely (report runs)."""
        return self._call("POST", path, params or {})

    def send(
        self, path: str, params: Mapping[str, Any] | None = None, *, repeatable: bool
    ) -> dict[str, Any]:
        """Change something.

        Args:
            path: Node or edge.
            params: The form.
            repeatable: Whether doing it twice is the same as doing it once (a status, a budget).
                A creation is not: Meta has no idempotency key.

        Raises:
            AnswerLostError: If a change that is not repeatable was sent and no clear answer came;
                look for it, by its label or name, before sending it again.
            MetaError: As for `get`.
        """
        return self._call("POST", path, params or {}, points=WRITE_POINTS, repeatable=repeatable)

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Delete an object, or cancel what a path names; doing it twice does no more.

        Raises:
            MetaError: As for `get`; 100/33 when it is gone already.
        """
        return self._call("DELETE", path, params or {}, points=WRITE_POINTS)

    def batch(
        self, reads: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> list[dict[str, Any] | MetaError | None]:
        """Send up to fifty reads in one call; `meta.batch.read_all` is what to use.

        Returns:
            In the order asked: the answer, the error `get` would have raised, or None where Meta
            ran out of time.

        Raises:
            MetaError: If the call as a whole failed.
        """
        items = [
            {"method": "GET", "relative_url": f"{path.lstrip('/')}?{urlencode(self._wire(params))}"}
            for path, params in reads
        ]
        answers = self._call(
            "POST", "", {"batch": items}, points=len(reads), calls=len(reads),
            is_list=True, check=lambda body: _check_batch(body, len(reads)),
        )["items"]  # fmt: skip
        return [None if a is None else self._item(a) for a in answers]

    def rest(self, errors: Sequence[MetaError], attempt: int) -> None:
        """Wait before items of a batch are sent again, as long as the worst of them asks."""
        limits = [e for e in errors if isinstance(e, RateLimitedError)]
        for error in limits:
            self.pace.hold(error.retry_after, error.code)
        if not limits:
            self._sleep(self._backoff(attempt))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _wire(self, params: Mapping[str, Any]) -> dict[str, str]:
        wire = {k: v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in params.items()}
        if self._proof:
            wire["appsecret_proof"] = self._proof
        return wire

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        *,
        points: int = READ_POINTS,
        calls: int = 1,
        repeatable: bool = True,
        is_list: bool = False,
        check: Callable[[dict[str, Any]], None] | None = None,
        decode: Decode | None = None,
    ) -> dict[str, Any]:
        wire = self._wire(params)
        began = self._clock()
        attempt = 0
        while True:
            attempt += 1
            try:
                body = self._once(method, path, wire, points, calls, is_list, decode)
                if check is not None:
                    check(body)
                return body
            except (TooMuchDataError, ReportNotReadyError, StaleCursorError, AnswerLostError):
                # Reason: the caller must ask differently, or later; the same again is no use.
                raise
            except RetryableMetaError as error:
                self._wait_to_retry(error, path, attempt, began, repeatable)

    def _wait_to_retry(
        self, error: RetryableMetaError, path: str, attempt: int, began: float, repeatable: bool
    ) -> None:
        """Wait before the next try.

        Raises:
            MetaError: If there is to be none.
        """
        limited = isinstance(error, RateLimitedError)
        if not repeatable and not limited and not isinstance(error, _NotSentError):
            raise _lost(error) from None
        if error.code == _BATCH_TIMEOUT and not path:
            # Reason: the same batch would run out of time again; its caller sends halves.
            raise error
        if error.tries is not None and attempt >= error.tries and error.code == 1:
            raise TooMuchDataError(
                error.reason, f"Meta failed {attempt} times; ask for less, or later.",
                code=error.code, subcode=error.subcode, trace_id=error.trace_id,
            ) from None  # fmt: skip
        most = min(self._retry.attempts, error.tries or self._retry.attempts)
        wait = self._backoff(attempt)
        if isinstance(error, RateLimitedError):
            if error.told:
                wait = error.retry_after
            else:
                # Reason: the error alone does not say for how long; the longest wait would hold
                # up a run for minutes after a limit that was over in a second.
                most, wait = self._retry.limited_attempts, self._backoff(attempt, 1.0)
            self.pace.hold(wait, error.code)
        if attempt >= most or self._clock() - began + wait > self._retry.total:
            raise error
        log.warning(
            "meta_retry path=%s attempt=%d wait=%.1f error=%s", path, attempt, wait, error.code
        )
        if not limited:
            self._sleep(wait)

    def _backoff(self, attempt: int, first: float | None = None) -> float:
        begin = self._retry.first_wait if first is None else first
        longest = min(self._retry.longest_wait, begin * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # Reason: jitter, not a secret.

    def _once(
        self,
        method: str,
        path: str,
        wire: dict[str, str],
        points: int,
        calls: int,
        is_list: bool,
        decode: Decode | None,
    ) -> dict[str, Any]:
        self.pace.wait(points, calls)
        with self._count_lock:
            self.calls += calls
        url = f"{self._prefix}/{path.lstrip('/')}"
        began = time.perf_counter()
        outcome = "no_answer"
        try:
            if method == "POST":
                answer = self._http.post(url, data=wire)
            else:
                answer = self._http.request(method, url, params=wire)
            regain = self._note(answer.headers)
            body = decode(answer.content) if decode and answer.status_code == 200 else None
            if body is None:
                body = self._read(answer.status_code, answer.content, regain, is_list)
            outcome = "ok"
            return body
        except httpx.HTTPError as error:
            kind = _NotSentError if isinstance(error, _NEVER_SENT) else MetaUnavailableError
            raise kind(
                f"No answer from the Graph API ({type(error).__name__}).",
                "Check the network and ADLAB_META__BASE_URL; reading goes on by itself.",
            ) from None
        except MetaError as error:
            if error.code is not None:
                outcome = f"{error.code}/{error.subcode}" if error.subcode else str(error.code)
            raise
        finally:
            if self._observe is not None:
                self._observe(_endpoint(path), outcome, time.perf_counter() - began)

    def _note(self, headers: Mapping[str, str]) -> float:
        """Learn from an answer's headers; seconds until a used-up quota frees up."""
        usage = read_usage(headers, self.pace.caller)
        self.pace.note(usage)
        if warning := headers.get("x-ad-api-version-warning"):
            log.warning("meta_version_warning text=%s", warning[:200])
        return usage.wait_seconds

    def _item(self, item: Mapping[str, Any]) -> dict[str, Any] | MetaError:
        """One item of a batch: a status, a list of headers, and a body that is JSON in a text."""
        listed = item.get("headers")
        headers = {
            str(h.get("name", "")).lower(): str(h.get("value", ""))
            for h in (listed if isinstance(listed, list) else [])
            if isinstance(h, dict)
        }
        text = item.get("body")
        try:
            status = int(item.get("code") or 0)
            content = text.encode() if isinstance(text, str) else b""
            return self._read(status, content, self._note(headers), False)
        except MetaError as error:
            return error

    def _read(
        self, status: int, content: bytes, regain_seconds: float, is_list: bool
    ) -> dict[str, Any]:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if is_list and isinstance(body, list):
            body = {"items": body}
        if not isinstance(body, dict):
            # Reason: HTML, plain text, an empty or a cut body; clients that believed these
            # answers lost rows, so they count as an outage.
            raise MetaUnavailableError(
                f"The answer (HTTP {status}, {len(content)} bytes) is not what a Graph API says.",
                "Meta has trouble, or ADLAB_META__BASE_URL is no Graph API.",
            )
        if isinstance(body.get("error"), dict):
            told = {
                k: v.replace(self._token, "…") if isinstance(v, str) else v
                for k, v in body["error"].items()
            }
            error: MetaError = graph_errors.from_payload(told)
            if isinstance(error, RateLimitedError):
                if regain_seconds:
                    error.retry_after, error.told = regain_seconds, True
                elif error.code == 17:
                    error.retry_after, error.told = self.pace.block_seconds(), True
            raise error
        if body.get("success") is False:
            raise MetaUnavailableError("The Graph API answered success: false.", "Try again later.")
        if status >= 500:
            raise MetaUnavailableError(f"HTTP {status}.", "Meta has trouble; try later.")
        if status >= 400:
            raise RejectedRequestError(f"HTTP {status} without a reason.")
        return body


class _NotSentError(MetaUnavailableError):
    """There was no connection, so nothing was sent."""


_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def _lost(error: MetaError) -> AnswerLostError:
    return AnswerLostError(
        f"It may have been done or not: {error.reason}",
        "Look for it by its label or name before it is sent again.",
        code=error.code, subcode=error.subcode, trace_id=error.trace_id,
    )  # fmt: skip


def _endpoint(path: str) -> str:
    """What a path names, without ids."""
    if not path:
        return "batch"
    steps = path.strip("/").split("/")
    first = "act" if steps[0].startswith("act_") else steps[0]
    if not re.fullmatch(r"[a-z_]+", first):
        first = "node"
    return "/".join([first, *(s if re.fullmatch(r"[a-z_]+", s) else "id" for s in steps[1:])])


def _check_page(body: Mapping[str, Any], path: str) -> None:
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(r, dict | InsightsRow) for r in rows):
        raise MetaUnavailableError(
            f"A page of {path.rsplit('/', 1)[-1]} holds no list of objects.",
            "Meta has trouble; try again later.",
        )


def _check_batch(body: Mapping[str, Any], size: int) -> None:
    items = body.get("items")
    if (
        not isinstance(items, list)
        or len(items) != size
        or not all(i is None or isinstance(i, dict) for i in items)
    ):
        raise MetaUnavailableError(
            "A batch was not answered item by item.", "Meta has trouble; try again later."
        )
