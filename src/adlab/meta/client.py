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
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from adlab.core.errors import (
    MetaError,
    MetaUnavailableError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    RetryableMetaError,
    StaleCursorError,
    TooMuchDataError,
)
from adlab.meta import errors as graph_errors
from adlab.meta.limits import Pace, read_usage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """How often and how long to try again.

    Attributes:
        attempts: Tries in all.
        first_wait: Seconds before the second try; doubles, with jitter.
        longest_wait: Longest single wait.
        total: Seconds after which nothing is tried again.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0
    total: float = 900.0


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
        self.pace = Pace(clock, sleep)
        self.calls = 0

    def __repr__(self) -> str:
        return "GraphClient(…)"

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read a node or an edge.

        Raises:
            MetaError: The kind that says what can be done; see `core.errors`.
        """
        return self._call("GET", path, params or {})

    def get_page(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Read a page of an edge; an answer without a list of objects is asked for again.

        Raises:
            MetaUnavailableError: If it never holds one.
            MetaError: As for `get`.
        """
        return self._call("GET", path, params, is_page=True)

    def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a form; only for calls that may be repeated safely (report runs)."""
        return self._call("POST", path, params or {})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(
        self, method: str, path: str, params: Mapping[str, Any], is_page: bool = False
    ) -> dict[str, Any]:
        wire = {k: v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in params.items()}
        if self._proof:
            wire["appsecret_proof"] = self._proof
        began = self._clock()
        attempt = 0
        while True:
            attempt += 1
            try:
                body = self._once(method, path, wire)
                if is_page:
                    _check_page(body, path)
                return body
            except (TooMuchDataError, ReportNotReadyError, StaleCursorError):
                # Reason: the caller must ask differently, or later; the same again is no use.
                raise
            except RetryableMetaError as error:
                wait = self._wait_for(error, attempt)
                if attempt >= self._retry.attempts or (
                    self._clock() - began + wait > self._retry.total
                ):
                    raise
                log.warning(
                    "meta_retry path=%s attempt=%d wait=%.1f error=%s",
                    path,
                    attempt,
                    wait,
                    error.code,
                )
                if isinstance(error, RateLimitedError):
                    self.pace.hold(wait)
                else:
                    self._sleep(wait)

    def _wait_for(self, error: RetryableMetaError, attempt: int) -> float:
        if isinstance(error, RateLimitedError):
            return error.retry_after
        backoff = min(self._retry.longest_wait, self._retry.first_wait * 2.0 ** (attempt - 1))
        return backoff * random.uniform(0.5, 1.0)  # noqa: S311  # Reason: jitter, not a secret.

    def _once(self, method: str, path: str, wire: dict[str, str]) -> dict[str, Any]:
        self.pace.wait()
        with self._count_lock:
            self.calls += 1
        url = f"{self._prefix}/{path.lstrip('/')}"
        try:
            if method == "GET":
                answer = self._http.get(url, params=wire)
            else:
                answer = self._http.post(url, data=wire)
        except httpx.HTTPError as error:
            raise MetaUnavailableError(
                f"No answer from the Graph API ({type(error).__name__}).",
                "Check the network and ADLAB_META__BASE_URL; reading goes on by itself.",
            ) from None
        usage = read_usage(answer.headers)
        self.pace.note(usage)
        if warning := answer.headers.get("x-ad-api-version-warning"):
            log.warning("meta_version_warning text=%s", warning[:200])
        return self._read(answer, usage.wait_seconds)

    def _read(self, answer: httpx.Response, regain_seconds: float) -> dict[str, Any]:
        try:
            body = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            # Reason: HTML, plain text, an empty or a cut body; clients that believed these
            # answers lost rows, so they count as an outage.
            raise MetaUnavailableError(
                f"The answer (HTTP {answer.status_code}, {len(answer.content)} bytes) "
                "is not what a Graph API says.",
                "Meta has trouble, or ADLAB_META__BASE_URL is no Graph API.",
            )
        if isinstance(body.get("error"), dict):
            told = {
                k: v.replace(self._token, "…") if isinstance(v, str) else v
                for k, v in body["error"].items()
            }
            error: MetaError = graph_errors.from_payload(told)
            if isinstance(error, RateLimitedError) and regain_seconds:
                error.retry_after = regain_seconds
            raise error
        if body.get("success") is False:
            raise MetaUnavailableError("The Graph API answered success: false.", "Try again later.")
        if answer.status_code >= 500:
            raise MetaUnavailableError(
                f"HTTP {answer.status_code}.", "Meta has trouble; try later."
            )
        if answer.status_code >= 400:
            raise RejectedRequestError(f"HTTP {answer.status_code} without a reason.")
        return body


def _check_page(body: Mapping[str, Any], path: str) -> None:
    rows = body.get("data")
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise MetaUnavailableError(
            f"A page of {path.rsplit('/', 1)[-1]} holds no list of objects.",
            "Meta has trouble; try again later.",
        )
