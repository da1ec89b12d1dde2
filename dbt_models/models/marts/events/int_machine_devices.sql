with events as (
    select * from {{ ref('int_events') }}
    where device_key is not null
),

user_agents as (
    select * from {{ ref('int_user_agents') }}
),

devices as (
    select
        counts.device_key,
        sum(counts.events) as events,
        bool_and(coalesce(user_agents.is_bot, false)) as says_so
    from {{ ref('int_event_counts') }} as counts
    left join user_agents using (user_agent)
    where counts.device_key is not null
    group by counts.device_key
),

-- few devices have enough events, and enough in a day, to be worth looking at by the minute
frequent as (
    select device_key
    from devices
    where events > {{ var('machine_events_per_minute') }}
),

busy as (
    select distinct device_key
    from events
    where device_key in (select device_key from frequent)
    group by device_key, cast(occurred_at as date)
    having count(*) > {{ var('machine_events_per_minute') }}
),

by_minute as (
    select
        events.device_key,
        date_trunc('minute', events.occurred_at) as minute,
        count(*) as events
    from events
    join busy using (device_key)
    group by events.device_key, date_trunc('minute', events.occurred_at)
),

too_fast as (
    select distinct device_key
    from by_minute
    where events > {{ var('machine_events_per_minute') }}
),

declared as (
    select device_key
    from devices
    where says_so
)

select device_key, 'says so itself' as reason
from declared
union all
select too_fast.device_key, 'faster than a person'
from too_fast
left join declared using (device_key)
where declared.device_key is null
