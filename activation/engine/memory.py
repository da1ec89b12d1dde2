"""Memory that is free is given back: a run of a million rows should leave the machine to others."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import pyarrow as pa

ARENA_MAX = -8  # mallopt(3): by default glibc keeps eight heaps a core, each with its own holes


@cache
def be_frugal() -> None:
    """Few heaps for this process. Costs nothing measurable; without glibc it does nothing."""
    pa.set_memory_pool(pa.system_memory_pool())
    if libc := _libc():
        libc.mallopt(ARENA_MAX, 2)


def give_back() -> None:
    """What was freed goes back to the system: between planning and delivering, and before settling."""
    if libc := _libc():
        libc.malloc_trim(0)


@cache
def _libc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
