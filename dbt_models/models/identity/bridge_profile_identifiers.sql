{%- set blocked_since = taken_up_to(ref('int_identifiers_observed'), '_observed_at') -%}
{%- set joined_since = taken_up_to(ref('int_identity_components'), '_joined_at') -%}
{%- set since = blocked_since and joined_since -%}

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

{% if since %}
changed as (
    select identifier_key from components where _written_at > {{ joined_since }}
    union
    select keys.identifier_key from observed join keys using (identifier_type, identifier) where observed._written_at > {{ blocked_since }}
),

-- what they lie in now, and what they lay in
touched as (
    select component from components where identifier_key in (select identifier_key from changed)
    union
    select components.component
    from {{ this }} as known
    join components using (identifier_key)
    where known.profile_key in (select profile_key from {{ this }} where identifier_key in (select identifier_key from changed))
),
{% endif %}

named_members as (
    select components.component, keys.*
    from components
    join keys using (identifier_key)
    {% if since %} where components.component in (select component from touched) {% endif %}
),

members as (
    select
        named_members.identifier_key,
        named_members.component,
        observed.*
    from named_members
    join observed using (identifier_type, identifier)
    -- before the join, which is by text
    {% if since %} where (identifier_type, identifier) in (select (identifier_type, identifier) from named_members) {% endif %}
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
    -- a clock that runs ahead cannot have seen it after it landed
    least(members.first_seen_at, members.first_landed_at) as first_seen_at,
    members.last_seen_at,
    members.first_source as source,
    members.observations,
    -- the id this identifier alone would give: an id that was handed out before a merge is found here
    {{ profile_id_of('members.identifier_type', 'members.identifier') }} as own_profile_id,
    {{ come_to(ref('int_identifiers_observed')) }} as _observed_at,
    {{ come_to(ref('int_identity_components')) }} as _joined_at,
    {{ written_at() }} as _written_at
from members
join named using (component)
