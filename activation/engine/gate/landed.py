"""What landed and takes something back, whether a build has seen it or not: complaints, answers such as STOP, records of consent, and
do-not-contact in a CRM. Only what takes back: what lets more through waits for the build.

What a payload means is said once, by the staging models, which are views and know what landed a moment ago; of the large streams of
receipts the batches are read that the last build did not take in, the rest from its own table. Who somebody is, is asked as the models
ask: whose message it was, whose identifier it is; and where nobody has it yet, whoever is about to be written to there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb

from activation.engine.declarations import Activation
from activation.engine.draws import merges
from activation.engine.errors import PlanRefused
from activation.engine.gate.times import moment
from activation.engine.models import Models
from activation.engine.warehouse import literal

NOES = "gate_noes"
READ = {
    "int_message_receipts": {"source", "channel", "event_type", "identifier_type", "identifier", "message_id", "occurred_at", "_batch_id"},
    "message_event_types": {"source", "pattern", "event_type"},
    "stg_sms__receipts": {"error_code", "phone", "message_id", "occurred_at", "_batch_id"},
    "stg_consent__records": {"identifier_type", "identifier", "channel", "purpose", "topic", "status", "occurred_at"},
    "stg_crm__contacts": {"contact_id", "email", "phone", "do_not_contact", "updated_at"},
    "consent_channels": {"channel"},
    "consent_purposes": {"purpose", "is_marketing", "is_transactional"},
    "bridge_profile_identifiers": {"identifier_type", "identifier", "profile_id"},
}
_COLUMNS = (
    "identifier_type varchar, identifier varchar, message_id varchar, channel varchar, purpose varchar, topic varchar, since timestamp, "
    "reason varchar, scope varchar"
)
_REFUSED = "('complained', 'unsubscribed')"
# As the models read it (stg_mail__events), whichever vendor told it: the address, our message's id wherever it is repeated, and the word.
_MAIL = (
    "'email' as identifier_type, lower(trim(payload ->> '$.email')) as identifier, "
    "nullif(regexp_extract(payload::varchar, 'm_[0-9a-f]{32}'), '') as message_id, "
    "coalesce(to_timestamp(try_cast(payload ->> '$.timestamp' as double)) at time zone 'UTC', "
    "try_cast(payload ->> '$.timestamp' as timestamptz) at time zone 'UTC', _landed_at) as occurred_at"
)
_MAIL_CODE = (
    "case when payload ->> '$.subscription.newTopicPreferences.unsubscribeAll' = 'true' then 'unsubscribe' "
    "else replace(lower(payload ->> '$.event'), ' ', '') || coalesce('.' || case when payload ->> '$.event' = 'failed' then lower(payload ->> '$.reason') end, '') "
    "end as code"
)


def note(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, plan_file: Path, now: datetime) -> None:
    """Make the temporary table `gate_noes` (profile_id, channel, purpose, topic, since, reason, scope) for the people of a plan.

    A row with a purpose is a consent withdrawn, one with a reason a suppression. A project without one of the models says nothing by it;
    a model that is not built raises PlanRefused.
    """
    known = set(models.names())
    for name in sorted(READ.keys() & known):
        missing = READ[name] - models.columns(connection, name).keys()  # raises when it is not there: the gate does not guess
        if missing:
            raise PlanRefused(
                f"Model `{name}` has no column `{min(missing)}`, by which the gate hears who said no. Nothing leaves without it."
            )
    connection.execute(f"create or replace temporary table gate_said (n bigint, {_COLUMNS})")
    if activation.kind == "sync" and activation.sync.about != "people":
        said: list[str] = []
    else:
        said = [*_receipts(connection, models, known, activation.channel), *_records(models, known), *_contacts(models, known, activation)]
    for number, sql in enumerate(said):
        connection.execute(f"insert into gate_said by name select {number} * 1000000000000 + row_number() over () as n, * from ({sql})")
    connection.execute(
        f"""
        create or replace temporary table {NOES} as
        with whose as ({_whose(connection, models, known, activation, plan_file)}), told as (
            select s.*, whose.profile_id from gate_said as s join whose using (n)
            where whose.profile_id in (select profile_id from read_parquet({literal(str(plan_file))}))
        )
        select profile_id, channel, purpose, topic, since, reason, scope from told
        where reason is null or reason not in ('said_not', 'said_may')
        union all
        -- Until it is taken back; of both at once the no counts, and so does one of a clock that runs ahead.
        select profile_id, {literal(activation.channel)}, null, null, max(since), 'do_not_contact', 'marketing' from told
        where channel in ({literal(activation.channel)}, 'all') and (reason = 'said_not' or (reason = 'said_may' and since <= {moment(now)}))
        group by profile_id having max_by(reason, (since, reason)) = 'said_not'
        """
    )


def _whose(connection: duckdb.DuckDBPyConnection, models: Models, known: set[str], activation: Activation, plan_file: Path) -> str:
    """SQL of (n, profile_id): who said what stands in `gate_said`."""
    by_message = (
        "select s.n, coalesce(m.profile_id, c.profile_id) as profile_id from gate_said as s "
        "join activation.sync_changelog as c on s.message_id = c.message_id and c.channel is distinct from 'chat' "
        f"left join {merges(connection, models)} as m on m.previous_id = c.profile_id where c.profile_id is not null"
    )
    found = [f"select n, profile_id from ({by_message}) as by_message"]
    others = f"n not in (select n from ({by_message}) as by_message)"
    if "bridge_profile_identifiers" in known:
        bridge = models.relation("bridge_profile_identifiers").sql
        found.append(f"select s.n, b.profile_id from gate_said as s join {bridge} as b using (identifier_type, identifier) where {others}")
        others += f" and n not in (select s.n from gate_said as s join {bridge} as b using (identifier_type, identifier))"
    contact = activation.object.contact
    if contact and not (activation.kind == "send" and activation.send.to):
        found.append(
            f"select s.n, r.profile_id from gate_said as s join read_parquet({literal(str(plan_file))}) as r "
            f"on s.identifier_type = {literal(contact)} and s.identifier = {'lower(r.match_value)' if contact == 'email' else 'r.match_value'} "
            f"where r.profile_id is not null and {others}"
        )
    return " union ".join(found)


# -- what is read -------------------------------------------------------------------------------------------------------------


def _receipts(connection: duckdb.DuckDBPyConnection, models: Models, known: set[str], channel: str) -> Iterator[str]:
    """Complaints and refusals that a provider, or an answer to a text message, told of this channel."""
    if not {"int_message_receipts", "message_event_types"} <= known or channel not in {"email", "sms"}:
        return
    taken_in, types = models.relation("int_message_receipts").sql, models.relation("message_event_types").sql
    heard = [
        f"select event_type, identifier_type, identifier, message_id, occurred_at from {taken_in} "
        f"where source in ('mail', 'sms') and channel = {literal(channel)} and event_type in {_REFUSED}"
    ]
    source, table = ("mail", "mail_events") if channel == "email" else ("sms", "sms_receipts")
    batches = _unseen(connection, table, f"select distinct _batch_id from {taken_in} where source = {literal(source)}")
    if batches:
        lately = f"_batch_id in ({', '.join(map(literal, batches))})"
        if channel == "email":
            told = f"select {_MAIL_CODE}, {_MAIL} from raw.mail_events where {lately}"
        elif "stg_sms__receipts" in known:
            told = (
                "select lower(error_code) as code, 'phone' as identifier_type, phone as identifier, message_id, occurred_at "
                f"from {models.relation('stg_sms__receipts').sql} where {lately}"
            )
        else:
            return
        heard.append(
            f"select t.event_type, h.identifier_type, h.identifier, h.message_id, h.occurred_at from ({told}) as h join {types} as t "
            f"on t.source = {literal(source)} and t.event_type in {_REFUSED} and regexp_matches(h.code, t.pattern)"
        )
    every, where = " union all ".join(heard), f"identifier_type, identifier, message_id, {literal(channel)} as channel"
    yield f"select {where}, p.purpose, 'all' as topic, occurred_at as since from ({every}) as h cross join {_purposes(models, known, 'is_marketing')} as p"
    yield f"select {where}, occurred_at as since, 'complaint' as reason, 'all' as scope from ({every}) as h where event_type = 'complained'"


def _unseen(connection: duckdb.DuckDBPyConnection, table: str, seen: str) -> list[str]:
    """The batches of a table of `raw` that are not among those seen."""
    there = "select 1 from information_schema.tables where table_schema = 'raw' and table_name = ?"
    if not connection.execute(there, [table]).fetchone():
        return []
    return [row[0] for row in connection.execute(f"select distinct _batch_id from raw.{table} except {seen} order by 1").fetchall()]


def _records(models: Models, known: set[str]) -> Iterator[str]:
    """Records of consent about an address or an id; of those about a message, `words` knows."""
    if not {"stg_consent__records", "consent_channels", "consent_purposes"} <= known:
        return
    records, channels, purposes = (models.relation(name).sql for name in ("stg_consent__records", "consent_channels", "consent_purposes"))
    # A no to something that nobody knows is a no to everything.
    channel = f"case when channel in (select channel from {channels}) then channel else 'all' end as channel"
    purpose = f"case when purpose in (select purpose from {purposes}) then purpose else 'all' end as purpose"
    who = "identifier_type, identifier, case when identifier_type = 'message_id' then identifier end as message_id"
    yield f"select {who}, {channel}, {purpose}, topic, occurred_at as since from {records} where status = 'withdrawn' and identifier_type <> 'message_id'"
    yield (
        f"select {who}, {channel}, occurred_at as since, case status when 'do_not_contact' then 'said_not' else 'said_may' end as reason "
        f"from {records} where status in ('do_not_contact', 'may_contact')"
    )


def _contacts(models: Models, known: set[str], activation: Activation) -> Iterator[str]:
    """Contacts whose newest version in the CRM says that they are not to be contacted; of new ones their address says who they are."""
    if not {"stg_crm__contacts", "bridge_profile_identifiers"} <= known:
        return
    contacts, bridge = models.relation("stg_crm__contacts").sql, models.relation("bridge_profile_identifiers").sql
    there = f"select identifier from {bridge} where identifier_type = 'crm_contact_id'"
    named = " union all ".join(
        f"select {literal(kind)} as identifier_type, {column} as identifier, updated_at as since from contacts where {column} is not null{new}"
        for kind, column, new in (
            ("crm_contact_id", "contact_id", ""),
            ("email", "email", f" and contact_id not in ({there})"),
            ("phone", "phone", f" and contact_id not in ({there})"),
        )
    )
    every = f"with contacts as materialized (select contact_id, email, phone, updated_at from {contacts} where do_not_contact) {named}"
    yield f"select c.*, 'all' as channel, p.purpose, 'all' as topic from ({every}) as c cross join {_purposes(models, known, 'not is_transactional')} as p"
    if activation.channel in {"email", "sms", "wechat"}:
        yield f"select c.*, {literal(activation.channel)} as channel, 'do_not_contact' as reason, 'marketing' as scope from ({every}) as c"


def _purposes(models: Models, known: set[str], which: str) -> str:
    if "consent_purposes" in known:
        return f"(select purpose from {models.relation('consent_purposes').sql} where {which})"
    return "(select 'all' as purpose)"
