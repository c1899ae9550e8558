"""The whole house as child processes: proxy, hub, boards, web, and the receiver of webhooks.

Started by `adlab hub` and the demo. Each is a child of ours and of no other part, so that any of
them can end and come back alone.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adlab.core.errors import SettingsError
from adlab.hub.accounts import prepare_people
from adlab.hub.choice import choose_servers
from adlab.hub.entry import choose_provider
from adlab.hub.homes import publish_gallery, publish_kernel
from adlab.hub.plan import Plan
from adlab.hub.services import service_environment
from adlab.local import Supervisor, free_port
from adlab.local.proxies import ProxyProgram, find_proxy, put_routes
from adlab.meta.signatures import PATH as HOOKS_PATH
from adlab.storage.access import create_boards_login
from adlab.storage.engine import libpq_url, transaction

if TYPE_CHECKING:
    from adlab.runtime import Runtime

READY_SECONDS = 120.0
# Reason: programs call the REST API at its own address, not below a service's.
API_PATHS = ("/api/v1", "/api/meta")


@dataclass(frozen=True)
class House:
    """What is to be started.

    Attributes:
        plan: Addresses and secrets.
        address: The public address, without a slash at its end.
        proxy: The proxy's program.
        shared: Variables that boards and web have in common.
        logs: Folder of the logs.
        host: Where the proxy listens.
        port: The same.
        proxy_api_port: Where the hub changes the proxy's routes.
        hooks: Variables of the receiver of webhooks; None where no app secret is set.
        hooks_url: Where the receiver listens.
    """

    plan: Plan
    address: str
    proxy: ProxyProgram
    shared: Mapping[str, str]
    logs: Path
    host: str
    port: int
    proxy_api_port: int
    hooks: Mapping[str, str] | None = field(default=None, repr=False)
    hooks_url: str = ""


def plan_house(
    runtime: Runtime,
    *,
    port: int,
    demo: bool = False,
    desk: Mapping[str, str] | None = None,
) -> House:
    """Choose ports and secrets, and make the boards' login.

    Args:
        runtime: Settings, engine and vault of the owner.
        port: Public port; known to be free.
        demo: Whether the data are simulated.
        desk: Variables that tell the web endpoints where the desk is.

    Raises:
        SettingsError: If this system has no hub, or the proxy asked for is missing.
    """
    if os.name != "posix":
        raise SettingsError(
            "JupyterHub runs on Linux and macOS only.", "Use `adlab demo --no-hub` here."
        )
    settings = runtime.settings
    servers = choose_servers(
        settings.hub, runtime.home, demo=demo,
        loopback_store=_is_near(runtime.engine.url.host),
    )  # fmt: skip
    provider = choose_provider(settings.hub)
    boards_address = _boards_address(settings.web.public_url, settings.web.boards_host)
    if boards_address and settings.hub.proxy == "node":
        raise SettingsError(
            "ADLAB_WEB__BOARDS_HOST needs adlab's own proxy; Node's does not look at both host "
            "and path.", "Set ADLAB_HUB__PROXY=python.",
        )  # fmt: skip
    host = settings.web.host
    address = settings.web.public_url or f"http://{host}:{port}"
    boards, web, hub, api = (free_port() for _ in range(4))
    folder = runtime.home / "hub"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    session_key = runtime.vault.derive_all("web session")
    if servers.people:
        prepare_people(Path(servers.people))
        publish_kernel(Path(servers.people), servers.python)
    gallery = publish_gallery(Path(servers.people or folder) / "gallery")
    plan = Plan(
        bind_url=f"http://{host}:{port}/", public_url=address, hub_port=hub,
        proxy_api_url=f"http://127.0.0.1:{api}", proxy_token=secrets.token_hex(32),
        boards_url=f"http://127.0.0.1:{boards}", boards_token=secrets.token_hex(32),
        web_url=f"http://127.0.0.1:{web}", web_token=secrets.token_hex(32),
        folder=str(folder), database_url=runtime.database_url, session_key=session_key, demo=demo,
        servers=replace(servers, gallery=gallery), provider=provider,
        proxied=bool(settings.web.public_url), boards_address=boards_address,
    )  # fmt: skip
    with transaction(runtime.engine) as connection:
        login, password = create_boards_login(connection)
    shared = {
        "ADLAB_DATABASE__URL": libpq_url(runtime.engine.url.set(username=login, password=password)),
        "ADLAB_REDIS__URL": runtime.redis_url or "",
        "ADLAB_WEB__SESSION_KEY": session_key,
        "ADLAB_WEB__BOARDS_URL": plan.boards_url,
        "ADLAB_WEB__API_PER_MINUTE": str(settings.web.api_per_minute),
        "ADLAB_DEMO": "1" if demo else "",
        **(desk or {}),
    }
    proxy = find_proxy("python" if boards_address else settings.hub.proxy)
    return House(plan, address, proxy, shared, runtime.home / "logs", host, port, api,
                 runtime.hooks_environment(), f"http://127.0.0.1:{free_port()}")  # fmt: skip


def open_house(parts: Supervisor, house: House, environment: Mapping[str, str]) -> None:
    """Start everything side by side and wait until it answers.

    Args:
        parts: Looks after the children.
        house: See `plan_house`.
        environment: What every child gets beside its own: no secret of the owner's.

    Raises:
        EmbeddedServerError: If a part does not start; says which and why.
    """
    plan = house.plan
    fixed = (("/services/boards", plan.boards_url), ("/services/web", plan.web_url),
             *((path, plan.web_url) for path in API_PATHS),
             *([(HOOKS_PATH, house.hooks_url)] if house.hooks else []),
             ("/", f"http://127.0.0.1:{plan.hub_port}"))  # fmt: skip
    hooks: Sequence[Callable[[], object]] = (
        lambda: parts.start(
            "webhooks",
            _module("adlab.web.hooks", "--port", _port(house.hooks_url)),
            log=house.logs / "webhooks.log", environment={**environment, **(house.hooks or {})},
            ready_url=f"{house.hooks_url}/alive",
        ),
    ) if house.hooks else ()  # fmt: skip
    doors: Sequence[Callable[[], object]] = (
        *hooks,
        lambda: parts.start(
            "boards",
            _module("adlab.web.boards", "--port", _port(plan.boards_url), "--prefix",
                    "/services/boards", *_origins(house)),
            log=house.logs / "boards.log",
            environment={
                **environment, **house.shared,
                **service_environment(plan, "boards", plan.boards_token),
                "ADLAB_WEB__DESK_URL": "", "ADLAB_WEB__DESK_KEY": "",
            },
            ready_url=f"{plan.boards_url}/services/boards/alive", timeout=READY_SECONDS,
        ),
        lambda: parts.start(
            "web",
            _module("adlab.web.app", "--port", _port(plan.web_url)),
            log=house.logs / "web.log",
            environment={
                **environment, **house.shared, **service_environment(plan, "web", plan.web_token),
            },
            ready_url=f"{plan.web_url}/services/web/assets/0/board.css", timeout=READY_SECONDS,
        ),
        lambda: parts.start(
            "proxy",
            house.proxy.arguments(
                house.host, house.port, house.proxy_api_port,
                fixed=fixed,
                front_door="/services/web/",
                apart=("/services/boards", plan.boards_address, plan.public_url)
                if plan.boards_address
                else None,
            ),
            log=house.logs / "proxy.log",
            environment={**environment, "CONFIGPROXY_AUTH_TOKEN": plan.proxy_token},
            # Reason: Node's keeps no routes; without these a proxy that was started again knows
            # neither boards nor login until the hub looks, half a minute later.
            ready=lambda: house.proxy.kind != "node"
            or put_routes(plan.proxy_api_url, plan.proxy_token, fixed),
            ready_url=f"http://127.0.0.1:{house.proxy_api_port}/api/routes",
        ),
        lambda: parts.start(
            "hub",
            _module("jupyterhub", "-f", str(find_config())),
            log=house.logs / "hub.log", cwd=Path(plan.folder),
            environment={**environment, **plan.environment()},
            ready_url=f"http://127.0.0.1:{plan.hub_port}/hub/health", timeout=READY_SECONDS,
        ),
    )  # fmt: skip
    # Reason: each spends seconds importing; side by side all are there in the time of the slowest.
    with ThreadPoolExecutor(len(doors)) as pool:
        for begun in [pool.submit(door) for door in doors]:
            begun.result()


def find_config() -> Path:
    """`jupyterhub_config.py`: in a checkout, or inside the installed wheel.

    Raises:
        SettingsError: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for place in (package.parents[1], package / "_share"):
        if (place / "jupyterhub_config.py").is_file():
            return place / "jupyterhub_config.py"
    raise SettingsError("jupyterhub_config.py is missing.", "Install adlab again.")


def _is_near(host: str | None) -> bool:
    return host in (None, "", "localhost", "127.0.0.1", "::1") or str(host).startswith("/")


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _port(url: str) -> str:
    return url.rsplit(":", 1)[1]


def _boards_address(public_url: str | None, host: str | None) -> str:
    """The boards' own address; "" when they share the one of all."""
    if host is None:
        return ""
    if not public_url or public_url.split("://", 1)[1] == host:
        raise SettingsError(
            "ADLAB_WEB__BOARDS_HOST needs ADLAB_WEB__PUBLIC_URL with another host name.",
            "Set both; both names lead to this machine.",
        )
    return f"{public_url.split('://', 1)[0]}://{host}"


def _origins(house: House) -> list[str]:
    public = house.address.split("://", 1)[1]
    named = {public, f"{house.host}:{house.port}", f"localhost:{house.port}"}
    if house.plan.boards_address:
        # Reason: then no page of the other host has business with a board.
        named = {house.plan.boards_address.split("://", 1)[1]}
    return [part for origin in sorted(named) for part in ("--public-origin", origin)]
