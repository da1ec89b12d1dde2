with judged as (
    select * from {{ ref('int_identity_edges_judged') }}
    -- what a person said and took back was never dropped
    where dropped_reason is distinct from 'taken back'
    -- nor was the tie of an identifier with itself, such as an alias of the same id
    and left_key <> right_key
),

links as (
    select * from {{ ref('int_identity_links') }}
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
    coalesce(judged.dropped_reason, 'between two that are never the same') as reason,
    judged.first_seen_at,
    judged.last_seen_at,
    judged.observations
from judged
join identifiers as left_identifiers on judged.left_key = left_identifiers.identifier_key
join identifiers as right_identifiers on judged.right_key = right_identifiers.identifier_key
left join links
    on least(judged.left_key, judged.right_key) = links.left_key
    and greatest(judged.left_key, judged.right_key) = links.right_key
where
    judged.dropped_reason is not null
    -- believed by itself, but it would have joined two that must stay apart
    or links.left_key is null
