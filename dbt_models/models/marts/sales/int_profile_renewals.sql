with opportunities as (
    -- where the CRM does not say when a contract ends, it runs for a year
    select *, coalesce(contract_ends_at, closed_at + interval '1 year') as ends_at
    from {{ ref('fct_opportunities') }}
    where is_won and closed_at <= {{ as_of() }}
),

companies as (
    select * from {{ ref('bridge_profile_accounts') }}
    where is_primary
),

-- the last contract of each company, or of a person without one
contracts as (
    select
        coalesce(opportunities.account_id, companies.account_id) as account_id,
        max_by(opportunities.profile_id, opportunities.ends_at) as profile_id,
        max(opportunities.ends_at) as renews_at
    from opportunities
    left join companies using (profile_id)
    group by
        coalesce(opportunities.account_id, companies.account_id),
        coalesce(opportunities.account_id, companies.account_id, opportunities.profile_id)
),

-- whoever signed, and the customers among the colleagues
people as (
    select profile_id, renews_at from contracts
    where profile_id is not null
    union all
    select companies.profile_id, contracts.renews_at
    from contracts
    join companies using (account_id)
    join {{ ref('profile_lifecycle') }} as lifecycle on companies.profile_id = lifecycle.profile_id and lifecycle.stage = 'customer'
)

select profile_id, min(renews_at) as renews_at
from people
-- what was not renewed in time is over
where renews_at >= {{ as_of() }}
group by profile_id
