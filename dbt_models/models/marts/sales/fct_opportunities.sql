{%- set ends = (var('crm_won_stages') + var('crm_lost_stages') + ['closed_won', 'closed_lost']) | join("', '") -%}

with known as (
    select * from {{ ref('stg_crm__opportunity_versions') }}
    -- as the CRM had them at the moment of the build
    qualify {{ version_as_of('opportunity_id') }}
),

opportunities as (
    select
        *,
        -- what has closed since was open then
        coalesce(closed_at > {{ as_of() }}, false) as is_open_yet
    from known
    where
        not is_deleted
        and coalesce(created_at <= {{ as_of() }}, true)
),

-- of an import the versions go back no further than its first; the history that came with it may
moves as (
    select
        opportunity_id,
        max_by(moved_to, (occurred_at, change_id)) as stage
    from {{ opportunity_moves() }} as moves
    where occurred_at <= {{ as_of() }}
    group by opportunity_id
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
    case
        when moves.stage not in ('{{ ends }}') and (opportunities.is_open_yet or opportunities.updated_at > {{ as_of() }}) then moves.stage
        when opportunities.is_open_yet then 'open'
        else opportunities.stage
    end as stage,
    opportunities.stage = 'closed_won' and not opportunities.is_open_yet as is_won,
    opportunities.stage in ('closed_won', 'closed_lost') and not opportunities.is_open_yet as is_closed,
    opportunities.amount,
    opportunities.currency,
    opportunities.created_at,
    case when not opportunities.is_open_yet then opportunities.closed_at end as closed_at,
    opportunities.contract_ends_at,
    opportunities.updated_at
from opportunities
left join moves using (opportunity_id)
left join identifiers
    on identifiers.identifier_type = 'crm_contact_id'
    and opportunities.contact_id = identifiers.identifier
