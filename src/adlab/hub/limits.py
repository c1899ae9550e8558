"""What a server may use of the machine, as far as the system's own limits go.

`RLIMIT_DATA` bounds the memory of each process, not of a whole server (limits of address space
would break numpy and compilers); `RLIMIT_NPROC` bounds processes and threads of a person together.
Processors are asked for, not enforced: libraries start so many threads, and a program may undo it.
Limits of a whole server need control groups: the systemd, docker and kubernetes spawners set those.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable

from adlab.hub.plan import Servers

PROCESSES = 1024
FILES = 4096
_NO_NEW_PRIVILEGES = 38


def limits_to_apply(servers: Servers, uid: int | None = None) -> Callable[[], None]:
    """What a child process does between its start and its program.

    Args:
        servers: Holds the limits.
        uid: Of a person's own account; None when it is everybody's, whose processes are not
            counted, because one person's would stop another's.
    """
    import resource

    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, FILES)]
    if uid is not None:
        wanted.append((resource.RLIMIT_NPROC, PROCESSES))
    if servers.memory_bytes is not None:
        wanted.append((resource.RLIMIT_DATA, servers.memory_bytes))
    capped = [(kind, _cap(number, resource.getrlimit(kind)[1])) for kind, number in wanted]
    libc = ctypes.CDLL(None)
    processors = _processors(servers.cpus, uid or 0)

    def apply() -> None:
        # Reason: no set-user-id or set-group-id program gives back what was taken: neither sudo,
        # nor a copy of a shell that carries a team's group after its owner has left the team.
        if hasattr(libc, "prctl"):
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        for kind, number in capped:
            resource.setrlimit(kind, (number, number))
        if processors:
            os.sched_setaffinity(0, processors)

    return apply


def thread_variables(cpus: float | None) -> dict[str, str]:
    """How many threads libraries start, so that one notebook does not take the whole machine."""
    if cpus is None:
        return {}
    number = str(max(1, math.floor(cpus)))
    return dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"),
        number,
    )


def _cap(number: int, ceiling: int) -> int:
    return number if ceiling < 0 else min(number, ceiling)


def _processors(cpus: float | None, uid: int) -> set[int]:
    """Some of the processors, not the same ones for everybody; none when nothing is asked."""
    if cpus is None or not hasattr(os, "sched_getaffinity"):
        return set()
    there = sorted(os.sched_getaffinity(0))
    count = min(len(there), math.ceil(cpus))
    return {there[(uid + step) % len(there)] for step in range(count)}
