"""The receiver of webhooks: `python -m adlab.web.hooks --port 8603`. Checks, stores, answers.

A process of its own, because it stands in the internet: it holds the app's secret, the verify token
and a login that can hand over updates and read nothing; no master key, no token, no owner's rights.
What it acknowledges is committed. What follows from an update is a job's work.

Answers: 200 when all that is believable is stored; 403 for a missing or wrong signature, 413 for a
body that is too large, 400 for one that is no message of Meta's, 503 when it cannot be stored, so
that Meta sends it again. Entries that are too old are answered 200, counted and not kept: Meta
would send the same ones again for 36 hours, and end the subscription after enough failures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adlab.core.errors import AdlabError, SettingsError
from adlab.meta.signatures import PATH, answer_handshake, is_signed
from adlab.meta.subscriptions_payload import PayloadError, read_payload
from adlab.web.hooks_store import BusyError, GroupCommit, Store

log = logging.getLogger(__name__)

LARGEST = 4 * 2**20
# Reason: all bodies being read at one moment; whoever floods us meets 503 before memory ends.
LARGEST_TOGETHER = 64 * 2**20
BODY_SECONDS = 10.0


@dataclass(frozen=True)
class HooksConfig:
    """Plain values; secrets are kept out of its text.

    Attributes:
        app_secret: Signs what Meta sends.
        verify_tokens: What a handshake of ours names; several while master keys change.
    """

    app_secret: str
    verify_tokens: tuple[str, ...]

    def __repr__(self) -> str:
        return "HooksConfig(…)"


class _Refused(Exception):  # Reason: an answer, not an error.
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Receiver:
    """Answers Meta's calls.

    Args:
        config: See `HooksConfig`.
        store: Where updates go.
        now: Current aware time.
        body_seconds: How long a body may take to arrive.
    """

    def __init__(
        self,
        config: HooksConfig,
        store: Store,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._config = config
        self._now = now
        self._body_seconds = body_seconds
        self._together = 0
        self.commits = GroupCommit(store, now)

    def app(self) -> Starlette:
        """The application; storing begins and ends with it."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.commits:
                yield

        return Starlette(
            routes=[
                Route(PATH, self.handshake, methods=["GET"]),
                Route(PATH, self.receive, methods=["POST"]),
                Route("/alive", self.alive, methods=["GET"]),
            ],
            lifespan=lifespan,
        )

    async def alive(self, _: Request) -> Response:
        """Say that the process runs."""
        return PlainTextResponse("ok")

    async def handshake(self, request: Request) -> Response:
        """Answer Meta's question whether a subscription is ours."""
        challenge = answer_handshake(request.query_params, self._config.verify_tokens)
        if challenge is None:
            return self._refuse(403, Counter(["handshake"]))
        return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})

    async def receive(self, request: Request) -> Response:
        """Check a message, store it, and say so."""
        try:
            signature = _signature(request)
            body = await self._body(request)
            if not is_signed(body, signature, self._config.app_secret):
                raise _Refused(403, "wrong_signature")
            payload = read_payload(body, self._now())
        except _Refused as no:
            return self._refuse(no.status, Counter([no.reason]))
        except PayloadError as error:
            return self._refuse(400, Counter([error.reason]))
        try:
            if payload.events:
                await self.commits.keep(payload.events)
        except (AdlabError, BusyError, TimeoutError) as error:
            reason = "busy" if isinstance(error, BusyError) else "not_stored"
            return self._refuse(503, Counter([reason]))
        self.commits.count(payload.refused)
        return PlainTextResponse("ok")

    async def _body(self, request: Request) -> bytes:
        """The body's bytes, as far as they may be believed to fit.

        Raises:
            _Refused: If it is too large, too slow, or ends early.
        """
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 12 or int(length) > LARGEST):
            raise _Refused(413, "too_large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    self._together += len(part)
                    # Reason: a body without a length, or with a false one, is counted as it comes.
                    if size > LARGEST:
                        raise _Refused(413, "too_large")
                    if self._together > LARGEST_TOGETHER:
                        raise _Refused(503, "busy")
        except TimeoutError:
            raise _Refused(408, "too_slow") from None
        except ClientDisconnect:
            raise _Refused(400, "cut_off") from None
        finally:
            self._together -= size
        return b"".join(parts)

    def _refuse(self, status: int, reasons: Mapping[str, int]) -> Response:
        self.commits.count(reasons)
        # Reason: what is left of a body that was not read must not be taken for the next call.
        headers = {"Connection": "close"} if status in (408, 413) else {}
        return PlainTextResponse(next(iter(reasons)), status, headers)


def _signature(request: Request) -> str:
    """The signature's header.

    Raises:
        _Refused: If there is none, or more than one.
    """
    found = request.headers.getlist("x-hub-signature-256")
    if len(found) != 1:
        raise _Refused(403, "no_signature")
    return found[0]


def read_config(environment: Mapping[str, str]) -> tuple[HooksConfig, str]:
    """The configuration, and the database URL of the receiver's login.

    Raises:
        SettingsError: If a variable is missing; names it.
    """
    names = ("ADLAB_DATABASE__URL", "ADLAB_HOOKS_APP_SECRET", "ADLAB_HOOKS_VERIFY_TOKENS")
    missing = [n for n in names if not environment.get(n)]
    if missing:
        raise SettingsError(
            f"{' and '.join(missing)} must be set.",
            "The receiver is started by: adlab webhooks serve",
        )
    url, secret, tokens = (environment[n] for n in names)
    return HooksConfig(secret, tuple(t for t in tokens.split(",") if t)), url


def main() -> None:
    """Read the arguments and serve."""
    import uvicorn

    from adlab.web.hooks_store import EngineStore

    parser = argparse.ArgumentParser(prog="python -m adlab.web.hooks")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        config, url = read_config(os.environ)
        store = EngineStore(url)
    except AdlabError as error:
        sys.exit(str(error))
    # Reason: an access log would keep verify tokens, which stand in the address.
    uvicorn.run(Receiver(config, store).app(), host=given.host, port=given.port,
                log_level="warning", access_log=False, server_header=False, lifespan="on",
                limit_concurrency=1000, timeout_keep_alive=30, h11_max_incomplete_event_size=65_536,
                forwarded_allow_ips="127.0.0.1", timeout_graceful_shutdown=15)  # fmt: skip


if __name__ == "__main__":
    main()
