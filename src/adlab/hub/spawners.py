"""The spawner of a plan: its class, and what is set on it.

Docker, Kubernetes and systemd come from packages of their own, imported only when chosen. What is
set on them is plain data here, so that it can be read and tested without them.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from adlab.hub.homes import Home
from adlab.hub.plan import Plan, Servers

# Spawner → its class.
CLASSES = {
    "systemd": ("systemdspawner", "SystemdSpawner"),
    "docker": ("dockerspawner", "DockerSpawner"),
    "kubernetes": ("kubespawner", "KubeSpawner"),
}
HOME_IN_IMAGE = "/home/analyst"
_PERSON = 1000
_TASKS = 1024
# Reason: a server with an open JupyterLab does not end on the first signals; waiting half a minute
# for each, as the hub does, would let a revoked person's kernels run for more than one.
_PATIENCE = {"interrupt_timeout": 3, "term_timeout": 5}


def spawner_class(servers: Servers) -> type[Any]:
    """The class that starts servers."""
    from adlab.hub.spawning import AdlabSpawner, KeepsLogin, PersonSpawner

    if servers.spawner == "local":
        return AdlabSpawner
    if servers.spawner == "users":
        return PersonSpawner
    module, name = CLASSES[servers.spawner]
    base = getattr(importlib.import_module(module), name)
    return type(f"Adlab{name}", (KeepsLogin, base), {})


def spawner_options(plan: Plan) -> dict[str, Any]:
    """What is set on the class, by trait."""
    servers = plan.servers
    options: dict[str, Any] = {}
    if servers.spawner == "local":
        people = str(Path(plan.folder) / "people" / "{username}")
        return {"home_dir_template": people, "notebook_dir": people, **_PATIENCE}
    if servers.spawner == "users":
        options |= _PATIENCE
    else:
        options |= {"mem_limit": servers.memory_bytes, "cpu_limit": servers.cpus}
    if servers.spawner == "systemd":
        options |= _systemd()
    elif servers.spawner == "docker":
        options |= _docker(servers)
    elif servers.spawner == "kubernetes":
        options |= _kubernetes(servers)
    return {name: value for name, value in options.items() if value is not None}


def hub_options(plan: Plan) -> dict[str, Any]:
    """What is set on the hub so that servers elsewhere reach it."""
    if plan.servers.spawner not in ("docker", "kubernetes"):
        return {"hub_bind_url": f"http://127.0.0.1:{plan.hub_port}"}
    return {
        "hub_bind_url": f"http://0.0.0.0:{plan.hub_port}",
        "hub_connect_url": f"http://{plan.servers.connect_host}:{plan.hub_port}",
    }


def systemd_unit(home: Home, server: str) -> dict[str, Any]:
    """What one server's unit is told, beside what all have."""
    assert home.account is not None
    return {
        "username_template": home.account.name,
        "user_workingdir": str(home.folder),
        "readwrite_paths": [str(home.folder)],
        "unit_name": f"adlab-{home.account.name}-{server or 'all'}",
    }


def _systemd() -> dict[str, Any]:
    """A unit a server, under its person's account, with control groups around it."""
    return {
        "isolate_tmp": True,
        "isolate_devices": True,
        "disable_user_sudo": True,
        "unit_extra_properties": {
            "ProtectSystem": "strict", "ProtectHome": "yes", "ProtectProc": "invisible",
            "RestrictSUIDSGID": "yes", "TasksMax": str(_TASKS), "LimitCORE": "0", "UMask": "0077",
        },
    }  # fmt: skip


def _docker(servers: Servers) -> dict[str, Any]:
    volumes: dict[str, Any] = {"adlab-home-{escaped_username}": HOME_IN_IMAGE}
    if servers.gallery:
        volumes[servers.gallery] = {"bind": f"{HOME_IN_IMAGE}/gallery", "mode": "ro"}
    return {
        "image": servers.image,
        "network_name": servers.network,
        "use_internal_ip": True,
        "remove": True,
        "notebook_dir": HOME_IN_IMAGE,
        "volumes": volumes,
        "extra_create_kwargs": {"user": f"{_PERSON}:{_PERSON}"},
        "extra_host_config": {
            "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"],
            "pids_limit": _TASKS, "privileged": False,
        },
    }  # fmt: skip


def _kubernetes(servers: Servers) -> dict[str, Any]:
    return {
        "image": servers.image,
        "namespace": servers.namespace or "default",
        "uid": _PERSON,
        "gid": _PERSON,
        "fs_gid": _PERSON,
        "privileged": False,
        "allow_privilege_escalation": False,
        # Reason: a notebook has no business with the cluster's own API.
        "automount_service_account_token": False,
        "service_account": None,
        "container_security_context": {
            "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "extra_labels": {"app.kubernetes.io/part-of": "adlab"},
        "notebook_dir": HOME_IN_IMAGE,
        # One folder a person, in all of their servers; kept when a server ends.
        "storage_pvc_ensure": True,
        "delete_pvc": False,
        "pvc_name_template": "adlab-home-{username}",
        "storage_capacity": "10Gi",
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}},
            {"name": "gallery", "configMap": {"name": "adlab-gallery", "optional": True}},
        ],
        "volume_mounts": [
            {"name": "home", "mountPath": HOME_IN_IMAGE},
            {"name": "gallery", "mountPath": f"{HOME_IN_IMAGE}/gallery", "readOnly": True},
        ],
    }  # fmt: skip
