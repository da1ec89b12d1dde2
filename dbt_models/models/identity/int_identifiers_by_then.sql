{%- set identifiers = identifier_slots() | map(attribute='column') | join(', ') -%}

-- when a build about the past would have seen identifiers last that have been seen since; of a build about now there are none
with since as (
    select distinct identifier_type, identifier from {{ ref('int_identifiers_by_source') }}
    where last_seen_at > {{ as_of() }}
),

{% if is_about_the_past() %}
observed as (
    {% for source in observation_sources() %}
    select
        source,
        {{ identifiers }},
        max(observed_at) as last_seen_at
    from {{ ref('int_observations__' ~ source) }}
    where observed_at <= {{ as_of() }}
    group by source, {{ identifiers }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

seen as (
    {% for slot in identifier_slots() %}
    select '{{ slot.type }}' as identifier_type, {{ slot.column }} as identifier, source, last_seen_at
    from observed
    where {{ slot.column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)
{% else %}
seen as (
    select identifier_type, identifier, source, last_seen_at from {{ ref('int_identifiers_by_source') }}
    where false
)
{% endif %}

select
    identifier_type,
    identifier,
    source,
    max(last_seen_at) as last_seen_at
from seen
join since using (identifier_type, identifier)
group by identifier_type, identifier, source
