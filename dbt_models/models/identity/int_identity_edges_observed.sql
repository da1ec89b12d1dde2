{%- set blocked = fingerprint(ref('identity_blocked_values')) -%}
{%- set since = taken_up_to(ref('int_identity_observations'), rules=blocked) -%}

with observations as (
    select
        *,
        row_number() over () as observation
    from {{ ref('int_identity_observations') }}
    {% if since %} where _written_at > {{ since }} {% endif %}
),

members as (
    {% for slot in identifier_slots() %}
    select observation, {{ loop.index }} as strength, '{{ slot.type }}' as identifier_type, {{ slot.column }} as identifier
    from observations
    where {{ slot.column }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

identifiers as (
    select
        keys.identifier_key,
        observed.identifier_type,
        observed.identifier,
        observed.blocked_reason
    from {{ ref('int_identifiers_observed') }} as observed
    join {{ ref('int_identifiers') }} as keys using (identifier_type, identifier)
    {% if since %} where (observed.identifier_type, observed.identifier) in (select (identifier_type, identifier) from members) {% endif %}
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

seen as (
    select
        pairs.left_key,
        pairs.left_type,
        pairs.right_key,
        pairs.right_type,
        observations.rule,
        pairs.blocked_reason,
        observations.source,
        observations.evidence,
        observations.first_seen_at,
        observations.last_seen_at,
        observations.observations
    from pairs
    join observations using (observation)
),

sightings as (
    select * from seen
    {% if since %}
    union all
    -- what was known of them before
    select
        known.left_key,
        known.left_type,
        known.right_key,
        known.right_type,
        known.rule,
        known.blocked_reason,
        known.source,
        known.evidence,
        known.first_seen_at,
        known.last_seen_at,
        known.observations
    from {{ this }} as known
    join (select distinct left_key, right_key, rule from seen) as again using (left_key, right_key, rule)
    {% endif %}
)

select
    left_key,
    left_type,
    right_key,
    right_type,
    rule,
    blocked_reason,
    min(source) as source,
    min(evidence) as evidence,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    cast(sum(observations) as bigint) as observations,
    '{{ blocked }}' as _rules,
    {{ come_to(ref('int_identity_observations')) }} as _taken_at,
    {{ written_at() }} as _written_at
from sightings
group by left_key, left_type, right_key, right_type, rule, blocked_reason
