"""The guard: ends a supervisor's children when the supervisor dies without a word (kill -9).

Run as a plain script with the standard library only, so that it starts in 20 ms and stays small.
It reads lines "+<process group>" and "-<process group>" from standard input. The end of the input
means that the supervisor is gone: whatever is still on the list is then ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 5.0


def guard() -> None:
    """Keep the list of process groups until the input ends, then end them."""
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        if line[0] == "+":
            groups.add(number)
        else:
            groups.discard(number)
    _signal(groups, signal.SIGTERM)
    give_up = time.monotonic() + PATIENCE_SECONDS
    while groups and time.monotonic() < give_up:
        groups = {group for group in groups if _exists(group)}
        time.sleep(0.05)
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, number)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    # Reason: Ctrl-C and a closed terminal end the supervisor, which then ends its children itself.
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    guard()
