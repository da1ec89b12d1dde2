"""Two things in turn, again and again, and the median of their ratios: it holds when the machine's speed drifts."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def seconds(action: Callable[[], Any]) -> float:
    """How long it takes, once."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def ratio(ours: Callable[[], Any], plain: Callable[[], Any], rounds: int = 3) -> tuple[float, float, float]:
    """Median of ours/plain over rounds, with the median seconds of each."""
    pairs = [(seconds(ours), seconds(plain)) for _ in range(rounds)]
    return (
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def metric(name: str, value: float, unit: str, bound: str, detail: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 4), "unit": unit, "bound": bound, "detail": detail}


def forget_peak() -> None:
    """From now on `peak_mb` speaks of what comes. Where Linux is not, it goes on to speak of all there was."""
    if CLEAR.exists():
        CLEAR.write_text("5")


def peak_mb() -> float:
    """The most memory this process held, in MB."""
    for line in STATUS.read_text().splitlines() if STATUS.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
