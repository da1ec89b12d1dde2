-- what the provider took back by itself, without a receipt; who took a message since, or asked for them again, is not in it
with messages as (
    select * from {{ ref('fct_messages') }}
    where recorded_at <= {{ as_of() }} and profile_id is not null
),

refused as (
    select messages.*
    from messages
    join {{ ref('message_event_types') }} as types
        on types.source = 'refusals'
        and types.event_type = 'unsubscribed'
        and regexp_matches(lower(messages.reason_code), types.pattern)
    where messages.outcome = 'rejected'
),

welcome as (
    select profile_id, channel, recorded_at as moment from messages
    where outcome = 'sent'
    union all
    select profile_id, channel, occurred_at from {{ ref('fct_message_events') }}
    where event_type = 'resubscribed' and occurred_at <= {{ as_of() }}
),

welcomed as (
    select profile_id, channel, max(moment) as moment
    from welcome
    group by profile_id, channel
)

select
    refused.profile_id,
    refused.channel,
    max(refused.recorded_at) as since,
    'message:' || max_by(refused.message_id, refused.recorded_at) as evidence
from refused
left join welcomed
    on refused.profile_id = welcomed.profile_id
    and refused.channel = welcomed.channel
where welcomed.moment is null or welcomed.moment < refused.recorded_at
group by refused.profile_id, refused.channel
