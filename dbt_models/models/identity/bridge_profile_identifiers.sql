with observed as (
    select * from {{ ref('int_identifiers_observed') }}
    -- a junk value belongs to nobody
    where blocked_reason is null
),

keys as (
    select * from {{ ref('int_identifiers') }}
),

components as (
    select * from {{ ref('int_identity_components') }}
),

members as (
    select
        keys.identifier_key,
        observed.*,
        coalesce(components.component, keys.identifier_key) as component
    from observed
    join keys using (identifier_type, identifier)
    left join components using (identifier_key)
),

-- the identifier that landed first gives the profile its id, now and after every rebuild and merge
roots as (
    select
        component,
        min_by(identifier_key, (first_landed_at, first_event_at, identifier_type, identifier)) as profile_key
    from members
    group by component
),

named as (
    select
        roots.component,
        roots.profile_key,
        {{ profile_id_of('keys.identifier_type', 'keys.identifier') }} as profile_id
    from roots
    join keys on roots.profile_key = keys.identifier_key
)

select
    named.profile_id,
    named.profile_key,
    members.identifier_key,
    members.identifier_type,
    members.identifier,
    members.first_seen_at,
    members.last_seen_at,
    members.first_source as source,
    members.observations,
    -- the id this identifier alone would give: an id that was handed out before a merge is found here
    {{ profile_id_of('members.identifier_type', 'members.identifier') }} as own_profile_id
from members
join named using (component)
