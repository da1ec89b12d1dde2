"""Moments and clocks as SQL text. Everything in the warehouse is in UTC; a person, or a provider, has a zone."""

from __future__ import annotations

from datetime import datetime


def moment(now: datetime) -> str:
    """A moment in UTC."""
    return f"timestamp '{now:%Y-%m-%d %H:%M:%S.%f}'"


def local(instant: str, zone: str) -> str:
    """What clocks in `zone` show at an instant in UTC."""
    return f"timezone({zone}, timezone('UTC', {instant}))"


def since(per: str, zone: str, now: datetime) -> str:
    """Whether `sent.sent_at` lies in the day, week or month of now, by the clock of a zone."""
    return f"{local('sent.sent_at', zone)} >= date_trunc('{per}', {local(moment(now), zone)})"
