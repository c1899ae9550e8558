"""This process and its children: how it ends, and what they inherit."""

from __future__ import annotations

import os
import signal
import threading
from typing import NoReturn

WAKE_SECONDS = 0.5


def listen_to_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt.

    Reason: a background shell hands SIGINT down ignored.
    """

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def wait_for_signal() -> NoReturn:
    """Wait, in the main thread, until one of those signals comes.

    Raises:
        KeyboardInterrupt: When it came.
    """
    never = threading.Event()
    while True:
        # Reason: a system may hand a signal to any thread, which does not end an open wait of the
        # main one, the only one that Python lets answer; so it looks up now and then.
        never.wait(WAKE_SECONDS)


def clean_environment() -> dict[str, str]:
    """Take our own variables out of this process, so that no child inherits the owner's secrets.

    Returns:
        What every child should get all the same.
    """
    kept = {n: os.environ[n] for n in ("ADLAB_LOG_LEVEL",) if n in os.environ}
    for name in [n for n in os.environ if n.startswith(("ADLAB_", "META_", "CONFIGPROXY_"))]:
        del os.environ[name]
    return kept
