{%- set days = var('activity_days') -%}

with events as (
    select * from {{ ref('fct_events') }}
    where
        profile_id is not null
        and not is_bot
        and occurred_at <= {{ as_of() }}
        -- what a person did, not what was done to them
        and event_name not in ('Message Accepted', 'Message Deferred', 'Message Delivered', 'Message Bounced', 'Message Failed', 'Message Other')
        and source <> 'crm'
),

settings as (
    select * from {{ ref('int_profile_settings') }}
),

counted as (
    select
        profile_id,
        max(occurred_at) as last_active_at,
        count(*) filter (where occurred_at > {{ as_of() }} - interval '30 days') as events_30d,
        count(distinct cast(occurred_at as date)) filter (where occurred_at > {{ as_of() }} - interval '90 days') as active_days_90d
    from events
    group by profile_id
),

hours as (
    select
        events.profile_id,
        extract(hour from events.occurred_at at time zone 'UTC' at time zone coalesce(settings.time_zone, 'UTC')) as hour,
        count(*) as events,
        max(events.occurred_at) as last_at
    from events
    left join settings using (profile_id)
    group by 1, 2
),

answers as (
    select
        profile_id,
        channel,
        count(distinct message_id) filter (where event_type = 'delivered') as delivered,
        count(distinct message_id) filter (where event_type in ('opened', 'clicked', 'replied') and not is_bot) as answered,
        max(occurred_at) as last_at
    from {{ ref('fct_message_events') }}
    where profile_id is not null and occurred_at <= {{ as_of() }}
    group by profile_id, channel
),

preferred as (
    select
        profile_id,
        -- one answer to one message is no preference yet: as if each channel had been given ten more messages and answered one
        max_by(channel, ((answered + 1.0) / (greatest(delivered, answered) + 10.0), last_at, channel)) as preferred_channel
    from answers
    where answered > 0
    group by profile_id
)

select
    counted.profile_id,
    counted.last_active_at,
    counted.events_30d,
    counted.active_days_90d,
    case
        {%- for level in ['active', 'cooling', 'sleeping'] %}
        when counted.last_active_at > {{ as_of() }} - interval '{{ days[level] }} days' then '{{ level }}'
        {%- endfor %}
        else 'lost'
    end as activity_level,
    best.hour as best_hour,
    preferred.preferred_channel
from counted
left join (select profile_id, max_by(hour, (events, last_at, hour)) as hour from hours group by profile_id) as best using (profile_id)
left join preferred using (profile_id)
