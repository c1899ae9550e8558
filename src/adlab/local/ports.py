"""Free ports, and who holds one that is not."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class PortChoice:
    """A port to listen on.

    Args:
        port: The port to use.
        taken_by: Who holds the preferred port ("nginx (pid 12)", or "another program" when the
            system does not tell); None when the preferred port is free and was chosen.
    """

    port: int
    taken_by: str | None


def choose_port(preferred: int, host: str = "127.0.0.1") -> PortChoice:
    """Return the preferred port, or a free one and the name of who holds the preferred one."""
    if is_free(preferred, host):
        return PortChoice(preferred, None)
    return PortChoice(free_port(host), port_holder(preferred) or "another program")


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port nobody listens on at this moment."""
    with _socket_for(host) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on the port."""
    with _socket_for(host) as probe:
        if os.name == "posix":
            # Reason: like a server, so that connections in TIME_WAIT do not count as taken; on
            # Windows the same option would let two programs share a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def port_holder(port: int) -> str | None:
    """Return name and pid of the program that listens on a TCP port, when the system tells."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def _socket_for(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
