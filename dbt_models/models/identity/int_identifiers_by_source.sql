with observations as (
    select * from {{ ref('int_identity_observations') }}
),

sightings as (
    {% for slot in identifier_slots() %}
    select
        '{{ slot.type }}' as identifier_type,
        {{ slot.column }} as identifier,
        source,
        first_seen_at,
        last_seen_at,
        observations,
        _landed_at
    from observations
    where {{ slot.column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    identifier_type,
    identifier,
    source,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    min(_landed_at) as first_landed_at,
    -- the time it had when it first landed: a late event that lands afterwards must not change who comes first
    min_by(first_seen_at, (_landed_at, first_seen_at)) as first_event_at,
    cast(sum(observations) as bigint) as observations
from sightings
group by identifier_type, identifier, source
