with judged as (
    select * from {{ ref('int_identity_edges_judged') }}
)

select
    left_key,
    left_type,
    right_key,
    right_type,
    rule,
    source,
    evidence,
    first_seen_at,
    last_seen_at,
    observations
from judged
where dropped_reason is null
