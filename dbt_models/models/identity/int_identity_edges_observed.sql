with observations as (
    select
        *,
        row_number() over () as observation
    from {{ ref('int_identity_observations') }}
),

identifiers as (
    select
        keys.identifier_key,
        observed.identifier_type,
        observed.identifier,
        observed.blocked_reason
    from {{ ref('int_identifiers_observed') }} as observed
    join {{ ref('int_identifiers') }} as keys using (identifier_type, identifier)
),

members as (
    {% for slot in identifier_slots() %}
    select observation, {{ loop.index }} as strength, '{{ slot.type }}' as identifier_type, {{ slot.column }} as identifier
    from observations
    where {{ slot.column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

keyed as (
    select
        members.observation,
        members.strength,
        identifiers.*,
        -- the others are tied to the strongest that is not blocked
        min(case when identifiers.blocked_reason is null then members.strength end) over (partition by members.observation) as hub_strength
    from members
    join identifiers using (identifier_type, identifier)
),

pairs as (
    select
        hub.identifier_key as left_key,
        hub.identifier_type as left_type,
        spoke.identifier_key as right_key,
        spoke.identifier_type as right_type,
        spoke.blocked_reason,
        spoke.observation
    from keyed as hub
    join keyed as spoke
        on hub.observation = spoke.observation
        and hub.strength = hub.hub_strength
        and spoke.strength <> hub.strength
),

decided as (
    {{ manual_pairs('same', ref('identity_manual_pairs'), ref('int_identifiers')) }}
)

select
    pairs.left_key,
    pairs.left_type,
    pairs.right_key,
    pairs.right_type,
    observations.rule,
    pairs.blocked_reason,
    min(observations.source) as source,
    min(observations.evidence) as evidence,
    min(observations.first_seen_at) as first_seen_at,
    max(observations.last_seen_at) as last_seen_at,
    cast(sum(observations.observations) as bigint) as observations
from pairs
join observations using (observation)
group by
    pairs.left_key,
    pairs.left_type,
    pairs.right_key,
    pairs.right_type,
    observations.rule,
    pairs.blocked_reason
union all
select left_key, left_type, right_key, right_type, 'manual_same', null, 'manual', min(reason), min(decided_at), max(decided_at), 1
from decided
group by left_key, left_type, right_key, right_type
