"""`adlab demo`: the whole house on one machine, over simulated data. Computes nothing itself.

Starts the embedded servers, the simulator, the boards, the web endpoints and the front proxy; reads
the demo agency over HTTP with the production code, newest days first; ends what it started.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from pathlib import Path

    from adlab.local import Supervisor
    from adlab.runtime import Runtime
    from adlab.services.demo import DemoClient

TOKEN = "sim-token-demo"  # noqa: S105  # Reason: the simulator's own, worth nothing anywhere else.


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="No pages: load, print a table, stop.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of the pages; another if taken.")] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser where there is one.")
    ] = True,
    with_hub: Annotated[
        bool, typer.Option("--hub/--no-hub", help="With JupyterHub and its notebooks.")
    ] = True,
    json: output.Json = False,
) -> None:
    """Show adlab with a simulated agency on this machine. Ctrl-C stops everything it started.

    Example: adlab demo --port 8600 --no-browser
    """
    from adlab.cli.demo_serving import Wanted, serve
    from adlab.cli.process import listen_to_signals
    from adlab.local import Supervisor, running_servers, single_instance, stop_servers
    from adlab.runtime import Runtime
    from adlab.settings import load_settings

    listen_to_signals()
    settings = load_settings()
    embedded = settings.database.url is None
    stages = Stages()
    loading = False
    with single_instance(settings.home, "demo") as instance:
        ran_before = running_servers(settings.home) is not None if embedded else True
        try:
            with Supervisor() as parts:
                runtime = Runtime(settings)
                with stages.timed("servers and schema"):
                    simulator = _Simulator(parts, settings.home)
                    runtime.engine  # noqa: B018  # Reason: starts servers and migrates.
                    base_url = simulator.wait()
                runtime = runtime.on_graph_api(base_url)
                if once:
                    _once(runtime, stages, json)
                else:
                    wanted = Wanted(port, browser, with_hub and os.name == "posix")
                    loading = serve(runtime, parts, stages, instance, wanted)
        finally:
            if embedded and not ran_before:
                stop_servers(settings.home)
    if loading:
        # Reason: history still on its way waits, patiently, for a simulator that has ended. All
        # else is stopped, and what was not committed is rolled back; nobody should wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


class Stages:
    """What took how long."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a stage and tell about it."""
        began = time.monotonic()
        output.say(f"• {name} …")
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)


class _Simulator:
    """The Graph API simulator as a child, started beside the database."""

    def __init__(self, parts: Supervisor, home: Path) -> None:
        from adlab.local import free_port

        self._port = free_port()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._start, args=(parts, home), daemon=True)
        self._thread.start()

    def _start(self, parts: Supervisor, home: Path) -> None:
        try:
            parts.start(
                "simulator",
                [sys.executable, "-m", "adlab.simulator", "--port", str(self._port),
                 "--scenario", "demo"],
                log=home / "demo" / "simulator.log",
                ready_url=f"http://127.0.0.1:{self._port}/__health",
            )  # fmt: skip
        except BaseException as error:
            self._error = error

    def wait(self) -> str:
        """Its address, once it answers."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return f"http://127.0.0.1:{self._port}"


def _once(runtime: Runtime, stages: Stages, as_json: bool) -> None:
    from adlab.services import demo as agency

    with stages.timed("agency"):
        known = agency.set_up(runtime.engine, runtime.vault, runtime.meta, TOKEN)
    today = today_of(known)
    with stages.timed("first look, 62 days"):
        load(runtime, agency.first_look(today))
    for name, request in agency.history(today):
        with stages.timed(name):
            load(runtime, request)
    report = _report(runtime, stages, known[0].slug)
    _table(runtime, stages, as_json, report)


def _report(runtime: Runtime, stages: Stages, slug: str) -> Path:
    """The PDF of a client's last full month."""
    from adlab.services.reporting import ReportRequest, render_report

    folder = runtime.home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    with stages.timed("report"):
        request = ReportRequest("monthly", slug, out=folder / f"{slug}_last_month.pdf")
        return render_report(runtime.engine, request).path


def load(runtime: Runtime, request: object) -> None:
    """Read what a `SyncRequest` asks for, with a progress bar.

    Raises:
        StorageError: If something of it could not be read.
    """
    from adlab.cli.sync import Progress
    from adlab.core.errors import StorageError
    from adlab.services.ingest import SyncRequest, refresh

    assert isinstance(request, SyncRequest)
    with Progress("loading") as progress:
        report = refresh(runtime.ingest, request, progress.advance, progress.plan)
    if not report.complete:
        account, problem = report.failures[0]
        raise StorageError(f"The demo could not be loaded: {account}: {problem}")


def today_of(known: list[DemoClient]) -> date:
    """The earliest current day of any account."""
    from adlab.core.periods import today_in

    now = datetime.now(UTC)
    return min(today_in(c.account.timezone, now) for c in known)


def _table(runtime: Runtime, stages: Stages, as_json: bool, report: Path) -> None:
    from adlab.services import demo as agency

    found = agency.summary(runtime.engine)
    spend: dict[str, float] = {}
    rows = 0
    for r in found:
        spend[str(r["currency"])] = spend.get(str(r["currency"]), 0.0) + float(str(r["spend"]))
        rows += int(str(r["rows"]))
    if as_json:
        output.document(
            {
                "clients": len({r["client"] for r in found}),
                "accounts": len(found),
                "rows": rows,
                "days": max((int(str(r["days"])) for r in found), default=0),
                "spend": {k: round(v, 2) for k, v in sorted(spend.items())},
                "seconds": stages.seconds,
                "report": str(report),
                "by_account": [{**r, "spend": float(str(r["spend"]))} for r in found],
            }
        )
        return
    shown = [{**r, "spend": float(str(r["spend"]))} for r in found]
    output.rows(
        shown, ["client", "account", "currency", "timezone", "rows", "days", "spend"], False
    )
    output.data("")
    output.rows(
        [
            {
                "clients": len({r["client"] for r in found}),
                "accounts": len(found),
                "rows": rows,
                "days": max((int(str(r["days"])) for r in found), default=0),
                **{f"spend {k}": v for k, v in sorted(spend.items())},
            }
        ],
        ["clients", "accounts", "rows", "days", *(f"spend {k}" for k in sorted(spend))],
        False,
    )
    output.data("")
    output.rows(
        [{"stage": k, "seconds": v} for k, v in stages.seconds.items()], ["stage", "seconds"], False
    )
    output.data("")
    output.data(f"Report of the last full month: {report}")
