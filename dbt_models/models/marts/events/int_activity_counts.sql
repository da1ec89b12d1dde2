{%- set redo = changed_events('profile_id', as_of_now=true, also='
    select counts.profile_id
    from ' ~ this ~ ' as counts
    left join ' ~ ref('int_profile_settings') ~ ' as settings using (profile_id)
    where counts.time_zone is distinct from settings.time_zone
') -%}

-- how much and when each person did something up to now, as far as it changes with nothing but their events and the days that pass
with events as (
    select profile_id, occurred_at from {{ redo.events }}
    where
        {{ redo.wanted }}
        and profile_id is not null
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
        -- int_event_sets knows of these two spans
        count(*) filter (where occurred_at > {{ as_of() }} - interval '30 days') as events_30d,
        count(distinct cast(occurred_at as date)) filter (where occurred_at > {{ as_of() }} - interval '90 days') as active_days_90d
    from events
    group by profile_id
),

-- clocks of the world differ by quarters of an hour (as of 2012): what one says is worked out once for each of them, not for each event
quarters as (
    select
        events.profile_id,
        coalesce(settings.time_zone, 'UTC') as time_zone,
        time_bucket(interval '15 minutes', events.occurred_at) as quarter,
        count(*) as events,
        max(events.occurred_at) as last_at
    from events
    left join settings using (profile_id)
    group by 1, 2, 3
),

clocks as (
    select
        time_zone,
        quarter,
        extract(hour from quarter at time zone 'UTC' at time zone time_zone) as hour
    from (select distinct time_zone, quarter from quarters) as told
),

hours as (
    select
        quarters.profile_id,
        clocks.hour,
        sum(quarters.events) as events,
        max(quarters.last_at) as last_at
    from quarters
    join clocks using (time_zone, quarter)
    group by 1, 2
)

select
    counted.profile_id,
    counted.last_active_at,
    counted.events_30d,
    counted.active_days_90d,
    best.hour as best_hour,
    settings.time_zone,
    {{ redo.stamp }}
from counted
left join (select profile_id, max_by(hour, (events, last_at, hour)) as hour from hours group by profile_id) as best using (profile_id)
left join settings using (profile_id)
