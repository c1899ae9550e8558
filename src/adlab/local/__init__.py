"""Child processes: the embedded servers, and the parts `adlab demo` starts.

Lives here: embedded PostgreSQL and cache, their folders, passwords, backup, ports, supervised
processes and the front proxy. Does not live here: settings (callers hand in the home), SQL on our
own tables, and anything that knows what the processes are for.
"""

from __future__ import annotations

from adlab.local.servers import (
    Servers,
    ensure_servers,
    reset_data,
    running_servers,
    stop_servers,
    touch,
)

__all__ = [
    "Servers",
    "ensure_servers",
    "reset_data",
    "running_servers",
    "stop_servers",
    "touch",
]
