"""The proxy's table of routes, and the REST interface through which a hub changes it.

The interface is the one of Jupyter's configurable-http-proxy (`/api/routes`), so that JupyterHub
drives this proxy with its own client. Routes given on the command line are fixed: they hold before
the hub adds them and after it removes them.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from tornado.web import Application, RequestHandler


@dataclass
class Route:
    """Where a prefix leads.

    Attributes:
        target: Address of the process.
        data: What the hub noted about it.
        fixed: Whether it came from the command line.
        last_activity: When something last passed (aware UTC).
    """

    target: str
    data: dict[str, Any] = field(default_factory=dict)
    fixed: bool = False
    last_activity: datetime = field(default_factory=lambda: datetime.now(UTC))


class Routes:
    """The table. The longest prefix wins; "/a" covers "/a" and "/a/b" and not "/ab".

    Args:
        fixed: Prefix ("/" for the rest) → target, never changed.
    """

    def __init__(self, fixed: Mapping[str, str] | None = None) -> None:
        self._routes = {_clean(p): Route(t, fixed=True) for p, t in (fixed or {}).items()}

    def find(self, path: str) -> str | None:
        """The target of a path; None when nothing lives there. Notes the activity."""
        wanted = _clean(path)
        while wanted != "/" and wanted not in self._routes:
            wanted = _clean(wanted.rpartition("/")[0])
        route = self._routes.get(wanted)
        if route is None:
            return None
        route.last_activity = datetime.now(UTC)
        return route.target

    def add(self, prefix: str, target: str, data: dict[str, Any]) -> None:
        """Add or replace a route; of a fixed one, only what the hub notes about it."""
        key = _clean(prefix)
        known = self._routes.get(key)
        if known is not None and known.fixed:
            known.data = data
        else:
            self._routes[key] = Route(target, data)

    def remove(self, prefix: str) -> bool:
        """Remove a route; False when there is none. A fixed one is only forgotten by the hub."""
        key = _clean(prefix)
        known = self._routes.get(key)
        if known is None or (known.fixed and not known.data):
            return False
        if known.fixed:
            known.data = {}
        else:
            del self._routes[key]
        return True

    def listed(self) -> dict[str, dict[str, Any]]:
        """The routes that the hub added, or noted something about, as it expects them."""
        return {
            prefix: {
                **route.data,
                "target": route.target,
                "last_activity": route.last_activity.isoformat(timespec="milliseconds").replace(
                    "+00:00", "Z"
                ),
            }
            for prefix, route in self._routes.items()
            if route.data or not route.fixed
        }


@dataclass(frozen=True)
class Apart:
    """A path that has a host of its own, away from everything else.

    Attributes:
        prefix: The path, such as `/services/boards`.
        address: Its own address, without a slash at its end.
        others: The address of all other paths.
    """

    prefix: str
    address: str
    others: str

    def other_address(self, host: str, path: str) -> str:
        """Where a path belongs that was asked of the wrong host; "" when it was the right one."""
        wanted = _clean(path)
        inside = wanted == self.prefix or wanted.startswith(f"{self.prefix}/")
        at_home = host.lower() == urlsplit(self.address).netloc
        if inside == at_home:
            return ""
        return self.address if inside else self.others


def _clean(prefix: str) -> str:
    return "/" + unquote(prefix).strip("/")


class RoutesApi(RequestHandler):  # type: ignore[misc]  # tornado is not followed
    """`GET`, `POST` and `DELETE /api/routes/…`."""

    def initialize(self, routes: Routes, token: str) -> None:
        """Take the table and the secret."""
        self._routes, self._token = routes, token

    def prepare(self) -> None:
        """Refuse whoever does not know the secret."""
        given = self.request.headers.get("Authorization", "").removeprefix("token ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            self.send_error(403)

    def check_xsrf_cookie(self) -> None:
        """No browser comes here."""

    def get(self, prefix: str) -> None:
        """List the routes."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self._routes.listed()))

    def post(self, prefix: str) -> None:
        """Add a route."""
        try:
            data = json.loads(self.request.body)
            target = str(data.pop("target"))
        except (ValueError, KeyError, AttributeError, TypeError):
            self.send_error(400)
            return
        if urlsplit(target).scheme not in ("http", "https"):
            self.send_error(400)
            return
        self._routes.add(prefix, target, data)
        self.set_status(201)

    def delete(self, prefix: str) -> None:
        """Remove a route."""
        self.set_status(204 if self._routes.remove(prefix) else 404)


def build_api(routes: Routes, token: str) -> Application:
    """The interface, for a port of its own on loopback."""
    return Application(
        [(r"/api/routes(/.*|)", RoutesApi, {"routes": routes, "token": token})],
        log_function=lambda handler: None,
    )
