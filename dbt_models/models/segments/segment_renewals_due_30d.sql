with opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

profiles as (
    select * from {{ ref('dim_profiles') }}
),

-- the last contract of each company; where the CRM does not say when one ends, it runs for a year
contracts as (
    select
        coalesce(opportunities.account_id, profiles.account_id) as account_id,
        max_by(opportunities.profile_id, coalesce(opportunities.contract_ends_at, opportunities.closed_at + interval '1 year')) as profile_id,
        max(coalesce(opportunities.contract_ends_at, opportunities.closed_at + interval '1 year')) as renews_at
    from opportunities
    left join profiles using (profile_id)
    where opportunities.is_won and opportunities.closed_at <= {{ as_of() }}
    group by coalesce(opportunities.account_id, profiles.account_id)
),

due as (
    select * from contracts
    where renews_at >= {{ as_of() }} and renews_at < {{ as_of() }} + interval '30 days'
)

select
    profiles.profile_id,
    min(due.renews_at) as renews_at,
    'the contract renews on ' || cast(cast(min(due.renews_at) as date) as varchar) as reason
from due
-- whoever signed, and the customers among the colleagues
join profiles
    on profiles.profile_id = due.profile_id
    or (profiles.account_id = due.account_id and profiles.lifecycle_stage = 'customer')
where not profiles.is_test
group by profiles.profile_id
