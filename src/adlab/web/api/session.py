"""One transaction for one request: what is asked together is read together, and costs less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

import psycopg
from fastapi import APIRouter
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adlab.storage.engine import translate
from adlab.storage.tenancy import Reader


class RequestReader(Reader):
    """Reads with a person's rights, in one transaction until `rest`.

    Args:
        engine: Logged in as the boards' service.
        viewer: The person's viewer role.
    """

    def __init__(self, engine: Engine, viewer: str) -> None:
        super().__init__(engine, viewer)
        self._begun: tuple[AbstractContextManager[Connection], Connection] | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The read-only transaction of this request, begun when first needed."""
        if self._begun is None:
            context = super().connection()
            self._begun = context, context.__enter__()
        try:
            yield self._begun[1]
        except (DBAPIError, psycopg.Error) as error:
            self.rest()
            raise translate(error, self._engine.url) from error

    def call(self, query: str, **binds: Any) -> Any:
        """As `Reader.call`; what is read afterwards sees what it wrote."""
        self.rest()
        return super().call(query, **binds)

    def rest(self) -> None:
        """Give the connection back; the next question takes another."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun[0].__exit__(None, None, None)


class Router(APIRouter):
    """Routes whose connection is given back before the answer is written.

    Reason: writing takes a thread of the pool. Requests that hold a connection and wait for a
    thread would meet others that hold a thread and wait for a connection, and nobody went on.
    """

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        """Add a route; of its arguments, `caller` is asked to give its connection back."""

        @wraps(endpoint)
        def resting(*args: Any, **kwargs: Any) -> Any:
            try:
                return endpoint(*args, **kwargs)
            finally:
                if "caller" in kwargs:
                    kwargs["caller"].reader.rest()

        super().add_api_route(path, resting, **more)
