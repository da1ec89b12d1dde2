with statements as (
    select * from {{ ref('int_consent_statements') }}
),

channels as (
    select * from {{ ref('consent_channels') }}
),

purposes as (
    select * from {{ ref('consent_purposes') }}
)

select
    statements.evidence || ':' || channels.channel || ':' || purposes.purpose || case when statements.topic = 'all' then '' else ':' || statements.topic end
        as consent_event_id,
    statements.profile_id,
    channels.channel,
    purposes.purpose,
    statements.topic,
    statements.status,
    statements.occurred_at,
    statements.expires_at,
    statements.source,
    statements.evidence,
    statements.double_opt_in,
    statements.wording
from statements
join channels on statements.channel in ('all', channels.channel)
join purposes on statements.purpose in ('all', purposes.purpose)
