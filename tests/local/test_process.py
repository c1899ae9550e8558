from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from adlab.core.errors import ConflictError, EmbeddedServerError
from adlab.local import (
    Supervisor,
    choose_port,
    free_port,
    running_instance,
    single_instance,
)
from adlab.local.watching import is_alive, wait_until_gone

Python = Callable[..., subprocess.Popen[str]]
# A child with a grandchild that ignores SIGTERM; prints the grandchild's pid.
TREE = """
import subprocess, sys, time
deaf = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
print(subprocess.Popen([sys.executable, "-c", deaf]).pid, flush=True)
time.sleep(600)
"""
SUPERVISE = f"""
import sys, time
from pathlib import Path
from adlab.local import Supervisor
child = Supervisor().start(
    "tree", [sys.executable, "-c", {TREE!r}], log=Path(sys.argv[1]), ready_line=r"\\d+"
)
print(child.pid, child.said().strip(), flush=True)
time.sleep(600)
"""


def test_terminate_ends_the_whole_tree(tmp_path: Path) -> None:
    with Supervisor() as parts:
        child = parts.start(
            "tree", [sys.executable, "-c", TREE], log=tmp_path / "log", ready_line=r"\d+\n"
        )
        tree = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        assert len(tree) == 2
        parts.terminate(patience=0.5)
        assert [process for process in tree if is_alive(process)] == []
        assert parts.children == ()


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path, python: Python) -> None:
    parent = python(SUPERVISE, tmp_path / "log")
    assert parent.stdout is not None
    tree = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert all(is_alive(process) for process in tree)
    parent.kill()
    parent.wait()
    assert wait_until_gone(tree, 10) == []


def test_a_child_that_died_is_named_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys,time; print('up', flush=True); time.sleep(.3); sys.exit('no more money')"
    with Supervisor() as parts:
        parts.start("bank", [sys.executable, "-c", code], log=tmp_path / "log", ready_line="up")
        with pytest.raises(EmbeddedServerError, match=r"bank ended \(1\).*up \| no more money"):
            parts.wait(threading.Event(), every=0.05)


def test_a_child_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "print('hm', flush=True); import time; time.sleep(60)"]
    with Supervisor() as parts:
        with pytest.raises(EmbeddedServerError, match="slow was not ready after 1 seconds"):
            parts.start("slow", sleeper, log=tmp_path / "log", timeout=0.6, ready=lambda: False)
        assert parts.children == ()
        with pytest.raises(EmbeddedServerError, match=r"early ended \(3\)"):
            parts.start(
                "early",
                [sys.executable, "-c", "raise SystemExit(3)"],
                log=tmp_path / "log",
                ready_url=f"http://127.0.0.1:{free_port()}/",
            )
        with pytest.raises(EmbeddedServerError, match="absent could not be started"):
            parts.start("absent", ["/no/such/program"], log=tmp_path / "log")


def test_a_web_child_is_ready_when_it_answers(tmp_path: Path) -> None:
    port = free_port()
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with Supervisor() as parts:
        parts.start(
            "web", server, log=tmp_path / "log", cwd=tmp_path, ready_url=f"http://127.0.0.1:{port}"
        )
        with pytest.raises(ValueError, match="runs already"):
            parts.start("web", server, log=tmp_path / "log")
        parts.raise_if_dead()

        taken = choose_port(port)
        assert taken.port != port
        assert taken.taken_by is not None
        assert str(parts.children[0].pid) in taken.taken_by
        parts.stop("web")
    assert choose_port(port).taken_by is None


def test_a_second_instance_is_refused_and_told_where(tmp_path: Path) -> None:
    assert running_instance(tmp_path, "demo") is None
    with single_instance(tmp_path, "demo") as first:
        first.announce("http://127.0.0.1:8000/")
        with (
            pytest.raises(ConflictError, match=rf"at http://127.0.0.1:8000/ \(pid {first.pid}"),
            single_instance(tmp_path, "demo"),
        ):
            pass
        other = running_instance(tmp_path, "demo")
        assert other is not None
        assert (other.pid, other.url) == (first.pid, "http://127.0.0.1:8000/")
        with single_instance(tmp_path, "hub"):  # another kind may run beside it
            pass
    assert running_instance(tmp_path, "demo") is None
    with single_instance(tmp_path, "demo"):
        pass


def test_a_killed_instance_is_forgotten(tmp_path: Path, python: Python) -> None:
    code = (
        "import sys,time; from pathlib import Path; from adlab.local import single_instance\n"
        "with single_instance(Path(sys.argv[1]), 'demo'): print('in', flush=True); time.sleep(60)"
    )
    holder = python(code, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "in\n"
    with pytest.raises(ConflictError), single_instance(tmp_path, "demo"):
        pass
    holder.kill()
    holder.communicate()
    begin = time.monotonic()
    with single_instance(tmp_path, "demo"):
        assert time.monotonic() - begin < 5
