"""`adlab demo`: the whole house on one machine, over simulated data. Computes nothing itself.

Starts the embedded servers, the simulator, the boards, the web endpoints and the front proxy; reads
the demo agency over HTTP with the production code, newest days first; ends what it started.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
FRESHEN_SECONDS = 300.0


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="No pages: load, print a table, stop.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="Port of the pages; another if taken.")] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser where there is one.")
    ] = True,
    json: output.Json = False,
) -> None:
    """Show adlab with a simulated agency on this machine. Ctrl-C stops everything it started.

    Example: adlab demo --port 8600 --no-browser
    """
    from adlab.local import Supervisor, running_servers, single_instance, stop_servers
    from adlab.runtime import Runtime
    from adlab.settings import load_settings

    _listen_to_signals()
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
                    loading = _serve(runtime, parts, stages, instance, port, browser)
        finally:
            if embedded and not ran_before:
                stop_servers(settings.home)
    if loading:
        # Reason: history still on its way waits, patiently, for a simulator that has ended. All
        # else is stopped, and what was not committed is rolled back; nobody should wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _listen_to_signals() -> None:
    """End cleanly on Ctrl-C and on being asked to; a background shell hands SIGINT down ignored."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


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
    today = _today(known)
    with stages.timed("first look, 62 days"):
        _load(runtime, agency.first_look(today))
    for name, request in agency.history(today):
        with stages.timed(name):
            _load(runtime, request)
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


def _load(runtime: Runtime, request: object) -> None:
    from adlab.cli.sync import Progress
    from adlab.core.errors import StorageError
    from adlab.services.ingest import SyncRequest, refresh

    assert isinstance(request, SyncRequest)
    with Progress("loading") as progress:
        report = refresh(runtime.ingest, request, progress.advance, progress.plan)
    if not report.complete:
        account, problem = report.failures[0]
        raise StorageError(f"The demo could not be loaded: {account}: {problem}")


def _today(known: list[DemoClient]) -> date:
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


def _serve(
    runtime: Runtime,
    parts: Supervisor,
    stages: Stages,
    instance: object,
    port: int | None,
    browser: bool,
) -> bool:
    """Serve until told to stop; whether history was still loading then."""
    from adlab.local import Instance
    from adlab.services import demo as agency
    from adlab.web.sessions import Sessions

    assert isinstance(instance, Instance)
    with stages.timed("boards and web"):
        url, start = _doors(runtime, parts, port)
        failed: list[BaseException] = []

        def begin() -> None:
            try:
                start()
            except BaseException as error:
                failed.append(error)

        doors = threading.Thread(target=begin, daemon=True)
        doors.start()
        known = agency.set_up(runtime.engine, runtime.vault, runtime.meta, TOKEN)
        today = _today(known)
        fresh = not agency.is_loaded(runtime.engine, today)
        if fresh:
            _load(runtime, agency.first_look(today))
        doors.join()
        if failed:
            raise failed[0]
    instance.announce(url)
    sign = Sessions(runtime.vault.derive("web session")).sign_link
    links = [(name, sign(token)) for name, token in agency.login_links(runtime.engine)]
    output.data(f"adlab demo: {url}")
    for name, token in links:
        output.data(f"  {name}: {url}/login/{token}")
    output.say("Each link logs in once. Data is simulated. Ctrl-C stops everything.")
    if browser and _has_display():
        webbrowser.open(f"{url}/login/{links[0][1]}")
    stop = threading.Event()
    loader = threading.Thread(target=_background, args=(runtime, today, fresh, stop), daemon=True)
    loader.start()
    try:
        parts.wait(stop)
    except KeyboardInterrupt:
        output.say("Stopping …")
        # Reason: what the loader meets from here on is our own doing, and no news.
        logging.disable(logging.CRITICAL)
    finally:
        stop.set()
    return loader.is_alive()


def _doors(runtime: Runtime, parts: Supervisor, port: int | None) -> tuple[str, Callable[[], None]]:
    from adlab.local import choose_port, free_port
    from adlab.storage.access import create_boards_login
    from adlab.storage.engine import libpq_url, transaction

    host = runtime.settings.web.host
    choice = choose_port(port or runtime.settings.web.port, host)
    if choice.taken_by:
        output.say(
            f"Port {port or runtime.settings.web.port} is taken by {choice.taken_by}; "
            f"using {choice.port}."
        )
    with transaction(runtime.engine) as connection:
        login, password = create_boards_login(connection)
    url = f"http://{host}:{choice.port}"
    boards, web = free_port(), free_port()
    environment = {
        "ADLAB_DATABASE__URL": libpq_url(runtime.engine.url.set(username=login, password=password)),
        "ADLAB_REDIS__URL": runtime.redis_url or "",
        "ADLAB_WEB__SESSION_KEY": runtime.vault.derive("web session"),
        "ADLAB_WEB__BOARDS_URL": f"http://127.0.0.1:{boards}",
        "ADLAB_DEMO": "1",
    }
    # Reason: the children inherit our environment, and must not inherit the owner's secrets.
    for name in [n for n in os.environ if n.startswith("ADLAB_")]:
        del os.environ[name]
    logs = runtime.home / "demo"

    module = [sys.executable, "-m"]
    origins = [f"{host}:{choice.port}", f"localhost:{choice.port}"]
    doors = (
        lambda: parts.start(
            "boards",
            [*module, "adlab.web.boards", "--port", str(boards), "--host", "127.0.0.1",
             *(part for o in origins for part in ("--public-origin", o))],
            log=logs / "boards.log", environment=environment,
            ready_url=f"http://127.0.0.1:{boards}/boards/", timeout=90,
        ),
        lambda: parts.start(
            "web",
            [*module, "adlab.web.app", "--port", str(web), "--host", "127.0.0.1"],
            log=logs / "web.log", environment=environment,
            ready_url=f"http://127.0.0.1:{web}/healthz",
        ),
        lambda: parts.start(
            "proxy",
            [*module, "adlab.local.proxy", "--port", str(choice.port), "--host", host,
             "--default-target", f"http://127.0.0.1:{web}",
             "--route", f"/boards=http://127.0.0.1:{boards}"],
            log=logs / "proxy.log", ready_line="proxy listens",
        ),
    )  # fmt: skip

    def start() -> None:
        # Reason: each spends seconds importing; side by side the second start stays under ten.
        with ThreadPoolExecutor(len(doors)) as pool:
            for begun in [pool.submit(door) for door in doors]:
                begun.result()

    return url, start


def _background(runtime: Runtime, today: date, fresh: bool, stop: threading.Event) -> None:
    """Older history once, then the newest days again and again."""
    from adlab.core.errors import AdlabError
    from adlab.services import demo as agency

    try:
        steps = [] if fresh else [("newest days", agency.first_look(today))]
        if not agency.has_history(runtime.engine, today):
            steps += agency.history(today)
        for name, request in steps:
            if stop.is_set():
                return
            output.say(f"• {name} …")
            _load(runtime, request)
        output.say("All history is loaded.")
    except AdlabError as error:
        if not stop.is_set():
            output.problem(str(error))
    while not stop.wait(FRESHEN_SECONDS):
        try:
            _load(runtime, agency.freshen(today))
        except AdlabError as error:
            if not stop.is_set():
                output.problem(str(error))


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
