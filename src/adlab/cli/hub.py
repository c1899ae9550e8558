"""`adlab hub`: boards, pages and notebooks behind one login."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.hub.house import House
    from adlab.runtime import Runtime
    from adlab.web.desk import Desk


def hub(
    port: Annotated[
        int | None, typer.Option(help="Public port; ADLAB_WEB__PORT if omitted.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Start JupyterHub with the boards and pages as its services. Ctrl-C stops all of it.

    Example: adlab hub --port 8600
    """
    from adlab import runtime as wiring
    from adlab.cli.process import clean_environment, listen_to_signals
    from adlab.core.errors import ConflictError
    from adlab.hub.house import open_house, plan_house
    from adlab.local import Supervisor, single_instance
    from adlab.local.ports import is_free, port_holder
    from adlab.local.tending import Tender
    from adlab.web.desk import DeskParts, run_desk_in_thread

    listen_to_signals()
    runtime = wiring.build()
    wanted, host = port or runtime.settings.web.port, runtime.settings.web.host
    if not is_free(wanted, host):
        raise ConflictError(
            f"Port {wanted} is taken by {port_holder(wanted) or 'another program'}.",
            "Choose another with --port, or set ADLAB_WEB__PORT.",
        )
    with single_instance(runtime.home, "hub") as instance, Supervisor() as parts:
        runtime.engine  # noqa: B018  # Reason: starts servers and migrates.
        desk = run_desk_in_thread(
            DeskParts(
                runtime.engine,
                runtime.vault,
                runtime.meta,
                first_sync(runtime),
                address=lambda: runtime.settings.web.public_url or f"http://{host}:{wanted}",
            )
        )
        try:
            house = plan_house(runtime, port=wanted, desk=desk_environment(desk))
            output.say("Starting proxy, hub, boards and web …")
            open_house(parts, house, clean_environment())
            instance.announce(house.address)
            if json:
                output.document(
                    {
                        "url": house.address,
                        "proxy": house.proxy.kind,
                        "spawner": house.plan.servers.spawner,
                    }
                )
            else:
                output.data(f"adlab hub: {house.address}")
            if nobody_can_log_in(runtime):
                output.say("Nobody has a password yet: adlab user password local-owner")
            output.say(f"{_who_enters(house)} {_whose_servers(house)} Ctrl-C stops everything.")
            stop = threading.Event()
            try:
                Tender(parts, output.say).watch(stop)
            except KeyboardInterrupt:
                output.say("Stopping …")
            finally:
                stop.set()
        finally:
            desk.stop()


def _who_enters(house: House) -> str:
    if house.plan.provider is None:
        return "People log in with `adlab user password` or `adlab user invite`."
    return f"People log in through {house.plan.provider.kind}; `adlab user add` says who may."


def _whose_servers(house: House) -> str:
    return {
        "local": "Notebook servers share one system user: for one trusting team.",
        "users": "Each person's notebooks run as a system user of their own.",
        "systemd": "Each person's notebooks run in units of their own.",
        "docker": "Notebooks run in containers.",
        "kubernetes": "Notebooks run in pods.",
    }[house.plan.servers.spawner]


def desk_environment(desk: Desk) -> dict[str, str]:
    """What tells the web endpoints where the desk is."""
    return {"ADLAB_WEB__DESK_URL": desk.url, "ADLAB_WEB__DESK_KEY": desk.key}


def first_sync(runtime: Runtime) -> Callable[[str], None]:
    """What the desk calls after it connected an account: read its newest days in the background."""

    def sync(slug: str) -> None:
        from adlab.core.errors import AdlabError
        from adlab.services.ingest import SyncRequest, refresh

        try:
            report = refresh(runtime.ingest, SyncRequest(client=slug))
            for account, problem in report.failures:
                output.problem(f"{account}: {problem}")
        except AdlabError as error:
            output.problem(f"{slug}: {error}")

    def begin(slug: str) -> None:
        threading.Thread(target=sync, args=(slug,), daemon=True, name=f"sync {slug}").start()

    return begin


def nobody_can_log_in(runtime: Runtime) -> bool:
    """Whether no person has a password."""
    from adlab.storage.engine import transaction
    from adlab.storage.statements import statement

    with transaction(runtime.engine) as connection:
        return not connection.scalar(statement("password_any"))
