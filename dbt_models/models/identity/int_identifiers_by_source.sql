{%- set since = taken_up_to(ref('int_identity_observations')) -%}

with observations as (
    select * from {{ ref('int_identity_observations') }}
    {% if since %} where _written_at > {{ since }} {% endif %}
),

seen as (
    {% for slot in identifier_slots() %}
    select
        '{{ slot.type }}' as identifier_type,
        {{ slot.column }} as identifier,
        source,
        first_seen_at,
        last_seen_at,
        _landed_at as first_landed_at,
        first_seen_at as first_event_at,
        observations
    from observations
    where {{ slot.column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

sightings as (
    select * from seen
    {% if since %}
    union all
    -- what was known of them before
    select
        known.identifier_type,
        known.identifier,
        known.source,
        known.first_seen_at,
        known.last_seen_at,
        known.first_landed_at,
        known.first_event_at,
        known.observations
    from {{ this }} as known
    join (select distinct identifier_type, identifier, source from seen) as again using (identifier_type, identifier, source)
    {% endif %}
)

select
    identifier_type,
    identifier,
    source,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    min(first_landed_at) as first_landed_at,
    -- the time it had when it first landed: a late event that lands afterwards must not change who comes first
    min_by(first_event_at, (first_landed_at, first_event_at)) as first_event_at,
    cast(sum(observations) as bigint) as observations,
    {{ come_to(ref('int_identity_observations')) }} as _taken_at,
    {{ written_at() }} as _written_at
from sightings
group by identifier_type, identifier, source
