"""The gate: may this row leave now? Asked in the warehouse for all rows at once; the first rule that refuses is the reason.

Fails closed: a purpose that is not declared, a person that is not known, a table that is not there, each means no.
Order (first slice of the full one): consent → suppression → identifier present → identifier valid → frequency cap → quiet hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.specs import Cap, Policies
from activation.engine.warehouse import DIALECT

VALID = {
    "email": r"^[^@\s,;<>\"]{1,64}@[^@\s.]+(\.[^@\s.]+)+$",
    "phone": r"^\+[1-9][0-9]{6,14}$",
    "wechat_openid": r"^[A-Za-z0-9_-]{6,64}$",
}


ASKED = {
    "consent_state": {"profile_id", "channel", "purpose", "status", "since"},
    "suppressions": {"profile_id", "channel", "reason", "scope"},
    "dim_profiles": {"profile_id", "time_zone"},
}


@dataclass(frozen=True)
class Rule:
    """One reason to withhold a row: an SQL condition over `row` and the tables joined to it, its code and its sentence."""

    code: str
    condition: str
    sentence: str


@dataclass(frozen=True)
class UnsettledMessage:
    """A message that left but is not in the warehouse's history yet."""

    profile_id: str
    channel: str
    at: datetime
    run_id: str = ""


@dataclass(frozen=True)
class Leaving:
    """A send that another process delivers at this moment: whom its plan may still reach."""

    plan_file: Path
    verdicts: Path
    channel: str
    at: datetime


def ask(
    connection: duckdb.DuckDBPyConnection,
    models: Models,
    policies: Policies,
    activation: Activation,
    plan_file: Path,
    now: datetime,
    verdicts: Path,
    unsettled: Sequence[UnsettledMessage] = (),
    leaving: Sequence[Leaving] = (),
) -> dict[str, int]:
    """Write a verdict (row_number, code, reason) for every row that is withheld to `verdicts`. Returns counts by code.

    Removals and invalid rows are not asked about: who leaves a list is always let go.
    """
    _gather(connection, models, policies, activation, plan_file, now, unsettled, leaving)
    rules = _rules(policies, activation, now)
    code = " ".join(f"when {rule.condition} then {_literal(rule.code)}" for rule in rules)
    sentence = " ".join(f"when code = {_literal(rule.code)} then {_literal(rule.sentence)}" for rule in rules)
    decided = (
        f"(select row_number, case {code} end as code from gate_rows as r)" if rules else "(select row_number, null as code from gate_rows)"
    )
    reason = f"case {sentence} end" if rules else "null"
    connection.execute(
        f"create or replace temporary table verdicts as select row_number, code, {reason} as reason from {decided} where code is not null"
    )
    connection.execute("copy (select * from verdicts order by row_number) to '" + str(verdicts).replace("'", "''") + "' (format parquet)")
    return dict(connection.execute("select code, count(*) from verdicts group by 1 order by 1").fetchall())


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(DIALECT)


def _gather(
    connection: duckdb.DuckDBPyConnection,
    models: Models,
    policies: Policies,
    activation: Activation,
    plan_file: Path,
    now: datetime,
    unsettled: Sequence[UnsettledMessage],
    leaving: Sequence[Leaving],
) -> None:
    """`gate_rows`: each row that may leave, with what the rules look at."""
    channel, purpose = activation.channel, activation.spec.purpose
    for needed, names in ASKED.items():
        missing = names - models.columns(connection, needed).keys()  # raises when the table is not there: the gate does not guess
        if missing:
            raise PlanRefused(f"Model `{needed}` has no column `{min(missing)}`, which the gate asks for. Nothing leaves without it.")
    messages = pa.table(
        {
            "profile_id": pa.array([m.profile_id for m in unsettled], pa.string()),
            "channel": pa.array([m.channel for m in unsettled], pa.string()),
            "run_id": pa.array([m.run_id for m in unsettled], pa.string()),
            "sent_at": pa.array([m.at.astimezone(UTC).replace(tzinfo=None) for m in unsettled], pa.timestamp("us")),
        }
    )
    connection.register("unsettled_messages", messages)
    caps = _caps(policies, activation)
    counts = "".join(
        f", count(*) filter (sent_at > $now - interval '{cap.days * 86400:.0f} seconds'"
        + (f" and channel = {_literal(cap.channel)}" if cap.channel else "")
        + f") as cap_{index}"
        for index, cap in enumerate(caps)
    )
    on_their_way = "".join(
        f" union all select profile_id, $channel_{i}, $at_{i} from read_parquet($plan_{i}) where invalid_code is null "
        f"and row_number not in (select row_number from read_parquet($verdicts_{i}))"
        for i in range(len(leaving))
    )
    joined = "".join(f", coalesce(recent.cap_{index}, 0) as cap_{index}" for index in range(len(caps)))
    connection.execute(
        f"""
        create or replace temporary table gate_rows as
        with rows as (
            select row_number, profile_id, match_value from read_parquet($plan) where operation in ('add', 'change') and invalid_code is null
        ), consents as (
            -- The newest word counts, whether it was said of this channel and purpose or of all; of two at once the withdrawal.
            -- A withdrawal of unknown date is taken for the newest, a consent of unknown date for the oldest.
            select profile_id, status from {models.relation("consent_state").sql}
            where channel in ($channel, 'all') and purpose in ($purpose, 'all')
            qualify row_number() over (
                partition by profile_id
                order by coalesce(since, case status when 'withdrawn' then timestamp 'infinity' else timestamp '-infinity' end) desc,
                    case status when 'withdrawn' then 0 else 1 end
            ) = 1
        ), blocked as (
            -- What does not say why, or for what, holds for everything; an address that bounces takes nothing at all.
            select profile_id, min(coalesce(reason, 'unknown')) as any_reason,
                min(coalesce(reason, 'unknown')) filter (scope is distinct from 'marketing' or reason = 'hard_bounce') as always
            from {models.relation("suppressions").sql} where channel in ($channel, 'all') group by 1
        ), sent as (
            select profile_id, channel, recorded_at as sent_at from activation.sync_changelog
            where message_id is not null and outcome in ('sent', 'unknown')
            union all
            -- A run may have settled without having said so.
            select profile_id, channel, sent_at from unsettled_messages anti join activation.sync_runs using (run_id){on_their_way}
        ), recent as (
            select profile_id{counts} from sent where sent_at <= $now group by 1
        ), people as (
            -- One row each, whatever the model holds: a row asked about twice would be counted twice.
            select profile_id, min(time_zone) as time_zone from {models.relation("dim_profiles").sql} group by 1
        ), zones as (
            select name from pg_timezone_names()
        )
        select rows.*, people.profile_id is not null as is_known, consents.status as consent, blocked.always as blocked_always,
            blocked.any_reason as blocked_any, cast(timezone(coalesce(zones.name, $zone), timezone('UTC', $now)) as time) as local_time{joined}
        from rows
        left join people using (profile_id)
        left join consents using (profile_id)
        left join blocked using (profile_id)
        left join recent using (profile_id)
        left join zones on zones.name = people.time_zone
        """,
        {
            "plan": str(plan_file),
            "channel": channel,
            "purpose": purpose,
            "now": now.astimezone(UTC).replace(tzinfo=None),
            "zone": policies.quiet_hours.default_time_zone,
            **{f"channel_{i}": send.channel for i, send in enumerate(leaving)},
            **{f"at_{i}": send.at.astimezone(UTC).replace(tzinfo=None) for i, send in enumerate(leaving)},
            **{f"plan_{i}": str(send.plan_file) for i, send in enumerate(leaving)},
            **{f"verdicts_{i}": str(send.verdicts) for i, send in enumerate(leaving)},
        },
    )
    connection.unregister("unsettled_messages")


def _caps(policies: Policies, activation: Activation) -> list[Cap]:
    if not activation.object.message:
        return []
    return [cap for cap in policies.caps if cap.channel in {None, activation.channel}]


def _rules(policies: Policies, activation: Activation, now: datetime) -> list[Rule]:
    purpose = policies.purposes.get(activation.spec.purpose)
    if purpose is None:
        raise PlanRefused(f"{activation.file}: purpose `{activation.spec.purpose}` is in no policy, so nothing may leave for it.")
    what = f"{activation.spec.purpose} by {activation.channel}"
    rules = [
        Rule("NO_PROFILE", "r.profile_id is null or not r.is_known", "It belongs to no known profile, so nobody can be asked for consent.")
    ]
    if purpose.basis == "consent":
        rules += [
            Rule("CONSENT_WITHDRAWN", "r.consent = 'withdrawn'", f"The person withdrew consent to {what}."),
            Rule("NO_CONSENT", "r.consent is distinct from 'granted'", f"The person never consented to {what}."),
        ]
    elif purpose.basis == "objection":
        rules.append(Rule("OBJECTED", "r.consent = 'withdrawn'", f"The person objected to {what}."))
    suppressed = "r.blocked_always" if purpose.basis == "transactional" else "r.blocked_any"
    rules += [
        Rule("HARD_BOUNCE", f"{suppressed} = 'hard_bounce'", "The address takes no messages any more (hard bounce)."),
        Rule("COMPLAINT", f"{suppressed} = 'complaint'", "The person complained about a message."),
        Rule("DO_NOT_CONTACT", f"{suppressed} = 'do_not_contact'", "The person is marked do-not-contact."),
        Rule("SUPPRESSED", f"{suppressed} is not null", "The person is on the suppression list of this channel."),
    ]
    contact = activation.object.contact
    if contact:
        name = contact.upper()
        rules += [
            Rule(f"NO_{name}", "r.match_value is null or r.match_value = ''", f"The profile has no {contact}."),
            Rule(f"BAD_{name}", f"not regexp_full_match(r.match_value, {_literal(VALID[contact])})", f"The {contact} is not a valid one."),
        ]
    if activation.object.message and purpose.basis != "transactional":
        for index, cap in enumerate(_caps(policies, activation)):
            over = f"{cap.channel} messages" if cap.channel else "messages over all channels"
            rules.append(
                Rule(
                    f"CAP_{(cap.channel or 'all').upper()}",
                    f"r.cap_{index} >= {cap.messages}",
                    f"Had {cap.messages} {over} in {cap.days:g} days.",
                )
            )
        window = policies.quiet_hours.channels.get(activation.channel)
        if window:
            start, end = f"time '{window.start}:00'", f"time '{window.end}:00'"
            inside = (
                f"(r.local_time >= {start} and r.local_time < {end})"
                if window.start < window.end
                else f"(r.local_time >= {start} or r.local_time < {end})"
            )
            drop = activation.send.quiet_hours == "drop"
            then = "it is dropped" if drop else "it is planned again"
            rules.append(
                Rule(
                    "QUIET_HOURS_DROPPED" if drop else "QUIET_HOURS",
                    inside,
                    f"It is quiet time for {activation.channel} where the person is ({window.start} to {window.end}); {then}.",
                )
            )
    return rules
