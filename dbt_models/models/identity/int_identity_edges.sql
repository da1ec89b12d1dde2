with judged as (
    select * from {{ ref('int_identity_edges_judged') }}
),

links as (
    select * from {{ ref('int_identity_links') }}
)

select
    judged.left_key,
    judged.left_type,
    judged.right_key,
    judged.right_type,
    judged.rule,
    judged.source,
    judged.evidence,
    judged.first_seen_at,
    judged.last_seen_at,
    judged.observations
from judged
join links
    on least(judged.left_key, judged.right_key) = links.left_key
    and greatest(judged.left_key, judged.right_key) = links.right_key
where judged.dropped_reason is null
