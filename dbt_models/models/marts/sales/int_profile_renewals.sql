with sold as (
    -- where the CRM does not say when a contract ends, it runs for a year
    select account_id, profile_id, coalesce(contract_ends_at, closed_at + interval '1 year') as ends_at
    from {{ ref('fct_opportunities') }}
    where is_won and closed_at <= {{ as_of() }}
    union all
    -- most orders are of things that do not end
    select null, profile_id, contract_ends_at
    from {{ ref('fct_orders') }}
    where is_paid and contract_ends_at is not null and ordered_at <= {{ as_of() }}
),

companies as (
    select * from {{ ref('bridge_profile_accounts') }}
    where is_primary
),

-- the last contract of each company, or of a person without one
contracts as (
    select
        coalesce(sold.account_id, companies.account_id) as account_id,
        max_by(sold.profile_id, sold.ends_at) as profile_id,
        max(sold.ends_at) as renews_at
    from sold
    left join companies using (profile_id)
    group by
        coalesce(sold.account_id, companies.account_id),
        coalesce(sold.account_id, companies.account_id, sold.profile_id)
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
