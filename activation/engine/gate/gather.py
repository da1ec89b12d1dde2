"""What the gate looks at: one row for each row that may leave, with all that the rules ask about, in the table `gate_rows`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from activation.engine.audience import TAKEN, take_waterfall
from activation.engine.declarations import Activation
from activation.engine.draws import assigned, draws, merges
from activation.engine.errors import PlanRefused
from activation.engine.gate import landed
from activation.engine.gate.quiet_hours import loud_at
from activation.engine.gate.quotas import counts, horizon
from activation.engine.gate.times import begin, local, moment
from activation.engine.gate.words import topic_of, words
from activation.engine.models import Models
from activation.engine.policies import Policies
from activation.engine.warehouse import literal

ASKED = {
    "consent_state": {"profile_id", "channel", "purpose", "status", "since"},
    "suppressions": {"profile_id", "channel", "reason", "scope"},
    "dim_profiles": {"profile_id", "time_zone"},
}


@dataclass(frozen=True)
class UnsettledMessage:
    """A message that left but is not in the warehouse's history yet."""

    profile_id: str
    channel: str
    at: datetime
    run_id: str = ""
    purpose: str = ""
    destination: str = ""


@dataclass(frozen=True)
class Leaving:
    """A send that another process delivers at this moment: whom its plan may still reach."""

    plan_file: Path
    verdicts: Path
    channel: str
    at: datetime
    purpose: str = ""
    destination: str = ""


def gather(
    connection: duckdb.DuckDBPyConnection,
    models: Models,
    policies: Policies,
    activation: Activation,
    plan_file: Path,
    now: datetime,
    unsettled: Sequence[UnsettledMessage],
    leaving: Sequence[Leaving],
) -> None:
    """Make the temporary tables `gate_rows` and `gate_sent`. Raises PlanRefused when a model that is asked is not there as it should be."""
    for needed, names in ASKED.items():
        missing = names - models.columns(connection, needed).keys()  # raises when the table is not there: the gate does not guess
        if missing:
            raise PlanRefused(f"Model `{needed}` has no column `{min(missing)}`, which the gate asks for. Nothing leaves without it.")
    if activation.kind == "send":
        take_waterfall(connection, models, activation)
    else:
        connection.execute(f"create or replace temporary table {TAKEN} (profile_id varchar, ref varchar)")
    _sent(connection, models, horizon(policies, activation), now, unsettled, leaving)
    counted = counts(policies, activation, now)
    counted_columns = "".join(f", {sql} as {name}" for name, sql in counted.items())
    room = "".join(f", coalesce(recent.{name}, 0) as {name}" for name in counted)
    drawn = draws(policies, activation, "rows.profile_id")
    arms = "".join(f", coalesce(drawn_{i}.arm, {draw.arm}) as draw_{i}" for i, draw in enumerate(drawn))
    joins = "".join(
        f" left join {assigned(connection, models, draw.name)} as drawn_{i} on drawn_{i}.profile_id = rows.profile_id"
        for i, draw in enumerate(drawn)
    )
    window = policies.quiet_hours.channels.get(activation.channel)
    loud = loud_at(window, "local_now", "zone", now) if window else "cast(null as timestamp)"
    began = "".join(f", {begin(per, 'local_now', 'zone')} as {per}_began" for per in ("day", "week", "month"))
    said = f"in ({literal(activation.channel)}, 'all')"
    landed.note(connection, models, activation, plan_file, now)
    words_said, topic = words(connection, models, activation, now), literal(topic_of(activation) or "all")
    connection.execute(
        f"""
        create or replace temporary table gate_rows as
        with rows as (
            select row_number, profile_id, match_value from read_parquet({literal(str(plan_file))})
            where operation in ('add', 'change') and invalid_code is null
        ), merged as (
            select previous_id, profile_id as id_now from {merges(connection, models)}
        ), words as (
            -- A withdrawal of unknown date is taken for the newest, a consent of unknown date for the oldest.
            -- What is asked for and not confirmed says nothing, neither yes nor no.
            select profile_id, max(coalesce(since, timestamp 'infinity')) filter (status = 'withdrawn') as withdrawn,
                max(coalesce(since, timestamp '-infinity')) filter (status = 'granted') as granted,
                max(coalesce(since, timestamp '-infinity')) filter (coalesce(status, '') not in ('withdrawn', 'granted', 'pending')) as other,
                max(coalesce(since, timestamp 'infinity')) filter (status = 'withdrawn' and by_name) as left_by_name,
                max(coalesce(since, timestamp '-infinity')) filter (status = 'granted' and by_name) as taken_by_name,
                coalesce(bool_or(status = 'pending'), false) as asked, coalesce(bool_or(status = 'expired'), false) as ended
            from (
                select coalesce(id_now, profile_id) as profile_id, since, status, topic <> 'all' as by_name
                from {words_said} as said left join merged on previous_id = profile_id
                where channel {said} and purpose in ({literal(activation.spec.purpose)}, 'all') and topic in ({topic}, 'all')
            ) as t where profile_id in (select profile_id from rows) group by 1
        ), consents as (
            -- The newest word counts, whether it was said of this channel and purpose or of all; of two at once the withdrawal.
            -- But who left a topic by its name has left it until it is taken again by its name.
            select profile_id, case
                when left_by_name >= coalesce(taken_by_name, left_by_name) then 'withdrawn'
                when withdrawn >= coalesce(granted, withdrawn) and withdrawn >= coalesce(other, withdrawn) then 'withdrawn'
                when granted is not null and (withdrawn is null or granted > withdrawn) and (other is null or granted > other) then 'granted'
                when asked then 'pending' when ended then 'expired'
                end as status
            from words
        ), blocked as (
            -- What does not say why, or for what, holds for everything; an address that bounces takes nothing at all.
            select coalesce(id_now, profile_id) as profile_id, min(coalesce(reason, 'unknown')) as any_reason,
                min(coalesce(reason, 'unknown')) filter (scope is distinct from 'marketing' or reason = 'hard_bounce') as always
            from (
                select profile_id, channel, reason, scope from {models.relation("suppressions").sql}
                union all select profile_id, channel, reason, scope from {landed.NOES} where reason is not null
            ) as s left join merged on previous_id = profile_id
            where channel {said} group by 1
        ), zones as (
            select name from pg_timezone_names()
        ), people as (
            -- One row each, whatever the model holds: a row asked about twice would be counted twice.
            select profile_id, coalesce(min(zones.name), {literal(policies.quiet_hours.default_time_zone)}) as zone
            from {models.relation("dim_profiles").sql} left join zones on zones.name = time_zone
            where profile_id in (select profile_id from rows) group by 1
        ), clocks as (
            -- There are far fewer zones than people, and asking a zone for the time is slow.
            select *, {loud} as loud_at{began} from (
                select zone, {local(moment(now), "zone")} as local_now from (select distinct zone from people)
            )
        ), recent as (
            select sent.profile_id{counted_columns} from gate_sent as sent join people using (profile_id) join clocks using (zone) group by 1
        )
        select rows.*, people.profile_id is not null as is_known, consents.status as consent, blocked.always as blocked_always,
            blocked.any_reason as blocked_any, taken.ref as taken_by, clocks.local_now, clocks.loud_at{room}{arms}
        from rows
        left join people using (profile_id)
        left join clocks using (zone)
        left join consents using (profile_id)
        left join blocked using (profile_id)
        left join recent using (profile_id)
        left join {TAKEN} as taken using (profile_id){joins}
        """
    )


def _sent(
    connection: duckdb.DuckDBPyConnection,
    models: Models,
    days: float | None,
    now: datetime,
    unsettled: Sequence[UnsettledMessage],
    leaving: Sequence[Leaving],
) -> None:
    """Make `gate_sent`: every message of the last `days` that left or may have left, by the person of today, settled or not."""
    names = ("profile_id", "channel", "run_id", "purpose", "destination")
    messages = pa.table(
        {
            **{name: pa.array([getattr(m, name) for m in unsettled], pa.string()) for name in names},
            "sent_at": pa.array([m.at.astimezone(UTC).replace(tzinfo=None) for m in unsettled], pa.timestamp("us")),
        }
    )
    connection.register("unsettled_messages", messages)
    on_their_way = "".join(
        f" union all select profile_id, {literal(send.channel)}, {literal(send.purpose)}, {literal(send.destination)}, "
        f"{moment(send.at.astimezone(UTC).replace(tzinfo=None))} from read_parquet({literal(str(send.plan_file))}) "
        f"where invalid_code is null and row_number not in (select row_number from read_parquet({literal(str(send.verdicts))}))"
        for send in leaving
    )
    recently = "false" if days is None else f"sent_at > {moment(now)} - interval '{days * 86400:.0f} seconds' and sent_at <= {moment(now)}"
    connection.execute(
        f"""
        create or replace temporary table gate_sent as
        with sent as (
            select profile_id, channel, purpose, destination, recorded_at as sent_at from activation.sync_changelog
            where message_id is not null and outcome in ('sent', 'unknown')
            union all
            -- A run may have settled without having said so.
            select profile_id, channel, purpose, destination, sent_at from unsettled_messages anti join activation.sync_runs using (run_id)
            {on_their_way}
        )
        select coalesce(merged.profile_id, sent.profile_id) as profile_id, sent.channel, sent.purpose, sent.destination, sent.sent_at
        from sent left join {merges(connection, models)} as merged on merged.previous_id = sent.profile_id
        where {recently}
        """
    )
    connection.unregister("unsettled_messages")
