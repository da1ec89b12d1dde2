with opportunities as (
    select
        *,
        -- what has closed since was open then
        coalesce(closed_at > {{ as_of() }}, false) as is_open_yet
    from {{ ref('stg_crm__opportunities') }}
    where coalesce(created_at <= {{ as_of() }}, true)
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
    case when opportunities.is_open_yet then 'open' else opportunities.stage end as stage,
    opportunities.stage = 'closed_won' and not opportunities.is_open_yet as is_won,
    opportunities.stage in ('closed_won', 'closed_lost') and not opportunities.is_open_yet as is_closed,
    opportunities.amount,
    opportunities.currency,
    opportunities.created_at,
    case when not opportunities.is_open_yet then opportunities.closed_at end as closed_at,
    opportunities.contract_ends_at,
    opportunities.updated_at
from opportunities
left join identifiers
    on identifiers.identifier_type = 'crm_contact_id'
    and opportunities.contact_id = identifiers.identifier
