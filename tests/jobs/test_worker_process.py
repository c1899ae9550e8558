"""Worker processes that are killed: leadership and jobs pass on, and nothing is done twice at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adlab.jobs.runner import Pace, Worker
from adlab.jobs.tasks import TaskParts
from adlab.meta.client import GraphClient
from adlab.services.ingest import IngestParts
from adlab.storage import jobs
from adlab.storage.engine import transaction
from adlab.storage.jobs import Turn
from tests.jobs.conftest import MOMENT

QUICK = Pace(poll=0.05, beat=0.3, lease=2.0, follow=0.5)

# A worker whose job never ends; it notes in a file when it began.
SLEEPER = """
import sys, threading, time
from datetime import UTC, datetime
from adlab.jobs.runner import Pace, Worker
from adlab.jobs.tasks import TaskParts
from adlab.services.ingest import IngestParts
from adlab.storage.engine import owner_engine
url, path = sys.argv[1:]
def work(now):
    with open(path, "a") as f:
        f.write("began\\n")
    time.sleep(120)
    return 1
engine = owner_engine(url)
parts = IngestParts(engine, lambda *a: None, lambda *a: None)
worker = Worker(engine, TaskParts(parts, 500, {"upkeep": work}), threads=1,
                pace=Pace(poll=0.05, beat=0.3, lease=2.0, follow=0.5))
worker.start()
threading.Event().wait()
"""


def no_client(*_: object) -> GraphClient:
    raise AssertionError("no job of this test reads Meta")


@pytest.fixture
def sleeper(database_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    began = tmp_path / "began"
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, database_url, str(began)])
    yield process, began
    process.kill()
    process.wait(timeout=10)


def until(condition: object, seconds: float = 30.0) -> float:
    began = time.monotonic()
    while not condition():  # type: ignore[operator]
        if time.monotonic() - began > seconds:
            raise AssertionError("it took too long")
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_killed_leaders_job_and_lead_pass_to_another_worker(
    owner_engine: Engine, sleeper: tuple[subprocess.Popen[bytes], Path]
) -> None:
    process, began = sleeper
    with transaction(owner_engine) as c:
        jobs.enqueue(c, Turn("upkeep", "upkeep", MOMENT))
    until(began.exists)
    done: list[float] = []
    parts = IngestParts(owner_engine, no_client, lambda *_: None)
    other = Worker(
        owner_engine, TaskParts(parts, 500, {"upkeep": lambda _: done.append(time.monotonic()) or 1}),  # type: ignore[func-returns-value]
        threads=1, pace=QUICK,
    )  # fmt: skip
    other.start()
    try:
        # Reason: longer than a lease; the job is its worker's as long as that one lives.
        time.sleep(2.5)
        assert (done, other.leads) == ([], False)
        os.kill(process.pid, signal.SIGKILL)
        assert until(lambda: done and other.leads) < 60
    finally:
        other.stop()
    assert began.read_text() == "began\n"
    with transaction(owner_engine) as c:
        found = c.execute(text("SELECT state, attempts FROM app.job WHERE key = 'upkeep'")).all()
    assert ("done", 2) in [tuple(f) for f in found]


def test_a_worker_that_stops_gives_its_jobs_back(owner_engine: Engine) -> None:
    parts = IngestParts(owner_engine, no_client, lambda *_: None)
    worker = Worker(owner_engine, TaskParts(parts, 500, {"upkeep": lambda _: 1}), pace=QUICK)
    with transaction(owner_engine) as c:
        jobs.enqueue(c, Turn("upkeep", "mine", MOMENT))
        jobs.claim(c, worker.worker_id, ["upkeep"], MOMENT, MOMENT)
    worker.start()
    until(lambda: worker.leads)
    worker.stop()
    assert not worker.leads
    with transaction(owner_engine) as c:
        assert jobs.list_workers(c) == []
        running = c.scalar(text("SELECT count(*) FROM app.job WHERE state = 'running'"))
    assert running == 0
