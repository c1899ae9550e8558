"""How processes of ours end: on a signal, whichever thread the system hands it to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

WAITING = """
import signal, threading
from adlab.cli.process import listen_to_signals, wait_for_signal
listen_to_signals()
def told():
    number = getattr(signal, "{name}")
    signal.pthread_kill({thread}.ident, number)
    threading.Event().wait()
# Reason: a timer, so that the main thread is waiting by then.
timer = threading.Timer(0.5, told)
timer.daemon = True
timer.start()
try:
    wait_for_signal()
except KeyboardInterrupt:
    print("told")
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no pthread_kill")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("thread", ["threading.main_thread()", "threading.current_thread()"])
def test_a_signal_ends_the_wait_in_whichever_thread_it_arrives(name: str, thread: str) -> None:
    code = WAITING.format(name=name, thread=thread)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr
