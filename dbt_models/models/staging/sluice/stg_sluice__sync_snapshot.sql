with snapshot as (
    select * from {{ source('activation', 'sync_snapshot') }}
)

select
    ref || ':' || key as snapshot_id,
    ref,
    key as row_key,
    match_value,
    profile_id,
    provider_id,
    acknowledged_at,
    run_id
from snapshot
