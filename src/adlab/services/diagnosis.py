"""`adlab doctor`: everything that can be checked, each with what was seen and one remedy.

Adapters that own an outside thing offer their own checks; here they are asked, guarded and put in
order. Nothing is started or changed.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from adlab.core.errors import AdlabError
from adlab.local.ports import is_free, port_holder

if TYPE_CHECKING:
    from adlab.storage.walls import Hole
    from adlab.vault import Vault

_PACKAGES = ("panel", "pandas", "sqlalchemy", "psycopg", "jupyterhub", "facebook-business")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        name: What was looked at.
        ok: True fine, False broken, None for a note.
        detail: What was seen.
        remedy: What to do.
    """

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def guarded(name: str, ask: Callable[[], Finding]) -> Finding:
    """Run one check; what it raises becomes its finding."""
    try:
        return ask()
    except AdlabError as error:
        return Finding(name, False, error.message, error.remedy)
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", "Run it again with "
                       "ADLAB_LOG_LEVEL=debug.")  # fmt: skip


def check_versions() -> Finding:
    """Python and the packages that matter."""
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    detail = f"Python {platform.python_version()}, {', '.join(found)}"
    if missing or sys.version_info < (3, 11):
        return Finding(
            "versions", False, f"{detail}; missing {', '.join(missing) or 'Python 3.11'}",
            "pip install --upgrade adlab",
        )  # fmt: skip
    return Finding("versions", True, detail)


def check_database(url: str) -> list[Finding]:
    """The database at an owner's URL: server, extension, schema, hardening."""
    from sqlalchemy import text

    from adlab.storage import query_log, timescale
    from adlab.storage.engine import READER_ROLE, connect_engine, transaction
    from adlab.storage.hardening import findings
    from adlab.storage.migrate import current_version, newest_version
    from adlab.storage.walls import holes

    engine = connect_engine(url, pool_size=1)
    try:
        with transaction(engine) as connection:
            server = connection.scalar(text("SHOW server_version"))
            extension = timescale.version(connection)
            out = [Finding("database", True, f"PostgreSQL {server}")]
            out.append(
                Finding("TimescaleDB", True, f"{extension}")
                if extension
                else Finding("TimescaleDB", None, "not installed; plain tables serve as well")
            )
            if extension and tuple(int(p) for p in extension.split(".")[:2]) < (2, 29):
                out[-1] = Finding(
                    "TimescaleDB", False, f"{extension} lets any login drop a chunk",
                    "Update the extension to 2.29.1 or newer.",
                )  # fmt: skip
            schema, wanted = current_version(connection), newest_version()
            out.append(
                Finding("schema", True, f"version {schema}")
                if schema == wanted
                else Finding("schema", schema is None or None, f"{schema or 'empty'}, newest is "
                             f"{wanted}", "Any command that manages adlab migrates it.")
            )  # fmt: skip
            if connection.scalar(
                text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": READER_ROLE}
            ):
                found = findings(connection)
                counted = schema == wanted and query_log.is_on(connection)
                out.append(
                    Finding("notebooks' SQL", True, "every statement is counted for the audit log")
                    if counted
                    else Finding("notebooks' SQL", None, "not recorded in the audit log",
                                 query_log.REMEDY)
                )  # fmt: skip
                out.append(_isolation(found, holes(connection)))
            return out
    finally:
        engine.dispose()


def _isolation(open_things: Sequence[str], holes: Sequence[Hole]) -> Finding:
    found = [*(h.what for h in holes), *open_things]
    if not found:
        return Finding("isolation", True, "nothing but schema api is open to people")
    named = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
    remedy = "Run any adlab command once with a superuser's ADLAB_DATABASE__URL."
    if any(h.fix is None for h in holes):
        remedy += " Extensions and languages a person must drop: adlab drops nothing of others."
    return Finding("isolation", False, f"open to people: {named}", remedy)


def check_keys(vault: Vault, where: str, url: str | None) -> Finding:
    """The ring of master keys: how many, and whether it opens every token of the database.

    Args:
        vault: The ring.
        where: Where its keys come from, for people.
        url: An owner's URL; None while no database runs.
    """
    from adlab.services.keys import list_keys
    from adlab.storage.engine import owner_engine, transaction
    from adlab.storage.migrate import current_version, newest_version

    count = len(vault.key_ids)
    told = f"{where}, {count} keys" if count > 1 else where
    if url is None:
        return Finding("secret key", True, told)
    engine = owner_engine(url, pool_size=1)
    try:
        with transaction(engine) as connection:
            if current_version(connection) != newest_version():
                return Finding("secret key", True, told)
        keys = list_keys(engine, vault)
    finally:
        engine.dispose()
    lost = {k.key_id: k.tokens for k in keys if not k.known}
    if lost:
        return Finding(
            "secret key", False, f"{told}; {sum(lost.values())} token(s) need {', '.join(lost)}",
            "Bring that key back (clients' keys: adlab key import FILE), or connect again.",
        )  # fmt: skip
    older = sum(k.tokens for k in keys if not k.newest)
    if older:
        return Finding(
            "secret key", None, f"{told}; {older} token(s) are sealed with an older one",
            "Finish the change: adlab key rotate",
        )  # fmt: skip
    return Finding("secret key", True, told)


def check_redis(url: str | None) -> Finding:
    """Whether live updates can travel."""
    if url is None:
        return Finding(
            "redis", None, "none; boards look for news themselves", "Set ADLAB_REDIS__URL."
        )
    import redis

    try:
        client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        info = client.info("server")
        client.close()
    except (redis.RedisError, OSError) as error:
        return Finding(
            "redis", False, f"no answer ({type(error).__name__}); boards are slower, not broken",
            "Start it, or correct ADLAB_REDIS__URL.",
        )  # fmt: skip
    name = info.get("server_name", "redis")
    return Finding(
        "redis", True, f"{name} {info.get('valkey_version') or info.get('redis_version')}"
    )


def check_meta(base_url: str, api_version: str, app_id: str | None, has_secret: bool) -> Finding:
    """The Graph API settings; asks nothing over the network unless it is on this machine."""
    detail = f"{base_url} {api_version}"
    if app_id and not has_secret:
        return Finding(
            "meta", False, f"{detail}, app {app_id} without a secret", "Set ADLAB_META__APP_SECRET."
        )
    if api_version == "v25.0":
        return Finding("meta", None, f"{detail}: may end any day", "Move to v26.0.")
    app = f", app {app_id}" if app_id else ", no app set (tokens inspect themselves)"
    return Finding("meta", True, detail + app)


def check_port(host: str, port: int) -> Finding:
    """Whether the boards' port is free, or who has it."""
    if is_free(port, host):
        return Finding("port", True, f"{host}:{port} is free")
    return Finding(
        "port", None, f"{host}:{port} is held by {port_holder(port) or 'another program'}",
        "adlab demo chooses another; or set ADLAB_WEB__PORT.",
    )  # fmt: skip


def check_chromium() -> Finding:
    """A browser for the browser tests; nobody else needs one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Finding("chromium", True, found)
    return Finding(
        "chromium", None, "none found; only the browser tests need one",
        "On Debian: apt-get install chromium",
    )  # fmt: skip


def check_proxy(wanted: str) -> Finding:
    """The proxy before the hub: started for a moment, with a board's websocket through it."""
    from typing import Literal, cast

    from adlab.local.proxies import find_proxy, proxy_version, smoke_test

    program = find_proxy(cast(Literal["auto", "node", "python"], wanted))
    return Finding("proxy", True, f"{proxy_version(program)}; {smoke_test(program)}")
