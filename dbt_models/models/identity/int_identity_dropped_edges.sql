with judged as (
    select * from {{ ref('int_identity_edges_judged') }}
),

identifiers as (
    select * from {{ ref('int_identifiers') }}
)

select
    judged.left_type,
    left_identifiers.identifier as left_identifier,
    judged.right_type,
    right_identifiers.identifier as right_identifier,
    judged.rule,
    judged.source,
    judged.evidence,
    judged.dropped_reason as reason,
    judged.first_seen_at,
    judged.last_seen_at,
    judged.observations
from judged
join identifiers as left_identifiers on judged.left_key = left_identifiers.identifier_key
join identifiers as right_identifiers on judged.right_key = right_identifiers.identifier_key
where judged.dropped_reason is not null
