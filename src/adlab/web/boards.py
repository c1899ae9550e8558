"""The boards process: `python -m adlab.web.boards --port 8602`.

Serves each file of `dashboards/` below `/boards/`, to people whose session the web process started,
or below `/services/boards/` to those whom the hub vouches for. It logs in to the database as the
boards' service and takes each viewer's role per query.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from adlab.core.errors import AdlabError, SettingsError
from adlab.storage.engine import connect_engine
from adlab.ui.places import read_places, set_places
from adlab.web.config import WebConfig, read_config
from adlab.web.sessions import Sessions
from adlab.web.viewers import Viewers

log = logging.getLogger(__name__)

MEGABYTES_IN = 2


def find_dashboards() -> Path:
    """The folder of dashboard files: in a checkout, or inside the installed wheel.

    Raises:
        SettingsError: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parents[1] / "dashboards", package / "_share" / "dashboards"):
        if (folder / "client.py").is_file():
            return folder
    raise SettingsError("The boards' files are missing.", "Install adlab again.")


def make_server(
    config: WebConfig, *, host: str, port: int, prefix: str, origins: list[str],
    poll_seconds: float = 15.0, recheck_seconds: float = 30.0,
) -> Any:  # fmt: skip
    """The Bokeh server with every board, warmed up, not yet listening to its loop.

    Args:
        config: See `WebConfig`.
        host: Address to listen on.
        port: Port to listen on.
        prefix: Where the boards lie below the public address, such as `/boards`.
        origins: Public `host[:port]`s whose pages may open the websocket.
        poll_seconds: How often to look for changes without Redis.
        recheck_seconds: How often open pages prove their rights again.
    """
    # Reason: Bokeh reads these when its modules load. Signed sessions keep a page's token from
    # being made up; the key is derived, so that no cookie signature can pose as a session's.
    sessions = Sessions(config.session_key)
    os.environ["BOKEH_SIGN_SESSIONS"] = "true"
    os.environ["BOKEH_SECRET_KEY"] = derived_key(sessions.key)
    os.environ["BOKEH_RESOURCES"] = "server"
    import panel as pn
    from panel.io.server import get_server

    from adlab.ui.live import FEED
    from adlab.ui.visit import find_visits_with
    from adlab.web import handlers, live

    viewers = Viewers(connect_engine(config.database_url, pool_size=8, application="adlab boards"))
    guard = make_guard(config, sessions, viewers)
    find_visits_with(guard.current_visit)
    handlers.install(guard)
    pn.config.session_history = 0
    apps = {f"/{p.stem}": str(p) for p in sorted(find_dashboards().glob("[a-z]*.py"))}
    server = get_server(
        apps, port=port, address=host, prefix=prefix, start=False, show=False, location=False,
        websocket_origin=origins or [f"{host}:{port}"], use_xheaders=True, use_index=False,
        auth_provider=guard.provider(), include_cookies=[handlers.VISIT_COOKIE, "adlab_theme"],
        include_headers=["Host"], extra_patterns=handlers.patterns(guard),
        check_unused_sessions_milliseconds=5_000, unused_session_lifetime_milliseconds=15_000,
        session_token_expiration=600, keep_alive_milliseconds=27_000, compress_response=True,
        boards_prefix=prefix, default_handler_class=handlers.Nowhere,
        websocket_max_message_size=MEGABYTES_IN * 1024 * 1024,
        secret_key=derived_key(sessions.key).encode(), sign_sessions=True,
    )  # fmt: skip
    server.io_loop.add_callback(
        live.run, FEED, config.redis_url, poll_seconds=poll_seconds,
        recheck_seconds=recheck_seconds,
    )  # fmt: skip
    warm_up(apps)
    return server


def make_guard(config: WebConfig, sessions: Sessions, viewers: Viewers) -> Any:
    """Who lets people in: the hub where there is one, else sessions of our own."""
    from adlab.web import handlers

    if not config.behind_hub:
        return handlers.Guard(sessions, viewers)
    from adlab.web.hub import HubIdentity
    from adlab.web.hub_guard import HubGuard

    return HubGuard(sessions, viewers, HubIdentity(sessions.keys))


def derived_key(secret: bytes) -> str:
    """A key for Bokeh's sessions, from ours."""
    import hashlib
    import hmac

    return hmac.new(secret, b"adlab bokeh sessions", hashlib.sha256).hexdigest()


def warm_up(apps: dict[str, str]) -> None:
    """Import, compile and render everything once, so that the first person does not wait."""
    started = time.monotonic()
    from adlab.ui import assets, pages

    assets.load_assets()
    for name in pages.environment().list_templates():
        pages.environment().get_template(name)
    import pandas as pd

    from adlab.web import client_data  # noqa: F401

    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).groupby("b").sum(min_count=1)
    for path in apps.values():
        compile(Path(path).read_text(encoding="utf-8"), path, "exec")
    log.info("boards_warm seconds=%.2f", time.monotonic() - started)


def main() -> None:
    """Read the arguments and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m adlab.web.boards")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--prefix", default="/boards")
    parser.add_argument("--public-origin", action="append", default=[], metavar="HOST[:PORT]")
    parser.add_argument("--poll-seconds", type=float, default=15.0)
    parser.add_argument("--recheck-seconds", type=float, default=30.0)
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    # Reason: a mistyped address or an ended session is no news to whoever runs this.
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    try:
        set_places(read_places(os.environ))
        server = make_server(
            read_config(), host=given.host, port=given.port, prefix=given.prefix,
            origins=given.public_origin, poll_seconds=given.poll_seconds,
            recheck_seconds=given.recheck_seconds,
        )  # fmt: skip
    except (AdlabError, OSError) as error:
        sys.exit(str(error))
    server.start()
    loop = asyncio.get_event_loop_policy().get_event_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(server.io_loop.stop))
    print(f"boards listen on http://{given.host}:{given.port}{given.prefix}/", flush=True)  # noqa: T201
    server.io_loop.start()
    server.stop(wait=False)


if __name__ == "__main__":
    main()
