-- what people's devices say about language and time zone, the newest first
with events as (
    select * from {{ ref('int_events') }}
    where (locale is not null or time_zone is not null) and occurred_at <= {{ as_of() }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

devices as (
    select
        identifier_key,
        max_by(locale, occurred_at) as locale,
        max_by(time_zone, occurred_at) as time_zone,
        max(occurred_at) as last_seen_at
    from events
    group by identifier_key
)

select
    identifiers.profile_id,
    lower(split_part(replace(max_by(devices.locale, devices.last_seen_at), '_', '-'), '-', 1)) as language,
    max_by(devices.time_zone, devices.last_seen_at) as time_zone
from devices
join identifiers using (identifier_key)
group by identifiers.profile_id
