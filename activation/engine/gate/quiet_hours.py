"""Quiet hours: whether a clock stands in them, when they end, and how far off they are."""

from __future__ import annotations

from datetime import datetime

from activation.engine.gate.times import local, moment
from activation.engine.policies import QuietWindow


def inside(window: QuietWindow, clock: str) -> str:
    """SQL: whether a local time lies in the window, which may cross midnight."""
    start, end = f"cast({clock} as time) >= time '{window.start}:00'", f"cast({clock} as time) < time '{window.end}:00'"
    return f"({start} {'and' if window.start < window.end else 'or'} {end})"


def loud_at(window: QuietWindow, clock: str, zone: str, now: datetime) -> str:
    """SQL: for a local time and its zone, the moment in UTC from which it is not quiet any more.

    The end of the window is looked up with the offset that the zone has now and with the one it will have then; the first of the
    two that is not quiet is right on either side of a change of the clocks. A window that ends within the hour that is skipped
    is taken to end later by up to that hour.
    """
    days = f"case when cast({clock} as time) >= time '{window.end}:00' then interval '1 day' else interval '0 days' end"
    hours, minutes = window.end.split(":")
    end = f"(date_trunc('day', {clock}) + {days} + interval '{int(hours) * 60 + int(minutes)} minutes')"
    then, now_offset = f"timezone('UTC', timezone({zone}, {end}))", f"({end} - ({clock} - {moment(now)}))"
    return f"case when {inside(window, local(now_offset, zone))} then {then} else least({then}, {now_offset}) end"


def until_quiet(window: QuietWindow, clock: str) -> str:
    """SQL: how long it is for a local time outside the window until it begins, as long as nobody changes the clocks."""
    hours, minutes = window.start.split(":")
    start = f"date_trunc('day', {clock}) + interval '{int(hours) * 60 + int(minutes)} minutes'"
    return f"case when {start} <= {clock} then {start} + interval '1 day' else {start} end - {clock}"
