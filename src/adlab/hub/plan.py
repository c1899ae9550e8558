"""What the hub's process needs to know, handed over by `adlab hub` in one variable.

It holds secrets, so it travels in the environment of the hub alone: the hub gives its servers a few
named variables and none of these.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from adlab.core.errors import SettingsError

VARIABLE = "ADLAB_HUB_PLAN"
SpawnerKind = Literal["local", "users", "systemd", "docker", "kubernetes"]


@dataclass(frozen=True)
class Servers:
    """How people's notebook servers are started.

    Attributes:
        spawner: Who they run as.
        python: Interpreter they run in.
        people: Folder of homes, shared folders and gallery; "" means below the hub's own folder.
        gallery: Read-only folder of shipped notebooks; "" for none.
        client_folders: Whether a client's team shares a folder.
        memory_bytes: Most memory, or None. What it bounds depends on the spawner.
        cpus: Most processors, or None.
        each: How many servers a person runs side by side.
        idle_seconds: When an idle server is stopped.
        image: Of containers.
        network: Of Docker's containers.
        namespace: Of Kubernetes' pods.
        connect_host: The hub's name as containers reach it.
    """

    spawner: SpawnerKind = "local"
    python: str = sys.executable
    people: str = ""
    gallery: str = ""
    client_folders: bool = False
    memory_bytes: int | None = None
    cpus: float | None = None
    each: int = 5
    idle_seconds: float = 1800.0
    image: str = ""
    network: str = ""
    namespace: str = ""
    connect_host: str = ""


@dataclass(frozen=True)
class Provider:
    """Who checks people, when we do not.

    Attributes:
        kind: Of provider.
        client_id: Our id there.
        client_secret: Our secret there.
        issuer: Its name in tokens; "" when it has none.
        authorize_url: Where browsers go; "" for the kind's own.
        token_url: Where codes become tokens.
        userdata_url: Where a token's person is told.
        username_claim: What is compared with usernames here.
        organization: Whose members may log in; "" for no such limit.
        mfa: Claim and value that a login must carry, such as ("amr", "mfa"); None for none.
    """

    kind: Literal["oidc", "github", "google"]
    client_id: str
    client_secret: str = field(repr=False)
    issuer: str = ""
    authorize_url: str = ""
    token_url: str = ""
    userdata_url: str = ""
    username_claim: str = "email"
    organization: str = ""
    mfa: tuple[str, str] | None = None


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
        servers: How people's servers are started.
        provider: Who checks people; None means adlab's own passwords.
        proxied: Whether another proxy on this machine stands before ours.
        boards_address: The boards' own public address; "" when they share the one of all.
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
    servers: Servers = field(default_factory=Servers)
    provider: Provider | None = None
    proxied: bool = False
    boards_address: str = ""

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
    provider = found.pop("provider")
    if provider is not None:
        provider = Provider(**{**provider, "mfa": tuple(provider["mfa"] or ()) or None})
    return Plan(**{**found, "servers": Servers(**found["servers"]), "provider": provider})
