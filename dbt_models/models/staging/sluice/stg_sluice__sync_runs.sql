with runs as (
    select * from {{ source('activation', 'sync_runs') }}
)

select
    run_id,
    ref,
    kind,
    channel,
    status,
    planned,
    sent,
    rejected,
    withheld,
    unknown,
    skipped,
    invalid,
    as_of,
    started_at,
    finished_at
from runs
