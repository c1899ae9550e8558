"""One leader among workers: a lock that PostgreSQL gives back when its holder dies."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from adlab.core.errors import AdlabError

log = logging.getLogger(__name__)

_KEY = 7_204_118_531


class Leadership:
    """Holds the leader's lock on a connection of its own, or tries to get it.

    Args:
        engine: The owner's engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def holds(self) -> bool:
        """Whether the lock was held when last looked."""
        return self._connection is not None

    def seek(self) -> bool:
        """Take the lock if nobody has it, and make sure that it is still ours.

        Returns:
            Whether this process leads. A connection that broke has lost the lock.
        """
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                got = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY})
            except BaseException:
                connection.invalidate()
                raise
            if got:
                self._connection = connection
                log.info("worker_leads")
                return True
            connection.close()
        except (SQLAlchemyError, AdlabError) as error:
            log.warning("leader_lock_lost error=%s", type(error).__name__)
            self.resign()
        return False

    def resign(self) -> None:
        """Give the lock back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Reason: a pooled connection would keep the lock; a closed one never does.
            connection.invalidate()
            connection.close()
