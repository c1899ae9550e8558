"""Child processes: the embedded servers, and the parts `adlab demo` starts.

Lives here: embedded PostgreSQL and cache, their folders, passwords, backup, ports, supervised
processes and the front proxy. Does not live here: settings (callers hand in the home), SQL on our
own tables, and anything that knows what the processes are for.
"""

from __future__ import annotations

from adlab.local.backup import BackupReport, backup
from adlab.local.checks import Check, check
from adlab.local.instance import Instance, running_instance, single_instance
from adlab.local.ports import PortChoice, choose_port, free_port
from adlab.local.process import Child, Supervisor
from adlab.local.restore import RestoreReport, restore
from adlab.local.servers import (
    Servers,
    ensure_servers,
    reset_data,
    running_servers,
    stop_servers,
    touch,
)

__all__ = [
    "BackupReport",
    "Check",
    "Child",
    "Instance",
    "PortChoice",
    "RestoreReport",
    "Servers",
    "Supervisor",
    "backup",
    "check",
    "choose_port",
    "ensure_servers",
    "free_port",
    "reset_data",
    "restore",
    "running_instance",
    "running_servers",
    "single_instance",
    "stop_servers",
    "touch",
]
