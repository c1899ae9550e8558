"""`adlab worker`: keeps every account up to date, on time and inside Meta's quota."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from adlab.cli import output


def worker(
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Jobs side by side; ADLAB_WORKER__THREADS.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serves /metrics there; ADLAB_WORKER__METRICS_PORT."),
    ] = None,
) -> None:
    """Read accounts when they are due, until Ctrl-C. Several may run; one of them leads.

    Example: adlab worker --metrics-port 9464
    """
    from adlab import runtime as wiring
    from adlab.cli.process import listen_to_signals, wait_for_signal
    from adlab.jobs.measures import Measures
    from adlab.jobs.parts import task_parts
    from adlab.jobs.runner import Worker

    listen_to_signals()
    runtime = wiring.build()
    settings = runtime.settings.worker
    measures = Measures()
    port = metrics_port if metrics_port is not None else settings.metrics_port
    at_work = Worker(
        runtime.engine, task_parts(runtime, measures), threads or settings.threads, measures
    )
    if port is not None:
        bound = measures.serve(settings.metrics_host, port)
        output.say(f"Figures at http://{settings.metrics_host}:{bound}/metrics")
    at_work.start()
    output.data(f"adlab worker: {at_work.worker_id}")
    try:
        wait_for_signal()
    except KeyboardInterrupt:
        output.say("Stopping; what is committed stays, the rest comes again …")
    finally:
        ended = at_work.stop()
        if not ended:
            # Reason: the interpreter would wait for a page or for the quota, perhaps for minutes.
            # What is committed is whole, and the jobs are back in the queue.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        runtime.close()
