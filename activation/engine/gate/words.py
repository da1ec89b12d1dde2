"""What people said about being written to: the state that dbt derived, and what they took back since.

Between two builds somebody may unsubscribe, by the ways out in our own messages or as `landed` reads it. What has landed counts at once;
only what lets more through waits for the build.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import duckdb

from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.gate import landed
from activation.engine.gate.times import moment
from activation.engine.models import Models

# Of a consent record, whatever does not plainly say one of these takes something back.
HARMLESS = ("granted", "given", "accepted", "opt_in", "opted_in", "subscribed", "yes", "true", "pending", "requested", "unconfirmed", "confirmed", "may_contact")  # fmt: skip


def topic_of(activation: Activation) -> str | None:
    """The topic that a send is about; None for the whole purpose."""
    return activation.send.topic if activation.kind == "send" else None


def words(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, now: datetime) -> str:
    """SQL of a table (profile_id, channel, purpose, topic, status, since), after `landed.note`; `topic` is `all` for the whole purpose.

    A consent whose time has ended by now is `expired`. Raises PlanRefused for a send about a topic where consent_state knows of none.
    """
    there = models.columns(connection, "consent_state")
    if topic_of(activation) and "topic" not in there:
        raise PlanRefused(
            f"{activation.file}: it is about a topic, and model `consent_state` has no column `topic`. Nothing leaves without it."
        )
    topic = "coalesce(topic, 'all')" if "topic" in there else "'all'"
    ended = f"status = 'granted' and expires_at <= {moment(now)}" if "expires_at" in there else "false"
    state = (
        f"select profile_id, channel, purpose, {topic} as topic, case when {ended} then 'expired' else status end as status, since "
        f"from {models.relation('consent_state').sql}"
    )
    taken_back = "".join(
        f" union all select profile_id, channel, purpose, topic, 'withdrawn', since from ({sql})" for sql in _taken_back(connection)
    )
    noes = f" union all select profile_id, channel, purpose, topic, 'withdrawn', since from {landed.NOES} where purpose is not null"
    return f"({state}{taken_back}{noes})"


def _taken_back(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Unsubscribed by a link, or said no in the preference centre: each names the message, and with it who got it."""
    landed = {
        row[0]
        for row in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'raw' and table_name in ('tracking_events', 'consent_records')"
        ).fetchall()
    }
    # All that ever landed, however long ago the last build was: a word that is in the state too says nothing new.
    since = "coalesce(try_cast(payload ->> '$.occurred_at' as timestamptz) at time zone 'UTC', _landed_at) as since"
    if "tracking_events" in landed:
        yield (
            "select c.profile_id, coalesce(t.channel, c.channel) as channel, coalesce(t.purpose, c.purpose) as purpose, 'all' as topic, t.since from "
            f"(select payload ->> '$.message_id' as message_id, payload ->> '$.channel' as channel, payload ->> '$.purpose' as purpose, {since} "
            f"from raw.tracking_events where contains(payload::varchar, 'unsubscribe') "
            "and lower(payload ->> '$.type') = 'unsubscribe') as t join activation.sync_changelog as c using (message_id)"
        )
    if "consent_records" in landed:
        said = ", ".join(f"'{word}'" for word in HARMLESS)
        yield (
            "select c.profile_id, coalesce(t.channel, 'all') as channel, coalesce(t.purpose, 'all') as purpose, coalesce(t.topic, 'all') as topic, t.since "
            "from (select payload ->> '$.identifier' as message_id, lower(trim(payload ->> '$.channel')) as channel, "
            f"lower(trim(payload ->> '$.purpose')) as purpose, nullif(lower(trim(payload ->> '$.topic')), '') as topic, {since} "
            f"from raw.consent_records where lower(payload ->> '$.identifier_type') = 'message_id' "
            f"and coalesce(lower(trim(payload ->> '$.status')), '') not in ({said})) as t join activation.sync_changelog as c using (message_id)"
        )
