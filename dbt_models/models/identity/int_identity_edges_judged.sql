{%- set since = taken_up_to(ref('int_identity_edges_observed')) -%}

with decided as (
    {{ manual_pairs('same', ref('identity_manual_pairs'), ref('int_identifiers')) }}
),

fresh as (
    select
        left_key, left_type, right_key, right_type, rule, blocked_reason, source, evidence, first_seen_at, last_seen_at, observations
    from {{ ref('int_identity_edges_observed') }}
    {% if since %} where _written_at > {{ since }} {% endif %}
    union all
    select left_key, left_type, right_key, right_type, 'manual_same', null, 'manual', min(reason), min(decided_at), max(decided_at), 1
    from decided
    group by left_key, left_type, right_key, right_type
),

edges as (
    select
        *,
        false as is_known,
        cast(null as varchar) as known_reason,
        cast(null as integer) as known_strength
    from fresh
    {% if since %}
    union all
    -- what was judged before may be judged otherwise today
    select
        known.left_key, known.left_type, known.right_key, known.right_type, known.rule, known.blocked_reason, known.source, known.evidence,
        known.first_seen_at, known.last_seen_at, known.observations,
        true,
        known.dropped_reason,
        known.strength
    from {{ this }} as known
    left join fresh
        on known.left_key = fresh.left_key
        and known.right_key = fresh.right_key
        and known.rule = fresh.rule
    where fresh.left_key is null
    {% endif %}
),

reasons as (
    {{ doubts(ref('int_identity_partners'), ref('int_machine_devices')) }}
),

judged as (
    select
        edges.*,
        rules.strength,
        coalesce(
            'blocked value: ' || edges.blocked_reason,
            case when edges.is_known and edges.rule = 'manual_same' then 'taken back' end,
            -- a program gives other people's addresses
            case when edges.rule <> 'manual_same' then machine.reason end,
            case when rules.counts_partners then coalesce(left_shared.reason, right_shared.reason, left_crowded.reason, right_crowded.reason) end
        ) as dropped_reason
    from edges
    join {{ ref('identity_rules') }} as rules using (rule)
    -- a device is the weaker of any two and so stands on the right
    left join reasons as machine on edges.right_key = machine.identifier_key and machine.kind = 'machine'
    left join reasons as left_shared on edges.left_key = left_shared.identifier_key and left_shared.kind = 'shared'
    left join reasons as right_shared on edges.right_key = right_shared.identifier_key and right_shared.kind = 'shared'
    left join reasons as left_crowded on edges.left_key = left_crowded.identifier_key and edges.right_type = left_crowded.kind
    left join reasons as right_crowded on edges.right_key = right_crowded.identifier_key and edges.left_type = right_crowded.kind
)

select
    left_key,
    left_type,
    right_key,
    right_type,
    rule,
    strength,
    blocked_reason,
    source,
    evidence,
    first_seen_at,
    last_seen_at,
    observations,
    dropped_reason,
    {{ come_to(ref('int_identity_edges_observed')) }} as _taken_at,
    {{ written_at() }} as _written_at
from judged
where
    not is_known
    or dropped_reason is distinct from known_reason
    or strength is distinct from known_strength
