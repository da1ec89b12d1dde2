with events as (
    select * from {{ ref('fct_consent_events') }}
    where occurred_at <= {{ as_of() }}
),

words as (
    select
        *,
        row_number() over (
            partition by profile_id, channel, purpose, topic
            -- the newest statement wins, and of two at the same moment the withdrawal
            order by occurred_at desc, (status = 'withdrawn')::int desc, evidence
        ) as place
    from events
    where status in ('granted', 'withdrawn')
),

said as (
    select * from words
    where place = 1
),

-- asked for when nothing held: what holds only once it is confirmed from the address itself
requests as (
    select
        events.*,
        row_number() over (
            partition by events.profile_id, events.channel, events.purpose, events.topic
            order by events.occurred_at, events.evidence
        ) as place
    from events
    left join said using (profile_id, channel, purpose, topic)
    where
        events.status = 'pending'
        and (
            said.status is null
            or (said.status = 'withdrawn' and events.occurred_at > said.occurred_at)
            or (said.status = 'granted' and events.occurred_at >= said.expires_at)
        )
),

asked as (
    select * from requests
    where place = 1
),

confirmed as (
    select
        asked.profile_id,
        asked.channel,
        asked.purpose,
        asked.topic,
        min(events.occurred_at) as occurred_at,
        min_by(events.source, events.occurred_at) as source,
        min_by(events.evidence, events.occurred_at) as evidence
    from asked
    join events
        on asked.profile_id = events.profile_id
        and asked.channel = events.channel
        and asked.purpose = events.purpose
        -- the link speaks of the purpose, and so of all that was asked for in it
        and events.topic in ('all', asked.topic)
        and events.status = 'confirmed'
        and events.occurred_at >= asked.occurred_at
    group by asked.profile_id, asked.channel, asked.purpose, asked.topic
)

select
    profile_id || ':' || channel || ':' || purpose || case when topic = 'all' then '' else ':' || topic end as consent_state_id,
    profile_id,
    channel,
    purpose,
    topic,
    case
        when confirmed.occurred_at is not null then 'granted'
        when asked.occurred_at is not null then 'pending'
        when said.status = 'granted' and said.expires_at <= {{ as_of() }} then 'expired'
        else said.status
    end as status,
    coalesce(confirmed.occurred_at, asked.occurred_at, said.occurred_at) as since,
    case when asked.occurred_at is null then said.expires_at else asked.expires_at end as expires_at,
    coalesce(confirmed.source, asked.source, said.source) as source,
    coalesce(confirmed.evidence, asked.evidence, said.evidence) as evidence,
    case when asked.occurred_at is null then said.double_opt_in else confirmed.occurred_at is not null end as double_opt_in
from said
full join asked using (profile_id, channel, purpose, topic)
left join confirmed using (profile_id, channel, purpose, topic)
