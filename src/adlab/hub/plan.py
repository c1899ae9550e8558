"""What the hub's process needs to know, handed over by `adlab hub` in one variable.

It holds secrets, so it travels in the environment of the hub alone: the hub gives its servers a few
named variables and none of these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from adlab.core.errors import SettingsError

VARIABLE = "ADLAB_HUB_PLAN"


@dataclass(frozen=True)
class Plan:
    """Addresses and secrets of one start of the house.

    Attributes:
        bind_url: The public address, as the proxy listens.
        public_url: The address people type.
        hub_port: Where the hub listens, on loopback.
        proxy_api_url: Where the hub changes the proxy's routes.
        proxy_token: What the proxy asks for.
        boards_url: Where the boards' process listens.
        boards_token: The boards' secret as the hub's service.
        web_url: Where the web endpoints listen.
        web_token: Their secret as the hub's service.
        folder: Where the hub keeps its state and people's folders.
        database_url: The owner's login: the hub checks passwords and makes people's logins.
        session_key: Signs login links and invitations.
        demo: Whether the data are simulated.
    """

    bind_url: str
    public_url: str
    hub_port: int
    proxy_api_url: str
    proxy_token: str
    boards_url: str
    boards_token: str
    web_url: str
    web_token: str
    folder: str
    database_url: str
    session_key: str
    demo: bool = False

    def __repr__(self) -> str:
        return f"Plan(bind_url={self.bind_url!r}, …)"

    def environment(self) -> dict[str, str]:
        """The one variable."""
        return {VARIABLE: json.dumps(asdict(self))}


def read_plan(environment: Mapping[str, str] | None = None) -> Plan:
    """The plan this process was started with.

    Raises:
        SettingsError: If there is none, or it is another version's.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE)
    if not given:
        raise SettingsError(
            "The hub was started by itself; it needs a proxy, boards and logins around it.",
            "Start all of it with: adlab hub",
        )
    found = json.loads(given)
    known = {f.name for f in fields(Plan)}
    if not isinstance(found, dict) or not known - {"demo"} <= set(found) <= known:
        raise SettingsError(f"{VARIABLE} is another version's.", "Start again with: adlab hub")
    return Plan(**found)
