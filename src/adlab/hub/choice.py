"""Which spawner starts people's servers, and whether that is safe here.

Asked once, before anything starts; what cannot be done safely is refused with a way out.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from adlab.core.errors import SettingsError
from adlab.hub.accounts import NOBODY, longest_home
from adlab.hub.plan import Servers, SpawnerKind
from adlab.local.places import SYSTEM_BASE, home_key

# Spawner → module and the extra that brings it.
PACKAGES = {
    "systemd": ("systemdspawner", "adlab[hub-systemd]"),
    "docker": ("dockerspawner", "adlab[hub-docker]"),
    "kubernetes": ("kubespawner", "adlab[hub-kubernetes]"),
}
_SHARED = (
    "With ADLAB_HUB__SPAWNER=local all notebook servers run as one system user, so everybody can "
    "read everybody's files and environment, and with it their database login."
)
_TRUST = "ADLAB_HUB__TRUST_EVERYBODY=1 if all who use notebooks may see what all of them may"
_IMPORTS = "import adlab, jupyterhub, jupyterlab, ipykernel"


class Wishes(Protocol):
    """The settings asked for; see `adlab.settings.HubSettings`."""

    spawner: SpawnerKind | None
    trust_everybody: bool
    python: Path | None
    people: Path | None
    client_folders: bool
    memory_limit: str | None
    cpu_limit: float | None
    servers_each: int
    idle_minutes: int
    image: str | None
    network: str | None
    namespace: str | None
    connect_host: str | None


def choose_servers(
    wishes: Wishes,
    home: Path,
    *,
    demo: bool,
    loopback_store: bool = False,
    is_root: bool | None = None,
    reaches: Callable[[str], str] | None = None,
) -> Servers:
    """Decide how servers are started.

    Args:
        wishes: The settings.
        home: adlab's home.
        demo: The demo's data are nobody's secret, so there one system user is enough.
        loopback_store: Whether the store is reachable from this machine only.
        is_root: Whether we may start programs as others; asked of the system when omitted.
        reaches: Says why an interpreter is of no use to an ordinary account, "" if it is.

    Raises:
        SettingsError: If the choice would let people read each other's things unasked, or cannot
            work here; says what to do.
    """
    root = _is_root() if is_root is None else is_root
    kind = wishes.spawner or ("local" if demo else "users" if root else None)
    if kind is None:
        raise SettingsError(
            "adlab hub is not root, so it cannot run each person's notebooks as a system user of "
            "their own, and nothing else was chosen.",
            f"Start it as root, or set ADLAB_HUB__SPAWNER to docker, kubernetes or local. {_SHARED}"
            f" Choose that only together with {_TRUST}.",
        )
    if kind == "local" and not demo and not wishes.trust_everybody:
        raise SettingsError(
            _SHARED,
            "Start adlab as root with ADLAB_HUB__SPAWNER=users, which gives each person a system "
            f"user of their own; or set {_TRUST}.",
        )
    if kind in ("users", "systemd") and not root:
        raise SettingsError(
            f"ADLAB_HUB__SPAWNER={kind} starts servers as other system users; only root may.",
            "Start adlab as root, or choose docker or kubernetes.",
        )
    if wishes.client_folders and kind != "users":
        raise SettingsError(
            f"ADLAB_HUB__CLIENT_FOLDERS needs ADLAB_HUB__SPAWNER=users, not {kind}.",
            "Unset one of the two.",
        )
    python = str(wishes.python or sys.executable)
    if kind in PACKAGES:
        _check_package(kind)
    if kind in ("docker", "kubernetes"):
        _check_remote(kind, wishes, loopback_store)
    people = ""
    if kind in ("users", "systemd"):
        people = str(wishes.people or SYSTEM_BASE / f"people-{home_key(home)[:8]}")
        _check_people(people)
        problem = (reaches or why_unreachable)(python)
        if problem:
            raise SettingsError(
                f"People's own system users cannot run {python}: {problem}.",
                "Install adlab where everybody may read it, for example in /opt/adlab, or name "
                "such an interpreter in ADLAB_HUB__PYTHON.",
            )
    return Servers(
        spawner=kind, python=python, people=people, client_folders=wishes.client_folders,
        memory_bytes=_bytes(wishes.memory_limit), cpus=wishes.cpu_limit, each=wishes.servers_each,
        idle_seconds=wishes.idle_minutes * 60.0, image=wishes.image or "",
        network=wishes.network or "", namespace=wishes.namespace or "",
        connect_host=wishes.connect_host or "",
    )  # fmt: skip


def why_unreachable(python: str) -> str:
    """Why an ordinary account cannot start servers with an interpreter; "" if it can."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", _IMPORTS], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
            env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return _words(error)
    last = (done.stderr.strip().splitlines() or ["it ends at once"])[-1]
    return "" if done.returncode == 0 else last


def _words(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "a folder above it is closed to them"
    return getattr(error, "strerror", None) or type(error).__name__


def _check_package(kind: str) -> None:
    module, extra = PACKAGES[kind]
    if importlib.util.find_spec(module) is None:
        raise SettingsError(
            f"ADLAB_HUB__SPAWNER={kind} needs a package that is not installed.",
            f"pip install {json.dumps(extra)}",
        )


def _check_remote(kind: str, wishes: Wishes, loopback_store: bool) -> None:
    missing = [f"ADLAB_HUB__{name.upper()}" for name in ("image", "connect_host")
               if not getattr(wishes, name)]  # fmt: skip
    if kind == "docker" and not wishes.network:
        missing.append("ADLAB_HUB__NETWORK")
    if missing:
        raise SettingsError(
            f"ADLAB_HUB__SPAWNER={kind} also needs {' and '.join(missing)}.",
            "Set them; see README, notebook servers.",
        )
    if loopback_store:
        raise SettingsError(
            f"Servers in {kind} cannot reach a database on this machine's loopback.",
            "Set ADLAB_DATABASE__URL to a PostgreSQL that the servers' network reaches.",
        )


def _check_people(people: str) -> None:
    if len(longest_home(people)) > 50:
        # Reason: kernels talk over sockets in the home, and such addresses hold 107 characters.
        raise SettingsError(
            f"ADLAB_HUB__PEOPLE is too long a path: {people}.",
            f"Choose one of at most {50 - len(longest_home(''))} characters.",
        )


def _bytes(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text[:-1]) * {"M": 1 << 20, "G": 1 << 30}[text[-1]]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
