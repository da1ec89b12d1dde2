with identifiers as (
    select * from {{ identifiers_known() }} as known
),

machines as (
    select * from {{ ref('int_machine_devices') }}
),

tests as (
    select distinct profile_id from identifiers
    where {{ reason_by_pattern(ref('test_identifiers'), 'identifier') }} is not null
),

people as (
    select
        identifiers.profile_id,
        identifiers.profile_key,
        min(identifiers.first_seen_at) as first_seen_at,
        max(identifiers.last_seen_at) as last_seen_at,
        count(*) as identifiers,
        -- the CRM is one system, in however many ways it speaks
        split_part(min_by(identifiers.source, (identifiers.source = 'consent', identifiers.first_seen_at, identifiers.source)), '_', 1) as origin_system,
        count(*) = count(machines.device_key) as is_machine
    from identifiers
    left join machines on identifiers.identifier_key = machines.device_key
    group by identifiers.profile_id, identifiers.profile_key
)

select
    people.profile_id,
    people.profile_key,
    people.first_seen_at,
    greatest(people.last_seen_at, activity.last_active_at) as last_seen_at,
    people.identifiers,
    people.origin_system,
    tests.profile_id is not null as is_test
from people
left join tests using (profile_id)
left join {{ ref('int_profile_activity') }} as activity using (profile_id)
-- a crawler has a cookie and nothing else
where not people.is_machine
