-- a contact that the CRM speaks of before, or without, exporting it: the events are kept under its id until it is known who that is
with changes as (
    select * from {{ ref('stg_crm__changes') }}
    where subscription_type like 'contact.%'
),

opportunities as (
    select * from {{ ref('stg_crm__opportunities') }}
),

mentions as (
    select change_id as evidence, object_id as contact_id, occurred_at, _batch_id, _landed_at from changes
    union all
    select opportunity_id, contact_id, created_at, _batch_id, _landed_at from opportunities
)

select
    'crm_references' as source,
    'crm_reference' as rule,
    evidence,
    occurred_at as observed_at,
    {{ identifier_columns(crm_contact_id='contact_id') }},
    _batch_id,
    _landed_at
from mentions
