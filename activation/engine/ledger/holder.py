"""Who holds a lease: a process, named so that another one can see whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def me() -> str:
    """`host:pid:start@machine` of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_stat(os.getpid(), 19)}@{_machine()}"


def shown(holder: str) -> str:
    """`host:pid`, for a person."""
    return holder.rsplit(":", 1)[0]


def is_dead(holder: str) -> bool:
    """Whether the holder surely is no more: of this machine, and its pid is gone or belongs to another process."""
    parts = holder.rsplit(":", 2)
    if len(parts) != 3 or parts[0] != socket.gethostname():
        return False
    pid, (started, _, machine) = int(parts[1]), parts[2].partition("@")
    if machine and machine != _machine():
        return False  # another machine, or container, of the same name
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _stat(pid, 0) == "Z" or (started != "" and _stat(pid, 19) != started)


def _stat(pid: int, field: int) -> str:
    """A field of /proc/<pid>/stat after the name: 0 the state, 19 the start, by which a reused pid is told. Empty where /proc is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[field]
    except (OSError, IndexError):
        return ""


@cache
def _machine() -> str:
    """This boot of this machine, and the space its process numbers belong to. Empty where it cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().split("-")[0]
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
