{%- set since = taken_up_to(ref('int_identity_links')) -%}

with links as (
    select * from {{ ref('int_identity_links') }}
),

tied as (
    select left_key as identifier_key, min(component) as component
    from (
        select left_key, component from links {% if since %} where _written_at > {{ since }} {% endif %}
        union all
        select right_key, component from links {% if since %} where _written_at > {{ since }} {% endif %}
    ) as ends
    group by left_key
),

{% if since %}
known as (
    select identifier_key, component from {{ this }}
),

-- components that were resolved again, and those of which no link is left
reached as (
    select component from known where identifier_key in (select identifier_key from tied)
    union
    select component from known where component <> identifier_key and component not in (select component from links)
),

loose as (
    select known.identifier_key, known.identifier_key as component
    from known
    left join tied on known.identifier_key = tied.identifier_key
    where tied.identifier_key is null and known.component in (select component from reached)
    union all
    select keys.identifier_key, keys.identifier_key
    from {{ ref('int_identifiers') }} as keys
    left join tied on keys.identifier_key = tied.identifier_key
    where tied.identifier_key is null and keys.identifier_key > (select max(identifier_key) from known)
),

resolved as (
    select now.identifier_key, now.component
    from (select * from tied union all select * from loose) as now
    left join known on now.identifier_key = known.identifier_key
    where now.component is distinct from known.component
)
{% else %}
resolved as (
    select keys.identifier_key, coalesce(tied.component, keys.identifier_key) as component
    from {{ ref('int_identifiers') }} as keys
    left join tied using (identifier_key)
)
{% endif %}

select
    *,
    {{ come_to(ref('int_identity_links')) }} as _taken_at,
    {{ written_at() }} as _written_at
from resolved
