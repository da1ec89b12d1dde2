with opportunities as (
    select * from {{ ref('stg_crm__opportunities') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
)

select
    opportunities.opportunity_id,
    opportunities.account_id,
    opportunities.contact_id,
    identifiers.profile_id,
    opportunities.name,
    opportunities.stage,
    opportunities.stage = 'closed_won' as is_won,
    opportunities.stage in ('closed_won', 'closed_lost') as is_closed,
    opportunities.amount,
    opportunities.currency,
    opportunities.created_at,
    opportunities.closed_at,
    opportunities.contract_ends_at,
    opportunities.updated_at
from opportunities
left join identifiers
    on identifiers.identifier_type = 'crm_contact_id'
    and opportunities.contact_id = identifiers.identifier
