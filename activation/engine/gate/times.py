"""Moments and clocks as SQL text. Everything in the warehouse is in UTC; a person, or a provider, has a zone."""

from __future__ import annotations

from datetime import datetime


def moment(now: datetime) -> str:
    """A moment in UTC."""
    return f"timestamp '{now:%Y-%m-%d %H:%M:%S.%f}'"


def local(instant: str, zone: str) -> str:
    """What clocks in `zone` show at an instant in UTC."""
    return f"timezone({zone}, timezone('UTC', {instant}))"


def begin(per: str, clock: str, zone: str) -> str:
    """When the day, week (from Monday) or month of a local time began, in UTC."""
    return f"timezone('UTC', timezone({zone}, date_trunc('{per}', {clock})))"
