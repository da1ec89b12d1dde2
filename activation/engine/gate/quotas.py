"""Caps and quotas: how many messages left already, of what remains who gets it, and from when a calendar counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from activation.engine.activations import COLLEAGUES, Activation
from activation.engine.gate.times import begin, local, moment
from activation.engine.policies import Cap, Policies, Quota
from activation.engine.warehouse import literal

LONGEST_MONTH = 33  # days, with the change of zones


def applying(caps: Sequence[Cap], activation: Activation) -> list[Cap]:
    """The caps that count for this send: of its channel and purpose, or of all. What colleagues are told is no message the person gets."""
    if not activation.object.message or activation.channel == COLLEAGUES:
        return []
    return [c for c in caps if c.channel in {None, activation.channel} and c.purpose in {None, activation.spec.purpose}]


def of_one_person(quotas: Sequence[Quota], activation: Activation) -> list[Quota]:
    """The quotas of this send that hold for each person."""
    return [quota for quota in _holding(quotas, activation) if quota.each == "person"]


def horizon(policies: Policies, activation: Activation) -> float | None:
    """How many days back something counts; None when nothing does."""
    days = [cap.days or LONGEST_MONTH for cap in applying(policies.caps, activation)]
    days += [float(LONGEST_MONTH) for _ in _holding(policies.quotas.quotas, activation)]
    return max(days, default=None)


def counts(policies: Policies, activation: Activation, now: datetime) -> dict[str, str]:
    """SQL for each cap (`cap_i`) and each quota of one person (`quota_i`), over `sent` of one person and the `clocks` of its zone."""
    columns = {}
    for index, cap in enumerate(applying(policies.caps, activation)):
        if cap.days is not None:
            within = f"sent.sent_at > {moment(now)} - interval '{cap.days * 86400:.0f} seconds'"
        else:
            within = f"sent.sent_at >= clocks.{cap.per}_began"
        only = f" and sent.channel = {literal(cap.channel)}" if cap.channel else f" and sent.channel is distinct from {literal(COLLEAGUES)}"
        # A message whose purpose is not known any more may have been of this one.
        only += f" and coalesce(sent.purpose, '') in ('', {literal(cap.purpose)})" if cap.purpose else ""
        columns[f"cap_{index}"] = f"count(*) filter ({within}{only})"
    for index, quota in enumerate(of_one_person(policies.quotas.quotas, activation)):
        columns[f"quota_{index}"] = _used(quota, policies.quotas.time_zone, now)
    return columns


def over_all_people(connection: duckdb.DuckDBPyConnection, policies: Policies, activation: Activation, now: datetime) -> None:
    """Withhold what the quotas over all people do not let through: in the order of the plan, the first pass."""
    for quota in _holding(policies.quotas.quotas, activation):
        if quota.each is not None:
            continue
        used = connection.execute(f"select {_used(quota, policies.quotas.time_zone, now)} from gate_sent as sent").fetchone() or (0,)
        where = f"the channel {quota.channel}" if quota.channel else quota.destination
        reason = f"{where} takes {quota.messages} messages a {quota.per}, and this one is beyond them; it is planned again."
        connection.execute(
            "insert into verdicts select row_number, null, 'QUOTA', ?, null from gate_rows as r "
            "anti join verdicts as v using (row_number) qualify row_number() over (order by row_number) > ?",
            [reason[0].upper() + reason[1:], max(quota.messages - used[0], 0)],
        )


def _holding(quotas: Sequence[Quota], activation: Activation) -> list[Quota]:
    if not activation.object.message:
        return []
    return [q for q in quotas if q.channel == activation.channel or q.destination == activation.destination.name]


def _used(quota: Quota, zone: str, now: datetime) -> str:
    """SQL that counts over `sent` what has been taken from a quota in this day, week or month of the provider."""
    if quota.channel:
        only = f"sent.channel = {literal(quota.channel)}"
    else:
        only = f"coalesce(sent.destination, '') in ('', {literal(quota.destination or '')})"
    began = begin(quota.per, local(moment(now), literal(zone)), literal(zone))
    return f"count(*) filter (sent.sent_at >= {began} and {only})"
