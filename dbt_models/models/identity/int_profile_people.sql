with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

test_identifiers as (
    select * from {{ ref('test_identifiers') }}
),

tests as (
    select distinct identifiers.profile_id
    from identifiers
    join test_identifiers
        on identifiers.identifier_type = test_identifiers.identifier_type
        and regexp_matches(identifiers.identifier, test_identifiers.pattern)
),

people as (
    select
        profile_id,
        profile_key,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        count(*) as identifiers,
        max(case when identifier_key = profile_key then source end) as origin_system
    from identifiers
    group by profile_id, profile_key
)

select
    people.*,
    tests.profile_id is not null as is_test
from people
left join tests using (profile_id)
