"""The demo's pages: boards, web, and the hub with its notebooks, until somebody presses Ctrl-C."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from adlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adlab.cli.demo import Stages
    from adlab.local import Instance, Supervisor
    from adlab.runtime import Runtime
    from adlab.services.demo import DemoClient

FRESHEN_SECONDS = 300.0


@dataclass(frozen=True)
class Wanted:
    """How to serve.

    Attributes:
        port: Public port, or None for the usual one.
        browser: Whether to open a browser.
        hub: Whether JupyterHub stands before everything.
    """

    port: int | None
    browser: bool
    hub: bool


@dataclass(frozen=True)
class Doors:
    """Addresses, and what opens them.

    Attributes:
        url: The public address.
        login: Path below which one-time links lie.
        start: Starts the processes; may take a while.
    """

    url: str
    login: str
    start: Callable[[], None]


def serve(
    runtime: Runtime, parts: Supervisor, stages: Stages, instance: Instance, wanted: Wanted
) -> bool:
    """Serve until told to stop; whether history was still loading then."""
    from adlab.cli.demo import TOKEN, load, today_of
    from adlab.cli.hub import desk_environment, first_sync
    from adlab.local.tending import Tender
    from adlab.services import demo as agency
    from adlab.web.desk import DeskParts, run_desk_in_thread

    # Reason: the desk is open before the port is chosen.
    place: list[str] = []
    with ExitStack() as stack:
        with stages.timed("boards, web and hub" if wanted.hub else "boards and web"):
            desk = run_desk_in_thread(
                DeskParts(
                    runtime.engine,
                    runtime.vault,
                    runtime.meta,
                    first_sync(runtime),
                    address=lambda: place[0],
                )
            )
            stack.callback(desk.stop)
            doors = _doors(runtime, parts, wanted, desk_environment(desk))
            place.append(doors.url)
            with ThreadPoolExecutor(1) as pool:
                opening = pool.submit(doors.start)
                known = agency.set_up(runtime.engine, runtime.vault, runtime.meta, TOKEN)
                today = today_of(known)
                fresh = not agency.is_loaded(runtime.engine, today)
                if fresh:
                    load(runtime, agency.first_look(today))
                opening.result()
        instance.announce(doors.url)
        first = _tell(runtime, doors, wanted)
        if wanted.browser and _has_display():
            webbrowser.open(first)
        stop = threading.Event()
        loader = threading.Thread(
            target=_background, args=(runtime, known, today, fresh, stop), daemon=True
        )
        loader.start()
        try:
            Tender(parts, output.say).watch(stop)
        except KeyboardInterrupt:
            output.say("Stopping …")
            # Reason: what the loader meets from here on is our own doing, and no news.
            logging.disable(logging.CRITICAL)
        finally:
            stop.set()
        return loader.is_alive()


def _tell(runtime: Runtime, doors: Doors, wanted: Wanted) -> str:
    """Print who can look and how; the first person's link."""
    from adlab.services import demo as agency
    from adlab.web.sessions import Sessions

    sign = Sessions(runtime.vault.derive_all("web session")).sign_link
    links = [
        (name, f"{doors.url}{doors.login}{sign(token)}")
        for name, token in agency.login_links(runtime.engine)
    ]
    output.data(f"adlab demo: {doors.url}")
    for name, link in links:
        output.data(f"  {name}: {link}")
    if wanted.hub:
        password = secrets.token_urlsafe(9)
        agency.set_passwords(runtime.engine, password)
        names = [p.username for p in agency.PEOPLE]
        output.data(f"  or log in as {', '.join(names)} with the password {password}")
    output.say("Each link logs in once. Data is simulated. Ctrl-C stops everything.")
    if wanted.hub and hasattr(os, "geteuid") and os.geteuid() == 0:
        output.say(
            "Notebooks of the demo run as root here: let in only people who may be root. "
            "adlab hub gives each person a system account of their own."
        )
    return links[0][1]


def _doors(runtime: Runtime, parts: Supervisor, wanted: Wanted, desk: Mapping[str, str]) -> Doors:
    from adlab.cli.process import clean_environment
    from adlab.local import choose_port

    host, usual = runtime.settings.web.host, wanted.port or runtime.settings.web.port
    choice = choose_port(usual, host)
    if choice.taken_by:
        output.say(f"Port {usual} is taken by {choice.taken_by}; using {choice.port}.")
    if not wanted.hub:
        return _doors_without_hub(runtime, parts, choice.port, desk)
    from adlab.hub.house import open_house, plan_house

    house = plan_house(runtime, port=choice.port, demo=True, desk=desk)
    environment = clean_environment()
    return Doors(house.address, "/hub/link/", lambda: open_house(parts, house, environment))


def _doors_without_hub(
    runtime: Runtime, parts: Supervisor, port: int, desk: Mapping[str, str]
) -> Doors:
    from adlab.cli.process import clean_environment
    from adlab.local import free_port
    from adlab.storage.access import create_boards_login
    from adlab.storage.engine import libpq_url, transaction

    host = runtime.settings.web.host
    with transaction(runtime.engine) as connection:
        login, password = create_boards_login(connection)
    boards, web = free_port(), free_port()
    environment = {
        "ADLAB_DATABASE__URL": libpq_url(runtime.engine.url.set(username=login, password=password)),
        "ADLAB_REDIS__URL": runtime.redis_url or "",
        "ADLAB_WEB__SESSION_KEY": runtime.vault.derive_all("web session"),
        "ADLAB_WEB__BOARDS_URL": f"http://127.0.0.1:{boards}",
        "ADLAB_WEB__API_PER_MINUTE": str(runtime.settings.web.api_per_minute),
        "ADLAB_DEMO": "1",
    } | clean_environment()
    logs = runtime.home / "logs"
    module = [sys.executable, "-m"]
    origins = [f"{host}:{port}", f"localhost:{port}"]
    doors: Sequence[Callable[[], object]] = (
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
            log=logs / "web.log", environment=environment | dict(desk),
            ready_url=f"http://127.0.0.1:{web}/healthz",
        ),
        lambda: parts.start(
            "proxy",
            [*module, "adlab.local.proxy", "--port", str(port), "--host", host,
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

    return Doors(f"http://{host}:{port}", "/login/", start)


def _background(
    runtime: Runtime, known: Sequence[DemoClient], today: date, fresh: bool, stop: threading.Event
) -> None:
    """Older history once, last month's reports, then the newest days again and again."""
    from adlab.cli.demo import load
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
            load(runtime, request)
        output.say("All history is loaded.")
        _reports(runtime, known, stop)
    except AdlabError as error:
        if not stop.is_set():
            output.problem(str(error))
    while not stop.wait(FRESHEN_SECONDS):
        try:
            load(runtime, agency.freshen(today))
        except AdlabError as error:
            if not stop.is_set():
                output.problem(str(error))


def _reports(runtime: Runtime, known: Sequence[DemoClient], stop: threading.Event) -> None:
    """Last month's report of a few clients, for those who have none of it yet."""
    from adlab.services import demo as agency
    from adlab.services.reporting import ReportRequest, list_reports, render_report

    there = {(r["client"], r["period"]) for r in list_reports(runtime.engine)}
    folder = runtime.home / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    for slug in agency.reported_clients(known):
        if stop.is_set():
            return
        out = folder / f"{slug}_last_month.pdf"
        if any(client == slug for client, _ in there):
            continue
        render_report(runtime.engine, ReportRequest("monthly", slug, out=out, publish=True))
    output.say("Last month's reports are in the archive of their clients.")


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
