-- the CRM answers with its own id for a contact we wrote: what it reports about that id later is about this person
with snapshot as (
    select * from {{ ref('stg_sluice__sync_snapshot') }}
),

runs as (
    select * from {{ ref('stg_sluice__sync_runs') }}
)

select
    'crm_sync' as source,
    'crm_sync' as rule,
    snapshot.snapshot_id as evidence,
    snapshot.acknowledged_at as observed_at,
    {{ identifier_columns(crm_contact_id='snapshot.provider_id', email=email_address('snapshot.match_value')) }},
    -- a run that is resumed acknowledges more under the same id
    snapshot.run_id || '@' || snapshot.acknowledged_at as _batch_id,
    snapshot.acknowledged_at as _landed_at
from snapshot
join runs using (run_id)
where
    runs.channel = 'crm'
    and snapshot.provider_id is not null
    -- without the address there is nobody to tie the id to
    and {{ email_address('snapshot.match_value') }} is not null
