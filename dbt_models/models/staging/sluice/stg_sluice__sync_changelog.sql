with changelog as (
    select * from {{ source('activation', 'sync_changelog') }}
)

select
    run_id || ':' || row_number as changelog_id,
    run_id,
    row_number,
    ref,
    kind,
    destination,
    channel,
    purpose,
    key as row_key,
    profile_id,
    operation,
    outcome,
    reason_code,
    reason,
    message_id,
    provider_id,
    recorded_at
from changelog
