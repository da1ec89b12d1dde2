{%- set days = var('activity_days') -%}

with counted as (
    select * from {{ ref('int_activity_counts') }}
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
    counted.best_hour,
    preferred.preferred_channel
from counted
left join preferred using (profile_id)
