"""Keep a house of child processes alive: whoever ends by himself is started again.

One part that fails never takes the others with it; one that fails again and again is left alone
after a while, and everybody is told.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from adlab.core.errors import AdlabError
from adlab.local.process import Supervisor

GIVE_UP_AFTER = 5
WITHIN_SECONDS = 300.0


class Tender:
    """Watches a supervisor's children.

    Args:
        parts: The children.
        say: Tells the person at the terminal.
        clock: Seconds; tests move it.
    """

    def __init__(
        self,
        parts: Supervisor,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._say = say
        self._clock = clock
        self._deaths: dict[str, deque[float]] = {}
        self._given_up: set[str] = set()
        self._busy: set[str] = set()

    def watch(self, stop: threading.Event, every: float = 0.5) -> None:
        """Look after everybody until `stop` is set."""
        while not stop.wait(every):
            self.look(stop)

    def look(self, stop: threading.Event) -> None:
        """Look once; restarts happen in threads, so that one slow start delays nobody."""
        for child in self._parts.ended():
            name = child.name
            if name in self._busy or name in self._given_up:
                continue
            deaths = self._deaths.setdefault(name, deque(maxlen=GIVE_UP_AFTER))
            deaths.append(self._clock())
            if len(deaths) == GIVE_UP_AFTER and deaths[-1] - deaths[0] < WITHIN_SECONDS:
                self._given_up.add(name)
                self._say(
                    f"{name} has ended {GIVE_UP_AFTER} times within minutes and is left alone; the "
                    f"other parts go on. Its log: {child.log}"
                )
                continue
            self._busy.add(name)
            self._say(f"{name} has ended ({child.process.returncode}); starting it again.")
            threading.Thread(
                target=self._again, args=(name, len(deaths), stop), daemon=True
            ).start()

    def _again(self, name: str, attempt: int, stop: threading.Event) -> None:
        try:
            if attempt > 1 and stop.wait(min(30.0, 2.0 ** (attempt - 1))):
                return
            if not stop.is_set():
                self._parts.restart(name)
                self._say(f"{name} is back.")
        except AdlabError as error:
            if not stop.is_set():
                self._say(f"{name} could not be started again: {error.message}")
                self._retry(name, attempt + 1, stop)
        finally:
            self._busy.discard(name)

    def _retry(self, name: str, attempt: int, stop: threading.Event) -> None:
        if attempt > GIVE_UP_AFTER:
            self._given_up.add(name)
            self._say(f"{name} is left alone; the other parts go on.")
            return
        self._again(name, attempt, stop)
